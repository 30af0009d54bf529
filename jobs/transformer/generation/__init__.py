"""Texts that go on from a prompt: training, fine-tuning, answers to files of any size, and figures."""
