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
from jobs.transformer.spec import (
    Classification,
    ClassifyTexts,
    EmbedTexts,
    EvaluateClassifier,
    FineTune,
    FineTuneResult,
    TextEmbeddings,
    TextEvaluation,
)

__all__ = [
    "AugmentDataSet",
    "Augmentation",
    "Classification",
    "ClassifyTexts",
    "EmbedTexts",
    "EmbeddingsResult",
    "EncodeImages",
    "EvaluateClassifier",
    "EvaluateEmbeddings",
    "EvaluateGan",
    "Evaluation",
    "EvaluationResult",
    "FineTune",
    "FineTuneResult",
    "GanResult",
    "GenerateImages",
    "ImagesResult",
    "ReconstructImages",
    "ReconstructionResult",
    "TextEmbeddings",
    "TextEvaluation",
    "TrainGan",
    "TrainSelfSupervised",
    "TrainingResult",
]
