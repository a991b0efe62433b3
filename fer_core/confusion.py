"""A confusion matrix taken apart: its cells as rates with intervals, the images in one cell, where a class goes.

Matrices have shape (7, 8): rows are labels, columns are answers, the last one images without an answer (see
:mod:`fer_core.whatif`). A rate without a denominator is NaN, in the arithmetic, and "–" where it is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np

from fer_core.errors import FerError
from fer_core.evaluation import metrics
from fer_core.evaluation.bootstrap import wilson
from fer_core.labels import EMOTIONS, N_CLASSES
from fer_core.whatif import ANSWERS, NO_ANSWER, confusion
from fer_core.wording import MISSING, percent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fer_core.data.ferplus import Votes
    from fer_core.evaluation.predictions import Predictions

    FloatArray = NDArray[np.float64]

View = Literal["counts", "row", "column", "model", "chance"]
"""What a cell shows: its count; its share of the label's images; its share of the answer's images; the share of the
label's images minus another model's; and minus what guessing independently of the image would give."""

VIEWS: Final[tuple[str, ...]] = get_args(View)

NAMED: Final = 3
"""Up to so many models are named in a sentence, with their figures; of more, how many they are and from where to where
their figures go."""

Order = Literal["fixed", "clustered"]
ORDERS: Final[tuple[str, ...]] = get_args(Order)

Z95: Final = 1.959963984540054  # two-sided 95 %


@dataclass(frozen=True)
class Rate:
    """``count`` of ``n`` with its 95 % interval of Wilson, 0-1; NaN where n is 0."""

    count: int
    n: int
    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.count} of {self.n}" + ("" if self.n == 0 else f", {percent(self.value)} ({self.interval})")

    @property
    def interval(self) -> str:
        """The interval in per cent, for example ``"14–29 %"``."""
        return MISSING if self.n == 0 else f"{self.low * 100:.0f}–{percent(self.high, 0)}"


def rounded(share: float) -> str:
    """Return a share 0-1 as whole per cent; one that is not nothing does not read as nothing: ``"<1 %"``."""
    return f"<{percent(0.01, 0)}" if 0 < share < 0.005 else percent(share, 0)


@dataclass(frozen=True)
class Cells:
    """What a view says of each cell; arrays of shape (7, 8) in the order of the classes.

    Attributes
    ----------
    view : str
        One of :data:`VIEWS`.
    counts, n : ndarray of int64
        Images in the cell, and those it is a share of.
    value, low, high : ndarray of float64
        What is shown and its 95 % interval: images (without interval, NaN), shares 0-1, or differences of shares
        -1 to 1. NaN where n is 0.
    """

    view: View
    counts: NDArray[np.int64]
    n: NDArray[np.int64]
    value: FloatArray
    low: FloatArray
    high: FloatArray

    @property
    def signed(self) -> bool:
        """Whether values are differences, which have a sign."""
        return self.view in ("model", "chance")

    def text(self, true: int, answer: int) -> str:
        """Return what stands in a cell: ``"23"``, ``"21 %"``, ``"+4.2"`` (points), or a dash."""
        value = float(self.value[true, answer])
        if np.isnan(value):
            return MISSING
        if self.view == "counts":
            return f"{value:.0f}"
        if self.signed:
            # no "+0.0" and "-0.0": neither has a sign
            points = f"{value * 100:+.1f}"
            return "0.0" if points in ("+0.0", "-0.0") else points.replace("-", "−")
        return rounded(value)

    def interval(self, true: int, answer: int) -> str:
        """Return the interval of a cell in words; empty where there is none."""
        low, high = float(self.low[true, answer]), float(self.high[true, answer])
        if np.isnan(low):
            return ""
        if self.signed:
            return f"{low * 100:+.1f} to {high * 100:+.1f} points".replace("-", "−")
        return f"{low * 100:.1f} to {percent(high)}"


@dataclass(frozen=True)
class Overlap:
    """The same cell in another model.

    Attributes
    ----------
    name : str
    count : int
        Images in that model's cell.
    shared : int
        Images that are in both.
    jaccard : float
        Shared among all that are in either, 0-1; NaN if both are empty.
    answers : ndarray of int64, shape (8,)
        What the other model answers to the images of this cell.
    """

    name: str
    count: int
    shared: int
    jaccard: float
    answers: NDArray[np.int64]


@dataclass(frozen=True)
class Destination:
    """Where the images of one label go in one matrix.

    Attributes
    ----------
    name : str
        Of the model, or of what else made the matrix.
    klass, n : int
        The label and its number of images.
    rates : tuple of 8 Rate
        Share of each answer.
    overall : ndarray of float64, shape (8,)
        Share of each answer among the images of all other labels.
    elsewhere : ndarray of float64, shape (8,)
        Share of each answer among the images that have neither this label nor that of the answer: how often it is
        given wrongly to others. NaN where there are none.
    leaders : tuple of int
        The wrong answers that could be the most frequent one: the largest, and those that are not told apart from it.
        Empty if nothing is answered wrongly.
    """

    name: str
    klass: int
    n: int
    rates: tuple[Rate, ...]
    overall: FloatArray
    elsewhere: FloatArray
    leaders: tuple[int, ...]

    @property
    def leader(self) -> int | None:
        """The most frequent wrong answer if it is decided, else None."""
        return self.leaders[0] if len(self.leaders) == 1 else None


@dataclass(frozen=True)
class Pair:
    """Two classes that are taken for each other: ``a_as_b`` images of a answered b, and the other way round."""

    a: int
    b: int
    a_as_b: int
    b_as_a: int
    rate: Rate


@dataclass(frozen=True)
class Curve:
    """Points of a curve; arrays of shape (P,). ``area`` is what lies below it (see the function that made it)."""

    x: FloatArray
    y: FloatArray
    area: float


@dataclass(frozen=True)
class CellVotes:
    """What people said about the images of a cell.

    Attributes
    ----------
    n, without : int
        Images with votes, and without.
    shares : ndarray of float64, shape (10,)
        Mean share of each vote, in the order of ``VOTE_COLUMNS``; NaN without votes.
    majority : ndarray of int64, shape (8,)
        Images by the class most people voted for; the last number is contempt, unknown or "not a face".
    """

    n: int
    without: int
    shares: FloatArray
    majority: NDArray[np.int64]


def rate(count: int, n: int) -> Rate:
    """Return a proportion with its interval."""
    if n == 0:
        return Rate(0, 0, np.nan, np.nan, np.nan)
    low, high = wilson(int(count), int(n))
    return Rate(int(count), int(n), count / n, low, high)


def cells(counts: NDArray[np.int64], view: View, *, other: NDArray[np.int64] | None = None) -> Cells:
    """Return what a view says of a matrix.

    Parameters
    ----------
    counts : ndarray of int64, shape (7, 8)
    view : {"counts", "row", "column", "model", "chance"}
    other : ndarray of int64, shape (7, 8, 2), optional
        For ``"model"``: see :func:`paired_counts`.

    Raises
    ------
    FerError
        If the view is unknown, or ``"model"`` is asked for without `other`.

    Notes
    -----
    ``"chance"`` subtracts the answer's share among all images, which is every row's share if answers do not depend on
    the image; it is taken as known in the interval. ``"model"`` is a difference of paired shares: with b images only
    in this model's cell and c only in the other's, (b - c) / n plus or minus 1.96 sqrt(b + c - (b - c)^2 / n) / n.
    """
    if view not in VIEWS:
        raise FerError(f"There is no view {view!r}; there are {', '.join(VIEWS)}.")
    of_label = np.broadcast_to(counts.sum(axis=1, keepdims=True), counts.shape)
    of_answer = np.broadcast_to(counts.sum(axis=0, keepdims=True), counts.shape)
    n = of_answer if view == "column" else of_label
    if view == "counts":
        nothing = np.full(counts.shape, np.nan)
        return Cells(view, counts, n, counts.astype(np.float64), nothing, nothing)
    if view == "model":
        if other is None:
            raise FerError("The difference from another model needs that model.")
        return Cells(view, counts, n, *_paired_difference(other, n))
    rates = [rate(int(count), int(total)) for count, total in zip(counts.ravel(), n.ravel(), strict=True)]
    value, low, high = (
        np.array([getattr(entry, name) for entry in rates]).reshape(counts.shape) for name in ("value", "low", "high")
    )
    if view == "chance":
        expected = of_answer / max(int(counts.sum()), 1)
        value, low, high = value - expected, low - expected, high - expected
    return Cells(view, counts, n, value, low, high)


def paired_counts(
    labels: NDArray[np.int64], answers: NDArray[np.int64], others: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Count the images in which two models differ: shape (7, 8, 2), only in the first's cell, only in the other's."""
    differ = answers != others
    return np.stack([confusion(labels[differ], answers[differ]), confusion(labels[differ], others[differ])], axis=-1)


