"""What a job on questions computes, and what it leaves."""

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from jobs.errors import InvalidSpec
from jobs.extending.specs import Part, TrainingSpec
from jobs.names import PretrainedName, QuestionSetName
from jobs.spec import JobResult
from jobs.transformer.answering.scoring.figures import AnswerFigures, AnswerScores
from jobs.transformer.answering.uses import (
    IMPORTS,
    AnsweringEvaluation,
    AnswerQuestions,
    Answers,
    EvaluateAnswering,
    Trained,
)
from jobs.transformer.tuning.settings import (
    Accumulate,
    CheckpointSeconds,
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

__all__ = [
    "SMALLEST",
    "AnswerFigures",
    "AnswerQuestions",
    "AnswerScores",
    "AnsweringEvaluation",
    "Answers",
    "EvaluateAnswering",
    "TrainAnswering",
    "TrainingOfAnswers",
]

DEFAULT_PRETRAINED = "minilm-l6"
#: Special tokens of a row at most, of all families: `<s> question </s></s> window </s>`.
SPECIAL = 4


class TrainingOfAnswers(JobResult):
    """The result of a training."""

    questions: dict[str, int] = Field(description="questions by part: train, validation, test")
    documents: dict[str, int] = Field(description="documents by part; none is in two")
    windows: int = Field(description="pairs of a question and a window of its document that are trained on")
    left_out: dict[str, int] = Field(description="questions that could not be used, by the reason")
    steps: int = Field(description="updates of the weights")
    epochs: int = Field(description="passes over the training windows")
    best_epoch: int | None = Field(description="the epoch whose weights were kept; None without validation")
    loss: float = Field(description="training loss, mean of the last epoch")
    threshold: float | None = Field(
        description="score above which an answer is given, found on the validation questions; None if all of "
        "these have an answer: then every question is answered"
    )
    validation: AnswerScores | None = Field(
        description="on the validation questions, with the weights that were kept"
    )
    test: AnswerScores | None = Field(
        description="on questions whose documents had no part in the training or its choices"
    )
    seconds: float = Field(description="training time of the last attempt")
    windows_per_second: float = Field(description="windows trained on a second, in the last attempt")
    precision: str = Field(description="what the training was calculated in")
    rows_repeated: int = Field(default=0, description="windows used twice per epoch to fill the last batch")
    state_sha256: str = Field(description="digest of the final state; equal for equal specs, bit for bit")


class TrainAnswering(TrainingSpec[TrainingOfAnswers], kind="transformer.answering.train"):
    """Trains a pretrained Transformer to find the words of a document that answer a question."""

    imports: ClassVar[tuple[str, ...]] = (*IMPORTS, "jobs.transformer.answering.train")

    pretrained: PretrainedName | None = Field(
        default=None,
        description="the checkpoint to begin with: minilm-l6 (the default), one of a hub (owner/name), a "
        "folder, or an upload",
    )
    model: Trained | None = Field(
        default=None, description="in place of 'pretrained': an earlier transformer.answering.train job"
    )
    dataset: QuestionSetName = Field(
        default="residents", description="a set of questions with answers, named or your own"
    )
    rows: int | None = Field(
        default=None,
        ge=2,
        le=100_000_000,
        description="use so many questions, drawn by the seed; by default all",
    )
    validation: Part = Field(
        default=0.1,
        description="questions that choose the best epoch: a share below 1, or a number; whole documents",
    )
    test: Part = Field(
        default=0.1,
        description="questions for the final figures only: a share below 1, or a number; whole documents",
    )
    epochs: int = Field(default=3, ge=1, le=10_000, description="passes over the training windows")
    batch_size: int = Field(default=16, ge=1, le=4096, description="windows per update")
    accumulate: Accumulate = 1
    max_length: int = Field(
        default=384, ge=16, le=8192, description="tokens of a question and a window of its document"
    )
    max_question: int = Field(default=64, ge=2, le=4096, description="tokens of a question that are read")
    stride: int = Field(
        default=128, ge=1, le=8192, description="tokens from one window of a document to the next"
    )
    max_answer: int = Field(default=30, ge=1, le=1024, description="tokens of an answer at most")
    learning_rate: LearningRate = 5e-5
    schedule: Schedule = "linear"
    warmup: Warmup = 0.1
    weight_decay: WeightDecay = 0.01
    clip_norm: ClipNorm = 1.0
    frozen_layers: FrozenLayers = 0
    metric: Literal["f1", "exact_match", "validation_loss"] = Field(
        default="f1", description="metric by which the best epoch is chosen"
    )
    patience: Patience = None
    precision: Precision = "auto"
    checkpoint_seconds: CheckpointSeconds = 30

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        # Not ValueError: the base turns errors into a sentence before this is asked.
        if self.pretrained is not None and self.model is not None:
            raise InvalidSpec(f"{self.kind}: give one of the fields 'pretrained' and 'model', received both")
        for field in ("validation", "test"):
            check_part(self.kind, field, getattr(self, field), "questions")
        check_accumulate(self.kind, self.batch_size, self.accumulate)
        check_windows(self.kind, self.max_length, self.max_question, self.stride)
        return self

    def depends_on_epochs(self) -> str | None:
        """See `TrainingSpec.depends_on_epochs`."""
        return rate_depends_on_epochs(self.schedule, self.warmup)


def check_windows(kind: str, max_length: int, max_question: int, stride: int) -> None:
    """Refuses windows between which tokens of the document would be lost.

    Raises:
        InvalidSpec: the stride is longer than a window.
    """
    room = max_length - max_question - SPECIAL
    if room < 1:
        raise InvalidSpec(
            f"{kind}: field 'max_length' should be at least {max_question + SPECIAL + 1}, received "
            f"{max_length}: max_question={max_question} tokens are for the question and {SPECIAL} are "
            "special ones; give a larger max_length, or a smaller max_question"
        )
    if stride > room:
        raise InvalidSpec(
            f"{kind}: field 'stride' should be at most {room}, received {stride}: of max_length="
            f"{max_length} tokens, max_question={max_question} are for the question and {SPECIAL} are "
            "special ones, and windows further apart would leave out tokens between them"
        )


#: What the tests over the catalogue run: done in seconds, most of which compiling takes.
SMALLEST = (
    TrainAnswering(
        pretrained="tiny",
        dataset="residents",
        rows=36,
        validation=0.2,
        epochs=3,
        batch_size=8,
        accumulate=2,
        max_length=128,
        max_question=16,
        stride=32,
        max_answer=12,
        learning_rate=3e-3,
        patience=2,
        seed=3,
    ),
)
