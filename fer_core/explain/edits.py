"""Change a part of a face, to see what the scores do: cover, blur, brighten, turn, mirror."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLUR_MAX: Final = 6.0
BRIGHTNESS_MAX: Final = 100
TURN_MAX: Final = 45


@dataclass(frozen=True)
class Edit:
    """What is done to the chosen part; with nothing set, nothing is changed.

    Attributes
    ----------
    cover : bool
        Paint it with the face's mean grey; what else is set has no effect then.
    blur : float
        Standard deviation of a Gaussian, px of the face; 0 to :data:`BLUR_MAX`.
    brightness : int
        Added grey value, either sign, up to :data:`BRIGHTNESS_MAX`.
    turn : int
        Degrees clockwise about the middle of the part, up to :data:`TURN_MAX` either way.
    mirror : bool
        Swap left and right about the middle of the part.
    """

    cover: bool = False
    blur: float = 0.0
    brightness: int = 0
    turn: int = 0
    mirror: bool = False

    @property
    def changes(self) -> bool:
        """Whether anything is done."""
        return self != Edit()


def apply(face: NDArray[np.uint8], part: NDArray[np.bool_], edit: Edit) -> NDArray[np.uint8]:
    """Return the face with its part changed; pixels outside the part stay as they are.

    Parameters
    ----------
    face : ndarray of shape (H, W), uint8
    part : ndarray of shape (H, W), bool
        An empty part changes nothing.
    edit : Edit

    Returns
    -------
    ndarray of shape (H, W), uint8

    Raises
    ------
    ValueError
        If `part` has another shape than the face.
    """
    if part.shape != face.shape:
        raise ValueError(f"The part has the shape {part.shape}, the face {face.shape}.")
    if not edit.changes or not part.any():
        return face.copy()
    if edit.cover:
        changed = np.full_like(face, round(float(face.mean())))
    else:
        changed = face
        rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
        middle = ((columns[0] + columns[-1]) / 2, (rows[0] + rows[-1]) / 2)
        if edit.mirror:
            flip = np.array([[-1.0, 0.0, 2 * middle[0]], [0.0, 1.0, 0.0]])
            changed = _warp(changed, flip)
        if edit.turn:
            # OpenCV counts angles against the clock
            changed = _warp(changed, cv2.getRotationMatrix2D(middle, -edit.turn, 1.0))
        if edit.blur > 0:
            changed = np.asarray(cv2.GaussianBlur(changed, (0, 0), edit.blur), np.uint8)
        if edit.brightness:
            changed = np.clip(changed.astype(np.int16) + edit.brightness, 0, 255).astype(np.uint8)
    return np.where(part, changed, face)


def _warp(face: NDArray[np.uint8], matrix: NDArray[np.float64]) -> NDArray[np.uint8]:
    height, width = face.shape
    warped = cv2.warpAffine(face, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.uint8)
