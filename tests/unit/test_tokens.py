"""Vocabularies, and corpora as packed tokens."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from jobs.datasets.corpora.corpus import Corpus
from jobs.datasets.corpora.intake import Dividing, take_corpus
from jobs.errors import BadInput, Stopped
from jobs.local import LocalContext
from jobs.tokens import packing, segments
from jobs.tokens import vocabulary as vocabularies
from jobs.tokens.packing import edges_of, packed
from jobs.tokens.splitting import split
from jobs.tokens.tokenizer import TextTokenizer
from jobs.tokens.vocabulary import Wanted, made, vocabulary_of

SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
END = 2
WORDS = tuple("the cat sat on a mat, and theirs is this; other one's 😀 café, 12 mats".split())  # noqa: SIM905


def text_of(words: int, seed: int = 0, end: str = "\n\n") -> str:
    drawn = np.random.default_rng(seed).choice(WORDS, words)
    return "".join(f"{word}{end if number % 17 == 16 else ' '}" for number, word in enumerate(drawn))


@pytest.fixture
def context(tmp_path):
    with LocalContext(tmp_path / "job") as found:
        yield found


@pytest.fixture
def corpus(tmp_path):
    def take(text: str, by: str = "blank-line") -> Corpus:
        folder = tmp_path / f"corpus{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        (tmp_path / "a.txt").write_text(text, encoding="utf-8")
        return take_corpus(tmp_path / "a.txt", folder, Dividing(by))

    return take


@pytest.fixture
def small(monkeypatch):
    """Sizes that a small text is larger than."""
    monkeypatch.setattr(packing, "SHARD", 1000)
    monkeypatch.setattr(packing, "BLOCK", 200)
    monkeypatch.setattr(segments, "SEGMENT", 50)


def vocabulary(kind: str = "bpe", size: int = 300) -> TextTokenizer:
    return TextTokenizer(made([text_of(2000, 7)], Wanted(kind, size, SPECIAL)))


@pytest.mark.parametrize("kind", ["bpe", "bytes", "characters"])
@pytest.mark.parametrize("by", ["blank-line", "file"])
def test_packed_tokens_are_those_of_the_documents_with_an_end_after_each(corpus, context, small, kind, by):
    found, tokenizer = corpus(text_of(1000), by), vocabulary(kind)
    parts = split(found, 0.2, 3)
    shards = packed(found, parts, tokenizer, END, context)
    assert shards.made > 3
    assert len(shards.ends) == len(parts.offsets) - 1
    everything = np.concatenate(list(shards.read(0, shards.count)))
    assert everything.dtype == np.uint16
    for number, end in enumerate(shards.ends.tolist()):
        begin = shards.ends[number - 1] if number else 0
        document = found.read(int(parts.offsets[number]), int(parts.offsets[number + 1]))
        assert everything[end - 1] == END
        assert tokenizer.decode(everything[begin : end - 1].tolist()) == document


def test_tokens_of_pieces_are_those_of_the_whole(corpus, context, small):
    found, tokenizer = corpus(text_of(1000, end="  \n"), "file"), vocabulary()
    parts = split(found, 0, 0)
    shards = packed(found, parts, tokenizer, None, context)
    pieces = list(segments.segments(found, 0, found.bytes))
    assert "".join(pieces) == found.document(0)
    assert max(len(piece.encode()) for piece in pieces) <= segments.SEGMENT < found.bytes
    (whole,) = tokenizer.encode([found.document(0)])
    assert np.concatenate(list(shards.read(0, shards.count))).tolist() == whole


def test_training_and_held_out_documents_are_streams_of_their_own(corpus, context, small, tmp_path):
    found, tokenizer = corpus(text_of(1000)), vocabulary()
    parts = split(found, 0.2, 3)
    assert sorted([*parts.train, *parts.held_out]) == list(range(len(found)))
    shards = packed(found, parts, tokenizer, END, context)
    for documents in (parts.train, parts.held_out):
        stream = shards.stream(documents, tmp_path / "stream")
        wanted = [[*ids, END] for ids in tokenizer.encode([found.document(n) for n in documents])]
        assert stream.tokens.tolist() == [token for ids in wanted for token in ids]
        assert stream.ends.tolist() == np.cumsum([len(ids) for ids in wanted]).tolist()
        assert stream.rows(7).tolist() == stream.tokens[: len(stream) // 7 * 7].reshape(-1, 7).tolist()
    assert len(shards.stream(parts.train[:0], tmp_path / "none")) == 0


def test_a_single_text_holds_its_end_out(corpus):
    found = corpus("ä" * 1000, "file")
    parts = split(found, 0.0997, 0)
    assert (parts.train.tolist(), parts.held_out.tolist(), parts.cut) == ([0], [1], 1800)
    assert found.read(0, parts.cut) == "ä" * 900
    with pytest.raises(BadInput, match="too few"):
        split(corpus("ä", "file"), 0.1, 0)
    with pytest.raises(BadInput, match="none left"):
        split(corpus("a"), 0.1, 0, "documents")


def test_a_second_job_packs_nothing_and_one_that_was_stopped_goes_on(corpus, tmp_path, small):
    found, tokenizer = corpus(text_of(1000)), vocabulary()
    parts = split(found, 0.2, 3)

    class Stopping(LocalContext):
        asked = 0

        def should_stop(self):
            self.asked += 1
            return "drain" if self.asked == 3 else None

    with Stopping(tmp_path / "one") as context, pytest.raises(Stopped):
        packed(found, parts, tokenizer, END, context)
    edges = edges_of(found, parts.offsets)
    with LocalContext(tmp_path / "one") as context:
        assert packed(found, parts, tokenizer, END, context).made == len(edges) - 1 - 2
    with LocalContext(tmp_path / "two") as context:
        assert packed(found, parts, tokenizer, END, context).made == 0
        assert packed(found, split(found, 0.5, 4), tokenizer, END, context).made == 0
        assert packed(found, parts, tokenizer, None, context).made == len(edges) - 1


def test_a_word_of_any_length_is_tokenised_in_pieces(corpus, context, small):
    found, tokenizer = corpus("é" * 5000 + " end", "file"), vocabulary("bytes")
    shards = packed(found, split(found, 0, 0), tokenizer, END, context)
    assert shards.count == found.bytes + 1


def test_characters_that_a_vocabulary_does_not_have_are_counted(corpus, context):
    found, tokenizer = corpus("the cat 犬 sat 犬", "file"), vocabulary("characters")
    assert tokenizer.unknown == 3
    assert packed(found, split(found, 0, 0), tokenizer, END, context).unknown == 2


def test_a_text_that_spells_a_special_token_is_text():
    tokenizer = vocabulary()
    (ids,) = tokenizer.encode(["a <mask> </s>"])
    assert min(ids) >= len(SPECIAL)
    assert tokenizer.decode(ids) == "a <mask> </s>"


_TRAIN = """
import sys
from jobs.tokens.vocabulary import Wanted, made
pieces = open(sys.argv[1], encoding="utf-8").read().split("|")
sys.stdout.buffer.write(made(pieces, Wanted("bpe", 600, ("<s>", "<mask>"))).encode())
"""


def test_two_processes_train_the_same_vocabulary_byte_for_byte(tmp_path):
    rng = np.random.default_rng(5)
    words = ["".join(rng.choice(list("abcdefghij éß犬"), rng.integers(2, 9))) for _ in range(3000)]
    path = tmp_path / "text"
    path.write_text("|".join(f" {word}" for word in rng.choice(words, 20000)), encoding="utf-8")
    found = [
        subprocess.run([sys.executable, "-c", _TRAIN, str(path)], check=True, capture_output=True).stdout
        for _ in range(2)
    ]
    assert found[0] == found[1]
    assert len(found[0]) > 10_000


def test_a_job_keeps_its_vocabulary(corpus, tmp_path, monkeypatch):
    found, wanted = corpus(text_of(3000)), Wanted("bpe", 300, SPECIAL)
    parts = split(found, 0.1, 0)
    with LocalContext(tmp_path / "job") as context:
        first = vocabulary_of(found, parts, wanted, context)
    assert first.size == 300
    monkeypatch.setattr("jobs.tokens.vocabulary.made", lambda *_: pytest.fail("made again"))
    for folder in ("job", "another"):
        with LocalContext(tmp_path / folder) as context:
            assert vocabulary_of(found, parts, wanted, context).content == first.content
    Path(tmp_path / ".triptych-cache").rename(tmp_path / "gone")  # as a clean-up may do
    with LocalContext(tmp_path / "job") as context:
        assert vocabulary_of(found, parts, wanted, context).content == first.content


def test_different_words_are_counted_by_their_bytes():
    texts = [text_of(500, seed) for seed in range(3)]
    words = set(" ".join(texts).split())
    assert vocabularies.distinct(texts) == sum(len(word.encode()) for word in words)


@pytest.mark.parametrize(("between", "fewer"), [(" ", False), ("", True)])
def test_of_text_without_spaces_fewer_pieces_are_taken(corpus, context, monkeypatch, between, fewer):
    monkeypatch.setattr(segments, "SEGMENT", 200)
    monkeypatch.setattr(vocabularies, "DISTINCT", 2000)
    found = corpus(between.join(text_of(3000).split()), "file")
    parts = split(found, 0.1, 0)
    every = vocabularies.every_piece(found, parts, context)
    known = vocabularies.distinct(vocabularies._texts(found, parts, every, context))
    assert (every > 1) == fewer
    assert known <= 2000
    assert vocabulary_of(found, parts, Wanted("bpe", 280, SPECIAL), context).size == 280


def test_a_line_of_50_mb_without_an_end_is_cut_where_words_begin(tmp_path):
    line = b"a line of words and \xf0\x9f\x98\x80s \xff" * 1_800_000
    (tmp_path / "a.txt").write_bytes(line)
    (tmp_path / "corpus").mkdir()
    found = take_corpus(tmp_path / "a.txt", tmp_path / "corpus", Dividing("line"))
    assert (len(found), found.characters) == (1, 24 * 1_800_000)
    assert any("not UTF-8" in note for note in found.notes)
    sizes = [len(piece.encode()) for piece in segments.segments(found, 0, found.bytes)]
    assert sum(sizes) == found.bytes > 50_000_000
    assert max(sizes) <= segments.SEGMENT


def test_a_vocabulary_of_more_tokens_than_the_text_has_is_refused():
    with pytest.raises(BadInput, match=r"vocabulary_size=\d+ or less"):
        made(["a b c"], Wanted("bpe", 5000, SPECIAL))
