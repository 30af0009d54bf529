"""What a job on masked words computes, and what it leaves."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from jobs.datasets.readable import readable
from jobs.errors import InvalidSpec
from jobs.extending.specs import TrainingSpec
from jobs.imports import OF_NETWORKS
from jobs.names import CorpusName, JobField, JobName, PretrainedName, TextSetName
from jobs.pretrained.one_model import OfOneModel
from jobs.spec import Frozen, JobResult

__all__ = [
    "SMALLEST",
    "EvaluateText",
    "FillText",
    "FilledText",
    "MaskedScores",
    "TextScores",
    "TextTraining",
    "TrainText",
]

#: What stands for a hidden word in a text that people write, whatever a model's own mask is called.
MASK = "[MASK]"
IMPORTS = (*OF_NETWORKS, "keras_hub", "transformers")

Text = Annotated[str, BeforeValidator(readable), StringConstraints(max_length=100_000)]
#: Not strict about tuple or list, which JSON cannot tell apart; strict about the texts in it.
Texts = Annotated[tuple[Text, ...], Field(max_length=10_000, strict=False)]
Word = Annotated[str, BeforeValidator(readable), StringConstraints(min_length=1, max_length=100)]
TrainedText = Annotated[JobName, JobField("selfsupervised.text.train")]
Precision = Literal["auto", "float32", "bfloat16"]
HeldOut = Annotated[float, Field(ge=0, lt=1)]


class MaskedScores(Frozen):
    """How well hidden tokens are told, beside the simplest methods on the same ones."""

    tokens: int = Field(description="hidden tokens, each behind the mask")
    loss: float = Field(description="mean cross-entropy in nats")
    perplexity: float = Field(description="its exponential: equally probable tokens to choose from")
    accuracy: float = Field(description="share of hidden tokens that are the most probable one")
    unigram: float = Field(description="perplexity by how frequent each token is in the training part")
    five_gram: float = Field(
        description="perplexity of a 5-gram filler: counts of tokens between two neighbours on each side"
    )


class TextTraining(JobResult):
    """What a training on masked words has come to."""

    documents: dict[str, int] = Field(description="documents by part: train, held_out")
    tokens: dict[str, int] = Field(
        description="tokens by part: train, held_out; cut: of train, what fills no row; unknown: not in "
        "the vocabulary, of both"
    )
    vocabulary: int = Field(description="tokens of the vocabulary")
    parameters: int = Field(description="numbers that are trained")
    notes: list[str] = Field(description="what was chosen or left out, and warnings")
    steps: int = Field(description="updates of the weights")
    epochs: int = Field(description="passes over the training part")
    best_epoch: int | None = Field(
        description="the epoch whose weights were kept; None without a held-out part"
    )
    loss: float = Field(description="training loss in nats, mean of the last epoch")
    held_out: MaskedScores | None = Field(description="on the held-out part, with the weights that were kept")
    seconds: float = Field(description="training time of the last attempt")
    tokens_per_second: float = Field(description="tokens read a second, in the last attempt")
    precision: str = Field(description="what the training was calculated in")
    state_sha256: str = Field(description="digest of the final state; equal for equal specs, bit for bit")


class FilledText(JobResult):
    """What filling masked words has come to."""

    rows: int = Field(description="rows of the file, or texts of the spec")
    unfilled: int = Field(description="rows without a text")
    unmasked: int = Field(description="rows with a text and no mask, which stay as they are")
    remarks: dict[str, int] = Field(description="rows by what there is to say of them, such as `cut`")
    filled: list[str | None] = Field(
        description="the texts with the most probable words, if they were in the spec; else empty"
    )
    seconds: float = Field(description="of the last attempt, or of all parts of a divided job together")


class TextScores(JobResult):
    """How well a model tells hidden words of a corpus."""

    documents: int = Field(description="documents looked at")
    scores: MaskedScores = Field(description="of hidden tokens, beside the simplest methods")
    notes: list[str] = Field(description="what was chosen or left out")


class TrainText(TrainingSpec[TextTraining], kind="selfsupervised.text.train"):
    """Trains an encoder to fill in masked words of running text, from nothing or from a checkpoint."""

    imports: ClassVar[tuple[str, ...]] = (*IMPORTS, "jobs.selfsupervised.text.train")

    dataset: CorpusName = Field(description="a text corpus: `triptych datasets upload NAME PATH --as corpus`")
    pretrained: PretrainedName | None = Field(
        default=None,
        description="the checkpoint to go on from: minilm-l6, one of a hub (owner/name), a folder, or an "
        "upload; by default a new model is trained from nothing",
    )
    vocabulary: Literal["bpe", "bytes", "characters"] = Field(
        default="bpe", description="of a new model: byte-level BPE made from the corpus, bytes, or characters"
    )
    vocabulary_size: int = Field(
        default=8192, ge=262, le=1_000_000, description="tokens of a new bpe vocabulary"
    )
    new_words: Annotated[tuple[Word, ...], Field(max_length=10_000, strict=False)] = Field(
        default=(), description="words that are added to the vocabulary of a checkpoint"
    )
    layers: int = Field(default=4, ge=1, le=48, description="blocks of a new model")
    hidden: int = Field(default=256, ge=8, le=4096, description="width of a new model")
    heads: int = Field(default=4, ge=1, le=128, description="attention heads of a new model")
    dropout: float = Field(default=0.1, ge=0, lt=1, description="dropout of a new model")
    max_length: int = Field(
        default=128, ge=8, le=8192, description="tokens of a row of text, of which each is full"
    )
    held_out: HeldOut = Field(default=0.1, description="share of the corpus that is held out; 0 = nothing")
    hold_out: Literal["auto", "documents", "end"] = Field(
        default="auto",
        description="what is held out: documents drawn by the seed, or the end of the text; auto = documents "
        "if there are 20",
    )
    masked: float = Field(default=0.15, gt=0, le=0.9, description="share of the tokens that are hidden")
    whole_words: bool = Field(default=False, description="hide all tokens of a word together")
    epochs: int = Field(default=10, ge=1, le=10_000, description="passes over the training part")
    batch_size: int = Field(default=32, ge=1, le=4096, description="rows per update")
    optimizer: Literal["adamw", "muon"] = Field(
        default="adamw",
        description="muon = momentum with equal singular values for matrices, AdamW for all else",
    )
    learning_rate: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="peak learning rate; by default 1e-3 for a new model, 5e-5 for a checkpoint",
    )
    warmup: float = Field(
        default=0.1, ge=0, lt=1, description="share of the steps in which the learning rate rises"
    )
    weight_decay: float = Field(
        default=0.01, ge=0, le=1, description="of weights; biases and scales are exempt"
    )
    clip_norm: float = Field(
        default=1.0, ge=0, le=1e6, description="largest norm of the gradients; 0 = no clipping"
    )
    sentences: Texts = Field(
        default=(),
        description="texts with [MASK], filled after each epoch to be looked at; by default some of the "
        "held-out part",
    )
    precision: Precision = Field(
        default="auto", description="number format; auto = bfloat16 where the processor supports it"
    )
    checkpoint_seconds: float = Field(
        default=30, ge=0, le=24 * 3600, description="seconds between checkpoints while training"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.hidden % self.heads:
            raise InvalidSpec(
                f"{self.kind}: field 'heads' should divide hidden, {self.hidden}, received {self.heads}"
            )
        if self.new_words and self.pretrained is None:
            raise InvalidSpec(
                f"{self.kind}: field 'new_words' goes with 'pretrained': a new vocabulary is the corpus's own"
            )
        if without := [text for text in self.sentences if MASK not in text]:
            raise InvalidSpec(
                f"{self.kind}: field 'sentences' should have {MASK} in each, received {without[0][:80]!r}"
            )
        return self

    @property
    def rate(self) -> float:
        """The peak learning rate."""
        return self.learning_rate or (1e-3 if self.pretrained is None else 5e-5)

    def depends_on_epochs(self) -> str | None:
        """See `TrainingSpec.depends_on_epochs`."""
        return "the learning rate rises and falls over all steps (one cycle)"


class FillText(OfOneModel[FilledText], kind="selfsupervised.text.fill"):
    """Fills in the masked words of texts: the most probable ones, of a spec or of a file of any size."""

    imports: ClassVar[tuple[str, ...]] = (*IMPORTS, "pyarrow", "jobs.selfsupervised.text.fill")
    reuses_runner: ClassVar[bool] = True
    divisible: ClassVar[bool] = True

    model: TrainedText | None = Field(default=None, description="a finished selfsupervised.text.train job")
    pretrained: PretrainedName | None = Field(
        default=None,
        description="in place of 'model': a checkpoint with a head for masked words, of a hub (owner/name), "
        "a folder, or an upload",
    )
    texts: Texts = Field(default=(), description="texts with [MASK] in place of words")
    dataset: TextSetName | None = Field(
        default=None, description="in place of 'texts': a named data set of texts, or a file of your own"
    )
    text_column: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(
        default="text", description="the column, or JSON field, that holds the text"
    )
    top: int = Field(default=5, ge=1, le=50, description="words for each mask, the most probable first")
    max_length: int | None = Field(
        default=None,
        ge=4,
        le=8192,
        description="tokens of a text that are read; by default 128, or what the model reads",
    )
    batch_size: int = Field(default=64, ge=1, le=4096, description="texts in a batch")
    output: Literal["parquet", "csv"] = Field(default="parquet", description="the format of the result")
    precision: Precision = Field(
        default="auto", description="number format; auto = bfloat16 where the processor supports it"
    )
    checkpoint_seconds: float = Field(
        default=30, ge=0, le=24 * 3600, description="seconds between checkpoints while filling"
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if bool(self.texts) == (self.dataset is not None):
            received = "both" if self.texts else "neither"
            raise InvalidSpec(
                f"{self.kind}: give one of the fields 'texts' and 'dataset', received {received}"
            )
        return self

    def columns(self) -> Iterator[tuple[str, str, str]]:
        """See `JobSpec.columns`."""
        if self.dataset is not None:
            yield "text_column", self.dataset, self.text_column


class EvaluateText(OfOneModel[TextScores], kind="selfsupervised.text.evaluate"):
    """Measures how well a model tells hidden words, beside the simplest methods."""

    imports: ClassVar[tuple[str, ...]] = (*IMPORTS, "jobs.selfsupervised.text.evaluate")
    reuses_runner: ClassVar[bool] = True

    model: TrainedText | None = Field(default=None, description="a finished selfsupervised.text.train job")
    pretrained: PretrainedName | None = Field(
        default=None, description="in place of 'model': a checkpoint with a head for masked words"
    )
    dataset: CorpusName | None = Field(
        default=None, description="a text corpus; by default what the training of 'model' held out"
    )
    masked: float = Field(default=0.15, gt=0, le=0.9, description="share of the tokens that are hidden")
    max_length: int | None = Field(
        default=None,
        ge=8,
        le=8192,
        description="tokens of a row of text; by default 128, or what the model reads",
    )
    rows: int = Field(default=2048, ge=1, le=1_000_000, description="rows of text looked at, at most")
    precision: Precision = Field(
        default="auto", description="number format; auto = bfloat16 where the processor supports it"
    )

    @model_validator(mode="after")
    def _has_texts(self) -> Self:
        if self.dataset is None and self.model is None:
            raise InvalidSpec(f"{self.kind}: field 'dataset' is required with 'pretrained'")
        return self


def _smallest(**fields: Any) -> TrainText:
    common = {"dataset": "descriptions", "max_length": 24, "epochs": 2, "batch_size": 32, "seed": 3}
    return TrainText.model_validate(common | fields)


#: What the tests over the catalogue run: done in seconds, most of which compiling takes.
SMALLEST = (
    _smallest(vocabulary_size=400, layers=1, hidden=16, heads=2, optimizer="muon", learning_rate=0.01),
)
