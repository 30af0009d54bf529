"""Checkpoints that are built on this machine: random ones of any size, and one out of a package."""
