"""Heads for masked words, beside PyTorch's logits from the same folder, in and out, for every family.

    python -m bench.masked_heads

PyTorch writes a small random model of each family; it is read here, written again, and read by PyTorch. The
largest difference of a logit is printed, in float32. Needs the packages torch and transformers.
"""

import sys
import tempfile
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


def main() -> None:
    if find_spec("torch") is None:
        print("left out: the package torch is not installed")
        return
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
    main()
