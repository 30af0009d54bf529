"""What the last bits of a training depend on besides its spec: threads and processor (docs/guarantees.md)."""

import logging
import os
import platform
from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf

#: What TensorFlow and XLA choose their kernels by.
_FEATURES = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
_CPUS = Path("/proc/cpuinfo")

logger = logging.getLogger(__name__)


def description() -> dict[str, str]:
    """Threads an operation, and the processor with its vector instructions, for a checkpoint's metadata."""
    return {"threads": str(threads()), "processor": _processor()}


def has_gpu() -> bool:
    """Whether TensorFlow sees a GPU."""
    return bool(tf.config.list_physical_devices("GPU"))


def has_bfloat16() -> bool:
    """Whether this processor, or a GPU, multiplies bfloat16 faster than float32."""
    if has_gpu():
        return True
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(_processor().split())


def precision(asked: str | None) -> str:
    """What to multiply in, `float32` or `bfloat16`: as asked, or by `auto` or None what is faster here."""
    if asked is None or asked == "auto":
        return "bfloat16" if has_bfloat16() else "float32"
    return asked


def warn_if_unlike(saved: Mapping[str, str], here: Mapping[str, str]) -> None:
    """Says so, in one line, if a checkpoint was saved under other conditions than those here.

    Args:
        saved: the checkpoint's metadata.
        here: `description`, and what the model says about itself.
    """
    unlike = {name: value for name, value in here.items() if saved.get(name, value) != value}
    if unlike:
        before = ", ".join(f"{name} {saved[name]}" for name in unlike)
        now = ", ".join(f"{name} {value}" for name, value in unlike.items())
        logger.warning(
            "the checkpoint was saved with %s, this attempt runs with %s: the training is as good, but its "
            "last bits may differ; the setting TRIPTYCH_THREADS makes workers alike",
            before,
            now,
        )


def threads() -> int:
    """Threads of an operation, as the worker has set them, or as many as there are processors."""
    asked = tf.config.threading.get_intra_op_parallelism_threads()
    asked = asked or int(os.environ.get("TF_NUM_INTRAOP_THREADS") or 0)
    return asked or (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )


def _processor() -> str:
    try:
        lines = _CPUS.read_text().split("\n\n")[0].splitlines()
    except OSError:
        return platform.machine()
    about = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    flags = set(about.get("flags", "").split())
    return " ".join(
        [about.get("model name", platform.machine()), *(each for each in _FEATURES if each in flags)]
    )
