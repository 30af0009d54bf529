"""Running text taken in as documents."""

from pathlib import Path

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from jobs.datasets.corpora import corpus as corpora
from jobs.datasets.corpora.corpus import Corpus, characters_in
from jobs.datasets.corpora.intake import Dividing, take_corpus
from jobs.datasets.corpora.named import CORPORA, corpus_of
from jobs.datasets.texts.intake import Writing
from jobs.errors import BadInput
from jobs.local import LocalContext


def taken(path: Path, *given: object, **dividing: object) -> Corpus:
    folder = path.parent / f"{path.name}-taken"
    folder.mkdir()
    return take_corpus(path, folder, Dividing(**dividing), *given)


def documents(corpus: Corpus) -> list[str]:
    return [corpus.document(number) for number in range(len(corpus))]


@pytest.fixture
def written(tmp_path):
    def write(name: str, content: bytes | str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize("block", [1, 3, 1 << 20])
@pytest.mark.parametrize(
    ("by", "text", "found"),
    [
        ("file", "one\n\ntwo", ["one\n\ntwo"]),
        ("blank-line", "one\nline\n\n \n  two\n\n\n\nthree\n\n", ["one\nline", "  two", "three"]),
        ("blank-line", "\n\none", ["one"]),
        ("blank-line", "one\n \t", ["one"]),
        ("line", "one\n\ntwo \n three", ["one", "two ", " three"]),
        ("line", "é 😀\nwithout a final line feed", ["é 😀", "without a final line feed"]),
    ],
)
def test_documents_are_told_apart_as_is_said_however_the_text_is_read(
    written, monkeypatch, block, by, text, found
):
    monkeypatch.setattr("jobs.datasets.corpora.intake.BLOCK", block)
    corpus = taken(written("a.txt", text), documents=by)
    assert documents(corpus) == found
    assert corpus.characters == sum(map(len, found)) == characters_in(corpus.text)
    assert corpus.notes[0].startswith(f"{len(found)} documents: ")


def test_a_folder_has_a_document_for_each_file_in_the_order_of_names(written, tmp_path):
    written("f/b/2.txt", "two")
    written("f/a.md", "one")
    written("f/c.txt", " \n")
    written("f/picture.png", b"\x89PNG")
    corpus = taken(tmp_path / "f")
    assert documents(corpus) == ["one", "two"]
    assert any("1 documents were empty" in note for note in corpus.notes)
    assert any("1 files that are not .txt" in note for note in corpus.notes)


def test_bytes_that_are_no_text_and_other_ends_of_lines_are_said(written):
    corpus = taken(written("a.txt", b"caf\xe9\r\nx\xef\xbf\xbd"))
    assert documents(corpus) == ["caf�\nx�"]
    assert sum("not UTF-8" in note or "ends of lines" in note for note in corpus.notes) == 2
    assert documents(taken(written("b.txt", b"caf\xe9"), Writing(encoding="cp1252"))) == ["café"]
    corpus = taken(written("c.txt", "é€".encode("utf-16")))
    assert documents(corpus) == ["é€"]
    assert any("UTF-16" in note for note in corpus.notes)


def test_rows_of_a_file_are_documents(written, tmp_path):
    corpus = taken(written("a.csv", 'text,n\n"one\nline",1\n,2\ntwo,3\n'))
    assert (documents(corpus), corpus.divided_by) == (["one\nline", "two"], "row")
    assert any("1 documents were empty" in note for note in corpus.notes)
    corpus = taken(written("a.jsonl", '{"body": "one"}\nnot JSON\n{"body": "two"}\n'), column="body")
    assert documents(corpus) == ["one", "two"]
    assert any("1 rows are not JSON" in note for note in corpus.notes)
    parquet.write_table(pyarrow.table({"a": ["x", "y"]}), tmp_path / "a.parquet")
    assert documents(taken(tmp_path / "a.parquet")) == ["x", "y"]


@pytest.mark.parametrize(
    ("name", "content", "given", "said"),
    [
        ("a.txt", "", {}, "no text"),
        ("a.txt", " \n\n ", {"documents": "line"}, "no text"),
        ("a.txt", "x", {"documents": "row"}, "no rows"),
        ("a.txt", "x", {"column": "text"}, "no rows"),
        ("a.txt", "x", {"documents": "chapter"}, "received 'chapter'"),
        ("a.csv", "a,b\n1,2\n", {}, "--column"),
        ("a.csv", "a,b\n1,2\n", {"documents": "line"}, "each of which is a document"),
        ("f/a.bin", "x", None, "no file of text"),
    ],
)
def test_what_cannot_be_a_corpus_is_refused_in_a_sentence(written, tmp_path, name, content, given, said):
    path = written(name, content)
    with pytest.raises(BadInput, match=said):
        taken(tmp_path / "f" if given is None else path, **(given or {}))


def test_a_damaged_corpus_is_noticed(written):
    corpus = taken(written("a.txt", "text"))
    corpus.check()
    (corpus.folder / corpora.TEXT).write_bytes(b"next")
    with pytest.raises(BadInput, match="damaged"):
        Corpus.open(corpus.folder).check()
    (corpus.folder / corpora.TEXT).write_bytes(b"te")
    with pytest.raises(BadInput, match="not whole"):
        Corpus.open(corpus.folder)


def test_a_corpus_is_the_same_from_the_same_text(written):
    first, second = taken(written("a.txt", "one\n\ntwo")), taken(written("b.txt", "one\n\ntwo"))
    assert first.digest == second.digest
    assert first.digest != taken(written("c.txt", "one\n\ntwo"), documents="blank-line").digest


def test_local_jobs_read_named_corpora_and_files_of_ones_own(written, tmp_path):
    mine = written("mine.txt", "my own")
    with LocalContext(tmp_path / "job", {"mine": mine}) as context:
        assert documents(corpus_of("mine", context)) == ["my own"]
        named = corpus_of("descriptions", context)
        assert len(named) == CORPORA["descriptions"].count
        assert np.all(np.diff(named.offsets) > 0)
