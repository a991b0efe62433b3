"""What people saw in FER2013, as statistics: these are committed, the FER+ votes they come from are not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fer_core.data.ferplus import SEVEN, VOTE_COLUMNS
from fer_core.labels import EMOTIONS, N_CLASSES, index_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

ENTROPY_EDGES: Final = tuple(round(0.1 * k, 1) for k in range(21))
"""Bins of the entropy of the votes in nats: 0 when all agree, ln 7 = 1.95 when the seven classes get equal shares."""


def mean_votes(labels: NDArray[np.int64], counts: NDArray[np.int64]) -> FloatArray:
    """Return how the votes for the images of each label are shared out, ``(7, 10)``: each row adds up to 1.

    Every image weighs the same, whatever its number of votes. NaN rows for labels without images.

    Parameters
    ----------
    labels : ndarray of int64, shape (N,)
    counts : ndarray of int64, shape (N, 10)
        Votes in the order of ``VOTE_COLUMNS``; each image has some.
    """
    shares = counts / counts.sum(axis=1, keepdims=True)
    rows = np.full((N_CLASSES, len(VOTE_COLUMNS)), np.nan)
    for label in range(N_CLASSES):
        if (labels == label).any():
            rows[label] = shares[labels == label].mean(axis=0)
    return rows


def votes_for_label(labels: NDArray[np.int64], counts: NDArray[np.int64]) -> FloatArray:
    """Return the share of an image's votes that its own label got, ``(N,)``: 0 to 1; NaN without votes."""
    total = counts.sum(axis=1)
    own = counts[np.arange(len(labels)), np.array(SEVEN)[labels]]
    share: FloatArray = np.divide(own, total, out=np.full(len(labels), np.nan), where=total > 0)
    return share


def second_opinions(counts: NDArray[np.int64]) -> FloatArray:
    """Return what a second person says when a first one says something: ``(10, 10)``, each row adds up to 1.

    Entry (j, k) is the chance that of two different people drawn for the same image, the second says k given that the
    first says j: sum over images of ``n_j (n_k - [j = k]) / (n - 1)``, divided by the sum of ``n_j``. NaN rows for
    answers nobody gave. Images with a single vote have no second person and are left out.
    """
    used = counts[counts.sum(axis=1) > 1].astype(np.float64)
    others = used.sum(axis=1) - 1
    pairs = np.einsum("ij,ik->jk", used / others[:, None], used)
    pairs -= np.diag((used / others[:, None]).sum(axis=0))
    total = pairs.sum(axis=1, keepdims=True)
    chances: FloatArray = np.divide(pairs, total, out=np.full_like(pairs, np.nan), where=total > 0)
    return chances


def summarise(labels: NDArray[np.int64], split: NDArray[np.str_], counts: NDArray[np.int64]) -> dict[str, Any]:
    """Return the statistics that ``people.json`` holds.

    Parameters
    ----------
    labels, split : ndarray, shape (N,)
        Of the images that have votes.
    counts : ndarray of int64, shape (N, 10)

    Returns
    -------
    dict
        ``images`` and ``votes`` counted; ``agreement``: per part (``all``, ``test``, ``private``) the share of images
        whose majority is the label, its bounds over ties, the same per class, and ``one_person``: the share a single
        person drawn at random agrees with; ``mean_votes`` (7, 10); ``majority`` (7, 10) images by label and majority;
        ``second_opinions`` (10, 10); ``entropy``: ``edges``, ``counts`` (7, 20) and ``mean`` (7).
    """
    from fer_core.evaluation.agreement import agreement, distribution, entropy

    parts = {
        "all": np.ones(len(labels), bool),
        "test": np.isin(split, ("public", "private")),
        "private": split == "private",
    }
    agreements = {}
    for part, chosen in parts.items():
        result = agreement(labels[chosen], labels[chosen], counts[chosen])
        agreements[part] = {
            "n": result.n,
            "value": _rounded(result.value),
            "strict": _rounded(result.strict),
            "lenient": _rounded(result.lenient),
            "one_person": _rounded(votes_for_label(labels[chosen], counts[chosen]).mean()),
            "per_class": _rounded(result.per_class),
            "support": result.support.tolist(),
        }
    majority = np.zeros((N_CLASSES, len(VOTE_COLUMNS)), dtype=np.int64)
    np.add.at(majority, (labels, counts.argmax(axis=1)), 1)
    disorder = entropy(distribution(counts))
    known = ~np.isnan(disorder)
    return {
        "images": len(labels),
        "votes": int(counts.sum()),
        "columns": list(VOTE_COLUMNS),
        "classes": list(EMOTIONS),
        "agreement": agreements,
        "mean_votes": _rounded(mean_votes(labels, counts)),
        "majority": majority.tolist(),
        "second_opinions": _rounded(second_opinions(counts)),
        "entropy": {
            "edges": list(ENTROPY_EDGES),
            "counts": [
                np.histogram(disorder[known & (labels == k)], ENTROPY_EDGES)[0].tolist() for k in range(N_CLASSES)
            ],
            "mean": _rounded(
                [disorder[known & (labels == k)].mean() if (known & (labels == k)).any() else np.nan for k in range(7)]
            ),
        },
    }


def witness(
    labels: NDArray[np.int64],
    suspect: NDArray[np.bool_],
    suggested: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> dict[str, Any]:
    """Ask FER+ about the labels that a model doubts: numbers over all of them, none for a single image.

    Returns
    -------
    dict
        For ``suspect`` and for the ``other`` images: ``n``, and the shares whose majority is the ``label``, or another
        answer (``against_label``); for the suspects also the share whose majority is what the model ``suggested``.
    """
    from fer_core.evaluation.agreement import majority

    leading = majority(counts)
    result: dict[str, Any] = {}
    for name, chosen in (("suspect", suspect), ("other", ~suspect)):
        n = int(chosen.sum())
        right = leading[chosen] == labels[chosen]
        result[name] = {
            "n": n,
            "label": _rounded(right.mean()) if n else None,
            "against_label": _rounded((~right).mean()) if n else None,
        }
    backed = leading[suspect] == suggested[suspect]
    result["suspect"]["suggested"] = _rounded(backed.mean()) if len(backed) else None
    return result


def beside(summary: Mapping[str, Any], emotion: str) -> tuple[float, list[tuple[str, float]]]:
    """Return what a second person says of a face for which a first one said `emotion`.

    Returns
    -------
    same : float
        The chance of the same answer, 0-1.
    others : list of (str, float)
        The other answers, as named in ``VOTE_COLUMNS``, the likeliest first.
    """
    own = VOTE_COLUMNS[SEVEN[index_of(emotion)]]
    row = dict(zip(summary["columns"], summary["second_opinions"][summary["columns"].index(own)], strict=True))
    same = row.pop(own)
    return same, sorted(row.items(), key=lambda item: -item[1])


def _rounded(values: Any) -> Any:
    """Return numbers with four decimals, NaN as None: JSON has no NaN."""
    flat = np.asarray(values, dtype=np.float64)
    if flat.ndim == 0:
        return None if np.isnan(flat) else round(float(flat), 4)
    return [_rounded(value) for value in flat]
