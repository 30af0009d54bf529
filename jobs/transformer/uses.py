"""What can be asked of a model that reads texts: specs and results."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Generic, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from jobs.datasets.readable import readable
from jobs.errors import InvalidSpec
from jobs.imports import OF_NETWORKS
from jobs.names import JobField, JobName, PretrainedName, TextSetName
from jobs.pretrained.one_model import OfOneModel
from jobs.spec import JobResult, ResultT
from jobs.transformer.bulk import fields
from jobs.transformer.bulk.fields import Engine, Precision
from jobs.transformer.judging.figures import Scores

#: A checkpoint that `transformer.finetune` has trained.
FineTuned = Annotated[JobName, JobField("transformer.finetune")]
#: One whose encoder will do, whatever head it has.
Encoder = Annotated[JobName, JobField("transformer.finetune", "selfsupervised.text.train")]
Column = Annotated[str, StringConstraints(min_length=1, max_length=200)]
#: Half of a character, which JSON can name, becomes U+FFFD: no text stops the work.
Text = Annotated[str, BeforeValidator(readable), StringConstraints(max_length=1_000_000)]
#: Not strict about tuple or list, which JSON cannot tell apart; strict about the texts in it.
Texts = Annotated[tuple[Text, ...], Field(max_length=10_000, strict=False)]

#: What a runner may import ahead of a job on texts.
IMPORTS = (*OF_NETWORKS, "keras_hub", "transformers", "pyarrow")


class Classification(JobResult):
    """What a classification has come to."""

    rows: int = Field(description="rows of the file, or texts of the spec")
    unclassified: int = Field(description="rows that held no text: empty, null, or not to be read")
    remarks: dict[str, int] = Field(description="rows by what there is to say of them, such as `not UTF-8`")
    labels: dict[str, int] = Field(description="rows by predicted class")
    predictions: list[str | None] = Field(
        description="the predicted classes, if the texts were in the spec; else empty"
    )
    engine: str = Field(description="what computed the logits: openvino or tensorflow, and the precision")
    seconds: float = Field(description="of the last attempt, or of all parts of a divided job together")
    rows_per_second: float = Field(description="of the last attempt, or in such a second")


class TextEvaluation(JobResult):
    """What an evaluation has come to."""

    scores: Scores = Field(description="on the labelled rows")
    left_out: dict[str, int] = Field(description="rows that could not be used, by the reason")
    notes: list[str] = Field(
        default_factory=list, description="what was changed in the rows or taken for something, in numbers"
    )


class TextEmbeddings(JobResult):
    """What embedding texts has come to."""

    count: int = Field(description="rows of `embeddings`; those without a text are all zero")
    embedding_dim: int = Field(description="numbers in a text's embedding")
    unembedded: int = Field(description="rows that held no text")
    remarks: dict[str, int] = Field(
        default_factory=dict, description="rows by what there is to say of them, such as `not UTF-8`"
    )


class Asking(OfOneModel[ResultT], Generic[ResultT]):
    """What all uses of a model have in common: which model, and which texts."""

    model: FineTuned | None = Field(default=None, description="a finished transformer.finetune job")
    pretrained: PretrainedName | None = Field(
        default=None,
        description="in place of 'model': a checkpoint from a hub (owner/name), a folder, or an upload",
    )
    dataset: TextSetName | None = Field(
        default=None, description="a named data set of texts, or a file of your own"
    )
    text_column: Column = Field(default="text", description="the column, or JSON field, that holds the text")
    max_length: int = Field(default=128, ge=4, le=8192, description="tokens of a text that are read")
    batch_size: int = Field(default=64, ge=1, le=4096, description="texts in a batch")
    precision: Precision = "auto"

    def columns(self) -> Iterator[tuple[str, str, str]]:
        """See `JobSpec.columns`."""
        if self.dataset is not None:
            yield "text_column", self.dataset, self.text_column


class ClassifyTexts(Asking[Classification], kind="transformer.classify"):
    """Tells the class of every text, of a spec or of a file of any size."""

    imports: ClassVar[tuple[str, ...]] = (*IMPORTS, "jobs.transformer.classify")
    reuses_runner: ClassVar[bool] = True
    divisible: ClassVar[bool] = True

    texts: Texts = Field(default=(), description="in place of 'dataset': the texts themselves")
    output: Literal["parquet", "csv"] = Field(default="parquet", description="the format of the result")
    engine: Engine = "auto"
    checkpoint_seconds: float = Field(
        default=30, ge=0, le=24 * 3600, description="seconds between checkpoints while classifying"
    )

    @model_validator(mode="after")
    def _some_texts(self) -> Self:
        _either(self, "texts", bool(self.texts))
        fields.check(self.kind, self.engine, self.precision)
        return self


class EvaluateClassifier(Asking[TextEvaluation], kind="transformer.evaluate"):
    """Measures a classifier on a labelled file."""

    imports: ClassVar[tuple[str, ...]] = (*IMPORTS, "jobs.transformer.evaluate")
    reuses_runner: ClassVar[bool] = True

    label_column: Column = Field(default="label", description="the column that holds the label")
    unlabelled: Literal["refuse", "skip"] = Field(
        default="refuse", description="what becomes of a file with rows that have no label"
    )
    unknown: Literal["refuse", "skip"] = Field(
        default="refuse", description="what becomes of a file with labels that the model has no class for"
    )

    @model_validator(mode="after")
    def _some_texts(self) -> Self:
        if self.dataset is None:
            raise InvalidSpec(f"{self.kind}: field 'dataset' is required")
        return self

    def columns(self) -> Iterator[tuple[str, str, str]]:
        """See `JobSpec.columns`."""
        yield from super().columns()
        if self.dataset is not None:
            yield "label_column", self.dataset, self.label_column


class EmbedTexts(Asking[TextEmbeddings], kind="transformer.embed"):
    """Turns every text into numbers: the mean of its tokens' last hidden states."""

    imports: ClassVar[tuple[str, ...]] = (*IMPORTS, "jobs.transformer.embed")
    reuses_runner: ClassVar[bool] = True
    divisible: ClassVar[bool] = True

    model: Encoder | None = Field(
        default=None, description="a finished transformer.finetune or selfsupervised.text.train job"
    )
    texts: Texts = Field(default=(), description="in place of 'dataset': the texts themselves")
    normalize: bool = Field(default=True, description="whether every embedding gets length 1")
    checkpoint_seconds: float = Field(
        default=30, ge=0, le=24 * 3600, description="seconds between checkpoints while embedding"
    )

    @model_validator(mode="after")
    def _some_texts(self) -> Self:
        _either(self, "texts", bool(self.texts))
        return self


def _either(spec: Any, field: str, given: bool) -> None:
    if given == (spec.dataset is not None):
        received = "both" if given else "neither"
        raise InvalidSpec(f"{spec.kind}: give one of the fields {field!r} and 'dataset', received {received}")
