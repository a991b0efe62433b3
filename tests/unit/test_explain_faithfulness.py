"""Whether a heat map can be trusted: every measurement on a case whose answer is known beforehand."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from fer_core.classifier import load_classifier
from fer_core.explain import cam, faithfulness
from fer_core.explain.faithfulness import Curves, Evidence, correlation, curves, score, stability, verdict
from fer_core.explain.head import Head
from fer_core.explain.heatmap import HeatMap, direction
from fer_core.labels import index_of
from tests.text import plain
from tests.toy import half_faces, make_toy_model, toy_head

HAPPY, HAPPY_NOT_SAD = direction("happy"), direction("happy", "sad")
SQUARE = (slice(8, 24), slice(24, 40))
"""Of four blocks: rows 1-2, columns 3-4 of six."""


def heat_of(values: object) -> HeatMap:
    return HeatMap(np.array(values, np.float32), "by hand")


def square_face() -> np.ndarray:
    face = np.zeros((48, 48), np.uint8)
    face[SQUARE] = 255
    return face


def marked(inside: float, outside: float) -> HeatMap:
    values = np.full((6, 6), outside)
    values[1:3, 3:5] = inside
    return heat_of(values)


def sees_square(faces: np.ndarray) -> np.ndarray:
    """Score happy by the mean brightness of the square, the rest to neutral."""
    proba = np.zeros((len(faces), 7), np.float32)
    proba[:, index_of("happy")] = faces[:, SQUARE[0], SQUARE[1]].mean(axis=(1, 2)) / 255
    proba[:, index_of("neutral")] = 1 - proba[:, index_of("happy")]
    return proba


def sees_nothing(faces: np.ndarray) -> np.ndarray:
    return np.full((len(faces), 7), 1 / 7, np.float32)


# Curves


def test_a_map_that_marks_what_counts_beats_nearly_every_random_order():
    found = curves(square_face(), marked(1, 0), HAPPY, sees_square)
    assert found.beats >= 0.97
    assert found.deletion_area < found.random_areas[0] - 0.1
    assert found.insertion_area > found.random_areas[1] + 0.1


def test_a_map_that_marks_everything_else_beats_nearly_none():
    found = curves(square_face(), marked(0, 1), HAPPY, sees_square)
    assert found.beats <= 0.03
    assert found.deletion_area > found.random_areas[0]


def test_where_nothing_counts_a_map_is_as_good_as_chance():
    assert curves(square_face(), marked(1, 0), HAPPY, sees_nothing).beats == 0.5


def test_curves_start_and_end_with_the_face_and_the_blurred_face():
    asked: list[np.ndarray] = []

    def predict(faces: np.ndarray) -> np.ndarray:
        asked.append(faces)
        return sees_square(faces)

    face = square_face()
    found = curves(face, marked(1, 0), HAPPY, predict, orders=4)
    assert found.fraction.tolist() == pytest.approx([k / 12 for k in range(13)])
    assert found.deletion.shape == found.insertion.shape == (13,)
    assert found.random_deletion.shape == found.random_insertion.shape == (4, 13)
    whole, gone = 1.0, found.deletion[-1]
    assert 0.2 < gone < 0.8, "blurred, the square is still a little brighter"
    for deletion, insertion in zip(
        [found.deletion, *found.random_deletion], [found.insertion, *found.random_insertion], strict=True
    ):
        assert (deletion[0], deletion[-1]) == pytest.approx((whole, gone))
        assert (insertion[0], insertion[-1]) == pytest.approx((gone, whole))
    assert sum(map(len, asked)) == 5 * 11 * 2 + 2
    # three of the square's four blocks go first, and that is what is pictured
    one = asked[0][0]
    changed = (one != face).reshape(6, 8, 6, 8).any(axis=(1, 3))
    assert np.argwhere(changed).tolist() == [[1, 3], [1, 4], [2, 3]]


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (48, 48), dtype=np.uint8)


def sees_first_block(face: np.ndarray, there: float, gone: float):
    """Return a model that scores happy by whether the first block is as in this face."""

    def predict(faces: np.ndarray) -> np.ndarray:
        same = (faces[:, :8, :8] == face[:8, :8]).all(axis=(1, 2))
        proba = np.full((len(faces), 7), 0.01, np.float32)
        proba[:, index_of("happy")] = np.where(same, there, gone)
        return proba

    return predict


@pytest.mark.parametrize(
    ("first_block", "deletion", "insertion"),
    [
        # one of twelve steps is a slope from 0.8 to 0.2, the others are flat
        (1.0, (0.5 + 11 * 0.2) / 12, (0.5 + 11 * 0.8) / 12),
        (-1.0, (0.5 + 11 * 0.8) / 12, (0.5 + 11 * 0.2) / 12),
    ],
)
def test_areas_are_those_of_paper_and_pencil(noise, first_block, deletion, insertion):
    values = np.zeros((6, 6))
    values[0, 0] = first_block
    found = curves(noise, heat_of(values), HAPPY, sees_first_block(noise, 0.8, 0.2))
    assert found.deletion_area == pytest.approx(deletion, abs=1e-6)
    assert found.insertion_area == pytest.approx(insertion, abs=1e-6)
    # a random order loses the block at some step; its two areas lie as far from the middle
    assert sum(found.random_areas) == pytest.approx(1.0, abs=1e-6)


def test_random_orders_are_beaten_by_area_and_ties_count_half():
    fraction = np.array([0.0, 0.5, 1.0])
    own_down, own_up = np.array([1.0, 0.4, 0.0]), np.array([0.0, 0.6, 1.0])
    lines = [[1, 0.5, 0], [1, 0.4, 0], [1, 0.3, 0], [1, 0.9, 0]]
    rising = [[0, 0.5, 1], [0, 0.6, 1], [0, 0.1, 1], [0, 0.2, 1]]
    found = Curves(fraction, own_down, own_up, np.array(lines, float), np.array(rising, float))
    assert found.deletion_area == pytest.approx(0.45)
    assert found.insertion_area == pytest.approx(0.55)
    assert found.random_areas == pytest.approx((0.5125, 0.425))
    # of deletion two are worse and one is equal, of insertion three and one
    assert found.beats == pytest.approx((2.5 / 4 + 3.5 / 4) / 2)


def test_the_same_seed_gives_the_same_orders_and_another_seed_others(noise):
    ask = lambda seed: curves(noise, marked(1, 0), HAPPY, sees_square, seed=seed).random_deletion  # noqa: E731
    np.testing.assert_array_equal(ask(1), ask(1))
    assert not np.array_equal(ask(1), ask(2))


def test_a_coarse_map_orders_blocks_by_its_enlarged_values():
    coarse = heat_of([[0, 0, 0], [0, 0, 0], [0, 0, 9]])
    asked: list[np.ndarray] = []

    def predict(faces: np.ndarray) -> np.ndarray:
        asked.append(faces)
        return sees_nothing(faces)

    face = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
    curves(face, coarse, HAPPY, predict, orders=1)
    changed = (asked[0][0] != face).reshape(6, 8, 6, 8).any(axis=(1, 3))
    assert np.argwhere(changed).tolist() == [[4, 5], [5, 4], [5, 5]]


def test_the_score_of_a_contrast_is_the_share_of_the_first_class_in_both():
    proba = np.zeros((3, 7), np.float32)
    proba[:, index_of("happy")], proba[:, index_of("sad")] = (0.6, 0.0, 0.0), (0.2, 0.0, 0.5)
    np.testing.assert_allclose(score(proba, HAPPY), [0.6, 0, 0])
    np.testing.assert_allclose(score(proba, HAPPY_NOT_SAD), [0.75, 0.5, 0])
    np.testing.assert_allclose(score(proba, direction("sad", "happy")), [0.25, 0.5, 1])


# Stability


def blocks(faces: np.ndarray) -> list[HeatMap]:
    """Explain by the mean of each block: moves with the face."""
    return [heat_of(face.reshape(6, 8, 6, 8).mean(axis=(1, 3))) for face in faces.astype(float)]


def test_a_map_that_turns_with_the_face_is_stable_in_the_mirror(noise):
    mirror, shift = stability(noise, blocks(noise[np.newaxis])[0], blocks)
    assert mirror == pytest.approx(1)
    assert 0.5 < shift < 1


def test_a_face_that_is_the_same_when_moved_and_mirrored_has_a_perfectly_stable_map():
    face = np.tile(np.r_[np.arange(24), np.arange(24)[::-1]] * 10, (48, 1)).astype(np.uint8)
    flat = lambda faces: [heat_of(each[::8, ::8]) for each in np.repeat(face[None], len(faces), axis=0)]  # noqa: E731
    _, shift = stability(face, flat(face[None])[0], flat)
    mirror, _ = stability(face, blocks(face[None])[0], blocks)
    assert (mirror, shift) == pytest.approx((1, 1))


def test_a_map_that_ignores_the_face_does_not_turn_with_it(noise):
    fixed = heat_of(np.tile(np.arange(6), (6, 1)))
    mirror, shift = stability(noise, fixed, lambda faces: [fixed] * len(faces))
    assert (mirror, shift) == pytest.approx((-1, 1))


def test_a_map_of_single_pixels_does_not_survive_a_shift():
    face = np.tile(np.arange(48) % 2 * 255, (48, 1)).astype(np.uint8)
    face[:, 24:] = 255 - face[:, 24:]
    pixels = lambda faces: [heat_of(each[4::8, 4::8]) for each in faces]  # noqa: E731
    _, shift = stability(face, pixels(face[None])[0], pixels)
    assert shift == pytest.approx(0)  # 1 up and down, -1 left and right


def test_the_face_is_moved_by_one_pixel_each_way_and_its_edge_repeated(noise):
    given: list[np.ndarray] = []

    def explain(faces: np.ndarray) -> list[HeatMap]:
        given.extend(faces)
        return blocks(faces)

    stability(noise, blocks(noise[None])[0], explain)
    mirrored, *moved = given
    np.testing.assert_array_equal(mirrored, noise[:, ::-1])
    expected = {
        np.hstack([noise[:, 1:], noise[:, -1:]]).tobytes(),
        np.hstack([noise[:, :1], noise[:, :-1]]).tobytes(),
        np.vstack([noise[1:], noise[-1:]]).tobytes(),
        np.vstack([noise[:1], noise[:-1]]).tobytes(),
    }
    assert {face.tobytes() for face in moved} == expected


# Random weights


def control_of(head: Head, maps: np.ndarray, asked: np.ndarray = HAPPY, *, signed: bool = False) -> float:
    explainer = cam.Explainer(SimpleNamespace(card=SimpleNamespace(cam_layers=())), head)
    return faithfulness.control(explainer, maps, asked, explainer.heat_map(maps, asked, signed=signed))


@pytest.fixture
def one_alive() -> np.ndarray:
    """Feature maps (6, 6, 32) of which all but one are zero everywhere: there is one map only, whatever the weights."""
    maps = np.zeros((6, 6, 32), np.float32)
    maps[..., 5] = np.random.default_rng(3).random((6, 6))
    return maps


def kernel(rows: int, seed: int = 4) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=(rows, 7)).astype(np.float32)
    drawn[:, index_of("happy")] = np.abs(drawn[:, index_of("happy")])
    return drawn


def test_a_map_that_is_the_same_for_all_weights_is_not_to_be_trusted(one_alive):
    for signed in (False, True):
        found = control_of(toy_head(kernel(32)), one_alive, signed=signed)
        assert found == pytest.approx(1, abs=1e-5)
    judged = verdict(Evidence(False, (6, 6), beats=1.0, mirror=1.0, shift=1.0, control=found))
    assert judged.level == "do not trust"
    assert "correlation 1.00" in judged.reasons[0]
    assert "shows the picture, not the network" in judged.reasons[0]


def test_a_head_of_one_channel_has_one_map_whatever_its_weights():
    maps = np.random.default_rng(3).random((6, 6, 1)).astype(np.float32)
    assert control_of(toy_head(kernel(1)), maps) == pytest.approx(1, abs=1e-5)


def test_a_map_that_follows_its_weights_passes_the_control():
    maps = np.eye(36, dtype=np.float32).reshape(6, 6, 36)  # one channel a cell: the map is what the weights say
    weights = np.random.default_rng(0).normal(0, 0.1, (36, 7)).astype(np.float32)
    weights[7, index_of("happy")] = 3
    found = control_of(toy_head(weights), maps)
    assert found < 0.35
    assert "It depends on what was learnt" in "".join(verdict(Evidence(False, (6, 6), control=found)).reasons)


def test_redrawn_maps_that_speak_against_are_compared_with_their_sign_turned():
    own = np.array([[0, 1], [2, 3]], np.float32)
    assert faithfulness.likeness(own, own) == pytest.approx(1)
    assert faithfulness.likeness(own, -own) == pytest.approx(1)
    assert faithfulness.likeness(own, own * 0) == 0
    # what speaks for the direction is compared, if anything does
    assert faithfulness.likeness(own, np.array([[1, -9], [0, 0]], np.float32)) == pytest.approx(
        abs(correlation(own, np.array([[1, 0], [0, 0]])))
    )
    signed = np.array([[-1, 1], [2, -3]], np.float32)
    assert faithfulness.likeness(signed, -signed, signed=True) == pytest.approx(1)


def test_correlation_of_maps():
    ramp = np.arange(6.0).reshape(2, 3)
    assert correlation(ramp, 3 * ramp + 1) == pytest.approx(1)
    assert correlation(ramp, -ramp) == pytest.approx(-1)
    assert correlation(ramp, np.ones((2, 3))) == 0
    assert correlation(np.array([[1.0, 2, 3]]), np.array([[1.0, 3, 2]])) == pytest.approx(0.5)


# All of it, on the toy


def test_everything_is_measured_for_a_face_of_the_toy(tmp_path):
    explainer = cam.explainer(load_classifier(make_toy_model(tmp_path)))
    # a bright square in the left half, so that the map is not the same all over it
    face = half_faces((20, 60))[0]
    face[16:32, 8:16] = 255
    maps = explainer.look(face[None]).maps[0]
    measured, found = faithfulness.evidence(explainer, face, maps, HAPPY, explainer.heat_map(maps, HAPPY), orders=10)
    assert (measured.dead, measured.grid) == (False, (6, 6))
    assert measured.beats == found.beats > 0.5
    assert len(found.random_deletion) == 10
    # in the mirror the square is on the right, of which the map for happy shows nothing
    assert measured.mirror < 0.5 < measured.shift
    assert 0 <= measured.control <= 1
    assert verdict(measured).level == "do not trust"
    score_now = explainer.classifier.predict_proba(face[None])[0, index_of("happy")]
    assert found.deletion[0] == pytest.approx(float(score_now), abs=1e-6)


def test_a_map_with_nothing_in_it_is_measured_without_complaint(tmp_path):
    explainer = cam.explainer(load_classifier(make_toy_model(tmp_path)))
    face = half_faces((0, 0))[0]
    maps = explainer.look(face[None]).maps[0]
    measured, _ = faithfulness.evidence(explainer, face, maps, HAPPY, explainer.heat_map(maps, HAPPY))
    assert (measured.dead, measured.beats, measured.mirror, measured.shift, measured.control) == (True, 0.5, 0, 0, 0)
    assert verdict(measured).level == "do not trust"


# Verdicts

GOOD = Evidence(dead=False, grid=(6, 6), beats=0.95, mirror=0.92, shift=0.97, control=0.31)


def test_a_good_map_is_trusted_and_every_number_said():
    judged = verdict(GOOD)
    assert judged.level == "trust"
    assert len(judged.reasons) == 4
    text = plain(" ".join(judged.reasons))
    for number in ("95 % of random orders", "0.92 mirrored and 0.97 moved by a pixel", "correlation 0.31", "6 × 6"):
        assert number in text
    assert all(reason.endswith(".") for reason in judged.reasons)


@pytest.mark.parametrize(
    ("change", "level", "said"),
    [
        ({"beats": 0.9}, "trust", "more than chance: 90 %"),
        ({"beats": 0.89}, "weak", "only somewhat more than chance: 89 %"),
        ({"beats": 0.6}, "weak", "only somewhat more than chance: 60 %"),
        (
            {"beats": 0.59},
            "do not trust",
            "no more than blurring at random: 59 % of random orders beaten (chance: 50 %)",
        ),
        ({"mirror": 0.8}, "trust", "0.80 mirrored"),
        ({"mirror": 0.79}, "weak", "It moves when the face is changed a little: correlation 0.79 mirrored and 0.97"),
        ({"shift": 0.5}, "weak", "0.50 moved by a pixel"),
        ({"shift": 0.49}, "do not trust", "does not survive a small change of the face"),
        ({"control": 0.6}, "trust", "depends on what was learnt: correlation 0.60"),
        ({"control": 0.61}, "weak", "there with random weights, too: correlation 0.61"),
        ({"control": 0.85}, "weak", "correlation 0.85"),
        ({"control": 0.86}, "do not trust", "with random weights (correlation 0.86)"),
        ({"grid": (12, 6)}, "trust", "12 × 6 cells can tell"),
        ({"grid": (5, 12)}, "weak", "5 × 12 cells only"),
        ({"grid": (4, 4)}, "weak", "4 × 4 cells only"),
        ({"grid": (3, 3)}, "do not trust", "3 × 3 cells: too coarse to tell a mouth from a nose"),
    ],
)
def test_the_worst_measurement_decides_and_stands_first(change, level, said):
    judged = verdict(replace(GOOD, **change))
    assert judged.level == level
    assert said in plain(judged.reasons[0] if level != "trust" else " ".join(judged.reasons))


def test_what_was_not_measured_is_neither_said_nor_judged():
    judged = verdict(Evidence(dead=False, grid=(6, 6)))
    assert (judged.level, len(judged.reasons)) == ("trust", 1)
    only = verdict(Evidence(dead=False, grid=(6, 6), shift=0.9))
    assert "correlation 0.90 moved by a pixel." in only.reasons[0]
    assert "mirrored" not in only.reasons[0]


def test_a_dead_map_says_nothing_whatever_else_was_measured():
    judged = verdict(replace(GOOD, dead=True))
    assert judged.level == "do not trust"
    assert len(judged.reasons) == 1
    assert "zero everywhere" in judged.reasons[0]
