"""The exporter: who may read it, what is in it, and a real Prometheus that scrapes it and Flower."""

import base64
import json
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from triptych_trial.spec import Fail, Steps

from scheduler import Client
from scheduler.connection import PREFIX, connect
from scheduler.embedded.python_parts import FlowerPart
from scheduler.errors import NotConfigured, NotInstalled
from scheduler.monitoring.door import open_door
from scheduler.records import Records
from scheduler.settings import MetricsSettings, RedisSettings, StoreSettings
from scheduler.workers import About, Workers
from tests.cluster import Cluster, cluster
from tests.ports import free_port
from tests.servers import missing, redis_server, running, wait_until

ROOT = Path(__file__).parents[2]
PASSWORD = "a-password-of-tests"
DASHBOARD: dict[str, Any] = json.loads((ROOT / "monitoring/grafana/dashboards/triptych.json").read_text())
#: A label that would end its line, its quotes or its family, if it were written as it is.
ODD = 'a "name" \\\n} 1\n# TYPE x counter 中文'
GAUGES = (
    *("jobs", "jobs_running", "queue_depth", "queue_oldest_seconds", "pending"),
    *("workers", "slots", "slots_busy", "worker_memory_bytes", "worker_cache_bytes", "redis_memory_bytes"),
)
BUCKETS = [
    *("0.1", "0.5", "1", "2", "5", "10", "15", "20", "30", "60", "300", "1800", "7200", "43200"),
    "+Inf",
]
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def settings(port: int, password: str | None = PASSWORD) -> MetricsSettings:
    return MetricsSettings(metrics_port=port, metrics_password=SecretStr(password) if password else None)


def ask(port: int, path: str = "/metrics", password: str | None = PASSWORD) -> str:
    question = urllib.request.Request(f"http://127.0.0.1:{port}{path}")
    if password is not None:
        token = base64.b64encode(f"triptych:{password}".encode()).decode()
        question.add_header("Authorization", f"Basic {token}")
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(question, timeout=10) as answer:
        return str(answer.read().decode())


def refusal(port: int, path: str = "/metrics", password: str | None = PASSWORD) -> int:
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(port, path, password)
    refused.value.close()
    return refused.value.code


@dataclass
class Scene:
    cluster: Cluster
    client: Client
    exporter: int
    flower: int


