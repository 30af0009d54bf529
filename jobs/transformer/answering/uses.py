"""What can be asked of a model that answers questions: specs and results."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Generic, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from jobs.datasets.readable import readable
from jobs.errors import InvalidSpec
from jobs.imports import OF_NETWORKS
from jobs.names import JobField, JobName, PretrainedName, QuestionSetName, TextSetName
from jobs.pretrained.one_model import OfOneModel
from jobs.spec import JobResult, ResultT
from jobs.transformer.answering.scoring.figures import AnswerScores
from jobs.transformer.bulk import fields
from jobs.transformer.bulk.fields import Engine, Precision

#: A checkpoint that `transformer.answering.train` has trained.
Trained = Annotated[JobName, JobField("transformer.answering.train")]
_Column = Annotated[str, StringConstraints(min_length=1, max_length=200)]
#: Half of a character, which JSON can name, becomes U+FFFD: no text stops the work.
_Text = Annotated[str, BeforeValidator(readable), StringConstraints(max_length=1_000_000)]
_Texts = Annotated[tuple[_Text, ...], Field(max_length=10_000, strict=False)]

#: What a runner may import ahead of a job on questions.
IMPORTS = (*OF_NETWORKS, "keras_hub", "transformers", "pyarrow")


class Answers(JobResult):
    """What answering has come to."""

    questions: int = Field(description="rows of the table that is left")
    answered: int = Field(description="of these, with an answer")
    unanswered: int = Field(description="of these, whose document answers them not, by their score")
    without_text: int = Field(description="of these, whose question or document holds no text")
    remarks: dict[str, int] = Field(
        description="rows by what there is to say of them, such as `question cut`"
    )
    answers: list[str | None] = Field(
        description="the answers, if questions and texts were in the spec; else empty"
    )
    threshold: float | None = Field(
        description="score that an answer has to be above; None: every question is answered"
    )
    engine: str = Field(description="what computed the logits: openvino or tensorflow, and the precision")
    seconds: float = Field(description="of the last attempt, or of all parts of a divided job together")
    questions_per_second: float = Field(description="of the last attempt, or in such a second")


class AnsweringEvaluation(JobResult):
    """What an evaluation has come to."""

    scores: AnswerScores = Field(description="on the questions whose answers are known")
    without_answers: int = Field(description="questions that could not be used: nobody says what is right")
    threshold: float | None = Field(
        description="score that an answer has to be above; None: every question is answered"
    )


class Asking(OfOneModel[ResultT], Generic[ResultT]):
    """What all uses of a model have in common: which model, and how documents are read."""

    model: Trained | None = Field(default=None, description="a finished transformer.answering.train job")
    pretrained: PretrainedName | None = Field(
        default=None,
        description="in place of 'model': a checkpoint with a head for answers, from a hub (owner/name), a "
        "folder, or an upload",
    )
    max_length: int | None = Field(
        default=None,
        ge=16,
        le=8192,
        description="tokens of a question and a window of its document; by default as in the training, or "
        "384",
    )
    max_question: int | None = Field(
        default=None,
        ge=2,
        le=4096,
        description="tokens of a question that are read; by default as in the training, or 64",
    )
    stride: int | None = Field(
        default=None,
        ge=1,
        le=8192,
        description="tokens from one window of a document to the next; by default as in the training, or 128",
    )
    max_answer: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="tokens of an answer at most; by default as in the training, or 30",
    )
    threshold: float | None = Field(
        default=None,
        description="score above which an answer is given; by default that of the training, which has found "
        "one if some of its questions have no answer",
    )
    batch_size: int = Field(default=32, ge=1, le=4096, description="windows in a batch")
    precision: Precision = "auto"


class AnswerQuestions(Asking[Answers], kind="transformer.answering.answer"):
    """Finds the words of a document that answer a question, for a set of questions of any size."""

    imports: ClassVar[tuple[str, ...]] = (*IMPORTS, "jobs.transformer.answering.answer")
    reuses_runner: ClassVar[bool] = True
    divisible: ClassVar[bool] = True

    dataset: QuestionSetName | None = Field(
        default=None, description="a set of questions on documents, named or your own"
    )
    questions: _Texts = Field(
        default=(), description="in place of 'dataset': questions that each document is asked"
    )
    documents: TextSetName | None = Field(
        default=None, description="for 'questions': a data set of texts, each of which is a document"
    )
    document_column: _Column = Field(
        default="text", description="the column, or JSON field, that holds the document"
    )
    texts: _Texts = Field(default=(), description="in place of 'documents': the documents themselves")
    n_best: int = Field(default=3, ge=1, le=100, description="answers in the column n_best, the best first")
    output: Literal["parquet", "csv"] = Field(default="parquet", description="the format of the result")
    engine: Engine = "auto"
    checkpoint_seconds: float = Field(
        default=30, ge=0, le=24 * 3600, description="seconds between checkpoints while answering"
    )

    @model_validator(mode="after")
    def _something_to_ask(self) -> Self:
        fields.check(self.kind, self.engine, self.precision)
        if bool(self.questions) == (self.dataset is not None):
            received = "both" if self.questions else "neither"
            raise InvalidSpec(
                f"{self.kind}: give one of the fields 'questions' and 'dataset', received {received}"
            )
        given = bool(self.texts) + (self.documents is not None)
        if given != bool(self.questions):
            needed = "one of the fields 'texts' and 'documents'" if self.questions else "neither of them"
            what = "both" if given > 1 else "one" if given else "neither"
            raise InvalidSpec(
                f"{self.kind}: with {'questions' if self.questions else 'dataset'} comes {needed}, received "
                f"{what}"
            )
        return self

    def columns(self) -> Iterator[tuple[str, str, str]]:
        """See `JobSpec.columns`."""
        if self.documents is not None:
            yield "document_column", self.documents, self.document_column


class EvaluateAnswering(Asking[AnsweringEvaluation], kind="transformer.answering.evaluate"):
    """Measures answers on questions whose answers are known, beside the simplest methods."""

    imports: ClassVar[tuple[str, ...]] = (*IMPORTS, "jobs.transformer.answering.evaluate")
    reuses_runner: ClassVar[bool] = True

    dataset: QuestionSetName = Field(description="a set of questions with their answers, named or your own")