def order(counts: NDArray[np.int64], kind: Order) -> tuple[int, ...]:
    """Return the classes in the order in which they are shown.

    ``"clustered"`` puts classes that are taken for each other side by side: of all 5,040 orders the one with the
    smallest sum of (share of a answered b + share of b answered a) x distance of a and b, so that it is the best one
    and not one that a heuristic stopped at.
    """
    if kind == "fixed":
        return tuple(range(N_CLASSES))
    support = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts[:, :N_CLASSES], support, out=np.zeros((N_CLASSES, N_CLASSES)), where=support > 0)
    mutual = share + share.T
    orders, places = _orders()
    cost = np.zeros(len(orders))
    for a in range(N_CLASSES):
        for b in range(a + 1, N_CLASSES):
            cost += mutual[a, b] * np.abs(places[:, a] - places[:, b])
    return tuple(int(k) for k in orders[int((cost - cost.min() < 1e-12).argmax())])


def members(
    labels: NDArray[np.int64], answers: NDArray[np.int64], scores: NDArray[np.floating[Any]], true: int, answer: int
) -> tuple[NDArray[np.int64], FloatArray]:
    """Return the images of one cell, worst first.

    Returns
    -------
    rows : ndarray of int64, shape (M,)
    margins : ndarray of float64, shape (M,)
        In a wrong cell: score of the answer minus score of the label; the surest error comes first. On the diagonal:
        score of the label minus the highest other one, and for images without an answer: score of the label minus the
        highest; the smallest comes first.
    """
    rows = np.flatnonzero((labels == true) & (answers == answer))
    part = scores[rows].astype(np.float64)
    label_score = part[:, true]
    if answer in (true, NO_ANSWER):
        rest = part.copy()
        if answer == true:
            rest[:, true] = -np.inf
        margins = label_score - rest.max(axis=1) if len(rows) else np.zeros(0)
        ranks = np.lexsort((rows, margins))
    else:
        margins = part[:, answer] - label_score
        ranks = np.lexsort((rows, -margins))
    return rows[ranks].astype(np.int64), margins[ranks]


