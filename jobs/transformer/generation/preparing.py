"""What a training begins with: a decoder, its tokenizer, and rows of tokens."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from jobs.context import JobContext
from jobs.datasets.corpora.named import corpus_of
from jobs.datasets.texts import sets as text_sets
from jobs.datasets.texts.rows import rows
from jobs.errors import BadInput
from jobs.pretrained.files import CONFIG, TOKENIZER, TOKENIZER_CONFIG
from jobs.pretrained.sources import folder_of
from jobs.tokens.packing import packed
from jobs.tokens.splitting import split
from jobs.tokens.tokenizer import TextTokenizer
from jobs.tokens.vocabulary import Wanted, vocabulary_of
from jobs.transformer.decoder import folders
from jobs.transformer.decoder.families import layout_of
from jobs.transformer.decoder.folders import Decoder
from jobs.transformer.decoder.layout import Array, fresh
from jobs.transformer.decoder.texts import Texts
from jobs.transformer.generation.rows import Rows
from jobs.transformer.generation.spec import TrainGeneration

END, UNKNOWN = "<|end|>", "<unk>"
#: Numbers of the inner layer are a multiple of this.
_MULTIPLE = 8


@dataclass(frozen=True)
class Prepared:
    """All that a training begins with.

    Attributes:
        folder: config and tokenizer.
        decoder: with the weights to begin with.
        texts: the tokenizer.
        train: rows to train on.
        held_out: rows to judge by; of running text, each token but the first is told once.
        tokens: by part.
        left_out: pairs of prompts and answers, by the reason.
        notes: what was chosen.
        counted: the training part for n-grams, (tokens,).
        watched: the held-out part for them.
        bytes: of the held-out text; 0 of pairs.
    """

    folder: Path
    decoder: Decoder = field(repr=False)
    texts: Texts = field(repr=False)
    train: Rows
    held_out: Rows
    tokens: Mapping[str, int]
    left_out: Mapping[str, int]
    notes: tuple[str, ...]
    counted: Array = field(repr=False)
    watched: Array = field(repr=False)
    bytes: int


def prepare(spec: TrainGeneration, context: JobContext) -> Prepared:
    """Makes or finds vocabulary and tokens of a training.

    Raises:
        BadInput: corpus, pairs or model cannot be loaded here, or there is too little text.
        Stopped: asked to stop; the tokens so far are kept.
    """
    found = _of_pairs(spec, context) if spec.instructions is not None else _of_corpus(spec, context)
    check_length(spec.max_length, found.decoder.layout.positions)
    return found


def check_length(length: int, positions: int) -> None:
    """Refuses rows of more tokens than the model has positions.

    Raises:
        BadInput: the text says how many it has.
    """
    if length > positions:
        raise BadInput(
            f"max_length is {length}, and the model reads {positions} tokens; give {positions} or less"
        )


def _of_corpus(spec: TrainGeneration, context: JobContext) -> Prepared:
    corpus = corpus_of(spec.dataset or "", context)
    parts = split(corpus, spec.held_out, spec.seed, spec.hold_out)
    if spec.pretrained is None:
        special = (END, UNKNOWN) if spec.vocabulary == "characters" else (END,)
        wanted = Wanted(spec.vocabulary, spec.vocabulary_size, special)
        tokenizer = vocabulary_of(corpus, parts, wanted, context)
        folder = _begin(spec, tokenizer, context.folder / "begin")
        layout = layout_of(folders.config_of(folder), "the model")
        decoder, texts = Decoder(layout, fresh(layout, spec.seed)), Texts(folder)
        end = tokenizer.number(END)
    else:
        folder = folder_of(spec.pretrained, context)
        decoder, texts = folders.read(folder), Texts(folder)
        tokenizer = TextTokenizer(texts.content)
        end = texts.end if texts.ends else None
        check_vocabulary(tokenizer.size, decoder, folder)
    shards = packed(corpus, parts, tokenizer, end, context)
    train = shards.stream(parts.train, context.folder / "train.tokens")
    held_out = shards.stream(parts.held_out, context.folder / "held-out.tokens")
    rows = train.rows(spec.max_length + 1)
    if not len(rows):
        raise BadInput(
            f"the training part of {spec.dataset!r} has {len(train)} tokens, and a row has "
            f"{spec.max_length + 1}: give more text, or a smaller max_length"
        )
    sizes = parts.offsets[parts.held_out + 1] - parts.offsets[parts.held_out]
    notes = [*corpus.notes, parts.note]
    if left := len(train) - rows.size:
        notes.append(f"{left} tokens at the end of the training part fill no row, and are left out")
    if train.unknown:
        notes.append(f"{train.unknown} tokens of the text are not in the vocabulary")
    return Prepared(
        folder,
        decoder,
        texts,
        Rows.full(rows),
        Rows.overlapping(held_out.tokens, spec.max_length),
        {"train": len(train), "held_out": len(held_out)},
        {},
        tuple(notes),
        train.tokens,
        held_out.tokens,
        int(sizes.sum()),
    )


def check_vocabulary(size: int, decoder: Decoder, folder: Path) -> None:
    """Refuses a tokenizer with tokens that its model does not know.

    Raises:
        BadInput: it has some.
    """
    if size > decoder.layout.vocabulary:
        raise BadInput(
            f"the tokenizer of {folder.name} has {size} tokens, and its model {decoder.layout.vocabulary}: "
            "they are of two models; save both together"
        )


def _begin(spec: TrainGeneration, tokenizer: TextTokenizer, folder: Path) -> Path:
    """A folder with the config and tokenizer of a model from nothing."""
    folder.mkdir(exist_ok=True)
    inner = 4 * spec.width if spec.layout == "gpt2" else 8 * spec.width // 3
    end = tokenizer.number(END)
    config: dict[str, Any] = {
        "model_type": spec.layout,
        "vocab_size": tokenizer.size,
        "tie_word_embeddings": True,
        "initializer_range": 0.02,
        "use_cache": True,
        "bos_token_id": end,
        "eos_token_id": end,
        "pad_token_id": end,
    }
    if spec.layout == "gpt2":
        config |= {
            "n_embd": spec.width,
            "n_layer": spec.layers,
            "n_head": spec.heads,
            "n_inner": inner,
            "n_positions": spec.max_length,
            "activation_function": "gelu_new",
            "layer_norm_epsilon": 1e-5,
            **dict.fromkeys(("attn_pdrop", "embd_pdrop", "resid_pdrop"), 0.0),
        }
    else:
        config |= {
            "hidden_size": spec.width,
            "num_hidden_layers": spec.layers,
            "num_attention_heads": spec.heads,
            "num_key_value_heads": spec.heads,
            "head_dim": spec.width // spec.heads,
            "intermediate_size": max(_MULTIPLE, inner // _MULTIPLE * _MULTIPLE),
            "max_position_embeddings": spec.max_length,
            "rms_norm_eps": 1e-5,
            "hidden_act": "silu",
            "rope_theta": 10_000.0,
            **dict.fromkeys(("attention_bias", "mlp_bias"), False),
        }
    (folder / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    (folder / TOKENIZER).write_text(tokenizer.content, encoding="utf-8")
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": spec.max_length,
        "clean_up_tokenization_spaces": False,
        **{f"{name}_token": END for name in ("bos", "eos", "pad")},
    }
    if spec.vocabulary == "characters":
        settings["unk_token"] = UNKNOWN
    (folder / TOKENIZER_CONFIG).write_text(json.dumps(settings, indent=2))
    return folder


def _of_pairs(spec: TrainGeneration, context: JobContext) -> Prepared:
    folder = folder_of(spec.pretrained or "", context)
    decoder, texts = folders.read(folder), Texts(folder)
    if not texts.ends:
        raise BadInput(
            f"{folder.name} has no token that ends texts, which answers need; name one as eos_token in its "
            "tokenizer_config.json"
        )
    name = spec.instructions or ""
    path = text_sets.file_of(name, context)
    left_out: Counter[str] = Counter()
    found: list[tuple[Array, int]] = []
    columns = (rows(path, each, name) for each in (spec.prompt_column, spec.answer_column))
    for prompt, answer in zip(*columns, strict=True):
        if prompt.text is None or answer.text is None:
            left_out[f"no {'prompt' if prompt.text is None else 'answer'}"] += 1
            continue
        tokens, first = _pair(texts, prompt.text, answer.text)
        if len(tokens) > spec.max_length + 1:
            left_out["longer than max_length"] += 1
        else:
            found.append((tokens, first))
    if len(found) < 2:
        raise BadInput(
            f"{name!r} has {len(found)} pairs of a prompt and an answer that can be learnt "
            f"({dict(left_out)} left out); give more, or a larger max_length"
        )
    check_vocabulary(1 + max(int(tokens.max()) for tokens, _ in found), decoder, folder)
    philox = np.random.Philox(key=np.array([spec.seed, 2**41], np.uint64))
    order = np.random.Generator(philox).permutation(len(found))
    held = min(len(found) - 1, round(spec.held_out * len(found)))
    train, held_out = (
        _padded([found[n] for n in sorted(some)], spec.max_length) for some in (order[held:], order[:held])
    )
    counts = {"train": train.told(), "held_out": held_out.told()}
    note = f"answers alone are learnt, with what ends them; {held} of {len(found)} pairs are held out"
    counted, watched = _answers(train), _answers(held_out)
    return Prepared(folder, decoder, texts, train, held_out, counts, left_out, (note,), counted, watched, 0)


def _answers(part: Rows) -> Array:
    """The tokens of a part that are to be told, one after the other, int32 (tokens,)."""
    places = np.arange(part.tokens.shape[1])
    told = (places >= part.first[:, None]) & (places < part.end[:, None])
    found: Array = part.tokens[told]
    return found


def _pair(texts: Texts, prompt: str, answer: str) -> tuple[Array, int]:
    """The tokens of a prompt and an answer with what ends it, and the first token of the answer."""
    if texts.chats:
        asked = texts.encoded(texts.chat(prompt, None), special=False)
    else:
        asked = texts.prompt(f"{prompt}\n")
    said = np.append(texts.encoded(answer, special=False), texts.end).astype(np.int32)
    return np.concatenate([asked, said]), max(1, len(asked))


def _padded(pairs: list[tuple[Array, int]], width: int) -> Rows:
    tokens = np.zeros((len(pairs), width + 1), np.int32)
    for row, (each, _) in enumerate(pairs):
        tokens[row, : len(each)] = each
    firsts = np.array([first for _, first in pairs], np.int32)
    return Rows(tokens, firsts, np.array([len(each) for each, _ in pairs], np.int32))
