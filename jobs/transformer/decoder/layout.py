"""How a decoder is built: its sizes, and in which of a few ways each of its pieces computes."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Rotary:
    """Rotary positions (Su et al., 2021, https://arxiv.org/abs/2104.09864, equation 34).

    Attributes:
        base: of the wavelengths.
        factor: what the positions are divided by; of `bands`, those of long wavelength alone.
        bands: of Llama 3: smallest and largest factor, and the positions that it was first trained on.
    """

    base: float = 10_000.0
    factor: float = 1.0
    bands: tuple[float, float, float] | None = None

    def frequencies(self, size: int) -> Array:
        """Radians a position, float32 (size / 2,), for heads of so many numbers."""
        found = 1.0 / self.base ** (np.arange(0, size, 2, dtype=np.float32) / size)
        if self.bands is None:
            return (found / self.factor).astype(np.float32)
        low, high, trained = self.bands
        lengths = 2 * math.pi / found
        share = np.clip((trained / lengths - low) / (high - low), 0, 1)
        return ((1 - share) * found / self.factor + share * found).astype(np.float32)


@dataclass(frozen=True)
class Layout:
    """Sizes and ways of a decoder. All blocks normalise before attention and before their inner layer.

    Attributes:
        family: its `model_type` in config.json.
        vocabulary: tokens that it knows.
        width: numbers in a hidden state.
        layers: blocks.
        heads: of the queries.
        groups: heads of keys and values, each shared by `heads / groups` queries (Ainslie et al., 2023).
        head: numbers in a head.
        inner: numbers between the two products of a block.
        positions: tokens that it can read at most, the generated ones included.
        epsilon: of the normalisations.
        norm: LayerNorm (Ba et al., 2016), or RMSNorm (Zhang and Sennrich, 2019).
        offset: what is added to the scale of an RMSNorm: 1 in Gemma.
        activation: GELU by its tanh or by the error function, or SiLU.
        gated: whether the inner layer is a product of two halves (Shazeer, 2020).
        rotary: of each layer; None for learned positions.
        windows: how far back each layer looks; None for all the way.
        query_biases: whether queries, keys and values have biases.
        biases: whether all other products have them.
        normed_heads: whether queries and keys are normalised by head.
        sandwiched: whether what a half of a block adds is normalised as well, as in Gemma.
        embedding_scale: what embeddings are multiplied with.
        query_scale: what scores are multiplied with.
        tied: whether the logits come by the table of the embeddings.
    """

    family: str
    vocabulary: int
    width: int
    layers: int
    heads: int
    groups: int
    head: int
    inner: int
    positions: int
    epsilon: float
    norm: Literal["layer", "rms"]
    activation: Literal["gelu_tanh", "gelu", "silu"]
    gated: bool
    rotary: tuple[Rotary, ...] | None
    windows: tuple[int | None, ...]
    query_biases: bool
    biases: bool
    query_scale: float
    offset: float = 0.0
    normed_heads: bool = False
    sandwiched: bool = False
    embedding_scale: float = 1.0
    tied: bool = True

    @property
    def projected(self) -> tuple[int, int, int]:
        """Numbers of the queries, keys and values of a token."""
        return self.heads * self.head, self.groups * self.head, self.groups * self.head

    def shapes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Every weight by its name; kernels are (inputs, outputs)."""
        layer = self.norm == "layer"
        yield "embedding", (self.vocabulary, self.width)
        if self.rotary is None:
            yield "positions", (self.positions, self.width)
        for number in range(self.layers):
            for name, shape in self._block():
                yield f"{number}/{name}", shape
        yield "norm", (self.width,)
        if layer:
            yield "norm_bias", (self.width,)
        if not self.tied:
            yield "output", (self.vocabulary, self.width)

    def _block(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        yield from self._norm("attention_norm")
        yield "qkv", (self.width, sum(self.projected))
        if self.query_biases:
            yield "qkv_bias", (sum(self.projected),)
        if self.normed_heads:
            yield "query_norm", (self.head,)
            yield "key_norm", (self.head,)
        yield "out", (self.heads * self.head, self.width)
        if self.biases:
            yield "out_bias", (self.width,)
        if self.sandwiched:
            yield "after_attention", (self.width,)
        yield from self._norm("inner_norm")
        yield "up", (self.width, self.inner * (2 if self.gated else 1))
        if self.biases:
            yield "up_bias", (self.inner * (2 if self.gated else 1),)
        yield "down", (self.inner, self.width)
        if self.biases:
            yield "down_bias", (self.width,)
        if self.sandwiched:
            yield "after_inner", (self.width,)

    def _norm(self, name: str) -> Iterator[tuple[str, tuple[int, ...]]]:
        yield name, (self.width,)
        if self.norm == "layer":
            yield f"{name}_bias", (self.width,)

    def parameters(self) -> int:
        """Numbers in all weights."""
        return sum(math.prod(shape) for _, shape in self.shapes())


def fresh(layout: Layout, seed: int) -> Mapping[str, Array]:
    """Initial weights, float32 by name: a function of the layout and the seed.

    Kernels are normal with variance 1 / inputs, what a half of a block adds begins at zero (Goyal et al.,
    2017, section 5.1), embeddings have a standard deviation of 0.02, and normalisations change nothing.
    """
    found: dict[str, Array] = {}
    for number, (name, shape) in enumerate(layout.shapes()):
        draws = np.random.Generator(np.random.Philox(key=np.array([seed, 2**40 + number], np.uint64)))
        last = name.rpartition("/")[2]
        if last in ("qkv", "up"):
            found[name] = (draws.standard_normal(shape, np.float32) / math.sqrt(shape[0])).astype(np.float32)
        elif last in ("embedding", "positions", "output"):
            found[name] = draws.standard_normal(shape, np.float32) * np.float32(0.02)
        elif ("norm" in last and not last.endswith("bias")) or last.startswith("after"):
            found[name] = np.full(shape, 1 - layout.offset, np.float32)
        else:
            found[name] = np.zeros(shape, np.float32)
    return found
