"""What can run: specs, families and the one training loop."""
