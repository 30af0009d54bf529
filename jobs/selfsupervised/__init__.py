"""Self-supervised learning: what images teach about themselves, without labels."""
