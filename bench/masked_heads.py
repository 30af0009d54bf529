"""Heads for masked words, beside PyTorch's logits from the same folder, in and out, for every family.

    python -m bench.masked_heads
    python -m bench.masked_heads speed [SECONDS]  # of training with the default sizes, in turn

PyTorch writes a small random model of each family; it is read here, written again, and read by PyTorch. The
largest difference of a logit is printed, in float32. Needs the packages torch and transformers.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

SIZES = {
    "vocab_size": 100,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_attention_heads": 4,
    "num_hidden_layers": 3,
    "max_position_embeddings": 40,
}
OF_DISTILBERT = {
    "vocab_size": 100,
    "dim": 32,
    "hidden_dim": 64,
    "n_heads": 4,
    "n_layers": 3,
    "max_position_embeddings": 40,
}
FAMILIES: dict[str, dict[str, Any]] = {
    "bert": SIZES,
    "distilbert": OF_DISTILBERT,
    "roberta": SIZES | {"type_vocab_size": 1, "pad_token_id": 1},
    "xlm-roberta": SIZES | {"type_vocab_size": 1, "pad_token_id": 1},
    "albert": SIZES | {"embedding_size": 16},
}
TOKENS = np.random.default_rng(0).integers(5, 100, (3, 20)).astype(np.int32)
#: What logits may differ by: BERT and ALBERT compute the tanh form of GELU here.
MOST = 1e-3


def main(*given: str) -> None:
    """Runs what was asked for."""
    if given[:1] == ("steps",):
        steps(*given[1:])
    elif given[:1] == ("speed",):
        speed(*given[1:])
    elif find_spec("torch") is None:
        print("left out: the package torch is not installed")
    else:
        compare()


def speed(seconds: str = "10") -> None:
    """Prints tokens a second, the medians of three measurements in turn, and their ratio."""
    from jobs import TrainText
    from jobs.pretrained.built import fresh
    from jobs.tokens.vocabulary import Wanted, made

    spec = TrainText(dataset="text")
    content = fresh.with_ends(made([], Wanted("bytes", 0, tuple(fresh.SPECIAL.values()))), joins_spaces=True)
    sizes = fresh.Sizes(spec.layers, spec.hidden, spec.heads, spec.max_length, spec.dropout)
    with tempfile.TemporaryDirectory(prefix="triptych-bench-") as name:
        fresh.write(Path(name), content, spec.vocabulary_size, sizes, 0)
        asked = (name, str(spec.batch_size), str(spec.max_length), seconds)
        sides = {"Triptych": ("-m", "bench.masked_heads", "steps", *asked)}
        if find_spec("torch") is not None:
            sides["PyTorch"] = ("-m", "bench.torch_masked", *asked)
        found: dict[str, list[float]] = {side: [] for side in sides}
        for _ in range(3):
            for side, command in sides.items():
                done = subprocess.run(
                    [sys.executable, *command], check=True, stdout=subprocess.PIPE, text=True
                )
                found[side].append(float(done.stdout.split()[-1]))
    medians = {side: statistics.median(rates) for side, rates in found.items()}
    for side, median in medians.items():
        print(f"{side}: {median:.0f} tokens/s, of {[round(rate) for rate in found[side]]}")
    if "PyTorch" in medians:
        print(f"ratio {medians['Triptych'] / medians['PyTorch']:.2f}")


def steps(folder: str, rows: str, length: str, seconds: str) -> None:
    """Prints the tokens a second of training steps."""
    import tensorflow as tf

    from jobs import TrainText
    from jobs.pretrained import masked
    from jobs.selfsupervised.text.learner import MaskedLanguage
    from jobs.selfsupervised.text.preparing import read
    from jobs.training import Passes

    batch, width = int(rows), int(length)
    reading = read(Path(folder), width)
    model = MaskedLanguage(
        TrainText(dataset="text"), masked.load(Path(folder), 0), reading.words, reading.ends, 100_000
    )
    tokens = np.random.default_rng(0).integers(5, 200, (4 * batch, width - 2)).astype(np.uint16)
    model.place({"tokens": tokens}, Passes(len(tokens), batch))
    step = tf.function(model.train_step, autograph=False)
    times: list[float] = []
    order, began = tf.range(len(tokens)), time.monotonic()
    while len(times) < 5 or time.monotonic() - began < float(seconds):
        first, number = time.monotonic(), tf.constant(len(times), tf.int64)
        float(step((order, number, number + 1))["loss"])
        times.append(time.monotonic() - first)
    print(batch * width / statistics.median(times[1:]))


def compare() -> None:
    """Prints the largest difference of a logit for each family."""
    worst = 0.0
    for family, sizes in FAMILIES.items():
        with tempfile.TemporaryDirectory(prefix="triptych-bench-") as name:
            folder = Path(name)
            written(family, sizes, folder / "torch")
            theirs, ours = of_torch(folder / "torch"), of_keras(folder / "torch", folder / "out")
            out = of_torch(folder / "out")
        there, back = np.abs(ours - theirs).max(), np.abs(ours - out).max()
        print(
            f"{family}: in {there:.1e}, out {back:.1e}; logits up to {np.abs(theirs).max():.1f}", flush=True
        )
        worst = max(worst, float(there), float(back))
    sys.exit(f"more than {MOST}" if worst > MOST else 0)


def written(family: str, sizes: dict[str, Any], folder: Path) -> None:
    """A random model of PyTorch, its biases included."""
    import torch
    from transformers import AutoConfig, AutoModelForMaskedLM

    torch.manual_seed(0)
    model = AutoModelForMaskedLM.from_config(AutoConfig.for_model(family, **sizes))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    model.save_pretrained(folder)


def of_torch(folder: Path) -> Any:
    """Logits by PyTorch, float32 (texts, tokens, vocabulary)."""
    import torch
    from transformers import AutoModelForMaskedLM

    model = AutoModelForMaskedLM.from_pretrained(folder).eval()
    with torch.inference_mode():
        return model(torch.from_numpy(TOKENS.astype(np.int64))).logits.numpy()


def of_keras(folder: Path, out: Path) -> Any:
    """Logits as they are computed here; the model is written into another folder."""
    import tensorflow as tf

    from jobs.pretrained import masked
    from jobs.transformer.encoder.forward import states_of

    model = masked.load(folder, seed=0)
    assert model.has_head
    masked.export(model, folder, out, "A card.")
    lengths = tf.fill((len(TOKENS),), TOKENS.shape[1])
    states = states_of(model.backbone, model.family, tf.constant(TOKENS), lengths)
    return model.head.logits(states, model.table.value).numpy().reshape(*TOKENS.shape, -1)


if __name__ == "__main__":
    main(*sys.argv[1:])
