"""What can run: specs, families and the one training loop."""

from jobs.gan.spec import (
    EvaluateGan,
    Evaluation,
    GanResult,
    GenerateImages,
    ImagesResult,
    TrainGan,
)

__all__ = [
    "EvaluateGan",
    "Evaluation",
    "GanResult",
    "GenerateImages",
    "ImagesResult",
    "TrainGan",
]
