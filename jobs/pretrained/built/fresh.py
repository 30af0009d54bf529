"""A checkpoint to train from nothing: RoBERTa's layout with weights that a seed draws, and a vocabulary."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from jobs.pretrained.families import FAMILIES, Array
from jobs.pretrained.files import CONFIG, TOKENIZER, TOKENIZER_CONFIG, WEIGHTS
from jobs.pretrained.tensors import expected

#: The special tokens of RoBERTa by what they are for, in the order of their numbers.
SPECIAL = {"cls": "<s>", "pad": "<pad>", "sep": "</s>", "unk": "<unk>", "mask": "<mask>"}


@dataclass(frozen=True)
class Sizes:
    """How large an encoder is.

    Attributes:
        layers: blocks.
        hidden: numbers of a token's state; a block's inner layer has four times as many.
        heads: of the attention.
        positions: tokens of a text at most.
        dropout: share of numbers left out in training.
    """

    layers: int
    hidden: int
    heads: int
    positions: int
    dropout: float


def write(folder: Path, tokenizer: str, vocabulary: int, sizes: Sizes, seed: int) -> None:
    """Puts config, weights and tokenizer of a RoBERTa into a folder.

    Args:
        folder: empty.
        tokenizer: content of a tokenizer.json whose first tokens are `SPECIAL`; see `with_ends`.
        vocabulary: its tokens.
        sizes: of the encoder.
        seed: draws the weights: normal with deviation 0.02, biases 0 (Devlin et al., 2019).
    """
    reserved = FAMILIES["roberta"].reserved
    config = {
        "model_type": "roberta",
        "architectures": ["RobertaModel"],
        "vocab_size": vocabulary,
        "hidden_size": sizes.hidden,
        "intermediate_size": 4 * sizes.hidden,
        "num_attention_heads": sizes.heads,
        "num_hidden_layers": sizes.layers,
        "max_position_embeddings": sizes.positions + reserved,
        "type_vocab_size": 1,
        "hidden_act": "gelu",
        "hidden_dropout_prob": sizes.dropout,
        "attention_probs_dropout_prob": sizes.dropout,
        "layer_norm_eps": 1e-5,
        "bos_token_id": 0,
        "pad_token_id": 1,
        "eos_token_id": 2,
    }
    (folder / CONFIG).write_text(json.dumps(config, indent=2), encoding="utf-8")
    draws = np.random.Generator(np.random.Philox(key=np.array([seed, 2**41], np.uint64)))
    weights = {name: _drawn(name, shape, draws) for name, shape in expected("roberta", config)}
    save_file(weights, folder / WEIGHTS, {"format": "pt"})
    _write_tokenizer(folder, tokenizer, sizes.positions)


def _drawn(name: str, shape: tuple[int, ...], draws: np.random.Generator) -> Array:
    if name.endswith("LayerNorm.weight"):
        return np.ones(shape, np.float32)
    if name.endswith(".bias"):
        return np.zeros(shape, np.float32)
    return (draws.standard_normal(shape) * 0.02).astype(np.float32)


def with_ends(content: str, joins_spaces: bool) -> str:
    """A tokenizer.json that puts `<s>` and `</s>` around a text, as RoBERTa reads it.

    Args:
        content: of a tokenizer.json.
        joins_spaces: whether tokens begin with the space before a word, and so the mask takes it, too.
    """
    from tokenizers import Tokenizer, processors

    about = json.loads(content)
    for token in about["added_tokens"]:
        token["lstrip"] = joins_spaces and token["content"] == SPECIAL["mask"]
    tokenizer = Tokenizer.from_str(json.dumps(about))
    first, last = (list(SPECIAL).index(name) for name in ("cls", "sep"))
    tokenizer.post_processor = processors.RobertaProcessing(
        (SPECIAL["sep"], last), (SPECIAL["cls"], first), trim_offsets=True, add_prefix_space=False
    )
    return str(tokenizer.to_str())


def _write_tokenizer(folder: Path, content: str, positions: int) -> None:
    (folder / TOKENIZER).write_text(content, encoding="utf-8")
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": positions,
        "clean_up_tokenization_spaces": False,
        "bos_token": SPECIAL["cls"],
        "eos_token": SPECIAL["sep"],
        **{f"{name}_token": token for name, token in SPECIAL.items()},
    }
    (folder / TOKENIZER_CONFIG).write_text(json.dumps(settings, indent=2), encoding="utf-8")
