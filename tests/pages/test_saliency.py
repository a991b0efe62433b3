"""The page "Saliency" as a visitor has it, on toys whose maps are known: that for happy lies on the left half.

The model `studied` of the views on cells and ledgers has the predictions of ``tests.toy_predictions.MATRIX``, and maps
of its own: what speaks for angry is on the left, what speaks for disgust on the right.
"""

from __future__ import annotations

import base64
import io
import os
import re
import subprocess
import sys
from dataclasses import replace
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from fer_core.classifier import load_classifier
from fer_core.data import catalogue
from fer_core.data.catalogue import Catalogue
from fer_core.explain import atlas, cam, ledger
from fer_core.labels import EMOTIONS, index_of
from fer_core.registry import ATLAS_FILE, LEDGER_FILE, PREDICTIONS_FILE, ModelCard, write_card
from fer_core.settings import ROOT
from fer_core.wording import percent
from tests.pages.conftest import html_of, png, sentences_of, words_of
from tests.text import plain
from tests.toy import KERNEL, half_faces, make_toy_model
from tests.toy_predictions import MATRIX, make_evaluated_model, toy_predictions, write_faces

HAPPY = np.exp(4) / (np.exp(4) + 6)  # the toy's score for happy on a face with a white left half: 0.90
STRONGEST, NOTHING = (252, 255, 164), (0, 0, 4)  # ends of the colours of a map
RED, WHITE = (178, 24, 43), (247, 247, 247)  # of a contrast: for, and neither

SEEING = KERNEL.copy()
SEEING[0, index_of("angry")] = 8
SEEING[1, index_of("disgust")] = 8


@pytest.fixture(autouse=True)
def _no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FER_DATA_DIR", "FERPLUS_CSV"):
        monkeypatch.delenv(name, raising=False)


def assert_sound(page: AppTest) -> None:
    assert not page.exception
    assert not page.error


def gallery(page: AppTest, name: str) -> dict[str, np.ndarray]:
    """Return the pictures of a gallery, RGB, by what stands below each."""
    (found,) = [part for part in html_of(page).split("<ul ")[1:] if part.startswith(f'aria-label="{name}')]
    items = re.findall(r'<img src="data:image/png;base64,([^"]+)".*?</li>', found.partition("</ul>")[0])
    captions = re.findall(r"opacity:\.85\">(.*?)</div>", found.partition("</ul>")[0])
    assert len(items) == len(captions)
    return {
        unescape(caption): np.asarray(Image.open(io.BytesIO(base64.b64decode(item))).convert("RGB"))
        for caption, item in zip(captions, items, strict=True)
    }


