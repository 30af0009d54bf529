"""A setting that cannot be ends in one sentence, with the variable's name and no part of its value."""

import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from scheduler import settings
from scheduler.errors import NotConfigured
from scheduler.settings import (
    LeaseSettings,
    MetricsSettings,
    PulseSettings,
    RedisSettings,
    StoreSettings,
    WorkerSettings,
    load,
)

SERVERS = {
    "TRIPTYCH_REDIS_URL": "redis://:a-password@127.0.0.1:6379/0",
    "TRIPTYCH_S3_URL": "http://127.0.0.1:9000",
    "TRIPTYCH_S3_ACCESS_KEY": "an-access-key",
    "TRIPTYCH_S3_SECRET_KEY": "a-secret-key",
}
CLASSES = (RedisSettings, StoreSettings, PulseSettings, MetricsSettings, LeaseSettings, WorkerSettings)


@pytest.fixture(autouse=True)
def right_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TRIPTYCH_")]:
        monkeypatch.delenv(name)
    for name, value in SERVERS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TRIPTYCH_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def load_all(name: str = "") -> None:
    """Loads what has the setting, and the addresses of the servers."""
    for each in CLASSES:
        if name.lower() in ("", "home", *each.model_fields):
            load(each)


WRONG = [
    ("REDIS_URL", "redis://:sec#ret@127.0.0.1:6379/0"),
    ("REDIS_URL", "redis://:sec/ret@127.0.0.1:6379/0"),
    ("REDIS_URL", "redis://:sec?ret@127.0.0.1:6379/0"),
    ("REDIS_URL", "redis://:sec[ret@127.0.0.1:6379/0"),
    ("REDIS_URL", "redis://me:12/sec@127.0.0.1:6379/0"),
    ("REDIS_URL", "redis://:secret@127.0.0.1:99999/0"),
    ("REDIS_URL", "redis://:secret@127.0.0.1:six/0"),
    ("REDIS_URL", "redis://:secret@127.0.0.1:6379/zero"),
    ("REDIS_URL", "redis://:secret@/0"),
    ("REDIS_URL", "redis://:secret@a..b/0"),
    ("REDIS_URL", "http://:secret@127.0.0.1:6379/0"),
    ("REDIS_URL", ":secret@127.0.0.1"),
    ("REDIS_URL", " redis://:secret@127.0.0.1:6379/0"),
    ("REDIS_URL", "redis://:secret@127.0.0.1:6379/0?secret=1"),
    ("REDIS_URL", "redis://:secret@127.0.0.1:6379/0?db=secret"),
    ("REDIS_URL", "redis://:sec\nret@127.0.0.1:6379/0"),
    ("REDIS_TIMEOUT", "nan"),
    ("REDIS_TIMEOUT", "inf"),
    ("REDIS_TIMEOUT", "1e300"),
    ("REDIS_TIMEOUT", "-1"),
    ("REDIS_TIMEOUT", "soon"),
    ("VISIBILITY_SECONDS", "0"),
    ("CA_FILE", "missing-secret.pem"),
    ("CA_FILE", "empty-secret.pem"),
    ("CA_FILE", "secret" * 1000),
    ("S3_URL", "127.0.0.1:9000"),
    ("S3_URL", "http://secret:secret@127.0.0.1:9000"),
    ("S3_URL", "http://127.0.0.1:9000/secret"),
    ("S3_URL", "http://127.0.0.1:9000?secret"),
    ("S3_URL", "http://127.0.0.1:9000#secret"),
    ("S3_URL", "http://sec ret:9000"),
    ("S3_ACCESS_KEY", "sec\r\nret"),
    ("S3_ACCESS_KEY", "sécrèt"),
    ("S3_SECRET_KEY", "sec\nret"),
    ("S3_SECRET_KEY", "secret\udcff"),
    ("S3_BUCKET", "a/secret"),
    ("S3_BUCKET", "10.0.0.1"),
    ("S3_REGION", "the secret region"),
    ("PULSE", "no/such/folder/secret"),
    ("METRICS_PORT", "0"),
    ("METRICS_PORT", "65536"),
    ("METRICS_ADDRESS", "secret..host"),
    ("LEASE_SECONDS", "inf"),
    ("HEARTBEAT_SECONDS", "11"),
    ("SWEEP_SECONDS", "1e-9"),
    ("STOP_SECONDS", "1e99"),
    ("WORKER_NAME", "sec%ret"),
    ("WORKER_NAME", "sec@ret"),
    ("POOL", "secret"),
    ("SLOTS", "0"),
    ("SLOTS", "9" * 5000),
    ("THREADS", "1e9"),
    ("SLOT_MEMORY", "9" * 400),
    ("SLOT_MEMORY", "secret"),
    ("SLOT_MEMORY", "-6GiB"),
    ("WARM_RUNNERS", "1000000"),
    ("CACHE", "empty-secret.pem"),
    ("CACHE", "empty-secret.pem/below"),
    ("CACHE", "~no-such-secret/cache"),
    ("HOME", "empty-secret.pem"),
    ("HOME", "~no-such-secret/home"),
    ("HOME", "secret" * 1000),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_setting_that_cannot_be_is_named_and_its_value_is_not(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("empty-secret.pem").touch()
    monkeypatch.setenv(f"TRIPTYCH_{name}", value)
    with pytest.raises(NotConfigured) as refused:
        load_all(name)
    text = str(refused.value)
    assert f"TRIPTYCH_{name}" in text
    assert len(text.splitlines()) == 1
    said = re.sub(r"TRIPTYCH_\w+", "", text).lower()
    for part in ("sec", "ret@", "sécrèt"):
        assert part not in said
    assert value.isdigit() or value not in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_URL", "redis://127.0.0.1"),
        ("REDIS_URL", "rediss://user:p%23%2Fss@redis.example.org:6380/15"),
        ("REDIS_URL", "redis://:pass@[::1]:6379"),
        ("REDIS_URL", "redis://:a b&c=d$%@some_host:6379/?db=3"),
        ("REDIS_URL", "rediss://:pass@host:6379/0?ssl_cert_reqs=required"),
        ("S3_URL", "https://minio:9000/"),
        ("S3_URL", "http://[::1]:9000"),
        ("S3_SECRET_KEY", "with space/and+ä"),
        ("S3_BUCKET", "Old_bucket:1"),
        ("CACHE", "not/there/yet"),
        ("PULSE", "pulse"),
        ("WORKER_NAME", "rack-1/größe_2.local"),
        ("SLOT_MEMORY", "1.5 GiB"),
        ("METRICS_ADDRESS", "::"),
    ],
)
def test_a_setting_that_can_be_is_taken(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"TRIPTYCH_{name}", value)
    load_all(name)


