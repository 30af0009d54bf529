"""Runs every measurement, or those that are named: `python -m bench [overhead] [gan] ...`."""

import subprocess
import sys

MEASUREMENTS = (
    *("overhead", "starts", "gan", "autoencoder", "checkpoints", "recovery", "records", "slots", "parts"),
    *("small_jobs", "large_sets", "series", "style", "sweeps"),
    *("transformer_training", "finetuning", "classification", "million_rows"),
)

for name in sys.argv[1:] or MEASUREMENTS:
    print(f"== {name}", flush=True)
    # A process each: what one leaves in memory must not touch the next.
    subprocess.run([sys.executable, "-m", f"bench.{name}"], check=True)
