"""What a model would answer under other assumptions, computed from its stored probabilities alone.

Five things can be changed without training anything, applied in this order:

1. **Mixing**: the weighted mean of the probabilities of several models, and of a face and its mirror image.
2. **Temperature** T: softmax(z / T). It changes how sure the model is, never the order of its scores.
3. **Logit adjustment** tau for the class priors pi of the training set: softmax(z / T - tau ln pi). Rare classes gain.
   tau = 0 leaves the scores as they are; tau = 1 asks which label fits best if all classes were equally frequent.
   A. K. Menon et al., "Long-tail learning via logit adjustment", ICLR 2021.
4. **Costs**: instead of the highest score, the answer with the smallest expected cost sum_i p_i C[i, j].
   C. Elkan, "The foundations of cost-sensitive learning", IJCAI 2001.
5. **Thresholds and abstention**: a class may be answered only if its score reaches its threshold, and anything only if
   the highest score reaches a common one; where no class is left, there is no answer.
   C. K. Chow, "On optimum recognition error and reject tradeoff", IEEE Trans. Information Theory 1970.

Everything is NumPy on arrays of (N, 7); a curve over 21 values of tau is one operation. Whatever is *chosen* here is
chosen on validation images and shown on others: :func:`best_tau` and its like take what they are given, so give them
validation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from fer_core.errors import FerError
from fer_core.evaluation import metrics
from fer_core.labels import EMOTIONS, N_CLASSES
from fer_core.scores import softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    Proba = NDArray[np.float32]

NO_ANSWER: Final = N_CLASSES
"""Index of "no answer" among answers, and of its column in a matrix of shape (7, 8)."""

ANSWERS: Final = (*EMOTIONS, "no answer")

TRAINING_COUNTS: Final = (3995, 436, 4097, 7215, 4965, 4830, 3171)
"""Images of each class in FER2013's ``Training``: the priors that a model has seen. A test counts them."""

TAU_MAX: Final = 2.0
TAUS: Final = tuple(round(0.1 * step, 1) for step in range(21))
"""Values of tau of a trade-off curve, 0 to 2."""

TEMPERATURE_RANGE: Final = (0.25, 4.0)

Objective = Literal["accuracy", "macro_f1", "balanced_accuracy"]

_FLOOR: Final = metrics.LOG_FLOOR


@dataclass(frozen=True)
class WhatIf:
    """One setting; the default one leaves a model as it is.

    Parameters
    ----------
    tau : float
        Strength of the logit adjustment, 0-2.
    temperature : float
        Divides the logits (of probabilities that are calibrated already), 0.25-4.
    thresholds : tuple of 7 floats
        Smallest score with which each class may be answered, 0-1.
    abstain_below : float
        Smallest highest score with which anything is answered, 0-1.
    cost : tuple of 7 tuples of 7 floats, optional
        Cost of answering the column's class for an image of the row's class. Without it the highest score wins.

    Raises
    ------
    FerError
        If a value is outside its range.
    """

    tau: float = 0.0
    temperature: float = 1.0
    thresholds: tuple[float, ...] = (0.0,) * N_CLASSES
    abstain_below: float = 0.0
    cost: tuple[tuple[float, ...], ...] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.tau <= TAU_MAX:
            raise FerError(f"tau must be from 0 to {TAU_MAX:g}, not {self.tau}.")
        if not TEMPERATURE_RANGE[0] <= self.temperature <= TEMPERATURE_RANGE[1]:
            raise FerError(f"The temperature must be from 0.25 to 4, not {self.temperature}.")
        if len(self.thresholds) != N_CLASSES or not all(0 <= value <= 1 for value in self.thresholds):
            raise FerError("There must be seven thresholds, each from 0 to 1.")
        if not 0 <= self.abstain_below <= 1:
            raise FerError(f"The score to answer from must be from 0 to 1, not {self.abstain_below}.")
        if self.cost is not None:
            values = np.array(self.cost, dtype=np.float64)
            if values.shape != (N_CLASSES, N_CLASSES) or not np.isfinite(values).all() or values.min() < 0:
                raise FerError("A cost matrix needs 7 x 7 finite numbers that are not negative.")

    @property
    def abstains(self) -> bool:
        """Whether an image can be left without an answer."""
        return self.abstain_below > 0 or any(value > 0 for value in self.thresholds)

    def in_words(self) -> str:
        """Return the setting as part of a sentence; empty for the default one."""
        parts = []
        if self.temperature != 1:
            parts.append(f"temperature {self.temperature:.2f}")
        if self.tau:
            parts.append(f"logit adjustment τ = {self.tau:.2f}")
        if self.cost is not None:
            parts.append("answers of smallest expected cost")
        given = [f"{e} ≥ {t:.2f}" for e, t in zip(EMOTIONS, self.thresholds, strict=True) if t > 0]
        if given:
            parts.append("thresholds " + ", ".join(given))
        if self.abstain_below:
            parts.append(f"no answer below {self.abstain_below:.2f}")
        return "; ".join(parts)


