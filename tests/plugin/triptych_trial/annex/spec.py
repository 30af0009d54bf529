"""A kind of three parts."""

from pydantic import Field

from jobs.spec import JobResult, JobSpec


class Count(JobResult):
    """What a count has come to."""

    letters: int


class CountLetters(JobSpec[Count], kind="trial.annex.count"):
    """Counts the letters of a word."""

    word: str = Field(default="annex", max_length=100)
