"""Deleting: what goes, what stays, and what becomes of a deletion that is broken off."""

import json
import multiprocessing
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from triptych_trial.spec import Echo, Look, Rows, Steps
from typer.testing import CliRunner, Result

from jobs.errors import InvalidSpec
from scheduler import Client, JobState
from scheduler.artifacts import ArtifactStore
from scheduler.cli.commands import app
from scheduler.connection import PREFIX
from scheduler.doctor import Doctor, Findings
from scheduler.errors import StillNeeded, UnknownDataSet, UnknownJob
from scheduler.keys import DataSetKeys, JobKeys, cache_key, sort_of
from scheduler.leftovers import remove_leftovers
from scheduler.references import References
from scheduler.removal import Removal
from scheduler.retention import Retention
from scheduler.settings import RedisSettings, RetentionSettings, StoreSettings
from scheduler.states import What
from tests.history import LEFT, enter, prune
from tests.servers import s3_server


@pytest.fixture(scope="module")
def store_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreSettings]:
    """One of its own, in which everything has an owner."""
    with s3_server(tmp_path_factory.mktemp("s3")) as settings:
        yield settings


@pytest.fixture
def client(emptied_client: Client) -> Client:
    return emptied_client


def keys(client: Client, job_id: str = "") -> set[str]:
    return {item.key for item in client.store.under(f"jobs/{job_id}{'/' if job_id else ''}")}


def look(client: Client) -> Findings:
    return Doctor(client.records, client.store, grace=0.0).look()


def retention(client: Client, **rules: str) -> Retention:
    return Retention(client.records, client.store, RetentionSettings(**rules))  # type: ignore[arg-type]


