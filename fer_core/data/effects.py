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
    n_clean, n_leaked
        How many these are.
    """

    everything: float
    clean: float
    leaked: float
    n_clean: int
    n_leaked: int


def leak_effect(predictions: Predictions, leaked: Collection[str]) -> LeakEffect:
    """Return a model's accuracy on PrivateTest with, without, and only on the images that stand in Training too.

    Raises
    ------
    FerError
        If the predictions hold no image of PrivateTest.
    """
    private = predictions.select("private")
    right = private.predicted == private.labels
    known = np.isin(private.names, np.array(sorted(leaked), dtype=np.str_))

    def share(part: np.ndarray) -> float:
        return float(part.mean()) if len(part) else float("nan")

    return LeakEffect(share(right), share(right[~known]), share(right[known]), int((~known).sum()), int(known.sum()))
