"""What the leaks between Training and the test set do to a model's accuracy."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fer_core.evaluation.predictions import Predictions


@dataclass(frozen=True)
class LeakEffect:
    """Accuracy on PrivateTest, 0-1; NaN where there is no image.

    Attributes
    ----------
    everything, clean, leaked
        On all of it, on the images that do not stand in Training, and on those that do.
    cleanest
        On the images of which Training has neither an exact copy nor a near duplicate.
    n_clean, n_leaked, n_cleanest
        How many these are.
    """

    everything: float
    clean: float
    leaked: float
    cleanest: float
    n_clean: int
    n_leaked: int
    n_cleanest: int


def leak_effect(predictions: Predictions, leaked: Collection[str], near: Collection[str] = ()) -> LeakEffect:
    """Return a model's accuracy on PrivateTest with, without, and only on the images that stand in Training too.

    Parameters
    ----------
    predictions : Predictions
    leaked : collection of str
        Test images that stand in Training, pixel by pixel.
    near : collection of str
        Test images of which Training has a near duplicate.

    Raises
    ------
    FerError
        If the predictions hold no image of PrivateTest.
    """
    private = predictions.select("private")
    right = private.predicted == private.labels
    known = np.isin(private.names, np.array(sorted(leaked), dtype=np.str_))
    alike = known | np.isin(private.names, np.array(sorted(near), dtype=np.str_))

    def share(part: np.ndarray) -> float:
        return float(part.mean()) if len(part) else float("nan")

    return LeakEffect(
        everything=share(right),
        clean=share(right[~known]),
        leaked=share(right[known]),
        cleanest=share(right[~alike]),
        n_clean=int((~known).sum()),
        n_leaked=int(known.sum()),
        n_cleanest=int((~alike).sum()),
    )
