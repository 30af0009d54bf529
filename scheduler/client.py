"""Asking for work: `Client().submit(TrainGan(...))`."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from jobs import catalog
from jobs.errors import InvalidSpec
from jobs.spec import JobSpec
from scheduler.job import Job
from scheduler.listing import Span, newest
from scheduler.models import ModelVersion
from scheduler.pruning import Choice, Pruned, Pruning, checked_state, checked_what
from scheduler.references import job_target, model_holder
from scheduler.removal import Freed
from scheduler.states import JobState, What
from scheduler.submitting import Submitting

if TYPE_CHECKING:
    from scheduler.schedules.schedules import Schedules
    from scheduler.sweeps.spaces import AnyRange
    from scheduler.sweeps.sweeps import Sweep, Sweeps


class Client(Submitting):
    """Submits jobs and finds them again. Safe to use from several threads.

    Without arguments it uses the servers that the environment, `.env` or the stack of this machine names.

    Raises:
        NotConfigured: it is not known where the servers are.
        Unreachable: Redis does not answer, or refuses the password.
    """

    def now(self) -> float:
        """Seconds since 1970 by the clock of Redis, which decides what is due."""
        return self.schedules.records.now()

    @cached_property
    def schedules(self) -> "Schedules":
        """The jobs that are submitted again and again."""
        from scheduler.parents import repeatable
        from scheduler.schedules.schedules import Schedules  # imported when wanted: a command has to start

        return Schedules(
            self.records, self.store, partial(repeatable, self.datasets, self._find), self.submit
        )

    @cached_property
    def sweeps(self) -> "Sweeps":
        """The searches for the best values of fields."""
        from scheduler.sweeps.sweeps import Sweeps

        return Sweeps(self.records, self.store, self._pinned, self.get)

    def sweep(self, spec: JobSpec[Any], space: "Mapping[str, AnyRange]", **fields: Any) -> "Sweep":
        """Searches the values of some fields for which a metric of the result is best.

        Args:
            spec: of every trial, but for the fields that are searched.
            space: what each of these is searched over: `log_uniform(1e-5, 1e-2)`, `uniform(0, 1)`,
                `integers(16, 64, step=16)`, `choice("dcgan", "wgan-gp")`.
            fields: `metric`, `direction` ("min" or "max"), `trials`; and, if wanted, `at_once`, `seed`,
                `sampler` ("tpe", "random", "grid"), `rungs` and `reduction` for successive halving,
                `asynchronous`, `priority`: see `SweepSpec`.

        Raises:
            InvalidSpec: a field is unknown or cannot have such a value, or the result has no such metric.
        """
        from scheduler.sweeps.sweeps import sweep_spec

        return self.sweeps.start(sweep_spec(spec, space, fields))

    def metrics_table(self, jobs: "Iterable[Job[Any] | str]") -> Mapping[str, Sequence[Any]]:
        """All reports of jobs as plain columns of equal length: `job`, `step`, `time`, `stage`, each metric.

        A value is None where a report has no such metric. `pandas.DataFrame` takes the answer as it is.
        """
        from scheduler.comparing import metrics_table

        return metrics_table([self.get(str(getattr(job, "id", job))) for job in jobs])

    def name(self, name: str, job: Job[Any] | str, alias: str | None = None) -> ModelVersion:
        """Gives a finished job a name, as its newest version; in specs the name stands for the job then.

        Args:
            name: such as `digits`.
            job: the job, or its id.
            alias: is to point to this version from now on, such as `production`.

        Raises:
            UnknownJob: there is no such job.
            InvalidSpec: it has not succeeded, its kind is not that of the other versions, or the name cannot
                be used.
        """
        record = self.get(str(getattr(job, "id", job))).record
        if record.state is not JobState.SUCCEEDED:
            raise InvalidSpec(
                f"job {record.id} is {record.state}, and only jobs that have succeeded get a name"
            )
        holder, held = model_holder(name, record.id), [job_target(record.id)]
        self.removal.references.hold(holder, held)
        version = self.models.name(name, record.id, record.kind, alias)
        # Once more: whoever deletes lets go of what no name stands for.
        self.removal.references.hold(holder, held)
        return version

    def list(
        self,
        state: JobState | str | None = None,
        kind: str | None = None,
        limit: int = 50,
        offset: int = 0,
        *,
        since: float | None = None,
        until: float | None = None,
    ) -> "list[Job[Any]]":
        """Jobs, the newest first, by state, kind and time of submission.

        With `since` or `until`, in seconds since 1970, archived jobs are listed as well.

        Raises:
            InvalidSpec: there is no such state or kind.
        """
        if kind is not None:
            catalog.spec_type(kind)
        if since is None and until is None:
            found = self.records.newest(checked_state(state), kind, limit, offset)
        else:
            span = Span(since or 0.0, until if until is not None else math.inf)
            found = newest(self.records, self.archive, span, checked_state(state), kind, limit + offset)[
                offset:
            ]
        return [self._handle(record.id, record) for record in found]

    def delete(self, job_id: str, what: What | str = What.ALL, *, force: bool = False) -> Freed:
        """Deletes a job for good, or some of what it has left.

        Args:
            job_id: its id, or enough of its beginning.
            what: "checkpoints", "artifacts", or "all"; see `What`.
            force: also one that others were made from, or that a model's name stands for.

        Raises:
            UnknownJob: there is none, or there are several.
            StillNeeded: it has not ended, or something needs it.
        """
        return self.removal.job(self.get(job_id).id, checked_what(what), force=force)

    def prune(
        self,
        older_than: float,
        *,
        kind: str | None = None,
        state: JobState | str | None = None,
        what: What | str = What.ALL,
        dry_run: bool = False,
        progress: Callable[[Pruned], None] = lambda _: None,
    ) -> Pruned:
        """Deletes jobs that ended so many seconds ago, or some of what they have left; see `Choice`.

        With `dry_run` it only tells what would be; `progress` is told now and then how far it is.

        Raises:
            InvalidSpec: there is no such state or kind, or nothing of them can have ended.
        """
        choice = Choice(older_than, kind, checked_state(state), checked_what(what))
        return Pruning(self.removal, choice, dry_run).run(progress)