@pytest.fixture(scope="module")
def scene(
    redis_settings: RedisSettings, store_settings: StoreSettings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    """A job that has succeeded after a kill, one that failed, and one that runs, with Flower looking on."""
    folder, port = tmp_path_factory.mktemp("scene"), free_port()
    with cluster(redis_settings, store_settings, folder, TRIPTYCH_WARM_RUNNERS="0") as built:
        url = redis_settings.redis_url.get_secret_value()
        flower = FlowerPart(
            folder / "flower", {"TRIPTYCH_REDIS_URL": url}, port=free_port(), password=PASSWORD
        )
        with running(flower, folder / "flower.log"):
            built.scheduler(TRIPTYCH_METRICS_PORT=str(port), TRIPTYCH_METRICS_PASSWORD=PASSWORD)
            built.worker()
            client = built.client()
            client.submit(Steps(steps=4, killed_after=2)).wait(60)
            failing = client.submit(Fail(how="bug"))
            wait_until(lambda: failing.state.final)
            job = client.submit(Steps(steps=100_000))
            wait_until(lambda: job.progress is not None)
            yield Scene(built, client, port, flower.port)
            job.cancel()


def test_nobody_reads_it_without_the_password(scene: Scene) -> None:
    for password in (None, "", "wrong", PASSWORD + "x"):
        assert refusal(scene.exporter, password=password) == 401
    assert refusal(scene.exporter, "/anything", None) == 401
    assert refusal(scene.exporter, "/anything") == 404


def test_it_tells_queue_waits_kinds_steps_failures_and_recovery(scene: Scene) -> None:
    families = {family.name: family for family in text_string_to_metric_families(ask(scene.exporter))}

    def value(name: str, **labels: str) -> float:
        family = families[re.sub("_(total|count|sum|bucket)$", "", name)]
        return sum(s.value for s in family.samples if s.name == name and labels.items() <= s.labels.items())

    assert value("triptych_jobs", state="RUNNING") == 1
    assert value("triptych_jobs_running", kind="trial.steps") == 1
    assert value("triptych_jobs_ended_total", kind="trial.steps", state="SUCCEEDED") == 1
    assert value("triptych_jobs_ended_total", kind="trial.fail", cause="BUG") == 1
    assert value("triptych_attempt_failures_total", cause="WORKER_LOST") == 1
    assert value("triptych_recovery_seconds_count", cause="WORKER_LOST") == 1
    assert value("triptych_wait_seconds_count", pool="cpu") == 4
    assert value("triptych_steps_total", kind="trial.steps") > 4
    assert value("triptych_queue_depth", pool="cpu") == 0
    assert value("triptych_slots_busy", pool="cpu") == 1
    assert value("triptych_workers") == 1
    assert all(family.documentation for family in families.values())


def test_it_says_so_while_redis_is_away() -> None:
    port, nobody = free_port(), RedisSettings(redis_url=SecretStr(f"redis://127.0.0.1:{free_port()}/0"))
    with open_door(settings(port), Records(connect(nobody))):
        assert refusal(port) == 503


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Metric]]:
    """What is told of a past that is written by hand, in a Redis of its own."""
    tally = {
        f"ended|{ODD}|SUCCEEDED|": 3,
        f"failed|{ODD}|WORKER_LOST": 2,
        f"steps|{ODD}": 12_345_678,
        "wait|cpu|0.1": 1,
        "wait|cpu|5": 2,
        "wait|cpu|inf": 1,
        "wait|cpu|sum": 50_010.25,
        "unheard of|by|this version": 1,
    }
    with redis_server(tmp_path_factory.mktemp("known")) as own:
        records, port = Records(connect(own)), free_port()
        records.redis.hset(f"{PREFIX}tally", mapping=tally)
        about = About("cpu", 2, 1, "a processor", 123_456_789, draining=False)
        Workers(records.redis).announce(f"cpu@{ODD}", "token", "here", about, 60.0)
        with open_door(settings(port), records):
            yield list(text_string_to_metric_families(ask(port)))


def test_prometheus_is_told_of_our_series_and_of_none_that_a_library_adds(known: list[Metric]) -> None:
    assert {(family.name, family.type) for family in known} == {
        *((f"triptych_{name}", "gauge") for name in GAUGES),
        *(
            (f"triptych_{name}", "counter")
            for name in ("jobs_ended", "attempt_failures", "steps", "jobs_archived")
        ),
        *((f"triptych_freed_{unit}", "counter") for unit in ("jobs", "objects", "bytes")),
        *((f"triptych_{name}", "histogram") for name in ("wait_seconds", "recovery_seconds")),
    }


def test_a_label_of_any_text_keeps_to_its_value_and_every_value_is_told_once(known: list[Metric]) -> None:
    samples = [sample for family in known for sample in family.samples]
    told = {(sample.name, *sorted(sample.labels.items())): sample.value for sample in samples}
    assert len(told) == len(samples)
    assert told["triptych_jobs_ended_total", ("cause", ""), ("kind", ODD), ("state", "SUCCEEDED")] == 3
    assert told["triptych_attempt_failures_total", ("cause", "WORKER_LOST"), ("kind", ODD)] == 2
    assert told["triptych_steps_total", ("kind", ODD)] == 12_345_678
    assert told["triptych_worker_memory_bytes", ("worker", f"cpu@{ODD}")] == 123_456_789
    assert told["triptych_workers", ("draining", "false"), ("pool", "cpu")] == 1
    assert told["triptych_wait_seconds_sum", ("pool", "cpu")] == 50_010.25
    assert told["triptych_wait_seconds_count", ("pool", "cpu")] == 4
    below = [told["triptych_wait_seconds_bucket", ("le", bound), ("pool", "cpu")] for bound in BUCKETS]
    assert below == [1] * 4 + [3] * 10 + [4]


