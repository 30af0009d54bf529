"""What can be asked of a model that writes texts: specs and results."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Generic, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from jobs.datasets.readable import readable
from jobs.errors import InvalidSpec
from jobs.imports import OF_NETWORKS
from jobs.names import JobField, JobName, PretrainedName, TextSetName
from jobs.pretrained.one_model import OfOneModel
from jobs.spec import JobResult, ResultT
from jobs.transformer.bulk import fields as bulk
from jobs.transformer.bulk.fields import Engine

Trained = Annotated[JobName, JobField("transformer.generation.train")]
Column = Annotated[str, StringConstraints(min_length=1, max_length=200)]
#: Half of a character, which JSON can name, becomes U+FFFD: no text stops the work.
Text = Annotated[str, BeforeValidator(readable), StringConstraints(max_length=1_000_000)]
#: Not strict about tuple or list, which JSON cannot tell apart; strict about the texts in it.
Texts = Annotated[tuple[Text, ...], Field(max_length=10_000, strict=False)]
Stops = Annotated[
    tuple[Annotated[str, StringConstraints(min_length=1, max_length=200)], ...],
    Field(max_length=16, strict=False),
]
Precision = Literal["auto", "float32", "bfloat16"]

#: What a runner may import ahead of a job on texts.
IMPORTS = (*OF_NETWORKS, "transformers", "pyarrow.parquet")


class Generated(JobResult):
    """What a generation has come to."""

    rows: int = Field(description="prompts")
    unanswered: int = Field(description="prompts that held no text: empty, null, or not to be read")
    answers: int = Field(description="answers to all other prompts")
    finishes: dict[str, int] = Field(
        description="answers by what ended them: `end` by a token that ends texts, `stop` by one of the stop "
        "texts, `length` by the largest number of tokens"
    )
    remarks: dict[str, int] = Field(
        description="prompts by what there is to say of them, such as `cut`: its beginning did not fit"
    )
    tokens: int = Field(description="tokens of all answers")
    texts: list[list[str]] = Field(
        description="the answers to each prompt, if the prompts were in the spec; else empty"
    )
    engine: str = Field(
        default="tensorflow",
        description="what computed the tokens: openvino or tensorflow, and the precision",
    )
    precision: str = Field(description="what was calculated in")
    seconds: float = Field(description="of the last attempt, or of all parts of a divided job together")
    tokens_per_second: float = Field(description="of the last attempt, or in such a second")


class OfModel(OfOneModel[ResultT], Generic[ResultT]):
    """What all uses of a model have in common: which model."""

    model: Trained | None = Field(default=None, description="a finished transformer.generation.train job")
    pretrained: PretrainedName | None = Field(
        default=None,
        description="in place of 'model': smollm2-135m, a checkpoint from a hub (owner/name), a folder, or "
        "an upload; of the families gpt2, llama, mistral, qwen2, qwen3 and gemma3_text",
    )


class GenerateTexts(OfModel[Generated], kind="transformer.generation.generate"):
    """Answers prompts, or goes on with texts: those of a spec, or of a file of any size."""

    imports: ClassVar[tuple[str, ...]] = (*IMPORTS, "jobs.transformer.generation.generate")
    reuses_runner: ClassVar[bool] = True
    divisible: ClassVar[bool] = True

    texts: Texts = Field(default=(), description="the prompts")
    dataset: TextSetName | None = Field(
        default=None, description="in place of 'texts': a named data set of texts, or a file of your own"
    )
    text_column: Column = Field(
        default="text", description="the column, or JSON field, that holds the prompt"
    )
    chat: Literal["auto", "always", "never"] = Field(
        default="auto",
        description="whether a prompt is a question in a chat; auto = where the tokenizer has a template",
    )
    system: Text | None = Field(default=None, description="what the chat's template is told first")
    answers: int = Field(default=1, ge=1, le=1_000, description="answers to each prompt")
    max_tokens: int | None = Field(
        default=None,
        ge=1,
        le=32_768,
        description="tokens of an answer at most; by default 128, or half of what the model reads",
    )
    temperature: float = Field(
        default=0.8, ge=0, le=100, description="what logits are divided by; 0 = always the likeliest token"
    )
    top_k: int = Field(default=0, ge=0, description="draw among so many of the likeliest tokens; 0 = all")
    top_p: float = Field(
        default=0.95, gt=0, le=1, description="draw among the likeliest tokens of this probability together"
    )
    min_p: float = Field(
        default=0.0, ge=0, le=1, description="draw among tokens with this share of the likeliest one's chance"
    )
    repetition_penalty: float = Field(
        default=1.0, gt=0, le=100, description="above 1, tokens that are there already get less likely"
    )
    stops: Stops = Field(default=(), description="texts that end an answer, and are no part of it")
    output: Literal["parquet", "csv", "jsonl"] = Field(
        default="parquet", description="the format of the result"
    )
    batch_size: int = Field(
        default=16,
        ge=1,
        le=1_024,
        description="answers computed at once; rounded down to a power of two, and to what memory holds",
    )
    engine: Engine = "auto"
    precision: bulk.Precision = "auto"
    checkpoint_seconds: float = Field(
        default=30, ge=0, le=24 * 3600, description="seconds between checkpoints while generating"
    )

    @model_validator(mode="after")
    def _some_texts(self) -> Self:
        bulk.check(self.kind, self.engine, self.precision)
        if bool(self.texts) == (self.dataset is not None):
            received = "both" if self.texts else "neither"
            raise InvalidSpec(
                f"{self.kind}: give one of the fields 'texts' and 'dataset', received {received}"
            )
        if self.chat == "never" and self.system is not None:
            raise InvalidSpec(
                f"{self.kind}: field 'system' is part of a chat, and chat is 'never'; leave out one of them"
            )
        return self

    def columns(self) -> Iterator[tuple[str, str, str]]:
        """See `JobSpec.columns`."""
        if self.dataset is not None:
            yield "text_column", self.dataset, self.text_column


AnyOfModel = OfModel[Any]
