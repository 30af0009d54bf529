"""`triptych init`: passwords for the containers, made once."""

import stat
from pathlib import Path

import pytest
from cryptography import x509
from typer.testing import CliRunner

from scheduler.cli.commands import app
from scheduler.settings import RedisSettings, StoreSettings, load


def test_it_writes_a_file_that_only_its_owner_reads_and_a_client_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRIPTYCH_HOME", str(tmp_path / "home"))
    for name in ("TRIPTYCH_REDIS_URL", "TRIPTYCH_S3_URL", "TRIPTYCH_S3_ACCESS_KEY", "TRIPTYCH_S3_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    outcome = CliRunner().invoke(app, ["init"])
    assert outcome.exit_code == 0
    file = tmp_path / ".env"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    values = dict(line.split("=", 1) for line in file.read_text().splitlines())
    assert values["TRIPTYCH_FLOWER_PASSWORD"] not in outcome.output
    assert values["TRIPTYCH_REDIS_PASSWORD"] in load(RedisSettings).redis_url.get_secret_value()
    # What an S3 server takes: a user of 3 to 20 characters, a password of 8 to 40.
    assert 3 <= len(load(StoreSettings).s3_access_key.get_secret_value()) <= 20
    assert 8 <= len(load(StoreSettings).s3_secret_key.get_secret_value()) <= 40


def test_it_never_overwrites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("mine\n")
    outcome = CliRunner().invoke(app, ["init"])
    assert outcome.exit_code == 1
    assert "is there already" in outcome.output
    assert (tmp_path / ".env").read_text() == "mine\n"


def test_two_files_have_nothing_in_common(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        CliRunner().invoke(app, ["init"])
        made.append((tmp_path / name / ".env").read_text().split())
    assert all(a != b for a, b in zip(*made, strict=True) if "S3_URL" not in a)


def test_with_tls_it_makes_certificates_for_the_names_and_the_files_that_use_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRIPTYCH_HOME", str(tmp_path / "home"))
    assert CliRunner().invoke(app, ["init", "--tls", "head.example.org", "--tls", "10.0.0.5"]).exit_code == 0
    assert load(RedisSettings).redis_url.get_secret_value().startswith("rediss://")
    assert load(StoreSettings).s3_url.startswith("https://")
    assert load(StoreSettings).ca_file == tmp_path / "certs" / "ca.pem"
    assert "COMPOSE_FILE=docker-compose.yml:compose.tls.yml" in (tmp_path / ".env").read_text()
    assert stat.S_IMODE((tmp_path / "certs").stat().st_mode) == 0o700
    certificate = x509.load_pem_x509_certificate((tmp_path / "certs" / "server.pem").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"redis", "minio", "localhost", "head.example.org"} == set(names.get_values_for_type(x509.DNSName))
    addresses = names.get_values_for_type(x509.IPAddress)
    assert {str(address) for address in addresses} == {"127.0.0.1", "10.0.0.5"}
    authority = x509.load_pem_x509_certificate((tmp_path / "certs" / "ca.pem").read_bytes())
    certificate.verify_directly_issued_by(authority)


def test_where_certificates_are_it_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "certs").mkdir()
    outcome = CliRunner().invoke(app, ["init", "--tls", "head.example.org"])
    assert outcome.exit_code == 1
    assert not (tmp_path / ".env").exists()


def test_missing_passwords_are_added_and_nothing_else_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    old = "TRIPTYCH_REDIS_PASSWORD=mine\nTRIPTYCH_BIND=10.0.0.5"
    (tmp_path / ".env").write_text(old)
    outcome = CliRunner().invoke(app, ["init", "--missing"])
    assert outcome.exit_code == 0
    lines = (tmp_path / ".env").read_text().splitlines()
    assert lines[:2] == old.splitlines()
    added = [line.partition("=")[0].removeprefix("TRIPTYCH_") for line in lines[2:]]
    assert added == ["FLOWER_PASSWORD", "METRICS_PASSWORD", "GRAFANA_PASSWORD"]
    CliRunner().invoke(app, ["init", "--missing"])
    assert (tmp_path / ".env").read_text().splitlines() == lines
