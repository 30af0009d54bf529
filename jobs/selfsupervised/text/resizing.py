"""New words in the vocabulary of a checkpoint: rows at the end of its table; old ones stay as they are."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from jobs.errors import BadInput
from jobs.pretrained.fields import config_of
from jobs.pretrained.files import CONFIG, TOKENIZER_FILES, WEIGHTS
from jobs.pretrained.masked import NAMES
from jobs.pretrained.tokens import Tokenizer

_TABLE = "embeddings.word_embeddings.weight"
_TWICE = (".decoder.weight", ".decoder.bias", "vocab_projector.weight")
#: Deviation of a new row around the mean of all rows.
_DEVIATION = 0.02


def with_new_words(source: Path, words: Sequence[str], folder: Path, seed: int) -> Path:
    """A copy of a checkpoint with more words.

    A new row is the mean of all rows and some noise, so that its logits are those of a usual word.

    Args:
        source: of the checkpoint.
        words: those that its vocabulary has already stay as they are.
        folder: of the copy; made.
        seed: draws the noise.

    Raises:
        BadInput: the checkpoint cannot be read.
    """
    import ml_dtypes  # noqa: F401 - teaches NumPy bfloat16

    folder.mkdir()
    for name in (CONFIG, WEIGHTS, *TOKENIZER_FILES):
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)
    config, tokenizer = config_of(source), Tokenizer(source, 8)
    tokenizer.hugging_face.add_tokens(list(dict.fromkeys(words)))
    tokenizer.save(folder)
    before, after = int(config["vocab_size"]), len(tokenizer.hugging_face)
    if after <= before:
        return folder
    arrays = load_file(folder / WEIGHTS)
    tables = [name for name in arrays if name.endswith(_TABLE)]
    if len(tables) != 1:
        raise BadInput(f"{source.name} has {len(tables)} tables of words, and new words need one")
    table = np.asarray(arrays[tables[0]], np.float32)
    draws = np.random.Generator(np.random.Philox(key=np.array([seed, 2**43], np.uint64)))
    noise = draws.standard_normal((after - before, table.shape[1])) * _DEVIATION
    arrays[tables[0]] = np.concatenate([table, (table.mean(0) + noise).astype(np.float32)])
    bias = NAMES[str(config["model_type"])].bias
    if bias in arrays:
        old = np.asarray(arrays[bias], np.float32)
        arrays[bias] = np.concatenate([old, np.full(after - before, old.mean(), np.float32)])
    # The output matrix is the table; where a file has it twice, the second one would be of the old size.
    arrays = {name: each for name, each in arrays.items() if not name.endswith(_TWICE)}
    save_file(arrays, folder / WEIGHTS, {"format": "pt"})
    about = json.loads((folder / CONFIG).read_text(encoding="utf-8")) | {"vocab_size": after}
    (folder / CONFIG).write_text(json.dumps(about, indent=2), encoding="utf-8")
    return folder
