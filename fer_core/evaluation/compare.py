"""Two models on the same images: is one better, by how much, and where do they disagree.

Both answer the same images, so their errors are paired: a test that forgets it (two separate intervals) misses
differences that are there. Neither test accounts for the luck of a training run: two sets of weights are compared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fer_core.errors import FerError
from fer_core.evaluation import bootstrap, metrics
from fer_core.evaluation.bootstrap import Estimate
from fer_core.evaluation.predictions import Predictions
from fer_core.labels import N_CLASSES

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXACT_UP_TO: Final = 1_000
"""Discordant images up to which McNemar's test is computed exactly; beyond, the p-value by chi-square differs from the
exact one by less than a tenth of it, down to 1e-8."""


@dataclass(frozen=True)
class McNemar:
    """McNemar's test on the images that exactly one of two models gets right.

    Attributes
    ----------
    only_a, only_b : int
        Images that only A, only B gets right. Under the hypothesis of equal accuracy each is as likely as the other.
    p_value : float
        Two-sided.
    statistic : float or None
        Chi-square with one degree of freedom and continuity correction (Edwards 1948); None for the exact test.
    method : str
        ``"exact binomial"`` or ``"chi-square"``.
    """

    only_a: int
    only_b: int
    p_value: float
    statistic: float | None
    method: str


@dataclass(frozen=True)
class Comparison:
    """Two models on the same N images; differences are B minus A.

    Attributes
    ----------
    n : int
    accuracy, macro_f1 : Estimate
        Difference with its paired 95 % bootstrap interval.
    recall : Estimate
        Differences of the recall of each class, arrays of shape (7,).
    mcnemar : McNemar
    answers : ndarray of int64, shape (7, 7)
        Images by A's answer (row) and B's answer (column).
    only_a, only_b : ndarray of int64, shape (7,)
        Images of each true class that only A, only B gets right.
    """

    n: int
    accuracy: Estimate
    macro_f1: Estimate
    recall: Estimate
    mcnemar: McNemar
    answers: NDArray[np.int64]
    only_a: NDArray[np.int64]
    only_b: NDArray[np.int64]

    @property
    def better(self) -> str:
        """``"A"`` or ``"B"`` if the interval of the difference and McNemar's test both say so; ``"hardly"``, ``"not"``.

        They are two approximations of one question: close to their limits one of them may say yes and the other no.
        """
        excluded = float(self.accuracy.low) > 0 or float(self.accuracy.high) < 0
        significant = self.mcnemar.p_value < 1 - bootstrap.LEVEL
        if excluded and significant:
            return "B" if float(self.accuracy.value) > 0 else "A"
        return "hardly" if excluded or significant else "not"


@dataclass(frozen=True)
class Disagreements:
    """Images to which two models give different answers, the surest disagreement first; arrays of shape (D,) or (D, 7).

    ``strength`` is the mean of the two winning margins: how far each model puts its own answer above the other's (0-1).
    """

    names: NDArray[np.str_]
    labels: NDArray[np.int64]
    predicted_a: NDArray[np.int64]
    predicted_b: NDArray[np.int64]
    proba_a: NDArray[np.float32]
    proba_b: NDArray[np.float32]
    strength: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.labels)


def aligned(a: Predictions, b: Predictions) -> tuple[Predictions, Predictions]:
    """Return both in the order of `a`.

    Raises
    ------
    FerError
        If they are not of the same images with the same labels.
    """
    if len(a) != len(b) or set(a.names.tolist()) != set(b.names.tolist()):
        raise FerError("The two models were not evaluated on the same images; compare them on a part that both have.")
    order_of_b = np.argsort(b.names)
    b = b.take(order_of_b[np.searchsorted(b.names[order_of_b], a.names)])
    if not np.array_equal(a.labels, b.labels):
        raise FerError(f"The two files give different labels to {int((a.labels != b.labels).sum())} images.")
    return a, b


def with_mirror(faces: Predictions, mirrored: Predictions) -> Predictions:
    """Return the mean of the scores for faces and for their mirror images.

    Raises
    ------
    FerError
        If they are not of the same images.
    """
    from fer_core.whatif import mix

    faces, mirrored = aligned(faces, mirrored)
    return replace(faces, proba=mix([faces.proba, mirrored.proba], [1, 1]))


def compare(
    a: Predictions, b: Predictions, *, resamples: int = bootstrap.RESAMPLES, seed: int = bootstrap.SEED
) -> Comparison:
    """Compare two models on the same images.

    Raises
    ------
    FerError
        If they are not of the same images with the same labels, or there are none.
    """
    a, b = aligned(a, b)
    if len(a) == 0:
        raise FerError("There are no images to compare the models on.")
    right_a, right_b = a.predicted == a.labels, b.predicted == b.labels
    only_a, only_b = right_a & ~right_b, right_b & ~right_a
    differences = difference_intervals(a.labels, a.predicted, b.predicted, resamples=resamples, seed=seed)
    return Comparison(
        n=len(a),
        accuracy=differences["accuracy"],
        macro_f1=differences["macro_f1"],
        recall=differences["recall"],
        mcnemar=mcnemar(int(only_a.sum()), int(only_b.sum())),
        answers=metrics.confusion_matrix(a.predicted, b.predicted),
        only_a=np.bincount(a.labels[only_a], minlength=N_CLASSES).astype(np.int64),
        only_b=np.bincount(b.labels[only_b], minlength=N_CLASSES).astype(np.int64),
    )


def mcnemar(only_a: int, only_b: int) -> McNemar:
    """Test whether two models are equally accurate (Q. McNemar, Psychometrika 1947).

    Parameters
    ----------
    only_a, only_b : int
        Images that only A, only B gets right.

    Notes
    -----
    Exact: each discordant image is a fair coin, p = 2 P(at most min(a, b) heads in a + b throws), at most 1. Beyond
    :data:`EXACT_UP_TO` discordant images: chi-square (abs(a - b) - 1)^2 / (a + b).
    """
    discordant = only_a + only_b
    if discordant == 0:
        return McNemar(only_a, only_b, 1.0, None, "exact binomial")
    if discordant <= EXACT_UP_TO:
        tail = sum(math.comb(discordant, heads) for heads in range(min(only_a, only_b) + 1))
        # Both are whole numbers of any size: the quotient is exact to the last digit of a float.
        p_value = min(1.0, 2 * tail / 2**discordant)
        return McNemar(only_a, only_b, p_value, None, "exact binomial")
    statistic = max(abs(only_a - only_b) - 1, 0) ** 2 / discordant
    # The tail of chi-square with one degree of freedom is that of a normal deviate squared.
    return McNemar(only_a, only_b, math.erfc(math.sqrt(statistic / 2)), statistic, "chi-square")


def difference_intervals(
    labels: NDArray[np.int64],
    predicted_a: NDArray[np.int64],
    predicted_b: NDArray[np.int64],
    *,
    resamples: int = bootstrap.RESAMPLES,
    seed: int = bootstrap.SEED,
) -> dict[str, Estimate]:
    """Return B minus A in ``accuracy``, ``macro_f1`` and ``recall`` (7,) with paired bootstrap intervals.

    Each resample draws images, and both models are scored on the same draw.
    """
    cells = N_CLASSES**2
    features = np.column_stack(
        [bootstrap.one_hot(labels * N_CLASSES + predicted, cells) for predicted in (predicted_a, predicted_b)]
    )

    def difference(metric: Any) -> bootstrap.Statistic:
        return lambda sums: (
            metric(bootstrap.confusions(sums[:, cells:])) - metric(bootstrap.confusions(sums[:, :cells]))
        )

    return bootstrap.estimate(
        features,
        {
            "accuracy": difference(metrics.accuracy),
            "macro_f1": difference(metrics.macro_f1),
            "recall": difference(lambda confusion: metrics.class_scores(confusion).recall),
        },
        resamples=resamples,
        seed=seed,
    )


def disagreements(a: Predictions, b: Predictions) -> Disagreements:
    """List the images to which the models give different answers, the surest disagreement first.

    Raises
    ------
    FerError
        If they are not of the same images with the same labels.
    """
    a, b = aligned(a, b)
    rows = np.flatnonzero(a.predicted != b.predicted)
    a, b = a.take(rows), b.take(rows)
    each = np.arange(len(rows))
    margin_a = a.proba[each, a.predicted] - a.proba[each, b.predicted]
    margin_b = b.proba[each, b.predicted] - b.proba[each, a.predicted]
    strength = (margin_a.astype(np.float64) + margin_b) / 2
    order = np.lexsort((a.names, -strength))
    return Disagreements(
        names=a.names[order],
        labels=a.labels[order],
        predicted_a=a.predicted[order],
        predicted_b=b.predicted[order],
        proba_a=a.proba[order],
        proba_b=b.proba[order],
        strength=strength[order],
    )
