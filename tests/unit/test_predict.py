from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from fer_core import samples
from fer_core.cli import main
from fer_core.labels import EMOTIONS
from tests.toy import half_faces, make_toy_model

E4 = 54.598150033


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "models"
    make_toy_model(directory)
    monkeypatch.setenv("FER_MODELS_DIR", str(directory))
    return directory


@pytest.fixture
def face(tmp_path: Path) -> Path:
    """A 48x48 picture, taken whole for a face crop: left half white, right half black."""
    path = tmp_path / "face.png"
    Image.fromarray(half_faces((255, 0))[0]).save(path)
    return path


Predict = Callable[..., tuple[int, str, str]]


@pytest.fixture
def predict(models: Path, capsys: pytest.CaptureFixture[str]) -> Predict:
    def call(*arguments: object) -> tuple[int, str, str]:
        code = main(["predict", *map(str, arguments)])
        return code, *capsys.readouterr()

    return call


def test_scores_are_printed_best_label_first(predict, face):
    code, out, err = predict(face)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == f"{face}: 1 face"
    assert lines[1].split()[:3] == ["1", "0.90", "happy"]
    assert {*lines[1].split()} >= {*EMOTIONS}
    assert "do not say what a person feels" in out


def test_json_holds_every_score_of_every_face(predict, face):
    code, out, _ = predict(face, "--json")
    document = json.loads(out)
    assert (code, document["model"], document["mirror"]) == (0, "toy", False)
    (photo,) = document["photos"]
    assert photo["photo"] == str(face)
    (found,) = photo["faces"]
    assert found["label"] == "happy"
    assert found["p_happy"] == pytest.approx(E4 / (E4 + 6), abs=1e-4)
    assert sum(found[f"p_{name}"] for name in EMOTIONS) == pytest.approx(1, abs=1e-4)


def test_csv_is_one_line_a_face(predict, face):
    photo = samples.get("group").path
    code, out, _ = predict(face, photo, "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert [row["photo"] for row in rows].count(str(face)) == 1
    assert [row["face"] for row in rows if row["photo"] == str(photo)] == [str(n) for n in range(1, len(rows))]
    assert len(rows) > 2
    assert all(row["model"] == "toy" for row in rows)


def test_mirror_averages_both_halves(predict, face):
    _, out, _ = predict(face, "--json", "--mirror")
    (found,) = json.loads(out)["photos"][0]["faces"]
    assert found["p_happy"] == pytest.approx(found["p_sad"], abs=1e-4)


def test_a_photo_without_a_face_is_no_failure(predict, tmp_path):
    path = tmp_path / "sky.png"
    Image.new("RGB", (640, 360), (90, 150, 230)).save(path)
    code, out, err = predict(path)
    assert (code, out, err) == (0, f"{path}: no face found\n", "")


def test_a_bad_file_gets_its_sentence_and_the_others_are_scored(predict, face, tmp_path):
    zipped = tmp_path / "zip.jpg"
    zipped.write_bytes(b"PK\x03\x04 and so on")
    missing = tmp_path / "missing.jpg"
    code, out, err = predict(zipped, missing, face)
    assert code == 1
    assert f"{face}: 1 face" in out
    said = err.splitlines()
    assert len(said) == 2
    assert said[0].startswith(f"{zipped}: ")
    assert "zip archive" in said[0]
    assert said[1] == f"{missing}: The file cannot be read (No such file or directory)."


def test_json_keeps_the_error_beside_its_photo(predict, face, tmp_path):
    empty = tmp_path / "empty.jpg"
    empty.write_bytes(b"")
    code, out, _ = predict(empty, face, "--json")
    first, second = json.loads(out)["photos"]
    assert code == 1
    assert first["photo"] == str(empty)
    assert "empty" in first["error"]
    assert len(second["faces"]) == 1


def test_of_a_folder_the_pictures_are_scored_and_the_rest_is_counted(predict, face, tmp_path):
    folder = tmp_path / "photos"
    (folder / "deeper").mkdir(parents=True)
    for name in ("b.PNG", "a.png"):
        (folder / name).write_bytes(face.read_bytes())
    (folder / "notes.txt").write_text("Mine.")
    (folder / ".DS_Store").write_bytes(b"x")
    code, out, err = predict(folder)
    assert code == 0
    assert [line for line in out.splitlines() if line.endswith("1 face")] == [
        f"{folder / 'a.png'}: 1 face",
        f"{folder / 'b.PNG'}: 1 face",
    ]
    assert err == "Passed over in folders, no pictures by their names: 1.\n"


def test_a_folder_without_pictures_is_an_error(predict, tmp_path):
    (tmp_path / "none").mkdir()
    code, out, err = predict(tmp_path / "none")
    assert (code, out) == (2, "")
    assert err.startswith("There is no picture in ")


def test_the_limit_on_pixels_is_that_of_the_settings(predict, face, monkeypatch):
    monkeypatch.setenv("FER_MAX_MEGAPIXELS", "0.001")
    code, _, err = predict(face)
    assert code == 1
    assert "megapixel" in err


def test_another_model_can_be_asked(predict, models, face):
    make_toy_model(models, "better", accuracy=0.9)
    assert json.loads(predict(face, "--json")[1])["model"] == "better"
    assert json.loads(predict(face, "--json", "--model", "toy")[1])["model"] == "toy"


def test_an_unknown_model_ends_with_the_names_there_are(predict, face):
    code, out, err = predict(face, "--model", "best")
    assert (code, out) == (2, "")
    assert err == "There is no model “best”. Models: toy.\n"


def test_two_forms_at_once_are_refused(predict, face):
    with pytest.raises(SystemExit) as caught:
        predict(face, "--json", "--csv")
    assert caught.value.code == 2
