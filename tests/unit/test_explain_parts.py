"""Heat maps as numbers, covering parts of a face, changing them, and naming them."""

from __future__ import annotations

import numpy as np
import pytest

from fer_core import faces as fer_faces
from fer_core import images, samples
from fer_core.explain import edits, occlusion, regions
from fer_core.explain.edits import Edit
from fer_core.explain.heatmap import HeatMap, direction
from fer_core.explain.regions import PARTS
from fer_core.labels import EMOTIONS, index_of

HAPPY = direction("happy")


def heat_of(values: object, *, signed: bool = False) -> HeatMap:
    return HeatMap(np.array(values, np.float32), "by hand", signed=signed)


# What is asked


def test_a_direction_is_a_class_or_one_less_another():
    assert dict(zip(EMOTIONS, HAPPY.tolist(), strict=True)) == {name: float(name == "happy") for name in EMOTIONS}
    contrast = direction("sad", "fear")
    assert (contrast[index_of("sad")], contrast[index_of("fear")], np.abs(contrast).sum()) == (1, -1, 2)
    assert contrast.dtype == np.float32


@pytest.mark.parametrize(("label", "against"), [("joy", None), ("happy", "joy"), ("happy", "happy")])
def test_a_direction_to_nowhere_is_refused(label, against):
    with pytest.raises(ValueError, match=r"joy|happy"):
        direction(label, against)


# Heat maps


def test_a_map_is_dead_where_nothing_is_above_rounding():
    assert heat_of(np.zeros((3, 3))).dead
    assert heat_of(np.full((3, 3), 1e-9)).dead
    assert heat_of([[0, np.nan], [1, 2]]).dead
    assert heat_of([[0, np.inf], [1, 2]]).dead
    assert not heat_of([[0, 0], [0, 1e-6]]).dead
    assert not heat_of([[0, -1.0]], signed=True).dead
    assert heat_of(np.zeros((2, 5))).grid == (2, 5)


def test_a_map_is_scaled_from_its_least_to_its_most():
    np.testing.assert_allclose(heat_of([[2, 4], [3, 6]]).normalised(), [[0, 0.5], [0.25, 1]])


def test_a_signed_map_is_scaled_around_zero():
    np.testing.assert_allclose(heat_of([[-4, 2], [0, 1]], signed=True).normalised(), [[-1, 0.5], [0, 0.25]])


def test_a_map_that_is_the_same_everywhere_is_full_and_a_dead_one_is_empty():
    assert (heat_of(np.full((2, 2), 0.3)).normalised() == 1).all()
    for values in (np.zeros((2, 2)), [[np.nan, 1], [1, 1]]):
        assert (heat_of(values).normalised() == 0).all()


def test_a_map_is_enlarged_smoothly_and_reduced_by_means_in_its_own_units():
    large = heat_of([[0, 8], [0, 8]]).resized(8)
    assert large.shape == (8, 8)
    assert large.dtype == np.float32
    assert (large[:, 0].max(), large[:, 7].min()) == (0, 8)
    assert (np.diff(large, axis=1) >= 0).all()
    np.testing.assert_allclose(large[0, 3:5], [3, 5])
    values = np.arange(16.0).reshape(4, 4)
    np.testing.assert_allclose(heat_of(values).resized(2), [[2.5, 4.5], [10.5, 12.5]])
    np.testing.assert_array_equal(heat_of(values).resized(4), values)


# Occlusion

SQUARE = (slice(26, 34), slice(12, 20))


def square_face(square: tuple[slice, slice] = SQUARE) -> np.ndarray:
    face = np.full((48, 48), 30, np.uint8)
    face[square] = 255
    return face


def sees(square: tuple[slice, slice]):
    """Return a model that scores happy by the mean brightness of a square, the rest to neutral."""

    def predict(faces: np.ndarray) -> np.ndarray:
        proba = np.full((len(faces), 7), 0.01, np.float32)
        bright = 0.05 + 0.85 * faces[:, square[0], square[1]].mean(axis=(1, 2)) / 255
        proba[:, index_of("happy")], proba[:, index_of("neutral")] = bright, 0.95 - bright
        return proba

    return predict


