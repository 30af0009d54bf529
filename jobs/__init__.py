"""What can run: specs, families and the one training loop."""

from jobs.gan.spec import (
    Augmentation,
    AugmentDataSet,
    EvaluateGan,
    Evaluation,
    GanResult,
    GenerateImages,
    ImagesResult,
    TrainGan,
)

__all__ = [
    "AugmentDataSet",
    "Augmentation",
    "EvaluateGan",
    "Evaluation",
    "GanResult",
    "GenerateImages",
    "ImagesResult",
    "TrainGan",
]
