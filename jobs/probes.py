"""What a representation of images is worth, measured with labels that its training never saw."""

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

#: Neighbours that vote, fewer where there are fewer rows.
NEIGHBOURS = 20
#: Inverse weights of the linear probe's L2 penalty, on features of mean squared length 1: what suits a
#: representation is chosen by cross-validation among these, with the labels it may use and no others.
FREEDOMS = (1.0, 10.0, 100.0, 1_000.0, 10_000.0)
#: Folds of it, and rows that it looks at, at most: with more the choice is the same, and takes minutes.
FOLDS, CHOSEN_ON = 4, 400


def flat(images: Array) -> Array:
    """Raw pixels as a representation: float32 (count, pixels) in [0, 1], of images uint8 (count, ...)."""
    return images.reshape(len(images), -1).astype(np.float32) / 255.0


def knn_accuracy(memory: Array, labels: Array, queries: Array, wanted: Array, k: int = NEIGHBOURS) -> float:
    """Share of the queries that get their label from a vote of the k nearest rows by cosine.

    Of equal votes the smallest label counts; of equally near rows the first.

    Args:
        memory: float32 (rows, dim).
        labels: int64 (rows,), from 0.
        queries: float32 (queries, dim).
        wanted: int64 (queries,).
        k: neighbours.
    """
    k = min(k, len(memory))
    similarities = unit(queries) @ unit(memory).T  # (queries, rows)
    nearest = np.argsort(-similarities, axis=1, kind="stable")[:, :k]
    votes = np.apply_along_axis(np.bincount, 1, labels[nearest], minlength=int(labels.max()) + 1)
    return float((votes.argmax(axis=1) == wanted).mean())


def few(labels: Array, share: float, random: np.random.Generator) -> Array:
    """Rows whose labels a probe may use, int64: this share of each class, and at least one of it."""
    chosen = []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        count = max(1, round(share * len(rows)))
        chosen.append(random.permutation(rows)[:count])
    return np.sort(np.concatenate(chosen))


def linear_accuracy(features: Array, labels: Array, rows: Array, queries: Array, wanted: Array) -> float:
    """Accuracy of a logistic regression that learns from some rows.

    All features are centred and divided by one number, the root of their mean squared length over all
    training rows, whose labels that does not need. The penalty is chosen for each representation (`freedom`).

    Args:
        features: float32 (count, dim), of all training rows.
        labels: int64 (count,).
        rows: int64, those whose labels may be used.
        queries: float32 (queries, dim).
        wanted: int64 (queries,).
    """
    if len(np.unique(labels[rows])) == 1:
        return float((wanted == labels[rows][0]).mean())
    from sklearn.linear_model import LogisticRegression

    centre = features.mean(axis=0)
    length = math.sqrt(np.square(features - centre).sum(axis=1).mean()) or 1.0
    known = (features[rows] - centre) / length
    probe = LogisticRegression(C=freedom(known, labels[rows]), tol=1e-3, max_iter=2000)
    probe.fit(known, labels[rows])
    return float((probe.predict((queries - centre) / length) == wanted).mean())


def freedom(features: Array, labels: Array) -> float:
    """The inverse weight of the penalty that does best in cross-validation; of equal ones the smallest.

    Args:
        features: float32 (rows, dim), of mean squared length 1.
        labels: int64 (rows,), in the order of the data set. A class with one row leaves no choice: 100.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, StratifiedKFold

    chosen = np.arange(len(labels)) * max(1.0, len(labels) / CHOSEN_ON)
    chosen = chosen[chosen < len(labels)].astype(np.int64)  # every so many rows
    folds = min(FOLDS, int(np.unique(labels[chosen], return_counts=True)[1].min()))
    if folds < 2:
        return 100.0
    probe = LogisticRegression(tol=1e-3, max_iter=2000)
    search = GridSearchCV(probe, {"C": FREEDOMS}, cv=StratifiedKFold(folds), refit=False)
    search.fit(features[chosen], labels[chosen])
    return float(search.best_params_["C"])


def effective_rank(features: Array) -> float:
    """How many directions rows (count, dim) fill: exp of the entropy of their singular values, centred.

    Roy and Vetterli 2007, *The effective rank*: with `p = singular values / their sum`, `exp(-sum(p log p))`;
    dim if all directions are alike, 1 if there is one, and 0 if all rows are equal.
    """
    values = np.linalg.svd(features - features.mean(axis=0), compute_uv=False)
    if values.sum() <= 1e-6 * len(features):
        return 0.0
    shares = values[values > 0] / values.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


class Components:
    """Principal components of rows, float32 (count, dim): the best linear code of its length."""

    def __init__(self, rows: Array, count: int) -> None:
        self.centre = rows.mean(axis=0)
        centred = (rows - self.centre).astype(np.float64)
        _, directions = np.linalg.eigh(centred.T @ centred)  # in the order of growing variance
        self.directions = directions[:, ::-1][:, :count].astype(np.float32)  # (dim, count)

    def code(self, rows: Array) -> Array:
        """Codes (rows, count)."""
        codes: Array = (rows - self.centre) @ self.directions
        return codes

    def decode(self, codes: Array) -> Array:
        """Rows (rows, dim) again."""
        rows: Array = codes @ self.directions.T + self.centre
        return rows


def unit(rows: Array) -> Array:
    """Rows (count, dim) of length 1; a row of zeros stays one."""
    lengths: Array = np.linalg.norm(rows, axis=1, keepdims=True)
    found: Array = rows / np.maximum(lengths, 1e-12)
    return found
