"""A family of one job, to train while everything around it fails."""