def triptych(*words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == code, result.output
    return result


def texts(folder: Path, text: str) -> Path:
    path = folder / f"{text}.csv"
    path.write_text(f"text\n{text}\n")
    return path


def end(client: Client, job_id: str, state: JobState = JobState.SUCCEEDED) -> None:
    """What a worker does, at once."""
    claimed = client.records.claim(job_id, "w", 60)
    assert claimed is not None
    client.store.put_json(JobKeys(job_id).result, {"attempt": 1, "result": {"text": ""}})
    assert client.records.settle(job_id, claimed.attempt, state)


def test_a_deleted_job_is_gone_from_the_records_and_the_store(client: Client) -> None:
    gone, stays = enter(client, "abcd"), enter(client, "abef")
    said = triptych("delete", "abc").stdout
    assert said.startswith("job abcd is deleted: 5 objects, ")
    assert not keys(client, gone)
    assert len(keys(client, stays)) == 2 + len(LEFT)
    assert [job.id for job in client.list()] == [stays]
    with pytest.raises(UnknownJob, match="there is no job 'abcd'"):
        client.get(gone)
    assert look(client).healthy
    assert not client.removal.pending()


def test_only_what_is_asked_for_goes_and_the_job_says_so(client: Client) -> None:
    enter(client, "job")
    triptych("delete", "job", "--what", "checkpoints")
    assert {sort_of(key) for key in keys(client, "job")} == {"records", "artifacts", "logs"}
    assert client.get("job").record.removed == ("checkpoints",)
    triptych("delete", "job", "--what", "artifacts")
    assert {sort_of(key) for key in keys(client, "job")} == {"records", "logs"}
    assert "checkpoints, artifacts" in triptych("show", "job").stdout
    with pytest.raises(InvalidSpec, match="the artifacts of job job were deleted"):
        client.submit(Echo(after_model="job"))
    assert look(client).healthy


def test_what_has_not_ended_is_needed_or_was_made_use_of_is_not_deleted(client: Client) -> None:
    running = client.submit(Steps())
    client.records.claim(running.id, "w", 60)
    assert f"job {running.id} is RUNNING: cancel it first" in triptych("delete", running.id, code=1).stderr
    parent = enter(client, "parent")
    child = client.submit(Echo(after_model=parent))
    with pytest.raises(StillNeeded, match=f"needed by job {child.id}, which has not ended"):
        client.delete(parent, force=True)
    end(client, child.id)
    with pytest.raises(StillNeeded, match=f"job {child.id} was made from job parent"):
        client.delete(parent)
    client.name("best", parent)
    with pytest.raises(StillNeeded, match="the model name 'best'"):
        client.delete(parent)
    References(client.records.redis).hold("schedule/nightly", ["job/parent"])
    with pytest.raises(StillNeeded, match="the schedule 'nightly'"):
        client.delete(parent, force=True)
    References(client.records.redis).release("schedule/nightly")
    client.delete(parent, force=True)
    assert not keys(client, parent)
    client.name("best", child.id)
    assert client.prune(0.0).kept == 1
    client.models.unname("best")
    assert client.prune(0.0).freed.jobs == 1


def test_of_several_jobs_those_that_can_be_are_deleted(client: Client) -> None:
    enter(client, "one")
    enter(client, "two")
    running = client.submit(Steps())
    result = triptych("delete", "one", running.id, "none", "two", code=1)
    assert len(result.stderr.splitlines()) == 2
    assert [job.id for job in client.list()] == [running.id]


def test_what_the_parents_of_a_waiting_job_refer_to_is_needed_as_well(client: Client, tmp_path: Path) -> None:
    client.datasets.upload("texts", texts(tmp_path, "a"))
    first = enter(client, "first", inputs={"texts": client.datasets.get("texts").digest})
    second = client.submit(Echo(after_model=first))
    end(client, second.id)
    third = client.submit(Echo(after_model=second))
    for refused in (lambda: client.delete(first, force=True), lambda: client.datasets.delete("texts")):
        with pytest.raises(StillNeeded, match=f"needed by job {third.id}"):
            refused()
    third.cancel()
    client.delete(first, force=True)
    triptych("datasets", "delete", "texts")
    assert not list(client.store.under("datasets/texts/"))
    with pytest.raises(UnknownDataSet):
        client.datasets.delete("texts")


def test_a_key_is_free_again_once_its_job_is_deleted(client: Client) -> None:
    first = client.submit(Echo(), key="nightly")
    first.cancel()
    client.delete(first.id)
    second = client.submit(Echo(), key="nightly")
    assert second.id != first.id
    assert client.submit(Echo(), key="nightly").id == second.id
    assert client.submit(Echo(), reuse=True).id == second.id


def test_a_job_that_names_what_is_being_deleted_is_refused_or_keeps_it(client: Client) -> None:
    for number in range(12):
        parent = enter(client, f"parent-{number}")

        def submit(parent: str = parent) -> Any:
            try:
                return client.submit(Echo(after_model=parent))
            except InvalidSpec:
                return None

        def delete(parent: str = parent) -> bool:
            try:
                client.delete(parent, force=True)
            except (StillNeeded, UnknownJob):
                return False
            return True

        with ThreadPoolExecutor(4) as threads:
            submitted = [threads.submit(submit) for _ in range(2)]
            deleted = [threads.submit(delete) for _ in range(2)]
        accepted = [job for future in submitted if (job := future.result()) and not job.state.final]
        gone = any(future.result() for future in deleted)
        assert bool(accepted) != gone
        assert bool(keys(client, parent)) != gone


class Failing(ArtifactStore):
    """Ends at the given request that removes something, in its middle."""

    left = 0

    def delete(self, key: str) -> None:
        self._count()
        super().delete(key)
        self._count()

    def delete_all(self, found: Any) -> None:
        for key in list(found):
            self._count()
            super().delete_all([key])

    def _count(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("what", list(What))
def test_whoever_finds_a_deletion_that_was_broken_off_finishes_it(client: Client, what: What) -> None:
    store = Failing(client.store.settings)
    whole: set[str] = set()
    for moment in range(1, 20):
        job_id = enter(client, f"job-{moment}")
        store.left = moment
        try:
            Removal(client.records, store).job(job_id, what)
        except KeyboardInterrupt:
            assert client.removal.pending() == {f"job/{job_id}": what}
            retention(client).step()
        else:
            break
        assert not client.removal.pending()
        whole |= {key.replace(job_id, "job") for key in keys(client, job_id)}
    assert moment > 1, "no deletion was broken off"
    left = {sort_of(key) for key in whole}
    assert (
        left
        == {
            What.ALL: set(),
            What.ARTIFACTS: {"records", "logs"},
            What.CHECKPOINTS: {"records", "logs", "artifacts"},
        }[what]
    )
    assert look(client).healthy


def test_a_prune_that_is_killed_ten_times_leaves_nothing_that_was_to_go_and_takes_nothing_else(
    client: Client, redis_settings: RedisSettings, store_settings: StoreSettings
) -> None:
    old = [f"{number:016x}" for number in range(160)]
    needed, young, other = "a" * 16, "b" * 16, "c" * 16
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda job_id: enter(client, job_id, days=40, left={"logs/1.log": 9}), old))
    for job_id, days, kind in ((needed, 40, Echo.kind), (young, 20, Echo.kind), (other, 40, Steps.kind)):
        enter(client, job_id, days=days, kind=kind)
    waiting = client.submit(Echo(after_model=needed))
    stays = {needed, young, other, waiting.id}
    before = {key for job_id in stays for key in keys(client, job_id)}
    arguments = ["prune", "--older-than", "30d", "--kind", Echo.kind]
    would = json.loads(triptych(*arguments, "--dry-run", "--json").stdout)
    assert (would["freed"]["jobs"], would["freed"]["objects"]) == (160, 160 * 3)

    ended = f"{PREFIX}ended"
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(["tests.history"])
    for kill in range(10):
        left = client.records.redis.zcard(ended)
        arguments_of_prune = (redis_settings, store_settings, 30 * 86400.0, Echo.kind, 4)
        process = forks.Process(target=prune, args=arguments_of_prune)
        process.start()
        while client.records.redis.zcard(ended) >= left - 4 and process.is_alive():
            time.sleep(0.002)
        time.sleep(0.003 * kill)  # so that it is in another step of the deletion each time
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL, kill
    assert client.records.redis.zcard(ended) > 3, "it was done before the last kill"
    triptych(*arguments)

    assert keys(client) == before
    assert {job.id for job in client.list()} == stays
    assert not client.removal.pending()
    found = look(client)
    assert found.healthy, found


