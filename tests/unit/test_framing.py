"""The measurement behind the crop: what it reports of faces whose place is known."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from fer_core import faces, framing, images, samples
from fer_core.errors import FerError


def portrait_crop() -> np.ndarray:
    """A face in the framing of FER2013, (48, 48) uint8, cut from a bundled portrait."""
    detection = faces.detect(images.decode(samples.load("astronaut")))
    return faces.crop(detection.image, detection.faces[0])


def test_surroundings_hold_the_face_four_times_as_large_in_the_middle() -> None:
    face = np.zeros((48, 48), np.uint8)
    face[:, 24:] = 200
    picture = framing.in_surroundings(face)
    assert picture.shape == (384, 384, 3)
    middle = picture[96:288, 96:288, 0]
    assert middle[:, :90].max() <= 20
    assert middle[:, 102:].min() >= 180


def test_a_face_cut_by_the_used_way_is_the_face_that_was_put_in() -> None:
    crop = portrait_crop()
    measured = framing.measure_ways(crop[None], np.array([3]), {"used": framing.WAYS["landmarks, turned, nose (used)"]})
    like = measured["used"]
    assert like.faces == 1
    assert like.overlap is not None
    assert like.overlap > 0.8
    assert like.correlation > 0.85


def test_a_careless_margin_is_measured_as_one() -> None:
    crop = portrait_crop()
    ways = {"used": faces.frame, "wide": framing._scaled(1.6)}
    measured = framing.measure_ways(crop[None], np.array([3]), ways)
    assert measured["wide"].side == pytest.approx(1.6 * measured["used"].side, rel=1e-6)
    assert measured["wide"].correlation < measured["used"].correlation - 0.2


def test_a_crop_given_as_a_photo_is_never_without_a_face() -> None:
    whole, none, like = framing.measure_whole(portrait_crop()[None], np.array([3]), faces.SIDE)
    assert (whole, none) == (1.0, 0.0)
    assert like.correlation == pytest.approx(1.0)


def test_images_without_faces_are_answered_with_a_sentence() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (2, 48, 48), dtype=np.uint8)
    with pytest.raises(FerError, match="is this FER2013"):
        framing.measure_framing(noise)


def test_writing_replaces_the_measured_part_and_keeps_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "framing.md"
    path.write_text("# How\n\nBefore.\n")
    framing._write(path, "first")
    path.write_text(path.read_text() + "\nAfter.\n")
    framing._write(path, "second")
    text = path.read_text()
    assert "first" not in text
    assert text.index("Before.") < text.index("second") < text.index("After.")


@pytest.mark.data
@pytest.mark.skipif("FER_DATA_DIR" not in os.environ, reason="FER_DATA_DIR is not set")
def test_the_constants_of_the_crop_are_those_of_fer2013(tmp_path: Path) -> None:
    from fer_core.data.fer2013 import open_dataset
    from fer_core.settings import Settings

    dataset = open_dataset(settings=Settings(data_dir=Path(os.environ["FER_DATA_DIR"]), cache_dir=tmp_path))
    training = np.flatnonzero(dataset.usage == "Training")[::240]
    measured = framing.measure_framing(dataset.images[training])
    assert measured.found > 0.9 * measured.images
    eyes = measured.places[:2].mean(axis=0)
    mouth = measured.places[3:].mean(axis=0)
    assert eyes[1] == pytest.approx(faces.EYES[0][1], abs=0.03)
    assert mouth[1] == pytest.approx(faces.MOUTH[0][1], abs=0.03)
    assert measured.eye_distance == pytest.approx(faces.EYES[1][0] - faces.EYES[0][0], abs=0.03)
    assert measured.box_to_side == pytest.approx(faces.BOX_TO_SIDE, abs=0.08)
