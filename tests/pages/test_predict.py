from __future__ import annotations

import base64
import io
import json
import os
import re
import subprocess
import sys
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from fer_core import samples
from fer_core.registry import load_registry
from fer_core.settings import ROOT
from pages._ui import downloads
from tests.pages.conftest import html_of, png, sentences_of, words_of
from tests.toy import half_faces, make_toy_model

HAPPY = np.exp(4) / (np.exp(4) + 6)  # the toy's score for happy on a face with a white left half: 0.90
OTHER = 1 / (np.exp(4) + 6)  # and for each of the others: 0.017


def upload(app: AppTest, *files: tuple[str, bytes]) -> AppTest:
    if app.segmented_control(key="source").value != "Upload":
        app.segmented_control(key="source").set_value("Upload").run()
    return app.file_uploader[0].set_value([(name, data, "image/jpeg") for name, data in files]).run()


def pictures(app: AppTest) -> list[str]:
    """Return the names of the visitor's pictures."""
    return [name for pills in app.pills if pills.key == "photo" for name in pills.options]


def truncated(data: bytes) -> bytes:
    return data[: len(data) // 3]


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("holiday.txt", "no photo")
    return buffer.getvalue()


def oversized() -> bytes:
    buffer = io.BytesIO()
    Image.new("1", (6000, 5000)).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_stranger_sees_a_scored_sample_without_doing_anything(app):
    page = app("predict")
    assert not page.exception
    assert not page.error
    assert len(page.image) == 1
    assert "ahead of" in words_of(page) or "level with" in words_of(page)


def test_every_sample_opens_by_its_address(app):
    for sample in samples.list_samples():
        page = app("predict", sample=sample.id)
        assert not page.exception
        assert not page.error
        assert page.pills(key="sample").value == sample.id
        assert sample.credit in sentences_of(page)


def test_an_uploaded_crop_gets_the_scores_of_the_network_worded_as_for_a_label(app, half_face):
    page = upload(app("predict"), ("half.png", half_face))
    assert f"{HAPPY:.2f} for happy {HAPPY - OTHER:.2f} ahead of angry" in words_of(page)
    assert "Happy 0.90 Angry 0.02 Disgust 0.02 Fear 0.02 Neutral 0.02 Sad 0.02 Surprise 0.02" in words_of(page)
    assert "is happy" not in words_of(page) + sentences_of(page)


def test_the_network_input_is_shown_enlarged_by_nearest_neighbour(app, half_face):
    page = upload(app("predict"), ("half.png", half_face))
    assert "48 × 48 grey pixels" in words_of(page)
    assert "image-rendering:pixelated" in html_of(page)


def heat_maps(app: AppTest) -> dict[str, np.ndarray]:
    """Return the pictures with a heat map, RGB, by what is read out in their place."""
    found = re.findall(
        r'<img src="data:image/jpeg;base64,([^"]+)" alt="([^"]* with its heat map for [^"]*)"', html_of(app)
    )
    return {alt: np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))).astype(int) for data, alt in found}


def test_a_heat_map_shows_where_the_highest_score_was_found(app, half_face):
    page = upload(app("predict"), ("half.png", half_face))
    assert "Evidence for happy" in words_of(page)
    (picture,) = heat_maps(page).values()
    left, right = picture[80, 40], picture[80, 120]
    assert left[0] - left[2] > 20, "the white half is coloured"
    assert np.ptp(right) <= 3, "the black half is left as it is"
    assert right.max() < 20


def test_a_model_without_a_head_gets_scores_and_no_heat_map(app, models_dir, half_face):
    make_toy_model(models_dir, "headless", accuracy=0.9, head=False)
    page = upload(app("predict"), ("half.png", half_face))
    assert page.selectbox(key="model").value == "headless"
    assert not page.error
    assert "0.90 for happy" in words_of(page)
    assert not heat_maps(page)
    assert "Evidence for" not in words_of(page)


def test_a_face_without_evidence_is_not_given_a_map_as_if_there_were_some(app):
    dark = png(half_faces((0, 0))[0] + 1)
    page = upload(app("predict", model="surprised"), ("dark.png", dark))  # its bias alone speaks for surprise
    assert "for surprise" in words_of(page)
    assert "No map for surprise" in words_of(page)
    assert "Evidence for" not in words_of(page)


def test_the_heat_maps_of_two_models_are_told_apart(app, half_face):
    page = upload(app("predict", compare="surprised"), ("half.png", half_face))
    assert list(heat_maps(page)) == [f"Face 1 with its heat map for happy, Toy {name}" for name in ("toy", "surprised")]


def test_a_camera_picture_is_scored(app, photo):
    page = app("predict")
    page.segmented_control(key="source").set_value("Camera").run()
    page.camera_input[0].upload("shot.jpg", photo).run()
    assert not page.exception
    assert pictures(page) == ["Camera 1"]
    assert "for" in words_of(page)