def test_the_rules_take_the_checkpoints_of_what_succeeded_and_what_is_needed_only_later(
    client: Client,
) -> None:
    enter(client, "succeeded", days=8)
    enter(client, "failed", days=8, state=JobState.FAILED)
    enter(client, "young", days=6)
    enter(client, "needed", days=9)
    child = client.submit(Echo(after_model="needed"))
    rules = retention(client)
    while rules.step():
        pass

    def held() -> set[str]:
        return {key.split("/")[1] for key in keys(client) if sort_of(key) == "checkpoints"}

    assert held() == {"failed", "young", "needed"}
    enter(client, "rebuilt", days=30)  # as `recover` does: it ended before what was looked at
    child.cancel()
    rules.step()
    assert held() == {"failed", "young"}
    assert {key.split("/")[1] for key in keys(client) if sort_of(key) == "artifacts"} == {
        *("succeeded", "failed", "young", "needed", "rebuilt")
    }
    rules = retention(client, keep_checkpoints="off", keep_artifacts="7d")
    while rules.step():
        pass
    assert held() == {"young"}
    counted = client.records.redis.hgetall(f"{PREFIX}tally")
    assert (counted["freed|jobs|checkpoints"], counted["freed|bytes|checkpoints"]) == ("3", "90")
    assert look(client).healthy


def test_more_jobs_than_a_step_takes_that_ended_at_once_are_all_looked_at(client: Client) -> None:
    ended = 1_600_000_000.0
    for number in range(120):
        enter(client, f"job-{number}", left={"checkpoints/000000000009-0001.safetensors": 1})
    client.records.redis.zadd(f"{PREFIX}ended", {f"job-{number}": ended for number in range(120)})
    rules = retention(client)
    while rules.step():
        pass
    assert not [key for key in keys(client) if sort_of(key) == "checkpoints"]


def test_what_a_version_before_has_recorded_counts_as_well(client: Client) -> None:
    parent = enter(client, "parent", days=10)
    child = client.submit(Echo(after_model=parent))
    redis = client.records.redis
    redis.delete(f"{PREFIX}references", f"{PREFIX}ended", *redis.keys(f"{PREFIX}uses:*"))
    redis.hdel(f"{PREFIX}job:{child.id}", "refers")
    client = Client(redis.settings, client.store.settings)  # type: ignore[attr-defined]
    assert client.prune(0.0).kept == 1
    child.cancel()
    assert client.prune(0.0).freed.jobs == 2


def test_the_pieces_of_a_failed_job_stay_while_one_that_may_reuse_them_has_not_ended(client: Client) -> None:
    failed = client.submit(Rows(), parts=4)
    claimed = client.records.claim(failed.id, "w", 60)
    assert claimed is not None
    client.records.redis.hset(f"{PREFIX}job:{failed.id}", "parts", 4)
    client.records.settle(failed.id, 1, JobState.FAILED)
    other = client.submit(Rows(), parts=4, reuse=True)
    assert client.prune(0.0, what="checkpoints").kept == 1
    other.cancel()
    assert client.prune(0.0, what="checkpoints").kept == 0


