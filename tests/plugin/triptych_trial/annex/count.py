"""Counts letters."""

from jobs.context import JobContext
from triptych_trial.annex.spec import Count, CountLetters


def run(spec: CountLetters, context: JobContext) -> Count:
    """Counts them."""
    return Count(letters=len(spec.word))
