"""What a job on generated texts computes, and what it leaves."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from jobs.errors import InvalidSpec
from jobs.extending.specs import TrainingSpec
from jobs.names import CorpusName, PretrainedName, TextSetName
from jobs.spec import Frozen, JobResult
from jobs.transformer.generation.uses import (
    IMPORTS,
    Column,
    Generated,
    GenerateTexts,
    OfModel,
    Precision,
    Texts,
)

__all__ = [
    "SMALLEST",
    "ChoiceScores",
    "EvaluateGeneration",
    "GenerateTexts",
    "Generated",
    "GenerationScores",
    "GenerationTraining",
    "TextLoss",
    "TrainGeneration",
]

Columns = Annotated[tuple[Column, ...], Field(min_length=2, max_length=26, strict=False)]

#: Learning rates where none is given: Muon from nothing, AdamW, and adapters of low rank.
MUON_RATE, ADAMW_RATE, TUNING_RATE, ADAPTER_RATE = 4e-3, 1e-3, 5e-5, 5e-4


class TextLoss(Frozen):
    """How well the next token is told, beside the simplest methods on the same text."""

    tokens: int = Field(description="tokens that were to be told")
    loss: float = Field(description="mean cross-entropy in nats a token")
    perplexity: float = Field(description="its exponential: equally probable tokens to choose from")
    bits_per_byte: float | None = Field(
        description="of the text as UTF-8, the same for every vocabulary; None where answers are looked at"
    )
    unigram: float = Field(description="loss of how frequent each token is in the training part")
    five_gram: float | None = Field(
        description="loss of a 5-gram by Witten and Bell; None where answers alone are looked at"
    )


class GenerationTraining(JobResult):
    """What a training on texts has come to."""

    rows: dict[str, int] = Field(description="rows of tokens by part: train, held_out")
    tokens: dict[str, int] = Field(description="tokens by part: train, held_out")
    left_out: dict[str, int] = Field(description="pairs that could not be used, by the reason")
    vocabulary: int = Field(description="tokens that the model knows")
    parameters: int = Field(description="numbers in the model")
    trained_parameters: int = Field(description="those that were trained")
    notes: list[str] = Field(description="what was chosen, left out or noticed")
    steps: int = Field(description="updates of the weights")
    epochs: int = Field(description="passes over the training part")
    best_epoch: int | None = Field(
        description="the epoch whose weights were kept; None without a held-out part"
    )
    loss: float = Field(description="training loss in nats a token, mean of the last epoch")
    before: TextLoss | None = Field(
        description="on the held-out part, with the weights that a fine-tuning began with; None from nothing"
    )
    held_out: TextLoss | None = Field(description="on the held-out part, with the weights that were kept")
    samples: list[str] = Field(description="what the model goes on with after each of the prompts")
    seconds: float = Field(description="training time of the last attempt")
    tokens_per_second: float = Field(description="tokens read a second, in the last attempt")
    precision: str = Field(description="what the training was calculated in")
    state_sha256: str = Field(description="digest of the final state; equal for equal specs, bit for bit")


class ChoiceScores(Frozen):
    """How often the right one of some choices is the likeliest, beside the simplest methods."""

    questions: int = Field(description="questions asked")
    accuracy: float = Field(description="share whose right choice has the highest probability")
    accuracy_per_byte: float = Field(
        description="the same by the mean of its logarithm a byte, which does not favour short choices"
    )
    chance: float = Field(description="share that guessing gets right")
    longest: float = Field(description="share whose right choice is the longest, in bytes")
    unigram: float = Field(
        description="share whose right choice is the likeliest by how frequent its tokens are in the file"
    )


class GenerationScores(JobResult):
    """What an evaluation has come to."""

    held_out: TextLoss | None = Field(description="on the text; None where choices are looked at")
    characters: int = Field(description="of the text")
    nats_per_character: float | None = Field(
        description="the loss of all tokens together over the characters; None where choices are looked at"
    )
    choices: ChoiceScores | None = Field(default=None, description="on questions with choices of answers")
    left_out: dict[str, int] = Field(
        default_factory=dict, description="rows of a file of questions that are none, by the reason"
    )
    notes: list[str] = Field(description="what was looked at")


class TrainGeneration(TrainingSpec[GenerationTraining], kind="transformer.generation.train"):
    """Trains a model that writes texts: from nothing, or from a Hugging Face folder."""

    imports: ClassVar[tuple[str, ...]] = (*IMPORTS, "jobs.transformer.generation.train")

    dataset: CorpusName | None = Field(
        default=None, description="a text corpus: running text that is learnt token by token"
    )
    instructions: TextSetName | None = Field(
        default=None, description="in place of 'dataset': a file with prompts and answers, for 'pretrained'"
    )
    prompt_column: Column = Field(default="prompt", description="the column with the prompt")
    answer_column: Column = Field(default="answer", description="the column with the answer, which is learnt")
    pretrained: PretrainedName | None = Field(
        default=None,
        description="the folder, hub name, upload or sample to begin with; by default from nothing",
    )
    adapters: int | None = Field(
        default=None,
        ge=1,
        le=1_024,
        description="train adapters of this rank and leave the weights of 'pretrained' alone (LoRA)",
    )
    vocabulary: Literal["bpe", "bytes", "characters"] = Field(
        default="bpe", description="from nothing: byte-level BPE of the corpus, bytes, or its characters"
    )
    vocabulary_size: int = Field(
        default=4_096, ge=258, le=1_000_000, description="tokens of a BPE vocabulary"
    )
    layout: Literal["llama", "gpt2"] = Field(default="llama", description="from nothing: how it is built")
    layers: int = Field(default=4, ge=1, le=64, description="from nothing: blocks")
    width: int = Field(default=192, ge=8, le=8_192, description="from nothing: numbers in a hidden state")
    heads: int = Field(default=3, ge=1, le=128, description="from nothing: heads of attention")
    max_length: int = Field(default=256, ge=8, le=8_192, description="tokens that the model looks at")
    held_out: float = Field(default=0.1, ge=0, lt=1, description="share of the text that is held out")
    hold_out: Literal["auto", "documents", "end"] = Field(
        default="auto", description="whether whole documents are held out, or the end of the text"
    )
    epochs: int = Field(default=5, ge=1, le=10_000, description="passes over the training part")
    batch_size: int = Field(default=16, ge=1, le=4_096, description="rows of tokens per update")
    optimizer: Literal["auto", "muon", "adamw"] = Field(
        default="auto", description="auto = Muon for the matrices from nothing, else AdamW"
    )
    learning_rate: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="at its highest; by default 0.004 with Muon, 0.001 with AdamW from nothing, 0.00005 for "
        "all weights of 'pretrained', 0.0005 for adapters",
    )
    warmup: float = Field(
        default=0.05, ge=0, lt=1, description="share of the steps in which the rate rises; then it falls to 0"
    )
    weight_decay: float = Field(
        default=0.1, ge=0, le=1, description="decoupled; biases and normalisations are exempt"
    )
    clip_norm: float = Field(
        default=1.0, ge=0, le=1e6, description="largest norm of the gradients of AdamW; 0 = no clipping"
    )
    patience: int | None = Field(
        default=None, ge=1, description="early stopping: epochs without a better one; by default never"
    )
    prompts: Texts = Field(
        default=(), description="go on with these after each epoch; by default with the held-out text"
    )
    sample_tokens: int = Field(default=64, ge=1, le=1_024, description="tokens of such a sample")
    precision: Precision = Field(
        default="auto", description="number format; auto = bfloat16 where the processor supports it"
    )
    checkpoint_seconds: float = Field(
        default=30, ge=0, le=24 * 3600, description="seconds between checkpoints while training"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.dataset is None) == (self.instructions is None):
            given = "neither" if self.dataset is None else "both"
            raise InvalidSpec(
                f"{self.kind}: give one of the fields 'dataset' and 'instructions', received {given}"
            )
        for field in ("instructions", "adapters"):
            if self.pretrained is None and getattr(self, field) is not None:
                raise InvalidSpec(f"{self.kind}: field {field!r} needs 'pretrained', received none")
        if self.pretrained is None and (self.width % self.heads or self.width // self.heads % 2):
            raise InvalidSpec(
                f"{self.kind}: field 'heads' should divide 'width', {self.width}, into even numbers, "
                f"received {self.heads}"
            )
        if self.optimizer == "muon" and self.adapters is not None:
            raise InvalidSpec(f"{self.kind}: adapters are trained by AdamW, and 'optimizer' is 'muon'")
        return self

    def depends_on_epochs(self) -> str | None:
        """See `TrainingSpec.depends_on_epochs`."""
        return "the learning rate rises and falls over all steps"

    def columns(self) -> Iterator[tuple[str, str, str]]:
        """See `JobSpec.columns`."""
        if self.instructions is not None:
            yield "prompt_column", self.instructions, self.prompt_column
            yield "answer_column", self.instructions, self.answer_column

    @property
    def muon(self) -> bool:
        """Whether matrices are trained by Muon."""
        return self.optimizer == "muon" or (self.optimizer == "auto" and self.pretrained is None)

    @property
    def rate(self) -> float:
        """The learning rate at its highest."""
        if self.learning_rate is not None:
            return self.learning_rate
        if self.adapters is not None:
            return ADAPTER_RATE
        if self.muon:
            return MUON_RATE
        return ADAMW_RATE if self.pretrained is None else TUNING_RATE


class EvaluateGeneration(OfModel[GenerationScores], kind="transformer.generation.evaluate"):
    """Measures how well a model tells a text, or which answer is right, beside the simplest methods."""

    imports: ClassVar[tuple[str, ...]] = (*IMPORTS, "jobs.transformer.generation.evaluate")
    reuses_runner: ClassVar[bool] = True

    precision: Precision = Field(
        default="auto", description="auto = bfloat16 where the processor calculates with it"
    )
    dataset: CorpusName | None = Field(
        default=None, description="a text corpus, of which a part is looked at"
    )
    questions: TextSetName | None = Field(
        default=None,
        description="in place of 'dataset': a file of questions, each with choices of answers and the right "
        "one of them",
    )
    prompt_column: Column = Field(default="prompt", description="of 'questions': the column with the prompt")
    choice_columns: Columns = Field(
        default=("a", "b", "c", "d"), description="the columns with a choice each; an empty one is none"
    )
    answer_column: Column = Field(
        default="answer",
        description="the column that says which choice is right: by the name of its column, or by its text",
    )
    chat: Literal["auto", "always", "never"] = Field(
        default="auto",
        description="whether a prompt is a question in a chat; auto = where the tokenizer has a template",
    )
    held_out: float = Field(
        default=0.1, gt=0, lt=1, description="the share that is looked at; n-grams count the rest"
    )
    hold_out: Literal["auto", "documents", "end"] = Field(
        default="auto", description="whether whole documents are looked at, or the end of the text"
    )
    max_length: int | None = Field(
        default=None,
        ge=8,
        le=8_192,
        description="tokens that the model looks at; by default 256, or what it reads",
    )
    rows: int = Field(default=2_048, ge=1, le=1_000_000, description="rows of text looked at, at most")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.dataset is None) == (self.questions is None):
            given = "neither" if self.dataset is None else "both"
            raise InvalidSpec(
                f"{self.kind}: give one of the fields 'dataset' and 'questions', received {given}"
            )
        return self

    def columns(self) -> Iterator[tuple[str, str, str]]:
        """See `JobSpec.columns`."""
        if self.questions is not None:
            yield "prompt_column", self.questions, self.prompt_column
            yield "answer_column", self.questions, self.answer_column
            for column in self.choice_columns:
                yield "choice_columns", self.questions, column


def _smallest(**fields: Any) -> TrainGeneration:
    common = {"dataset": "descriptions", "epochs": 2, "batch_size": 64, "seed": 3, "sample_tokens": 4}
    return TrainGeneration.model_validate(common | fields)


#: What the tests over the catalogue run: done in seconds, most of which compiling takes.
SMALLEST = (_smallest(vocabulary_size=400, layers=1, width=16, heads=2, max_length=24),)