@dataclass(frozen=True)
class Outcome:
    """Figures of a matrix of shape (..., 7, 8), where an image without an answer counts as not recognised.

    Attributes
    ----------
    accuracy : ndarray of float64
        Share of all images that are answered rightly.
    answered_accuracy : ndarray of float64
        Share of the answered images that are answered rightly; NaN if none is.
    coverage : ndarray of float64
        Share of images that get an answer.
    macro_f1, balanced_accuracy : ndarray of float64
    precision, recall, f1, support, predicted : ndarray, shape (..., 7)
        As in :class:`fer_core.evaluation.metrics.ClassScores`.
    """

    accuracy: FloatArray
    answered_accuracy: FloatArray
    coverage: FloatArray
    macro_f1: FloatArray
    balanced_accuracy: FloatArray
    precision: FloatArray
    recall: FloatArray
    f1: FloatArray
    support: FloatArray
    predicted: FloatArray


@dataclass(frozen=True)
class TradeOff:
    """What each value of tau gives; ``taus`` has shape (T,), and so has every array of `outcome` in front."""

    taus: FloatArray
    outcome: Outcome

    def at(self, tau: float) -> int:
        """Return the index of the value nearest to `tau`."""
        return int(np.abs(self.taus - tau).argmin())


@dataclass(frozen=True)
class Study:
    """A model's answers under one setting, and all that is counted from them.

    Attributes
    ----------
    setting : WhatIf
    labels, answers : ndarray of int64, shape (N,)
    proba, scores : ndarray of float32, shape (N, 7)
        Before and after temperature and logit adjustment.
    counts : ndarray of int64, shape (7, 8)
    outcome : Outcome
    """

    setting: WhatIf
    labels: NDArray[np.int64]
    proba: Proba
    scores: Proba
    answers: NDArray[np.int64]
    counts: NDArray[np.int64]
    outcome: Outcome


def study(labels: NDArray[np.int64], proba: NDArray[np.floating[Any]], setting: WhatIf | None = None) -> Study:
    """Return what a model answers under a setting (by default, as it is)."""
    setting = setting or WhatIf()
    scores = adjust(proba, setting)
    answers = decide(scores, setting)
    counts = confusion(labels, answers)
    return Study(setting, labels, np.asarray(proba, dtype=np.float32), scores, answers, counts, outcome(counts))


def training_priors() -> FloatArray:
    """Return the share of each class in ``Training``, shape (7,)."""
    counts = np.array(TRAINING_COUNTS, dtype=np.float64)
    return np.asarray(counts / counts.sum())


def mix(probas: Sequence[NDArray[np.floating[Any]]], weights: Sequence[float]) -> Proba:
    """Return the weighted mean of probabilities of the same images, shape (N, 7) float32.

    Raises
    ------
    FerError
        If there is not one weight an array, a weight is negative, or all are zero.
    """
    if not probas or len(probas) != len(weights):
        raise FerError("An ensemble needs one weight for each of its models.")
    if any(not weight >= 0 for weight in weights) or not sum(weights) > 0:
        raise FerError("The weights of an ensemble must not be negative, and one must be above zero.")
    total = np.zeros(probas[0].shape)
    for proba, weight in zip(probas, weights, strict=True):
        if proba.shape != total.shape:
            raise FerError("The models of an ensemble must have answered the same images.")
        total += weight * proba
    return np.asarray(total / sum(weights), dtype=np.float32)


