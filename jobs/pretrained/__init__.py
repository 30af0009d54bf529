"""Checkpoints in Hugging Face's format: where they come from, read into Keras, and written again."""
