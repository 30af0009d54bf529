"""People's own data sets: checked here, kept in the store under the digest of their content."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from jobs.datasets.bundle import digest_of
from jobs.datasets.bundle import pack as pack_files
from jobs.datasets.corpora.corpus import CORPUS, Corpus
from jobs.datasets.corpora.dividing import Documents
from jobs.datasets.corpora.intake import Dividing, take_corpus
from jobs.datasets.corpora.named import CORPORA
from jobs.datasets.images import ImageSet
from jobs.datasets.intake import Writing, take
from jobs.datasets.named import DATA_SETS
from jobs.datasets.questions.checking import Wrong
from jobs.datasets.questions.loading import read as read_questions
from jobs.datasets.questions.named import QUESTION_SETS
from jobs.datasets.questions.reading import FORMATS as QUESTION_FORMATS
from jobs.datasets.questions.sets import ABOUT, QuestionSet
from jobs.datasets.tables.intake import Reading
from jobs.datasets.tables.named import TABLES
from jobs.datasets.tables.table import TABLE, Table
from jobs.datasets.tables.telling import Content, chosen
from jobs.datasets.telling import holds_questions
from jobs.datasets.texts import FORMATS, TEXT_SETS
from jobs.errors import BadInput, InvalidSpec
from jobs.names import checked_name
from jobs.pretrained.files import CONFIG, FILES, WEIGHTS
from jobs.pretrained.sources import SAMPLES
from scheduler.artifacts import ArtifactStore
from scheduler.data_set_info import DataSetInfo as DataSetInfo
from scheduler.data_set_info import (
    info_of,
    info_of_corpus,
    info_of_named,
    info_of_questions,
    info_of_table,
    kept,
)
from scheduler.errors import UnknownArtifact, UnknownDataSet
from scheduler.keys import DataSetKeys
from scheduler.removal import Freed, Removal

#: Names that come with Triptych, of what is listed and of checkpoints.
NAMED = (*DATA_SETS, *TEXT_SETS, *TABLES, *CORPORA, *QUESTION_SETS)


class DataSets:
    """The data sets that jobs can name: those that come with Triptych, and one's own."""

    def __init__(self, store: ArtifactStore, removal: Removal | None = None) -> None:
        """Takes the store, and what deletes, where people delete."""
        self._store, self._removal = store, removal

    def upload(
        self,
        name: str,
        path: str | Path,
        size: tuple[int, int] | None = None,
        *,
        range: tuple[float, float] | None = None,
        pages: Literal["first", "all"] | None = None,
        delimiter: str | None = None,
        quoting: Literal["double", "none"] | None = None,
        encoding: str | None = None,
        content: Content | Literal["corpus"] | None = None,
        time: str | None = None,
        series: str | None = None,
        timezone: str | None = None,
        regularise: str | None = None,
        time_format: str | None = None,
        documents: Documents | None = None,
        column: str | None = None,
        wrong_answers: Wrong | None = None,
    ) -> DataSetInfo:
        """Stores images, texts, a table, questions, a corpus or a checkpoint under a name.

        Jobs submitted keep the old content.

        Args:
            name: what specs call it, such as `faces`.
            path: a folder of images (sub-folders are classes), or an `.npz` with `images` and maybe
                `labels`; a file of texts (`.csv`, `.tsv`, `.jsonl`, `.parquet`), of a table with time, or of
                questions on documents (these, or SQuAD's `.json`); or a folder with a checkpoint, as
                `save_pretrained` writes it. For a corpus a file of running text, a folder of such files
                (`.txt`, `.md`, `.rst`), or a file of rows.
            size: (height, width) in pixels to which every image is resized; needed where sizes differ.
            range: the values of pixels that become black and white; needed where they do not tell it
                themselves.
            pages: which pictures of a file with several are images; needed for files of pages.
            delimiter: of a file of texts, one character or `tab`, where it is not to be found out.
            quoting: whether its quotation marks enclose fields (`double`) or are part of texts (`none`).
            encoding: such as `cp1252`; UTF-8 and UTF-16 are found out.
            content: `texts`, `table` or `questions`; needed where a file may be any of them; or `corpus`,
                of running text.
            time: the column of times of a table, where it has no usual name.
            series: the column that tells the series of a table apart.
            timezone: such as `Europe/Berlin`: where the clock is that showed the times.
            regularise: such as `1h`: make the rows of a table that far apart, with rows that are missing.
            time_format: how times are written, as `datetime.strptime` takes it, where not as ISO 8601.
            documents: what tells the documents of a corpus apart: `file` (usual for text), `blank-line`,
                `line`, or `row` (for a file of rows).
            column: of a file of rows, which holds the text of a corpus.
            wrong_answers: `refuse` questions whose answer does not stand where it is said to, or whose
                context is empty, or id not their own; or `skip` and count them.

        Returns:
            What the name stands for now; its notes say what was left out, guessed or changed.

        Raises:
            InvalidSpec: the name is not allowed.
            BadInput: nothing to upload, or something unreadable; the text names the file.
        """
        if checked_name(name, "data set name") in {*NAMED, *SAMPLES}:
            raise InvalidSpec(f"the data set {name!r} comes with Triptych: choose another name")
        path = Path(path)
        reading = Reading(time, series, timezone, regularise, time_format)
        writing = Writing(delimiter, quoting, encoding)
        if content == "corpus":
            if reading != Reading():
                raise BadInput("time, series, timezone, regularise and time format are of tables")
            return self._upload_corpus(name, path, Dividing(documents, column), writing)
        if documents is not None or column is not None:
            raise BadInput("documents and column are of a text corpus: upload it as one (--as corpus)")
        if path.suffix.lower() in (*FORMATS, *QUESTION_FORMATS) and path.is_file():
            if reading != Reading() and (wrong_answers is not None or content == "questions"):
                raise BadInput("time, series, timezone, regularise and time format are of tables")
            if reading == Reading() and holds_questions(path, content, wrong_answers is not None):
                return self._upload_questions(name, path, writing, wrong_answers, content is None)
            return self._upload_rows(name, path, content, writing, reading)
        if (path / CONFIG).is_file():
            return self._upload_checkpoint(name, path)
        from jobs.datasets.packing import pack

        images = pack(path, size=size, range=range, pages=pages)
        with TemporaryDirectory(prefix="triptych-") as folder:
            file = Path(folder) / "images.npz"
            images.write(file)
            return self.publish(name, images, file)

    def _upload_rows(
        self, name: str, path: Path, content: Content | None, writing: Writing, reading: Reading
    ) -> DataSetInfo:
        content, note = chosen(path, content, writing != Writing(), reading != Reading())
        if content == "texts":
            return self._upload_texts(name, path, writing)
        table = reading.read(path)
        with TemporaryDirectory(prefix="triptych-") as folder:
            replace(table, remarks=(*([note] if note else []), *table.remarks)).write(Path(folder))
            return self.publish_files(name, Path(folder))

    def _upload_questions(
        self, name: str, path: Path, writing: Writing, wrong: Wrong | None, guessed: bool
    ) -> DataSetInfo:
        notes: list[str] = []
        with TemporaryDirectory(prefix="triptych-") as rows, TemporaryDirectory(prefix="triptych-") as folder:
            source = path
            if path.suffix.lower() in FORMATS:
                notes += take(path, Path(rows), writing).notes
                source = next(Path(rows).iterdir())
                if guessed and wrong is None:
                    notes.append("taken for questions by its columns; --as texts takes it for texts")
            found = read_questions(source, path.name, wrong or "refuse")
            replace(found, remarks=(*notes, *found.remarks)).write(Path(folder))
            return self.publish_files(name, Path(folder))

    def _upload_corpus(self, name: str, path: Path, dividing: Dividing, writing: Writing) -> DataSetInfo:
        with TemporaryDirectory(prefix="triptych-") as folder:
            take_corpus(path, Path(folder), dividing, writing)
            return self.publish_files(name, Path(folder))

    def _upload_texts(self, name: str, path: Path, writing: Writing) -> DataSetInfo:
        with TemporaryDirectory(prefix="triptych-") as folder:
            taken = take(path, Path(folder), writing)
            if taken.count < 1:
                raise BadInput(f"{path} has no row; a file of texts needs at least one")
            return self.publish_files(
                name, Path(folder), count=taken.count, columns=taken.columns, notes=taken.notes
            )

    def _upload_checkpoint(self, name: str, path: Path) -> DataSetInfo:
        found = [path / file for file in FILES if (path / file).is_file()]
        if path / WEIGHTS not in found:
            raise BadInput(
                f"{path} has no {WEIGHTS}; save the checkpoint as a single file, with "
                "save_pretrained(..., max_shard_size='100GB')"
            )
        with TemporaryDirectory(prefix="triptych-") as folder:
            for file in found:
                (Path(folder) / file.name).symlink_to(file.absolute())
            return self.publish_files(name, Path(folder), count=len(found))

    def upload_folder(self, folder: Path) -> DataSetInfo:
        """Stores a checkpoint under a name made of its content.

        Raises:
            BadInput: the folder holds no checkpoint.
        """
        return self._upload_checkpoint(f"pretrained-{digest_of(folder)[:16]}", folder)

    def publish_files(
        self,
        name: str,
        folder: Path,
        count: int = 0,
        columns: tuple[str, ...] = (),
        *,
        notes: tuple[str, ...] = (),
        only_new: bool = False,
    ) -> DataSetInfo:
        """Stores the files in a folder: a checkpoint if it has a config.json, a table, a corpus, and so on.

        Args:
            name: what specs call it.
            folder: with the files, and nothing else.
            count: rows, or files.
            columns: of texts.
            notes: what was found out or changed when they were taken in.
            only_new: what has the name already stays, and is returned.
        """
        if (folder / TABLE).is_file():
            info = info_of_table(name, digest_of(folder), Table.read(folder))
        elif (folder / ABOUT).is_file():
            info = info_of_questions(name, digest_of(folder), QuestionSet.read(folder))
        elif (folder / CORPUS).is_file():
            info = info_of_corpus(name, digest_of(folder), Corpus.open(folder))
        else:
            content = "pretrained" if (folder / CONFIG).is_file() else "texts"
            info = DataSetInfo(name, digest_of(folder), count, (), (), "", content, columns, notes)
        keys = DataSetKeys(name)
        self._store.ensure_bucket()
        if not self._store.exists(keys.files(info.digest)):
            with TemporaryDirectory(prefix="triptych-") as work:
                file = Path(work) / "files.zip"
                pack_files(folder, file)
                self._store.put_file(keys.files(info.digest), file)
        # The pointer last: whoever reads it finds the content there.
        if not only_new:
            self._store.put_json(keys.current, kept(info))
        elif not self._store.put_new_json(keys.current, kept(info)):
            return self.get(name)
        return info

    def publish(self, name: str, images: ImageSet, file: Path) -> DataSetInfo:
        """Stores a data set that is written in a file."""
        info = info_of(name, images)
        keys = DataSetKeys(name)
        self._store.ensure_bucket()
        if not self._store.exists(keys.content(info.digest)):
            self._store.put_file(keys.content(info.digest), file)
        # The pointer last: whoever reads it finds the content there.
        self._store.put_json(keys.current, kept(info))
        return info

    def publish_new(self, name: str, images: ImageSet) -> DataSetInfo:
        """Stores a data set under a name that nothing has, or that has this very content.

        Raises:
            BadInput: the name has other content.
        """
        keys, info = DataSetKeys(name), info_of(name, images)
        self._store.ensure_bucket()
        with TemporaryDirectory(prefix="triptych-") as folder:
            file = Path(folder) / "images.npz"
            images.write(file)
            self._store.put_file(keys.content(info.digest), file)
        # In one step, so that of two jobs that choose the same name one is told.
        if not self._store.put_new_json(keys.current, kept(info)) and self.get(name).digest != info.digest:
            raise BadInput(f"there is a data set {name!r} already, with other content: choose another name")
        return info

    def delete(self, name: str) -> Freed:
        """Deletes a data set of one's own, with all content that it has had.

        Raises:
            UnknownDataSet: there is none of that name.
            StillNeeded: a job that has not ended, or something else, refers to it.
        """
        if self._removal is None:
            raise RuntimeError("data sets are deleted through a client")
        return self._removal.data_set(name)

    def get(self, name: str) -> DataSetInfo:
        """A data set in the store.

        Raises:
            UnknownDataSet: there is none of that name; the text lists the ones there are.
        """
        try:
            data = self._store.get_json(DataSetKeys(name).current)
        except UnknownArtifact:
            raise UnknownDataSet(
                f"there is no data set {name!r}: known are {', '.join(self.names())}; add your own with "
                f"`triptych datasets upload {name} FOLDER`"
            ) from None
        # JSON has no tuples.
        fields: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in data.items()
        }
        return DataSetInfo(**fields)

    def names(self) -> Sequence[str]:
        """The names that a spec can use."""
        return sorted({*NAMED, *self._stored()} - {*SAMPLES})

    def list(self) -> Sequence[DataSetInfo]:
        """Every data set: those that come with Triptych (these without a digest), then one's own."""
        listed = [self.find(name) for name in NAMED]
        for name in self._stored():
            if name not in {*NAMED, *SAMPLES}:
                with suppress(UnknownDataSet):  # removed since the store named it
                    listed.append(self.get(name))
        return listed

    def find(self, name: str) -> DataSetInfo:
        """A data set that comes with Triptych (without a digest), or one in the store.

        Raises:
            UnknownDataSet: there is none of that name; the text lists the ones there are.
        """
        return info_of_named(name) or self.get(name)

    def _stored(self) -> Sequence[str]:
        """The names that stand for something: not those of an upload under way, nor emptied folders."""
        try:
            keys = [item.key.split("/") for item in self._store.under("datasets/")]
        except UnknownArtifact:
            return []
        return sorted(name for _, name, file in keys if file == "current.json")
