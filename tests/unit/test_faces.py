"""Faces are found in photos of all kinds, and cut out where and how FER2013 would have cut them."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from fer_core import faces, images, samples
from fer_core.faces import Face, Frame

ONE_FACE = ("astronaut", "grace-hopper", "marie-curie", "albert-einstein", "wolfgang-pauli", "far-and-blurred")


def photo(sample_id: str) -> np.ndarray:
    return images.decode(samples.load(sample_id))


def likeness(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def leaning(image: np.ndarray, angle: float) -> np.ndarray:
    """Return the photo turned clockwise about its middle, on a canvas that holds all of it."""
    height, width = image.shape[:2]
    side = int(np.hypot(height, width)) + 2
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -angle, 1.0)
    matrix[:, 2] += (side / 2 - width / 2, side / 2 - height / 2)
    return cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    return photo("benchmark")


@pytest.fixture(scope="module")
def portrait_crop(portrait: np.ndarray) -> np.ndarray:
    return faces.crop(portrait, faces.detect(portrait).faces[0])


class TestFinding:
    @pytest.mark.parametrize("sample_id", ONE_FACE)
    def test_a_portrait_has_one_face(self, sample_id):
        found = faces.detect(photo(sample_id))
        assert len(found.faces) == 1
        assert found.rotation == 0
        assert not found.faces[0].whole_image

    def test_a_group_is_numbered_from_left_to_right(self):
        found = faces.detect(photo("group")).faces
        middles = [face.box[0] + face.box[2] / 2 for face in found]
        # where `samples` hangs the five portraits: each face lies in the part of the wall its portrait has
        walls = [(40, 280), (320, 700), (742, 902), (732, 932), (955, 1255)]
        assert len(found) == 5
        assert middles == sorted(middles)
        assert all(left < middle < right for middle, (left, right) in zip(middles, walls, strict=True))

    def test_all_29_small_faces_of_a_large_group_are_found(self):
        found = faces.detect(photo("solvay-1927")).faces
        assert len(found) == 29
        assert max(face.box[3] for face in found) < 65

    def test_landmarks_are_where_the_parts_of_the_face_are(self, portrait):
        (face,) = faces.detect(portrait).faces
        right_eye, left_eye, nose, right_mouth, left_mouth = face.landmarks
        assert face.landmarks.shape == (5, 2)
        assert face.landmarks.dtype == np.float32
        assert right_eye[0] < nose[0] < left_eye[0]
        assert right_mouth[0] < nose[0] < left_mouth[0]
        assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])
        x, y, width, height = face.box
        assert np.all((face.landmarks > (x, y)) & (face.landmarks < (x + width, y + height)))

    def test_pictures_without_a_face_have_none(self):
        rng = np.random.default_rng(5)
        noise = rng.integers(0, 256, (300, 400, 3), np.uint8)
        rows = np.linspace(0, 255, 800)[:, None, None]
        landscape = np.broadcast_to(rows, (800, 1000, 3)).astype(np.uint8)
        stripes = np.zeros((600, 600, 3), np.uint8)
        stripes[::40] = 255
        for picture in (noise, landscape, stripes, np.full((500, 300, 3), 128, np.uint8)):
            assert faces.detect(picture).faces == ()

    @pytest.mark.parametrize(("quarters", "rotation"), [(1, 90), (2, 180), (3, 270)])
    def test_a_photo_on_its_side_is_set_upright(self, portrait, portrait_crop, quarters, rotation):
        turned = np.rot90(portrait, quarters)  # counter-clockwise
        found = faces.detect(turned)
        assert found.rotation == rotation
        assert np.array_equal(found.image, portrait)
        assert len(found.faces) == 1
        assert likeness(faces.crop(found.image, found.faces[0]), portrait_crop) > 0.95

    @pytest.mark.parametrize("angle", [-35, -15, 20, 40])
    def test_a_leaning_head_is_cut_out_upright(self, portrait, portrait_crop, angle):
        found = faces.detect(leaning(portrait, angle))
        assert found.rotation == 0
        upright = faces.frame(faces.detect(portrait).faces[0]).angle
        assert faces.frame(found.faces[0]).angle == pytest.approx(upright + angle, abs=6)
        assert likeness(faces.crop(found.image, found.faces[0]), portrait_crop) > 0.8  # left leaning: 0.2 to 0.7

    def test_the_crop_does_not_depend_on_the_resolution_of_the_photo(self, portrait, portrait_crop):
        for scale in (0.3, 0.6, 2.5):
            resized = cv2.resize(portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            found = faces.detect(resized)
            assert len(found.faces) == 1
            assert likeness(faces.crop(resized, found.faces[0]), portrait_crop) > 0.93

    def test_a_mirrored_view_of_an_array_is_a_photo_too(self, portrait, portrait_crop):
        found = faces.detect(portrait[:, ::-1])
        assert likeness(faces.crop(portrait[:, ::-1], found.faces[0])[:, ::-1], portrait_crop) > 0.9

    def test_threads_get_the_same_faces_as_one_after_the_other(self):
        photos = [photo(sample_id) for sample_id in ONE_FACE[:4]] * 4
        alone = [faces.detect(picture) for picture in photos]
        with ThreadPoolExecutor(8) as pool:
            together = list(pool.map(faces.detect, photos))
        for one, other in zip(alone, together, strict=True):
            assert [face.box for face in one.faces] == [face.box for face in other.faces]

    @pytest.mark.parametrize(
        "array",
        [
            np.zeros((100, 100), np.uint8),
            np.zeros((100, 100, 4), np.uint8),
            np.zeros((100, 100, 3), np.float32),
            np.zeros((0, 100, 3), np.uint8),
        ],
    )
    def test_what_is_no_photo_is_refused(self, array):
        with pytest.raises(ValueError, match="A photo is an array"):
            faces.detect(array)

    def test_nothing_is_said_on_the_terminal(self):
        code = "import numpy as np\nfrom fer_core import faces\nfaces.detect(np.zeros((200, 300, 3), np.uint8))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert (done.stdout, done.stderr) == ("", "")


class TestCropsAsPhotos:
    """A picture that is a face crop already is never answered with "no face"."""

    @pytest.mark.parametrize("shape", [(48, 48), (64, 64), (30, 44), (60, 48)])
    def test_a_tiny_picture_is_the_face(self, shape):
        picture = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
        found = faces.detect(picture)
        (face,) = found.faces
        side = min(shape)
        assert face.whole_image
        assert face.landmarks is None
        assert face.score == 1.0
        assert face.box == ((shape[1] - side) / 2, (shape[0] - side) / 2, side, side)

    def test_a_grey_crop_of_48_pixels_reaches_the_network_as_it_is(self):
        grey = np.random.default_rng(2).integers(0, 256, (48, 48), np.uint8)
        picture = np.repeat(grey[:, :, None], 3, axis=2)
        assert np.array_equal(faces.crop(picture, faces.detect(picture).faces[0]), grey)

    @pytest.mark.parametrize("side", [96, 224, 600])
    def test_a_larger_crop_is_taken_whole(self, portrait, portrait_crop, side):
        cropped = faces.crop_rgb(portrait, faces.detect(portrait).faces[0], side)
        (face,) = faces.detect(cropped).faces
        assert face.whole_image
        assert likeness(faces.crop(cropped, face), portrait_crop) > 0.98

    def test_a_portrait_with_some_room_around_the_face_is_not(self, portrait):
        square = faces.frame(faces.detect(portrait).faces[0])
        roomy = faces.cut(portrait, Frame(square.x, square.y, 1.6 * square.side, square.angle), 300)
        (face,) = faces.detect(roomy).faces
        assert not face.whole_image
        assert faces.frame(face).side == pytest.approx(300 / 1.6, rel=0.1)

    def test_a_small_square_without_anything_like_a_face_is_taken_whole_but_not_a_large_one(self):
        small, large = np.full((120, 120, 3), 90, np.uint8), np.full((400, 400, 3), 90, np.uint8)
        assert [face.whole_image for face in faces.detect(small).faces] == [True]
        assert faces.detect(large).faces == ()

    def test_a_thin_strip_is_no_face(self):
        assert faces.detect(np.full((20, 60, 3), 90, np.uint8)).faces == ()


class TestFraming:
    @staticmethod
    def model_face(scale: float, left: float, top: float, nose_x: float = 0.5) -> Face:
        places = np.array([*faces.EYES, (nose_x, 0.58), *faces.MOUTH]) * scale + (left, top)
        return Face((left, top, scale * 0.8, scale), 0.9, places.astype(np.float32))

    def test_a_face_framed_like_the_median_of_fer2013_gives_that_frame(self):
        square = faces.frame(self.model_face(200, 30, 70))
        assert (square.x, square.y) == pytest.approx((130, 170), abs=0.01)
        assert square.side == pytest.approx(200 * faces.TIGHTEN, abs=0.01)
        assert square.angle == pytest.approx(0, abs=0.01)

    @pytest.mark.parametrize("angle", [-120, -30, 10, 90])
    def test_the_frame_turns_with_the_face(self, angle):
        face = self.model_face(100, 50, 50)
        turn = np.radians(angle)
        matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])  # clockwise, y points down
        landmarks = (face.landmarks - 100) @ matrix.T + 100
        square = faces.frame(Face(face.box, 0.9, landmarks.astype(np.float32)))
        assert (square.x, square.y) == pytest.approx((100, 100), abs=0.01)
        assert square.angle == pytest.approx(angle, abs=0.01)

    def test_the_frame_of_a_turned_head_moves_away_from_the_nose(self):
        face = self.model_face(100, 0, 0, nose_x=0.7)  # 20 px to the right of the middle
        assert faces.nose_offset(face) == pytest.approx(0.2, abs=1e-4)
        assert faces.frame(face).x == pytest.approx(50 - faces.NOSE_SHIFT * 20, abs=0.01)
        assert faces.frame(face).y == pytest.approx(50, abs=0.01)

    def test_landmarks_in_one_point_leave_it_to_the_box(self):
        square = faces.frame(Face((10, 20, 80, 100), 0.9, np.full((5, 2), 50, np.float32)))
        assert square == Frame(50, 70, 80 * faces.BOX_TO_SIDE * faces.TIGHTEN, 0.0)

    def test_overlap_is_intersection_over_union(self):
        assert faces.overlap((0, 0, 10, 10), (5, 0, 10, 10)) == pytest.approx(50 / 150)
        assert faces.overlap((0, 0, 10, 10), (20, 0, 10, 10)) == 0
        assert faces.overlap((0, 0, 10, 10), (0, 0, 10, 10)) == 1


class TestCutting:
    def test_pixels_come_from_where_the_frame_is(self):
        # brightness = column: the mean of a crop's pixel is the column of its middle, in the photo's coordinates - 0.5
        ramp = np.repeat(np.tile(np.arange(200, dtype=np.uint8), (150, 1))[:, :, None], 3, axis=2)
        for side in (48, 72, 96, 130):
            cropped = faces.cut(ramp, Frame(100, 75, side, 0.0), 48, grey=True).astype(float)
            expected = 100 - side / 2 + (np.arange(48) + 0.5) * side / 48 - 0.5
            assert np.abs(cropped - expected).max() <= 1.01

    def test_a_turned_frame_reads_along_its_own_axes(self):
        ramp = np.repeat(np.tile(np.arange(200, dtype=np.uint8), (150, 1))[:, :, None], 3, axis=2)
        cropped = faces.cut(ramp, Frame(100, 75, 96, 90.0), 48, grey=True).astype(float)
        # turned by 90° clockwise, the crop's "down" is the photo's "left"
        expected = 100 + 48 - (np.arange(48) + 0.5) * 2 - 0.5
        assert np.abs(cropped - expected[:, None]).max() <= 1.01

    @pytest.mark.parametrize("side", [300, 960, 4000])
    def test_fine_patterns_become_their_mean_and_no_new_pattern(self, side):
        checks = (np.indices((side, side)).sum(axis=0) % 2 * 255).astype(np.uint8)
        picture = np.repeat(checks[:, :, None], 3, axis=2)
        cropped = faces.cut(picture, Frame(side / 2, side / 2, side * 0.9, 7.0), 48, grey=True)
        assert np.abs(cropped.astype(float) - 127.5).max() < 16

    def test_beyond_the_edge_the_outermost_pixels_are_repeated(self):
        picture = np.full((100, 100, 3), 50, np.uint8)
        picture[:, 0] = 200
        cropped = faces.cut(picture, Frame(0, 50, 96, 0.0), 48, grey=True)
        assert np.all(cropped[:, :23] == 200)
        assert np.all(cropped[:, 26:] == 50)

    def test_a_face_outside_the_photo_does_not_crash(self):
        assert faces.cut(np.zeros((40, 40, 3), np.uint8), Frame(-500, 900, 30, 10.0), 48, grey=True).shape == (48, 48)

    def test_grey_is_weighted_as_usual(self):
        picture = np.zeros((48, 48, 3), np.uint8)
        picture[:] = (200, 100, 50)  # 0.299 R + 0.587 G + 0.114 B = 124.2
        assert np.all(faces.crop(picture, Face((0, 0, 48, 48), 1.0, None, whole_image=True)) == 124)

    def test_the_crop_for_showing_has_the_same_frame_in_colour(self, portrait, portrait_crop):
        face = faces.detect(portrait).faces[0]
        shown = faces.crop_rgb(portrait, face, 192)
        assert shown.shape == (192, 192, 3)
        small = cv2.cvtColor(cv2.resize(shown, (48, 48), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
        assert likeness(small, portrait_crop) > 0.995


def test_the_detector_is_the_published_file_with_its_licence():
    digest = hashlib.sha256(faces.MODEL_FILE.read_bytes()).hexdigest()
    assert digest == "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
    assert "Copyright (c) 2020 Shiqi Yu" in (faces.MODEL_FILE.parent / "LICENSE").read_text(encoding="utf-8")


@pytest.mark.data
@pytest.mark.skipif(not os.environ.get("FER_DATA_DIR"), reason="FER_DATA_DIR is not set")
class TestFer2013AsPhotos:
    @pytest.fixture
    def originals(self):
        from fer_core.data.fer2013 import open_dataset

        dataset = open_dataset()
        training = np.flatnonzero(dataset.usage == "Training")
        return dataset.images[np.random.default_rng(8).choice(training, 200, replace=False)]

    def test_every_image_reaches_the_network_unchanged(self, originals):
        for grey in originals:
            picture = np.repeat(grey[:, :, None], 3, axis=2)
            (face,) = faces.detect(picture).faces
            assert np.array_equal(faces.crop(picture, face), grey)

    @pytest.mark.parametrize("side", [100, 224])
    def test_enlarged_images_are_hardly_ever_without_a_face(self, originals, side):
        missed = 0
        for grey in originals:
            large = cv2.resize(grey, (side, side), interpolation=cv2.INTER_CUBIC)
            missed += not faces.detect(np.repeat(large[:, :, None], 3, axis=2)).faces
        assert missed <= 4
