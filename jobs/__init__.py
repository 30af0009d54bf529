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
from jobs.selfsupervised.spec import (
    EmbeddingsResult,
    EncodeImages,
    EvaluateEmbeddings,
    EvaluationResult,
    ReconstructImages,
    ReconstructionResult,
    TrainingResult,
    TrainSelfSupervised,
)

__all__ = [
    "AugmentDataSet",
    "Augmentation",
    "EmbeddingsResult",
    "EncodeImages",
    "EvaluateEmbeddings",
    "EvaluateGan",
    "Evaluation",
    "EvaluationResult",
    "GanResult",
    "GenerateImages",
    "ImagesResult",
    "ReconstructImages",
    "ReconstructionResult",
    "TrainGan",
    "TrainSelfSupervised",
    "TrainingResult",
]
