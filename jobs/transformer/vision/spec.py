"""What a job on the classes of images computes, and what it leaves."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from jobs.errors import InvalidSpec
from jobs.extending.specs import Part, TrainingSpec
from jobs.imports import OF_NETWORKS
from jobs.names import DataSetName, JobField, JobName, PretrainedName
from jobs.spec import JobResult
from jobs.transformer.judging.figures import Scores
from jobs.transformer.tuning.settings import (
    CheckpointSeconds,
    ClassWeights,
    ClipNorm,
    Patience,
    Precision,
    check_part,
)
from jobs.transformer.vision.uses import (
    ClassifyImages,
    EvaluateImageClassifier,
    ImageClassification,
    ImageEvaluation,
)

__all__ = [
    "SMALLEST",
    "ClassifyImages",
    "EvaluateImageClassifier",
    "ImageClassification",
    "ImageEvaluation",
    "ImageTraining",
    "TrainImageClassifier",
]

#: A job whose weights a training may begin with.
Begun = Annotated[JobName, JobField("transformer.vision.train", "selfsupervised.train")]
Share = Annotated[float, Field(ge=0, lt=1)]


class ImageTraining(JobResult):
    """The result of a training."""

    class_names: list[str] = Field(description="by number")
    rows: dict[str, int] = Field(description="images by part: train, validation, test")
    network: str = Field(description="what was trained: cct, vit, swin, or the encoder that it began with")
    parameters: int = Field(description="numbers in its weights")
    steps: int = Field(description="updates of the weights")
    epochs: int = Field(description="passes over the training rows")
    best_epoch: int | None = Field(description="the epoch whose weights were kept; None without validation")
    loss: float = Field(description="training loss, mean of the last epoch")
    validation: Scores | None = Field(description="on the validation rows, with the weights that were kept")
    test: Scores | None = Field(description="on rows that had no part in the training or in its choices")
    majority: float | None = Field(
        description="accuracy on the test rows of calling all of them the commonest class"
    )
    notes: list[str] = Field(default_factory=list, description="what is unusual about the data set")
    seconds: float = Field(description="training time of the last attempt")
    images_per_second: float = Field(description="trained on, in the last attempt")
    precision: str = Field(description="what the training was calculated in")
    rows_repeated: int = Field(
        description="rows used twice per epoch to fill the last batch, different ones in each"
    )
    state_sha256: str = Field(description="digest of the final state; equal for equal specs, bit for bit")


class TrainImageClassifier(TrainingSpec[ImageTraining], kind="transformer.vision.train"):
    """Trains a Vision Transformer to tell images of different classes apart."""

    imports: ClassVar[tuple[str, ...]] = (*OF_NETWORKS, "jobs.transformer.vision.train")

    dataset: DataSetName = Field(
        default="mnist-5k", description="a built-in data set of images with labels, or one that you uploaded"
    )
    start: Begun | None = Field(
        default=None,
        description="begin with the weights of this finished job: of the same kind, or the encoder of a "
        "selfsupervised.train job (masked, contrastive, vicreg)",
    )
    pretrained: PretrainedName | None = Field(
        default=None,
        description="in place of 'start': a checkpoint of ViT, DeiT or Swin: from a hub (owner/name), "
        "a folder, or an upload",
    )
    network: Literal["cct", "vit"] | None = Field(
        default=None,
        description="cct: a compact convolutional Transformer (the default), for small data; vit: the plain "
        "Vision Transformer; with 'pretrained' or a self-supervised 'start' what these are",
    )
    width: int = Field(default=64, ge=4, le=4096, description="numbers in a token")
    depth: int = Field(default=2, ge=1, le=64, description="blocks")
    heads: int = Field(default=2, ge=1, le=64, description="heads of the attention, which divide the width")
    inner: int | None = Field(
        default=None, ge=1, le=16384, description="numbers between the dense layers; by default 2 x width"
    )
    patch: int | None = Field(
        default=None,
        ge=1,
        le=64,
        description="vit: side of a patch in pixels; by default 1/8 of the image's, 16 at the most",
    )
    convolutions: int | None = Field(
        default=None,
        ge=1,
        le=8,
        description="cct: convolutions, each of which halves the image; by default to 8 x 8 or smaller",
    )
    train_rows: int | None = Field(
        default=None,
        ge=2,
        le=100_000_000,
        description="train on so many rows only, drawn by the seed from those that validation and test leave",
    )
    balanced: bool = Field(default=False, description="draw the same number of training rows of every class")
    validation: Part = Field(
        default=0.1,
        description="validation rows, which choose the best epoch: a share below 1, or a number",
    )
    test: Part = Field(
        default=0.1, description="test rows, for the final figures only: a share below 1, or a number of rows"
    )
    epochs: int | None = Field(
        default=None,
        ge=1,
        le=100_000,
        description="passes over the training rows; by default as many as make 3,000 steps, 20 to 500",
    )
    batch_size: int = Field(default=128, ge=1, le=8192, description="images per update")
    learning_rate: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="AdamW's peak learning rate; by default 0.002, with 'start' 0.001, with 'pretrained' "
        "0.0001",
    )
    layer_decay: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="each layer's learning rate is that of the layer after it times this; by default 1, with "
        "'start' or 'pretrained' 0.75",
    )
    warmup: Share = Field(default=0.1, description="share of the steps in which the learning rate rises")
    weight_decay: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="AdamW's weight decay; biases, normalisations, positions and class token are exempt",
    )
    clip_norm: ClipNorm = 1.0
    drop_path: Share = Field(
        default=0.1,
        description="stochastic depth: probability that an image skips half a block, in the last one",
    )
    label_smoothing: Share = Field(
        default=0.1, description="share of each target that is spread over all classes"
    )
    average: Share = Field(
        default=0.995,
        description="exponential moving average of the weights, which are judged and kept; 0 = none",
    )
    crop: Share = Field(default=0.2, description="crops show at least 1 - crop of each side; 0 = none")
    flip: bool | None = Field(
        default=None,
        description="mirror half of the images; by default if they have colours and no class is named by a "
        "single letter or digit. Never right for text and digits",
    )
    operations: int = Field(
        default=2, ge=0, le=8, description="RandAugment: operations drawn for each image; 0 = none"
    )
    magnitude: float = Field(default=5.0, ge=0, le=10, description="RandAugment: of the operations")
    mixup: float = Field(default=0.0, ge=0, le=10, description="MixUp: alpha of the shares; 0 = none")
    cutmix: float = Field(default=0.0, ge=0, le=10, description="CutMix: alpha of the shares; 0 = none")
    class_weights: ClassWeights = "none"
    frozen_layers: int = Field(
        default=0,
        ge=0,
        le=1000,
        description="number of lowest layers that are frozen, with what makes the tokens; 0 = none",
    )
    metric: Literal["validation_loss", "accuracy", "macro_f1"] = Field(
        default="validation_loss", description="metric by which the best epoch is chosen"
    )
    patience: Patience = None
    judge_every: int = Field(default=1, ge=1, description="epochs between two looks at the validation rows")
    sample_every: int | None = Field(
        default=None, ge=1, description="epochs between sample pictures; by default some 15 pictures a run"
    )
    precision: Precision = "auto"
    checkpoint_seconds: CheckpointSeconds = 30

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.width % self.heads:
            raise InvalidSpec(
                f"{self.kind}: field 'heads' should divide 'width', received {self.heads} and {self.width}"
            )
        if self.pretrained is not None and (self.start is not None or self.network is not None):
            other = "start" if self.start is not None else "network"
            raise InvalidSpec(
                f"{self.kind}: give one of the fields 'pretrained' and {other!r}, received both"
            )
        for field in ("validation", "test"):
            check_part(self.kind, field, getattr(self, field))
        if self.balanced and self.train_rows is None:
            raise InvalidSpec(
                f"{self.kind}: field 'balanced' is about the rows that 'train_rows' draws, received no "
                "'train_rows'"
            )
        return self

    def labelled(self) -> Iterator[tuple[str, str, int]]:
        """See `JobSpec.labelled`."""
        yield "dataset", self.dataset, 2

    @property
    def peak(self) -> float:
        """The highest learning rate."""
        begun = 1e-4 if self.pretrained else 1e-3 if self.start else 2e-3
        return self.learning_rate or begun

    @property
    def decay_by_layer(self) -> float:
        """What a layer's learning rate is of that of the layer after it."""
        return self.layer_decay or (0.75 if self.start or self.pretrained else 1.0)

    def depends_on_epochs(self) -> str | None:
        """See `TrainingSpec.depends_on_epochs`."""
        return "the learning rate rises and falls over all steps"


def _smallest(**fields: Any) -> TrainImageClassifier:
    common = {"dataset": "digits", "width": 8, "batch_size": 256, "epochs": 5, "seed": 3}
    return TrainImageClassifier.model_validate(common | fields)


#: One spec of each network, done in seconds: what the tests over the catalogue run.
SMALLEST = (
    _smallest(depth=1, cutmix=1.0, mixup=0.2, judge_every=2),
    _smallest(network="vit", depth=1, patch=4, average=0.0, patience=1, class_weights="balanced"),
)