def middle_of(values: np.ndarray) -> tuple[float, float]:
    """Return the centre of gravity of the positive part, px."""
    positive = np.maximum(values, 0)
    rows, columns = np.indices(values.shape)
    return float((positive * rows).sum() / positive.sum()), float((positive * columns).sum() / positive.sum())


def test_covering_finds_the_square_that_drives_the_score():
    heat = occlusion.explain(square_face(), HAPPY, sees(SQUARE))
    assert (heat.method, heat.layer, heat.signed, heat.values.dtype) == ("occlusion", "", True, np.float32)
    large = heat.resized(48)
    assert middle_of(large) == pytest.approx((29.5, 15.5), abs=0.5)
    assert large[SQUARE].min() > 0.4 * large.max()
    assert np.abs(large[:12]).max() < 1e-6  # a patch of 12 px there does not reach the square
    assert np.abs(large[:, 36:]).max() < 1e-6


@pytest.mark.parametrize("start", [10, 20, 32])
def test_an_enlarged_map_lies_on_the_face(start):
    square = (slice(start, start + 6), slice(42 - start, 48 - start))
    large = occlusion.explain(square_face(square), HAPPY, sees(square)).resized(48)
    assert middle_of(large) == pytest.approx((start + 2.5, 44.5 - start), abs=0.7)


def test_the_fall_of_the_log_score_is_what_is_shown():
    face = square_face()
    before = np.log(0.05 + 0.85)
    covered = np.log(0.05 + 0.85 * round(float(face.mean())) / 255)
    # the smallest blur spreads it over neighbours that cover the square whole, too
    wide = occlusion.explain(face, HAPPY, sees(SQUARE), patch=24, stride=4)
    assert wide.values.max() == pytest.approx(before - covered, rel=1e-4)


def test_what_speaks_against_a_class_is_negative():
    heat = occlusion.explain(square_face(), direction("neutral"), sees(SQUARE))
    assert heat.values.min() < -0.5
    assert heat.values.max() < 1e-6
    contrast = occlusion.explain(square_face(), direction("happy", "neutral"), sees(SQUARE))
    assert contrast.values.max() > 0.5
    np.testing.assert_allclose(
        contrast.values, occlusion.explain(square_face(), HAPPY, sees(SQUARE)).values - heat.values, atol=1e-5
    )


@pytest.mark.parametrize(
    "square",
    [(slice(0, 3), slice(0, 3)), (slice(45, 48), slice(45, 48)), (slice(0, 3), slice(45, 48))],
    ids=["top left", "bottom right", "top right"],
)
def test_corners_are_covered_like_the_rest(square):
    heat = occlusion.explain(square_face(square), HAPPY, sees(square))
    row, column = np.unravel_index(heat.values.argmax(), heat.values.shape)
    assert row in (0, 1) if square[0].start == 0 else row >= heat.grid[0] - 2
    assert column in (0, 1) if square[1].start == 0 else column >= heat.grid[1] - 2


def test_the_mirror_image_has_the_mirrored_map():
    noise = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
    seen = sees(SQUARE)
    plain = occlusion.explain(noise, HAPPY, seen)
    mirrored = occlusion.explain(noise[:, ::-1].copy(), HAPPY, lambda faces: seen(faces[:, :, ::-1]))
    np.testing.assert_allclose(mirrored.values, plain.values[:, ::-1], atol=1e-5)


def test_the_face_itself_is_left_alone():
    face = square_face()
    before = face.copy()
    occlusion.explain(face, HAPPY, sees(SQUARE))
    np.testing.assert_array_equal(face, before)


# What-if

FACE = np.array([[10, 20, 30, 40], [50, 60, 70, 80], [90, 100, 110, 120], [130, 140, 150, 160]], np.uint8)
MIDDLE = np.zeros((4, 4), bool)
MIDDLE[1:3, 1:3] = True


def test_cover_paints_the_part_with_the_mean_of_the_face():
    changed = edits.apply(FACE, MIDDLE, Edit(cover=True, brightness=50, mirror=True))
    assert changed.tolist() == [[10, 20, 30, 40], [50, 85, 85, 80], [90, 85, 85, 120], [130, 140, 150, 160]]


