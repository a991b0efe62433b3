"""Calibration: whether of the images that get a score of 0.8 eight in ten are right, and how to make it so.

C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On Calibration of Modern Neural Networks", ICML 2017.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fer_core.errors import FerError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

BINS: Final = 15
"""Bins of equal width, as in the paper and in most figures published since."""

TEMPERATURE_RANGE: Final = (0.05, 20.0)
"""Temperatures that are tried. Labels that the logits separate perfectly have no best one; they get the lower end."""


@dataclass(frozen=True)
class Reliability:
    """Contents of the bins of a reliability diagram; arrays of shape (B,).

    Attributes
    ----------
    edges : ndarray of float64, shape (B + 1,)
        Bin b holds scores above ``edges[b]`` up to and including ``edges[b + 1]``; the first also holds 0.
    count : ndarray of int64
    confidence, accuracy : ndarray of float64
        Mean score and share of right answers; NaN in an empty bin.
    low, high : ndarray of float64
        95 % interval of Wilson for `accuracy`; NaN in an empty bin.
    """

    edges: FloatArray
    count: NDArray[np.int64]
    confidence: FloatArray
    accuracy: FloatArray
    low: FloatArray
    high: FloatArray

    @property
    def ece(self) -> float:
        """Mean distance between confidence and accuracy, weighted by the number of images, 0-1."""
        filled = self.count > 0
        gap = np.abs(self.accuracy[filled] - self.confidence[filled])
        return float((gap * self.count[filled]).sum() / self.count.sum())


def top_label(
    labels: NDArray[np.int64], proba: NDArray[np.floating[Any]], *, bins: int = BINS
) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
    """Return of each image the largest probability, whether its class is right (1 or 0), and its bin; shapes (N,)."""
    confidence = proba.max(axis=1).astype(np.float64)
    right = (proba.argmax(axis=1) == labels).astype(np.float64)
    return confidence, right, _bin_of(confidence, bins)


def reliability(
    labels: NDArray[np.int64], proba: NDArray[np.floating[Any]], *, bins: int = BINS, klass: int | None = None
) -> Reliability:
    """Sort scores into bins of equal width.

    Parameters
    ----------
    labels : ndarray of int64, shape (N,)
    proba : ndarray of float, shape (N, 7)
    bins : int
    klass : int, optional
        Judge the score of this class against "the image has this label" (one-vs-rest), over all images. By default the
        largest score of each image is judged against "its class is the label".

    Raises
    ------
    FerError
        If there are no images.
    """
    from fer_core.evaluation.bootstrap import wilson

    if len(labels) == 0:
        raise FerError("There are no images to judge the calibration by.")
    if klass is None:
        score, right, bin_of = top_label(labels, proba, bins=bins)
    else:
        score = proba[:, klass].astype(np.float64)
        right = (labels == klass).astype(np.float64)
        bin_of = _bin_of(score, bins)
    count = np.bincount(bin_of, minlength=bins).astype(np.int64)
    hits = np.bincount(bin_of, weights=right, minlength=bins)
    total = np.bincount(bin_of, weights=score, minlength=bins)
    filled = count > 0
    values = {name: np.full(bins, np.nan) for name in ("confidence", "accuracy", "low", "high")}
    values["confidence"][filled] = total[filled] / count[filled]
    values["accuracy"][filled] = hits[filled] / count[filled]
    for b in np.flatnonzero(filled):
        values["low"][b], values["high"][b] = wilson(round(hits[b]), int(count[b]))
    return Reliability(edges=np.linspace(0, 1, bins + 1), count=count, **values)


def fit_temperature(labels: NDArray[Any], logits: NDArray[np.floating[Any]]) -> float:
    """Return the temperature T for which softmax(logits / T) has the smallest log-loss; fit it on validation only.

    Parameters
    ----------
    labels : ndarray of int64, shape (N,), or of float, shape (N, 7)
        Classes, or distributions over them, as votes are.
    logits : ndarray of float, shape (N, 7)
        Logits, or log-probabilities: they differ by a constant an image, which softmax does not see.

    Returns
    -------
    float
        Above 1 for an over-confident model. Within :data:`TEMPERATURE_RANGE`.

    Raises
    ------
    FerError
        If there are no images or a logit is not finite.

    Notes
    -----
    The mean loss is convex in b = 1/T, with slope mean(sum_k p_k z_k - z_label), which grows with b (for a distribution
    t, z_label is sum_k t_k z_k). Its root is
    bisected, so that nothing can diverge. The answers do not change: dividing by T keeps the largest logit largest.
    """
    if len(labels) == 0:
        raise FerError("There are no images to fit a temperature on.")
    if not np.isfinite(logits).all():
        raise FerError("A temperature cannot be fitted: some logits are not finite.")
    z = logits.astype(np.float64)
    z = z - z.max(axis=1, keepdims=True)
    of_label = (z[np.arange(len(labels)), labels] if labels.ndim == 1 else (labels * z).sum(axis=1)).mean()

    def slope(b: float) -> float:
        p = np.exp(b * z)
        return float(((p * z).sum(axis=1) / p.sum(axis=1)).mean() - of_label)

    coldest, hottest = TEMPERATURE_RANGE
    low, high = 1 / hottest, 1 / coldest
    if slope(high) <= 0:
        return coldest
    if slope(low) >= 0:
        return hottest
    for _ in range(60):
        middle = (low + high) / 2
        if slope(middle) > 0:
            high = middle
        else:
            low = middle
    return 2 / (low + high)


def _bin_of(score: FloatArray, bins: int) -> NDArray[np.int64]:
    # Right-closed bins as in the paper: a score of exactly 1/15 belongs to the first.
    edges = np.linspace(0, 1, bins + 1)
    return np.clip(np.searchsorted(edges, score, side="left") - 1, 0, bins - 1).astype(np.int64)
