"""What can be done with a trained generator of style."""

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from jobs.errors import InvalidSpec
from jobs.imports import OF_NETWORKS
from jobs.names import DataSetName, JobField, JobName, PairsName
from jobs.spec import Frozen, JobResult, JobSpec

StyleModel = Annotated[JobName, JobField("gan.style.train")]


class TranslatedPictures(JobResult):
    """What a translation of pictures has come to."""

    count: int = Field(description="pictures")
    height: int = Field(description="pixels")
    width: int = Field(description="pixels")
    channels: int = Field(description="1 = grey, 3 = red, green, blue")
    remark: str = Field(default="", description="what was changed, and why")


class ApplyStyle(JobSpec[TranslatedPictures], kind="gan.style.apply"):
    """Gives pictures the look that a training has learnt, each whole, whatever its size."""

    imports: ClassVar[tuple[str, ...]] = (*OF_NETWORKS, "jobs.gan.style.apply")
    reuses_runner: ClassVar[bool] = True
    divisible: ClassVar[bool] = True

    model: StyleModel = Field(description="a finished gan.style.train job")
    dataset: DataSetName = Field(description="the pictures to translate")


class PartnerScores(Frozen):
    """How near pictures are to their true partners, beside two simple methods.

    `source_` is the figure of the pictures as they were, `shifted_` that of their colours shifted to the
    target's mean and deviation.
    """

    pairs: int = Field(description="that were compared")
    l1: float = Field(description="mean absolute difference of the pixels, of a range of 1; 0 is the best")
    source_l1: float = Field(description="of untouched pictures")
    shifted_l1: float = Field(description="of pictures with shifted colours")
    psnr: float = Field(description="peak signal to noise in decibels, mean over the pictures; 100 at most")
    source_psnr: float = Field(description="of untouched pictures")
    shifted_psnr: float = Field(description="of pictures with shifted colours")
    structural_similarity: float = Field(
        description="of brightness (SSIM), mean over the pictures; 1 is the best"
    )
    source_structural_similarity: float = Field(description="of untouched pictures")
    shifted_structural_similarity: float = Field(description="of pictures with shifted colours")


class StyleEvaluation(JobResult):
    """How good a generator of style is. Beside each figure stands what two simple methods come to.

    `source_` is the figure of the pictures as they were, `shifted_` that of their colours shifted to the
    target's mean and deviation, `floor_` that of target pictures against other target pictures.
    """

    count: int = Field(description="translated pictures, and target pictures they were compared with")
    features: str = Field(
        description="what the feature network tells apart: classes, rotations, or rotations and colours"
    )
    feature_accuracy: float | None = Field(
        description="its share of right answers on pictures held out of it"
    )
    frechet_distance: float = Field(description="of translated to target pictures (FID); 0 is the best")
    source_frechet_distance: float = Field(description="of untouched pictures")
    shifted_frechet_distance: float = Field(description="of pictures with shifted colours")
    floor_frechet_distance: float = Field(description="of target pictures to each other")
    kernel_distance: float = Field(description="squared maximum mean discrepancy of the features (KID)")
    kernel_distance_error: float = Field(description="its standard error")
    source_kernel_distance: float = Field(description="of untouched pictures")
    source_kernel_distance_error: float = Field(description="its standard error")
    shifted_kernel_distance: float = Field(description="of pictures with shifted colours")
    shifted_kernel_distance_error: float = Field(description="its standard error")
    floor_kernel_distance: float = Field(description="about 0")
    content_kept: float | None = Field(
        description="share that a classifier of target pictures takes for the class that it had; None unless "
        "both sets have the same classes"
    )
    source_content_kept: float | None = Field(description="of untouched pictures")
    shifted_content_kept: float | None = Field(description="of pictures with shifted colours")
    structural_similarity: float = Field(description="of translated to untouched pictures (SSIM)")
    shifted_structural_similarity: float = Field(description="of pictures with shifted colours")
    edges_in_common: float = Field(description="share of edges that stay where they were")
    shifted_edges_in_common: float = Field(description="of pictures with shifted colours")
    partners: PartnerScores | None = Field(
        default=None, description="how near to the true partners; None without pairs"
    )
    copied: float | None = Field(
        description="share of translated pictures nearer to a target picture than 99 % of these are to any "
        "other: about 0.01 or less unless pictures were memorised; None below 6 target pictures, among which "
        "true partners do not count"
    )
    remark: str = Field(description="what was not measured, and why")


class EvaluateStyle(JobSpec[StyleEvaluation], kind="gan.style.evaluate"):
    """Measures the look that a generator gives and the content it keeps, beside the simplest methods."""

    imports: ClassVar[tuple[str, ...]] = (*OF_NETWORKS, "jobs.gan.style.evaluate")
    model: StyleModel = Field(description="a finished gan.style.train job")
    source: DataSetName | None = Field(
        default=None, description="pictures to translate; by default those it was trained on"
    )
    target: DataSetName | None = Field(
        default=None, description="pictures to compare with; by default those it was trained on"
    )
    pairs: PairsName | None = Field(
        default=None,
        description="pictures with their true partners, in place of source and target; by default those that "
        "a pix2pix training has held out",
    )
    count: int = Field(
        default=2_000,
        ge=20,
        le=50_000,
        description="pictures to translate, compared with as many target pictures; at most half of these",
    )

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        for name in ("source", "target"):
            if self.pairs is not None and getattr(self, name) is not None:
                raise InvalidSpec(
                    f"{self.kind}: field 'pairs' has both sides, received {name!r} beside it; give one or "
                    "the other"
                )
        return self
