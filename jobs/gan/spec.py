"""What a GAN job computes, and what it leaves."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from jobs.gan.recipes import Architecture, check
from jobs.gan.uses import Augmentation, AugmentDataSet, EvaluateGan, Evaluation
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

Precision = Literal["float32", "bfloat16"]
Activation = Literal["leaky_relu", "relu", "elu", "gelu", "silu", "tanh"]
Width = Annotated[int, Field(ge=1, le=8192)]
#: Not strict about tuple or list, which JSON cannot tell apart; strict about the numbers in it.
Widths = Annotated[tuple[Width, ...], Field(min_length=1, max_length=8, strict=False)]


#: A class by its name or its number, which may be given as a number.
Label = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, int) else value)]


class GanResult(JobResult):
    """What a trained GAN has come to."""

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
    rollbacks: int = Field(default=0, description="how often training went back to its best weights")
    state_sha256: str = Field(description="digest of the final state; equal for equal specs, bit for bit")


class ImagesResult(JobResult):
    """What a generation has come to."""

    count: int = Field(description="images made")
    height: int = Field(description="pixels")
    width: int = Field(description="pixels")
    channels: int = Field(description="1 = grey, 3 = red, green, blue")


class TrainGan(JobSpec[GanResult], kind="gan.train"):
    """Trains a generator against a discriminator on a set of images."""

    imports: ClassVar[tuple[str, ...]] = ("tensorflow", "keras", "safetensors.numpy", "jobs.gan.train")

    dataset: DataSetName = Field(
        default="mnist-5k", description="a named data set of images, or one of your own"
    )
    architecture: Architecture = Field(
        default="dcgan", description="the networks and their game; what is left open below follows from it"
    )
    epochs: int | None = Field(
        default=None,
        ge=1,
        le=100_000,
        description="passes over the data set; by default as many as make some thousand steps",
    )
    batch_size: int | None = Field(
        default=None, ge=2, le=8192, description="images a step; a smaller data set is one batch"
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
        default=None, ge=1, le=20, description="wgan-gp, resnet: updates of the discriminator in a step"
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
        description="convolutions: what they are calculated in; by default bfloat16 where that is fast",
    )
    augment: bool | None = Field(
        default=None,
        description="whether the discriminator sees images changed at random; by default of fewer than 2,000",
    )
    conditional: bool = Field(
        default=False, description="learn to draw the class that is asked for; needs a data set with labels"
    )
    average: float = Field(
        default=0.999,
        ge=0,
        lt=1,
        description="how much of the generator's running average each step keeps; pictures are drawn with it",
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
        check(self)
        return self


class GenerateImages(JobSpec[ImagesResult], kind="gan.generate"):
    """Draws images with a trained generator."""

    imports: ClassVar[tuple[str, ...]] = ("tensorflow", "keras", "safetensors.numpy", "jobs.gan.generate")

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
        description="latents beyond this are drawn again: below 2, images are better and more alike",
    )
    interpolate: int | None = Field(
        default=None, ge=2, le=64, description="the first so many images melt into each other in a GIF"
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
