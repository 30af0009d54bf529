"""Filling what is missing: methods, and how well each does on hidden values."""
