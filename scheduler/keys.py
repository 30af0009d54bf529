"""The layout of the artifact store: every key in it."""

import re
from dataclasses import dataclass

from jobs.checkpoints.keeping import CheckpointName
from jobs.names import checked_name, checked_path
from scheduler.metrics_pieces import MetricsPiece

_PART = re.compile(r"(.+)\.part(\d{4,})")


def part_id(job_id: str, number: int) -> str:
    """The id of a part of a job."""
    return f"{job_id}.part{number:04d}"


@dataclass(frozen=True)
class JobKeys:
    """The keys of one job, or part. Its names are checked, so that no key leaves the job's own folder."""

    job_id: str

    @property
    def folder(self) -> str:
        """Everything of the job is under this; a part's inside that of the whole."""
        if part := _PART.fullmatch(checked_name(self.job_id, "job id")):
            return f"{JobKeys(part[1]).parts}{part[2]}/"
        return f"jobs/{self.job_id}/"

    @property
    def division(self) -> str:
        """Which parts the job is divided into; its existence means that it is."""
        return f"{self.folder}division.json"

    @property
    def parts(self) -> str:
        """Folder of the parts."""
        return f"{self.folder}parts/"

    @property
    def spec(self) -> str:
        """What was asked."""
        return f"{self.folder}spec.json"

    @property
    def result(self) -> str:
        """Written last; its existence means complete."""
        return f"{self.folder}result.json"

    @property
    def ending(self) -> str:
        """How a job ended that left no result, so that the store alone can tell it from an unfinished one."""
        return f"{self.folder}ending.json"

    @property
    def paused(self) -> str:
        """There while the job is held back, so that `triptych recover` does not run it."""
        return f"{self.folder}paused.json"

    @property
    def logs(self) -> str:
        """Folder of the logs."""
        return f"{self.folder}logs/"

    @property
    def all_metrics(self) -> str:
        """Folder of the metrics."""
        return f"{self.folder}metrics/"

    def metrics(self, attempt: int) -> str:
        """One line a report, from the job's first step on, as the attempt that finished the job tells it."""
        return self.metrics_piece(MetricsPiece(attempt))

    def metrics_piece(self, piece: MetricsPiece) -> str:
        """Some of an attempt's lines, while there is no file of all of them."""
        return f"{self.all_metrics}{piece}"

    @property
    def checkpoints(self) -> str:
        """Folder of the checkpoints."""
        return f"{self.folder}checkpoints/"

    def checkpoint(self, name: CheckpointName) -> str:
        """A checkpoint; zeros in front, so that the order of keys is the order of steps."""
        return f"{self.checkpoints}{name}"

    @property
    def shards(self) -> str:
        """Folder of the pieces of a result that is not whole yet; gone once it is, and of a part with it."""
        return f"{self.folder}shards/"

    def shard(self, name: str) -> str:
        """A piece of a result that is not whole yet."""
        return f"{self.shards}{checked_path(name, 'shard name')}"

    @property
    def samples(self) -> str:
        """Folder of the pictures along the way."""
        return f"{self.folder}samples/"

    def sample(self, step: int) -> str:
        """A picture of the work in progress."""
        return f"{self.samples}{step:012d}.png"

    @property
    def artifacts(self) -> str:
        """Folder of what people came for; that of the whole, for a part."""
        part = _PART.fullmatch(self.job_id)
        return f"{JobKeys(part[1]).folder if part else self.folder}artifacts/"

    def artifact(self, name: str) -> str:
        """A file that people came for; its name may contain `/`."""
        return f"{self.artifacts}{checked_path(name, 'artifact name')}"

    @property
    def environments(self) -> str:
        """Folder of what is known of the places in which attempts ran."""
        return f"{self.folder}environment/"

    def environment(self, attempt: int) -> str:
        """Where one attempt ran: worker, processor, versions."""
        return f"{self.environments}{attempt}.json"

    def log(self, attempt: int) -> str:
        """All output of one attempt's runner."""
        return f"{self.logs}{attempt}.log"


@dataclass(frozen=True)
class DataSetKeys:
    """The keys of one data set."""

    name: str

    @property
    def folder(self) -> str:
        """Everything of the data set is under this."""
        return f"datasets/{checked_name(self.name, 'data set name')}/"

    @property
    def current(self) -> str:
        """Which content the name stands for now; written last."""
        return f"{self.folder}current.json"

    def content(self, digest: str) -> str:
        """The images, addressed by the digest of their content."""
        return f"{self.folder}{checked_path(digest, 'digest')}.npz"

    def names(self, digest: str) -> str:
        """The names of the images' files, by the digest of the images; there are none without files."""
        return f"{self.folder}{checked_path(digest, 'digest')}.names.json"

    def files(self, digest: str) -> str:
        """Texts, or a checkpoint, addressed by the digest of the files."""
        return f"{self.folder}{checked_path(digest, 'digest')}.zip"


