"""Training an encoder with a head: the step of AdamW, its schedule, and what stays as it was."""
