"""Text without labels: encoders that learn by filling in masked words."""
