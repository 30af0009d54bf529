"""Decoders of some thousand random weights, for trying things in seconds: `pretrained="tiny-gpt"`."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from jobs.pretrained.files import CONFIG, TOKENIZER, TOKENIZER_CONFIG, WEIGHTS
from jobs.transformer.decoder.families import ARCHITECTURES, layout_of, tensors_of
from jobs.transformer.decoder.layout import Array, Layout

END = "<|end|>"
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] + ': ' + message['content'] }}{% if message['role'] == "
    "'assistant' %}{{ '<|end|>' }}{% endif %}{{ '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ "
    "'assistant: ' }}{% endif %}"
)
_SIZES = {"vocab_size": 257, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2}
_SIZES |= {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256}
_GEMMA = {"head_dim": 4, "query_pre_attn_scalar": 4, "sliding_window": 8, "sliding_window_pattern": 2}
#: By family, what its config.json says.
CONFIGS: dict[str, dict[str, Any]] = {
    "gpt2": {"vocab_size": 257, "n_embd": 16, "n_layer": 2, "n_head": 4, "n_positions": 256},
    "llama": {**_SIZES, "tie_word_embeddings": True},
    "mistral": {**_SIZES, "sliding_window": 8},
    "qwen2": _SIZES,
    "qwen3": {**_SIZES, "head_dim": 8, "tie_word_embeddings": True},
    "gemma3_text": {**_SIZES, **_GEMMA},
}


def write(folder: Path, family: str = "llama") -> None:
    """Puts config, weights and a tokenizer of bytes into a folder; the same ones every time."""
    from safetensors.numpy import save_file

    config = {"model_type": family, **CONFIGS[family]}
    config |= {"architectures": [ARCHITECTURES[family]]}
    config |= {"bos_token_id": 256, "eos_token_id": 256, "pad_token_id": 256}
    layout = layout_of(config, family)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    save_file(tensors_of(layout, random(layout)), folder / WEIGHTS, {"format": "pt"})
    write_tokenizer(folder)


def random(layout: Layout, scale: float = 0.3) -> dict[str, Array]:
    """Weights in which every piece has its say, float32 by name."""
    draws = np.random.Generator(np.random.Philox(key=[1, 2]))
    return {
        name: (draws.standard_normal(shape) * scale + ("norm" in name and "bias" not in name)).astype(
            np.float32
        )
        for name, shape in layout.shapes()
    }


def write_tokenizer(folder: Path) -> None:
    """A tokenizer of bytes, with one token at the end of texts."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    numbers = {letter: number for number, letter in enumerate(alphabet)} | {END: len(alphabet)}
    tokenizer = Tokenizer(models.BPE(numbers, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([END])
    tokenizer.save(str(folder / TOKENIZER))
    settings: dict[str, Any] = {"tokenizer_class": "PreTrainedTokenizerFast", "chat_template": TEMPLATE}
    settings |= {f"{name}_token": END for name in ("bos", "eos", "pad")}
    settings["clean_up_tokenization_spaces"] = False
    (folder / TOKENIZER_CONFIG).write_text(json.dumps(settings, indent=2))
