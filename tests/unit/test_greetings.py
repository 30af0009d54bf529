"""TensorFlow's greetings are kept from people, and nothing else is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scheduler.greetings import Filter, is_greeting

LINES = [
    b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n",
    b"I0000 00:00:1795612561.574355   23708 cudart_stub.cc:31] Could not find cuda drivers on your machine, "
    b"GPU will not be used.\n",
    b"2026-01-02 03:04:05.678901: I external/local_xla/xla/tsl/cuda/cudart_stub.cc:31] Could not find cuda "
    b"drivers on your machine, GPU will not be used.\n",
    b"I0000 00:00:1795612561.574355   2370 port.cc:153] oneDNN custom operations are on. You may see "
    b"slightly different numerical results due to floating-point round-off errors from different computation "
    b"orders. To turn them off, set the environment variable `TF_ENABLE_ONEDNN_OPTS=0`.\n",
    b"I0000 00:00:1795612561.574355   23708 cpu_feature_guard.cc:227] This TensorFlow binary is optimized to "
    b"use available CPU instructions in performance-critical operations.\n",
    b"To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow with the "
    b"appropriate compiler flags.\n",
    b"E0000 00:00:1795612597.707138   23708 cuda_platform.cc:52] failed call to cuInit: INTERNAL: CUDA "
    b"error: Failed call to cuInit: UNKNOWN ERROR (303)\n",
]
GENUINE = [
    b"W0000 00:00:1795612561.574355   23708 cpu_allocator_impl.cc:83] Allocation exceeds 10% of memory.\n",
    b"E0000 00:00:1795612597.707138   23708 cuda_executor.cc:52] out of memory\n",
    b"F0000 00:00:1795612597.707138   23708 tensor.cc:12] Check failed: dtype() == expected\n",
    b"WARNING: All log messages of mine\n",
    b"the job prints oneDNN custom operations are on.\n",
    b"loss 0.3\r",
    b"an unfinished line",
]


@pytest.mark.parametrize("size", [1, 7, 100, 1 << 16])
def test_all_else_comes_through_in_pieces_of_any_size(size: int) -> None:
    text = b"".join(line for pair in zip(LINES, GENUINE, strict=True) for line in pair)
    kept = Filter(card=False)
    pieces = [text[begin : begin + size] for begin in range(0, len(text), size)]
    shown = b"".join(kept.passed(piece) for piece in pieces) + kept.passed(b"", last=True)
    assert shown == b"".join(GENUINE)


def test_where_there_is_a_card_the_reason_why_it_is_not_used_is_shown() -> None:
    assert [is_greeting(line, card=True) for line in LINES] == [True, False, False, True, True, True, False]


WORK = """
import os, sys
from scheduler.greetings import kept_from_stderr
with kept_from_stderr():
    import tensorflow as tf
    tf.matmul(tf.ones((2, 2)), tf.ones((2, 2)))
    tf.get_logger().warning("a genuine warning")
    tf.raw_ops.PrintV2(input="from C++", output_stream="stderr")
    if sys.argv[1:]:
        os.write(2, b"its last words")
        os.abort()
print("after", file=sys.stderr)
"""


@pytest.mark.parametrize("crash", [False, True])
def test_tensorflow_itself_greets_nobody_and_still_warns(crash: bool) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("TF_CPP")}
    found = subprocess.run(
        [sys.executable, "-c", WORK, *(["crash"] if crash else [])],
        env={**env, "CUDA_VISIBLE_DEVICES": "-1"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    last = "its last words" if crash else "after"
    assert found.stderr.split("\n")[:3] == ["WARNING:tensorflow:a genuine warning", "from C++", last]
