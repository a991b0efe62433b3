"""Intervals: how far a figure could be off because the test set is a sample.

The percentile bootstrap (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13): draw N images
with replacement, compute the metric, repeat, and take the middle 95 % of the results. It says what another sample of
images like these would give; it says nothing about another training run or another kind of image.

Every metric here is a function of sums over images (cells of the confusion matrix, sums of losses), so a resample needs
only how often each image was drawn: counts (R, N) times features (N, F) gives the sums of R resamples at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fer_core.errors import FerError
from fer_core.evaluation import calibration, metrics
from fer_core.labels import N_CLASSES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    Statistic = Callable[[FloatArray], FloatArray]

LEVEL: Final = 0.95
RESAMPLES: Final = 2_000
SEED: Final = 20_130
"""Fixed, so that a figure is the same whenever it is computed again."""

OVERALL: Final = ("accuracy", "macro_f1", "balanced_accuracy", "log_loss", "brier", "ece")
PER_CLASS: Final = ("precision", "recall", "f1")

_CHUNK: Final = 100
"""Resamples held at once: 100 x 7,178 counts are 6 MB."""

_CELLS: Final = N_CLASSES**2


@dataclass(frozen=True)
class Estimate:
    """A metric and its interval; floats, or arrays of one shape.

    NaN where the value is undefined. A resample in which it is undefined is left out of the percentiles.
    """

    value: FloatArray
    low: FloatArray
    high: FloatArray

    def at(self, index: int) -> Estimate:
        """Return one entry of a metric that has a value for each class."""
        return Estimate(self.value[index], self.low[index], self.high[index])

    def as_dict(self) -> dict[str, float | None]:
        """Return ``{"value", "low", "high"}`` rounded for JSON; ``None`` for NaN. For a metric with a single value."""
        return {name: metrics.rounded(float(getattr(self, name))) for name in ("value", "low", "high")}


def draws(n: int, *, resamples: int = RESAMPLES, seed: int = SEED) -> Iterator[FloatArray]:
    """Yield how often each of `n` images is drawn in each resample, in chunks of shape (R, n).

    The rows are draws of the multinomial distribution with `n` trials and equal chances. Equal arguments yield equal
    draws, so that two calls see the same resamples.
    """
    if n <= 0 or resamples <= 0:
        raise FerError("A bootstrap needs at least one image and one resample.")
    generator = np.random.default_rng(seed)
    for start in range(0, resamples, _CHUNK):
        rows = min(_CHUNK, resamples - start)
        chunk = np.empty((rows, n))
        for row in range(rows):
            chunk[row] = np.bincount(generator.integers(0, n, size=n), minlength=n)
        yield chunk


def estimate(
    features: FloatArray,
    statistics: dict[str, Statistic],
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
    level: float = LEVEL,
) -> dict[str, Estimate]:
    """Return statistics of sums over images, with percentile intervals.

    Parameters
    ----------
    features : ndarray of float64, shape (N, F)
        What each image adds to the sums.
    statistics : dict
        Name -> function that takes sums of shape (R, F) and returns an array of shape (R, ...).
    """
    sums = np.concatenate([chunk @ features for chunk in draws(len(features), resamples=resamples, seed=seed)])
    observed = features.sum(axis=0, keepdims=True)
    result = {}
    for name, statistic in statistics.items():
        low, high = percentile_interval(statistic(sums), level=level)
        result[name] = Estimate(statistic(observed)[0], low, high)
    return result


def percentile_interval(samples: FloatArray, *, level: float = LEVEL) -> tuple[FloatArray, FloatArray]:
    """Return the bounds of the middle `level` of `samples` (R, ...) along the first axis, leaving out NaN."""
    low, high = np.full(samples.shape[1:], np.nan), np.full(samples.shape[1:], np.nan)
    defined = ~np.isnan(samples).all(axis=0)
    if defined.any():
        outside = (1 - level) / 2
        low[defined], high[defined] = np.nanquantile(samples[:, defined], (outside, 1 - outside), axis=0)
    return low, high


def metric_intervals(
    labels: NDArray[np.int64],
    proba: NDArray[np.floating[Any]],
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
    level: float = LEVEL,
) -> dict[str, Estimate]:
    """Return the metrics of :data:`OVERALL` (single values) and :data:`PER_CLASS` (seven each) with intervals.

    The bins of the ECE stay where they are; their contents are resampled. The ECE of a resample is biased upwards
    (noise in a bin always adds), so that its interval may lie above the value: read it as an upper bound.
    """
    bins = calibration.BINS
    cells = one_hot(labels * N_CLASSES + proba.argmax(axis=1), _CELLS)
    confidence, right, bin_of = calibration.top_label(labels, proba, bins=bins)
    in_bin = one_hot(bin_of, bins)
    features = np.column_stack(
        [
            cells,
            metrics.log_losses(labels, proba),
            metrics.brier_scores(labels, proba),
            in_bin * (right - confidence)[:, None],
        ]
    )

    def confusion(sums: FloatArray) -> FloatArray:
        return confusions(sums[:, :_CELLS])

    def images(sums: FloatArray) -> FloatArray:
        return np.asarray(sums[:, :_CELLS].sum(axis=1))

    return estimate(
        features,
        {
            "accuracy": lambda sums: metrics.accuracy(confusion(sums)),
            "macro_f1": lambda sums: metrics.macro_f1(confusion(sums)),
            "balanced_accuracy": lambda sums: metrics.balanced_accuracy(confusion(sums)),
            "log_loss": lambda sums: sums[:, _CELLS] / images(sums),
            "brier": lambda sums: sums[:, _CELLS + 1] / images(sums),
            "ece": lambda sums: np.abs(sums[:, _CELLS + 2 :]).sum(axis=1) / images(sums),
            "precision": lambda sums: metrics.class_scores(confusion(sums)).precision,
            "recall": lambda sums: metrics.class_scores(confusion(sums)).recall,
            "f1": lambda sums: metrics.class_scores(confusion(sums)).f1,
        },
        resamples=resamples,
        seed=seed,
        level=level,
    )


def wilson(successes: int, n: int, *, level: float = LEVEL) -> tuple[float, float]:
    """Return the interval of E. B. Wilson (1927) for a proportion of `successes` among `n`.

    For a single proportion from few images, where a bootstrap fails: of 0 among 5 it gives 0 to 0.43, not 0 to 0.

    Raises
    ------
    FerError
        If `n` is not positive or `successes` is not from 0 to `n`.
    """
    if n <= 0 or not 0 <= successes <= n:
        raise FerError(f"{successes} of {n} is not a proportion.")
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5 / (1 + z * z / n)
    # At 0 and n the bounds are exactly 0 and 1; the arithmetic misses them by a rounding error.
    return (0.0 if successes == 0 else centre - half), (1.0 if successes == n else centre + half)


def one_hot(index: NDArray[np.int64], size: int) -> FloatArray:
    """Return rows with a one at `index` (N,) and zeros elsewhere, shape (N, size)."""
    rows = np.zeros((len(index), size))
    rows[np.arange(len(index)), index] = 1
    return rows


def confusions(cells: FloatArray) -> FloatArray:
    """Return sums of cells (R, 49) as confusion matrices (R, 7, 7)."""
    return cells.reshape(-1, N_CLASSES, N_CLASSES)
