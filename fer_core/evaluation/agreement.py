"""Against FER+: how a model, and the FER2013 label itself, agrees with what ten people saw.

Definitions, all on the images that FER+ has:

- The **majority** is the column with the most of the ten votes, over all ten columns; of equals the first in the order
  of the file (neutral, happiness, surprise, sadness, anger, disgust, fear, contempt, unknown, NF). It may be contempt,
  unknown or NF, with which neither a FER2013 label nor a seven-class model can agree. With this rule the FER2013 labels
  agree on 62.6 % of the images.
- **Ties** decide about one image in twenty. Beside the agreement stand its bounds: a tie counts never (``strict``: the
  answer must have more votes than any other), or always (``lenient``: no other has more).
- The **vote distribution** is the votes of the seven classes divided by their sum; votes for contempt, unknown and NF
  are left out. Images with no vote for any of the seven have none and are skipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fer_core.data.ferplus import SEVEN, VOTE_COLUMNS, Votes
from fer_core.errors import FerError
from fer_core.evaluation.metrics import LOG_FLOOR
from fer_core.evaluation.predictions import Predictions
from fer_core.labels import EMOTIONS, N_CLASSES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

NO_CLASS: Final = -1
"""Majority of contempt, unknown or NF in :func:`majority`."""


@dataclass(frozen=True)
class Agreement:
    """How often answers are what most people voted for.

    Attributes
    ----------
    n : int
        Images with votes.
    value, strict, lenient : float
        Share that agrees with the majority, and its bounds over all ways to break ties, 0-1.
    ties : int
        Images whose largest number of votes two or more columns share.
    without_class : int
        Images whose majority is contempt, unknown or NF. They are in `n`, and nobody agrees with them.
    per_class : ndarray of float64, shape (7,)
        The share among the images of each FER2013 label; NaN without images.
    support : ndarray of int64, shape (7,)
    """

    n: int
    value: float
    strict: float
    lenient: float
    ties: int
    without_class: int
    per_class: FloatArray
    support: NDArray[np.int64]


def majority(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the class most people voted for, shape (N,) int64; :data:`NO_CLASS` for contempt, unknown and NF.

    Parameters
    ----------
    counts : ndarray of int64, shape (N, 10)
        Votes in the order of ``VOTE_COLUMNS``. Of equal columns the first wins.
    """
    class_of_column = np.full(len(VOTE_COLUMNS), NO_CLASS, dtype=np.int64)
    class_of_column[list(SEVEN)] = np.arange(N_CLASSES)
    return np.asarray(class_of_column[counts.argmax(axis=1)])


def distribution(counts: NDArray[np.int64]) -> FloatArray:
    """Return the votes of the seven classes as shares, shape (N, 7) in the order of ``EMOTIONS``.

    NaN rows where nobody voted for one of the seven.
    """
    seven = counts[:, list(SEVEN)].astype(np.float64)
    total = seven.sum(axis=1, keepdims=True)
    shares = np.full_like(seven, np.nan)
    np.divide(seven, total, out=shares, where=total > 0)
    return shares


def entropy(distributions: FloatArray) -> FloatArray:
    """Return the entropy of each distribution (N, K) in nats, shape (N,); NaN for NaN rows.

    0 when all agree, ln 7 = 1.95 when seven classes get equal shares.
    """
    logs = np.log(np.where(distributions > 0, distributions, 1))
    return np.asarray(-(distributions * logs).sum(axis=1) + 0.0)


def divergence(counts: NDArray[np.int64], proba: NDArray[np.floating[Any]]) -> FloatArray:
    """Return KL(votes || model) of each image in nats, shape (N,); NaN without votes for the seven classes.

    0 when the model's scores are the shares of the votes; sum over classes of v ln(v / p), with p at least
    :data:`fer_core.evaluation.metrics.LOG_FLOOR`.
    """
    votes = distribution(counts)
    p = np.clip(proba.astype(np.float64), LOG_FLOOR, None)
    logs = np.log(np.where(votes > 0, votes, 1)) - np.where(votes > 0, np.log(p), 0)
    return np.asarray((votes * logs).sum(axis=1))


