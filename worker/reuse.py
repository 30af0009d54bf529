"""Whether a runner may take another job, and what it keeps from one to the next."""

import time
from contextlib import suppress

from jobs import catalog
from scheduler.settings import RunnerSettings, load
from worker.leftovers import Leftovers
from worker.memory import own, size
from worker.models import Models
from worker.servers import Servers


class Reuse:
    """The life of one runner.

    Attributes:
        models: those in its memory.
    """

    def __init__(self) -> None:
        self._settings = load(RunnerSettings)
        self._born = time.monotonic()
        self._light = own()
        self._servers: Servers | None = None
        self._leftovers: Leftovers | None = None
        self._ruled_out = ""
        self.models = Models(self._settings.model_memory)

    def servers(self) -> Servers:
        """Its connections.

        Raises:
            NotConfigured: a setting is missing or wrong.
        """
        if self._servers is None:
            self._servers = Servers()
        return self._servers

    def begin(self, kind: str) -> None:
        """A job begins: what it leaves will be told from what is here now."""
        self.models.begin()
        if self._allowed(kind):
            with suppress(Exception):  # the job itself says it better
                catalog.action(kind)  # what importing its code changes is none of the job's doing
            self._leftovers = self._leftovers or Leftovers()
            self._leftovers.watch(catalog.package_of(kind))

    def rule_out(self, why: str) -> None:
        """This process must take no other job."""
        self._ruled_out = why

    def spent(self, kind: str, *, well: bool) -> str:
        """Why this process must end now, and after which job; nothing if it can go on."""
        if not well:
            return "its job did not succeed"
        if self._leftovers is None or not self._allowed(kind):
            return f"{kind} has a process of its own"
        if self._ruled_out:
            return self._ruled_out
        if self.models.jobs >= self._settings.runner_jobs:
            return f"it has run {self.models.jobs} jobs (TRIPTYCH_RUNNER_JOBS)"
        if time.monotonic() - self._born > self._settings.runner_seconds:
            return f"it is older than {self._settings.runner_seconds:g} s (TRIPTYCH_RUNNER_SECONDS)"
        addresses = self._servers.addresses if self._servers else set()
        if left := self._leftovers.undo(addresses):
            return f"of its last one, a {kind}, something is left: {left}"
        grown = own() - self._light - self.models.bytes
        if grown > self._settings.runner_growth:
            return f"it has grown by {size(grown)} (TRIPTYCH_RUNNER_GROWTH)"
        return ""

    def _allowed(self, kind: str) -> bool:
        return catalog.spec_type(kind).reuses_runner and self._settings.runner_jobs > 1
