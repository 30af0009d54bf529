"""Transformers that look at images: train, classify, evaluate."""
