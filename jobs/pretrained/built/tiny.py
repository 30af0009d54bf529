"""A checkpoint of some thousand random weights, for trying things in seconds: `pretrained="tiny"`."""

import json
import string
from pathlib import Path

import numpy as np

from jobs.pretrained.files import CONFIG, TOKENIZER, TOKENIZER_CONFIG, WEIGHTS

HIDDEN, INNER, LAYERS, HEADS, POSITIONS = 16, 32, 2, 2, 128
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
#: Every text is spelt out of these.
PIECES = (*string.ascii_lowercase, *string.digits, *string.punctuation)
VOCABULARY = (*SPECIAL, *PIECES, *(f"##{piece}" for piece in string.ascii_lowercase + string.digits))


def write(folder: Path) -> None:
    """Puts config, weights and tokenizer of a BERT into a folder; the same ones every time."""
    from safetensors.numpy import save_file

    config = {
        "model_type": "bert",
        "architectures": ["BertModel"],
        "vocab_size": len(VOCABULARY),
        "hidden_size": HIDDEN,
        "intermediate_size": INNER,
        "num_attention_heads": HEADS,
        "num_hidden_layers": LAYERS,
        "max_position_embeddings": POSITIONS,
        "type_vocab_size": 2,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "layer_norm_eps": 1e-12,
        "pad_token_id": 0,
    }
    (folder / CONFIG).write_text(json.dumps(config, indent=2))
    save_file(_weights(), folder / WEIGHTS, {"format": "pt"})
    _write_tokenizer(folder)


def _weights() -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    draws = np.random.Generator(np.random.Philox(key=[1, 2]))
    weights = {}
    for name, shape in _shapes().items():
        if name.endswith("LayerNorm.weight"):
            weights[name] = np.ones(shape, np.float32)
        elif name.endswith(".bias"):
            weights[name] = np.zeros(shape, np.float32)
        else:
            weights[name] = (draws.standard_normal(shape) * 0.2).astype(np.float32)
    return weights


def _shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (len(VOCABULARY), HIDDEN),
        "embeddings.position_embeddings.weight": (POSITIONS, HIDDEN),
        "embeddings.token_type_embeddings.weight": (2, HIDDEN),
        **_pair("embeddings.LayerNorm", HIDDEN),
        **_pair("pooler.dense", HIDDEN, HIDDEN),
    }
    for number in range(LAYERS):
        layer = f"encoder.layer.{number}."
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            shapes |= _pair(f"{layer}attention.{part}", HIDDEN, HIDDEN)
        shapes |= _pair(f"{layer}attention.output.LayerNorm", HIDDEN)
        shapes |= _pair(f"{layer}intermediate.dense", INNER, HIDDEN)
        shapes |= _pair(f"{layer}output.dense", HIDDEN, INNER)
        shapes |= _pair(f"{layer}output.LayerNorm", HIDDEN)
    return shapes


def _pair(module: str, *shape: int) -> dict[str, tuple[int, ...]]:
    return {f"{module}.weight": shape, f"{module}.bias": shape[:1]}


def _write_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    numbers = {piece: number for number, piece in enumerate(VOCABULARY)}
    tokenizer = Tokenizer(models.WordPiece(numbers, unk_token="[UNK]"))  # noqa: S106 - no password
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    ends = [(token, numbers[token]) for token in ("[SEP]", "[CLS]")]
    tokenizer.post_processor = processors.BertProcessing(*ends)
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.save(str(folder / TOKENIZER))
    settings = {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": True,
        "model_max_length": POSITIONS,
        **{f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")},
    }
    (folder / TOKENIZER_CONFIG).write_text(json.dumps(settings, indent=2))
