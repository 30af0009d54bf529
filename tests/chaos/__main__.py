"""A chaos run of any length: `python -m tests.chaos --minutes 10`. `make chaos MINUTES=10` calls it."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

PLUGIN = Path(__file__).parents[1] / "plugin"
sys.path.insert(0, str(PLUGIN))
paths = [str(PLUGIN), str(PLUGIN.parents[1]), os.environ.get("PYTHONPATH", "")]
os.environ["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)

from tests.chaos.harness import Course, Run  # noqa: E402 - the drill's family must be found first


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=Course.minutes, help="how long faults go on")
    parser.add_argument("--jobs", type=int, default=Course.jobs)
    parser.add_argument("--faults", type=int, default=Course.faults, help="without --minutes")
    parser.add_argument("--seed", type=int, default=Course.seed, help="the same faults in the same order")
    parser.add_argument("--pause", type=float, default=Course.pause, help="mean seconds between two faults")
    parser.add_argument("--store", choices=("seaweed", "minio"), default=Course.store)
    parser.add_argument("--keep", type=Path, help="a new folder for logs and data; otherwise they go")
    chosen = vars(parser.parse_args())
    kept = chosen.pop("keep")
    with tempfile.TemporaryDirectory(prefix="triptych-chaos-") as passing:
        folder = kept or Path(passing)
        folder.mkdir(parents=True, exist_ok=True)
        tally = Run(Course(**chosen), folder, lambda line: print(line, flush=True)).go()
    print(tally.table())
    sys.exit(bool(tally.breaches))


if __name__ == "__main__":
    main()
