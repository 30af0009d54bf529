"""The embedded stack: every server of Triptych on one machine, with no Docker."""

from scheduler.embedded.stack import Stack
from scheduler.embedded.status import PartState, PartStatus, StackStatus

__all__ = ["PartState", "PartStatus", "Stack", "StackStatus"]