def adjust(proba: NDArray[np.floating[Any]], setting: WhatIf) -> Proba:
    """Return the scores under a setting's temperature and tau, shape (N, 7) float32; rows sum to one."""
    if setting.tau == 0 and setting.temperature == 1:
        return np.asarray(proba, dtype=np.float32)
    return softmax(_logits(proba, setting) - _shift(np.array([setting.tau]))[0])


def decide(scores: NDArray[np.floating[Any]], setting: WhatIf) -> NDArray[np.int64]:
    """Return the answer to each image, shape (..., ) int64: a class, or :data:`NO_ANSWER`.

    Parameters
    ----------
    scores : ndarray of float, shape (..., 7)
        As :func:`adjust` returns them.
    """
    return _decide(np.ascontiguousarray(np.moveaxis(scores, -1, 0)), setting)


def confusion(labels: NDArray[np.int64], answers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count images by label and answer: shape (..., 7, 8), the last column for those without an answer.

    Parameters
    ----------
    labels : ndarray of int64, shape (N,)
    answers : ndarray of int64, shape (..., N)
        Several settings at once where there are more dimensions.
    """
    if labels.shape[0] != answers.shape[-1]:
        raise FerError(f"There are {len(labels)} labels and {answers.shape[-1]} answers; each image needs both.")
    width = N_CLASSES + 1
    rows = answers.reshape(int(np.prod(answers.shape[:-1])), labels.shape[0])  # -1 is no shape of an empty array
    offset = np.arange(len(rows))[:, None] * (N_CLASSES * width)
    cells = np.bincount((offset + labels * width + rows).ravel(), minlength=len(rows) * N_CLASSES * width)
    return cells.reshape(*answers.shape[:-1], N_CLASSES, width).astype(np.int64)


def outcome(counts: NDArray[np.int64]) -> Outcome:
    """Return the figures of one or several matrices of shape (..., 7, 8)."""
    # A row of zeros makes "no answer" an eighth class that no image has: every metric then keeps its one definition.
    square = np.concatenate([counts, np.zeros_like(counts[..., :1, :])], axis=-2)
    scores = metrics.class_scores(square)
    answered = counts[..., :N_CLASSES]
    n = counts.sum(axis=(-2, -1))
    return Outcome(
        accuracy=metrics.accuracy(square),
        answered_accuracy=metrics.accuracy(answered),
        coverage=np.divide(answered.sum(axis=(-2, -1)), n, out=np.full(np.shape(n), np.nan), where=n > 0),
        macro_f1=np.asarray(np.nan_to_num(scores.f1[..., :N_CLASSES], nan=0.0).mean(axis=-1)),
        balanced_accuracy=metrics.balanced_accuracy(square),
        precision=scores.precision[..., :N_CLASSES],
        recall=scores.recall[..., :N_CLASSES],
        f1=scores.f1[..., :N_CLASSES],
        support=scores.support[..., :N_CLASSES],
        predicted=scores.predicted[..., :N_CLASSES],
    )


def trade_off(
    labels: NDArray[np.int64],
    proba: NDArray[np.floating[Any]],
    setting: WhatIf | None = None,
    *,
    taus: Sequence[float] = TAUS,
) -> TradeOff:
    """Return what each tau would give, all else as in `setting`.

    Parameters
    ----------
    labels : ndarray of int64, shape (N,)
    proba : ndarray of float, shape (N, 7)
        Before any adjustment.
    """
    setting = setting or WhatIf()
    values = np.array(taus, dtype=np.float64)
    # Classes first: comparing seven long arrays is many times faster than seven numbers in each of 150,000 rows.
    logits = np.ascontiguousarray(_logits(proba, setting).T)[:, None] - _shift(values).T[:, :, None]
    # Only thresholds and costs look at the scores themselves; the highest logit is the highest score.
    plain = setting.cost is None and not setting.abstains
    answers = _argmax(logits)[0] if plain else _decide(softmax(logits, axis=0), setting)
    return TradeOff(values, outcome(confusion(labels, answers)))


def best_tau(
    labels: NDArray[np.int64],
    proba: NDArray[np.floating[Any]],
    objective: Objective = "macro_f1",
    setting: WhatIf | None = None,
) -> float:
    """Return the smallest tau with the highest `objective`; give it validation images."""
    curve = trade_off(labels, proba, setting)
    return float(curve.taus[int(np.nanargmax(getattr(curve.outcome, objective)))])


def rescue(
    labels: NDArray[np.int64],
    proba: NDArray[np.floating[Any]],
    klass: int,
    price: float,
    setting: WhatIf | None = None,
) -> float:
    """Return the tau that buys the highest recall of one class for a given price; give it validation images.

    Parameters
    ----------
    klass : int
        The class to rescue.
    price : float
        How much accuracy may be lost against tau = 0, as a share (0.02 is two points in a hundred).

    Returns
    -------
    float
        The smallest such tau; 0 if no recall can be bought at that price, or the class has no image.
    """
    curve = trade_off(labels, proba, setting)
    recall = curve.outcome.recall[:, klass]
    affordable = curve.outcome.accuracy >= curve.outcome.accuracy[0] - price - 1e-12
    if np.isnan(recall).all():
        return 0.0
    return float(curve.taus[int(np.where(affordable, recall, -1.0).argmax())])


def mixture_weights(
    labels: NDArray[np.int64], probas: Sequence[NDArray[np.floating[Any]]], *, rounds: int = 200
) -> FloatArray:
    """Return the weights of the mixture with the smallest log-loss, shape (M,), summing to one; give it validation.

    Notes
    -----
    The loss is convex in the weights. Expectation-maximisation: each weight is multiplied by the mean of its model's
    share in the probability of the label, which never makes the loss larger (Dempster, Laird and Rubin 1977).
    """
    of_label = np.stack([proba[np.arange(len(labels)), labels].astype(np.float64) for proba in probas], axis=1)
    of_label = np.clip(of_label, _FLOOR, None)
    weights = np.full(len(probas), 1 / len(probas))
    for _ in range(rounds):
        share = of_label * weights
        weights = np.asarray((share / share.sum(axis=1, keepdims=True)).mean(axis=0))
    return weights


def threshold_for_accuracy(labels: NDArray[np.int64], scores: NDArray[np.floating[Any]], wanted: float) -> float | None:
    """Return the smallest score to answer from so that `wanted` (0-1) of the answers are right; give it validation.

    None if even the surest answers are not that often right.
    """
    top = scores.max(axis=1).astype(np.float64)
    order = np.argsort(-top, kind="stable")
    right = (scores.argmax(axis=1) == labels)[order]
    kept = np.cumsum(right) / np.arange(1, len(right) + 1)
    # A threshold cannot part images of equal score: only the last of each group of equals is a possible cut.
    last = np.append(np.diff(top[order]) != 0, True)
    possible = np.flatnonzero((kept >= wanted) & last)
    return float(top[order][possible[-1]]) if len(possible) else None


def _logits(proba: NDArray[np.floating[Any]], setting: WhatIf) -> Proba:
    logs = np.log(np.clip(np.asarray(proba, dtype=np.float32), _FLOOR, None))
    return np.asarray(logs / np.float32(setting.temperature), dtype=np.float32)


def _shift(taus: FloatArray) -> Proba:
    return np.asarray(taus[:, None] * np.log(training_priors()), dtype=np.float32)


def _decide(scores: NDArray[np.floating[Any]], setting: WhatIf) -> NDArray[np.int64]:
    """Answer from scores with the classes first, shape (7, ...)."""
    worth = scores
    if setting.cost is not None:
        worth = -np.tensordot(np.array(setting.cost, dtype=scores.dtype).T, scores, axes=1)
    if not setting.abstains:
        return _argmax(worth)[0]
    thresholds = np.array(setting.thresholds, dtype=scores.dtype).reshape(-1, *[1] * (scores.ndim - 1))
    answers, best = _argmax(np.where(scores >= thresholds, worth, np.array(-np.inf, dtype=scores.dtype)))
    silent = np.isneginf(best)
    if setting.abstain_below > 0:
        silent |= scores.max(axis=0) < setting.abstain_below
    answers[silent] = NO_ANSWER
    return answers


def _argmax(values: NDArray[np.floating[Any]]) -> tuple[NDArray[np.int64], NDArray[np.floating[Any]]]:
    """Return index (the first of equals) and value of the largest along the first axis."""
    best = values[0].copy()
    index = np.zeros(best.shape, dtype=np.int64)
    for k in range(1, len(values)):
        larger = values[k] > best
        index[larger] = k
        np.maximum(best, values[k], out=best)
    return index, best
