"""Text corpora: uploaded, listed, and read by workers."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs.datasets.corpora.corpus import Corpus
from jobs.datasets.corpora.named import CORPORA
from jobs.errors import BadInput
from scheduler.artifacts import ArtifactStore
from scheduler.cli.commands import app
from scheduler.datasets import DataSets
from scheduler.settings import StoreSettings
from worker.datasets import DataSetCache


@pytest.fixture
def store(store_settings: StoreSettings) -> ArtifactStore:
    store = ArtifactStore(store_settings)
    store.ensure_bucket()
    return store


@pytest.fixture
def letters(tmp_path: Path) -> Path:
    path = tmp_path / "letters.txt"
    path.write_text("one\n\ntwo\n\n\nthree")
    return path


def test_a_corpus_is_uploaded_listed_and_read_by_workers(
    store: ArtifactStore, letters: Path, tmp_path: Path
) -> None:
    sets = DataSets(store)
    info = sets.upload("letters", letters, content="corpus", documents="blank-line")
    assert (info.content, info.count) == ("corpus", 3)
    assert info.notes == ("11 characters", "3 documents: documents are told apart by blank lines")
    assert sets.get("letters") == info
    corpus = Corpus.open(DataSetCache(store, tmp_path / "worker").files("letters", {}, None))
    assert [corpus.document(number) for number in range(3)] == ["one", "two", "three"]
    whole = sets.upload("letters", letters, content="corpus")
    assert (whole.count, whole.digest == info.digest) == (1, False)


def test_options_that_do_not_go_together_are_refused(store: ArtifactStore, letters: Path) -> None:
    sets = DataSets(store)
    with pytest.raises(BadInput, match="--as corpus"):
        sets.upload("letters", letters, documents="line")
    with pytest.raises(BadInput, match="are of tables"):
        sets.upload("letters", letters, content="corpus", time="date")
    with pytest.raises(BadInput, match="delimiter and quoting"):
        sets.upload("letters", letters, content="corpus", delimiter=";")


def test_the_command_line_uploads_a_corpus(
    store: ArtifactStore, letters: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Client:
        datasets = DataSets(store)

    monkeypatch.setattr("scheduler.client.Client", Client)
    said = CliRunner().invoke(
        app, ["datasets", "upload", "mine", str(letters), "--as", "corpus", "--documents", "line"]
    )
    assert said.exit_code == 0, said.output
    assert "mine: 3 documents of running text" in said.output
    assert "3 documents: each line is a document" in said.output
    assert "3 documents were empty" in said.output
    listed = CliRunner().invoke(app, ["datasets", "list"])
    assert "descriptions" in listed.output and "246 documents" in listed.output


def test_named_corpora_have_as_many_documents_as_is_said(store: ArtifactStore, tmp_path: Path) -> None:
    cache = DataSetCache(store, tmp_path / "worker")
    for name, known in CORPORA.items():
        assert DataSets(store).find(name).count == known.count
        assert len(Corpus.open(cache.files(name, {}, known.write))) == known.count
