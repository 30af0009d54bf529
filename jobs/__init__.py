"""What can run: specs, families and the one training loop."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    from jobs.gan.style.spec import (
        ApplyStyle,
        EvaluateStyle,
        PartnerScores,
        StyleEvaluation,
        StyleTraining,
        TrainStyle,
        TranslatedPictures,
    )
    from jobs.selfsupervised.series.spec import (
        EvaluateSeries,
        Filled,
        FillSeries,
        Forecast,
        ForecastSeries,
        SeriesEvaluation,
        TrainingFigures,
        TrainSeries,
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
    from jobs.selfsupervised.text.spec import (
        EvaluateText,
        FilledText,
        FillText,
        TextScores,
        TextTraining,
        TrainText,
    )
    from jobs.transformer.answering.spec import (
        AnsweringEvaluation,
        AnswerQuestions,
        Answers,
        EvaluateAnswering,
        TrainAnswering,
        TrainingOfAnswers,
    )
    from jobs.transformer.generation.spec import (
        EvaluateGeneration,
        Generated,
        GenerateTexts,
        GenerationScores,
        GenerationTraining,
        TextLoss,
        TrainGeneration,
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
    from jobs.transformer.vision.spec import (
        ClassifyImages,
        EvaluateImageClassifier,
        ImageClassification,
        ImageEvaluation,
        ImageTraining,
        TrainImageClassifier,
    )

#: Where these names are. Each is imported when it is first asked for: a command line has to start at once.
_SPECS = (
    "jobs.gan.spec",
    "jobs.gan.style.spec",
    "jobs.selfsupervised.series.spec",
    "jobs.selfsupervised.spec",
    "jobs.selfsupervised.text.spec",
    "jobs.transformer.answering.spec",
    "jobs.transformer.generation.spec",
    "jobs.transformer.spec",
    "jobs.transformer.vision.spec",
)

__all__ = [
    "AnswerQuestions",
    "AnsweringEvaluation",
    "Answers",
    "ApplyStyle",
    "AugmentDataSet",
    "Augmentation",
    "Classification",
    "ClassifyImages",
    "ClassifyTexts",
    "EmbedTexts",
    "EmbeddingsResult",
    "EncodeImages",
    "EvaluateAnswering",
    "EvaluateClassifier",
    "EvaluateEmbeddings",
    "EvaluateGan",
    "EvaluateGeneration",
    "EvaluateImageClassifier",
    "EvaluateSeries",
    "EvaluateStyle",
    "EvaluateText",
    "Evaluation",
    "EvaluationResult",
    "FillSeries",
    "FillText",
    "Filled",
    "FilledText",
    "FineTune",
    "FineTuneResult",
    "Forecast",
    "ForecastSeries",
    "GanResult",
    "GenerateImages",
    "GenerateTexts",
    "Generated",
    "GenerationScores",
    "GenerationTraining",
    "ImageClassification",
    "ImageEvaluation",
    "ImageTraining",
    "ImagesResult",
    "PartnerScores",
    "ReconstructImages",
    "ReconstructionResult",
    "SeriesEvaluation",
    "StyleEvaluation",
    "StyleTraining",
    "TextEmbeddings",
    "TextEvaluation",
    "TextLoss",
    "TextScores",
    "TextTraining",
    "TrainAnswering",
    "TrainGan",
    "TrainGeneration",
    "TrainImageClassifier",
    "TrainSelfSupervised",
    "TrainSeries",
    "TrainStyle",
    "TrainText",
    "TrainingFigures",
    "TrainingOfAnswers",
    "TrainingResult",
    "TranslatedPictures",
]


def __getattr__(name: str) -> Any:
    for module in _SPECS if name in __all__ else ():
        if (found := getattr(import_module(module), name, None)) is not None:
            globals()[name] = found
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
