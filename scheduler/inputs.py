"""What a spec names besides jobs: data sets and checkpoints, checked and pinned when it is submitted."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.datasets.known import checked_content
from jobs.datasets.remarks import tell
from jobs.errors import InvalidSpec
from jobs.names import HUB_PATTERN, PretrainedField, is_folder
from jobs.pretrained.sources import SAMPLES, stored_name
from jobs.spec import JobSpec, ResultT
from scheduler.errors import UnknownDataSet

if TYPE_CHECKING:
    from scheduler.datasets import DataSetInfo, DataSets


def pinned(spec: JobSpec[ResultT], sets: "DataSets") -> tuple[JobSpec[ResultT], dict[str, str]]:
    """The spec as it is to be stored, and the digests of what it names, by name.

    A folder on this machine is uploaded, since no worker would find it; what was left out of it is logged.

    Raises:
        InvalidSpec: a data set holds something else than the field takes, or has no such column or no labels.
        UnknownDataSet: there is none of that name.
        BadInput: the folder holds no checkpoint, or no images that can be read.
    """
    spec = _with_images_uploaded(spec, sets)
    found: dict[str, DataSetInfo] = {}
    for field, name, content in spec.named_sets():
        found[name] = _of_content(spec, field, sets.find(name), content)
    for field, name, column in spec.columns():
        _has_column(spec, field, found[name], column)
    for field, name, classes in spec.labelled():
        _has_labels(spec, field, found[name], classes)
    spec = _with_folders_uploaded(spec, sets)
    for field, name in spec.named(PretrainedField):
        if (info := _checkpoint(spec, field, name, sets)) is not None:
            found[info.name] = info
    return spec, {name: info.digest for name, info in found.items() if info.digest}


def _of_content(spec: JobSpec[ResultT], field: str, info: "DataSetInfo", content: str) -> "DataSetInfo":
    checked_content(spec, field, info.name, content, info.content)
    return info


def _has_column(spec: JobSpec[ResultT], field: str, info: "DataSetInfo", column: str) -> None:
    if column not in info.columns:
        raise InvalidSpec(
            f"{spec.kind}: field {field!r}: the data set {info.name!r} has no column {column!r}; its columns "
            f"are {', '.join(info.columns)}"
        )


def _has_labels(spec: JobSpec[ResultT], field: str, info: "DataSetInfo", classes: int) -> None:
    if (count := len(info.class_names)) < classes:
        has = f"only the class {info.class_names[0]!r}" if count else "no labels"
        needs = "labels" if classes == 1 else f"labels of {classes} classes or more"
        raise InvalidSpec(
            f"{spec.kind}: field {field!r}: the images of {info.name!r} have {has}, and it takes {needs}: "
            "upload a folder with one sub-folder for each class, or an .npz with an array 'labels'"
        )


def _with_images_uploaded(spec: JobSpec[ResultT], sets: "DataSets") -> JobSpec[ResultT]:
    folders = {field: Path(name).expanduser() for field, name, _ in spec.named_sets() if is_folder(name)}
    uploaded = {field: sets.upload_images(folder) for field, folder in folders.items()}
    for field, info in uploaded.items():
        tell(getattr(spec, field), info.notes)
    return spec.model_copy(update={field: info.name for field, info in uploaded.items()})


def _with_folders_uploaded(spec: JobSpec[ResultT], sets: "DataSets") -> JobSpec[ResultT]:
    uploaded = {}
    for field, name in spec.named(PretrainedField):
        if is_folder(name):
            folder = Path(name).expanduser()
            if not (folder / "config.json").is_file():
                raise InvalidSpec(
                    f"{spec.kind}: field {field!r}: the folder {name} has no config.json; give one that "
                    "save_pretrained has written"
                )
            uploaded[field] = sets.upload_folder(folder).name
    return spec.model_copy(update=uploaded)


def _checkpoint(spec: JobSpec[ResultT], field: str, name: str, sets: "DataSets") -> "DataSetInfo | None":
    """What is in the store of a checkpoint; a hub's that no job has fetched yet is not there."""
    if name in SAMPLES:
        return None
    if re.fullmatch(HUB_PATTERN, name):
        try:
            return sets.get(stored_name(name))
        except UnknownDataSet:
            return None
    return _of_content(spec, field, sets.get(name), "pretrained")
