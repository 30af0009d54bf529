import json
import logging
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("safetensors")

from jobs import GenerateImages, TrainGan, catalog
from jobs.checkpoints.file import Checkpoint, digest_of_spec
from jobs.context import Progress
from jobs.datasets.images.image_set import ImageSet
from jobs.errors import BadInput, InvalidSpec
from jobs.gan.spec import GanResult
from jobs.local import LocalContext, run_locally
from jobs.spec import JobSpec

SPEC = TrainGan(architecture="mlp", epochs=1)


def checkpoint(step: int, spec: TrainGan = SPEC) -> Checkpoint:
    return Checkpoint(step, {"w": np.full(3, step, np.float32)}, {"spec": digest_of_spec(spec)})


@pytest.fixture
def job(tmp_path: Path) -> Path:
    folder = tmp_path / "job"
    folder.mkdir()
    (folder / "spec.json").write_text(json.dumps(SPEC.to_wire()))
    return folder


def saved(job: Path, *steps: int) -> list[Path]:
    with LocalContext(job) as context:
        for step in steps:
            context.save_checkpoint(checkpoint(step))
    return sorted((job / "checkpoints").iterdir())


def test_the_newest_two_checkpoints_are_kept_by_their_number(job: Path) -> None:
    assert [path.name for path in saved(job, 5, 99_999_999, 100_000_000)] == [
        "000099999999-0001.safetensors",
        "000100000000-0001.safetensors",
    ]
    with LocalContext(job) as context:
        found = context.load_checkpoint()
    assert found is not None
    assert found.step == 100_000_000


