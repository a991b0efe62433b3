"""Metrics of a seven-class classifier, each defined once.

Conventions:

- ``labels`` is int64 of shape (N,), ``proba`` float of shape (N, 7) with rows that sum to one; classes are numbered as
  in ``EMOTIONS``.
- A confusion matrix has shape (7, 7) and counts images: rows are the true class, columns the predicted one. Functions
  of a confusion matrix also take a stack of them, shape (..., 7, 7), which is what makes the bootstrap fast.
- A ratio without a denominator is NaN: the precision of a class that is never predicted, the recall of a class without
  images. It is never reported as 1 and never as 0; :func:`summarise` writes ``None``.

scikit-learn has most of these, too, but importing it takes seconds that a page does not have, and it takes no stack of
matrices: tests hold these to what it returns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fer_core.errors import FerError
from fer_core.labels import EMOTIONS, N_CLASSES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fer_core.evaluation.bootstrap import Estimate

    FloatArray = NDArray[np.float64]

LOG_FLOOR: Final = float(np.finfo(np.float32).eps)
"""Smallest probability that log-loss sees (1.2e-7): stored probabilities are float32, and a zero among them is a
rounded number, not a certainty."""


@dataclass(frozen=True)
class ClassScores:
    """Scores of each class, one-vs-rest; arrays of shape (..., 7).

    Attributes
    ----------
    precision : ndarray of float64
        Share of the images predicted as the class that are of it; NaN if none is predicted.
    recall : ndarray of float64
        Share of the class's images that are predicted as it; NaN if it has none.
    f1 : ndarray of float64
        2 TP / (support + predicted), the harmonic mean of both; NaN only if the class is neither there nor predicted.
        It is 0, not NaN, for a class that has images and is never predicted, which is scikit-learn's convention.
    support, predicted : ndarray
        Number of images of the class, and predicted as it.
    """

    precision: FloatArray
    recall: FloatArray
    f1: FloatArray
    support: FloatArray
    predicted: FloatArray


def confusion_matrix(labels: NDArray[np.int64], predicted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count images by true class (row) and predicted class (column): shape (7, 7), int64.

    Raises
    ------
    FerError
        If the lengths differ or a class is not 0 to 6.
    """
    if labels.shape != predicted.shape or labels.ndim != 1:
        raise FerError(f"There are {len(labels)} labels and {len(predicted)} predictions; each image needs both.")
    if len(labels) and (min(labels.min(), predicted.min()) < 0 or max(labels.max(), predicted.max()) >= N_CLASSES):
        raise FerError(f"Labels and predictions must be classes 0 to {N_CLASSES - 1}.")
    cells = np.bincount(labels * N_CLASSES + predicted, minlength=N_CLASSES**2)
    return cells.reshape(N_CLASSES, N_CLASSES).astype(np.int64)


def accuracy(confusion: NDArray[Any]) -> FloatArray:
    """Return the share of images whose predicted class is the labelled one, shape (...)."""
    return _ratio(np.trace(confusion, axis1=-2, axis2=-1), confusion.sum(axis=(-2, -1)))