def test_the_address_that_errors_show_has_no_password() -> None:
    url = "redis://user:s3cret@[::1]:7000/0?password=s3cret"
    assert RedisSettings(redis_url=url).address == "[::1]:7000"  # type: ignore[arg-type]


def test_settings_made_by_hand_do_not_show_their_value_either() -> None:
    with pytest.raises(ValidationError) as refused:
        RedisSettings(redis_url="redis://:sec#ret@h/0")  # type: ignore[arg-type]
    assert "sec" not in str(refused.value).replace("seconds", "")


@pytest.mark.parametrize("content", [b"TRIPTYCH_POOL=caf\xe9\n", b"\xff\xfe"])
def test_a_file_of_settings_that_is_not_text_is_named(content: bytes) -> None:
    Path(".env").write_bytes(content)
    with pytest.raises(NotConfigured, match=r"\.env cannot be read: the file is not UTF-8"):
        load(RedisSettings)


@pytest.mark.parametrize("module", ["worker", "scheduler", "scheduler.cli"])
def test_every_program_ends_in_one_line(module: str) -> None:
    command = [sys.executable, "-m", module]
    if module == "scheduler.cli":
        command = [sys.executable, "-c", "from scheduler.cli import main; main()", "jobs"]
    env = {**os.environ, "TRIPTYCH_REDIS_URL": "redis://:sec#ret@127.0.0.1:6379/0"}
    found = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert found.returncode == 1
    (line,) = found.stderr.splitlines()
    assert "TRIPTYCH_REDIS_URL is not valid: it must look like" in line
    assert "sec#" not in line


def test_random_values_end_in_settings_or_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = random.Random(15)
    names = [name for each in CLASSES for name in each.model_fields] + ["home"]
    pieces = [*SERVERS.values(), *(value for _, value in WRONG if len(value) < 100)]
    signs = "#/?@:[]%\\ \t\n\x01é漢\udc80.-0123456789eE+~$&=abc"
    for _ in range(500):
        text = list(generator.choice(pieces))
        for _ in range(generator.randrange(1, 6)):
            text.insert(generator.randrange(len(text) + 1), generator.choice(signs))
        name, value = generator.choice(names).upper(), "".join(text)
        with monkeypatch.context() as patch:
            patch.setenv(f"TRIPTYCH_{name}", value)
            try:
                load_all(name)
            except NotConfigured as refused:
                assert f"TRIPTYCH_{name}" in str(refused)
                assert value not in str(refused)
                assert len(str(refused).splitlines()) == 1


def test_every_setting_with_a_number_has_both_bounds() -> None:
    for each in settings._Settings.__subclasses__():
        for name, schema in each.model_json_schema()["properties"].items():
            for kind in (schema, *schema.get("anyOf", ())):
                if kind.get("type") in ("number", "integer"):
                    # pydantic says the bounds of a size one level above its kinds, under other names.
                    assert {"minimum", "maximum"} <= kind.keys() or {"ge", "le"} <= schema.keys(), name