@pytest.mark.parametrize(
    ("name", "make", "sentence"),
    [
        ("empty.jpg", lambda photo: b"", "empty"),
        ("cut.jpg", truncated, "damaged or cut off"),
        ("holiday.jpg", lambda photo: zipped(), "zip archive"),
        ("notes.jpg", lambda photo: b"Dear diary, this is not a picture.\n" * 20, "text"),
        ("poster.png", lambda photo: oversized(), "30.0 megapixels"),
        ("noise.jpg", lambda photo: bytes(range(256)) * 8, "not a picture"),
    ],
)
def test_a_bad_file_gets_its_own_sentence_while_the_others_go_on(app, photo, half_face, name, make, sentence):
    page = upload(app("predict"), (name, make(photo)), ("half.png", half_face))
    assert not page.exception
    assert len(page.error) == 1
    assert name in page.error[0].value
    assert sentence in page.error[0].value
    assert pictures(page) == ["half.png"]
    assert "0.90 for happy" in words_of(page)


def test_only_bad_files_leave_a_page_that_works(app, half_face):
    page = upload(app("predict"), ("a.jpg", b""), ("b.jpg", zipped()))
    assert not page.exception
    assert len(page.error) == 2
    page = upload(page, ("half.png", half_face))
    assert not page.error
    assert "0.90 for happy" in words_of(page)


def test_a_photo_without_a_face_is_shown_with_a_plain_explanation(app):
    wall = np.full((600, 900, 3), 200, np.uint8)
    wall[:, 400:] = 120
    page = upload(app("predict"), ("wall.png", png(wall)))
    assert not page.exception
    assert not page.error
    assert "No face was found" in sentences_of(page)
    assert len(page.image) == 1


def test_several_pictures_can_be_looked_at_and_removed(app, half_face, photo):
    page = upload(app("predict"), ("half.png", half_face), ("portrait.jpg", photo))
    assert pictures(page) == ["half.png", "portrait.jpg"]
    page.pills(key="photo").set_value(page.session_state["photo"]).run()
    first = next(iter(page.session_state["_visit"].photos))
    page.pills(key="photo").set_value(first).run()
    assert "0.90 for happy" in words_of(page)
    button(page, "Remove this picture").click().run()
    assert pictures(page) == ["portrait.jpg"]
    button(page, "Remove all").click().run()
    assert pictures(page) == []
    assert not page.session_state["_visit"].computed
    assert not page.exception


def button(app: AppTest, label: str):
    return next(element for element in app.button if element.label == label)


def test_the_same_picture_twice_is_kept_once(app, half_face):
    page = upload(app("predict"), ("a.png", half_face), ("b.png", half_face))
    assert pictures(page) == ["a.png"]


def test_a_visitor_cannot_fill_the_memory(app):
    crops = [(f"{k}.png", png(half_faces((k, 0))[0])) for k in range(30)]
    page = upload(app("predict"), *crops)
    assert len(pictures(page)) == 24
    assert len(page.error) == 6
    assert "room for 24" in page.error[0].value


def test_pictures_survive_moving_between_pages(app, half_face):
    page = upload(app("predict"), ("half.png", half_face))
    page.switch_page("streamlit_app.py").run()
    assert not page.exception
    page.switch_page("pages/predict.py").run()
    assert pictures(page) == ["half.png"]
    assert page.segmented_control(key="source").value == "Upload"
    assert "0.90 for happy" in words_of(page)


def test_another_visitor_sees_none_of_it(app, half_face):
    upload(app("predict"), ("half.png", half_face))
    other = app("predict")
    other.segmented_control(key="source").set_value("Upload").run()
    assert pictures(other) == []


def test_the_better_model_comes_first_and_the_picker_offers_all(app):
    page = app("predict")
    assert page.selectbox(key="model").options == ["Toy toy", "Toy surprised"]
    assert page.selectbox(key="model").value == "toy"


def test_the_address_opens_model_comparison_and_sample(app):
    page = app("predict", model="surprised", compare="toy", sample="group")
    assert page.selectbox(key="model").value == "surprised"
    assert page.selectbox(key="compare").value == "toy"
    assert page.pills(key="sample").value == "group"


def test_an_address_of_something_that_is_not_there_opens_the_default(app):
    page = app("predict", model="gone", compare="gone", sample="gone")
    assert not page.exception
    assert page.selectbox(key="model").value == "toy"
    assert page.selectbox(key="compare").value == ""


def test_the_address_follows_what_is_chosen_and_never_names_an_upload(app, half_face):
    page = app("predict")
    page.selectbox(key="model").select("surprised").run()
    page.selectbox(key="compare").select("toy").run()
    page.pills(key="sample").set_value("group").run()
    assert dict(page.query_params) == {"model": "surprised", "compare": "toy", "sample": "group"}
    upload(page, ("half.png", half_face))
    assert dict(page.query_params) == {"model": "surprised", "compare": "toy"}


