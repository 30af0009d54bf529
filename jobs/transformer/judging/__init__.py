"""How good a classifier is: splits, figures, charts. For every application that tells classes apart."""
