"""Draws images over what a trained model makes of them."""

import numpy as np

from jobs.context import JobContext, Progress
from jobs.datasets.images.fitting import fitted
from jobs.errors import BadInput
from jobs.pictures import grid
from jobs.selfsupervised.methods.building import load
from jobs.selfsupervised.spec import ReconstructImages, ReconstructionResult

#: More columns than this are no picture any more; the `.npz` has them all.
COLUMNS = 20


def run(spec: ReconstructImages, context: JobContext) -> ReconstructionResult:
    """Saves `reconstructions.png`, originals over what became of them, and `reconstructions.npz`.

    Of a masked or a denoising model, a row between shows what it saw.

    Raises:
        BadInput: the model does not reconstruct, or its images are of another size.
    """
    model = load(spec.model, context)
    if not model.reconstructs:
        raise BadInput(
            f"job {spec.model} trained with the method {model.spec.method!r}, which compares images and "
            "draws none; an 'autoencoder' or a 'masked' one reconstructs"
        )
    data = context.image_set(spec.dataset)
    order = np.random.Generator(np.random.Philox(spec.seed)).permutation(len(data))
    images = fitted(data.images[np.sort(order[: spec.count])], model.shape, spec.dataset)
    rows = {"originals": images.astype(np.float32) / 255.0, **model.reconstruct(images)}
    context.report(Progress(len(images), len(images), f"image {len(images)}/{len(images)}"))
    shown = [row[:COLUMNS] for row in rows.values()]
    context.save_artifact("reconstructions.png", grid(np.concatenate(shown), columns=len(shown[0])))
    path = context.folder / "reconstructions.npz"
    np.savez_compressed(path, allow_pickle=False, **rows)
    context.save_artifact("reconstructions.npz", path)
    error = float(np.square(rows["originals"] - rows["reconstructions"]).mean())
    return ReconstructionResult(count=len(images), mean_squared_error=error)
