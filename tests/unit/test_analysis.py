"""A photo is analysed in one way: all faces, one call of the classifier, plain words about what to doubt."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

from fer_core import faces, images, samples
from fer_core.analysis import Caution, FaceAnalysis, analyse, cautions, records_to_csv
from fer_core.errors import ImageDecodeError
from fer_core.faces import Face
from fer_core.labels import EMOTIONS

SURE = (0.0, 0.0, 0.0, 0.7, 0.2, 0.1, 0.0)


class Fixed:
    """A classifier with one answer a face: that of ``answers`` in turn. Remembers how it was called."""

    def __init__(self, *answers: tuple[float, ...]) -> None:
        self.answers = answers or (SURE,)
        self.calls: list[tuple[np.ndarray, bool]] = []

    def predict_proba(self, faces: np.ndarray, *, mirror: bool = False) -> np.ndarray:
        self.calls.append((faces, mirror))
        return np.array([self.answers[k % len(self.answers)] for k in range(len(faces))], np.float32)


def sharp_crop() -> np.ndarray:
    """Return a crop with as fine detail as pixels allow."""
    return np.random.default_rng(3).integers(0, 256, (48, 48), np.uint8)


def standing(side: float = 200.0, score: float = 0.93, nose_x: float = 0.5, angle: float = 0.0) -> Face:
    """Return a face whose (median) frame has this side."""
    places = (np.array([*faces.EYES, (nose_x, 0.58), *faces.MOUTH]) - 0.5) * side
    turn = np.radians(angle)
    landmarks = places @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + 300
    return Face((300 - side / 2, 300 - side / 2, side * 0.8, side), score, landmarks.astype(np.float32))


def codes(found: tuple[Caution, ...]) -> list[str]:
    return [caution.code for caution in found]


class TestAnalyse:
    def test_all_faces_go_to_the_classifier_at_once(self):
        classifier = Fixed()
        result = analyse(samples.load("group"), classifier)
        ((crops, mirror),) = classifier.calls
        assert crops.shape == (5, 48, 48)
        assert crops.dtype == np.uint8
        assert mirror is False
        assert [face.number for face in result.faces] == [1, 2, 3, 4, 5]
        assert all(np.array_equal(face.crop, crop) for face, crop in zip(result.faces, crops, strict=True))

    def test_each_face_gets_its_own_scores(self):
        happy, sad = SURE, (0.1, 0.0, 0.0, 0.0, 0.1, 0.8, 0.0)
        result = analyse(samples.load("group"), Fixed(happy, sad))
        assert [face.label for face in result.faces] == ["happy", "sad", "happy", "sad", "happy"]

    def test_a_photo_without_a_face_does_not_trouble_the_classifier(self):
        classifier = Fixed()
        result = analyse(np.full((400, 500, 3), 130, np.uint8), classifier)
        assert result.faces == ()
        assert result.to_records() == []
        assert classifier.calls == []

    def test_mirror_is_passed_on(self):
        classifier = Fixed()
        analyse(samples.load("astronaut"), classifier, mirror=True)
        assert classifier.calls[0][1] is True

    def test_pixels_and_the_file_they_are_from_give_the_same(self):
        data = samples.load("astronaut")
        from_file, from_pixels = analyse(data, Fixed()), analyse(images.decode(data), Fixed())
        assert from_file.to_records() == from_pixels.to_records()

    def test_what_is_no_picture_says_so(self):
        with pytest.raises(ImageDecodeError):
            analyse(b"PK\x03\x04 not a picture", Fixed())

    def test_the_limit_on_pixels_is_passed_on(self):
        with pytest.raises(ImageDecodeError, match="pixel"):
            analyse(samples.load("astronaut"), Fixed(), max_pixels=1000)

    def test_a_classifier_of_other_classes_is_refused(self):
        with pytest.raises(ValueError, match="shape"):
            analyse(samples.load("astronaut"), Fixed((0.5, 0.5)))


class TestRanking:
    def face(self, *scores: float) -> FaceAnalysis:
        return FaceAnalysis(standing(), 1, sharp_crop(), np.array(scores, np.float32), ())

    def test_labels_are_ranked_by_score(self):
        face = self.face(0.05, 0.0, 0.1, 0.2, 0.15, 0.4, 0.1)
        assert face.label == "sad"
        assert face.runner_up == "happy"
        assert face.margin == pytest.approx(0.2)
        assert face.score("neutral") == pytest.approx(0.15)
        assert face.ranking == ("sad", "happy", "neutral", "fear", "surprise", "angry", "disgust")

    def test_equal_scores_keep_the_order_of_the_classes(self):
        face = self.face(*[1 / 7] * 7)
        assert face.ranking == EMOTIONS
        assert face.margin == 0

    def test_an_unknown_label_is_refused(self):
        with pytest.raises(ValueError, match="bored"):
            self.face(*SURE).score("bored")


class TestCautions:
    def test_a_large_sharp_upright_face_with_a_clear_lead_has_none(self):
        assert cautions(standing(), sharp_crop(), SURE) == ()

    def test_two_close_scores_are_named_with_both_numbers(self):
        (caution,) = cautions(standing(), sharp_crop(), (0.0, 0.0, 0.0, 0.1, 0.38, 0.41, 0.11))
        assert caution.code == "close"
        assert caution.sentence == (
            "The two best scores are close (0.41 for sad, 0.38 for neutral): treat the label as undecided."
        )

    def test_a_lead_of_more_than_a_tenth_is_not_close(self):
        assert codes(cautions(standing(), sharp_crop(), (0.0, 0.0, 0.0, 0.54, 0.46, 0.0, 0.0))) == ["close"]
        assert cautions(standing(), sharp_crop(), (0.0, 0.0, 0.0, 0.56, 0.44, 0.0, 0.0)) == ()

    def test_a_small_face_is_told_with_its_size(self):
        side = 40 / faces.TIGHTEN
        (caution,) = cautions(standing(side), sharp_crop(), SURE)
        assert caution.code == "small"
        assert "40 pixels" in caution.sentence
        assert cautions(standing(49 / faces.TIGHTEN), sharp_crop(), SURE) == ()

    def test_a_blurred_crop_is_told_from_a_sharp_one(self):
        crop = faces.crop(*portrait())
        assert codes(cautions(standing(), crop, SURE)) == []
        for sigma in (1.0, 1.5, 3.0):
            assert codes(cautions(standing(), cv2.GaussianBlur(crop, (0, 0), sigma), SURE)) == ["blurred"]

    def test_faint_contrast_is_not_taken_for_blur(self):
        crop = faces.crop(*portrait())
        faint = (crop.astype(float) * 0.3 + 90).round().astype(np.uint8)
        assert cautions(standing(), faint, SURE) == ()

    def test_an_even_crop_shows_nothing(self):
        (caution,) = cautions(standing(), np.full((48, 48), 77, np.uint8), SURE)
        assert caution.code == "blurred"
        assert "nothing to see" in caution.sentence

    @pytest.mark.parametrize("nose_x", [0.3, 0.7])
    def test_a_head_turned_to_either_side(self, nose_x):
        assert codes(cautions(standing(nose_x=nose_x), sharp_crop(), SURE)) == ["turned"]

    def test_a_head_turned_a_little_is_none(self):
        assert cautions(standing(nose_x=0.58), sharp_crop(), SURE) == ()

    def test_a_leaning_head_is_told_with_its_angle(self):
        (caution,) = cautions(standing(angle=-40), sharp_crop(), SURE)
        assert caution.code == "leaning"
        assert "40°" in caution.sentence
        assert cautions(standing(angle=-15), sharp_crop(), SURE) == ()

    def test_a_doubtful_detection_is_told_with_its_score(self):
        (caution,) = cautions(standing(score=0.76), sharp_crop(), SURE)
        assert caution.code == "unsure"
        assert "0.76" in caution.sentence

    def test_a_picture_that_is_the_crop_says_so_and_nothing_about_landmarks_it_does_not_have(self):
        whole = Face((0, 0, 48, 48), 1.0, None, whole_image=True)
        assert codes(cautions(whole, sharp_crop(), SURE)) == ["whole_image"]

    def test_the_bundled_photos_have_the_cautions_that_their_notes_promise(self):
        def of(sample_id: str) -> list[list[str]]:
            return [codes(face.cautions) for face in analyse(samples.load(sample_id), Fixed()).faces]

        assert of("astronaut") == [[]]
        assert of("wolfgang-pauli") == [["turned"]]
        assert of("sideways") == [["rotated"]]
        assert {"small", "blurred"} <= set(of("far-and-blurred")[0])
        assert sum("small" in found for found in of("solvay-1927")) >= 25

    def test_sentences_are_about_the_picture_and_end_with_a_full_stop(self):
        everything = cautions(
            standing(30, 0.7, 0.8, 60), np.zeros((48, 48), np.uint8), (0.2, 0.0, 0.0, 0.4, 0.4, 0.0, 0.0), 90
        )
        assert codes(everything) == ["unsure", "rotated", "small", "blurred", "turned", "leaning", "close"]
        assert all(caution.sentence.endswith(".") for caution in everything)


class TestRecords:
    def test_a_record_is_flat_and_plain(self):
        (record,) = analyse(samples.load("sideways"), Fixed()).to_records()
        assert list(record)[:11] == [
            *("face", "x", "y", "width", "height", "rotation"),
            *("detector_score", "label", "score", "runner_up", "margin"),
        ]
        assert [name for name in record if name.startswith("p_")] == [f"p_{name}" for name in EMOTIONS]
        assert record["face"] == 1
        assert record["rotation"] == 90
        assert record["label"] == "happy"
        assert record["runner_up"] == "neutral"
        assert record["margin"] == pytest.approx(0.5)
        assert record["p_happy"] == pytest.approx(0.7)
        assert len(record["cautions"]) == 1
        assert "90°" in record["cautions"][0]
        assert json.loads(json.dumps(record)) == record

    def test_csv_reads_back(self):
        records = analyse(samples.load("group"), Fixed()).to_records()
        rows = list(csv.DictReader(io.StringIO(records_to_csv(records))))
        assert len(rows) == 5
        assert [row["face"] for row in rows] == ["1", "2", "3", "4", "5"]
        assert float(rows[2]["p_happy"]) == pytest.approx(0.7)
        assert rows[3]["cautions"] == " ".join(records[3]["cautions"])

    def test_a_file_name_cannot_become_a_formula(self):
        text = records_to_csv([{"photo": "=cmd()", "margin": -0.5}])
        assert text == "photo,margin\n'=cmd(),-0.5\n"

    def test_no_records_are_no_text(self):
        assert records_to_csv([]) == ""


def portrait() -> tuple[np.ndarray, Face]:
    photo = images.decode(samples.load("benchmark"))
    return photo, faces.detect(photo).faces[0]


def test_photo_to_scores_needs_no_heavy_package():
    code = (
        "import sys\nfrom fer_core import analysis\n"
        "heavy = {'tensorflow', 'keras', 'pandas', 'sklearn', 'plotly', 'scipy', 'streamlit', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
