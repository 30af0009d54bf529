"""What can be asked of a network that looks at images: specs and results."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Generic, Literal, Self

from pydantic import Field, model_validator

from jobs.errors import InvalidSpec
from jobs.imports import OF_NETWORKS
from jobs.names import DataSetName, ImagesName, JobField, JobName, PretrainedName
from jobs.pretrained.one_model import OfOneModel
from jobs.spec import Frozen, JobResult, ResultT
from jobs.transformer.bulk import fields
from jobs.transformer.bulk.fields import Engine, Precision
from jobs.transformer.judging.figures import Scores

TrainedNetwork = Annotated[JobName, JobField("transformer.vision.train")]


class ImageClassification(JobResult):
    """What a classification has come to."""

    rows: int = Field(description="images")
    labels: dict[str, int] = Field(description="images by predicted class")
    engine: str = Field(description="what computed the logits: openvino or tensorflow, and the precision")
    seconds: float = Field(description="of the last attempt, or of all parts of a divided job together")
    rows_per_second: float = Field(description="of the last attempt, or in such a second")


class Mistake(Frozen):
    """An image that the network takes for something else."""

    row: int = Field(description="number of the image in the data set")
    label: str = Field(description="its class")
    predicted: str = Field(description="the class that it was taken for")
    probability: float = Field(description="of the class that it was taken for")


class ImageEvaluation(JobResult):
    """What an evaluation has come to."""

    scores: Scores = Field(description="on the labelled images")
    baselines: dict[str, float] = Field(
        description="accuracy of the simplest methods on the same images: the commonest class in training; "
        "the nearest training image, and logistic regression, on pixels"
    )
    mistakes: list[Mistake] = Field(description="the worst ones first")
    left_out: dict[str, int] = Field(description="images that could not be used, by the reason")
    notes: list[str] = Field(
        default_factory=list, description="what is unusual, and why a baseline is missing"
    )


class Asking(OfOneModel[ResultT], Generic[ResultT]):
    """What all uses of a network have in common: which one."""

    model: TrainedNetwork | None = Field(default=None, description="a finished transformer.vision.train job")
    pretrained: PretrainedName | None = Field(
        default=None,
        description="in place of 'model': a checkpoint of ViT, DeiT or Swin: from a hub (owner/name), "
        "a folder, or an upload",
    )
    precision: Precision = "auto"


class ClassifyImages(Asking[ImageClassification], kind="transformer.vision.classify"):
    """Tells the class of every image of a data set."""

    imports: ClassVar[tuple[str, ...]] = (*OF_NETWORKS, "jobs.transformer.vision.classify")
    reuses_runner: ClassVar[bool] = True
    divisible: ClassVar[bool] = True

    dataset: ImagesName = Field(
        description="a built-in data set of images, one that you uploaded, or a folder of images, which "
        "begins with / or ./ and is uploaded when the job is submitted; its rows are in the order of names"
    )
    output: Literal["parquet", "csv"] = Field(default="parquet", description="the format of the result")
    engine: Engine = "auto"
    checkpoint_seconds: float = Field(
        default=30, ge=0, le=24 * 3600, description="seconds between checkpoints while classifying"
    )

    @model_validator(mode="after")
    def _engine_has_precision(self) -> Self:
        fields.check(self.kind, self.engine, self.precision)
        return self


class EvaluateImageClassifier(Asking[ImageEvaluation], kind="transformer.vision.evaluate"):
    """Measures a network on labelled images, beside the simplest methods."""

    imports: ClassVar[tuple[str, ...]] = (*OF_NETWORKS, "jobs.transformer.vision.evaluate")
    reuses_runner: ClassVar[bool] = True

    dataset: DataSetName | None = Field(
        default=None, description="a data set of images with labels; by default the test rows of the training"
    )
    unknown: Literal["refuse", "skip"] = Field(
        default="refuse", description="what becomes of images with a label that the model has no class for"
    )

    @model_validator(mode="after")
    def _some_images(self) -> Self:
        if self.pretrained is not None and self.dataset is None:
            raise InvalidSpec(f"{self.kind}: field 'dataset' is required with 'pretrained'")
        return self

    def labelled(self) -> Iterator[tuple[str, str, int]]:
        """See `JobSpec.labelled`."""
        if self.dataset is not None:
            yield "dataset", self.dataset, 1
