"""What a job on texts computes, and what it leaves."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from jobs.datasets.readable import readable
from jobs.errors import InvalidSpec
from jobs.extending.specs import Part, TrainingSpec
from jobs.names import PretrainedName, TextSetName
from jobs.spec import JobResult
from jobs.transformer.judging.figures import ClassMetrics, Scores
from jobs.transformer.tuning.settings import (
    Accumulate,
    CheckpointSeconds,
    ClassWeights,
    ClipNorm,
    FrozenLayers,
    LearningRate,
    Patience,
    Precision,
    Schedule,
    Warmup,
    WeightDecay,
    check_accumulate,
    check_part,
    rate_depends_on_epochs,
)
from jobs.transformer.uses import (
    IMPORTS,
    Classification,
    ClassifyTexts,
    Column,
    EmbedTexts,
    Encoder,
    EvaluateClassifier,
    TextEmbeddings,
    TextEvaluation,
    Texts,
)

__all__ = [
    "SMALLEST",
    "ClassMetrics",
    "Classification",
    "ClassifyTexts",
    "EmbedTexts",
    "EvaluateClassifier",
    "FineTune",
    "FineTuneResult",
    "Scores",
    "TextEmbeddings",
    "TextEvaluation",
]

DEFAULT_PRETRAINED, DEFAULT_DATASET = "minilm-l6", "tweets"

#: The name of a class, which may be given as a number.
Label = Annotated[
    str, BeforeValidator(lambda value: str(value) if isinstance(value, int) else readable(value))
]
Labels = Annotated[tuple[Label, ...], Field(max_length=10_000, strict=False)]


class FineTuneResult(JobResult):
    """The result of a fine-tuning."""

    class_names: list[str] = Field(description="by number")
    rows: dict[str, int] = Field(description="texts by part: train, validation, test")
    left_out: dict[str, int] = Field(description="rows that could not be used, by the reason")
    steps: int = Field(description="updates of the weights")
    epochs: int = Field(description="passes over the training rows")
    best_epoch: int | None = Field(description="the epoch whose weights were kept; None without validation")
    loss: float = Field(description="training loss, mean of the last epoch")
    validation: Scores | None = Field(description="on the validation rows, with the weights that were kept")
    notes: list[str] = Field(
        default_factory=list, description="what was changed in the rows or taken for something, in numbers"
    )
    test: Scores | None = Field(description="on rows that had no part in the training or in its choices")
    seconds: float = Field(description="training time of the last attempt")
    examples_per_second: float = Field(description="texts trained on a second, in the last attempt")
    precision: str = Field(description="what the training was calculated in")
    rows_repeated: int = Field(
        default=0, description="rows used twice per epoch to fill the last batch, different ones in each"
    )
    rows_left_out: int = Field(default=0, description="rows left out per epoch, different ones in each")
    state_sha256: str = Field(description="digest of the final state; equal for equal specs, bit for bit")


class FineTune(TrainingSpec[FineTuneResult], kind="transformer.finetune"):
    """Fine-tunes a pretrained Transformer to tell texts of different classes apart."""

    imports: ClassVar[tuple[str, ...]] = (*IMPORTS, "jobs.transformer.finetune")

    pretrained: PretrainedName | None = Field(
        default=None,
        description="the checkpoint to begin with: minilm-l6 (the default), one of a hub (owner/name), a "
        "folder, or an upload",
    )
    model: Encoder | None = Field(
        default=None,
        description="in place of 'pretrained': a transformer.finetune or selfsupervised.text.train job",
    )
    dataset: TextSetName | None = Field(
        default=None, description="a named data set of texts, by default tweets, or a file of your own"
    )
    texts: Texts = Field(default=(), description="in place of 'dataset': the texts themselves")
    labels: Labels = Field(default=(), description="of 'texts': the class of each, text or number")
    text_column: Column = Field(default="text", description="the column, or JSON field, that holds the text")
    label_column: Column = Field(default="label", description="the column that holds the class")
    unlabelled: Literal["refuse", "skip"] = Field(
        default="refuse", description="what becomes of a file with rows that have no label"
    )
    rows: int | None = Field(
        default=None, ge=2, le=100_000_000, description="use so many rows, drawn by the seed; by default all"
    )
    balanced: bool = Field(default=False, description="draw the same number of rows of every class")
    validation: Part = Field(
        default=0.1,
        description="validation rows, which choose the best epoch: a share below 1, or a number",
    )
    test: Part = Field(
        default=0.1, description="test rows, for the final figures only: a share below 1, or a number of rows"
    )
    epochs: int = Field(default=3, ge=1, le=10_000, description="passes over the training rows")
    batch_size: int = Field(default=32, ge=1, le=4096, description="texts per update")
    accumulate: Accumulate = 1
    max_length: int = Field(
        default=128, ge=4, le=8192, description="maximum tokens per text; longer texts are truncated"
    )
    learning_rate: LearningRate = 5e-5
    schedule: Schedule = "linear"
    warmup: Warmup = 0.1
    weight_decay: WeightDecay = 0.01
    clip_norm: ClipNorm = 1.0
    class_weights: ClassWeights = "none"
    frozen_layers: FrozenLayers = 0
    metric: Literal["macro_f1", "accuracy", "validation_loss"] = Field(
        default="macro_f1", description="metric by which the best epoch is chosen"
    )
    patience: Patience = None
    precision: Precision = "auto"
    checkpoint_seconds: CheckpointSeconds = 30

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        # Not ValueError: the base turns errors into a sentence before this is asked.
        if self.pretrained is not None and self.model is not None:
            raise InvalidSpec(f"{self.kind}: give one of the fields 'pretrained' and 'model', received both")
        if self.texts and self.dataset is not None:
            raise InvalidSpec(f"{self.kind}: give one of the fields 'texts' and 'dataset', received both")
        if len(self.texts) != len(self.labels):
            raise InvalidSpec(
                f"{self.kind}: field 'labels' should have one label for each of the {len(self.texts)} texts, "
                f"received {len(self.labels)}"
            )
        for field in ("validation", "test"):
            check_part(self.kind, field, getattr(self, field))
        check_accumulate(self.kind, self.batch_size, self.accumulate)
        return self

    def depends_on_epochs(self) -> str | None:
        """See `TrainingSpec.depends_on_epochs`."""
        return rate_depends_on_epochs(self.schedule, self.warmup)

    @property
    def source(self) -> str:
        """The name of the texts: a data set's, or `texts` for those in the spec."""
        return "texts" if self.texts else self.dataset or DEFAULT_DATASET

    def columns(self) -> Iterator[tuple[str, str, str]]:
        """See `JobSpec.columns`."""
        if self.dataset is not None:
            yield "text_column", self.dataset, self.text_column
            yield "label_column", self.dataset, self.label_column


_WORDS = ("love", "great", "fine", "good", "hate", "awful", "poor", "bad")


def _smallest(**fields: Any) -> FineTune:
    """Some texts of different lengths, told apart by a word in them."""
    texts = tuple(f"{'so ' * (number % 3)}{_WORDS[number % 8]}" for number in range(64))
    labels = tuple("good" if number % 8 < 4 else "bad" for number in range(64))
    common = {"pretrained": "tiny", "texts": texts, "labels": labels, "batch_size": 8, "max_length": 16}
    return FineTune.model_validate(common | {"epochs": 4, "learning_rate": 3e-3, "seed": 3} | fields)


#: What the tests over the catalogue run: done in seconds, most of which compiling takes.
SMALLEST = (_smallest(accumulate=2, class_weights="balanced", validation=0.2, patience=3),)