def agreement(answers: NDArray[np.int64], labels: NDArray[np.int64], counts: NDArray[np.int64]) -> Agreement:
    """Compare answers with the majority of the votes.

    Parameters
    ----------
    answers : ndarray of int64, shape (N,)
        Classes: a model's, or `labels` itself for how far the FER2013 labels agree with people.
    labels : ndarray of int64, shape (N,)
        FER2013 labels, by which :attr:`Agreement.per_class` is grouped.
    counts : ndarray of int64, shape (N, 10)
        Votes; only images that have some.

    Raises
    ------
    FerError
        If there are no images, or one has no votes.
    """
    if len(answers) == 0 or (counts.sum(axis=1) == 0).any():
        raise FerError("Agreement with FER+ needs images that have votes.")
    most = counts.max(axis=1)
    leaders = (counts == most[:, None]).sum(axis=1)
    of_answer = counts[np.arange(len(answers)), np.array(SEVEN)[answers]]
    leading = majority(counts)
    agrees = leading == answers
    support = np.bincount(labels, minlength=N_CLASSES).astype(np.int64)
    agreeing = np.bincount(labels[agrees], minlength=N_CLASSES)
    return Agreement(
        n=len(answers),
        value=float(agrees.mean()),
        strict=float(((of_answer == most) & (leaders == 1)).mean()),
        lenient=float((of_answer == most).mean()),
        ties=int((leaders > 1).sum()),
        without_class=int((leading == NO_CLASS).sum()),
        per_class=np.divide(agreeing, support, out=np.full(N_CLASSES, np.nan), where=support > 0),
        support=support,
    )


def summarise(predictions: Predictions, votes: Votes) -> dict[str, Any]:
    """Return a model's agreement with FER+ beside that of the FER2013 labels, as plain numbers that JSON can hold.

    Returns
    -------
    dict
        ``n`` images with votes, ``ties`` and ``without_class`` among them; ``model`` and ``fer2013_labels``, each with
        ``value``, its 95 % bootstrap interval ``low`` and ``high``, ``strict``, ``lenient`` and ``per_class``
        (agreement with the majority); ``kl``: ``n``, mean KL(votes || model) in nats with such an interval, as
        ``{"value", "low", "high"}``; ``entropy`` and ``model_entropy``: mean entropies in nats of the votes and of the
        model's probabilities on the same images.

    Raises
    ------
    FerError
        If FER+ has none of the images.
    """
    from fer_core.evaluation import metrics

    counts, known = votes.of(predictions.names.tolist())
    counts, part = counts[known], predictions.take(known)
    if len(part) == 0:
        raise FerError("FER+ has none of these images.")
    by_model = agreement(part.predicted, part.labels, counts)
    by_label = agreement(part.labels, part.labels, counts)
    voted = counts[:, list(SEVEN)].sum(axis=1) > 0
    losses = divergence(counts[voted], part.proba[voted])
    leading = majority(counts)
    return {
        "n": by_model.n,
        "ties": by_model.ties,
        "without_class": by_model.without_class,
        "model": _as_dict(by_model) | _interval_of_mean(leading == part.predicted),
        "fer2013_labels": _as_dict(by_label) | _interval_of_mean(leading == part.labels),
        "kl": {"n": len(losses), **_interval_of_mean(losses)},
        "entropy": metrics.rounded(entropy(distribution(counts[voted])).mean()),
        "model_entropy": metrics.rounded(entropy(part.proba[voted].astype(np.float64)).mean()),
    }


def _interval_of_mean(values: NDArray[Any]) -> dict[str, float | None]:
    from fer_core.evaluation import bootstrap

    features = np.column_stack([values, np.ones(len(values))]).astype(np.float64)
    return bootstrap.estimate(features, {"mean": lambda sums: sums[:, 0] / sums[:, 1]})["mean"].as_dict()


def _as_dict(result: Agreement) -> dict[str, Any]:
    from fer_core.evaluation.metrics import rounded

    return {
        **{name: rounded(getattr(result, name)) for name in ("value", "strict", "lenient")},
        "per_class": {emotion: rounded(result.per_class[k]) for k, emotion in enumerate(EMOTIONS)},
    }
