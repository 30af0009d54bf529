"""What config.json and preprocessor_config.json of a folder say of a Vision Transformer."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from jobs.errors import BadInput
from jobs.pretrained.fields import read
from jobs.pretrained.files import CONFIG, PREPROCESSOR

Family = Literal["vit", "deit"]
#: Tokens before those of the patches, by family.
SPECIAL = {"vit": 1, "deit": 2}
#: The classes that a checkpoint's head may be of, by family; the last one of DeiT has two heads.
ARCHITECTURES = {
    "vit": ("ViTForImageClassification",),
    "deit": ("DeiTForImageClassification", "DeiTForImageClassificationWithTeacher"),
    "swin": ("SwinForImageClassification",),
}


@dataclass(frozen=True)
class Described:
    """A checkpoint, without its weights.

    Attributes:
        family: its `model_type`.
        size: of the images that it was trained on, (height, width).
        channels: of these.
        patch: side of a patch.
        width: numbers in a token.
        depth: blocks.
        heads: of the attention.
        inner: numbers between the dense layers of a block.
        epsilon: of the normalisations.
        class_names: of its head, by number.
        mean: of the pixels in [0, 1], which is taken off, by channel.
        deviation: what they are divided by then.
    """

    family: Family
    size: tuple[int, int]
    channels: int
    patch: int
    width: int
    depth: int
    heads: int
    inner: int
    epsilon: float
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the patches that its positions are for."""
        return self.size[0] // self.patch, self.size[1] // self.patch


def described(folder: Path) -> Described:
    """What the files of a folder say.

    Raises:
        BadInput: the model is of another family, or has what is not computed here; the text names it.
    """
    config = read(folder, CONFIG)
    family = config.get("model_type")
    if family not in SPECIAL:
        raise BadInput(
            f"{folder.name} is a checkpoint of the type {family!r}; images are looked at with "
            f"{', '.join(ARCHITECTURES)}"
        )
    if (activation := config.get("hidden_act", "gelu")) != "gelu":
        raise BadInput(f"hidden_act in {CONFIG} of {folder.name} is {activation!r}; computed is 'gelu'")
    sizes = {
        name: whole(config, name, folder)
        for name in ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
    }
    if sizes["hidden_size"] % sizes["num_attention_heads"]:
        raise BadInput(f"num_attention_heads in {CONFIG} of {folder.name} does not divide hidden_size")
    mean, deviation = normalisation(folder)
    size = pair(config, "image_size", 224, folder)
    patch = pair(config, "patch_size", 16, folder)
    if patch[0] != patch[1]:
        raise BadInput(f"patch_size in {CONFIG} of {folder.name} is {patch}; computed are squares")
    return Described(
        family=family,
        size=size,
        channels=int(config.get("num_channels", 3)),
        patch=patch[0],
        width=sizes["hidden_size"],
        depth=sizes["num_hidden_layers"],
        heads=sizes["num_attention_heads"],
        inner=sizes["intermediate_size"],
        epsilon=float(config.get("layer_norm_eps", 1e-12)),
        class_names=class_names_of(config, folder),
        mean=mean,
        deviation=deviation,
    )


def class_names_of(config: dict[str, Any], folder: Path) -> tuple[str, ...]:
    """The classes by number; without names two, as in the library transformers.

    Raises:
        BadInput: the numbers have gaps.
    """
    names = {int(number): str(name) for number, name in (config.get("id2label") or {}).items()}
    if sorted(names) != list(range(len(names))):
        raise BadInput(f"id2label in {CONFIG} of {folder.name} has gaps; number the classes from 0 on")
    return tuple(names[number] for number in range(len(names))) or ("LABEL_0", "LABEL_1")


def whole(config: dict[str, Any], name: str, folder: Path) -> int:
    """A field that is a whole number above 0.

    Raises:
        BadInput: it is none.
    """
    value = config.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**20:
        raise BadInput(f"{name} in {CONFIG} of {folder.name} is {value!r}, and should be a whole number")
    return value


def pair(config: dict[str, Any], name: str, default: int, folder: Path) -> tuple[int, int]:
    """A field that is a side, or two of them.

    Raises:
        BadInput: it is none.
    """
    value = config.get(name, default)
    pair = (value, value) if isinstance(value, int) else tuple(value) if isinstance(value, list) else ()
    if len(pair) != 2 or not all(isinstance(side, int) and 0 < side < 2**16 for side in pair):
        raise BadInput(f"{name} in {CONFIG} of {folder.name} is {value!r}; it should be one number or two")
    return pair[0], pair[1]


def normalisation(folder: Path) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of the pixels; without the file those that the family's authors took.

    Raises:
        BadInput: they are no numbers.
    """
    if not (folder / PREPROCESSOR).is_file():
        return (0.5,), (0.5,)
    about = read(folder, PREPROCESSOR)
    if not about.get("do_normalize", True):
        return (0.0,), (1.0,)
    found = [about.get(name, 0.5) for name in ("image_mean", "image_std")]
    try:
        mean, deviation = (
            tuple(float(each) for each in (value if isinstance(value, list) else [value])) for value in found
        )
    except (TypeError, ValueError):
        mean, deviation = (), ()
    if not mean or not deviation or not all(deviation):
        raise BadInput(f"image_mean and image_std in {PREPROCESSOR} of {folder.name} should be numbers")
    return mean, deviation
