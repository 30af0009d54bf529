"""How work is run and survived."""
