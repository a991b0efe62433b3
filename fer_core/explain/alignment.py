"""Where in a face the cells of a network's last maps lie: measured with mirrored faces.

A convolution that halves its input and pads it on the right and below only, as those of Keras' MobileNet do, moves what
a cell shows by half a cell, and later layers may add to that or take it back: what was learnt decides. A map drawn
evenly over the face is then drawn too far up and left. The map of the mirrored face is off to the same side, not to the
mirrored one, so that the two, one of them mirrored back, agree best when both are moved by what they are off.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from fer_core.explain.faithfulness import GRID_WEAK, correlation
from fer_core.explain.heatmap import HeatMap, direction
from fer_core.labels import EMOTIONS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fer_core.explain.cam import Explainer

OFFSETS: Final = tuple(k / 100 for k in range(-25, 26))
"""Candidates, as fractions of the side."""
LEAST_GAIN: Final = 0.05
"""A network whose mean correlation does not rise by as much is left as it is."""
SIDE: Final = 24
"""Maps are compared at this size, in the columns that both show."""


@dataclass(frozen=True)
class Alignment:
    """The offset, a fraction of the side, and the mean correlation of mirrored maps without and with it."""

    offset: float
    before: float
    after: float


def measure(explainer: Explainer, faces: NDArray[np.uint8]) -> Alignment:
    """Return how far from its cells lies what a model's last maps show.

    Parameters
    ----------
    explainer : Explainer
    faces : ndarray of shape (N, 48, 48), uint8

    Returns
    -------
    Alignment
        Measured along the rows; down the columns it is taken to be the same, since networks pad alike in both
        directions. Maps of so few cells that no verdict trusts them have none.
    """
    pairs = []
    for face in faces:
        looked = explainer.look(np.stack([face, face[:, ::-1]]))
        wanted = direction(EMOTIONS[int(looked.proba[0].argmax())])
        one, other = (explainer.heat_map(maps, wanted) for maps in looked.maps)
        if not one.dead and not other.dead:
            pairs.append((one, other))
    if not pairs:
        return Alignment(0.0, 0.0, 0.0)
    agreement = {offset: float(np.mean([_agree(*pair, offset) for pair in pairs])) for offset in OFFSETS}
    best = max(OFFSETS, key=lambda offset: (agreement[offset], -abs(offset)))
    if agreement[best] - agreement[0.0] < LEAST_GAIN or min(pairs[0][0].grid) < GRID_WEAK:
        best = 0.0
    return Alignment(best, agreement[0.0], agreement[best])


def _agree(one: HeatMap, other: HeatMap, offset: float) -> float:
    """Return the correlation of a map and that of the mirrored face, where neither carries an edge on."""
    hidden = math.ceil(abs(offset) * SIDE)
    a, b = (replace(heat, offset=offset).resized(SIDE) for heat in (one, other))
    inner = slice(hidden, SIDE - hidden)
    return correlation(a[:, inner], b[:, ::-1][:, inner])
