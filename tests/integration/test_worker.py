import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from triptych_trial.spec import Echo, Fail, Look, Steps, Survey

from jobs.datasets.images.image_set import ImageSet
from jobs.local import run_locally
from jobs.spec import Limits
from scheduler import Client, FailureCause, Job, JobFailed, JobState
from scheduler.keys import DataSetKeys
from scheduler.settings import RedisSettings, StoreSettings
from tests.cluster import Cluster, cluster
from tests.servers import wait_until


@pytest.fixture(scope="module")
def running(
    redis_settings: RedisSettings, store_settings: StoreSettings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    with cluster(
        redis_settings, store_settings, folder, TRIPTYCH_WARM_RUNNERS="0", TRIPTYCH_SLOT_MEMORY="400MiB"
    ) as built:
        built.scheduler()
        built.worker()
        yield built


@pytest.fixture
def client(running: Cluster) -> Client:
    return running.client()


def steps_done(job: Job[object]) -> int:
    return job.progress.step if job.progress else 0


def test_a_job_runs_and_leaves_result_artifacts_metrics_and_log(client: Client, tmp_path: Path) -> None:
    job = client.submit(Steps(steps=5, step_seconds=0.01))
    result = job.wait(60)
    assert result.text.startswith("15 ")
    assert [line["step"] for line in job.metrics()] == [1, 2, 3, 4, 5]
    assert job.progress is not None
    assert job.progress.line() == "step 5/5 · loss 0.2 · ETA 1 s"
    first, *rest = "".join(job.logs()).splitlines()
    assert re.fullmatch(r"attempt 1 of trial\.steps on worker cpu@\S+, \d+ threads", first)
    assert rest == ["begins at step 0"]

    echo = client.submit(Echo(text="well met"))
    echo.wait(60)
    assert echo.artifacts() == {"echo.txt": 8}
    assert echo.artifact("report.html") == echo.report().encode()  # made when somebody asks for it
    assert echo.artifacts() == {"echo.txt": 8, "report.html": len(echo.report().encode())}
    assert echo.artifact("echo.txt") == b"well met"
    names = {path.relative_to(tmp_path).as_posix() for path in echo.download(tmp_path)}
    assert names == {"artifacts/echo.txt", "artifacts/report.html", "result.json", "spec.json"}


@pytest.mark.parametrize(
    ("how", "cause", "message"),
    [
        ("bug", FailureCause.BUG, "ValueError: an unexpected fault"),
        ("input", FailureCause.BAD_INPUT, "the trial was given bad input"),
        ("diverge", FailureCause.DIVERGED, "the loss is not a number any more"),
        ("exit", FailureCause.BUG, "SystemExit: 3"),
    ],
)
def test_a_job_that_raises_fails_with_cause_message_and_log(
    client: Client, how: str, cause: FailureCause, message: str
) -> None:
    job = client.submit(Fail(how=how))  # type: ignore[arg-type]
    with pytest.raises(JobFailed) as caught:
        job.wait(60)
    assert job.cause is cause
    assert str(caught.value) == (
        f"job {job.id} (trial.fail) FAILED, {cause}: {message} [log: jobs/{job.id}/logs/1.log]"
    )
    log = "".join(job.logs())
    assert "about to fail" in log
    assert "Traceback" in log
    assert client.submit(Echo()).wait(60).text == "hello"


@pytest.mark.parametrize(
    ("how", "cause"), [("kill", "WORKER_LOST"), ("memory", "OUT_OF_MEMORY"), ("swell", "OUT_OF_MEMORY")]
)
def test_a_job_that_ends_its_runner_each_time_fails_after_its_attempts(
    client: Client, how: str, cause: str
) -> None:
    job = client.submit(Fail(how=how, limits=Limits(attempts=2)))  # type: ignore[arg-type]
    with pytest.raises(JobFailed):
        job.wait(60)
    assert job.cause == cause
    assert job.record.attempt == 2
    assert [attempt["cause"] for attempt in client.records.attempts(job.id)] == [cause, cause]
    if how == "swell":
        assert "and its slot has 400.0MiB: make the job smaller" in job.record.message
    assert client.submit(Echo()).wait(60).text == "hello"


def test_a_job_that_gets_further_each_time_outlives_more_attempts_than_it_has(client: Client) -> None:
    """Each attempt saves one step more and kills its runner."""
    job = client.submit(Steps(steps=4, killed_after=1, limits=Limits(attempts=2)))
    job.wait(60)
    assert job.record.attempt == 4


def test_a_running_job_is_cancelled_at_a_step_boundary_and_keeps_its_checkpoint(
    client: Client, running: Cluster
) -> None:
    job = client.submit(Steps(steps=100_000))
    wait_until(lambda: steps_done(job) > 3)
    job.cancel()
    with pytest.raises(JobFailed, match="CANCELLED"):
        job.wait(60)
    assert list(client.store.under(f"jobs/{job.id}/checkpoints/"))


def test_every_job_that_ran_leaves_a_report_however_it_ended(client: Client) -> None:
    done = client.submit(Steps(steps=4, killed_after=2))
    done.wait(60)
    cancelled = client.submit(Steps(steps=100_000))
    wait_until(lambda: steps_done(cancelled) > 1)
    assert "RUNNING" in cancelled.report()
    cancelled.cancel()
    failed = client.submit(Fail(how="input"))
    for job in (done, cancelled, failed):
        wait_until(lambda job=job: "report.html" in job.artifacts())  # type: ignore[misc]
        page = job.report()
        assert page.encode() == job.artifact("report.html")
        for told in (job.id, job.kind, str(job.state), "cpu@worker-1", "numpy"):
            assert told in page
    assert "its process was ended by SIGKILL" in done.report()
    assert "<svg" in done.report()
    assert "the trial was given bad input" in failed.report()
    assert "about to fail" in failed.report()


def test_a_queued_job_that_is_cancelled_never_starts(client: Client) -> None:
    before = client.submit(Steps(steps=100_000))
    wait_until(lambda: before.state is JobState.RUNNING)
    job = client.submit(Echo())
    assert job.cancel() is JobState.CANCELLED
    before.cancel()
    wait_until(lambda: before.state.final)
    assert client.submit(Echo()).wait(60)
    assert (job.state, job.record.attempt) == (JobState.CANCELLED, 0)


def test_a_job_over_its_time_limit_is_ended(client: Client) -> None:
    job = client.submit(Steps(steps=100_000, limits=Limits(wall_seconds=1)))
    with pytest.raises(JobFailed, match="TIME_LIMIT: ran longer than its limit of 1 s"):
        job.wait(60)


def test_a_job_without_progress_is_ended(client: Client) -> None:
    job = client.submit(Steps(steps=1, step_seconds=1000, limits=Limits(stall_seconds=5)))
    with pytest.raises(JobFailed, match="STALLED: reported no progress for 5 s"):
        job.wait(60)


def test_a_job_waits_for_the_one_that_it_names(client: Client) -> None:
    first = client.submit(Steps(steps=10))
    second = client.submit(Echo(after_model=first))  # type: ignore[arg-type]
    assert second.state is JobState.WAITING
    second.wait(60)
    assert first.state is JobState.SUCCEEDED
    assert first.record.finished is not None
    assert second.record.started is not None
    assert second.record.started >= first.record.finished


def test_one_writes_a_long_log_and_all_of_it_is_kept(client: Client) -> None:
    job = client.submit(Fail(how="big-log"))
    with pytest.raises(JobFailed):
        job.wait(60)
    assert "".join(job.logs()).count("x" * 100) == 20_000


def test_a_log_is_followed_while_the_job_runs(client: Client) -> None:
    job = client.submit(Steps(steps=40))
    wait_until(lambda: job.state is not JobState.QUEUED)
    first, *rest = "".join(job.logs(follow=True)).splitlines()
    assert first.startswith("attempt 1 of trial.steps on worker cpu@")
    assert rest == ["begins at step 0"]
    assert job.state is JobState.SUCCEEDED


def test_a_data_set_of_ones_own_is_pinned_to_the_content_it_had(client: Client, tmp_path: Path) -> None:
    def upload(count: int) -> None:
        file = tmp_path / f"{count}.npz"
        np.savez(file, images=np.zeros((count, 8, 8), np.uint8))
        client.datasets.upload("squares", file)

    upload(3)
    blocker = client.submit(Steps(steps=20))
    job = client.submit(Look(dataset="squares"))
    upload(4)
    later = client.submit(Look(dataset="squares"))
    blocker.wait(60)
    assert job.wait(60).text == "(3, 8, 8, 1)"
    assert later.wait(60).text == "(4, 8, 8, 1)"


def test_a_data_set_damaged_in_the_store_fails_the_job_and_not_the_worker(
    client: Client, tmp_path: Path
) -> None:
    file = tmp_path / "set.npz"
    np.savez(file, images=np.ones((5, 8, 8), np.uint8))
    info = client.datasets.upload("damaged", file)
    other = tmp_path / "other.npz"
    ImageSet(np.zeros((5, 8, 8, 1), np.uint8)).write(other)
    for content in (b"not a zip file at all", other.read_bytes()):
        client.store.put(DataSetKeys("damaged").content(info.digest), content)
        job = client.submit(Look(dataset="damaged"))
        with pytest.raises(JobFailed, match=r"BAD_INPUT.*upload it again"):
            job.wait(60)
    assert client.submit(Echo()).wait(60)


def test_a_worker_gives_a_job_its_table(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "shops.csv"
    rows = [f"2024-01-0{day},{shop},{day}\n" for shop in ("north", "south") for day in (1, 2, 4)]
    path.write_text("date,shop,sold\n" + "".join(rows))
    client.datasets.upload("shops", path, series="shop", regularise="1d")
    spec = Survey(dataset="shops")
    assert client.submit(spec).wait(60).text == "2 series of sold until 2024-01-04"
    # Locally, a file is read as it is: here, a single series.
    path.write_text("date,sold\n2024-01-01,1\n2024-01-02,2\n")
    assert run_locally(spec, tmp_path / "job", {"shops": path}).text == "1 series of sold until 2024-01-02"


def test_output_and_progress_hold_no_secret(client: Client, running: Cluster) -> None:
    client.submit(Echo()).wait(60)
    logs = running.logs()
    assert logs
    for secret in (
        running.store.s3_secret_key.get_secret_value(),
        running.redis.redis_url.get_secret_value().partition(":")[2].partition("@")[0].rpartition(":")[2],
    ):
        assert secret not in logs
