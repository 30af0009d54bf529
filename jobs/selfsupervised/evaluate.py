"""Measures what embeddings are worth, and draws them as a map."""

import io
import json

import numpy as np

from jobs.context import JobContext, Progress
from jobs.datasets.images.fitting import fitted
from jobs.datasets.images.image_set import ImageSet
from jobs.errors import BadInput
from jobs.pictures.lettering import lettering, verbatim
from jobs.probes import (
    Components,
    effective_rank,
    few,
    flat,
    knn_accuracy,
    linear_accuracy,
)
from jobs.selfsupervised.methods.building import load
from jobs.selfsupervised.methods.learner import Learner
from jobs.selfsupervised.networks.shapes import Array
from jobs.selfsupervised.spec import EvaluateEmbeddings, EvaluationResult

SHARES = (0.01, 0.1, 1.0)
#: Points on a map: more of them hide each other, and t-SNE takes minutes.
POINTS = 2_000
#: Classes on a map: more colours are not to be told apart.
CLASSES = 20

Representations = dict[str, tuple[Array, Array]]  #: of the training rows and of the test rows, by name


def run(spec: EvaluateEmbeddings, context: JobContext) -> EvaluationResult:
    """Saves `evaluation.json` and `map.png`.

    Raises:
        BadInput: the model is no self-supervised training, or its images are of another size or only one.
    """
    model = load(spec.model, context)
    data = context.image_set(spec.dataset)
    random = np.random.Generator(np.random.Philox(spec.seed))
    order = random.permutation(len(data))[: spec.rows]
    if len(order) < 2:
        raise BadInput(f"the data set {spec.dataset!r} has one image; an evaluation needs at least 2")
    images = fitted(data.images[order], model.shape, spec.dataset)
    tested = min(len(order) - 1, max(1, round(spec.test * len(order))))
    train, test = images[tested:], images[:tested]
    context.report(Progress(0, 3, "embeddings"))
    compared = representations(model, train, test)
    context.report(Progress(1, 3, "probes"))
    knn: dict[str, float] = {}
    linear: dict[str, dict[str, float]] = {}
    if data.labels is not None:
        labels, wanted = data.labels[order][tested:], data.labels[order][:tested]
        chosen = {share: few(labels, share, random) for share in SHARES}  # the same for every representation
        for name, (known, asked) in compared.items():
            knn[name] = knn_accuracy(known, labels, asked, wanted)
            linear[name] = {
                f"{share:.0%}": linear_accuracy(known, labels, rows, asked, wanted)
                for share, rows in chosen.items()
            }
    result = EvaluationResult(
        knn=knn,
        linear=linear,
        effective_rank={name: effective_rank(known) for name, (known, _) in compared.items()},
        reconstruction_error=errors(model, train, test, compared),
        labelled=len(train) if data.labels is not None else 0,
        tested=len(test),
    )
    context.report(Progress(2, 3, "map"))
    embeddings = np.concatenate(compared["embedding"][::-1])  # in the order of `order`
    context.save_artifact("map.png", draw_map(embeddings, data, order, spec))
    context.save_artifact("evaluation.json", json.dumps(result.model_dump(), indent=2).encode())
    context.report(Progress(3, 3, "done"))
    return result


def representations(model: Learner, train: Array, test: Array) -> Representations:
    """The embedding, the raw pixels, and as many principal components as the embedding has numbers."""
    embeddings = model.embed(train), model.embed(test)
    components = Components(flat(train), embeddings[0].shape[1])
    return {
        "embedding": embeddings,
        "pixels": (flat(train), flat(test)),
        "pca": (components.code(flat(train)), components.code(flat(test))),
    }


def errors(model: Learner, train: Array, test: Array, compared: Representations) -> dict[str, float]:
    """Mean squared error on the test rows, of pixels from 0 to 1."""
    components = Components(flat(train), compared["embedding"][0].shape[1])
    found = {"pca": components.decode(compared["pca"][1])}
    if model.reconstructs:
        found["embedding"] = model.reconstruct(test)["reconstructions"].reshape(len(test), -1)
    return {name: float(np.square(drawn - flat(test)).mean()) for name, drawn in found.items()}


def draw_map(embeddings: Array, data: ImageSet, order: Array, spec: EvaluateEmbeddings) -> bytes:
    """The embeddings in two dimensions, coloured by class where there are any, as a PNG file."""
    # Not through pyplot, which keeps global state and looks for a display.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    points = laid_out(embeddings[:POINTS], spec)
    figure = Figure(figsize=(8, 7), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    if data.labels is None:
        axes.scatter(points[:, 0], points[:, 1], s=6)
    else:
        labels = data.labels[order[: len(points)]]
        names = lettering(data.class_names[:CLASSES])
        for number in range(len(names.labels)):
            of_class = points[labels == number]
            axes.scatter(of_class[:, 0], of_class[:, 1], s=6, label=f"class {number}")
        legend = axes.legend(markerscale=3, loc="center left", bbox_to_anchor=(1.0, 0.5))
        # Only now: Matplotlib leaves out of a legend what begins with "_".
        for text, label in zip(legend.get_texts(), names.labels, strict=True):
            text.set(text=label, family=names.fonts)
        axes.set_xlabel(_left_out(data, names.remark))
    axes.set(xticks=[], yticks=[], title=verbatim(f"embeddings of {spec.dataset}, {spec.map}"))
    file = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(file, format="png")
    return file.getvalue()


def _left_out(data: ImageSet, remark: str) -> str:
    """What a map does not show of the classes."""
    more = len(data.class_names) - CLASSES
    hidden = f"the images of {more} more classes are not drawn" if more > 0 else ""
    return "\n".join(filter(None, (hidden, remark)))


def laid_out(embeddings: Array, spec: EvaluateEmbeddings) -> Array:
    """Places (count, 2): t-SNE (van der Maaten and Hinton 2008) from 5 rows on, else principal components."""
    if spec.map == "pca" or len(embeddings) < 5:
        places = Components(embeddings, 2).code(embeddings)
        return np.pad(places, ((0, 0), (0, 2 - places.shape[1])))
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(embeddings) - 1) / 3)
    tsne = TSNE(perplexity=perplexity, init="pca", random_state=spec.seed)
    found: Array = tsne.fit_transform(embeddings)
    return found
