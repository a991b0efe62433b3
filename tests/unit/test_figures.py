from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from fer_core import figures
from fer_core.labels import COLORS
from fer_core.preprocessing import InputSpec

GREY = np.full((300, 400, 3), 128, np.uint8)


def face(x: float, y: float, width: float, height: float) -> SimpleNamespace:
    return SimpleNamespace(box=(x, y, width, height))


def rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[start : start + 2], 16) for start in (1, 3, 5))


def count(image: np.ndarray, colour: str) -> int:
    return int((image == rgb(colour)).all(axis=2).sum())


def test_a_box_has_the_colour_of_its_label_and_leaves_the_face_to_be_seen():
    drawn = figures.annotate(GREY, [face(100, 80, 90, 120)], ["happy"])
    assert count(drawn, COLORS["happy"]) > 500
    inside = drawn[90:190, 110:180]
    assert (inside == 128).all()


def test_the_photo_that_is_handed_in_stays_as_it_is():
    photo = GREY.copy()
    figures.annotate(photo, [face(10, 10, 50, 50)], ["sad"])
    assert (photo == 128).all()


def test_boxes_move_with_a_photo_that_is_downscaled():
    drawn = figures.annotate(GREY, [face(200, 150, 100, 100)], ["disgust"], max_side=200)
    assert drawn.shape == (150, 200, 3)
    rows, columns = np.nonzero((drawn == rgb(COLORS["disgust"])).all(axis=2))
    assert columns.min() == pytest.approx(100, abs=3)
    assert columns.max() == pytest.approx(150, abs=3)
    assert rows.max() == pytest.approx(125, abs=3)


def test_a_small_photo_is_not_enlarged():
    assert figures.annotate(GREY, []).shape == GREY.shape


@pytest.mark.parametrize(
    "box", [(0, 0, 400, 300), (-30, -30, 80, 80), (380, 290, 90, 90), (500, 500, 10, 10), (5, 5, 0, 0)]
)
def test_a_box_beyond_the_edge_is_drawn_as_far_as_it_fits(box):
    drawn = figures.annotate(GREY, [face(*box)], ["fear"])
    assert drawn.shape == GREY.shape
    assert count(drawn, COLORS["fear"]) > 0


def test_a_photo_of_one_pixel_row_can_be_drawn_on():
    assert figures.annotate(np.zeros((1, 40, 3), np.uint8), [face(0, 0, 40, 1)], ["sad"]).shape == (1, 40, 3)


def test_labels_must_be_one_a_face():
    with pytest.raises(ValueError, match="2 labels for 1 faces"):
        figures.annotate(GREY, [face(0, 0, 9, 9)], ["sad", "happy"])


@pytest.mark.parametrize(
    "spec",
    [
        InputSpec(48, 48, 1, (0.0,), (255.0,)),
        InputSpec(48, 48, 3, (127.5,) * 3, (127.5,) * 3),
        InputSpec(48, 48, 3, (103.939, 116.779, 123.68), (1.0, 1.0, 1.0)),
    ],
)
def test_the_network_input_is_the_face_itself_whatever_the_scaling(spec):
    crop = np.arange(48 * 48, dtype=np.uint64).reshape(48, 48).astype(np.uint8)
    assert (figures.network_input(crop, spec) == crop).all()


def test_the_network_input_has_the_size_of_the_card():
    spec = InputSpec(96, 64, 3, (127.5,) * 3, (127.5,) * 3)
    fed = figures.network_input(np.full((48, 48), 77, np.uint8), spec)
    assert fed.shape == (96, 64)
    assert (fed == 77).all()
