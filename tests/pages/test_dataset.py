"""The page "Dataset" with and without the images, the votes, and models with stored predictions."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs

import cv2
import numpy as np
import pytest
import requests

from fer_core.data import catalogue, tables
from fer_core.data.browse import Query, select
from fer_core.data.ferplus import VOTE_COLUMNS, rows_of
from fer_core.evaluation import predictions
from fer_core.labels import EMOTIONS, index_of
from fer_core.registry import PREDICTIONS_FILE, load_registry, write_card
from fer_core.settings import ROOT
from tests.pages.conftest import html_of, sentences_of, words_of
from tests.text import plain

TABS = ("classes", "people", "quality", "map", "browser")
KINDS = ("leaked", "repeated", "contradicting", "near", "blank", "suspect")


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fresh machine: no images, no votes, nothing in the cache."""
    monkeypatch.delenv("FER_DATA_DIR", raising=False)
    monkeypatch.delenv("FERPLUS_CSV", raising=False)
    monkeypatch.setenv("FER_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def disgust() -> list[str]:
    """The names of the 55 images of PrivateTest labelled disgust."""
    found = catalogue.load()
    return found.names[select(found, Query(part="private", label="disgust"))].tolist()


@pytest.fixture
def images(disgust: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of FER2013 that has those 55 only; grey squares, the first of them white."""
    for number, name in enumerate(disgust):
        path = tmp_path / "fer2013" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((48, 48), 255 if number == 0 else 100, np.uint8))
    monkeypatch.setenv("FER_DATA_DIR", str(tmp_path / "fer2013"))


@pytest.fixture
def scored(models_dir: Path, disgust: list[str]) -> None:
    """The toy has predictions of those 55: right on the first, and fear on all others, ever more surely."""
    proba = np.zeros((len(disgust), 7), np.float32)
    sure = np.linspace(0.5, 0.9, len(disgust))
    proba[:, index_of("fear")], proba[:, index_of("disgust")] = sure, 1 - sure
    proba[0] = 0
    proba[0, index_of("disgust")] = 1
    labels = np.full(len(disgust), index_of("disgust"))
    stored = predictions.Predictions(np.array(disgust), np.array(["private"] * len(disgust)), labels, proba)
    predictions.write(models_dir / "toy" / PREDICTIONS_FILE, stored)
    write_card(load_registry(models_dir).get("toy"))


@pytest.fixture
def voted(disgust: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Votes for those 55: seven of ten for disgust on the first, all for anger on the others."""
    path = tmp_path / "votes.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["row", *VOTE_COLUMNS])
        for number, row in enumerate(rows_of(disgust).tolist()):
            votes = {"disgust": 7, "fear": 3} if number == 0 else {"anger": 10}
            if row >= 0:
                writer.writerow([row, *(votes.get(column, 0) for column in VOTE_COLUMNS)])
    monkeypatch.setenv("FERPLUS_CSV", str(path))


def sound(page) -> None:
    assert not page.exception
    assert not page.error, [error.value for error in page.error]


def shown(page) -> list[str]:
    """The images that the browser lists, in order."""
    return page.dataframe[-1].value["image"].tolist()


@pytest.mark.parametrize("tab", TABS)
def test_every_tab_works_without_images_votes_and_predictions(app, tab: str) -> None:
    page = app("dataset", tab=tab)
    sound(page)
    assert "FER2013 is not on this machine" in sentences_of(page)
    assert page.button[0].label.startswith("Get FER2013")


@pytest.mark.parametrize("tab", TABS)
def test_every_tab_works_with_images_votes_and_predictions(app, tab: str, images, scored, voted) -> None:
    page = app("dataset", tab=tab)
    sound(page)
    assert "FER2013 is not on this machine" not in sentences_of(page)


@pytest.mark.parametrize("kind", KINDS)
def test_every_fault_is_listed_without_images(app, kind: str) -> None:
    page = app("dataset", tab="quality", kind=kind)
    sound(page)
    assert page.segmented_control(key="kind").value == kind
    listed = page.dataframe[-1].value["image"]
    assert set(listed) >= set(catalogue.load().names[catalogue.load().flags[kind]])


def test_near_duplicates_across_the_splits_are_shown_alone(app) -> None:
    page = app("dataset", tab="quality", kind="near", pairs="across")
    sound(page)
    listed = page.dataframe[-1].value.groupby("group")["image"]
    assert all({name.split("/")[0] for name in pair} == {"train", "test"} for _, pair in listed)
    assert len(listed) < len(tables.rows("near"))


def test_filters_survive_a_look_at_another_tab(app) -> None:
    page = app("dataset", tab="browser", split="public", **{"class": "disgust"})
    page.segmented_control(key="tab").set_value("people").run()
    assert "class" not in page.query_params
    page.segmented_control(key="tab").set_value("browser").run()
    sound(page)
    assert page.selectbox(key="class").value == "disgust"
    assert page.selectbox(key="split").value == "public"
    assert len(shown(page)) == 56


def test_the_headline_says_what_to_take_away(app) -> None:
    values = {metric.label: plain(metric.value) for metric in app("dataset").metric}
    assert values["Leaked test images"] == "568 (7.9 %)"
    assert values["People agree"] == "62.6 %"


def test_filters_come_from_the_address_and_go_there(app, scored, disgust) -> None:
    page = app("dataset", tab="browser", split="private", **{"class": "disgust"}, pred="fear", sort="margin")
    sound(page)
    # most wrong first; the first of the 55 is right and not among them
    assert shown(page) == disgust[:0:-1]
    page.selectbox(key="pred").set_value("any").run()
    assert shown(page)[-1] == disgust[0]
    assert "pred" not in page.query_params
    page.selectbox(key="split").set_value("public").run()
    assert page.query_params["split"] == ["public"] or page.query_params["split"] == "public"
    assert "No image fits" in sentences_of(page)


def test_a_foreign_address_is_ignored(app) -> None:
    page = app("dataset", tab="nonsense", split="x", sort="y", page="-3", kind="?")
    sound(page)
    page = app("dataset", tab="browser", split="x", sort="y", page="9999")
    sound(page)
    assert "page 1 of 180" in sentences_of(page)


def test_a_page_of_the_browser_is_in_the_address_and_a_new_question_starts_at_the_first(app) -> None:
    page = app("dataset", tab="browser", page="3")
    assert "page 3 of 180" in sentences_of(page)
    page.selectbox(key="class").set_value("disgust").run()
    assert "page 1 of 3" in sentences_of(page)
    assert "page" not in page.query_params


def test_filtering_by_votes_needs_the_votes(app, voted, disgust, monkeypatch) -> None:
    page = app("dataset", tab="browser", split="private", **{"class": "disgust"}, sort="-agreement")
    sound(page)
    assert shown(page)[0] == disgust[0]
    slider = next(slider for slider in page.slider if slider.label == "Votes for the label")
    slider.set_value((0.5, 1.0)).run()
    assert shown(page) == [disgust[0]]
    monkeypatch.delenv("FERPLUS_CSV")
    page = app("dataset", tab="browser", sort="-agreement")
    sound(page)
    assert "FERPLUS_CSV" in sentences_of(page)


def test_the_record_of_an_image_has_label_scores_votes_and_neighbours(app, images, scored, voted, disgust) -> None:
    page = app("dataset", tab="browser", image=disgust[0])
    sound(page)
    said, words = sentences_of(page), words_of(page)
    assert disgust[0] in said
    assert "Label disgust" in words
    assert "Split PrivateTest" in words
    assert "Disgust 1.00" in words
    assert "**7** disgust · **3** fear" in said
    assert "Nearest in the features" in " ".join(element.value for element in page.subheader)
    assert 'src="data:image/png' in html_of(page)
    assert whys(page) == [{"image": [disgust[0]]}]


def whys(page) -> list[dict[str, list[str]]]:
    """Return what the links to page Saliency hand over."""
    links = [link.proto for link in page.get("page_link") if link.proto.label.startswith("Why?")]
    return [parse_qs(link.query_string) for link in links]


def test_the_record_works_without_images_and_for_a_training_image(app) -> None:
    name = catalogue.load().names[-1]
    page = app("dataset", image=name)
    sound(page)
    said = sentences_of(page)
    assert name in said
    assert "The face itself is not shown" in said
    assert "models were trained on this image" in said
    assert whys(page) == []


def test_an_unknown_image_is_said_so(app) -> None:
    page = app("dataset", image="test/happy/holiday.jpg")
    sound(page)
    assert "no image of that name" in sentences_of(page)


def test_the_map_is_coloured_by_label_error_and_vote(app, scored, voted) -> None:
    page = app("dataset", tab="map")
    way = next(control for control in page.segmented_control if control.label == "Coloured by")
    for value in ("error", "vote", "label"):
        way.set_value(value).run()
        sound(page)
        way = next(control for control in page.segmented_control if control.label == "Coloured by")
        assert way.value == value


def test_faces_of_a_brushed_region_are_listed(app) -> None:
    page = app("dataset", tab="map")
    page.session_state["map-label"] = {"selection": {"points": [{"customdata": 7}, {"customdata": 9}]}}
    page.run()
    sound(page)
    assert "2 faces chosen" in " ".join(element.value for element in page.subheader)
    assert shown(page) == catalogue.load().names[[7, 9]].tolist()


def test_a_copy_that_cannot_be_used_is_said_so_and_the_page_still_works(app, tmp_path, monkeypatch) -> None:
    broken = tmp_path / "fer2013.zip"
    broken.write_bytes(b"PK and nothing")
    monkeypatch.setenv("FER_DATA_DIR", str(broken))
    page = app("dataset", tab="browser")
    sound(page)
    assert "not a zip archive" in sentences_of(page)
    assert len(shown(page)) == 200
    monkeypatch.setenv("FER_DATA_DIR", str(tmp_path / "nowhere"))
    assert "There is nothing at" in sentences_of(app("dataset"))
    monkeypatch.setenv("FERPLUS_CSV", str(broken))
    assert "not a file of FER+ votes" in sentences_of(app("dataset", tab="browser"))


def test_the_button_says_why_a_download_did_not_work(app, monkeypatch) -> None:
    import kagglehub

    def offline(handle: str) -> str:
        raise requests.ConnectionError("no route")

    monkeypatch.setattr(kagglehub, "dataset_download", offline)
    page = app("dataset")
    page.button[0].click().run()
    assert not page.exception
    assert "Kaggle cannot be reached" in page.error[0].value


def test_the_button_brings_the_faces(app, disgust, images, monkeypatch, tmp_path) -> None:
    import kagglehub

    from fer_core.data import download
    from fer_core.data.fer2013 import open_dataset

    folder = tmp_path / "fer2013"
    monkeypatch.setattr(download, "IMAGE_SET_SHA256", download.image_set_digest(open_dataset(folder)))
    monkeypatch.setattr(kagglehub, "dataset_download", lambda handle: str(folder))
    monkeypatch.delenv("FER_DATA_DIR")
    page = app("dataset")
    page.button[0].click().run()
    sound(page)
    assert "FER2013 is not on this machine" not in sentences_of(page)


def test_every_chart_is_described_and_every_picture_has_words(app) -> None:
    for tab in TABS:
        page = app("dataset", tab=tab)
        for chart in page.get("plotly_chart"):
            assert chart.proto.alt or getattr(chart.proto, "alt_text", ""), tab
        assert html_of(page).count("<img") == html_of(page).count('alt="')


def test_the_mean_faces_stand_there_without_images(app) -> None:
    html = html_of(app("dataset"))
    for emotion in EMOTIONS:
        assert f'alt="Mean face of {emotion}"' in html


def test_the_page_imports_no_training_library(models_dir) -> None:
    script = """
import sys
from streamlit.testing.v1 import AppTest
app = AppTest.from_file("streamlit_app.py", default_timeout=120).run()
for tab in ("classes", "people", "quality", "map", "browser"):
    app.query_params["tab"] = tab
    app.switch_page("pages/dataset.py").run()
    assert not app.exception and not app.error, (tab, app.error)
print(*[name for name in ("tensorflow", "keras", "sklearn", "scipy", "umap", "kagglehub") if name in sys.modules])
"""
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == ""
