"""Pictures and charts of heat maps show what the numbers say, and nothing where they say nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest

from fer_core import figures_explain as figures
from fer_core.explain.faithfulness import Curves
from fer_core.explain.heatmap import HeatMap


def heat_of(values: object, *, signed: bool = False) -> HeatMap:
    return HeatMap(np.array(values, np.float32), "by hand", signed=signed)


@pytest.fixture
def face() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)


def plain(face: np.ndarray, side: int = figures.SIDE) -> np.ndarray:
    return figures.overlay(face, heat_of(np.zeros((6, 6))), side=side)


# Pictures


def test_a_signed_map_is_blue_against_white_at_zero_and_red_for():
    shown = figures.colours(np.array([[-1, 0, 1]], np.float32), signed=True)
    assert shown.dtype == np.uint8
    assert shown.tolist() == [[[33, 102, 172], [247, 247, 247], [178, 24, 43]]]
    between = figures.colours(np.array([[-0.25, 0.75]], np.float32), signed=True)
    # halfway between two anchors; a half is rounded to the even number
    assert between.tolist() == [[[196, 222, 234], [211, 94, 86]]]
    beyond = figures.colours(np.array([[-3, 3]], np.float32), signed=True)
    assert beyond.tolist() == [[[33, 102, 172], [178, 24, 43]]]


def test_evidence_runs_from_dark_to_bright():
    shown = figures.colours(np.linspace(0, 1, 20, dtype=np.float32)[np.newaxis], signed=False)
    luminance = shown.astype(float) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luminance) > 0).all()
    assert shown[0, 0].max() < 20
    assert luminance[0, -1] > 200
    assert shown[0, 10, 0] > shown[0, 10, 2], "red before blue: the channels are not swapped"


def test_a_dead_map_leaves_the_face_alone(face):
    for values in (np.zeros((6, 6)), np.full((6, 6), np.nan)):
        shown = figures.overlay(face, heat_of(values), strength=1)
        assert (shown == shown[..., :1]).all(), "no colour"
        assert shown.shape == (figures.SIDE, figures.SIDE, 3)
    np.testing.assert_array_equal(figures.overlay(face, heat_of(np.zeros((6, 6))), side=48)[..., 0], face)


def test_without_strength_the_face_is_shown_alone(face):
    heat = heat_of(np.arange(36.0).reshape(6, 6))
    np.testing.assert_array_equal(figures.overlay(face, heat, strength=0), plain(face))
    assert (figures.overlay(face, heat, strength=0.5) != plain(face)).mean() > 0.5


def test_where_evidence_is_least_the_face_stays_and_where_it_is_most_it_is_covered(face):
    values = np.full((48, 48), 2.0)
    values[10, 20] = 4
    shown = figures.overlay(face, heat_of(values), strength=1, side=48)
    changed = (shown != plain(face, 48)).any(axis=-1)
    assert np.argwhere(changed).tolist() == [[10, 20]]
    brightest = figures.colours(np.ones((1, 1), np.float32), signed=False)[0, 0]
    assert shown[10, 20].tolist() == brightest.tolist()
    half = figures.overlay(face, heat_of(values), strength=0.5, side=48)[10, 20]
    np.testing.assert_allclose(half, (face[10, 20] + brightest.astype(float)) / 2, atol=0.51)


def test_a_signed_map_is_clear_around_zero_and_coloured_both_ways(face):
    values = np.zeros((48, 48))
    values[10, 20], values[30, 40] = 3, -3
    shown = figures.overlay(face, heat_of(values, signed=True), strength=1, side=48)
    changed = (shown != plain(face, 48)).any(axis=-1)
    assert np.argwhere(changed).tolist() == [[10, 20], [30, 40]]
    assert shown[10, 20].tolist() == [178, 24, 43]
    assert shown[30, 40].tolist() == [33, 102, 172]


def test_a_raw_map_is_one_square_a_cell():
    shown = figures.raw(heat_of([[0, 1], [0.5, 0]]), side=8)
    assert shown.shape == (8, 8, 3)
    cells = shown.reshape(2, 4, 2, 4, 3).transpose(0, 2, 1, 3, 4).reshape(2, 2, 16, 3)
    assert (cells == cells[:, :, :1]).all()
    expected = figures.colours(np.array([[0, 1], [0.5, 0]], np.float32), signed=False)
    np.testing.assert_array_equal(cells[:, :, 0], expected)
    signed = figures.raw(heat_of([[-2, 2]], signed=True), side=2)
    assert signed[0].tolist() == [[33, 102, 172], [178, 24, 43]]


def test_a_dead_raw_map_is_grey():
    assert (figures.raw(heat_of(np.zeros((3, 3))), side=6) == 128).all()


# Charts

FRACTION = np.array([0, 0.5, 1])
FOUND = Curves(
    FRACTION,
    deletion=np.array([0.9, 0.3, 0.1]),
    insertion=np.array([0.1, 0.8, 0.9]),
    random_deletion=np.array([[0.9, 0.5, 0.1], [0.9, 0.7, 0.1]]),
    random_insertion=np.array([[0.1, 0.2, 0.9], [0.1, 0.4, 0.9]]),
)


def test_curves_of_a_face_stand_beside_the_mean_of_the_random_ones():
    shown = figures.curves_of(FOUND)
    np.testing.assert_allclose(shown["random_deletion"], [0.9, 0.6, 0.1])
    np.testing.assert_allclose(shown["random_insertion"], [0.1, 0.3, 0.9])
    np.testing.assert_array_equal(shown["deletion"], FOUND.deletion)


@pytest.mark.parametrize("dark", [False, True])
def test_the_chart_of_curves_holds_the_numbers_given(dark):
    charts = figures.curves_charts(figures.curves_of(FOUND), FRACTION, dark=dark)
    assert list(charts) == ["Taken away, strongest first", "Brought back, strongest first"]
    taken, back = ({(r["order"], r["share"]): r["score"] for r in records} for _, records in charts.values())
    assert len(taken) == len(back) == 6
    assert taken["by the map", 0.5] == 0.3
    assert taken["at random", 0.5] == pytest.approx(0.6)
    assert back["by the map", 0.5] == 0.8
    assert back["at random", 0.5] == pytest.approx(0.3)
    assert back["by the map", 1.0] == 0.9
    json.dumps(charts, allow_nan=False)
    assert all(spec["encoding"]["y"]["scale"]["domain"] == [0, 1] for spec, _ in charts.values())
    assert all("width" not in spec for spec, _ in charts.values()), "a fixed width does not fit every window"


def test_a_chart_for_a_dark_page_has_colours_of_its_own():
    ranges = [
        spec["encoding"]["color"]["scale"]["range"]
        for dark in (False, True)
        for spec, _ in figures.curves_charts(figures.curves_of(FOUND), FRACTION, dark=dark).values()
    ]
    assert ranges[0] == ranges[1] != ranges[2] == ranges[3]
    assert figures.parts_spec(["happy"], dark=True) != figures.parts_spec(["happy"])
    assert figures.ledger_spec(dark=True) != figures.ledger_spec()


def fields_of(spec: object) -> set[str]:
    """Return every field that a chart reads from its records."""
    if isinstance(spec, dict):
        own = {spec["field"]} if isinstance(spec.get("field"), str) else set()
        return own.union(*(fields_of(value) for value in spec.values()))
    return set().union(*(fields_of(value) for value in spec)) if isinstance(spec, list) else set()


def test_charts_read_the_fields_that_their_docstrings_name():
    assert fields_of(figures.parts_spec(["happy", "sad"])) == {"part", "map", "share", "area", "low", "high"}
    assert fields_of(figures.ledger_spec()) == {"title", "share", "low", "high", "text", "kind"}


def test_bars_of_parts_name_their_maps_only_where_there_are_several():
    both = figures.parts_spec(["happy", "sad"])["layer"][0]["encoding"]["color"]
    assert both["scale"]["domain"] == ["happy", "sad"]
    assert len(both["scale"]["range"]) == 2
    assert both["legend"] is not None
    one = figures.parts_spec(["happy", "happy"])["layer"][0]["encoding"]["color"]
    assert (one["scale"]["domain"], len(one["scale"]["range"]), one["legend"]) == (["happy"], 1, None)
