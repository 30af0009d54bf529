"""A model that answers, and the questions of a job, by the block."""