def overlap(
    name: str, rows: NDArray[np.int64], labels: NDArray[np.int64], others: NDArray[np.int64], true: int, answer: int
) -> Overlap:
    """Compare the images `rows` of a cell with the same cell of another model, whose answers are `others` (N,)."""
    theirs = np.flatnonzero((labels == true) & (others == answer))
    shared = len(np.intersect1d(rows, theirs))
    either = len(rows) + len(theirs) - shared
    return Overlap(
        name=name,
        count=len(theirs),
        shared=shared,
        jaccard=shared / either if either else float("nan"),
        answers=np.bincount(others[rows], minlength=len(ANSWERS)).astype(np.int64),
    )


def destination(name: str, counts: NDArray[np.int64], klass: int) -> Destination:
    """Return where the images of one label go.

    The most frequent wrong answer is *decided* if among the images that got it or its rival more than half got it, by
    the 95 % interval of Wilson, for every rival. An empty row has no leaders.
    """
    row = counts[klass]
    n = int(row.sum())
    others = np.array(counts, dtype=np.float64)
    others[klass] = 0
    rest = others.sum(axis=0)
    wrongly, of_others = rest.copy(), np.full(len(rest), others.sum())
    wrongly[:N_CLASSES] -= np.diagonal(others)
    of_others[:N_CLASSES] -= others.sum(axis=1)
    wrong = [k for k in range(N_CLASSES) if k != klass]
    first = max(wrong, key=lambda k: (row[k], -k))
    leaders: tuple[int, ...] = ()
    if row[first] > 0:
        rivals = [k for k in wrong if k != first and wilson(int(row[first]), int(row[first] + row[k]))[0] <= 0.5]
        leaders = (first, *sorted(rivals, key=lambda k: (-row[k], k)))
    return Destination(
        name=name,
        klass=klass,
        n=n,
        rates=tuple(rate(int(count), n) for count in row),
        overall=rest / max(rest.sum(), 1),
        elsewhere=np.divide(wrongly, of_others, out=np.full(len(rest), np.nan), where=of_others > 0),
        leaders=leaders,
    )


