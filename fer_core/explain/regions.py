"""The parts of a face, so that heat maps become numbers that can be averaged.

Each part is made of ellipses placed by five points (both eyes, tip of the nose, corners of the mouth): those that the
detector finds in the crop, or where FER2013 has them (``faces.EYES``, ``faces.MOUTH``). Parts do not overlap; what no
part claims is ``elsewhere`` (forehead, chin, hair, background).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

from fer_core.faces import EYES, MIN_SCORE, MOUTH, SIDE, Frame, look_at
from fer_core.framing import ENLARGED, MARGIN, in_surroundings

if TYPE_CHECKING:
    from numpy.typing import NDArray

PARTS: Final = ("brows", "eyes", "nose", "mouth", "cheeks", "elsewhere")
NOSE: Final = (0.5, 0.590)
"""Where FER2013 has the tip of the nose, as a fraction of the crop; ``docs/framing.md``."""


@dataclass(frozen=True)
class Share:
    """How much of a map's positive part lies in one part of the face.

    Attributes
    ----------
    share : float
        0-1; NaN for a dead map.
    area : float
        Share of the pixels that the part covers: what a map that is the same everywhere would give.
    """

    share: float
    area: float


def template() -> NDArray[np.float64]:
    """Return the five points where FER2013 has them, (5, 2), x and y as fractions of the crop."""
    return np.array([*EYES, NOSE, *MOUTH])


def landmarks(face: NDArray[np.uint8]) -> NDArray[np.float64] | None:
    """Return the five points of a crop, (5, 2) as fractions of its side; None where no face is located in it.

    Parameters
    ----------
    face : ndarray of shape (48, 48), uint8
    """
    middle = MARGIN + ENLARGED / 2
    found = look_at(in_surroundings(face), Frame(middle, middle, ENLARGED, 0.0))
    if found is None or found.landmarks is None or found.score < MIN_SCORE:
        return None
    points = (found.landmarks.astype(np.float64) - MARGIN) / ENLARGED
    inside = (points > -0.1).all() and (points < 1.1).all()
    return points if inside and points[1, 0] - points[0, 0] > 0.1 else None  # eyes that coincide place nothing


def masks(points: NDArray[np.float64] | None = None, side: int = SIDE) -> dict[str, NDArray[np.bool_]]:
    """Return which pixels belong to each of :data:`PARTS`, (side, side) bool each; together they are all pixels once.

    Parameters
    ----------
    points : ndarray of shape (5, 2), optional
        As :func:`landmarks` gives them; by default :func:`template`.
    side : int
        Of the crop, px.
    """
    if points is None:
        return dict(_template_masks(side))
    return _masks(points, side)


def shares(values: NDArray[np.float32], parts: dict[str, NDArray[np.bool_]]) -> dict[str, Share]:
    """Return how the positive part of a map is shared among the parts of a face.

    Parameters
    ----------
    values : ndarray of shape (side, side), float32
        A map enlarged to the size of the masks; see :meth:`HeatMap.resized`. Negative values count as none.
    parts : dict
        From :func:`masks`.
    """
    positive = np.maximum(values, 0)
    total = float(positive.sum())
    return {
        name: Share(float(positive[part].sum()) / total if total > 0 else float("nan"), float(part.mean()))
        for name, part in parts.items()
    }


@cache
def _template_masks(side: int) -> dict[str, NDArray[np.bool_]]:
    found = _masks(template(), side)
    for part in found.values():
        part.flags.writeable = False  # one copy for all callers
    return found


def _masks(points: NDArray[np.float64], side: int) -> dict[str, NDArray[np.bool_]]:
    left_eye, right_eye, nose, left_mouth, right_mouth = points * side
    between = (left_eye + right_eye) / 2
    lips = (left_mouth + right_mouth) / 2
    across = right_eye - left_eye
    unit = float(np.hypot(*across)) or 1.0
    across = across / unit
    down = np.array([-across[1], across[0]])
    rows, columns = np.mgrid[0:side, 0:side]
    pixels = np.stack([columns, rows], axis=-1) + 0.5

    def ellipse(middle: NDArray[np.float64], half_width: float, half_height: float) -> NDArray[np.bool_]:
        """Return an ellipse that leans as the eyes do; half axes in distances of the eyes."""
        offset = (pixels - middle) / unit
        inside: NDArray[np.bool_] = (offset @ across / half_width) ** 2 + (offset @ down / half_height) ** 2 <= 1
        return inside

    eye_line = ((pixels - between) / unit) @ down
    bridge = between + 0.55 * (nose - between)
    length = float(np.hypot(*(nose - between))) / unit
    mouth_width = float(np.hypot(*(right_mouth - left_mouth))) / unit
    brows = np.zeros((side, side), bool)
    eyes = np.zeros((side, side), bool)
    cheeks = np.zeros((side, side), bool)
    for eye, corner in ((left_eye, left_mouth), (right_eye, right_mouth)):
        eyes |= ellipse(eye, 0.36, 0.20)
        brows |= ellipse(eye - 0.38 * unit * down, 0.46, 0.20)
        outward = (eye - between) / unit * 0.35
        cheeks |= ellipse((eye + corner) / 2 + outward * unit + 0.05 * unit * down, 0.36, 0.40)
    taken = np.zeros((side, side), bool)
    found: dict[str, NDArray[np.bool_]] = {}
    # Who comes first keeps a pixel that two claim.
    for name, claimed in (
        ("eyes", eyes),
        ("mouth", ellipse(lips, max(0.3, mouth_width * 0.72), 0.30)),
        ("nose", ellipse(bridge + 0.12 * unit * down, 0.26, max(0.25, length * 0.62))),
        ("brows", brows & (eye_line < 0)),
        ("cheeks", cheeks & (eye_line > 0)),
    ):
        found[name] = claimed & ~taken
        taken |= claimed
    found["elsewhere"] = ~taken
    return {name: found[name] for name in PARTS}