def test_content_that_no_name_and_no_job_refers_to_goes_and_all_other_stays(
    client: Client, tmp_path: Path
) -> None:
    digests = [client.datasets.upload("texts", texts(tmp_path, text)).digest for text in "abc"]
    job = enter(client, "pinned", inputs={"texts": digests[0]})
    client.store.put(cache_key("features/1"), b"made")
    client.store.put(DataSetKeys("half").content("d" * 64), b"an upload that was broken off")
    late = JobKeys(enter(client, "gone", left={}))
    client.delete("gone")
    client.store.put(late.log(1), b"of a worker that wakes after its job was deleted")
    assert not look(client).healthy
    assert Doctor(client.records, client.store).look().healthy, "what is young may be under way"

    dry = remove_leftovers(client.records, client.store, 0.0, dry_run=True, grace=0.0)
    done = remove_leftovers(client.records, client.store, 0.0, grace=0.0)
    assert done == dry
    assert done.freed.objects == 4
    stored = {item.key for item in client.store.under("datasets/")}
    named = DataSetKeys("texts")
    assert stored == {named.current, named.files(digests[0]), named.files(digests[2])}
    assert keys(client) == keys(client, job)
    assert look(client).healthy


def test_nothing_is_left_over_for_sure_while_redis_has_lost_its_data(client: Client, tmp_path: Path) -> None:
    digests = [client.datasets.upload("texts", texts(tmp_path, text)).digest for text in "ab"]
    enter(client, "pinned", inputs={"texts": digests[0]})
    client.records.redis.flushdb()
    before = {item.key for folder in ("jobs/", "datasets/") for item in client.store.under(folder)}
    assert look(client).unknown == ["pinned"]
    left = remove_leftovers(client.records, client.store, 0.0, grace=0.0)
    assert (left.freed.objects, left.unknown) == (0, 1)
    assert {item.key for folder in ("jobs/", "datasets/") for item in client.store.under(folder)} == before


def test_the_doctor_names_what_is_missing_and_what_is_left_over(client: Client, tmp_path: Path) -> None:
    for job_id in ("no-spec", "no-result", "fine"):
        enter(client, job_id)
    assert "everything belongs to something" in triptych("doctor", "--grace", "0s").stderr
    client.removal.references.hold("schedule/nightly", ["job/fine", "dataset/texts"])
    client.store.delete(JobKeys("no-spec").spec)
    client.store.delete(JobKeys("no-result").result)
    client.store.put(JobKeys("nobody").log(1), b"12345")
    client.store.put(JobKeys("fine").shard("piece"), b"of a result that is whole")
    client.records.redis.rpush(f"{PREFIX}attempts:nobody", "{}")
    info = client.datasets.upload("texts", texts(tmp_path, "a"))
    client.store.delete(DataSetKeys("texts").files(info.digest))
    rows = triptych("doctor", "--grace", "0s", code=1).stdout
    for said in (
        "job no-spec has a record, and jobs/no-spec/spec.json is missing",
        "job no-result has succeeded, and jobs/no-result/result.json is missing",
        "the data set 'texts' has lost its content",
        "objects of jobs that there are not: 1 objects, 5 B, first jobs/nobody/logs/1.log",
        "pieces of jobs that were joined or deleted: 1 objects",
        "triptych:attempts:nobody in Redis",
        "schedule/nightly\tdataset/texts, job/fine",
        "schedule > job\t1",
    ):
        assert said in rows
    found = json.loads(triptych("doctor", "--grace", "0s", "--json", code=1).stdout)
    assert found["sorts"]["checkpoints"] == {"objects": 3, "bytes": 90}
    assert found["kinds"]["trial.echo"] == {"objects": 14, "bytes": found["kinds"]["trial.echo"]["bytes"]}
    assert found["jobs"] == {"SUCCEEDED": 3}


@pytest.mark.parametrize("words", [("--older-than", "soon"), ("--older-than", "30"), ("--older-than", "-1d")])
def test_a_time_that_is_none_is_refused(client: Client, words: tuple[str, ...]) -> None:
    assert "such as 30d" in " ".join(triptych("prune", *words, code=2).stderr.replace("│", " ").split())


def test_jobs_that_have_not_ended_cannot_be_pruned(client: Client) -> None:
    job = client.submit(Look(dataset="digits"))
    said = triptych("prune", "--older-than", "0s", "--state", "queued", code=1).stderr
    assert "jobs that are QUEUED have not ended" in said
    assert client.prune(0.0).freed.jobs == 0
    assert job.state is JobState.QUEUED