def destinations_in_words(paired: Sequence[Destination], mispaired: Sequence[Destination] = ()) -> tuple[str, ...]:
    """Return the sentences that stand above the rows, made from the numbers alone.

    A class is named as where the label goes only by the matrices in which it is decided; the mis-paired ones are spoken
    of apart, since their rows say nothing about the label.
    """
    if not paired and not mispaired:
        return ("There is no matrix to read.",)
    label = EMOTIONS[(paired or mispaired)[0].klass]
    sentences = []
    decided: dict[int, list[Destination]] = {}
    for entry in paired:
        if entry.leader is not None:
            decided.setdefault(entry.leader, []).append(entry)
    for leader, entries in sorted(decided.items(), key=lambda item: (-len(item[1]), item[0])):
        if len(entries) > NAMED:
            shares = [entry.rates[leader].value for entry in entries]
            which = f"{len(entries)} of {len(paired)} models"
            rates = f"{percent(min(shares))} to {percent(max(shares))} of the images with that label"
        else:
            which = _listed([_quoted(entry) for entry in entries])
            rates = _listed([f"{entry.rates[leader].count} of {entry.n}" for entry in entries])
        which = _all_of(entries, paired) or which
        sentences.append(f"{which}: {label} goes most often to **{EMOTIONS[leader]}** ({rates}).")
        for entry in entries:
            if entry.rates[leader].low <= entry.elsewhere[leader]:
                sentences.append(
                    f"{_quoted(entry)}: that says little about {label}; of the images with neither label, "
                    f"{percent(float(entry.elsewhere[leader]))} are answered {EMOTIONS[leader]} too."
                )
    for entry in paired:
        if entry.n == 0:
            sentences.append(f"{_quoted(entry)}: there is no image labelled {label}.")
        elif not entry.leaders:
            sentences.append(f"{_quoted(entry)}: no image labelled {label} is answered with another label.")
        elif entry.leader is None:
            options = _listed([f"{EMOTIONS[k]} ({entry.rates[k].count})" for k in entry.leaders], last="or")
            sentences.append(
                f"{_quoted(entry)}: undecided; of {entry.n} images labelled {label}, the most frequent wrong answer "
                f"may be {options}."
            )
    mixed: dict[int, list[Destination]] = {}
    for entry in mispaired:
        if entry.n and entry.leaders:
            mixed.setdefault(entry.leaders[0], []).append(entry)
    for first, entries in mixed.items():
        found = _listed([str(entry.rates[first].count) for entry in entries])
        elsewhere = _listed([percent(float(entry.overall[first])) for entry in entries])
        sentences.append(
            f"{_listed([_quoted(entry) for entry in entries])}: {found} of {entries[0].n} stand under "
            f"{EMOTIONS[first]}, but so do {elsewhere} of all other images: paired wrongly, every row looks alike and "
            f"says nothing about {label}."
        )
    return tuple(sentences)


def unpaired(support: Sequence[int], shares: Sequence[float]) -> NDArray[np.int64]:
    """Return the matrix that answers of these shares give when they have nothing to do with the labels, (7, 8) int64.

    Parameters
    ----------
    support : sequence of 7 int
        Images of each label.
    shares : sequence of 7 float
        Share of each answer, in any unit; a published recall is one where labels and answers are paired wrongly.

    Notes
    -----
    Every row is split by the same shares. Parts of images are given to the largest remainders, so that rows add up.
    """
    parts = np.asarray(shares, dtype=np.float64)
    expected = np.outer(np.asarray(support, dtype=np.float64), parts / parts.sum())
    counts = np.floor(expected + 1e-9).astype(np.int64)
    for row, missing in enumerate(np.asarray(support) - counts.sum(axis=1)):
        largest = np.argsort(counts[row] - expected[row], kind="stable")[: int(missing)]
        counts[row, largest] += 1
    return np.hstack([counts, np.zeros((N_CLASSES, 1), dtype=np.int64)])


