"""What a checkpoint's own files say, field by field: obeyed, without effect here, or refused.

A field that would change what the model computes, and that nothing here computes, is refused: to be left out
without a word is the one thing that must not happen to it. Fields that are not in the table are without
effect, here as in the library transformers.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from jobs.errors import BadInput
from jobs.pretrained.files import CONFIG, TOKENIZER_CONFIG

Config = Mapping[str, Any]
ALL = ("bert", "distilbert", "roberta", "xlm-roberta", "albert")
ROBERTAS = ("roberta", "xlm-roberta")
#: What counts as the GELU that is computed: by the error function, or by the tanh that differs below 1e-3.
GELUS = ("gelu", "gelu_new", "gelu_pytorch_tanh", "gelu_fast", "gelu_python", "gelu_accurate")


@dataclass(frozen=True)
class Field:
    """What becomes of one field.

    Attributes:
        name: in the file.
        outcome: `obeyed`; `without effect`; or `refused` for any value but the allowed ones.
        note: for people: what obeys it, why it has no effect, or which values are allowed.
        allowed: of a refused field, whether a value will do.
        families: whose field it is.
        file: where it stands.
    """

    name: str
    outcome: Literal["obeyed", "without effect", "refused"]
    note: str
    allowed: Callable[[Any], bool] = lambda value: True
    families: tuple[str, ...] = ALL
    file: str = CONFIG


def _nothing(value: Any) -> bool:
    return not value


def _refused(name: str, allowed: Callable[[Any], bool], note: str, **keywords: Any) -> Field:
    return Field(name, "refused", note, allowed, **keywords)


def _share(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and 0 <= value < 1)


def _size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31


_NOT_DISTIL = ("bert", "roberta", "xlm-roberta", "albert")
_BERTS = ("bert", "roberta", "xlm-roberta")


def _of_tokenizer(name: str, outcome: Literal["obeyed", "without effect"], note: str) -> Field:
    return Field(name, outcome, note, file=TOKENIZER_CONFIG)


#: The sizes that a model is built from. All are obeyed, and have to be those of the tensors.
SIZES: Mapping[str, tuple[str, ...]] = {
    "distilbert": ("vocab_size", "dim", "hidden_dim", "n_heads", "n_layers", "max_position_embeddings"),
    "albert": (
        *("vocab_size", "hidden_size", "intermediate_size", "num_attention_heads", "num_hidden_layers"),
        *("max_position_embeddings", "type_vocab_size", "embedding_size", "num_hidden_groups"),
        "inner_group_num",
    ),
    **dict.fromkeys(
        _BERTS,
        (
            *("vocab_size", "hidden_size", "intermediate_size", "num_attention_heads", "num_hidden_layers"),
            *("max_position_embeddings", "type_vocab_size"),
        ),
    ),
}

#: Every field that is looked at. The sizes come first; they are refused if they are no whole numbers above 0.
FIELDS: tuple[Field, ...] = (
    *(
        Field(
            name,
            "obeyed",
            "a whole number above 0, the same as in the tensors",
            _size,
            families=tuple(family for family in ALL if name in SIZES[family]),
        )
        for name in dict.fromkeys(name for names in SIZES.values() for name in names)
    ),
    Field("model_type", "obeyed", "one of the five families; any other is refused"),
    Field(
        "architectures",
        "obeyed",
        "a head is taken from a `...ForSequenceClassification` only, or where this is left out; a head for "
        "tokens, answers or choices classifies no text, and only one of a `...ForQuestionAnswering` finds "
        "answers",
    ),
    Field(
        "problem_type",
        "obeyed",
        "classify and evaluate: nothing or `single_label_classification`, any other is refused; "
        "finetune: a head of another kind begins anew",
    ),
    Field(
        "id2label",
        "obeyed",
        "classify and evaluate: names for 0, 1, 2 and so on, as many as outputs, no two alike",
    ),
    Field(
        "num_labels",
        "obeyed",
        "classify and evaluate: the number of outputs, which is at least 2, if it is said",
    ),
    Field("label2id", "without effect", "id2label names the classes; an export writes both"),
    _refused(
        "hidden_act",
        lambda value: value in GELUS,
        "a GELU; BERT and ALBERT compute its tanh form, the others its exact one, within 1e-3 of it; an "
        "export names the one that is computed",
        families=_NOT_DISTIL,
    ),
    _refused("activation", lambda value: value in GELUS, "a GELU, as hidden_act", families=("distilbert",)),
    Field(
        "layer_norm_eps",
        "obeyed",
        "above 0, below 1",
        lambda value: isinstance(value, float) and 0 < value < 1,
        families=_NOT_DISTIL,
    ),
    Field("hidden_dropout_prob", "obeyed", "in training; 0 to 1", _share, families=_NOT_DISTIL),
    Field("attention_probs_dropout_prob", "obeyed", "in training; 0 to 1", _share, families=_NOT_DISTIL),
    Field(
        "classifier_dropout", "obeyed", "in training; by default hidden_dropout_prob", _share, families=_BERTS
    ),
    Field("classifier_dropout_prob", "obeyed", "in training; 0 to 1", _share, families=("albert",)),
    *(
        Field(name, "obeyed", "in training; 0 to 1", _share, families=("distilbert",))
        for name in ("dropout", "attention_dropout", "seq_classif_dropout", "qa_dropout")
    ),
    _refused("position_embedding_type", lambda value: value in (None, "absolute"), "`absolute`"),
    _refused("is_decoder", _nothing, "false: texts are read in both directions"),
    _refused("add_cross_attention", _nothing, "false"),
    _refused("pruned_heads", _nothing, "none"),
    _refused("quantization_config", _nothing, "none: weights are read as float32, float16 or bfloat16"),
    _refused("auto_map", _nothing, "none: no code of a checkpoint is run"),
    _refused(
        "pad_token_id",
        lambda value: type(value) is int and value == 1,
        "1: the positions of a text begin after it, in the row that is left free",
        families=ROBERTAS,
    ),
    Field(
        "pad_token_id",
        "without effect",
        "padding is masked; the tokenizer's pad token fills up",
        families=("bert", "distilbert", "albert"),
    ),
    *(
        Field(name, "without effect", note)
        for name, note in {
            "tie_word_embeddings": "there is no language head",
            "torch_dtype": "weights are read to float32; `precision` says what is multiplied in",
            "dtype": "as torch_dtype; an export says float32",
            "initializer_range": "a fresh head is drawn by the `seed`",
            "use_cache": "nothing is generated",
            "output_attentions": "logits and embeddings alone are left",
            "output_hidden_states": "logits and embeddings alone are left",
            "chunk_size_feed_forward": "the same numbers",
            "gradient_checkpointing": "the same numbers; `accumulate` saves memory",
            "finetuning_task": "a remark",
            "custom_pipelines": "no code of a checkpoint is run",
            "_name_or_path": "a remark; left out of an export",
        }.items()
    ),
    _of_tokenizer(
        "truncation_side", "obeyed", "`right` or `left`, for texts of more than `max_length` tokens"
    ),
    _of_tokenizer(
        "model_max_length", "without effect", "`max_length` decides, up to the positions of the model"
    ),
    _of_tokenizer("padding_side", "without effect", "padding is masked, and takes no position"),
    _refused("auto_map", _nothing, "none: no code of a checkpoint is run", file=TOKENIZER_CONFIG),
    *(
        _of_tokenizer(name, "obeyed", "by the library transformers")
        for name in (
            *("tokenizer_class", "do_lower_case", "strip_accents", "tokenize_chinese_chars"),
            *("add_prefix_space", "added_tokens_decoder", "pad_token", "unk_token", "cls_token", "sep_token"),
        )
    ),
    _of_tokenizer("chat_template", "without effect", "no conversation is read"),
)

#: Whole files, and parts of them, in the words of the table above.
FILES_READ: Mapping[str, str] = {
    "tokenizer.json": "obeyed: normalizer, pre-tokenizer, model, added tokens, template of special tokens; "
    "its truncation gives way to `max_length` (its direction is obeyed), its padding to the mask",
    "special_tokens_map.json, added_tokens.json": "obeyed by the library transformers",
    "model.safetensors": "obeyed: every tensor of the encoder has to be there, in its shape, and finite; "
    "further ones are without effect",
    "model.safetensors.index.json, pytorch_model.bin": "not read: weights in several files, or in a format "
    "that can run code, are refused unless model.safetensors is there",
    "generation_config.json": "without effect: nothing is generated",
    "1_Pooling/config.json, modules.json": "without effect: embed takes the mean over all tokens",
}


def config_of(folder: Path) -> dict[str, Any]:
    """The config.json of a checkpoint, once every field of it has been looked at.

    Raises:
        BadInput: it cannot be read, or a field says what is not computed here; the text names both.
    """
    config = read(folder, CONFIG)
    family = config.get("model_type")
    if family not in ALL:
        raise BadInput(
            f"{folder.name} is a model of type {short(family)}; those that can be fine-tuned are "
            f"{', '.join(ALL)}"
        )
    for name in SIZES[family]:
        if name not in config and name != "type_vocab_size":
            raise BadInput(f"{CONFIG} of {folder.name} does not say {name!r}; save the model again")
    check(config, folder, CONFIG, family)
    heads, width = (config[n] for n in (("n_heads", "dim") if family == "distilbert" else _HEADS))
    if width % heads:
        raise BadInput(
            f"{CONFIG} of {folder.name} has {heads} heads, which do not divide its width of {width}"
        )
    if family == "albert" and config["num_hidden_layers"] % config["num_hidden_groups"]:
        raise BadInput(
            f"{CONFIG} of {folder.name} has num_hidden_groups {config['num_hidden_groups']}, which does not "
            f"divide its {config['num_hidden_layers']} layers"
        )
    return config


_HEADS = ("num_attention_heads", "hidden_size")


def check(config: Config, folder: Path, file: str, family: str | None = None) -> None:
    """Looks at every field of a file that the table has for a family, or for all.

    Raises:
        BadInput: a value of a field is not allowed.
    """
    for field in FIELDS:
        if field.file != file or (family and family not in field.families) or field.name not in config:
            continue
        value = config[field.name]
        if not _allows(field, value):
            raise BadInput(
                f"{file} of {folder.name} says {field.name}={short(value)}, which is not computed here; "
                f"allowed is {field.note}"
            )


def _allows(field: Field, value: Any) -> bool:
    try:
        return field.allowed(value)
    except TypeError:  # a list where a word belongs
        return False


def read(folder: Path, name: str) -> dict[str, Any]:
    """A JSON object in a checkpoint's folder.

    Raises:
        BadInput: it is not there, or no JSON object.
    """
    try:
        found = json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(
            f"{folder.name} holds no checkpoint: {name} cannot be read ({type(error).__name__}); give a "
            "folder that save_pretrained has written"
        ) from error
    if not isinstance(found, dict):
        raise BadInput(f"{name} of {folder.name} is no JSON object; save the model again")
    return found


def short(value: Any) -> str:
    """A value as it stands in a file, cut to a line."""
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