def class_scores(confusion: NDArray[Any]) -> ClassScores:
    """Return precision, recall, F1, support and number of predictions of each class."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    support = confusion.sum(axis=-1)
    predicted = confusion.sum(axis=-2)
    return ClassScores(
        precision=_ratio(hits, predicted),
        recall=_ratio(hits, support),
        f1=_ratio(2 * hits, support + predicted),
        support=support,
        predicted=predicted,
    )


def macro_f1(confusion: NDArray[Any]) -> FloatArray:
    """Return the mean of the seven F1, each class counting alike, shape (...).

    A class whose F1 is undefined counts as 0, as in ``sklearn.metrics.f1_score(labels=range(7), zero_division=0)``.
    """
    return np.asarray(np.nan_to_num(class_scores(confusion).f1, nan=0.0).mean(axis=-1))


def balanced_accuracy(confusion: NDArray[Any]) -> FloatArray:
    """Return the mean recall over the classes that have images, shape (...)."""
    recall = class_scores(confusion).recall
    return _ratio(np.nansum(recall, axis=-1), (~np.isnan(recall)).sum(axis=-1))


def cost_by_cell(confusion: NDArray[Any], cost: FloatArray) -> FloatArray:
    """Return what each kind of error adds to the expected cost, shape (..., 7, 7).

    Parameters
    ----------
    confusion : ndarray, shape (..., 7, 7)
    cost : ndarray of float64, shape (7, 7)
        Cost of predicting the column's class for an image of the row's class, in any unit.

    Raises
    ------
    FerError
        If `cost` is not a (7, 7) array of finite numbers.
    """
    if cost.shape != (N_CLASSES, N_CLASSES) or not np.isfinite(cost).all():
        raise FerError(f"A cost matrix needs {N_CLASSES} x {N_CLASSES} finite numbers.")
    return _ratio(confusion * cost, confusion.sum(axis=(-2, -1), keepdims=True))


def expected_cost(confusion: NDArray[Any], cost: FloatArray) -> FloatArray:
    """Return the mean cost of an image, shape (...): sum of count x cost / N.

    With zeros on the diagonal and ones elsewhere this is the error rate, 1 - accuracy.
    """
    return np.asarray(cost_by_cell(confusion, cost).sum(axis=(-2, -1)))


def log_losses(labels: NDArray[np.int64], proba: NDArray[np.floating[Any]]) -> FloatArray:
    """Return -ln of the probability of the labelled class of each image (nats), shape (N,).

    Probabilities below :data:`LOG_FLOOR` count as that, so that one sure error costs 15.9 nats and not infinity.
    """
    return -_logs(_normalised(proba)[np.arange(len(labels)), labels])


def cross_entropies(targets: NDArray[np.floating[Any]], proba: NDArray[np.floating[Any]]) -> FloatArray:
    """Return -sum of target x ln(probability) of each image (nats), shape (N,).

    `targets` are distributions over the classes, shape (N, 7); for one-hot rows this is :func:`log_losses`.
    """
    return np.asarray(-(targets * _logs(_normalised(proba))).sum(axis=1))


def brier_scores(labels: NDArray[np.int64], proba: NDArray[np.floating[Any]]) -> FloatArray:
    """Return the Brier score of each image, shape (N,), 0 (sure and right) to 2 (sure and wrong).

    The definition of Brier (1950) for several classes: the squared distance between the probabilities and the one-hot
    label, summed over the classes. Some texts halve it.
    """
    distance = _normalised(proba)
    distance[np.arange(len(labels)), labels] -= 1
    return np.asarray((distance**2).sum(axis=1))


def summarise(
    labels: NDArray[np.int64],
    proba: NDArray[np.floating[Any]],
    *,
    resamples: int | None = None,
    seed: int | None = None,
) -> dict[str, Any]:
    """Return every metric with its 95 % bootstrap interval, as plain numbers that JSON can hold.

    Parameters
    ----------
    labels : ndarray of int64, shape (N,)
    proba : ndarray of float, shape (N, 7)
    resamples, seed : int, optional
        Of the bootstrap; by default :data:`fer_core.evaluation.bootstrap.RESAMPLES` and ``SEED``.

    Returns
    -------
    dict
        As in a card: ``n``; ``accuracy``, ``macro_f1``, ``balanced_accuracy``, ``log_loss`` (nats), ``brier`` (0-2) and
        ``ece``; ``intervals`` (metric -> [low, high]); ``per_class``: class name -> ``precision``, ``recall``, ``f1``,
        their ``intervals``, ``support`` and ``predicted``; ``confusion`` (7 lists of 7 counts, rows are labels). A
        score without a denominator is ``None``. Numbers are rounded to six digits: the same on every machine.

    Raises
    ------
    FerError
        If there are no images, or the arrays do not fit each other.
    """
    from fer_core.evaluation import bootstrap

    if len(labels) == 0:
        raise FerError("There are no images to evaluate.")
    resamples = bootstrap.RESAMPLES if resamples is None else resamples
    seed = bootstrap.SEED if seed is None else seed
    estimates = bootstrap.metric_intervals(labels, proba, resamples=resamples, seed=seed)
    confusion = confusion_matrix(labels, proba.argmax(axis=1))
    scores = class_scores(confusion)
    return {
        "n": len(labels),
        **_figures({name: estimates[name] for name in bootstrap.OVERALL}),
        "per_class": {
            emotion: {
                **_figures({name: estimates[name].at(k) for name in bootstrap.PER_CLASS}),
                "support": int(scores.support[k]),
                "predicted": int(scores.predicted[k]),
            }
            for k, emotion in enumerate(EMOTIONS)
        },
        "confusion": confusion.tolist(),
    }


def _figures(estimates: Mapping[str, Estimate]) -> dict[str, Any]:
    found = {name: estimate.as_dict() for name, estimate in estimates.items()}
    return {
        **{name: figure["value"] for name, figure in found.items()},
        "intervals": {name: [figure["low"], figure["high"]] for name, figure in found.items()},
    }


def rounded(value: float | np.floating[Any]) -> float | None:
    """Return `value` rounded to six digits for JSON; ``None`` if it is NaN."""
    return None if np.isnan(value) else round(float(value), 6)


def _logs(p: FloatArray) -> FloatArray:
    return np.asarray(np.log(np.clip(p, LOG_FLOOR, 1 - LOG_FLOOR)))


def _normalised(proba: NDArray[np.floating[Any]]) -> FloatArray:
    exact = proba.astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)
    return exact


def _ratio(above: Any, below: Any) -> FloatArray:
    above, below = np.broadcast_arrays(np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64))
    result = np.full(above.shape, np.nan)
    np.divide(above, below, out=result, where=below > 0)
    return result