@dataclass(frozen=True)
class ModelKeys:
    """The keys of a model's name."""

    name: str

    @property
    def folder(self) -> str:
        """Everything of the name is under this."""
        return f"models/{checked_name(self.name, 'model name')}/"

    @property
    def versions(self) -> str:
        """Folder of its versions."""
        return f"{self.folder}versions/"

    def version(self, number: int) -> str:
        """Which job a version is."""
        return f"{self.versions}{number:08d}.json"

    @property
    def aliases(self) -> str:
        """Folder of its aliases."""
        return f"{self.folder}aliases/"

    def alias(self, alias: str) -> str:
        """Folder of the versions that an alias has pointed to."""
        return f"{self.aliases}{checked_name(alias, 'alias')}/"

    def move(self, alias: str, number: int) -> str:
        """To which version an alias points since it was moved for the nth time; the last one counts."""
        return f"{self.alias(alias)}{number:08d}.json"


#: Folder of the sweeps.
SWEEPS = "sweeps/"


@dataclass(frozen=True)
class SweepKeys:
    """The keys of a sweep."""

    sweep_id: str

    @property
    def folder(self) -> str:
        """Everything of the sweep is under this; its trials are jobs like others."""
        return f"{SWEEPS}{checked_name(self.sweep_id, 'sweep id')}/"

    @property
    def spec(self) -> str:
        """What is searched."""
        return f"{self.folder}spec.json"

    @property
    def trials(self) -> str:
        """Folder of the trials."""
        return f"{self.folder}trials/"

    def trial(self, number: int, rung: int) -> str:
        """That a trial is to run in a rung, with its values; there before its job."""
        return f"{self.trials}{number:06d}-{rung:02d}.json"

    @property
    def result(self) -> str:
        """How it ended, with all its trials; the first that is written stands."""
        return f"{self.folder}result.json"


class ArchiveKeys:
    """The keys of the archive: records by the beginnings of their ids, and days."""

    records = "archive/jobs/"
    days = "archive/days/"

    @staticmethod
    def record(job_id: str) -> str:
        """All that is known of a job."""
        name = checked_name(job_id, "job id")
        return f"{ArchiveKeys.records}{name[:2]}/{name[2:4] or '-'}/{name}.json"

    @staticmethod
    def beginning(start: str) -> str:
        """How the keys of all records begin whose ids begin like this."""
        if len(start) >= 4:
            return f"{ArchiveKeys.records}{start[:2]}/{start[2:4]}/{start}"
        return f"{ArchiveKeys.records}{start[:2]}" + (f"/{start[2:]}" if len(start) > 1 else "")

    @staticmethod
    def id_in(key: str) -> str:
        """The id of the job whose record has this key."""
        return key.rpartition("/")[2].removesuffix(".json")

    @staticmethod
    def day(day: str) -> str:
        """Folder of a day, such as 2026-01-31."""
        return f"{ArchiveKeys.days}{checked_name(day, 'day')}/"


#: Folder of the pools that are paused.
PAUSED_POOLS = "paused/"


def paused_pool_key(pool: str) -> str:
    """There while a pool is paused."""
    return f"{PAUSED_POOLS}{checked_name(pool, 'pool')}.json"


#: Folder of the schedules.
SCHEDULES = "schedules/"


def schedule_key(name: str) -> str:
    """The definition of a schedule."""
    return f"{SCHEDULES}{checked_name(name, 'schedule name')}.json"


def cache_key(name: str) -> str:
    """The key of what several jobs share and any of them can make anew; the whole folder may be deleted."""
    return f"cache/{checked_path(name, 'cache entry')}"


def sort_of(key: str) -> str:
    """What an object is: `checkpoints`, `artifacts`, ..., `records` (spec, result, ending), or `other`."""
    first, *path = key.split("/")
    if first == "jobs" and len(path) > 1:
        # Of a part, the name of the folder inside its own.
        inside = path[3:] if path[1] == "parts" and len(path) > 3 else path[1:]
        if len(inside) == 1:
            return "records" if inside[0] in _RECORDS else "other"
        return inside[0] if inside[0] in _FOLDERS else "other"
    return (
        first
        if first in ("datasets", "cache", "archive", "models", "schedules", "paused") and path
        else "other"
    )


_TOP = frozenset({"datasets", "cache", "archive", "models", "schedules", "paused", "sweeps"})
_RECORDS = frozenset({"spec.json", "result.json", "ending.json", "division.json", "paused.json"})
_FOLDERS = frozenset({"checkpoints", "shards", "artifacts", "samples", "logs", "metrics", "environment"})
