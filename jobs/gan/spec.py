"""What a GAN job computes, and what it leaves."""

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from jobs.extending.specs import TrainingSpec
from jobs.gan.architectures.recipes import Architecture, check
from jobs.gan.uses import Augmentation, AugmentDataSet, EvaluateGan, Evaluation
from jobs.imports import OF_NETWORKS
from jobs.names import DataSetName, JobField, JobName
from jobs.spec import JobResult, JobSpec

__all__ = [
    "DEMO",
    "SMALLEST",
    "AugmentDataSet",
    "Augmentation",
    "EvaluateGan",
    "Evaluation",
    "GanResult",
    "GenerateImages",
    "ImagesResult",
    "TrainGan",
]

#: Pictures, and looks, of a training in all, unless the spec says otherwise.
PICTURES, LOOKS = 15, 8

Precision = Literal["float32", "bfloat16"]
Activation = Literal["leaky_relu", "relu", "elu", "gelu", "silu", "tanh"]
Width = Annotated[int, Field(ge=1, le=8192)]
#: Not strict about tuple or list, which JSON cannot tell apart; strict about the numbers in it.
Widths = Annotated[tuple[Width, ...], Field(min_length=1, max_length=8, strict=False)]


#: A class by its name or its number, which may be given as a number.
Label = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, int) else value)]


class GanResult(JobResult):
    """The result of training a GAN."""

    steps: int = Field(description="training steps, each one update of both networks")
    epochs: int = Field(description="passes over the data set")
    d_loss: float = Field(description="the discriminator's loss, mean of the last epoch")
    g_loss: float = Field(description="the generator's loss, mean of the last epoch")
    seconds: float = Field(description="training time of the last attempt")
    images_per_second: float = Field(description="real images seen a second in the last attempt")
    frechet_distance: float | None = Field(
        default=None, description="of the generator that was kept, to real images; None if not measured"
    )
    floor_frechet_distance: float | None = Field(
        default=None, description="of real images to other real ones"
    )
    best_epoch: int | None = Field(default=None, description="the epoch of the generator that was kept")
    rollbacks: int = Field(default=0, description="times that training went back to its best weights")
    rows_repeated: int = Field(
        default=0, description="rows used twice per epoch to fill the last batch, different ones in each"
    )
    rows_left_out: int = Field(default=0, description="rows left out per epoch, different ones in each")
    state_sha256: str = Field(description="digest of the final state; equal for equal specs, bit for bit")


class ImagesResult(JobResult):
    """The result of generating images."""

    count: int = Field(description="images made")
    height: int = Field(description="pixels")
    width: int = Field(description="pixels")
    channels: int = Field(description="1 = grey, 3 = red, green, blue")


