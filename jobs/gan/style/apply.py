"""Translates the pictures of a data set, each whole and by itself."""

from collections.abc import Sequence

import numpy as np

from jobs.context import JobContext, Progress
from jobs.datasets.images.image_set import Array, ImageSet
from jobs.dividing.parts import Cuts, Part, PartResult, Piece
from jobs.errors import Stopped
from jobs.gan.style.naming import file_names
from jobs.gan.style.painting import fitted
from jobs.gan.style.trained import Trained, load
from jobs.gan.style.uses import ApplyStyle, TranslatedPictures
from jobs.gan.style.whole import translated
from jobs.pictures import grid, png

#: Pictures that are saved together for later attempts; parts are cut between such blocks.
BLOCK = 64
#: Such blocks in a part that is worth its beginning.
LEAST = 8
#: Pictures before and after in the grid, and pairs in a row of it.
SHOWN, PAIRS = 64, 4


def run(spec: ApplyStyle, context: JobContext) -> TranslatedPictures:
    """Saves each picture under `images/`, `images.npz`, and `grid.png`: before and after, side by side.

    A picture has the name of its file, where the data set was made of files, else its number, `0000.png`.

    It goes on after the blocks of pictures that an earlier attempt has saved.

    Raises:
        BadInput: the model is no training of style, or its weights cannot be read.
        Stopped: asked to stop.
    """
    data = context.image_set(spec.dataset)
    model = load(spec.model, context)
    images = [_block(context, model, data, first, 0, len(data)) for first in range(0, len(data), BLOCK)]
    return _whole(spec, context, data, model, np.concatenate(images))


def cuts(spec: ApplyStyle, context: JobContext) -> Cuts:
    """See `jobs.dividing.parts`: between blocks."""
    return Cuts.every(BLOCK, len(context.image_set(spec.dataset)), LEAST)


def compute(spec: ApplyStyle, context: JobContext, part: Part) -> PartResult:
    """See `jobs.dividing.parts`: a shard for each block."""
    data, model = context.image_set(spec.dataset), load(spec.model, context)
    blocks = range(part.first, part.end, BLOCK)
    for first in blocks:
        _block(context, model, data, first, part.first, part.end)
    return PartResult(shards=tuple(_shard(first) for first in blocks))


def join(spec: ApplyStyle, context: JobContext, pieces: Sequence[Piece]) -> TranslatedPictures:
    """See `jobs.dividing.parts`: what is made of all pictures together."""
    images = np.concatenate([np.load(shard) for piece in pieces for shard in piece.shards])
    return _whole(spec, context, context.image_set(spec.dataset), load(spec.model, context), images)


def _block(context: JobContext, model: Trained, data: ImageSet, first: int, begin: int, end: int) -> Array:
    """Some of the pictures from `begin` to `end`, translated or found; each is saved as a file, too.

    Raises:
        Stopped: asked to stop before the block.
    """
    found = context.shard(_shard(first))
    images: Array
    if found is not None:
        images = np.load(found)
    else:
        if (reason := context.should_stop()) is not None:
            raise Stopped(f"stopped at picture {first} of {len(data)}: {reason}")
        given = fitted(data.images[first : min(first + BLOCK, end)], model.channels)
        images = np.stack([translated(model.draw, picture, model.size) for picture in given])
        np.save(context.folder / _shard(first), images)
        context.save_shard(_shard(first), context.folder / _shard(first))
    names = file_names(data.names, len(data)).names
    for number, image in enumerate(images, first):
        context.save_artifact(f"images/{names[number]}.png", png(image))
    done, total = first + len(images) - begin, end - begin
    context.report(Progress(done, total, f"picture {done}/{total}"))
    return images


def _shard(first: int) -> str:
    return f"images-{first:08d}.npy"


def _whole(
    spec: ApplyStyle, context: JobContext, data: ImageSet, model: Trained, images: Array
) -> TranslatedPictures:
    before = fitted(data.images[:SHOWN], model.channels)
    shown = np.stack([before, images[:SHOWN]], axis=1).reshape(-1, *images.shape[1:])
    context.save_artifact("grid.png", grid(shown, columns=2 * PAIRS))
    path = context.folder / "images.npz"
    ImageSet(images, data.labels, data.class_names, names=data.names).write(path)
    context.save_artifact("images.npz", path)
    count, height, width, channels = images.shape
    had = data.shape[2]
    remarks = []
    if had != channels:
        taken = "grey ones were taken as three equal colours" if had < channels else "colours became grey"
        remarks.append(f"the pictures have {had} channels and the model draws {channels}: {taken}")
    if changed := file_names(data.names, count).changed:
        remarks.append(f"{changed} names of files were changed to what is allowed here, or to be different")
    return TranslatedPictures(
        count=count, height=height, width=width, channels=channels, remark="; ".join(remarks)
    )