def test_a_scheduler_that_nobody_scrapes_needs_no_prometheus_client_and_one_that_somebody_does_says_so(
    monkeypatch: pytest.MonkeyPatch, redis_settings: RedisSettings
) -> None:
    monkeypatch.delitem(sys.modules, "scheduler.monitoring.figures", raising=False)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    records = Records(connect(redis_settings))
    with open_door(MetricsSettings(metrics_port=None), records):
        pass
    with pytest.raises(NotInstalled, match="the extra `flower`"), open_door(settings(free_port()), records):
        pass


def test_it_does_not_start_without_a_password_or_on_a_port_that_is_taken(
    redis_settings: RedisSettings,
) -> None:
    records, port = Records(connect(redis_settings)), free_port()
    with (
        pytest.raises(NotConfigured, match="set TRIPTYCH_METRICS_PASSWORD"),
        open_door(settings(port, None), records),
    ):
        pass
    with (
        open_door(settings(port), records),
        pytest.raises(NotConfigured, match="cannot listen on"),
        open_door(settings(port), records),
    ):
        pass


@contextmanager
def prometheus(folder: Path, exporter: int, flower: int) -> Iterator[int]:
    """A real one, with the file of the profile `monitoring`, its addresses and passwords changed."""
    program = shutil.which("prometheus")
    if program is None:
        missing("prometheus")
    (folder / "password").write_text(PASSWORD)
    text = (ROOT / "monitoring/prometheus.yml").read_text()
    for before, after in (
        ("scheduler:9300", f"127.0.0.1:{exporter}"),
        ("flower:5555", f"127.0.0.1:{flower}"),
        ("/tmp/metrics-password", str(folder / "password")),
        ("/tmp/flower-password", str(folder / "password")),
        ("scrape_interval: 5s", "scrape_interval: 1s"),
        ("scrape_timeout: 4s", "scrape_timeout: 1s"),
    ):
        assert before in text
        text = text.replace(before, after)
    (folder / "prometheus.yml").write_text(text)
    port = free_port()
    command = [
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log
        )
    try:
        yield port
    finally:
        process.terminate()
        process.wait(30)


def test_a_real_prometheus_scrapes_exporter_and_flower_and_answers_every_question_of_the_dashboard(
    scene: Scene, tmp_path: Path
) -> None:
    with prometheus(tmp_path, scene.exporter, scene.flower) as port:

        def answer(query: str) -> list[dict[str, Any]]:
            path = f"/api/v1/query?{urllib.parse.urlencode({'query': query})}"
            found: dict[str, Any] = json.loads(ask(port, path, None))
            assert found["status"] == "success", query
            results: list[dict[str, Any]] = found["data"]["result"]
            return results

        def both_answer() -> bool:
            try:
                up = {each["metric"]["job"]: each["value"][1] for each in answer("up")}
            except OSError:
                return False
            return up == {"triptych": "1", "flower": "1"}

        wait_until(both_answer, what=f"a scrape of both ({(tmp_path / 'log').read_text()[-500:]})")
        wait_until(lambda: bool(answer("rate(triptych_steps_total[20s]) > 0")), what="a rate of steps")
        for query in QUERIES:
            answer(query.replace("$__rate_interval", "20s"))
        for query in (
            "sum(triptych_queue_depth)",
            "triptych_jobs_running > 0",
            "triptych_worker_memory_bytes",
        ):
            assert query in QUERIES
            assert answer(query), query
        assert answer("flower_events_total")


def test_every_name_in_the_dashboard_is_one_that_the_exporter_or_flower_has(scene: Scene) -> None:
    told = ask(scene.exporter) + ask(scene.flower)
    for name in set(re.findall(r"\b(?:triptych|flower)_\w+", " ".join(QUERIES))):
        assert re.search(rf"^# TYPE {re.sub('_(bucket|total)$', '', name)}(_total)? ", told, re.MULTILINE), (
            name
        )
    assert yaml.safe_load((ROOT / "monitoring/prometheus.yml").read_text())["scrape_configs"]
