"""From a printed report back to counts, and whether its labels and predictions are related at all.

A report prints, for each class c, precision, recall, F1 and support s_c, rounded. N is the sum of the supports. From
these follow the counts they were made of, up to the rounding:

- right answers        TP_c = recall_c x s_c              (a whole number)
- predictions of c     n_c  = TP_c / precision_c          (a whole number; all n_c add up to N)
- share of c           q_c  = s_c / N

If predictions are compared with labels that belong to other images, label and prediction are independent. Given the
totals, TP_c is then hypergeometric with mean s_c n_c / N, hence precision_c is about q_c, recall_c about n_c / N, the
recalls add up to about 1, and the accuracy is about the sum of q_c x recall_c: that of guessing. Two questions are
asked of the counts:

1. *Is independence compatible?* The deviations d_c = TP_c - s_c n_c / N have, under independence, the variances
   s_c (N - s_c) n_c (N - n_c) / (N^2 (N - 1)) and covariances s_a s_b n_a n_b / (N^2 (N - 1)); the quadratic form
   d' S^-1 d is chi-square with as many degrees of freedom as S has ranks (K, or 1 of two classes). Classes with fewer
   than five expected right answers, where that fails, are tested exactly (hypergeometric) one by one, and the accuracy
   as a whole once more (one-sided normal, where a weak but honest model shows first). The smallest p-value, times the
   number of tests, must be at least :data:`INDEPENDENCE_LEVEL`. The deviations are the smallest that the rounding
   leaves room for; S, and which classes are small, are taken at the middle of what it leaves.
2. *Is a model that looks at the images excluded?* Cohen's kappa, (accuracy - guessing) / (1 - guessing), is 0 for
   guessing and 1 for perfect answers. A result as near to guessing as this one must have a probability of at most
   :data:`USELESS_LEVEL` (binomial) for a model of kappa :data:`USEFUL_KAPPA`, and for one of minus that, which is as
   much related to the labels. Again the largest probability over the rounding.

Only if both hold are labels and predictions called unrelated. *Why* they are, the table cannot tell: a shuffled
evaluation of a good model and a model that guesses leave the same one. A second number decides it: if the same model
reached an accuracy elsewhere that guessing cannot reach, this table is of another pairing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fer_core.evaluation.report import DUST, MAX_CELLS, Report, Rounded

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    IntArray = NDArray[np.int64]

INDEPENDENCE_LEVEL: Final = 1e-3
"""Independence counts as compatible with a table down to this p-value: one shuffled table in a thousand is missed."""

USELESS_LEVEL: Final = 1e-4
"""Probability with which a model of kappa :data:`USEFUL_KAPPA` may come as near to guessing as one that is accused."""

USEFUL_KAPPA: Final = 0.05
"""Least skill that is taken for looking at the images. Of FER2013, 30 % accuracy is a kappa of 0.07 at least: that of
who answers happy nearly always. A network that trained at all has 0.3 or more."""

_SMALL: Final = 5.0
"""Expected count below which chi-square is not trusted (Cochran 1954)."""


@dataclass(frozen=True)
class Counts:
    """Whole numbers of images that a report's rows can stand for; arrays of shape (K,).

    Attributes
    ----------
    possible : ndarray of bool
        Whether any whole numbers give the printed row. The bounds of an impossible row mean nothing.
    hits_low, hits_high : ndarray of int64
        Bounds of the right answers TP_c.
    predicted_low, predicted_high : ndarray of int64
        Bounds of the predictions n_c, already using that they add up to N if the report is closed.
    excess_low, excess_high : ndarray of float64
        Bounds of TP_c - q_c n_c, right answers beyond those of independence, over pairs (TP_c, n_c) that fit together.
    adds_up : bool
        Whether the n_c can add up to N.
    """

    possible: NDArray[np.bool_]
    hits_low: IntArray
    hits_high: IntArray
    predicted_low: IntArray
    predicted_high: IntArray
    excess_low: FloatArray
    excess_high: FloatArray
    adds_up: bool


@dataclass(frozen=True)
class Pairing:
    """Result of :func:`pairing_test`.

    Attributes
    ----------
    n : int
    accuracy, guessing, kappa : tuple of float
        Bounds that rounding leaves: of the accuracy, of the accuracy of independent answers with the same totals, and
        of Cohen's kappa.
    statistic : float
        Quadratic form of the smallest deviations over the rounding; chi-square with `degrees` degrees of freedom under
        independence.
    degrees : int
    p_independent : float
        p-value of independence for these deviations, corrected for the number of tests.
    p_skilled : float
        Largest probability of a result as near to guessing as this for a model of kappa :data:`USEFUL_KAPPA`, or of
        minus that.
    predicted, expected, hits, z : ndarray of float64, shape (K,)
        For showing, at the middle of the bounds: predictions, right answers that independence expects, right answers,
        and deviation in standard deviations (NaN for a class that is never predicted).
    """

    n: int
    accuracy: tuple[float, float]
    guessing: tuple[float, float]
    kappa: tuple[float, float]
    statistic: float
    degrees: int
    p_independent: float
    p_skilled: float
    predicted: FloatArray
    expected: FloatArray
    hits: FloatArray
    z: FloatArray

    @property
    def independent(self) -> bool:
        """Whether labels and predictions are unrelated: compatible with independence, and skill is excluded."""
        return self.p_independent >= INDEPENDENCE_LEVEL and self.p_skilled <= USELESS_LEVEL


def counts_of(report: Report) -> Counts:
    """Return the whole numbers of images that the printed rows can stand for.

    For each class every TP with recall = TP / s in the rounding is tried, and for each the n with precision = TP / n
    and F1 = 2 TP / (s + n) in the rounding. TP = 0 goes with any n if precision is printed as 0, and with n = 0 (the
    precision is undefined) if it is printed as 0, 1 or nan. F1 is then 0, or undefined too if there is no image either,
    and printed as the precision is.
    """
    n = report.n
    # With classes left out, images of those may have been predicted as one of these: no bound follows from N.
    most_predictions = float(n if report.closed else MAX_CELLS)
    support = np.array([row.support for row in report.rows], dtype=np.int64)
    recall_low, recall_high = bounds([row.recall for row in report.rows])
    precision_low, precision_high = bounds([row.precision for row in report.rows])
    f1_low, f1_high = bounds([row.f1 for row in report.rows])
    no_precision = np.array([row.precision is None for row in report.rows])

    least = np.clip(np.ceil(recall_low * support - DUST * n), 0, support).astype(np.int64)
    most = np.clip(np.floor(recall_high * support + DUST * n), 0, support).astype(np.int64)
    hits = least[:, None] + np.arange(int((most - least).max(initial=0)) + 1)
    fits = hits <= most[:, None]
    some = hits > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        low = np.maximum(hits / precision_high[:, None], 2 * hits / f1_high[:, None] - support[:, None])
        high = np.minimum(hits / precision_low[:, None], 2 * hits / f1_low[:, None] - support[:, None])
    # A bound divided by zero is no bound: n lies between TP and N anyway.
    low = np.ceil(np.maximum(np.nan_to_num(low, nan=0.0, posinf=2 * most_predictions), hits) * (1 - DUST))
    high = np.nan_to_num(high, nan=most_predictions, posinf=most_predictions)
    high = np.floor(np.minimum(high, most_predictions) * (1 + DUST))
    fits &= ~some | ~no_precision[:, None]

    printed_zero = (precision_low <= 0) & ~no_precision
    no_answer_right = (f1_low <= DUST) & (printed_zero | (precision_high >= 1) | no_precision)
    no_answer_right |= (support == 0) & (f1_high >= 1) & (precision_high >= 1)
    fits &= some | no_answer_right[:, None]
    low = np.where(some, low, 0.0)
    high = np.where(some, high, np.where(printed_zero, most_predictions, 0.0)[:, None])
    fits &= low <= high

    possible = np.asarray(fits.any(axis=1))
    share = support[:, None] / n
    hits_low = np.where(fits, hits, n).min(axis=1)
    hits_high = np.where(fits, hits, 0).max(axis=1)
    predicted_low = np.where(fits, low, most_predictions).min(axis=1).astype(np.int64)
    predicted_high = np.where(fits, high, 0).max(axis=1).astype(np.int64)
    excess_low = np.where(fits, hits - share * high, np.inf).min(axis=1)
    excess_high = np.where(fits, hits - share * low, -np.inf).max(axis=1)

    adds_up = True
    if report.closed and possible.all():
        spare_low, spare_high = n - int(predicted_high.sum()), n - int(predicted_low.sum())
        adds_up = spare_low <= 0 <= spare_high
        if adds_up:
            # What the other classes must at least, can at most take of the N predictions.
            predicted_low, predicted_high = (
                np.maximum(predicted_low, spare_low + predicted_high),
                np.minimum(predicted_high, spare_high + predicted_low),
            )
            excess_low = np.maximum(excess_low, hits_low - share[:, 0] * predicted_high)
            excess_high = np.minimum(excess_high, hits_high - share[:, 0] * predicted_low)
    return Counts(possible, hits_low, hits_high, predicted_low, predicted_high, excess_low, excess_high, adds_up)


def pairing_test(report: Report, counts: Counts | None = None) -> Pairing | None:
    """Test whether labels and predictions of a report are unrelated; see the head of this module.

    Returns
    -------
    Pairing or None
        ``None`` if the report does not give the counts: it leaves classes out, contradicts itself, or has only one
        class that is predicted or has images.
    """
    counts = counts_of(report) if counts is None else counts
    n, share = report.n, report.shares
    if not (report.closed and counts.possible.all() and counts.adds_up) or n < 2:
        return None
    if (share > 0).sum() < 2 or (counts.predicted_high > 0).sum() < 2:
        return None

    guessing = (
        float(share @ _fill(counts, n, np.argsort(share, kind="stable"))) / n,
        float(share @ _fill(counts, n, np.argsort(-share, kind="stable"))) / n,
    )
    right_low, right_high = float(counts.hits_low.sum()), float(counts.hits_high.sum())
    if report.accuracy is not None:
        right_low = max(right_low, report.accuracy.low * n)
        right_high = min(right_high, report.accuracy.high * n)
    if right_low > right_high:
        return None
    excess_low = max(float(counts.excess_low.sum()), right_low - n * guessing[1])
    excess_high = min(float(counts.excess_high.sum()), right_high - n * guessing[0])
    kappa = (
        excess_low / (n * (1 - guessing[1 if excess_low < 0 else 0])),
        excess_high / (n * (1 - guessing[0 if excess_high < 0 else 1])),
    )

    # With kappa k an answer is right with probability g + k (1 - g), and N g + excess answers are. Both grow with g, so
    # that both ends are tried. Skill below zero (classes named in another order) is a relation too.
    p_skilled = max(
        max(
            binomial_cdf(math.floor(n * g + excess_high + DUST), n, g + USEFUL_KAPPA * (1 - g)),
            binomial_cdf(n - math.ceil(n * g + excess_low - DUST), n, min(1.0, 1 - g + USEFUL_KAPPA * (1 - g))),
        )
        for g in guessing
    )

    predicted = (counts.predicted_low + counts.predicted_high) / 2
    support = share * n
    expected = support * predicted / n
    scale = 1 / (n * n * (n - 1))
    covariance = np.outer(support * predicted, support * predicted) * scale
    np.fill_diagonal(covariance, support * (n - support) * predicted * (n - predicted) * scale)
    deviation = np.sqrt(np.diag(covariance))
    hits = (counts.hits_low + counts.hits_high) / 2

    p_values = []
    large = np.flatnonzero(expected >= _SMALL)
    statistic, degrees = 0.0, 0
    if len(large):
        statistic, degrees = _smallest_form(
            covariance[np.ix_(large, large)], counts.excess_low[large], counts.excess_high[large]
        )
        p_values.append(_chi_square_tail(statistic, degrees))
    for k in np.flatnonzero((expected < _SMALL) & (counts.hits_low > 0)):
        p_values.append(
            _hypergeometric_tail(int(counts.hits_low[k]), n, int(support[k]), int(counts.predicted_high[k]))
        )
    spread = math.sqrt(max(float(covariance.sum()), DUST))
    p_values.append(0.5 * math.erfc(max(excess_low, 0.0) / spread / math.sqrt(2)))

    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(deviation > 0, (hits - expected) / deviation, np.nan)
    return Pairing(
        n=n,
        accuracy=(right_low / n, right_high / n),
        guessing=guessing,
        kappa=kappa,
        statistic=statistic,
        degrees=degrees,
        p_independent=min(1.0, min(p_values) * len(p_values)),
        p_skilled=p_skilled,
        predicted=predicted,
        expected=expected,
        hits=hits,
        z=z,
    )


def bounds(scores: Sequence[Rounded | None]) -> tuple[FloatArray, FloatArray]:
    """Lowest and highest value of each score, shape (K,); 0 and 1 where it is not given."""
    low = np.array([0.0 if score is None else score.low for score in scores])
    high = np.array([1.0 if score is None else score.high for score in scores])
    return low, high


def _fill(counts: Counts, n: int, order: NDArray[Any]) -> FloatArray:
    """Numbers of predictions that add up to n, as many as possible for the classes that come first in `order`."""
    predicted = counts.predicted_low.astype(np.float64)
    left = n - predicted.sum()
    for k in order:
        more = min(left, float(counts.predicted_high[k] - counts.predicted_low[k]))
        predicted[k] += more
        left -= more
    return predicted


def _smallest_form(covariance: FloatArray, low: FloatArray, high: FloatArray) -> tuple[float, int]:
    """Smallest d' S^-1 d over low <= d <= high, and the rank of S.

    The form is convex, so that moving one d at a time to its best place, again and again, reaches the smallest.
    """
    values, vectors = np.linalg.eigh(covariance)
    kept = values > 1e-9 * values.max()
    inverse = (vectors[:, kept] / values[kept]) @ vectors[:, kept].T
    d = np.clip(0.0, low, high)
    for _ in range(100):
        before = d.copy()
        for k in range(len(d)):
            rest = float(inverse[k] @ d) - inverse[k, k] * d[k]
            d[k] = min(max(-rest / inverse[k, k], low[k]), high[k])
        if np.abs(d - before).max() < 1e-6:
            break
    return float(d @ inverse @ d), int(kept.sum())


def _chi_square_tail(x: float, degrees: int) -> float:
    """P(X >= x) of chi-square, by the finite sum that it is for a whole number of degrees of freedom."""
    if x <= 0:
        return 1.0
    half = x / 2
    log_half = math.log(half)
    if degrees % 2 == 0:
        return min(1.0, sum(math.exp(i * log_half - half - math.lgamma(i + 1)) for i in range(degrees // 2)))
    tail = sum(math.exp((i - 0.5) * log_half - half - math.lgamma(i + 0.5)) for i in range(1, (degrees + 1) // 2))
    return min(1.0, math.erfc(math.sqrt(half)) + tail)


def binomial_cdf(k: int, n: int, p: float) -> float:
    """P(at most k of n)."""
    if k < 0:
        return 0.0
    if k >= n or p <= 0:
        return 1.0
    if p >= 1:
        return 0.0
    factorials = _log_factorials(n)
    i = np.arange(k + 1)
    terms = factorials[n] - factorials[i] - factorials[n - i] + i * math.log(p) + (n - i) * math.log1p(-p)
    largest = float(terms.max())
    return min(1.0, math.exp(largest) * float(np.exp(terms - largest).sum()))


def _hypergeometric_tail(k: int, n: int, marked: int, drawn: int) -> float:
    """P(at least k marked among `drawn` of n, of which `marked` are)."""
    if k > min(marked, drawn):
        return 0.0
    i = np.arange(k, min(marked, drawn) + 1)
    i = i[drawn - i <= n - marked]

    def log_choose(a: Any, b: Any) -> Any:
        return factorials[a] - factorials[b] - factorials[a - b]

    factorials = _log_factorials(n)
    terms = log_choose(marked, i) + log_choose(n - marked, drawn - i) - log_choose(n, drawn)
    return min(1.0, float(np.exp(terms).sum()))


def _log_factorials(n: int) -> FloatArray:
    """Logarithms of 0!, 1!, ..., n!, shape (n + 1,)."""
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
