"""How far from its cells lies what a map shows is found with mirrored faces, and maps are drawn there."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fer_core.classifier import load_classifier
from fer_core.explain import alignment, keras_vis, side_by_side
from fer_core.explain.faithfulness import stability
from fer_core.explain.head import write_head
from fer_core.explain.heatmap import HeatMap, direction
from fer_core.registry import HEAD_FILE, write_card
from tests.toy import make_toy_model, toy_head

CELLS = 8


class Displaced:
    """Marks how bright each block of a face is, in the cell so many cells above and left of it."""

    def __init__(self, cells: int, *, noise: bool = False, grid: int = CELLS) -> None:
        self.cells, self.noise, self.grid = cells, noise, grid

    def look(self, faces: np.ndarray) -> Any:
        if self.noise:
            maps = np.random.default_rng(faces.sum() % 2**32).random((len(faces), self.grid, self.grid, 1))
        else:
            means = faces.reshape(len(faces), self.grid, 48 // self.grid, self.grid, 48 // self.grid).mean(axis=(2, 4))
            away = np.pad(means, [(0, 0), (0, self.cells), (0, self.cells)], mode="edge")
            maps = away[:, self.cells :, self.cells :, np.newaxis]
        return SimpleNamespace(maps=maps.astype(np.float32), proba=np.eye(7, dtype=np.float32)[[3] * len(faces)])

    def heat_map(self, maps: np.ndarray, wanted: np.ndarray) -> HeatMap:
        return HeatMap(maps[..., 0] * wanted[3], "grad_cam")


@pytest.fixture
def faces() -> np.ndarray:
    """Return 30 faces with a bright spot somewhere."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:48, :48]
    spots = [np.exp(-((rows - r) ** 2 + (columns - c) ** 2) / 60) for r, c in rng.uniform(12, 36, (30, 2))]
    return np.rint(255 * np.array(spots)).astype(np.uint8)


def test_the_offset_of_displaced_maps_is_found(faces):
    found = alignment.measure(Displaced(1), faces)  # type: ignore[arg-type]
    assert found.offset == pytest.approx(1 / CELLS, abs=0.01)
    assert found.after > 0.95 > 0.6 > found.before


@pytest.mark.parametrize(
    "explainer",
    [Displaced(0), Displaced(0, noise=True), Displaced(1, grid=3)],
    ids=["in place", "noise", "displaced, but of too few cells"],
)
def test_maps_that_lie_right_or_anywhere_are_left_alone(faces, explainer):
    found = alignment.measure(explainer, faces)
    assert found.offset == 0
    assert found.before == found.after


def test_dead_maps_say_nothing_of_an_offset(faces):
    assert alignment.measure(Displaced(1), faces * 0) == alignment.Alignment(0, 0, 0)  # type: ignore[arg-type]


def test_a_map_is_drawn_where_what_it_shows_lies():
    values = np.zeros((4, 4), np.float32)
    values[1, 0] = 8
    heat = HeatMap(values, "grad_cam", offset=0.25)
    moved = np.zeros((4, 4))
    moved[2, :2] = 8  # a cell down, a cell right; the left edge is carried on
    np.testing.assert_array_equal(heat.aligned().values, moved)
    np.testing.assert_array_equal(heat.resized(4), moved)
    assert heat.aligned().offset == 0, "it is moved once"
    np.testing.assert_array_equal(heat.opposite().aligned().values, -moved)
    half = HeatMap(values, "grad_cam", offset=0.125).aligned().values
    np.testing.assert_array_equal(half[1:3, :2], [[4, 2], [4, 2]])


def test_stability_compares_maps_where_they_are_drawn(faces):
    explainer = Displaced(1)

    def explain(given: np.ndarray, offset: float) -> list[HeatMap]:
        return [HeatMap(maps[..., 0], "grad_cam", offset=offset) for maps in explainer.look(given).maps]

    as_it_is, aligned = (
        stability(faces[0], explain(faces[:1], offset)[0], lambda each, offset=offset: explain(each, offset))
        for offset in (0.0, 1 / CELLS)
    )
    assert aligned[0] > as_it_is[0] + 0.1
    assert aligned[1] == as_it_is[1]


def test_maps_by_keras_have_the_offset_of_the_last_layer_and_no_other(tmp_path, monkeypatch, faces):
    card = make_toy_model(tmp_path)
    write_head(replace(toy_head(), offset=0.1), card.directory / HEAD_FILE)
    classifier = load_classifier(write_card(card))
    ramp = np.arange(16, dtype=np.float32).reshape(4, 4)
    monkeypatch.setattr(keras_vis, "explain", lambda model, method, x, wanted, layer: HeatMap(ramp, method, layer))
    for layer, offset in ((card.cam_layers[0], 0.1), ("an earlier one", 0), ("", 0)):
        found = side_by_side.by_keras(None, None, classifier, faces[0], direction("happy"), "grad_cam", layer)
        assert found.heat.offset == offset
