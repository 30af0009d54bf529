"""The tensors of a checkpoint: which there have to be, in which shape, and how they get into a model."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from jobs.errors import BadInput
from jobs.pretrained.families import FAMILIES, POOLER, Array, Tensor, encoder_tensors
from jobs.pretrained.files import WEIGHTS

#: How the oldest checkpoints call the weights of a layer normalisation.
OLD_NAMES = {".weight": ".gamma", ".bias": ".beta"}


class Weights:
    """The file of weights, with its tensors under the names of the family's table.

    Args:
        folder: of the checkpoint.

    Raises:
        BadInput: there is no such file, or it is none that can be read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        if not (folder / WEIGHTS).is_file():
            raise BadInput(
                f"{folder.name} has no {WEIGHTS}; save the checkpoint as a single file, with "
                "save_pretrained(..., max_shard_size='100GB')"
            )
        try:
            with safe_open(folder / WEIGHTS, framework="numpy") as file:
                self.shapes: dict[str, tuple[int, ...]] = {
                    name: tuple(file.get_slice(name).get_shape())
                    for name in file.keys()  # noqa: SIM118
                }
        except (SafetensorError, OSError, ValueError) as error:
            raise BadInput(
                f"{WEIGHTS} of {folder.name} cannot be read ({error}); save the model again"
            ) from error

    def arrays(self, names: Mapping[str, str]) -> dict[str, Array]:
        """Tensors, float32, by what they are wanted as.

        Args:
            names: from what is wanted to what it is called in the file.

        Raises:
            BadInput: one cannot be read as numbers, or has a number that is not finite.
        """
        import ml_dtypes  # noqa: F401 - teaches NumPy bfloat16

        found = {}
        try:
            with safe_open(self._folder / WEIGHTS, framework="numpy") as file:
                for wanted, name in names.items():
                    found[wanted] = np.asarray(file.get_tensor(name), np.float32)
        except (SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
            raise BadInput(
                f"the tensor {name!r} in {WEIGHTS} of {self._folder.name} cannot be read ({error}); save the "
                "model again in float32"
            ) from error
        for wanted, array in found.items():
            if not np.isfinite(array).all():
                raise BadInput(
                    f"the tensor {names[wanted]!r} in {WEIGHTS} of {self._folder.name} has numbers that are "
                    "not finite, so that whatever is computed with it is none: it is damaged"
                )
        return found

    def encoder(self, family: str, config: Mapping[str, Any], *, pooler: bool = True) -> dict[str, str]:
        """What the tensors of the encoder are called in the file, by their name in the family's table.

        Args:
            family: its `model_type`.
            config: the config.json of the same checkpoint.
            pooler: whether the pooler of BERT and ALBERT is wanted.

        Raises:
            BadInput: one is missing, or of another shape than config.json says.
        """
        wanted = dict(expected(family, config, pooler=pooler))
        prefix = self._prefix(family)
        names = {}
        for name, shape in wanted.items():
            bare = prefix + name.removeprefix(FAMILIES[family].prefix)
            ending = bare[bare.rfind(".") :]
            spelt = [bare, bare.removesuffix(ending) + OLD_NAMES[ending]]
            there = next((each for each in spelt if each in self.shapes), None)
            if there is None:
                raise BadInput(
                    f"{WEIGHTS} of {self._folder.name} has no tensor {bare!r}, which a {family} consists of; "
                    "save the whole model"
                )
            if self.shapes[there] != shape:
                raise BadInput(
                    f"the tensor {there!r} in {WEIGHTS} of {self._folder.name} has the shape "
                    f"{list(self.shapes[there])}, and by config.json it has {list(shape)}"
                )
            names[name] = there
        return names

    def _prefix(self, family: str) -> str:
        """What the names of the encoder begin with: nothing, the family's prefix, or another one."""
        first = "embeddings.word_embeddings.weight"
        found = [name.removesuffix(first) for name in self.shapes if name.endswith(first)]
        for prefix in ("", FAMILIES[family].prefix):
            if prefix in found:
                return prefix
        if len(found) > 1:
            raise BadInput(
                f"{WEIGHTS} of {self._folder.name} holds {len(found)} encoders ({', '.join(sorted(found))}); "
                "save one alone"
            )
        return found[0] if found else FAMILIES[family].prefix


def expected(
    family: str, config: Mapping[str, Any], *, pooler: bool = True
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Every tensor that an encoder consists of, with its shape, from config.json alone.

    It is looked at before a model is built, so that a size that is none costs no memory.
    """
    table = FAMILIES[family]
    if family == "distilbert":
        hidden, inner, layers = config["dim"], config["hidden_dim"], config["n_layers"]
    else:
        hidden, inner, layers = (
            config[name] for name in ("hidden_size", "intermediate_size", "num_hidden_layers")
        )
    width = config["embedding_size"] if family == "albert" else hidden
    rows = {
        "word_embeddings": config["vocab_size"],
        "position_embeddings": config["max_position_embeddings"],
        "token_type_embeddings": config.get("type_vocab_size", 2),
    }
    for module, path in table.encoder.items():
        if path == POOLER and not pooler:
            continue
        name = module.removeprefix("embeddings.")
        if name in rows:
            yield f"{table.prefix}{module}.weight", (rows[name], width)
        elif name == "LayerNorm":
            yield from _norm(table.prefix + module, width)
        else:
            yield from _dense(table.prefix + module, hidden, width if name.endswith("mapping_in") else hidden)
    if family == "albert":
        groups = range(config["num_hidden_groups"])
        places = [table.blocks.format(g, i) for g in groups for i in range(config["inner_group_num"])]
    else:
        places = [table.blocks.format(number) for number in range(layers)]
    for place in places:
        for module, layer in table.block.items():
            name = table.prefix + place + module
            if layer.endswith("norm"):
                yield from _norm(name, hidden)
            elif layer == "_feedforward_intermediate_dense":
                yield from _dense(name, inner, hidden)
            else:
                yield from _dense(name, hidden, inner if layer == "_feedforward_output_dense" else hidden)


def _dense(name: str, outputs: int, inputs: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", (outputs, inputs)
    yield f"{name}.bias", (outputs,)


def _norm(name: str, width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", (width,)
    yield f"{name}.bias", (width,)


def fill_encoder(
    family: str, backbone: Any, weights: Weights, names: Mapping[str, str], *, segments: bool = True
) -> None:
    """Puts the tensors of a checkpoint into a backbone.

    Args:
        family: its `model_type`.
        backbone: built by the config.json of the same checkpoint.
        weights: of it.
        names: what `Weights.encoder` has found.
        segments: whether RoBERTa's embedding of the one segment has its part.

    Raises:
        BadInput: a tensor cannot be read.
    """
    arrays = weights.arrays(names)
    tensors: list[Tensor] = list(encoder_tensors(family, backbone))
    for tensor in tensors:
        if tensor.name in arrays:  # all of them, but for a pooler that is not wanted
            tensor.to_variable(arrays[tensor.name])
    if segments and FAMILIES[family].reserved:
        _add_segment(family, backbone, weights, names)


def _add_segment(family: str, backbone: Any, weights: Weights, names: Mapping[str, str]) -> None:
    """KerasHub has no segments in these families: the one there is becomes part of the positions."""
    position = next(name for name in names if name.endswith("position_embeddings.weight"))
    segment = names[position].replace("position_embeddings", "token_type_embeddings")
    if segment not in weights.shapes:
        return
    first = weights.arrays({segment: segment})[segment][0]
    if first.any():  # most are zero; to add that would make a zero of a minus zero
        places = backbone.embeddings.position_embedding.position_embeddings
        places.assign(places + first)
