"""A room of the trial family."""
