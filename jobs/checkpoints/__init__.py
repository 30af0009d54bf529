"""The state of a job as a file: its format, its digest, and which ones are kept."""