@pytest.mark.parametrize("damage", [b"", b"half a file", None])
def test_a_damaged_newest_checkpoint_is_passed_over_and_the_log_says_so(
    job: Path, damage: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    newest = saved(job, 10, 20)[-1]
    flipped = bytearray(newest.read_bytes())
    flipped[-1] ^= 1
    newest.write_bytes(bytes(flipped) if damage is None else damage)
    with caplog.at_level(logging.WARNING), LocalContext(job) as context:
        found = context.load_checkpoint()
    assert found is not None
    assert found.step == 10
    assert newest.name in caplog.text


def test_a_checkpoint_saved_in_place_of_a_damaged_one_is_kept(job: Path) -> None:
    newest = saved(job, 10, 20)[-1]
    newest.write_bytes(b"half a file")
    with LocalContext(job) as context:
        context.load_checkpoint()
        context.save_checkpoint(checkpoint(20))
    with LocalContext(job) as context:
        found = context.load_checkpoint()
    assert found is not None
    assert found.step == 20


def test_the_best_checkpoint_is_kept_besides_the_newest_two_and_comes_back(job: Path) -> None:
    with LocalContext(job) as context:
        for step in (10, 20, 30):
            context.save_checkpoint(replace(checkpoint(step), best=checkpoint(5)))
    assert [path.name for path in sorted((job / "checkpoints").iterdir())] == [
        "000000000005-0001.safetensors",
        "000000000020-0001.best-000000000005-0001.safetensors",
        "000000000030-0001.best-000000000005-0001.safetensors",
    ]
    with LocalContext(job) as context:
        found = context.load_checkpoint()
        assert found is not None
        assert found.best is not None
        assert (found.step, found.best.step, found.best.arrays["w"][0]) == (30, 5, 5)
        context.save_checkpoint(checkpoint(40))  # itself the best one by now
        context.save_checkpoint(replace(checkpoint(50), best=checkpoint(40)))
    assert len(list((job / "checkpoints").iterdir())) == 2


def test_a_damaged_best_checkpoint_is_missed_and_the_log_says_so(
    job: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with LocalContext(job) as context:
        context.save_checkpoint(replace(checkpoint(10), best=checkpoint(5)))
    (job / "checkpoints" / "000000000005-0001.safetensors").write_bytes(b"no checkpoint")
    with caplog.at_level(logging.WARNING), LocalContext(job) as context:
        found = context.load_checkpoint()
    assert found is not None
    assert (found.step, found.best) == (10, None)
    assert "000000000005-0001.safetensors cannot be read" in caplog.text


def test_a_checkpoint_of_another_spec_is_never_loaded(job: Path) -> None:
    with LocalContext(job) as context:
        context.save_checkpoint(checkpoint(10, TrainGan(architecture="mlp", epochs=2)))
    with LocalContext(job) as context:
        assert context.load_checkpoint() is None


def test_metrics_after_the_checkpoint_are_dropped_with_half_lines(job: Path) -> None:
    saved(job, 20)
    with LocalContext(job) as context:
        for step in (10, 20, 30):
            context.report(Progress(step, 40, "epoch 1/1", {"loss": 0.5}))
    with (job / "metrics.jsonl").open("a") as file:
        file.write('{"step": 2')
    with LocalContext(job) as context:
        context.load_checkpoint()
        context.report(Progress(25, 40))
    lines = [json.loads(line) for line in (job / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [10, 20, 25]
    assert lines[0]["loss"] == 0.5


def test_a_checkpoint_is_saved_in_the_background(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    monkeypatch.setattr("jobs.checkpoints.file.write", lambda *_: gate.wait(10))
    with LocalContext(job) as context:
        assert not context.checkpoint_in_flight()
        context.save_checkpoint(checkpoint(1))
        assert context.checkpoint_in_flight()
        gate.set()


def test_a_checkpoint_that_could_not_be_saved_is_no_secret(
    job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("jobs.checkpoints.file.write", full)
    with pytest.raises(OSError, match="No space"), LocalContext(job) as context:
        context.save_checkpoint(checkpoint(1))


def test_the_working_folder_is_empty_and_gone_afterwards(job: Path) -> None:
    with LocalContext(job) as context:
        assert not list(context.folder.iterdir())
        (context.folder / "file").touch()
        folder = context.folder
    assert not folder.exists()


def test_artifacts_may_have_folders_but_never_leave_their_own(job: Path) -> None:
    with LocalContext(job) as context:
        context.save_artifact("images/0.png", b"png")
        (context.folder / "model").write_bytes(b"weights")
        context.save_artifact("model", context.folder / "model")
        context.save_sample(7, b"sample")
        for name in ("../spec.json", "/etc/passwd", "a/../../b", ""):
            with pytest.raises(InvalidSpec):
                context.save_artifact(name, b"")
    assert (job / "artifacts/images/0.png").read_bytes() == b"png"
    assert (job / "artifacts/model").read_bytes() == b"weights"
    assert [path.read_bytes() for path in (job / "samples").iterdir()] == [b"sample"]


def test_other_jobs_are_the_folders_beside(job: Path) -> None:
    with LocalContext(job) as context:
        context.save_artifact("model", b"weights")
    with LocalContext(job.parent / "other") as context:
        assert context.spec_of("job") == SPEC
        assert context.artifact_of("job", "model").read_bytes() == b"weights"
        with pytest.raises(BadInput, match="job job has no artifact 'images'; has it finished"):
            context.artifact_of("job", "images")
        with pytest.raises(BadInput, match="there is no job 'missing'"):
            context.spec_of("missing")
        with pytest.raises(InvalidSpec):
            context.spec_of("../job")


def test_a_data_set_comes_from_the_path_given_for_it(
    job: Path, tiny_data: Mapping[str, Path], tiny_images: ImageSet
) -> None:
    with LocalContext(job, tiny_data) as context:
        assert context.image_set("tiny").digest == tiny_images.digest
        with pytest.raises(BadInput, match="unknown data set 'faces'"):
            context.image_set("faces")


def test_running_writes_the_spec_first_and_the_result_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = GanResult(
        steps=1, epochs=1, d_loss=1, g_loss=1, seconds=1, images_per_second=1, state_sha256="ab"
    )
    seen: list[str] = []

    def work(spec: JobSpec[GanResult], context: LocalContext) -> GanResult:
        seen.extend(path.name for path in (tmp_path / "job").iterdir() if path.name[0] != ".")
        return result

    monkeypatch.setattr(catalog, "run", work)
    assert run_locally(SPEC, tmp_path / "job") == result
    assert seen == ["spec.json"]
    assert GanResult.model_validate_json((tmp_path / "job/result.json").read_text()) == result
    run_locally(SPEC, tmp_path / "job")  # once more: the same spec is welcome
    with pytest.raises(BadInput, match="holds a job of another spec; choose another folder"):
        run_locally(GenerateImages(model="job"), tmp_path / "job")


def test_a_job_that_was_refused_leaves_its_folder_to_a_corrected_spec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(spec: JobSpec[GanResult], context: LocalContext) -> GanResult:
        raise BadInput("no such job")

    monkeypatch.setattr(catalog, "run", refuse)
    for spec in (GenerateImages(model="nosuch"), SPEC):
        with pytest.raises(BadInput, match="no such job"):
            run_locally(spec, tmp_path / "job")
    assert json.loads((tmp_path / "job/spec.json").read_text()) == SPEC.to_wire()
    saved(tmp_path / "job", 5)
    with pytest.raises(BadInput, match="holds a job of another spec"):
        run_locally(GenerateImages(model="other"), tmp_path / "job")
    assert len(list((tmp_path / "job/checkpoints").iterdir())) == 1


def test_a_folder_with_a_broken_spec_is_refused(tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text("{")
    with pytest.raises(BadInput, match=r"spec\.json is not a spec"):
        run_locally(SPEC, tmp_path)


def test_jobs_that_make_the_same_cache_entry_at_once_both_have_it_whole(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    with LocalContext(folders[0], {}) as one, LocalContext(folders[1], {}) as two:

        def make() -> bytes:
            assert two.cached("large/entry", lambda: b"2" * 1000) == b"2" * 1000
            return b"1" * 10

        assert one.cached("large/entry", make) == b"1" * 10
        assert two.cached("large/entry", lambda: b"") == b"1" * 10
    assert [path.name for path in (tmp_path / ".triptych-cache").rglob("*") if path.is_file()] == ["entry"]


def test_what_another_process_is_writing_beside_a_cache_entry_is_left_to_it(tmp_path: Path) -> None:
    other = tmp_path / ".triptych-cache" / ".entry.half"
    other.parent.mkdir()
    other.write_bytes(b"as far as it has come")
    (tmp_path / "job").mkdir()
    with LocalContext(tmp_path / "job", {}) as context:
        assert context.cached("entry", lambda: b"whole") == b"whole"
    assert other.read_bytes() == b"as far as it has come"


def test_a_shard_is_found_by_a_later_attempt(job: Path) -> None:
    with LocalContext(job) as context:
        (context.folder / "rows").write_bytes(b"some rows")
        context.save_shard("0-9.rows", context.folder / "rows")
    with LocalContext(job) as context:
        found = context.shard("0-9.rows")
        assert found is not None
        assert found.read_bytes() == b"some rows"
        assert context.shard("9-18.rows") is None
        with pytest.raises(InvalidSpec, match="shard name"):
            context.shard("../spec.json")
