"""Transformers that read text: fine-tune, classify, evaluate, embed."""