def hardest_pairs(counts: NDArray[np.int64]) -> tuple[Pair, ...]:
    """Return the 21 pairs of classes, most often taken for each other first.

    The rate is (images of a answered b + images of b answered a) / (images of a and b). Pairs without images are last.
    """
    support = counts.sum(axis=1)
    pairs = []
    for a in range(N_CLASSES):
        for b in range(a + 1, N_CLASSES):
            there, back = int(counts[a, b]), int(counts[b, a])
            pairs.append(Pair(a, b, there, back, rate(there + back, int(support[a] + support[b]))))
    return tuple(sorted(pairs, key=lambda pair: (-np.nan_to_num(pair.rate.value, nan=-1.0), pair.a, pair.b)))


@dataclass(frozen=True)
class ErrorCost:
    """What one kind of error costs: `images` with the label (a class) that got the answer, at `each` a piece.

    ``mean`` is what it adds to the expected cost of a face, ``share`` its part of it (0-1).
    """

    label: int
    answer: int
    images: int
    each: float
    mean: float
    share: float


def error_costs(counts: NDArray[np.int64], cost: FloatArray | None = None) -> tuple[float, tuple[ErrorCost, ...]]:
    """Return the expected cost of an answered face, and the kinds of error that make it, the dearest first.

    Parameters
    ----------
    counts : ndarray of int64, shape (7, 7) or (7, 8)
        Images by label and answer. Those without an answer are left out.
    cost : ndarray of float64, shape (7, 7), optional
        Cost of the column's answer for an image with the row's label. Without it every error costs 1, and the expected
        cost is the error rate.

    Returns
    -------
    tuple
        NaN and nothing if no image was answered.
    """
    answered = counts[:, :N_CLASSES]
    prices = 1.0 - np.eye(N_CLASSES) if cost is None else cost
    if not answered.sum():
        return float("nan"), ()
    parts = metrics.cost_by_cell(answered, prices)
    total = float(metrics.expected_cost(answered, prices))
    kinds = [
        ErrorCost(
            int(i), int(j), int(answered[i, j]), float(prices[i, j]), float(parts[i, j]), float(parts[i, j]) / total
        )
        for i, j in np.argwhere(parts > 0)
    ]
    return total, tuple(sorted(kinds, key=lambda kind: (-kind.mean, kind.label, kind.answer)))


def roc_curve(truth: NDArray[np.bool_], scores: NDArray[np.floating[Any]]) -> Curve | None:
    """Return false-positive rate (x) and true-positive rate (y) from (0, 0) to (1, 1); None if a side is empty.

    ``area`` is the area under the curve.
    """
    hits, false_alarms = _accumulated(truth, scores)
    if hits[-1] == 0 or false_alarms[-1] == 0:
        return None
    x = np.append(0.0, false_alarms / false_alarms[-1])
    y = np.append(0.0, hits / hits[-1])
    return Curve(x, y, float(np.trapezoid(y, x)))


def precision_recall_curve(truth: NDArray[np.bool_], scores: NDArray[np.floating[Any]]) -> Curve | None:
    """Return recall (x) and precision (y), the strictest threshold first; None if no image is of the class.

    ``area`` is the average precision: the sum of precision times the recall gained, without interpolation.
    """
    hits, false_alarms = _accumulated(truth, scores)
    if len(hits) == 0 or hits[-1] == 0:
        return None
    recall, precision = hits / hits[-1], hits / (hits + false_alarms)
    area = float((np.diff(recall, prepend=0.0) * precision).sum())
    return Curve(np.append(0.0, recall), np.append(precision[0], precision), area)


def risk_coverage(right: NDArray[np.bool_], confidence: NDArray[np.floating[Any]]) -> Curve:
    """Return coverage (x) and the error rate of the surest images (y): what refusing to answer would buy.

    ``area`` is the mean error rate over all coverages (AURC; Geifman and El-Yaniv, "Selective Classification for Deep
    Neural Networks", NeurIPS 2017). Images of equal confidence are answered together.

    Raises
    ------
    FerError
        If there are no images.
    """
    if len(right) == 0:
        raise FerError("There are no images to draw a risk–coverage curve from.")
    wrong, correct = _accumulated(~right, confidence)
    answered = wrong + correct
    coverage, risk = answered / len(right), wrong / answered
    return Curve(coverage, risk, float((np.diff(coverage, prepend=0.0) * risk).sum()))


