"""What a self-supervised job computes, and what it leaves."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from jobs.errors import InvalidSpec
from jobs.extending.specs import Part, TrainingSpec
from jobs.imports import OF_NETWORKS
from jobs.names import DataSetName, JobField, JobName
from jobs.selfsupervised.methods.recipes import COMPARES, RECIPES, Method
from jobs.spec import JobResult, JobSpec

#: Pictures of a training in all, unless the spec says otherwise.
PICTURES = 15

Network = Literal["dense", "convolutional"]
Map = Literal["tsne", "pca"]
Width = Annotated[int, Field(ge=1, le=8192)]
#: Not strict about tuple or list, which JSON cannot tell apart; strict about the numbers in it.
Widths = Annotated[tuple[Width, ...], Field(max_length=8, strict=False)]
TrainedModel = Annotated[JobName, JobField("selfsupervised.train")]


class TrainingResult(JobResult):
    """The result of a self-supervised training."""

    steps: int = Field(description="training steps")
    epochs: int = Field(description="passes over the training rows")
    embedding_dim: int = Field(description="numbers in an image's embedding")
    loss: float = Field(description="the method's loss, mean of the last epoch")
    validation_loss: float | None = Field(description="the same loss on rows never trained on, at the end")
    knn_accuracy: float | None = Field(
        description="share of rows whose nearest neighbours have their label, at the end; None if unlabelled"
    )
    seconds: float = Field(description="training time of the last attempt")
    steps_per_second: float = Field(description="of the last attempt")
    rows_repeated: int = Field(
        default=0, description="rows used twice per epoch to fill the last batch, different ones in each"
    )
    rows_left_out: int = Field(default=0, description="rows left out per epoch, different ones in each")
    state_sha256: str = Field(description="digest of the final state; equal for equal specs, bit for bit")


class EmbeddingsResult(JobResult):
    """The result of an encoding."""

    count: int = Field(description="images encoded")
    embedding_dim: int = Field(description="numbers in an image's embedding")


class ReconstructionResult(JobResult):
    """The result of a reconstruction."""

    count: int = Field(description="images reconstructed")
    mean_squared_error: float = Field(description="mean over pixels, which count from 0 to 1")


class EvaluationResult(JobResult):
    """What embeddings are worth, beside raw pixels and principal components of the same number."""

    knn: dict[str, float] = Field(description="accuracy of 20 nearest neighbours, by representation")
    linear: dict[str, dict[str, float]] = Field(
        description="accuracy of a linear probe, by representation and share of the labels"
    )
    effective_rank: dict[str, float] = Field(
        description="how many directions the rows fill, by representation"
    )
    reconstruction_error: dict[str, float] = Field(
        description="mean squared error on the test rows, by representation that can reconstruct"
    )
    labelled: int = Field(description="rows whose labels the probes may use; 0 if the data set has none")
    tested: int = Field(description="rows that accuracy and error were measured on")


class TrainSelfSupervised(TrainingSpec[TrainingResult], kind="selfsupervised.train"):
    """Learns embeddings of images without their labels."""

    imports: ClassVar[tuple[str, ...]] = (*OF_NETWORKS, "jobs.selfsupervised.train")

    dataset: DataSetName = Field(
        default="mnist-5k", description="a built-in data set of images, or one that you uploaded"
    )
    method: Method = Field(
        default="autoencoder", description="the pretext task: what the network learns to predict"
    )
    network: Network = Field(default="dense", description="the autoencoder's layers")
    units: Widths = Field(
        default=(), description="widths of the dense autoencoder's hidden layers on either side of the code"
    )
    filters: Widths = Field(
        default=(32, 64, 128),
        description="channels of the convolutions, each of which halves height and width",
    )
    embedding_dim: int | None = Field(
        default=None,
        ge=1,
        le=4096,
        description="numbers in an image's embedding; by default 32 of an autoencoder, else 128",
    )
    denoise: float = Field(
        default=0.0, ge=0, le=2, description="autoencoder: deviation of the noise on its input, pixels 0 to 1"
    )
    variational: bool = Field(
        default=False,
        description="autoencoder: variational, with codes drawn from a learned normal distribution",
    )
    beta: float = Field(
        default=1.0,
        ge=0,
        le=1000,
        description="variational: weight of the Kullback-Leibler divergence from the standard normal",
    )
    patch: int | None = Field(
        default=None,
        ge=1,
        le=64,
        description="masked: side of a patch in pixels; by default 1/8 of the image's",
    )
    mask_ratio: float = Field(
        default=0.75, gt=0, lt=1, description="masked: share of the patches that are hidden"
    )
    depth: int = Field(default=4, ge=1, le=48, description="masked: transformer blocks of the encoder")
    temperature: float = Field(
        default=0.5, gt=0, le=10, description="contrastive: temperature of the similarities"
    )
    projection_dim: int = Field(
        default=128,
        ge=2,
        le=8192,
        description="contrastive, vicreg: width of the projection that the loss compares",
    )
    augment: float = Field(
        default=1.0,
        ge=0,
        le=2,
        description="contrastive, vicreg: strength of the random augmentations of each view",
    )
    flip: bool | None = Field(
        default=None,
        description="contrastive, vicreg: whether views are mirrored; by default if images have colours",
    )
    epochs: int | None = Field(
        default=None,
        ge=1,
        le=100_000,
        description="passes over the training rows; by default 50 (autoencoder) or 1,500 steps, masked 3,000",
    )
    batch_size: int | None = Field(
        default=None,
        ge=1,
        le=8192,
        description="images per step, by default 256, masked 64; fewer training rows are one batch",
    )
    learning_rate: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="Adam's peak learning rate; by default 0.001, masked 0.002",
    )
    validation: Part = Field(
        default=0.1, description="rows that are never trained on: a share below 1, or a number of rows"
    )
    validation_from: Literal["random", "end"] = Field(
        default="random", description="which rows these are: drawn by the seed, or the last of the data set"
    )
    judge_every: int | None = Field(
        default=None,
        ge=1,
        description="epochs between evaluations on the held-out rows; by default as often as costs little",
    )
    sample_every: int | None = Field(
        default=None, ge=1, description="epochs between sample pictures; by default some 15 pictures a run"
    )
    checkpoint_seconds: float = Field(
        default=30, ge=0, le=24 * 3600, description="seconds between checkpoints while training"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        # Not ValueError: the base turns errors into a sentence before this is asked.
        if self.validation >= 1 and not self.validation.is_integer():
            raise InvalidSpec(
                f"{self.kind}: field 'validation' should be a share below 1 or a whole number of rows, "
                f"received {self.validation}"
            )
        if self.method != "autoencoder" and (self.denoise or self.variational):
            raise InvalidSpec(
                f"{self.kind}: fields 'denoise' and 'variational' belong to the method 'autoencoder', "
                f"received them with {self.method!r}"
            )
        if self.batch_size == 1 and self.method in COMPARES:
            raise InvalidSpec(
                f"{self.kind}: field 'batch_size' should be at least 2 with method {self.method!r}, which "
                "compares the images of a step with each other, received 1"
            )
        if not self.filters and (self.network == "convolutional" or self.method in COMPARES):
            raise InvalidSpec(
                f"{self.kind}: field 'filters' should have at least one number of channels, received none"
            )
        return self

    def depends_on_epochs(self) -> str | None:
        """See `TrainingSpec.depends_on_epochs`."""
        if RECIPES[self.method].warms_up:
            return f"the learning rate of the method {self.method!r} rises and falls over all steps"
        return None

    def intervals(self, epochs: int) -> Mapping[str, int]:
        """See `TrainingSpec.intervals`."""
        return {"sample_every": pictures_every(self, epochs)}


def pictures_every(spec: TrainSelfSupervised, epochs: int) -> int:
    """Epochs between two samples."""
    return spec.sample_every or math.ceil(epochs / PICTURES)


class EncodeImages(JobSpec[EmbeddingsResult], kind="selfsupervised.encode"):
    """Writes the embedding of every image of a data set."""

    imports: ClassVar[tuple[str, ...]] = (*OF_NETWORKS, "jobs.selfsupervised.encode")
    reuses_runner: ClassVar[bool] = True
    divisible: ClassVar[bool] = True

    model: TrainedModel = Field(description="a finished selfsupervised.train job")
    dataset: DataSetName = Field(
        default="mnist-5k", description="a built-in data set, or one that you uploaded"
    )
    checkpoint_seconds: float = Field(
        default=30, ge=0, le=24 * 3600, description="seconds between checkpoints while encoding"
    )


class ReconstructImages(JobSpec[ReconstructionResult], kind="selfsupervised.reconstruct"):
    """Draws images over what an autoencoder or a masked model makes of them."""

    imports: ClassVar[tuple[str, ...]] = (*OF_NETWORKS, "jobs.selfsupervised.reconstruct")
    reuses_runner: ClassVar[bool] = True

    model: TrainedModel = Field(description="a finished selfsupervised.train job")
    dataset: DataSetName = Field(
        default="mnist-5k", description="a built-in data set, or one that you uploaded"
    )
    count: int = Field(default=10, ge=1, le=10_000, description="images to reconstruct, drawn by the seed")


class EvaluateEmbeddings(JobSpec[EvaluationResult], kind="selfsupervised.evaluate"):
    """Measures what embeddings are worth, against raw pixels and principal components."""

    imports: ClassVar[tuple[str, ...]] = (*OF_NETWORKS, "jobs.selfsupervised.evaluate")

    model: TrainedModel = Field(description="a finished selfsupervised.train job")
    dataset: DataSetName = Field(
        default="mnist-5k", description="a built-in data set, or one that you uploaded"
    )
    rows: int = Field(
        default=10_000, ge=2, le=100_000, description="at most so many rows are looked at, drawn by the seed"
    )
    test: Part = Field(
        default=0.2, gt=0, lt=1, description="share of these rows that accuracy is measured on"
    )
    map: Map = Field(default="tsne", description="how the embeddings are laid out in two dimensions")


def _smallest(**fields: Any) -> TrainSelfSupervised:
    common = {"dataset": "digits", "embedding_dim": 8, "batch_size": 256, "judge_every": 2, "seed": 3}
    return TrainSelfSupervised.model_validate(common | fields)


#: One spec of each method, done in seconds: what the tests over the catalogue run.
SMALLEST = (
    _smallest(method="contrastive", filters=(4, 6), projection_dim=8, epochs=6, validation=0.2),
    _smallest(method="vicreg", filters=(4, 6), projection_dim=8, epochs=6),
    _smallest(method="masked", patch=4, mask_ratio=0.5, depth=1, epochs=6),
    _smallest(units=(16,), denoise=0.3, epochs=20),
    _smallest(network="convolutional", filters=(4, 6), variational=True, epochs=6),
)
