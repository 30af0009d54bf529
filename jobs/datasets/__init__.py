"""Data to learn from: named sets, and people's own."""