def thinned(curve: Curve, points: int = 160) -> Curve:
    """Return at most about `points` points of a curve, evenly along its length, the ends kept."""
    if len(curve.x) <= points:
        return curve
    length = np.append(0.0, np.cumsum(np.abs(np.diff(curve.x)) + np.abs(np.diff(curve.y))))
    wanted = np.linspace(0, length[-1], points)
    keep = np.unique(np.clip(np.searchsorted(length, wanted), 0, len(length) - 1))
    return Curve(curve.x[keep], curve.y[keep], curve.area)


def cell_votes(names: Sequence[str], votes: Votes) -> CellVotes:
    """Return what people voted for the images of a cell."""
    from fer_core.evaluation import agreement

    counts, known = votes.of(names)
    counts = counts[known]
    majority = np.zeros(N_CLASSES + 1, dtype=np.int64)
    shares = np.full(counts.shape[1], np.nan)
    if len(counts):
        leading = agreement.majority(counts)
        majority = np.bincount(np.where(leading == agreement.NO_CLASS, N_CLASSES, leading), minlength=N_CLASSES + 1)
        shares = (counts / counts.sum(axis=1, keepdims=True)).mean(axis=0)
    return CellVotes(len(counts), int((~known).sum()), shares, majority.astype(np.int64))


def cell_table(
    predictions: Predictions,
    scores: NDArray[np.floating[Any]],
    rows: NDArray[np.int64],
    margins: FloatArray,
    answer: int,
) -> list[dict[str, Any]]:
    """Return one record an image of a cell, for a table or a csv file."""
    return [
        {
            "image": str(predictions.names[row]),
            "split": str(predictions.split[row]),
            "label": EMOTIONS[predictions.labels[row]],
            "answer": ANSWERS[answer],
            "margin": round(float(margin), 6),
            **{f"p_{emotion}": round(float(scores[row, k]), 6) for k, emotion in enumerate(EMOTIONS)},
        }
        for row, margin in zip(rows, margins, strict=True)
    ]


def matrix_table(shown: Cells) -> list[dict[str, Any]]:
    """Return one record a cell, for a table or a csv file."""
    return [
        {
            "label": EMOTIONS[true],
            "answer": ANSWERS[answer],
            "count": int(shown.counts[true, answer]),
            "n": int(shown.n[true, answer]),
            "view": shown.view,
            "value": metrics.rounded(shown.value[true, answer]),
            "low": metrics.rounded(shown.low[true, answer]),
            "high": metrics.rounded(shown.high[true, answer]),
        }
        for true in range(N_CLASSES)
        for answer in range(shown.counts.shape[1])
    ]


def _paired_difference(other: NDArray[np.int64], n: NDArray[np.int64]) -> tuple[FloatArray, FloatArray, FloatArray]:
    only_this, only_other = other[..., 0].astype(np.float64), other[..., 1].astype(np.float64)
    total = np.where(n > 0, n, np.nan)
    difference = only_this - only_other
    half = Z95 * np.sqrt(np.maximum(only_this + only_other - difference**2 / total, 0)) / total
    value = difference / total
    return value, np.maximum(value - half, -1), np.minimum(value + half, 1)


def _accumulated(truth: NDArray[np.bool_], scores: NDArray[np.floating[Any]]) -> tuple[FloatArray, FloatArray]:
    """Count true and false ones among the images of at least each score, the highest first; equal scores as one."""
    ranks = np.argsort(-scores)  # equal scores may come in any order: only the last of them is kept
    truth, scores = truth[ranks], scores[ranks]
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1) if len(scores) else np.zeros(0, dtype=np.int64)
    true = np.cumsum(truth, dtype=np.float64)[last]
    return true, last + 1 - true


@lru_cache(maxsize=1)
def _orders() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    orders = np.array(list(permutations(range(N_CLASSES))), dtype=np.int64)
    return orders, np.argsort(orders, axis=1)


def _all_of(entries: Sequence[Destination], everyone: Sequence[Destination]) -> str:
    if len(entries) < len(everyone) or len(entries) == 1:
        return ""
    return "Both models" if len(entries) == 2 else f"All {len(entries)} models"


def _quoted(entry: Destination) -> str:
    return f"“{entry.name}”"


def _listed(parts: Sequence[str], last: str = "and") -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {last} {parts[-1]}"
