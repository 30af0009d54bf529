"""What can be done with a trained GAN besides drawing: judge it, and make a data set of it."""

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from jobs.imports import OF_NETWORKS
from jobs.names import DataSetName, JobField, JobName, Name
from jobs.spec import JobResult, JobSpec


class Evaluation(JobResult):
    """How good a generator is. `floor_` is the same figure for real images against other real ones."""

    count: int = Field(description="samples, real images, and other real images that were compared")
    features: str = Field(
        description="what the feature network tells apart: classes, rotations, or rotations and colours"
    )
    feature_accuracy: float | None = Field(description="its share of right answers on images held out of it")
    frechet_distance: float = Field(description="distance of the features' Gaussians (FID); 0 is the best")
    floor_frechet_distance: float = Field(description="what no generator is expected to beat")
    kernel_distance: float = Field(description="squared maximum mean discrepancy of the features (KID)")
    kernel_distance_error: float = Field(description="its standard error")
    floor_kernel_distance: float = Field(description="about 0")
    floor_kernel_distance_error: float = Field(description="its standard error")
    precision: float = Field(description="share of samples inside the manifold of the real images")
    recall: float = Field(description="share of real images inside the manifold of the samples")
    floor_precision: float = Field(description="the value for real images")
    floor_recall: float = Field(description="the value for real images")
    class_shares: dict[str, float] = Field(description="share of the samples in each class, by the network")
    real_class_shares: dict[str, float] = Field(description="share of the real images, by their labels")
    class_coverage: float | None = Field(
        description="share of the classes with at least a tenth of their share of the real images"
    )
    class_balance: float | None = Field(
        description="1 = classes are as frequent as among the real images, 0 = none in common"
    )
    label_accuracy: float | None = Field(
        description="conditional models: share of samples that show the class asked for, by the network"
    )
    copied: float = Field(
        description="share of samples nearer to a training image than 99 % of these are to any other: "
        "about 0.01 or less unless images were memorised"
    )
    remark: str = Field(description="what was not measured, and why")


class EvaluateGan(JobSpec[Evaluation], kind="gan.evaluate"):
    """Measures how good a trained generator is, against its own data set."""

    imports: ClassVar[tuple[str, ...]] = (*OF_NETWORKS, "jobs.gan.evaluate")
    reuses_runner: ClassVar[bool] = True  # but where it has to train the network that measures

    model: Annotated[JobName, JobField("gan.train")] = Field(description="a finished gan.train job")
    count: int = Field(
        default=10_000,
        ge=20,
        le=50_000,
        description="samples, compared with as many real images; at most half of the data set",
    )


class Augmentation(JobResult):
    """What a data set of samples is worth."""

    dataset: str = Field(description="name of the new data set")
    count: int = Field(description="images in it")
    real: int = Field(description="real images that each classifier was trained on")
    held_out: int = Field(description="real images that accuracy was measured on")
    accuracy: float = Field(description="share of right answers, trained on real images alone; mean of all")
    augmented_accuracy: float = Field(description="trained on real images and samples; mean of all")
    accuracies: tuple[float, ...] = Field(strict=False, description="one a seed, real images alone")
    augmented_accuracies: tuple[float, ...] = Field(strict=False, description="one a seed, with samples")
    remark: str = Field(description="what to know about these figures")


def _not_a_named_one(name: str) -> str:
    # Here, as it brings NumPy: a command line that only lists jobs has no use for it.
    from jobs.datasets.known import content_of

    if content_of(name) is not None:
        raise ValueError("is the name of a data set that comes with Triptych: choose another one")
    return name


class AugmentDataSet(JobSpec[Augmentation], kind="gan.augment"):
    """Makes a labelled data set of a conditional GAN's samples, and measures what it adds to real images."""

    imports: ClassVar[tuple[str, ...]] = (*OF_NETWORKS, "jobs.gan.augment")

    model: Annotated[JobName, JobField("gan.train")] = Field(
        description="a finished gan.train job with conditional=true"
    )
    name: Annotated[Name, AfterValidator(_not_a_named_one)] = Field(description="of the new data set")
    per_class: int = Field(default=500, ge=1, le=10_000, description="samples of each class")
    real: int = Field(
        default=500, ge=2, le=100_000, description="real images to train a classifier on; at most half of all"
    )
    dataset: DataSetName | None = Field(
        default=None,
        description="labelled images of the same classes, to measure with; by default those the model was "
        "trained on, which it has seen",
    )

    def labelled(self) -> Iterator[tuple[str, str, int]]:
        """See `JobSpec.labelled`."""
        if self.dataset is not None:
            yield "dataset", self.dataset, 1