def test_brightness_adds_and_stays_within_grey_values():
    assert edits.apply(FACE, MIDDLE, Edit(brightness=20))[1:3, 1:3].tolist() == [[80, 90], [120, 130]]
    whole = np.ones((4, 4), bool)
    assert edits.apply(FACE, whole, Edit(brightness=100)).tolist()[3] == [230, 240, 250, 255]
    assert edits.apply(FACE, whole, Edit(brightness=-100)).tolist()[:3] == [[0] * 4, [0] * 4, [0, 0, 10, 20]]


def test_mirror_swaps_left_and_right_about_the_middle_of_the_part():
    assert edits.apply(FACE, MIDDLE, Edit(mirror=True))[1:3, 1:3].tolist() == [[70, 60], [110, 100]]
    three = np.zeros((4, 4), bool)
    three[0, 1:] = True
    assert edits.apply(FACE, three, Edit(mirror=True))[0].tolist() == [10, 40, 30, 20]


def test_turn_is_clockwise_about_the_middle_of_the_part():
    face = np.zeros((49, 49), np.uint8)
    face[4:25, 23:26] = 200  # a hand from the middle straight up
    turned = edits.apply(face, np.ones((49, 49), bool), Edit(turn=45))
    assert turned[24 - 10, 24 + 10] > 150, "it points to the upper right"
    assert turned[24 - 10, 24 - 10] == 0
    back = edits.apply(face, np.ones((49, 49), bool), Edit(turn=-45))
    np.testing.assert_array_equal(back, turned[:, ::-1])


def test_blur_spreads_what_is_around_into_the_part_and_no_further():
    face = np.zeros((9, 9), np.uint8)
    face[4, 4] = 250
    part = np.zeros((9, 9), bool)
    part[4, 4:6] = True
    changed = edits.apply(face, part, Edit(blur=1.0))
    assert 30 < changed[4, 4] < 50  # 1 / (2 pi) of 250
    assert 0 < changed[4, 5] < changed[4, 4]
    assert changed[4, 3] == 0


ALL = [
    Edit(cover=True),
    Edit(blur=2.0),
    Edit(brightness=-30),
    Edit(turn=20),
    Edit(mirror=True),
    Edit(True, 1, 5, 9, True),
]


@pytest.mark.parametrize("edit", [*ALL, Edit(blur=3, brightness=40, turn=-45, mirror=True)], ids=str)
def test_nothing_outside_the_part_changes_and_the_face_given_stays(edit):
    noise = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
    before = noise.copy()
    part = regions.masks()["mouth"]
    changed = edits.apply(noise, part, edit)
    assert changed.dtype == np.uint8
    np.testing.assert_array_equal(changed[~part], noise[~part])
    assert (changed[part] != noise[part]).mean() > 0.5
    np.testing.assert_array_equal(noise, before)


@pytest.mark.parametrize("edit", [Edit(), *ALL], ids=str)
def test_no_edit_and_an_empty_part_change_nothing(edit):
    noise = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
    same = edits.apply(noise, np.zeros((48, 48), bool), edit)
    np.testing.assert_array_equal(same, noise)
    assert same is not noise
    if not edit.changes:
        np.testing.assert_array_equal(edits.apply(noise, np.ones((48, 48), bool), edit), noise)


def test_a_part_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"\(3, 4\)"):
        edits.apply(FACE, np.ones((3, 4), bool), Edit(cover=True))


# Parts


def turned(points: np.ndarray, degrees: float) -> np.ndarray:
    """Return points turned clockwise about the middle of the crop."""
    angle = np.deg2rad(degrees)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (points - 0.5) @ matrix.T + 0.5


POINTS = {
    "template": None,
    "leaning": turned(regions.template(), 20),
    "on its side": turned(regions.template(), 90),
    "small": 0.5 + (regions.template() - 0.5) * 0.4,
    "beyond the edge": regions.template() + 0.4,
    "all in one place": np.full((5, 2), 0.5),
}


@pytest.mark.parametrize("points", POINTS.values(), ids=POINTS.keys())
@pytest.mark.parametrize("side", [48, 96])
def test_every_pixel_belongs_to_exactly_one_part(points, side):
    masks = regions.masks(points, side)
    assert tuple(masks) == PARTS
    total = np.sum([mask.astype(int) for mask in masks.values()], axis=0)
    assert total.shape == (side, side)
    assert (total == 1).all()


