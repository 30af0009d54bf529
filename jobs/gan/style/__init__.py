"""Style transfer: pictures of one set in the look of another."""
