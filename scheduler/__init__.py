"""How work is asked for and followed."""
