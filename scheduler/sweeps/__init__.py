"""Many trainings that search for the best values of some fields."""
