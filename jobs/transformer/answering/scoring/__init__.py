"""How good answers are: the official measures, by kind of answer, beside the simplest methods."""
