"""The seven classes of FER2013: their one order, their names for a reader, and one colour each.

The order is that of the folders of the Kaggle archive (alphabetical). Every probability vector, confusion matrix and
model output of this project uses it. The original ``fer2013.csv`` numbers its classes differently, see
:data:`CSV_ORDER`.
"""

from __future__ import annotations

from typing import Final

EMOTIONS: Final = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
"""Class names in model order: column ``k`` of a probability array belongs to ``EMOTIONS[k]``."""

N_CLASSES: Final = len(EMOTIONS)

CSV_ORDER: Final = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""Meaning of the integers 0-6 in the column ``emotion`` of the original ``fer2013.csv``."""

COLORS: Final = {
    "angry": "#D55E00",
    "disgust": "#009E73",
    "fear": "#B25AA0",
    "happy": "#E69F00",
    "neutral": "#8A8F98",
    "sad": "#2F7FC1",
    "surprise": "#56B4E9",
}
"""One colour a class, used in every chart: the palette of Okabe and Ito (2008), told apart by colour-blind readers.

Purple and blue are a little lighter than the originals, so that they also read on a dark background.
"""


def display_name(emotion: str) -> str:
    """Return the class name as shown to a reader, for example ``"Disgust"``.

    Raises
    ------
    ValueError
        If `emotion` is not one of :data:`EMOTIONS`.
    """
    index_of(emotion)
    return emotion.capitalize()


def index_of(emotion: str) -> int:
    """Return the column of a class in probability arrays.

    Raises
    ------
    ValueError
        If `emotion` is not one of :data:`EMOTIONS`.
    """
    try:
        return EMOTIONS.index(emotion)
    except ValueError:
        raise ValueError(f"{emotion!r} is not one of the seven classes: {', '.join(EMOTIONS)}.") from None
