"""Texts in tables, CSV, JSON lines or Parquet: the named ones, and a person's own."""
