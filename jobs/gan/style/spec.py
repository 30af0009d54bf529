"""What a job of style transfer computes, and what it leaves."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from jobs.extending.specs import TrainingSpec
from jobs.gan.style.networks.size import Network
from jobs.gan.style.recipes import Loss, Method, check
from jobs.gan.style.uses import ApplyStyle, EvaluateStyle, PartnerScores, StyleEvaluation, TranslatedPictures
from jobs.imports import OF_NETWORKS
from jobs.names import DataSetName, PairsName
from jobs.spec import JobResult

__all__ = [
    "SMALLEST",
    "ApplyStyle",
    "EvaluateStyle",
    "PartnerScores",
    "StyleEvaluation",
    "StyleTraining",
    "TrainStyle",
    "TranslatedPictures",
]

#: Pictures, and looks, of a training in all, unless the spec says otherwise.
PICTURES, LOOKS = 15, 8

#: Data sets to try it with.
USUAL = {"source": "mnist-5k", "target": "print"}

Precision = Literal["float32", "bfloat16"]


class StyleTraining(JobResult):
    """What a training of style transfer has come to."""

    steps: int = Field(description="training steps, each one update of every network")
    epochs: int = Field(description="passes over the larger of the two sets, or over the pairs")
    crop: int = Field(description="side in pixels of what a step sees of each picture")
    channels: int = Field(description="1 = grey, 3 = red, green, blue")
    d_loss: float = Field(description="the discriminator's loss, mean of the last epoch")
    g_loss: float = Field(description="the generator's whole loss, mean of the last epoch")
    seconds: float = Field(description="training time of the last attempt")
    images_per_second: float = Field(description="source pictures seen a second in the last attempt")
    frechet_distance: float | None = Field(
        default=None,
        description="of translated pictures to the target set, with the generator that was kept; None if not "
        "measured",
    )
    source_frechet_distance: float | None = Field(
        default=None, description="of the pictures as they were: what doing nothing comes to"
    )
    floor_frechet_distance: float | None = Field(
        default=None, description="of target pictures to other target pictures"
    )
    content_kept: float | None = Field(
        default=None,
        description="share of translated pictures that a classifier of target pictures takes for the class "
        "that they had; None unless both sets have the same classes",
    )
    source_content: float | None = Field(
        default=None, description="the same share of the pictures as they were"
    )
    classifier_accuracy: float | None = Field(
        default=None, description="of that classifier on target pictures held out of it"
    )
    validation: PartnerScores | None = Field(
        default=None, description="pix2pix: on the pairs that were held out, with the generator that was kept"
    )
    best_epoch: int | None = Field(default=None, description="the epoch of the generator that was kept")
    rollbacks: int = Field(default=0, description="times that training went back to its best weights")
    rows_repeated: int = Field(
        default=0, description="rows used twice per epoch to fill the last batch, different ones in each"
    )
    remark: str = Field(default="", description="what was changed or not measured, and why")
    state_sha256: str = Field(description="digest of the final state; equal for equal specs, bit for bit")


class TrainStyle(TrainingSpec[StyleTraining], kind="gan.style.train"):
    """Learns to give pictures another look: from two sets, or, with pix2pix, from pairs."""

    imports: ClassVar[tuple[str, ...]] = (*OF_NETWORKS, "jobs.gan.style.train")

    source: DataSetName | None = Field(
        default=None,
        description="pictures whose content is to stay; by default mnist-5k, and none with pix2pix",
    )
    target: DataSetName | None = Field(
        default=None,
        description="pictures that show the look to learn; by default print, none with pix2pix",
    )
    pairs: PairsName | None = Field(
        default=None, description="pix2pix: pictures with their partners, in place of source and target"
    )
    method: Method = Field(
        default="cut",
        description="contrastive (CUT), its faster form, cycle-consistent both ways, or from pairs "
        "(pix2pix); it sets the defaults of the fields below",
    )
    epochs: int | None = Field(
        default=None,
        ge=1,
        le=100_000,
        description="passes over the larger set; by default as many as make 4,000 steps, 8,000 of small "
        "crops",
    )
    batch_size: int | None = Field(
        default=None,
        ge=1,
        le=4096,
        description="pictures of each set per step; by default 8, of large ones 1",
    )
    crop: int | None = Field(
        default=None,
        ge=8,
        le=1024,
        multiple_of=4,
        description="side of the random squares that a step sees; by default the shortest side, 256 at most",
    )
    flip: bool | None = Field(
        default=None,
        description="mirror half of the crops; by default of colour pictures, as grey ones may be writing",
    )
    channels: int | None = Field(
        default=None,
        ge=1,
        le=512,
        description="of the layers at full size; by default 32, of large crops 64, of small ones 16",
    )
    blocks: int | None = Field(
        default=None,
        ge=1,
        le=32,
        description="residual blocks of the generator; by default 4, of large ones 9",
    )
    network: Network | None = Field(
        default=None, description="pix2pix: a U-Net, the default, or the residual generator of the others"
    )
    loss: Loss | None = Field(default=None, description="of the game; by default least squares")
    nce_weight: float | None = Field(
        default=None,
        gt=0,
        le=1000,
        description="cut, fastcut: weight of content beside look; by default 1 and 10, and a tenth of "
        "that where classes are to stay (class_weight)",
    )
    patches: int | None = Field(
        default=None, ge=2, le=65_536, description="cut, fastcut: patches compared, of each layer"
    )
    class_weight: float | None = Field(
        default=None,
        ge=0,
        le=1000,
        description="cut, fastcut: weight of classes that are to stay, where both sets have the same and "
        "crops show whole pictures; by default 0.2; 0 = labels are not looked at",
    )
    cycle_weight: float | None = Field(
        default=None, gt=0, le=1000, description="cyclegan: weight of what comes back"
    )
    identity_weight: float | None = Field(
        default=None,
        ge=0,
        le=100,
        description="cyclegan: weight of target pictures that are to stay, as a share of cycle_weight",
    )
    image_pool: int | None = Field(
        default=None, ge=0, le=1000, description="cyclegan: generated images that come again; 0 = none"
    )
    l1_weight: float | None = Field(
        default=None, gt=0, le=10_000, description="pix2pix: weight of the difference from the partner"
    )
    game_weight: float | None = Field(
        default=None, ge=0, le=1000, description="pix2pix: weight of the game beside it; 0 = L1 alone"
    )
    validation: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="pix2pix: share of the pairs that is held out and measured on, at most 500 pairs and all "
        "but two; by default a tenth",
    )
    learning_rate: float | None = Field(
        default=None, gt=0, le=1, description="Adam's step size, all networks"
    )
    beta_1: float | None = Field(default=None, ge=0, lt=1, description="Adam's momentum, all networks")
    precision: Precision | None = Field(
        default=None,
        description="number format of the convolutions; by default bfloat16 where that is fast",
    )
    augment: bool | None = Field(
        default=None,
        description="random changes to what the discriminator sees; by default below 500 target pictures",
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
        "kept; by default eight a run; 0 = none",
    )
    on_divergence: Literal["fail", "rollback"] = Field(
        default="fail",
        description="when training diverges, or the generator collapses to one picture or to leaving "
        "pictures as they are: fail, or go on from the best weights with half the learning rate, three times "
        "at most",
    )
    checkpoint_seconds: float = Field(
        default=30, ge=0, le=24 * 3600, description="seconds between checkpoints while training"
    )

    @model_validator(mode="before")
    @classmethod
    def _usual_sets(cls, data: Any) -> Any:
        if not isinstance(data, dict) or data.get("method") == "pix2pix":
            return data
        given = {name: value for name, value in data.items() if value is not None or name not in USUAL}
        return {**USUAL, **given}

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        check(self.kind, dict(self))
        return self

    def intervals(self, epochs: int) -> Mapping[str, int]:
        """See `TrainingSpec.intervals`."""
        return {"sample_every": pictures_every(self, epochs), "judge_every": looks_every(self, epochs)}


def pictures_every(spec: TrainStyle, epochs: int) -> int:
    """Epochs between two samples."""
    return spec.sample_every or math.ceil(epochs / PICTURES)


def looks_every(spec: TrainStyle, epochs: int) -> int:
    """Epochs between two looks; 0 for none."""
    return math.ceil(epochs / LOOKS) if spec.judge_every is None else spec.judge_every


_TINY = {
    "source": "mnist-5k",
    "target": "digits",
    "epochs": 2,
    "batch_size": 256,
    "channels": 2,
    "blocks": 1,
    "seed": 3,
}

_PAIRS = {
    "method": "pix2pix",
    "pairs": "digit-edges",
    "epochs": 3,
    "batch_size": 256,
    "channels": 2,
    "seed": 3,
}

#: One spec of each method, done in seconds: what the tests over the catalogue run.
SMALLEST = (
    TrainStyle.model_validate({**_TINY, "patches": 16}),
    TrainStyle.model_validate({**_TINY, "method": "fastcut", "patches": 16, "judge_every": 0, "flip": True}),
    TrainStyle.model_validate(
        {**_TINY, "method": "cyclegan", "image_pool": 3, "augment": True, "loss": "hinge", "judge_every": 0}
    ),
    TrainStyle.model_validate({**_PAIRS, "judge_every": 0, "flip": True, "l1_weight": 50.0}),
)