def halves(picture: np.ndarray) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the colour of the middle of a picture's left and of its right half."""
    height, width, _ = picture.shape
    return tuple(picture[height // 2, width // 4].tolist()), tuple(picture[height // 2, 3 * width // 4].tolist())


def raw_map(page: AppTest) -> np.ndarray:
    return gallery(page, "Map for")["The map itself: 6 × 6 cells"]


def upload(page: AppTest, data: bytes, name: str = "half.png") -> AppTest:
    page.segmented_control(key="source").set_value("Upload").run()
    return page.file_uploader[0].set_value([(name, data, "image/png")]).run()


def button(page: AppTest, label: str):
    return next(element for element in page.button if element.label == label)


def link(page: AppTest, label: str) -> dict[str, str]:
    """Return what a link of that label says in its address."""
    (found,) = [each.proto for each in page.get("page_link") if each.proto.label.startswith(label)]
    return {key: values[0] for key, values in parse_qs(found.query_string).items()}


def address(page: AppTest) -> dict[str, str]:
    return dict(page.query_params)


def records(page: AppTest, field: str) -> list[dict]:
    """Return the data of the charts that have this field."""
    charts = [pa.ipc.open_stream(e.proto.data.data).read_all().to_pylist() for e in page.get("vega_lite_chart")]
    return [row for rows in charts for row in rows if field in row]


# ---------------------------------------------------------------------------------------------------------------------
# One face


def test_a_stranger_sees_a_sample_with_a_map_a_verdict_and_the_intended_use(app):
    page = app("saliency")
    assert_sound(page)
    assert address(page) == {}
    assert set(gallery(page, "Map for")) >= {"48 × 48 pixels", "The map itself: 6 × 6 cells"}
    assert re.search(r"Eileen Collins; the model scores it 0\.\d\d for \w+\.", sentences_of(page))
    assert re.search(r"Can it be trusted\?\*\* :\w+-badge\[\S+ (Trust|Weak|Do not trust)\]", sentences_of(page))
    assert " is happy" not in sentences_of(page) + words_of(page)


@pytest.mark.parametrize("source", ["Samples", "Upload", "Camera", "FER2013"])
def test_the_intended_use_stands_where_faces_are_looked_at(app, source):
    page = app("saliency")
    page.segmented_control(key="source").set_value(source).run()
    assert_sound(page)
    assert "AI Act, article 5(1)(f)" in sentences_of(page)


def test_an_uploaded_face_gets_the_map_of_its_highest_score_where_the_network_looks(app, half_face):
    page = upload(app("saliency"), half_face)
    assert_sound(page)
    assert f"half.png; the model scores it {HAPPY:.2f} for happy." in sentences_of(page)
    assert halves(raw_map(page)) == (STRONGEST, NOTHING)
    covered = gallery(page, "Map for happy")["Evidence for happy"]
    assert len(set(halves(covered)[0])) == 3, "the left is coloured"
    assert len(set(halves(covered)[1])) == 1, "the right is left as it was"


def test_a_map_that_a_mirror_takes_away_is_not_to_be_trusted(app, half_face):
    page = upload(app("saliency"), half_face)
    assert "Do not trust" in sentences_of(page)
    assert "does not survive a small change of the face: correlation 0.00 mirrored" in sentences_of(page)


def test_another_label_is_asked_for_and_stands_in_the_address(app, half_face):
    page = upload(app("saliency"), png(half_faces((255, 100))[0]))
    page.selectbox(key="label").select("sad").run()
    assert_sound(page)
    assert address(page) == {"label": "sad"}
    assert halves(raw_map(page)) == (NOTHING, STRONGEST)


def test_a_label_without_evidence_gets_a_warning_and_no_colours(app, half_face):
    page = upload(app("saliency", label="fear"), half_face)
    assert not page.error
    assert "zero everywhere" in page.warning[0].value
    assert halves(raw_map(page)) == ((128,) * 3,) * 2
    assert "Do not trust" in sentences_of(page)
    assert "A map that is zero everywhere lies nowhere." in sentences_of(page)


def test_a_contrast_says_which_colour_speaks_for_which_label(app, half_face):
    page = upload(app("saliency"), half_face)
    page.selectbox(key="against").select("sad").run()
    assert_sound(page)
    assert address(page) == {"against": "sad"}
    assert "Red speaks for happy, blue for sad." in sentences_of(page)
    assert halves(raw_map(page)) == (RED, WHITE)
    assert "Evidence for happy rather than sad" in gallery(page, "Map for happy rather than sad")


def test_a_label_is_not_contrasted_with_itself(app, half_face):
    page = upload(app("saliency", against="happy"), half_face)
    options = page.selectbox(key="against").options
    assert len(options) == 7
    assert not any(option.startswith("happy") for option in options)
    assert page.selectbox(key="against").value == ""
    page.selectbox(key="label").select("sad").run()
    page.selectbox(key="against").select("happy").run()
    page.selectbox(key="label").select("happy").run()
    assert_sound(page)
    assert page.selectbox(key="against").value == ""
    assert address(page) == {"label": "happy"}


def test_each_face_of_a_photo_can_be_asked_about_and_comes_back_by_its_address(app):
    page = app("saliency", sample="group")
    assert page.pills(key="face").options == ["1", "2", "3", "4", "5"]
    assert "Five portraits, face 1; the model scores it" in sentences_of(page)
    page.pills(key="face").set_value("3").run()
    assert address(page) == {"sample": "group", "face": "3"}
    again = app("saliency", sample="group", face="3")
    assert "Five portraits, face 3; the model scores it" in sentences_of(again)
    assert (raw_map(again) == raw_map(page)).all()


def test_a_photo_without_a_face_gets_a_sentence(app):
    wall = np.full((600, 900, 3), 200, np.uint8)
    wall[:, 400:] = 120
    page = upload(app("saliency"), png(wall))
    assert_sound(page)
    assert "No face was found" in sentences_of(page)
    assert not page.tabs


def test_all_seven_labels_stand_there_by_score_and_empty_maps_are_named(app, half_face):
    shown = list(gallery(upload(app("saliency"), half_face), "Maps for all seven labels"))
    assert len(shown) == 7
    assert shown[0] == "happy: 0.90"
    assert all(caption.endswith("0.02 (no evidence)") for caption in shown if not caption.startswith(("happy", "sad")))


def test_the_parts_of_the_face_add_up_to_the_map(app, half_face):
    found = records(upload(app("saliency"), half_face), "area")
    assert [row["part"] for row in found] == ["Brows", "Eyes", "Nose", "Mouth", "Cheeks", "Elsewhere"]
    assert sum(row["share"] for row in found) == pytest.approx(1, abs=1e-5)
    assert sum(row["area"] for row in found) == pytest.approx(1)


def test_the_curves_start_at_the_score_of_the_face(app, half_face):
    found = records(upload(app("saliency"), half_face), "order")
    assert len(found) == 4 * 13
    assert {round(row["score"], 4) for row in found if row["share"] == 0} >= {round(float(HAPPY), 4)}
    assert all(chart.proto.alt for chart in upload(app("saliency"), half_face).get("vega_lite_chart"))


# ---------------------------------------------------------------------------------------------------------------------
# What if


def test_before_anything_is_changed_the_editor_shows_the_face_as_it_is(app, half_face):
    page = upload(app("saliency"), half_face)
    assert "Nothing is changed yet" in sentences_of(page)
    (changed, _) = gallery(page, "The changed face").values()
    assert halves(changed) == ((255,) * 3, (0,) * 3)


def test_covering_a_part_changes_the_scores_as_the_network_computes_them(app, half_face):
    page = upload(app("saliency"), half_face)
    page.selectbox(key="edit_part").select("a rectangle").run()
    page.slider(key="edit_columns").set_value((0, 24)).run()
    page.slider(key="edit_rows").set_value((0, 48)).run()
    page.toggle(key="edit_cover").set_value(True).run()
    assert_sound(page)
    left = np.exp(4 * 128 / 255)  # the mean grey of the face instead of white
    after = left / (left + 6)
    assert f"**happy** {HAPPY:.2f} → {after:.2f}" in sentences_of(page)
    assert "The highest score stays that for happy." in sentences_of(page)
    assert f"Happy {after:.2f}" in words_of(page)
    (changed, _) = gallery(page, "The changed face").values()
    assert halves(changed) == ((128,) * 3, (0,) * 3)


def test_a_change_that_moves_no_score_is_said_to_move_none(app, half_face):
    page = upload(app("saliency"), half_face)
    page.selectbox(key="edit_part").select("a rectangle").run()
    page.slider(key="edit_columns").set_value((0, 1)).run()
    page.slider(key="edit_rows").set_value((0, 1)).run()
    page.toggle(key="edit_cover").set_value(True).run()  # one pixel of 2,304: the logit goes from 4 to 3.998
    assert_sound(page)
    assert "No score changes by 0.01" in sentences_of(page)
    assert "The highest score stays that for happy." in sentences_of(page)


def test_mirroring_the_whole_face_exchanges_happy_and_sad(app, half_face):
    page = upload(app("saliency"), half_face)
    page.selectbox(key="edit_part").select("whole face").run()
    page.toggle(key="edit_mirror").set_value(True).run()
    assert_sound(page)
    assert "**happy** 0.90 → 0.02" in sentences_of(page)
    assert "**sad** 0.02 → 0.90" in sentences_of(page)
    assert "The highest score is now that for **sad**, no longer happy." in sentences_of(page)
    page.toggle(key="edit_mirror").set_value(False).run()
    assert "Nothing is changed yet" in sentences_of(page)


# ---------------------------------------------------------------------------------------------------------------------
# Other methods, and models that can do less


def test_without_weights_occlusion_is_computed_and_the_page_says_what_is_missing(app, half_face):
    page = upload(app("saliency"), half_face)
    assert "comes without Keras weights" in sentences_of(page)
    assert not page.dataframe
    button(page, "Compute").click().run()
    assert_sound(page)
    assert "Compute" not in [element.label for element in page.button]
    table = page.dataframe[0].value
    assert list(table["Method"]) == ["Grad-CAM, closed form", "Occlusion"]
    assert set(table["Verdict"]) <= {"trust", "weak", "do not trust"}
    assert list(table["Cells"]) == ["6 × 6", "12 × 12"]
    shown = gallery(page, "Maps by several methods")
    (covered,) = [picture for caption, picture in shown.items() if caption.startswith("Occlusion")]
    assert len(set(halves(covered)[0])) == 3, "covering the white half lowers the score for happy"


def test_what_was_computed_stays_until_something_else_is_asked(app, half_face):
    page = upload(app("saliency"), half_face)
    button(page, "Compute").click().run()
    page.slider(key="strength").set_value(0.8).run()
    assert page.dataframe
    page.selectbox(key="label").select("sad").run()
    assert not page.dataframe
    page.selectbox(key="label").select("").run()
    assert page.dataframe, "the first question is remembered"


def test_a_model_without_a_head_gets_a_sentence_and_another_can_be_chosen(app, models_dir):
    make_toy_model(models_dir, "headless", accuracy=0.9, head=False)
    page = app("saliency")
    assert not page.exception
    assert "comes without head.npz" in page.error[0].value
    page.selectbox(key="model").select("toy").run()
    assert_sound(page)
    assert raw_map(page).any()


def test_without_any_model_the_page_says_so(app, models_dir, monkeypatch):
    monkeypatch.setenv("FER_MODELS_DIR", str(models_dir / "nowhere"))
    page = app("saliency")
    assert not page.exception
    assert "no model" in page.error[0].value


def test_neither_a_face_nor_occlusion_needs_tensorflow(models_dir):
    script = (
        "import sys\n"
        "from streamlit.testing.v1 import AppTest\n"
        "page = AppTest.from_file('streamlit_app.py', default_timeout=60)\n"
        "page.switch_page('pages/saliency.py').run()\n"
        "next(button for button in page.button if button.label == 'Compute').click().run()\n"
        "assert not page.exception and not page.error, page.error\n"
        "assert len(page.dataframe[0].value) == 2\n"
        "for view in ('cell', 'causes', 'reading'):\n"
        "    page.segmented_control(key='show').set_value(view).run()\n"
        "    assert not page.exception and not page.error, page.error\n"
        "print([name for name in ('tensorflow', 'keras', 'sklearn', 'scipy') if name in sys.modules])\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=True
    )
    assert found.stdout.strip().splitlines()[-1] == "[]"


# ---------------------------------------------------------------------------------------------------------------------
# What belongs to a visitor


def test_what_was_made_of_an_upload_is_forgotten_with_it(app, half_face, photo):
    page = upload(app("saliency"), half_face)
    button(page, "Compute").click().run()
    (mine,) = page.session_state["_visit"].photos
    upload(page, photo, "portrait.jpg")
    kept = page.session_state["_visit"].remembered
    theirs = set(page.session_state["_visit"].photos)
    assert len(theirs) == 2
    assert theirs <= {key[0] for key in kept}
    assert any("methods" in key for key in kept if key[0] == mine)
    page.pills(key="photo").set_value(mine).run()
    button(page, "Remove this picture").click().run()
    assert mine not in {key[0] for key in page.session_state["_visit"].remembered}
    button(page, "Remove all").click().run()
    assert not theirs & {key[0] for key in page.session_state["_visit"].remembered}
    assert not page.exception


def test_the_address_never_names_an_upload(app, half_face):
    page = upload(app("saliency", sample="group", face="2"), half_face)
    assert address(page) == {}
    page.selectbox(key="label").select("sad").run()
    page.selectbox(key="against").select("fear").run()
    assert address(page) == {"label": "sad", "against": "fear"}


def test_a_picture_given_on_predict_is_there(app, half_face):
    page = app("predict")
    upload(page, half_face)
    page.switch_page("pages/saliency.py").run()
    assert_sound(page)
    assert "half.png; the model scores it 0.90 for happy." in sentences_of(page)


# ---------------------------------------------------------------------------------------------------------------------
# An image of FER2013


@pytest.fixture
def faces(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set up a picture for each image of the toy predictions; one of them bright on the left."""
    around = tmp_path_factory.mktemp("data")
    folder = write_faces(around / "fer2013")
    Image.fromarray(half_faces((255, 0))[0]).save(folder / "test/happy/PrivateTest_003.jpg", "JPEG", quality=95)
    monkeypatch.setenv("FER_DATA_DIR", str(folder))
    monkeypatch.setenv("FER_CACHE_DIR", str(around / "cache"))
    return folder


@pytest.mark.parametrize("name", ["PrivateTest_003", "PrivateTest_003.jpg", "test/happy/PrivateTest_003.jpg"])
def test_an_image_of_fer2013_is_opened_by_its_name(app, faces, name):
    (faces / "test/angry/PrivateTest_003.jpg").unlink()  # numbers are unique in FER2013
    (faces / "test/disgust/PrivateTest_003.jpg").unlink()
    (faces / "test/fear/PrivateTest_003.jpg").unlink()
    page = app("saliency", image=name)
    assert_sound(page)
    assert page.segmented_control(key="source").value == "FER2013"
    assert "PrivateTest_003, labelled happy; the model scores it 0.90 for happy." in sentences_of(page)
    assert address(page) == {"image": "test/happy/PrivateTest_003.jpg"}


def test_an_image_can_be_typed_in_and_an_unknown_one_gets_a_sentence(app, faces):
    page = app("saliency")
    page.segmented_control(key="source").set_value("FER2013").run()
    assert_sound(page)
    page.text_input(key="image").set_value("PrivateTest_999").run()
    assert not page.exception
    assert "no image “PrivateTest_999”" in page.warning[0].value
    page.text_input(key="image").set_value("test/happy/PrivateTest_003.jpg").run()
    assert_sound(page)
    assert not page.warning
    assert address(page)["image"] == "test/happy/PrivateTest_003.jpg"


def test_a_link_to_an_unknown_image_does_not_hold_the_visitor(app, faces):
    page = app("saliency", image="PrivateTest_999")
    assert "no image" in page.warning[0].value
    page.text_input(key="image").set_value("test/happy/PrivateTest_003.jpg").run()
    assert "labelled happy" in sentences_of(page)
    page = app("saliency", image="PrivateTest_999")
    page.segmented_control(key="source").set_value("Samples").run()
    assert_sound(page)
    assert "Eileen Collins" in sentences_of(page)
    assert address(page) == {}


def test_another_image_is_a_test_image_and_stands_in_the_address(app, faces):
    page = app("saliency", image="test/happy/PrivateTest_003.jpg")
    seen = set()
    for _ in range(4):
        button(page, "Another").click().run()
        assert_sound(page)
        seen.add(address(page)["image"])
    assert all(name.startswith("test/") for name in seen)
    assert len(seen) > 1


def test_without_the_data_a_link_to_an_image_is_explained_and_does_not_hold_the_visitor(app):
    page = app("saliency", image="test/happy/PrivateTest_003.jpg")
    assert_sound(page)
    assert "The faces of FER2013 are not part of this project" in sentences_of(page)
    page.segmented_control(key="source").set_value("Samples").run()
    assert "Eileen Collins" in sentences_of(page)
    page = app("saliency", image="test/happy/PrivateTest_003.jpg")
    page.segmented_control(key="show").set_value("reading").run()
    assert page.segmented_control(key="show").value == "reading"


def test_back_from_an_image_leads_to_the_sample_before(app, faces):
    page = app("saliency", sample="group")
    page.segmented_control(key="source").set_value("FER2013").run()
    assert set(address(page)) == {"image"}
    del page.query_params["image"]
    page.query_params["sample"] = "group"
    page.run()
    assert "Five portraits" in sentences_of(page)
    page = app("saliency")
    page.segmented_control(key="source").set_value("FER2013").run()
    del page.query_params["image"]
    page.run()
    assert "Eileen Collins" in sentences_of(page)
    assert address(page) == {}


# ---------------------------------------------------------------------------------------------------------------------
# A cell, taken apart


def towards(emotion: int, count: int) -> np.ndarray:
    """Return faces whose features point in a direction of the class's own, from left (angry) to right (surprise)."""
    angle = np.pi / 2 * emotion / 6
    return half_faces(*[(int((255 - k) * np.cos(angle)), int((255 - k) * np.sin(angle))) for k in range(count)])


def toy_catalogue() -> Catalogue:
    rows = toy_predictions(MATRIX)
    order = np.argsort(rows.names)
    zeros = np.zeros(len(order), np.float32)
    return Catalogue(rows.names[order], rows.labels[order], rows.split[order], zeros, zeros, zeros)


@pytest.fixture(scope="session")
def made_atlas(tmp_path_factory) -> atlas.Atlas:
    """Return the atlas of `studied`: test faces look as their answer does, training faces as their label does."""
    card = make_toy_model(tmp_path_factory.mktemp("atlas"), "studied", kernel=SEEING)
    rows = toy_predictions(MATRIX)
    rows = rows.take(np.argsort(rows.names))
    test, train = np.flatnonzero(rows.split != "val"), np.flatnonzero(rows.split == "val")

    def faces_of(kinds: np.ndarray) -> np.ndarray:
        faces = np.empty((len(kinds), 48, 48), np.uint8)
        for k in range(7):
            faces[kinds == k] = towards(k, int((kinds == k).sum()))
        return faces

    material = atlas.Material(
        faces=faces_of(rows.predicted[test]),
        labels=rows.labels[test],
        answers=rows.predicted[test],
        points=[None] * len(test),
        train_faces=faces_of(rows.labels[train]),
        train_labels=rows.labels[train],
        train_place=train,
    )
    return atlas.build(cam.explainer(load_classifier(card)), material, control=(0.25, 64), say=lambda text: None)


@pytest.fixture
def studied(models_dir: Path, made_atlas, monkeypatch: pytest.MonkeyPatch) -> ModelCard:
    """Add the best model: with predictions, atlas and ledger."""
    monkeypatch.setattr(catalogue, "load", toy_catalogue)
    card = make_evaluated_model(models_dir, "studied", onnx=True, kernel=SEEING, accuracy=0.9)
    atlas.write_atlas(made_atlas, card.directory / ATLAS_FILE)
    rows = toy_predictions(MATRIX)
    given = ledger.Inputs(rows.select("all"), rows.select("val"), leaked=frozenset())
    ledgers = [ledger.ledger(given, index_of(emotion)) for emotion in ("disgust", "surprise")]
    ledger.write(card.directory / LEDGER_FILE, ledgers, card.files[PREDICTIONS_FILE]["sha256"])
    return write_card(replace(card, outputs=card.outputs))


def test_a_cell_opens_by_label_and_answer_alone(app, studied):
    page = app("saliency", model="studied", true="disgust", pred="angry")
    assert_sound(page)
    assert page.segmented_control(key="show").value == "cell"
    assert page.subheader[0].value == "disgust → angry"
    assert "Of the test images labelled **disgust**, 12 of 20, 60.0 % (39–78 %) are answered **angry**." in (
        sentences_of(page)
    )
    assert address(page) == {"model": "studied", "show": "cell", "true": "disgust", "pred": "angry"}


def test_the_view_begins_with_disgust_and_where_it_mostly_goes(app, studied):
    page = app("saliency", show="cell")
    assert_sound(page)
    assert page.subheader[0].value == "disgust → angry"
    assert address(page) == {"show": "cell", "true": "disgust", "pred": "angry"}


def test_another_label_begins_where_it_mostly_goes_and_another_answer_stays(app, studied):
    page = app("saliency", show="cell")
    page.selectbox(key="true").select("fear").run()
    assert page.subheader[0].value == "fear → surprise"
    page.selectbox(key="pred").select("fear").run()
    assert_sound(page)
    assert page.subheader[0].value == "fear → fear"
    assert address(page) == {"show": "cell", "true": "fear", "pred": "fear"}


def test_the_back_button_returns_to_the_cell_before(app, studied):
    page = app("saliency", show="cell", true="disgust", pred="happy")
    page.selectbox(key="true").select("sad").run()
    assert page.subheader[0].value == "sad → neutral"
    page.query_params.update({"true": "disgust", "pred": "happy"})
    page.run()
    assert page.subheader[0].value == "disgust → happy"


def test_the_mean_faces_and_maps_show_what_speaks_for_the_answer(app, studied):
    shown = gallery(app("saliency", true="disgust", pred="angry"), "Mean faces and maps")
    assert list(shown) == [
        "disgust → angry: mean of 12",
        "angry, answered so: mean of 16",
        "disgust, answered so: map for disgust",
        "disgust → angry: map for angry",
        "angry, answered so: map for angry",
        "angry rather than disgust",
    ]
    left, right = halves(shown["disgust → angry: mean of 12"])
    assert left[0] > 230 > 10 > right[0]
    assert len(set(halves(shown["angry rather than disgust"])[0])) == 3, "the left speaks for angry"
    assert len(set(halves(shown["disgust → angry: map for angry"])[1])) == 1


def test_no_mean_face_of_few_images_is_shown_and_the_page_says_why(app, studied):
    page = app("saliency", true="disgust", pred="angry")
    assert "No mean face is kept of fewer than 10 images (disgust, answered so)" in sentences_of(page)


def test_parts_tests_and_neighbours_of_a_cell_are_said_in_words(app, studied):
    page = app("saliency", true="disgust", pred="angry")
    said = sentences_of(page)
    assert "on the same parts as on faces that are labelled angry and answered so" in said
    assert "12 of the cell’s surest answers were put to the test" in said
    assert "correlate by 0.25 on average" in said
    assert "Of the 60 training faces nearest to these" in said
    assert "100.0 % angry. 0.0 % share the label disgust." in said
    assert all(chart.proto.alt for chart in page.get("vega_lite_chart"))


def test_a_cell_of_the_diagonal_is_not_contrasted_with_itself(app, studied):
    page = app("saliency", true="angry", pred="angry")
    assert_sound(page)
    assert list(gallery(page, "Mean faces and maps")) == [
        "angry → angry: mean of 16",
        "angry → angry: map for angry",
    ]


def test_an_empty_cell_says_so_and_leads_back(app, studied):
    page = app("saliency", true="disgust", pred="fear")
    assert_sound(page)
    assert "No test image is in this cell." in sentences_of(page)
    assert link(page, "Back to this cell") == {"model": "studied", "true": "disgust", "pred": "fear"}


def test_without_an_atlas_or_a_ledger_a_sentence_says_how_to_make_one(app):
    page = app("saliency", true="disgust", pred="angry")
    assert_sound(page)
    assert "comes without an atlas" in sentences_of(page)
    assert "python -m fer_core explain atlas toy" in sentences_of(page)
    page.segmented_control(key="show").set_value("causes").run()
    assert_sound(page)
    assert "comes without a cause ledger" in sentences_of(page)
    page.segmented_control(key="show").set_value("face").run()
    assert_sound(page)
    assert address(page) == {}


@pytest.mark.parametrize(("name", "show"), [(ATLAS_FILE, "cell"), (LEDGER_FILE, "causes")], ids=["atlas", "ledger"])
def test_a_damaged_file_gets_a_sentence_and_the_other_views_work(app, studied, name, show):
    path = studied.directory / name
    path.write_bytes(path.read_bytes()[::-1])
    page = app("saliency", show=show)
    assert not page.exception
    assert "sha256" in page.error[0].value
    page.segmented_control(key="show").set_value("face").run()
    assert_sound(page)


def test_a_model_that_is_cut_off_is_named_and_the_others_work(app, studied):
    path = studied.directory / ATLAS_FILE
    path.write_bytes(path.read_bytes()[:-40])
    page = app("saliency")
    assert_sound(page)
    assert page.warning[0].value.startswith("`studied` is left out.")
    assert page.selectbox(key="model").value == "toy"


def test_an_atlas_of_another_network_is_refused(app, studied, made_atlas):
    atlas.write_atlas(
        replace(made_atlas, about=replace(made_atlas.about, network="0" * 64)), studied.directory / ATLAS_FILE
    )
    write_card(replace(studied, outputs=studied.outputs))
    page = app("saliency", show="cell")
    assert not page.exception
    assert "another version of the model" in page.error[0].value


def test_without_the_images_a_cell_is_taken_apart_and_its_faces_are_explained_away(app, studied):
    page = app("saliency", true="disgust", pred="angry")
    assert "The rest of this page needs none." in sentences_of(page)
    assert "Faces of the cell with their maps" not in html_of(page)


def test_with_the_images_each_face_of_the_cell_leads_to_its_own_map(app, studied, faces):
    page = app("saliency", true="disgust", pred="angry")
    assert_sound(page)
    shown = gallery(page, "Faces of the cell with their maps")
    assert [caption[:-1] for caption in shown] == ["angry 0.6"] + ["angry 0.5"] * (len(shown) - 1)
    first = unescape(re.search(r'<a href="(saliency\?[^"]+)"', html_of(page)).group(1))
    query = {key: values[0] for key, values in parse_qs(first.partition("?")[2]).items()}
    assert query == {"model": "studied", "image": "test/disgust/PublicTest_000.jpg", "label": "angry"}
    opened = app("saliency", **query)
    assert_sound(opened)
    assert opened.segmented_control(key="show").value == "face"
    assert "PublicTest_000, labelled disgust" in sentences_of(opened)
    assert opened.selectbox(key="label").value == "angry"


def test_the_nearest_training_faces_carry_their_labels(app, studied, faces):
    page = app("saliency", true="disgust", pred="angry")
    rows = html_of(page).split('aria-label="A face and its nearest training faces"')[1:]
    assert len(rows) == 4
    for row in rows:
        captions = re.findall(r"opacity:\.85\">(.*?)</div>", row.partition("</ul>")[0])
        assert captions == ["this face: disgust"] + ["angry"] * 5


# ---------------------------------------------------------------------------------------------------------------------
# From the matrix and back, and between the views


def test_the_matrix_leads_to_the_cell_s_autopsy_and_that_back_to_the_cell(app, studied):
    matrix = app("confusion", true="disgust", pred="angry")
    there = link(matrix, "Why?")
    assert there == {"show": "cell", "model": "studied", "true": "disgust", "pred": "angry"}
    page = app("saliency", **there)
    assert page.subheader[0].value == "disgust → angry"
    assert address(page) == there, "or the back button would need two clicks"
    back = app("confusion", **link(page, "Back to this cell"))
    assert back.subheader[0].value == "disgust → angry"


def test_images_without_an_answer_have_no_autopsy(app, studied):
    matrix = app("confusion", true="disgust", pred="no answer", abstain="0.99")
    assert not [each for each in matrix.get("page_link") if each.proto.label.startswith("Why?")]


def test_asking_why_on_predict_leads_to_a_face_whatever_was_looked_at_before(app, studied):
    assert link(app("predict"), "Ask why") == {"model": "studied", "show": "face"}
    page = app("saliency", show="cell")
    page.switch_page("pages/predict.py").run()
    page.query_params.update(link(page, "Ask why"))
    page.switch_page("pages/saliency.py").run()
    assert_sound(page)
    assert page.segmented_control(key="show").value == "face"
    assert page.tabs


@pytest.mark.parametrize("view", ["compare", "training", "card", "table"])
def test_saliency_and_models_do_not_mix_up_their_views(app, studied, view):
    page = app("models", show=view)
    page.query_params.clear()
    page.switch_page("pages/saliency.py").run()
    assert_sound(page)
    assert page.segmented_control(key="show").value == "face"
    page.segmented_control(key="show").set_value("causes").run()
    page.query_params.clear()
    page.switch_page("pages/models.py").run()
    assert_sound(page)
    assert page.segmented_control(key="show").value == "table"


def test_views_follow_each_other_and_the_address_says_what_is_shown(app, studied):
    page = app("saliency", sample="group", face="2", label="sad", against="fear")
    assert_sound(page)
    face = address(page)
    assert face == {"sample": "group", "face": "2", "label": "sad", "against": "fear"}
    for view, rest in (
        ("cell", {"true": "disgust", "pred": "angry"}),
        ("causes", {"true": "disgust"}),
        ("reading", {}),
        ("cell", {"true": "disgust", "pred": "angry"}),
    ):
        page.segmented_control(key="show").set_value(view).run()
        assert_sound(page)
        assert address(page) == {"show": view, **rest}
    page.segmented_control(key="show").set_value("face").run()
    assert_sound(page)
    assert address(page) == face


@pytest.mark.parametrize(
    "query",
    [
        {"show": "nonsense"},
        {"show": "cell", "true": "joy", "pred": "no answer"},
        {"show": "causes", "true": "joy"},
        {"model": "gone", "sample": "gone", "face": "99", "label": "joy", "against": "joy"},
        {"pred": "joy"},
    ],
)
def test_nonsense_in_the_address_is_passed_over(app, studied, query):
    assert_sound(app("saliency", **query))


# ---------------------------------------------------------------------------------------------------------------------
# Where a class is lost, and the text


def test_the_ledger_says_what_is_lost_and_what_no_line_explains(app, studied):
    page = app("saliency", show="causes")
    assert_sound(page)
    assert page.subheader[0].value == "Why images labelled disgust are lost"
    assert "Of 20 test images labelled disgust, 4 are answered disgust; 16 are lost" in sentences_of(page)
    bars = records(page, "kind")
    assert [row["kind"] for row in bars][-1] == "unexplained"
    assert len(bars) == 2, "class share is measured; without votes, scores and features the others are not"
    assert sum("not measured" in markdown.value for markdown in page.markdown) == 3
    assert "can* account for it, not that it is the cause" in sentences_of(page)


def test_the_ledger_of_another_label_opens_and_comes_back_by_its_address(app, studied):
    page = app("saliency", show="causes")
    page.segmented_control(key="lost_label").set_value("surprise").run()
    assert_sound(page)
    assert address(page) == {"show": "causes", "true": "surprise"}
    assert "none is lost" in sentences_of(app("saliency", show="causes", true="surprise"))
    page.segmented_control(key="lost_label").set_value("sad").run()
    assert_sound(page)
    assert "does not hold sad" in sentences_of(page)


def test_the_ledgers_of_several_models_stand_in_one_table(app, studied, models_dir):
    other = make_evaluated_model(models_dir, "second", onnx=True, accuracy=0.1)
    (other.directory / LEDGER_FILE).write_bytes((studied.directory / LEDGER_FILE).read_bytes())
    write_card(replace(other, outputs=other.outputs))
    table = app("saliency", show="causes").dataframe[0].value
    assert list(table["Model"]) == ["Toy studied", "Toy second"]
    assert list(table["Lost"]) == [16, 16]
    assert list(table["Labels that most voters do not share"]) == ["not measured"] * 2


def test_the_text_on_reading_maps_names_the_thresholds_that_verdicts_use(app):
    from fer_core.explain import faithfulness

    page = app("saliency", show="reading")
    assert_sound(page)
    said = sentences_of(page)
    assert "What a heat map cannot show" in said
    assert plain(f"“Trust” needs {percent(faithfulness.BEATS_SURE, 0)}") in said
    assert "{" not in said
    assert "not measured" not in said


assert {"angry", "disgust", "fear"} <= set(EMOTIONS)


def test_a_contrast_says_of_both_labels_on_which_parts_their_evidence_lies(app, half_face) -> None:
    page = upload(app("saliency", label="happy", against="sad"), half_face)
    assert not page.exception
    found = {(record["map"], record["part"]) for record in records(page, "part")}
    assert {name for name, _ in found} == {"for happy"}, "the right half of this face is black: nothing speaks for sad"
