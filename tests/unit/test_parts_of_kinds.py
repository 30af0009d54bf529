"""Every divisible kind comes to the same files, byte for byte, for every number of parts."""

import json
import random
import signal
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tensorflow")

from jobs import (
    AnswerQuestions,
    ApplyStyle,
    ClassifyImages,
    ClassifyTexts,
    EmbedTexts,
    EncodeImages,
    FillSeries,
    FillText,
    ForecastSeries,
    GenerateImages,
    GenerateTexts,
    catalog,
)
from jobs.context import StopReason
from jobs.dividing.running import PartContext, run_divided
from jobs.errors import Stopped
from jobs.local import run_locally
from jobs.verification.kills import DIARY, Assignment
from tests.small_models import people, write_models
from tests.small_windows import SMALL
from tests.zygote import Zygote, kept_by_xla

TEXT = {"max_length": 16, "batch_size": 4, "precision": "float32"}
ANSWERS = {"model": "answerer", "batch_size": 16, "precision": "float32"}
SPECS: dict[str, Any] = {
    "answer": AnswerQuestions(dataset="people", **ANSWERS),
    "answer to CSV, texts of its own": AnswerQuestions(
        questions=("who is it?", "", "where?"),
        texts=tuple(f"word {n} " * (n % 9) for n in range(20)),
        output="csv",
        **ANSWERS,
    ),
    "apply": ApplyStyle(model="style", dataset="images"),
    "classify": ClassifyTexts(model="classifier", dataset="texts", **TEXT),
    "classify to CSV, texts of its own": ClassifyTexts(
        model="classifier", texts=tuple(f"word {n} " * (n % 7) for n in range(90)), output="csv", **TEXT
    ),
    "embed": EmbedTexts(model="classifier", dataset="texts", **TEXT),
    "encode": EncodeImages(model="encoder", dataset="images"),
    "fill": FillSeries(dataset="shops"),
    "fill masked words": FillText(
        model="masked", texts=tuple(f"word {n} {'[MASK] ' * (n % 4)}" for n in range(90)), top=2, **TEXT
    ),
    "forecast": ForecastSeries(model="series", dataset="shops", origins=3),
    "forecast to Parquet": ForecastSeries(model="series", dataset="shops", output="parquet"),
    "answer prompts": GenerateTexts(
        pretrained="tiny-gpt", dataset="texts", max_tokens=3, batch_size=4, answers=2, precision="float32"
    ),
    "classify images": ClassifyImages(model="vision", dataset="images", precision="float32"),
    "classify images to CSV": ClassifyImages(model="vision", dataset="images", output="csv"),
    "generate": GenerateImages(model="gan", count=30, truncation=1.0, interpolate=2),
}
#: What tells the time that it took.
TIMES = ("seconds", "rows_per_second", "questions_per_second", "tokens_per_second")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data sets, and with jobs that have left a model each."""
    home = tmp_path_factory.mktemp("home")
    write_models(home)
    return home


@pytest.fixture(autouse=True)
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, value in SMALL:
        monkeypatch.setattr(import_module(module), name, value)


def data(home: Path) -> dict[str, Path]:
    return {
        "texts": home / "texts.csv",
        "images": home / "images.npz",
        "shops": home / "shops",
        **people(home),
    }


@pytest.fixture(scope="module")
def fork(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    """Starts attempts that import TensorFlow once, and compile once what all of them compile."""
    if sys.platform == "darwin":
        pytest.skip("Apple's own libraries do not survive a fork")
    kept = kept_by_xla(tmp_path_factory.mktemp("xla"))
    with Zygote("1", kept, runs="tests.killed") as zygote:
        yield zygote


def files(folder: Path) -> dict[str, bytes]:
    names = folder.joinpath("artifacts").rglob("*")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in names if path.is_file()}


def slug_of(name: str) -> str:
    return name.replace(",", "").replace(" ", "-").lower()


def said(result: Any) -> dict[str, Any]:
    return {name: value for name, value in result.model_dump().items() if name not in TIMES}


def test_every_divisible_kind_is_among_these() -> None:
    ours = {
        kind for kind, spec in catalog.kinds().items() if spec.divisible and spec.__module__[:5] == "jobs."
    }
    assert {spec.kind for spec in SPECS.values()} == ours


@pytest.fixture(scope="module")
def undivided(home: Path) -> Callable[[str], tuple[Any, Path]]:
    """Runs a spec in one piece and undisturbed, once for all tests: its result, and its folder."""
    found: dict[str, tuple[Any, Path]] = {}

    def run(name: str) -> tuple[Any, Path]:
        if name not in found:
            folder = home / f"{slug_of(name)}-alone"
            found[name] = run_locally(SPECS[name], folder, data(home)), folder
        return found[name]

    return run


@pytest.mark.parametrize("name", SPECS)
def test_the_whole_is_the_same_byte_for_byte_for_every_number_of_parts(
    home: Path, name: str, undivided: Callable[[str], tuple[Any, Path]]
) -> None:
    spec, slug = SPECS[name], slug_of(name)
    alone, beside = undivided(name)
    for parts in (1, 2, 7, "auto"):
        folder = home / f"{slug}-{parts}"
        whole = run_divided(spec, folder, parts, data(home), slots=2)  # type: ignore[arg-type]
        assert said(whole) == said(alone)
        assert files(folder) == files(beside)
        for path in folder.glob("parts/*/metrics.jsonl"):
            lines = [json.loads(line) for line in path.read_text().splitlines()]
            assert lines[-1]["step"] == lines[-1]["total"] >= max(line["step"] for line in lines)
        count = len(list((folder / "parts").iterdir()))
        assert count == parts if parts != "auto" else 2 < count < 8


NAMES = ["answer", "classify", "classify images", "embed", "encode", "fill", "fill masked words", "forecast"]


@pytest.mark.parametrize("name", NAMES)
def test_a_part_that_is_stopped_goes_on_where_it_was(
    home: Path, name: str, undivided: Callable[[str], tuple[Any, Path]]
) -> None:
    spec = SPECS[name]
    stops: list[int] = []

    class Stopping(PartContext):
        asked = 0

        def should_stop(self) -> StopReason | None:
            self.asked += 1
            if self.asked == 3 and self._job.name == "0002" and not stops:
                stops.append(self.asked)
                return StopReason.DRAIN
            return None

    run: Callable[[], Any] = lambda: run_divided(  # noqa: E731
        spec, home / f"{name}-stopped", 2, data(home), context=Stopping
    )
    with pytest.raises(Stopped):
        run()
    assert list((home / f"{name}-stopped/parts/0002/checkpoints").iterdir())
    alone, beside = undivided(name)
    assert said(run()) == said(alone)
    assert files(home / f"{name}-stopped") == files(beside)


@pytest.mark.parametrize("name", SPECS)
def test_three_kills_change_no_byte(home: Path, name: str, fork: Zygote) -> None:
    spec, folder = SPECS[name], home / f"{slug_of(name)}-killed"
    if "checkpoint_seconds" in type(spec).model_fields:
        spec = spec.model_copy(update={"checkpoint_seconds": 0.0})
    alone = run_locally(spec, home / f"{slug_of(name)}-not-killed", data(home))
    steps = json.loads((home / f"{slug_of(name)}-not-killed/metrics.jsonl").read_text().splitlines()[-1])[
        "step"
    ]
    draws = random.Random(name)
    at = sorted(draws.randint(1, steps) for _ in range(3))
    kills = [{"step": step, "tears": number == 1} for number, step in enumerate(at)]
    paths = {each: str(path) for each, path in data(home).items()}
    folder.mkdir()
    for number, kill in enumerate([*kills, None]):
        log = folder / f"{number}.log"
        code = fork(Assignment(spec.to_wire(), str(folder), paths, kill), log)
        assert code == (-signal.SIGKILL if kill else 0), log.read_text()
    if "checkpoint_seconds" in type(spec).model_fields:
        lines = (folder / DIARY).read_text().splitlines()
        assert any(json.loads(line)["resumed_from"] for line in lines), "none went on from where another was"
    assert said(type(alone).model_validate_json((folder / "result.json").read_text())) == said(alone)
    assert files(folder) == files(home / f"{slug_of(name)}-not-killed")
