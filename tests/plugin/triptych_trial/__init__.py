"""A family of small jobs for tests, in a distribution of its own."""
