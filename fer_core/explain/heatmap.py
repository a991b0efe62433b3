"""What every method returns, and what every method is asked: a heat map, for a direction in the space of logits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from fer_core.labels import N_CLASSES, index_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEAD: Final = 1e-8
"""A map whose largest magnitude is not above this says nothing: a network's logits move by far more."""


def direction(label: str, against: str | None = None) -> NDArray[np.float32]:
    """Return what is explained as weights of the seven logits, shape (7,) float32.

    Parameters
    ----------
    label : str
        The class that is asked about: weight 1.
    against : str, optional
        Why `label` rather than this one: weight -1.

    Raises
    ------
    ValueError
        If a name is not a class, or both are the same.
    """
    weights = np.zeros(N_CLASSES, np.float32)
    weights[index_of(label)] = 1
    if against is not None:
        if against == label:
            raise ValueError(f"{label} cannot be contrasted with itself.")
        weights[index_of(against)] = -1
    return weights


@dataclass(frozen=True)
class HeatMap:
    """Where in a face a network found evidence for a direction.

    Attributes
    ----------
    values : ndarray of shape (h, w), float32
        As the method computed it, in its own units; at least 0 unless `signed`.
    method : str
        Key of the method.
    layer : str
        The layer that was looked at; empty for methods that look at the input.
    signed : bool
        Positive values speak for the direction, negative ones against it.
    offset : float
        How far further right and further down than a cell what it shows lies, as a fraction of the face's side; see
        :mod:`fer_core.explain.alignment`.
    """

    values: NDArray[np.float32]
    method: str
    layer: str = ""
    signed: bool = False
    offset: float = 0.0

    @property
    def grid(self) -> tuple[int, int]:
        """Height and width of the map in cells."""
        height, width = self.values.shape
        return height, width

    @property
    def dead(self) -> bool:
        """Whether the map is zero everywhere (or not finite): it says nothing, and must not be shown as a picture."""
        return not np.isfinite(self.values).all() or float(np.abs(self.values).max(initial=0)) <= DEAD

    def normalised(self) -> NDArray[np.float32]:
        """Return the map scaled for display, same shape, float32: 0 (least) to 1, or -1 to 1 around 0 if signed.

        All zeros for a dead map.
        """
        if self.dead:
            return np.zeros_like(self.values)
        if self.signed:
            return np.asarray(self.values / np.abs(self.values).max(), np.float32)
        low, high = float(self.values.min()), float(self.values.max())
        # A map that is the same everywhere is evidence everywhere, not nowhere.
        return np.asarray((self.values - low) / (high - low), np.float32) if high > low else np.ones_like(self.values)

    def opposite(self) -> HeatMap:
        """Return a signed map of the opposite question: what spoke against speaks for."""
        return replace(self, values=-self.values)

    def aligned(self) -> HeatMap:
        """Return the map with its values where what they show lies, on the same grid: bilinear, edges carried on."""
        if not self.offset:
            return self
        import cv2  # as below

        height, width = self.grid
        moved = cv2.warpAffine(
            np.ascontiguousarray(self.values, np.float32),
            np.array([[1, 0, self.offset * width], [0, 1, self.offset * height]]),
            (width, height),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return replace(self, values=np.asarray(moved, np.float32), offset=0.0)

    def resized(self, side: int) -> NDArray[np.float32]:
        """Return the values enlarged (bilinear) or averaged to (side, side), float32, in the map's own units.

        They lie where what they show lies, see :meth:`aligned`.
        """
        import cv2  # here, so that a page that only reads stored maps stays light

        values = self.aligned().values
        smaller = values.shape[0] > side
        flag = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(values, (side, side), interpolation=flag), np.float32)
