from __future__ import annotations

import json

import numpy as np
import pytest

from fer_core.preprocessing import InputSpec, preprocess

GREY = InputSpec(height=8, width=8, channels=1, mean=(0.0,), std=(1.0,))
CAFFE = InputSpec(height=8, width=8, channels=3, mean=(103.939, 116.779, 123.68), std=(1.0, 2.0, 4.0))


def faces(n: int = 1, height: int = 8, width: int = 8) -> np.ndarray:
    return (np.arange(n * height * width) % 256).astype(np.uint8).reshape(n, height, width)


def test_values_are_scaled_per_channel_and_grey_is_repeated():
    x = np.full((2, 8, 8), 200, np.uint8)
    out = preprocess(x, CAFFE)
    assert out.shape == (2, 8, 8, 3)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out[1, 3, 5], [200 - 103.939, (200 - 116.779) / 2, (200 - 123.68) / 4], rtol=1e-6)


def test_minus_one_to_one_scaling_reaches_both_ends():
    spec = InputSpec(8, 8, 3, (127.5,) * 3, (127.5,) * 3)
    x = np.zeros((1, 8, 8), np.uint8)
    x[0, 0, 0] = 255
    out = preprocess(x, spec)
    assert out.min() == -1.0
    assert out.max() == 1.0


def test_a_face_of_the_right_size_keeps_every_pixel():
    x = faces(3)
    np.testing.assert_array_equal(preprocess(x, GREY)[..., 0], x)


def test_linear_doubling_has_the_quarter_weights_of_pixel_centres():
    # Rows of 4 values become 8: centres fall on -0.25, 0.25, 0.75, 1.25 … of the source grid.
    x = np.tile(np.array([0, 100, 200, 40], np.uint8), (1, 4, 1))
    spec = InputSpec(8, 8, 1, (0.0,), (1.0,), "linear")
    np.testing.assert_allclose(preprocess(x, spec)[0, 0, :, 0], [0, 25, 75, 125, 175, 160, 80, 40], atol=1e-3)


def test_resizing_does_not_round_to_whole_grey_levels():
    x = np.tile(np.array([10, 11], np.uint8), (1, 8, 4))
    spec = InputSpec(16, 16, 1, (0.0,), (1.0,))
    values = preprocess(x, spec)
    assert np.any(values != np.round(values))


def test_area_halving_averages_blocks_of_four():
    x = np.zeros((1, 16, 16), np.uint8)
    x[0, :2, :2] = [[10, 20], [30, 41]]
    spec = InputSpec(8, 8, 1, (0.0,), (1.0,), "area")
    assert preprocess(x, spec)[0, 0, 0, 0] == pytest.approx(25.25)


def test_nearest_only_repeats_values():
    x = faces(1, 8, 8)
    spec = InputSpec(16, 16, 1, (0.0,), (1.0,), "nearest")
    np.testing.assert_array_equal(preprocess(x, spec)[0, :, :, 0], x[0].repeat(2, 0).repeat(2, 1))


def test_cubic_stays_within_the_grey_range():
    x = np.zeros((1, 8, 8), np.uint8)
    x[0, :, 4:] = 255
    out = preprocess(x, InputSpec(24, 24, 1, (0.0,), (1.0,), "cubic"))
    assert out.min() >= 0
    assert out.max() <= 255


def test_height_and_width_are_not_confused():
    out = preprocess(faces(2, 30, 50), InputSpec(10, 20, 1, (0.0,), (1.0,)))
    assert out.shape == (2, 10, 20, 1)


def test_no_faces_give_an_empty_batch():
    assert preprocess(np.empty((0, 48, 48), np.uint8), CAFFE).shape == (0, 8, 8, 3)


def test_a_view_with_odd_strides_gives_the_same_as_its_copy():
    spec = InputSpec(16, 16, 1, (0.0,), (1.0,))
    x = faces(2, 20, 20)
    mirrored = x[:, :, ::-1]
    np.testing.assert_array_equal(preprocess(mirrored, spec), preprocess(mirrored.copy(), spec))


def test_the_input_is_left_as_it_was():
    x = faces(1, 8, 8)
    before = x.copy()
    preprocess(x, CAFFE)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (np.zeros((48, 48), np.uint8), "add the first axis"),
        (np.zeros((1, 48, 48, 3), np.uint8), r"\(1, 48, 48, 3\)"),
        (np.zeros((1, 48, 48), np.float32), "not float32"),
        (np.zeros((1, 0, 48), np.uint8), "at least one pixel"),
        ([[0]], "not list"),
    ],
)
def test_a_wrong_array_is_refused_with_a_sentence(bad, says):
    with pytest.raises(ValueError, match=says):
        preprocess(bad, GREY)


def test_a_spec_survives_json():
    assert InputSpec.from_json(json.loads(json.dumps(CAFFE.to_json()))) == CAFFE


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("height", 0),
        ("height", 4000),
        ("width", "96"),
        ("width", True),
        ("channels", 2),
        ("mean", [0.0]),
        ("mean", [0.0, 0.0, float("nan")]),
        ("mean", "abc"),
        ("std", [1.0, 0.0, 1.0]),
        ("std", None),
        ("interpolation", "lanczos"),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused_by_field(field, value):
    with pytest.raises(ValueError, match=field):
        InputSpec.from_json({**CAFFE.to_json(), field: value})


@pytest.mark.parametrize("field", ["height", "std", "interpolation"])
def test_a_missing_field_is_named(field):
    data = CAFFE.to_json()
    del data[field]
    with pytest.raises(ValueError, match=f"{field} is missing"):
        InputSpec.from_json(data)


def test_a_spec_with_an_unknown_field_is_refused():
    with pytest.raises(ValueError, match="scale"):
        InputSpec.from_json({**CAFFE.to_json(), "scale": 2})


def test_a_spec_that_is_no_object_is_refused():
    with pytest.raises(ValueError, match="not an object"):
        InputSpec.from_json([1, 2])