class TrainGan(TrainingSpec[GanResult], kind="gan.train"):
    """Trains a generator against a discriminator on a set of images."""

    imports: ClassVar[tuple[str, ...]] = (*OF_NETWORKS, "jobs.gan.train")

    dataset: DataSetName = Field(
        default="mnist-5k", description="a built-in data set of images, or one that you uploaded"
    )
    architecture: Architecture = Field(
        default="dcgan",
        description="networks, loss and update rule; they set the defaults of the fields below",
    )
    epochs: int | None = Field(
        default=None,
        ge=1,
        le=100_000,
        description="passes over the data set; by default as many as make some thousand steps",
    )
    batch_size: int | None = Field(
        default=None, ge=2, le=8192, description="images per step; a smaller data set is one batch"
    )
    latent_dim: int = Field(default=100, ge=1, le=4096, description="length of the generator's input")
    channels: int | None = Field(
        default=None, ge=1, le=512, description="convolutions: channels of the layer nearest to the image"
    )
    generator_units: Widths | None = Field(
        default=None, description="mlp: widths of the generator's hidden layers"
    )
    discriminator_units: Widths | None = Field(
        default=None, description="mlp: widths of the discriminator's hidden layers"
    )
    activation: Activation | None = Field(default=None, description="mlp: after every hidden layer")
    critic_steps: int | None = Field(
        default=None, ge=1, le=20, description="wgan-gp, resnet: discriminator updates per step"
    )
    penalty: float | None = Field(
        default=None, gt=0, le=1000, description="wgan-gp: weight of the gradient penalty"
    )
    learning_rate: float | None = Field(
        default=None, gt=0, le=1, description="Adam's step size, both networks"
    )
    beta_1: float | None = Field(default=None, ge=0, lt=1, description="Adam's momentum, both networks")
    precision: Precision | None = Field(
        default=None,
        description="number format of the convolutions; by default bfloat16 where that is fast",
    )
    augment: bool | None = Field(
        default=None,
        description="random changes to what the discriminator sees; by default below 2,000 images",
    )
    conditional: bool = Field(
        default=False,
        description="class-conditional: generate the class that is asked for; needs a data set with labels",
    )
    average: float = Field(
        default=0.999,
        ge=0,
        lt=1,
        description="decay of the generator's moving average, which draws the pictures; 0 = none",
    )
    sample_every: int | None = Field(
        default=None, ge=1, description="epochs between sample pictures; by default some 15 pictures a run"
    )
    judge_every: int | None = Field(
        default=None,
        ge=0,
        description="epochs between measurements of the Fréchet distance, by which the best generator is "
        "kept; by default eight a run, of mlp none; 0 = none",
    )
    on_divergence: Literal["fail", "rollback"] = Field(
        default="fail",
        description="when training diverges or the generator collapses: fail, or go on from the best weights "
        "with half the learning rate, three times at most",
    )
    checkpoint_seconds: float = Field(
        default=30, ge=0, le=24 * 3600, description="seconds between checkpoints while training"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        check(self.kind, dict(self))
        return self

    def labelled(self) -> Iterator[tuple[str, str, int]]:
        """See `JobSpec.labelled`."""
        if self.conditional:
            yield "dataset", self.dataset, 1

    def intervals(self, epochs: int) -> Mapping[str, int]:
        """See `TrainingSpec.intervals`."""
        return {"sample_every": pictures_every(self, epochs), "judge_every": looks_every(self, epochs)}


def pictures_every(spec: TrainGan, epochs: int) -> int:
    """Epochs between two samples."""
    return spec.sample_every or math.ceil(epochs / PICTURES)


def looks_every(spec: TrainGan, epochs: int) -> int:
    """Epochs between two looks; 0 for none, as of the small dense GAN, for which they would take longest."""
    if spec.judge_every is None:
        return 0 if spec.architecture == "mlp" else math.ceil(epochs / LOOKS)
    return spec.judge_every


class GenerateImages(JobSpec[ImagesResult], kind="gan.generate"):
    """Draws images with a trained generator."""

    imports: ClassVar[tuple[str, ...]] = (*OF_NETWORKS, "jobs.gan.generate")
    reuses_runner: ClassVar[bool] = True
    divisible: ClassVar[bool] = True

    model: Annotated[JobName, JobField("gan.train")] = Field(description="a finished gan.train job")
    count: int = Field(default=64, ge=1, le=10_000, description="images to draw")
    label: Label | None = Field(
        default=None,
        description="conditional models: the class of every image, by name or number; by default all in turn",
    )
    truncation: float | None = Field(
        default=None,
        ge=0.1,
        le=10,
        description="truncation: latents beyond this are resampled; below 2, better images of less variety",
    )
    interpolate: int | None = Field(
        default=None, ge=2, le=64, description="a GIF that interpolates between the first so many images"
    )


#: What `triptych demo` trains: digits that a person would call digits, in a good minute on two cores.
DEMO = TrainGan(
    architecture="mlp",
    dataset="mnist-5k",
    epochs=220,
    batch_size=64,
    generator_units=(256,),
    discriminator_units=(256,),
    learning_rate=5e-4,
)

#: One spec of each architecture, done in seconds: what the tests over the catalogue run.
SMALLEST = (
    TrainGan(
        architecture="mlp",
        dataset="digits",
        epochs=12,
        batch_size=256,
        latent_dim=5,
        generator_units=(7,),
        discriminator_units=(6,),
        seed=3,
    ),
    TrainGan(dataset="digits", epochs=5, batch_size=256, latent_dim=5, channels=6, augment=True, seed=3),
    TrainGan(
        architecture="wgan-gp",
        dataset="digits",
        epochs=3,
        batch_size=256,
        latent_dim=5,
        channels=6,
        critic_steps=2,
        conditional=True,
        augment=True,
        judge_every=0,
        seed=3,
    ),
    TrainGan(
        architecture="resnet",
        dataset="digits",
        epochs=4,
        batch_size=256,
        latent_dim=5,
        channels=4,
        conditional=True,
        augment=True,
        judge_every=0,
        seed=3,
    ),
)
