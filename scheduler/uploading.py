"""How data sets are taken in: what a file or folder is, and where its content goes."""

from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from jobs.datasets.bundle import digest_of
from jobs.datasets.corpora.dividing import Documents
from jobs.datasets.corpora.intake import Dividing, take_corpus
from jobs.datasets.images.image_set import ImageSet
from jobs.datasets.pairs.intake import Laid, Taking, take_pairs
from jobs.datasets.questions.checking import Wrong
from jobs.datasets.questions.loading import read as read_questions
from jobs.datasets.questions.reading import FORMATS as QUESTION_FORMATS
from jobs.datasets.tables.intake import Reading
from jobs.datasets.tables.telling import Content, chosen
from jobs.datasets.telling import check_taken, holds_questions
from jobs.datasets.texts.intake import Writing, take
from jobs.datasets.texts.sets import FORMATS
from jobs.errors import BadInput, InvalidSpec
from jobs.names import checked_name
from jobs.pretrained.files import CONFIG, FILES, WEIGHTS
from jobs.pretrained.sources import SAMPLES
from scheduler.data_set_info import NAMED, DataSetInfo


class Uploading(ABC):
    """The part of the data sets that takes in people's own; `DataSets` is what people hold."""

    @abstractmethod
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
        """Stores the files in a folder."""

    @abstractmethod
    def publish(self, name: str, images: ImageSet, file: Path) -> DataSetInfo:
        """Stores images that are written in a file."""

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
        content: Content | Literal["corpus"] | Laid | None = None,
        time: str | None = None,
        series: str | None = None,
        timezone: str | None = None,
        regularise: str | None = None,
        time_format: str | None = None,
        documents: Documents | None = None,
        column: str | None = None,
        wrong_answers: Wrong | None = None,
    ) -> DataSetInfo:
        """Stores images, texts, a table, questions, a corpus, pairs or a checkpoint under a name.

        Jobs submitted keep the old content.

        Args:
            name: what specs call it, such as `faces`.
            path: a folder of images (sub-folders are classes), or an `.npz` with `images` and maybe
                `labels`; a file of texts (`.csv`, `.tsv`, `.jsonl`, `.parquet`), of a table with time, or of
                questions on documents (these, or SQuAD's `.json`); or a folder with a checkpoint, as
                `save_pretrained` writes it. For a corpus a file of running text, a folder of such files
                (`.txt`, `.md`, `.rst`), or a file of rows. For pairs a folder with the folders `source` and
                `target` (or `A` and `B`), whose files have the same names, or an `.npz` with both arrays.
            size: (height, width) in pixels to which every image is resized; needed where sizes differ; of
                pairs that of one of the two.
            range: the values of pixels that become black and white; needed where they do not tell it
                themselves.
            pages: which pictures of a file with several are images; needed for files of pages.
            delimiter: of a file of texts, one character or `tab`, where it is not to be found out.
            quoting: whether its quotation marks enclose fields (`double`) or are part of texts (`none`).
            encoding: such as `cp1252`; UTF-8 and UTF-16 are found out.
            content: `texts`, `table` or `questions`; needed where a file may be any of them; `corpus`, of
                running text; `pairs` of images; or `side-by-side`, images with the source of a pair on the
                left and its target on the right.
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
        if content == "pairs" or content == "side-by-side":
            if reading != Reading() or writing != Writing() or documents or column or wrong_answers:
                raise BadInput("pairs are of images: size, range and pages are all that can be said of them")
            return self._upload_pairs(name, path, content, Taking(size, range, pages))
        if documents is not None or column is not None:
            raise BadInput("documents and column are of a text corpus: upload it as one (--as corpus)")
        if path.suffix.lower() in (*FORMATS, *QUESTION_FORMATS) and path.is_file():
            if reading != Reading() and (wrong_answers is not None or content == "questions"):
                raise BadInput("time, series, timezone, regularise and time format are of tables")
            if reading == Reading() and holds_questions(path, content, wrong_answers is not None):
                return self._upload_questions(name, path, writing, wrong_answers, content is None)
            return self._upload_rows(name, path, content, writing, reading)
        check_taken(path)
        if (path / CONFIG).is_file():
            return self._upload_checkpoint(name, path)
        from jobs.datasets.images.packing import pack

        return self._publish_images(name, pack(path, size=size, range=range, pages=pages))

    def _publish_images(self, name: str, images: ImageSet) -> DataSetInfo:
        with TemporaryDirectory(prefix="triptych-") as folder:
            file = Path(folder) / "images.npz"
            images.write(file)
            return self.publish(name, images, file)

    def _upload_rows(
        self, name: str, path: Path, content: Content | None, writing: Writing, reading: Reading
    ) -> DataSetInfo:
        content, note = chosen(path, content, writing != Writing(), reading != Reading())
        if content == "texts":
            return self._upload_texts(name, path, writing, (note,) if note else ())
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

    def _upload_pairs(self, name: str, path: Path, laid: Laid, taking: Taking) -> DataSetInfo:
        with TemporaryDirectory(prefix="triptych-") as folder:
            take_pairs(path, laid, taking).write(Path(folder))
            return self.publish_files(name, Path(folder))

    def _upload_texts(self, name: str, path: Path, writing: Writing, notes: tuple[str, ...]) -> DataSetInfo:
        with TemporaryDirectory(prefix="triptych-") as folder:
            taken = take(path, Path(folder), writing)
            if taken.count < 1:
                raise BadInput(f"{path} has no row; a file of texts needs at least one")
            notes = (*notes, *taken.notes)
            return self.publish_files(
                name, Path(folder), count=taken.count, columns=taken.columns, notes=notes
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

    def upload_images(self, folder: Path) -> DataSetInfo:
        """Stores a folder of images under a name made of their content.

        Raises:
            BadInput: it has no image, or some that cannot be used without more being said of them.
        """
        from jobs.datasets.images.packing import pack

        images = pack(folder)
        return self._publish_images(f"images-{images.digest[:16]}", images)
