"""A text corpus on the disk: one file of UTF-8, and where each document ends in it."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from jobs.errors import BadInput

Array = np.ndarray[Any, Any]

#: The files of a corpus; the first one is what a folder is known by.
CORPUS, TEXT, OFFSETS = "corpus.json", "corpus.txt", "documents.npy"
#: Bytes that are read at a time.
BLOCK = 1 << 20


@dataclass(frozen=True)
class Corpus:
    """Documents, one after the other with nothing in between; the text stays on the disk.

    Attributes:
        text: all documents as UTF-8, uint8 (bytes,), mapped.
        offsets: where each document begins, and the end of the last, int64 (documents + 1,).
        characters: of all documents.
        divided_by: what told the documents apart: `file`, `blank-line`, `line` or `row`.
        notes: what was left out or changed when it was taken in, in numbers.
        digest: SHA-256 of text and offsets, as hexadecimal digits.
        folder: where it lies.
    """

    text: Array = field(repr=False)
    offsets: Array = field(repr=False)
    characters: int
    divided_by: str
    notes: tuple[str, ...]
    digest: str
    folder: Path

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The corpus in a folder.

        Raises:
            BadInput: there is none, or it is not whole.
        """
        try:
            about = json.loads((folder / CORPUS).read_text(encoding="utf-8"))
            offsets = np.load(folder / OFFSETS, allow_pickle=False)
            text = np.memmap(folder / TEXT, np.uint8, "r")
            found = cls(
                np.asarray(text),
                offsets,
                int(about["characters"]),
                str(about["divided_by"]),
                tuple(about["notes"]),
                str(about["digest"]),
                folder,
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadInput(f"{folder.name} holds no text corpus that can be read: {error}") from error
        if len(found.text) != found.offsets[-1]:
            raise BadInput(f"the text corpus in {folder.name} is not whole: upload it again")
        return found

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def bytes(self) -> int:
        """Of all documents, as UTF-8."""
        return len(self.text)

    def read(self, first: int, end: int) -> str:
        """The text between two bytes, neither of which is inside a character."""
        return bytes(self.text[first:end]).decode()

    def document(self, number: int) -> str:
        """The whole text of a document."""
        return self.read(int(self.offsets[number]), int(self.offsets[number + 1]))

    def check(self) -> None:
        """Reads all of it.

        Raises:
            BadInput: it is not what was taken in.
        """
        if digest_of(self.folder) != self.digest:
            raise BadInput(
                f"the text corpus in {self.folder} was damaged on this disk: delete this folder, so that it "
                "is fetched again"
            )


def write_about(folder: Path, characters: int, divided_by: str, notes: tuple[str, ...]) -> Corpus:
    """Writes what is known of a corpus whose text and offsets are in a folder; makes it whole."""
    about = {
        "characters": characters,
        "divided_by": divided_by,
        "notes": list(notes),
        "digest": digest_of(folder),
    }
    (folder / CORPUS).write_text(json.dumps(about, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return Corpus.open(folder)


def digest_of(folder: Path) -> str:
    """SHA-256 of text and offsets, as hexadecimal digits."""
    digest = hashlib.sha256()
    for name in (TEXT, OFFSETS):
        with (folder / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def characters_in(text: Array) -> int:
    """How many characters some bytes of UTF-8 are."""
    blocks = range(0, len(text), BLOCK)
    return sum(int(np.count_nonzero((text[at : at + BLOCK] & 0xC0) != 0x80)) for at in blocks)
