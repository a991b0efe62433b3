"""Pictures and charts built from numbers: pure functions, nothing is shown or stored here.

Pillow, OpenCV and Plotly are imported by the functions that need them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from fer_core.labels import COLORS
from fer_core.preprocessing import InputSpec, preprocess

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont, ImageFont

    from fer_core.faces import Face

_INK: Final = "#14171E"
_PAPER: Final = "#FFFFFF"
_PLAIN_BOX: Final = "#FFD166"  # a face without a label: a colour that no class has


def annotate(
    image: NDArray[np.uint8],
    faces: Sequence[Face],
    labels: Sequence[str] | None = None,
    *,
    max_side: int = 1280,
) -> NDArray[np.uint8]:
    """Draw a numbered box around every face on a copy of the photo, downscaled for showing.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB. It is left as it is.
    faces : sequence of Face
        In pixels of `image`; numbered from 1 in this order. A face that is the whole image gets a frame.
    labels : sequence of str, optional
        The label with the highest score of each face: the box takes the colour of that class.
    max_side : int
        Longer side of the result in px; smaller photos are not enlarged.

    Returns
    -------
    ndarray of shape (h, w, 3), uint8
        RGB, ``max(h, w) <= max_side``.

    Raises
    ------
    ValueError
        If there are labels, but not one a face.
    """
    if labels is not None and len(labels) != len(faces):
        raise ValueError(f"There are {len(labels)} labels for {len(faces)} faces.")
    from PIL import Image, ImageDraw

    picture = Image.fromarray(image)
    scale = min(1.0, max_side / max(picture.size))
    if scale < 1.0:
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        picture = picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    draw = ImageDraw.Draw(picture)
    longer = max(picture.size)
    for number, face in enumerate(faces, start=1):
        colour = COLORS[labels[number - 1]] if labels is not None else _PLAIN_BOX
        x, y, width, height = (value * scale for value in face.box)
        # relative to the picture, so that boxes and numbers read the same at any size it is shown in, and never so
        # large that they hide the faces of a group
        stroke = max(1, round(min(longer * 0.005, height * 0.05)))
        edge = max(1, round(stroke * 0.2))
        font = _font(max(1.0, min(longer * 0.034, max(longer * 0.012, height * 0.4))))
        box = _inside((x - stroke, y - stroke, x + width + stroke, y + height + stroke), picture.size, edge)
        radius = stroke * 2
        # a thin dark edge on both sides keeps any colour apart from any background
        draw.rounded_rectangle(_grown(box, edge), radius + edge, outline=_INK, width=stroke + 2 * edge)
        draw.rounded_rectangle(box, radius, outline=colour, width=stroke)
        _draw_number(draw, str(number), box, font, colour, picture.size)
    return np.array(picture, dtype=np.uint8)


def network_input(face: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.uint8]:
    """Return what a network is fed, as a grey picture: the scaling undone, the resizing kept.

    Parameters
    ----------
    face : ndarray of shape (H, W), uint8
        A grey face crop.
    spec : InputSpec
        From the model's card.

    Returns
    -------
    ndarray of shape (spec.height, spec.width), uint8
        The first channel (all are equal) in grey values.
    """
    fed = preprocess(face[np.newaxis], spec)[0, :, :, 0]
    grey = fed * spec.std[0] + spec.mean[0]
    shown: NDArray[np.uint8] = np.clip(np.rint(grey), 0, 255).astype(np.uint8)
    return shown


Box = tuple[float, float, float, float]


def _inside(box: Box, size: tuple[int, int], margin: int) -> Box:
    """Return left, top, right, bottom moved inside the picture, never of negative extent."""
    right, bottom = size[0] - 1 - margin, size[1] - 1 - margin
    left, top = min(max(box[0], margin), right), min(max(box[1], margin), bottom)
    return left, top, max(left, min(box[2], right)), max(top, min(box[3], bottom))


def _grown(box: Box, by: float) -> Box:
    return box[0] - by, box[1] - by, box[2] + by, box[3] + by


def _draw_number(draw, text: str, box: Box, font, colour: str, size: tuple[int, int]) -> None:  # type: ignore[no-untyped-def]
    """Put the number on a tag at the upper left corner of the box, above it where there is room."""
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    height = (bottom - top) * 1.8
    width = max(height, right - left + height * 0.7)
    x = min(max(box[0], 0), max(0, size[0] - width))
    y = box[1] - height if box[1] >= height else box[1]
    draw.rounded_rectangle((x, y, x + width, y + height), height * 0.25, fill=colour, outline=_INK)
    draw.text((x + width / 2, y + height / 2), text, font=font, fill=ink_on(colour), anchor="mm")


def _font(size: float) -> FreeTypeFont | ImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(size)


def ink_on(colour: str) -> str:
    """Return black or white, whichever has the higher contrast on the colour (WCAG 2 relative luminance)."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return _INK if (luminance + 0.05) / 0.05 > 1.05 / (luminance + 0.05) else _PAPER