def test_two_models_stand_side_by_side_on_the_same_face(app, half_face):
    page = upload(app("predict", compare="surprised"), ("half.png", half_face))
    surprised = np.exp(4) / (np.exp(4) + np.exp(3) + 5)
    assert f"Toy toy {HAPPY:.2f} for happy" in words_of(page)
    assert f"Toy surprised {surprised:.2f} for happy" in words_of(page)
    assert "Both rank happy first" in words_of(page)


def test_models_that_disagree_are_said_to(app):
    dark = png(half_faces((0, 0))[0] + 1)  # all logits about 0 for one, 3 for surprise for the other
    page = upload(app("predict", compare="surprised"), ("dark.png", dark))
    assert "The models disagree" in words_of(page)


def test_a_model_cannot_be_compared_with_itself(app):
    page = app("predict", compare="surprised")
    page.selectbox(key="model").select("surprised").run()
    assert not page.exception
    assert page.selectbox(key="compare").value == ""
    assert page.selectbox(key="compare").options == ["No other model", "Toy toy"]


def test_a_damaged_model_folder_is_named_and_the_others_work(app, models_dir):
    (models_dir / "surprised" / "model.json").write_text("{")
    page = app("predict")
    assert not page.exception
    assert page.selectbox(key="model").options == ["Toy toy"]
    assert "surprised" in page.warning[0].value


def test_a_model_file_that_was_tampered_with_is_refused_with_a_sentence(app, models_dir):
    path = models_dir / "toy" / "model.onnx"
    path.write_bytes(path.read_bytes()[::-1])
    page = app("predict")
    assert not page.exception
    assert "sha256" in page.error[0].value
    page.selectbox(key="model").select("surprised").run()
    assert not page.error


def test_without_any_model_the_page_says_so(app, models_dir, monkeypatch):
    monkeypatch.setenv("FER_MODELS_DIR", str(models_dir / "nowhere"))
    page = app("predict")
    assert not page.exception
    assert "no model" in page.error[0].value


def test_the_intended_use_stands_where_pictures_are_taken(app):
    for source in ("Samples", "Upload", "Camera"):
        page = app("predict")
        page.segmented_control(key="source").set_value(source).run()
        said = sentences_of(page)
        assert "teaching and demonstration" in said
        assert "5(1)(f)" in said
        assert "Nothing you upload is stored" in said


def test_every_picture_has_a_text_for_those_who_do_not_see_it(app):
    page = app("predict", sample="group")
    html = html_of(page)
    assert html.count("<img") == html.count(' alt="') > 0
    assert ' alt=""' not in html


def test_the_page_never_imports_tensorflow(models_dir):
    script = """
import sys
from streamlit.testing.v1 import AppTest
app = AppTest.from_file("streamlit_app.py", default_timeout=60).run()
app.switch_page("pages/predict.py").run()
assert not app.exception and not app.error, app.error
assert app.html
# (Streamlit itself imports plotly where it is installed)
print(*[name for name in ("tensorflow", "keras", "sklearn", "scipy") if name in sys.modules])
"""
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == ""


@pytest.mark.skipif(not load_registry(ROOT / "models").servable, reason="no model is committed")
def test_the_committed_models_score_every_sample(monkeypatch):
    monkeypatch.setenv("FER_MODELS_DIR", str(ROOT / "models"))
    page = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)
    page.switch_page("pages/predict.py").run()
    for sample in samples.list_samples():
        page.pills(key="sample").set_value(sample.id).run()
        assert not page.exception
        assert not page.error
        assert not page.warning
        assert " for " in words_of(page)


def test_scores_can_be_downloaded_in_two_forms(app):
    assert [button.label for button in app("predict").download_button] == ["Scores as CSV", "Scores as JSON"]


def test_a_download_holds_a_row_for_each_face_and_model():
    def answer(*scores: float) -> SimpleNamespace:
        record = {"face": 1, "p_happy": scores[0], "cautions": ["Small.", "Blurred."]}
        return SimpleNamespace(result=SimpleNamespace(to_records=lambda: [record]))

    answers = [(SimpleNamespace(id="one"), answer(0.7)), (SimpleNamespace(id="two"), answer(0.2))]
    records = downloads.rows("party.jpg", answers)
    assert [(row["picture"], row["model"], row["p_happy"]) for row in records] == [
        ("party.jpg", "one", 0.7),
        ("party.jpg", "two", 0.2),
    ]
    document = json.loads(downloads.as_json(records))
    assert "do not say what a person feels" in document["note"]
    assert document["faces"][1]["p_happy"] == 0.2
    assert document["faces"][1]["cautions"] == ["Small.", "Blurred."]
