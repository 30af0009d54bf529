"""What a person does with the stack in containers: fills it, scales it, kills and restarts parts of it."""

import json
import re
import time
import urllib.error
import urllib.request

import pytest
import redis

from jobs import TrainGan
from jobs.gan.spec import GanResult
from scheduler import Job, JobState
from scheduler.keys import JobKeys
from tests.compose.conftest import WORKERS, Compose
from tests.servers import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def tiny(seed: int, epochs: int = 40) -> TrainGan:
    return TrainGan(
        architecture="mlp",
        dataset="digits",
        epochs=epochs,
        batch_size=256,
        latent_dim=5,
        generator_units=(7,),
        discriminator_units=(6,),
        seed=seed,
        sample_every=epochs,
        checkpoint_seconds=1,
    )


#: However a worker is lost, another has its job by then: the lease runs out, the scheduler asks for it anew.
RECOVERY_SECONDS = 30.0
#: Half a minute of training, more or less.
LONG = 20_000


def until_step(job: Job[GanResult], step: int, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while job.progress is None or job.progress.step < step:
        assert time.monotonic() < end, f"job {job.id} is {job.state}"
        time.sleep(0.2)


def done(job: Job[GanResult]) -> GanResult:
    return job.wait(300)


def metrics_of(job: Job[GanResult], attempt: int) -> list[dict[str, float]]:
    lines = job.read(JobKeys(job.id).metrics(attempt)).decode().splitlines()
    return [json.loads(line) for line in lines]


def test_thirty_jobs_spread_over_three_workers_and_each_is_done_once(compose: Compose) -> None:
    client = compose.client()
    jobs = [client.submit(tiny(seed)) for seed in range(30)]
    assert all(done(job).steps for job in jobs)
    records = [client.records.get(job.id) for job in jobs]
    assert [(record.state, record.attempt) for record in records] == [(JobState.SUCCEEDED, 1)] * 30
    assert len({record.worker for record in records}) == WORKERS


def test_a_killed_container_s_job_ends_bit_for_bit_like_an_undisturbed_one(compose: Compose) -> None:
    client = compose.client()
    job = client.submit(tiny(101, LONG))
    until_step(job, 20_000)
    name = (client.records.get(job.id).worker or "").removeprefix("cpu@")
    compose.engine("kill", name)
    died = time.monotonic()
    wait_until(
        lambda: job.record.attempt == 2 and job.state is JobState.RUNNING, RECOVERY_SECONDS, "another attempt"
    )
    print(f"another worker had the job {time.monotonic() - died:.1f} s after the kill")
    killed = done(job)
    assert client.records.get(job.id).attempt == 2
    compose.up()
    assert killed.state_sha256 == done(client.submit(tiny(101, LONG))).state_sha256


def test_workers_scaled_away_hand_their_jobs_over_and_no_step_is_done_twice(compose: Compose) -> None:
    client = compose.client()
    jobs = [client.submit(tiny(200 + number, LONG)) for number in range(WORKERS)]
    for job in jobs:
        until_step(job, 2_000)
    compose.up(workers=1)
    assert all(done(job).steps for job in jobs)
    attempts = [client.records.get(job.id).attempt for job in jobs]
    assert sorted(attempts)[-2:] == [2, 2]
    for job in jobs:
        for resumed in re.findall(r"goes on from step (\d+)", "".join(job.logs())):
            before = [line["step"] for line in metrics_of(job, 1)]
            assert int(resumed) >= max(before)
    compose.up()


def test_redis_and_the_store_restart_in_the_middle_of_ten_jobs(compose: Compose) -> None:
    client = compose.client()
    jobs = [client.submit(tiny(300 + number, 2_000)) for number in range(10)]
    until_step(jobs[0], 100)
    compose("restart", "redis")
    compose("restart", "minio")
    assert all(done(job).steps for job in jobs)


def test_down_and_up_keeps_jobs_history_and_objects(compose: Compose) -> None:
    client = compose.client()
    job = client.submit(tiny(400))
    digest = done(job).state_sha256
    time.sleep(11)  # until Flower has saved what it knows
    compose("down", "--timeout", "60")
    compose.up()
    client = compose.client()
    again = client.get(job.id)
    assert again.state is JobState.SUCCEEDED
    assert again.result().state_sha256 == digest
    page = ask(compose.port("FLOWER"), f"/task/{job.id}", compose.values["TRIPTYCH_FLOWER_PASSWORD"])
    assert job.id in page


def test_nothing_runs_as_root_and_no_root_file_system_can_be_written(compose: Compose) -> None:
    for service in ("redis", "minio", "scheduler", "worker-cpu", "flower"):
        (container, *_) = compose.containers(service)
        assert compose.engine("exec", container, "id", "-u").strip() not in ("", "0"), service
        assert compose.inspect(container, "{{.HostConfig.ReadonlyRootfs}}") == "true"


def test_the_images_hold_no_secret(compose: Compose) -> None:
    for image in ("triptych-client", "triptych-cpu"):
        told = compose.engine("history", "--no-trunc", image) + compose.inspect(image, "{{json .Config.Env}}")
        assert not [name for name, value in compose.values.items() if len(value) > 8 and value in told]
        found = compose.engine(
            "run",
            "--rm",
            "--user",
            "root",
            "--entrypoint",
            "sh",
            image,
            "-c",
            "find / -xdev -name '.env*' -o -xdev -name '.git'",
        )
        assert not found.strip()


def ask(port: int, path: str, password: str = "") -> str:
    manager = urllib.request.HTTPPasswordMgrWithPriorAuth()
    if password:
        manager.add_password(None, f"http://127.0.0.1:{port}", "triptych", password, is_authenticated=True)
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPBasicAuthHandler(manager)
    )
    with opener.open(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return str(answer.read().decode())


def test_nobody_gets_in_without_a_password(compose: Compose) -> None:
    with redis.Redis(port=compose.port("REDIS")) as client, pytest.raises(redis.AuthenticationError):
        client.ping()
    for port, path, refusals in (
        (compose.port("S3"), "/triptych", {403}),
        (compose.port("FLOWER"), "/", {401}),
        (compose.port("FLOWER"), "/metrics", {401}),
        (compose.port("EXPORTER"), "/metrics", {401}),
    ):
        with pytest.raises(urllib.error.HTTPError) as refused:
            ask(port, path)
        assert refused.value.code in refusals
        refused.value.close()


def test_the_exporter_and_flower_tell_those_who_know_the_passwords(compose: Compose) -> None:
    done(compose.client().submit(tiny(500)))
    told = ask(compose.port("EXPORTER"), "/metrics", compose.values["TRIPTYCH_METRICS_PASSWORD"])
    assert re.search(r'^triptych_workers\{pool="cpu",draining="false"\} \d', told, re.MULTILINE)
    assert 'triptych_jobs_ended_total{kind="gan.train",state="SUCCEEDED"' in told
    told = ask(compose.port("FLOWER"), "/metrics", compose.values["TRIPTYCH_FLOWER_PASSWORD"])
    assert "flower_events_total{" in told


def test_the_prometheus_of_the_profile_monitoring_sees_exporter_and_flower(compose: Compose) -> None:
    if not compose.has_image("prom/prometheus"):
        pytest.skip("there is no image of Prometheus here")
    compose("--profile", "monitoring", "up", "-d", "--wait", "--pull", "never", "--no-deps", "prometheus")
    (container,) = compose.containers("prometheus")
    assert compose.engine("exec", container, "id", "-u").strip() == "65534"
    question = "http://127.0.0.1:9090/api/v1/query?query=up"
    end = time.monotonic() + 60
    while (told := compose.engine("exec", container, "wget", "-qO-", question)).count('"1"') < 2:
        assert time.monotonic() < end, told
        time.sleep(1)


def test_a_worker_limited_to_one_processor_starts_one_slot_of_one_thread(compose: Compose) -> None:
    network = f"{compose.project}_default"
    name = f"{compose.project}-limited"
    (worker, *_) = compose.containers("worker-cpu")
    variables = compose.inspect(worker, "{{range .Config.Env}}{{println .}}{{end}}").split("\n")
    settings = [part for line in variables if "_URL=" in line or "_KEY=" in line for part in ("-e", line)]
    compose.engine(
        *("run", "-d", "--name", name, "--cpus", "1", "--network", network, *settings, "triptych-cpu")
    )
    try:
        end = time.monotonic() + 60
        while "slots of" not in (log := compose.engine("logs", name)):
            assert time.monotonic() < end, log
            time.sleep(0.5)
        assert "1 slots of 1 threads" in log
    finally:
        compose.engine("rm", "--force", name)
