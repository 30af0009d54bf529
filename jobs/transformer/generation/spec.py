"""What a job on generated texts computes, and what it leaves."""

from jobs.transformer.generation.uses import Generated, GenerateTexts

__all__ = ["GenerateTexts", "Generated"]
