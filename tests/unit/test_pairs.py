"""Two texts in a row of tokens, and the places of tokens in their text, with tokenizers of both kinds."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from tokenizers import Tokenizer, models, pre_tokenizers, processors

from jobs.errors import BadInput
from jobs.pretrained.built import tiny
from jobs.pretrained.pairs import Pairs


@pytest.fixture
def by_bytes(tmp_path: Path) -> Path:
    """A tokenizer of bytes, which puts two separators between texts, as RoBERTa's does."""
    special = ("<s>", "<pad>", "</s>")
    names = [*special, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    numbers = {name: number for number, name in enumerate(names)}
    tokenizer = Tokenizer(models.BPE(numbers, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True)
    tokenizer.add_special_tokens(list(special))
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    said = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<pad>"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(said))
    return tmp_path


def test_the_special_tokens_are_those_of_the_tokenizer(by_bytes: Path, tmp_path: Path) -> None:
    pairs = Pairs(by_bytes, 100)
    assert [part.tolist() for part in (pairs.before, pairs.between, pairs.after)] == [[0], [2, 2], [2]]
    assert (pairs.special, pairs.pad) == (4, 1)
    (tmp_path / "tiny").mkdir()
    tiny.write(tmp_path / "tiny")
    pairs = Pairs(tmp_path / "tiny", 100)
    assert [part.tolist() for part in (pairs.before, pairs.between, pairs.after)] == [[2], [3], [3]]


def test_of_the_tokens_of_one_character_the_first_begins_and_the_last_ends(by_bytes: Path) -> None:
    text = "a 😀é  b"
    (pieces,) = Pairs(by_bytes, 100).pieces([text])
    spans = [text[a:b] for a, b in zip(pieces.begins, pieces.ends, strict=True)]
    assert "".join(spans).replace(" ", "") == "a" + "😀" * 4 + "é" * 2 + "b"
    begins = [text[pieces.begins[n]] for n in np.flatnonzero(pieces.may_begin)]
    ends = [text[pieces.ends[n] - 1] for n in np.flatnonzero(pieces.may_end)]
    assert begins == ends == ["a", "😀", "é", "b"]
    first, last = pieces.tokens_of(2, 4) or (0, 0)
    assert (pieces.begins[first], pieces.ends[last]) == (2, 4)
    assert last - first == 5
    assert pieces.tokens_of(4, 6) is None  # white space alone


def test_pieces_are_not_cut_and_none_of_them_is_special(by_bytes: Path) -> None:
    pairs = Pairs(by_bytes, 16)
    long, empty = pairs.pieces(["word " * 100, ""])
    assert len(long) == 500
    assert len(empty) == 0
    assert not len(empty.may_begin)
    assert pairs.pieces([]) == []
    pairs.save(by_bytes / "again")
    assert len(Pairs(by_bytes / "again", 16).pieces(["word " * 100])[0]) == 500


def test_a_tokenizer_that_puts_no_two_texts_in_a_row_is_refused(by_bytes: Path) -> None:
    path = by_bytes / "tokenizer.json"
    said = json.loads(path.read_text())
    said["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [{"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "B", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "special_tokens": {},
    }
    path.write_text(json.dumps(said))
    with pytest.raises(BadInput, match="does not put two texts in a row as first and second"):
        Pairs(by_bytes, 16)
