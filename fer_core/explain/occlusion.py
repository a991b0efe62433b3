"""Occlusion: cover one part of a face after the other and see how much the score falls.

M. Zeiler and R. Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014 (arXiv:1311.2901). It asks
the network nothing but scores, so it works for any model, and it is slow: a pass for each position of the patch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from fer_core.explain.heatmap import HeatMap

if TYPE_CHECKING:
    from numpy.typing import NDArray

METHOD: Final = "occlusion"
PATCH: Final = 12
"""Side of the covered square, px of 48: about a mouth or an eye."""
STRIDE: Final = 4
"""How far the square moves, px."""

Predict = Callable[["NDArray[np.uint8]"], "NDArray[np.float32]"]
"""From faces (N, 48, 48), uint8, to scores (N, 7), float32."""


def log_odds(proba: NDArray[np.float32], direction: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what is measured of scores (N, 7) for a direction (7,): ``direction · log(score)``, (N,) float32.

    For a contrast that is the difference of the two logits over the temperature; for one class its log-score.
    """
    return np.asarray(np.log(np.maximum(proba, 1e-12)) @ direction, np.float32)


def explain(
    face: NDArray[np.uint8],
    direction: NDArray[np.float32],
    predict: Predict,
    *,
    patch: int = PATCH,
    stride: int = STRIDE,
) -> HeatMap:
    """Return by how much the log-score falls when each part is covered with the face's mean grey.

    Parameters
    ----------
    face : ndarray of shape (H, W), uint8
    direction : ndarray of shape (7,), float32
    predict
        The model.
    patch, stride : int
        Side of the square and how far it moves, px. Squares may reach over the edge, so that every pixel is covered
        equally often but for the rim.

    Returns
    -------
    HeatMap
        One cell for each position, signed: positive where covering lowers the score.
    """
    height, width = face.shape
    # A cell is `stride` px wide with its square about it: enlarged, the map lies on the face, and in a mirror likewise.
    first = (stride - patch) // 2
    rows, columns = (range(first, first + side, stride) for side in (height, width))
    grey = np.uint8(round(float(face.mean())))
    covered = np.repeat(face[np.newaxis], len(rows) * len(columns), axis=0)
    boxes = [(max(0, y), min(height, y + patch), max(0, x), min(width, x + patch)) for y in rows for x in columns]
    for picture, (top, bottom, left, right) in zip(covered, boxes, strict=True):
        picture[top:bottom, left:right] = grey
    before = log_odds(predict(face[np.newaxis]), direction)[0]
    fall = before - log_odds(predict(covered), direction)
    values = fall.reshape(len(rows), len(columns)).astype(np.float32)
    # The smallest blur takes away the steps of the squares' edges.
    return HeatMap(cv2.GaussianBlur(values, (3, 3), 0), METHOD, signed=True)