@pytest.mark.parametrize("name", ["template", "leaning", "on its side"])
def test_parts_lie_where_the_points_are(name):
    points = regions.template() if POINTS[name] is None else POINTS[name]
    masks = regions.masks(POINTS[name], 96)

    def part_at(point: np.ndarray) -> str:
        column, row = np.floor(point * 96).astype(int)
        return next(part for part, mask in masks.items() if mask[row, column])

    left_eye, right_eye, _, left_mouth, right_mouth = points
    eyes = (left_eye + right_eye) / 2
    down = (left_mouth + right_mouth) / 2 - eyes
    assert [part_at(point) for point in points] == ["eyes", "eyes", "nose", "mouth", "mouth"]
    assert part_at((left_mouth + right_mouth) / 2) == "mouth"
    assert part_at(left_eye - 0.4 * down) == part_at(right_eye - 0.4 * down) == "brows"
    assert part_at(left_eye + 0.55 * down + 0.12 * (left_eye - right_eye)) == "cheeks"
    assert part_at(right_eye + 0.55 * down + 0.12 * (right_eye - left_eye)) == "cheeks"
    if name != "on its side":
        assert part_at(np.array([0.02, 0.02])) == "elsewhere"


def test_masks_turn_with_the_landmarks():
    plain, quarter = regions.masks(), regions.masks(turned(regions.template(), 90))
    for part in PARTS:
        np.testing.assert_array_equal(np.rot90(plain[part], -1), quarter[part])


def test_the_template_is_the_same_in_the_mirror():
    for part, mask in regions.masks().items():
        np.testing.assert_array_equal(mask, mask[:, ::-1], err_msg=part)


def test_nobody_can_change_the_template_for_others():
    masks = regions.masks()
    with pytest.raises(ValueError, match="read-only"):
        masks["eyes"][0, 0] = True
    masks.pop("eyes")
    assert "eyes" in regions.masks()


def test_a_map_that_is_the_same_everywhere_has_each_parts_area():
    shares = regions.shares(np.full((48, 48), 0.2, np.float32), regions.masks())
    assert tuple(shares) == PARTS
    for part in shares.values():
        assert part.share == pytest.approx(part.area, rel=1e-5)
    assert sum(part.area for part in shares.values()) == pytest.approx(1)


def test_a_share_is_of_what_speaks_for_it_only():
    masks = regions.masks()
    values = np.where(masks["mouth"], 3.0, np.where(masks["eyes"], -5.0, 0.0)).astype(np.float32)
    values[masks["nose"]] = 1
    shares = regions.shares(values, masks)
    mouth, nose = 3 * masks["mouth"].sum(), masks["nose"].sum()
    assert shares["mouth"].share == pytest.approx(mouth / (mouth + nose))
    assert (shares["eyes"].share, shares["cheeks"].share) == (0, 0)


def test_a_dead_map_has_no_shares():
    for values in (np.zeros((48, 48), np.float32), np.full((48, 48), -1, np.float32)):
        shares = regions.shares(values, regions.masks())
        assert all(np.isnan(part.share) for part in shares.values())
        assert shares["elsewhere"].area > 0.2


def test_no_landmarks_are_found_where_there_is_no_face():
    assert regions.landmarks(np.full((48, 48), 128, np.uint8)) is None
    assert regions.landmarks(np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)) is None


@pytest.mark.parametrize("sample", ["grace-hopper", "astronaut"])
def test_landmarks_of_a_crop_are_close_to_the_template(sample):
    photo = images.decode(samples.load(sample))
    crop = fer_faces.crop(photo, fer_faces.detect(photo).faces[0])
    points = regions.landmarks(crop)
    assert points is not None
    assert points.shape == (5, 2)
    assert np.abs(points - regions.template()).max() < 0.12
    shifted = regions.landmarks(np.roll(crop, 4, axis=1))
    assert shifted is not None
    assert (shifted - points)[:, 0].mean() == pytest.approx(4 / 48, abs=0.05)
    assert (shifted - points)[:, 1].mean() == pytest.approx(0, abs=0.03)


def test_the_opposite_of_a_contrast_is_the_contrast_of_the_opposite() -> None:
    heat = HeatMap(np.array([[1.0, -2.0]], np.float32), "grad_cam", "maps", signed=True)
    assert heat.opposite().values.tolist() == [[-1.0, 2.0]]
    assert (heat.opposite().method, heat.opposite().layer, heat.opposite().signed) == ("grad_cam", "maps", True)
