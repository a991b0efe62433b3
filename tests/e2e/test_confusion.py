"""The confusion page with a real mouse and a real keyboard, on toy models whose matrices are known."""

from __future__ import annotations

import os
import re
from unittest.mock import patch
from urllib.parse import parse_qs, urlparse

import pytest

from tests.e2e.conftest import Server
from tests.toy_predictions import MATRIX, OTHER, make_evaluated_model, write_faces

CHART = "[data-testid='stVegaLiteChart']"
FACES = "ul[aria-label^='Faces labelled'] img"


@pytest.fixture(scope="module")
def server(tmp_path_factory, playwright):
    """Return a server of two toy models with predictions and the faces these are about."""
    folder = tmp_path_factory.mktemp("confusion")
    models = folder / "models"
    models.mkdir()
    # with a graph, so that every page has a model to show
    make_evaluated_model(models, "first", MATRIX, accuracy=0.6, mirror=OTHER, onnx=True)
    make_evaluated_model(models, "second", OTHER, accuracy=0.5, onnx=True)
    own = {"FER_DATA_DIR": str(write_faces(folder / "fer2013")), "FER_CACHE_DIR": str(folder / "cache")}
    with patch.dict(os.environ, own):
        os.environ.pop("FERPLUS_CSV", None)
        started = Server(folder / "log.txt", models)
    started.wait()
    yield started
    started.stop()


@pytest.fixture
def visitor(visit, server):
    with visit(server=server) as visitor:
        yield visitor


def open_page(visitor, query: str = "") -> None:
    visitor.open(f"/confusion{query}")
    visitor.page.wait_for_selector(f"{CHART} path[aria-label*='Label: disgust']")


def cell(visitor, true: str, pred: str):
    return visitor.page.locator(
        f"{CHART} path[aria-label*='Answer of the model: {pred};'][aria-label*='Label: {true};']"
    )


def click(visitor, true: str, pred: str, *, at: tuple[float, float] = (0.5, 0.5)) -> None:
    """Click a place of a cell, given as shares of its width and height, with the mouse."""
    visitor.settle()
    place, box = cell(visitor, true, pred).first, None
    while box != (box := place.bounding_box()):  # the chart is laid out again once the page's width is known
        visitor.page.wait_for_timeout(250)
    visitor.page.mouse.click(box["x"] + box["width"] * at[0], box["y"] + box["height"] * at[1])


def wait_for_cell(visitor, true: str, pred: str) -> None:
    visitor.page.wait_for_selector(f"h3:has-text('{true} → {pred}')")
    visitor.settle()
    assert address(visitor) == {"true": true, "pred": pred}


def address(visitor) -> dict[str, str]:
    query = {name: values[0] for name, values in parse_qs(urlparse(visitor.page.url).query).items()}
    return {name: query[name] for name in ("true", "pred") if name in query}


def faces(visitor) -> list[str]:
    visitor.page.wait_for_selector(FACES)
    return [image.get_attribute("alt") for image in visitor.page.locator(FACES).all()]


def test_a_clicked_cell_shows_its_faces_and_comes_back_by_its_address(visitor):
    open_page(visitor)
    click(visitor, "disgust", "angry")
    wait_for_cell(visitor, "disgust", "angry")
    before = faces(visitor)
    assert len(before) == 12
    assert before[0] == "Face labelled disgust: scores 0.30 for disgust, 0.60 for angry"
    assert "12 of 20, 60.0 % (39–78 %)" in visitor.text
    visitor.screenshot("confusion-cell")
    visitor.page.reload()
    wait_for_cell(visitor, "disgust", "angry")
    assert faces(visitor) == before
    visitor.assert_sound()


def test_a_face_leads_onward_and_back_leads_to_the_same_cell(visitor):
    open_page(visitor, "?true=disgust&pred=angry")
    visitor.page.locator(FACES).first.click()
    visitor.page.wait_for_url(re.compile(r"/dataset\?image=test"))
    visitor.settle()
    visitor.assert_sound()
    visitor.page.go_back()
    wait_for_cell(visitor, "disgust", "angry")
    assert len(faces(visitor)) == 12


@pytest.mark.parametrize("place", [(0.06, 0.06), (0.94, 0.94), (0.5, 0.5)], ids=["corner", "far-corner", "number"])
def test_the_whole_cell_can_be_clicked(visitor, place):
    open_page(visitor)
    click(visitor, "fear", "surprise", at=place)
    wait_for_cell(visitor, "fear", "surprise")


def test_one_cell_after_another_can_be_clicked_and_closed(visitor):
    open_page(visitor)
    for true, pred in (("disgust", "angry"), ("sad", "neutral"), ("happy", "happy")):
        click(visitor, true, pred)
        wait_for_cell(visitor, true, pred)
    visitor.page.get_by_role("button", name="Close").click()
    visitor.page.wait_for_selector("text=Click a cell")
    visitor.settle()
    assert address(visitor) == {}
    click(visitor, "happy", "happy")
    wait_for_cell(visitor, "happy", "happy")
    visitor.assert_sound()


def test_the_back_button_returns_to_the_cell_before(visitor):
    open_page(visitor)
    for true, pred in (("disgust", "angry"), ("sad", "neutral")):
        click(visitor, true, pred)
        wait_for_cell(visitor, true, pred)
    visitor.page.go_back()
    wait_for_cell(visitor, "disgust", "angry")
    visitor.page.go_back()
    visitor.page.wait_for_selector("text=Click a cell")
    assert address(visitor) == {}
    visitor.assert_sound()


def test_a_cell_is_opened_by_keyboard(visitor):
    open_page(visitor)
    visitor.page.get_by_text("The same as a table, for the keyboard").click()
    panel = visitor.page.locator("[data-testid='stExpander']", has_text="The same as a table, for the keyboard")
    table = panel.locator("[data-testid='stDataFrame']").first
    table.scroll_into_view_if_needed()
    visitor.page.wait_for_timeout(800)
    box = table.bounding_box()
    visitor.page.mouse.click(box["x"] + 220, box["y"] + 52)  # gives the table the focus: the first row
    visitor.settle()
    first = address(visitor)
    visitor.page.keyboard.press("ArrowDown")
    visitor.page.wait_for_timeout(1_000)
    visitor.settle()
    second = address(visitor)
    assert first["true"] == "angry"
    assert second == {**first, "true": "disgust"}
    visitor.page.keyboard.press("ArrowRight")
    visitor.page.wait_for_timeout(1_000)
    visitor.settle()
    assert address(visitor)["pred"] != second["pred"]
    visitor.assert_sound()


def test_a_chart_drawn_once_is_not_drawn_anew_by_a_click_or_a_setting(visitor):
    open_page(visitor)
    marked = visitor.page.evaluate(
        f"[...document.querySelectorAll(\"{CHART} svg\")].map((picture, index) => picture.mark = 'drawn ' + index)"
    )
    assert len(marked) >= 2  # at least the matrix and where disgust goes
    click(visitor, "disgust", "angry")
    wait_for_cell(visitor, "disgust", "angry")
    assert _marks(visitor) == marked
    visitor.page.get_by_text("What if …").first.click()
    assert _marks(visitor) == marked
    slider = visitor.page.get_by_role("slider", name="Logit adjustment τ")
    slider.focus()
    visitor.page.keyboard.press("End")
    visitor.page.wait_for_url(re.compile("tau=2"))
    visitor.settle()
    assert "20 of 20" in cell(visitor, "disgust", "disgust").first.get_attribute("aria-label")
    assert _marks(visitor) == marked


def _marks(visitor) -> list[str]:
    return visitor.page.evaluate(
        f'[...document.querySelectorAll("{CHART} svg")].map(picture => picture.mark).filter(Boolean)'
    )


def test_two_visitors_look_at_different_cells(visit, server):
    with visit(server=server) as one, visit(server=server) as other:
        open_page(one)
        open_page(other)
        click(one, "disgust", "angry")
        wait_for_cell(one, "disgust", "angry")
        click(other, "sad", "neutral")
        wait_for_cell(other, "sad", "neutral")
        one.page.reload()
        wait_for_cell(one, "disgust", "angry")


def test_the_page_is_taken_along_as_one_file_that_needs_nothing_else(visitor, browser, tmp_path):
    open_page(visitor, "?true=disgust&pred=angry&temp=0.5")
    with visitor.page.expect_download() as waiting:
        visitor.page.get_by_role("button", name="This page as HTML").click()
    path = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(path)
    assert path.suffix == ".html"
    context = browser.new_context(viewport={"width": 390, "height": 844}, offline=True)
    page = context.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    text = page.inner_text("body")
    assert "What if: temperature 0.50." in text
    assert "Where does disgust go?" in text
    assert "test/disgust/PublicTest_000.jpg" in text
    assert page.locator("svg").count() == 5
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert asked == [path.as_uri()]
    context.close()


@pytest.mark.parametrize(
    ("name", "beginning"),
    [
        ("Matrix as CSV", b"label,answer,count"),
        ("Matrix as PNG", b"\x89PNG"),
        ("Classes as CSV", b"class,support"),
        ("Images and scores as CSV", b"image,split,label"),
    ],
)
def test_tables_and_pictures_can_be_downloaded(visitor, name, beginning):
    open_page(visitor, "?true=disgust&pred=angry")
    with visitor.page.expect_download() as waiting:
        visitor.page.get_by_role("button", name=name).click()
    assert waiting.value.path().read_bytes().startswith(beginning)


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_the_page_fits_its_window_with_a_cell_open(visit, server, look):
    options = {"light": {}, "dark": {"dark": True}, "phone": {"width": 390, "height": 844}}[look]
    with visit(server=server, **options) as visitor:
        open_page(visitor, "?true=disgust&pred=angry&view=chance&order=clustered")
        assert visitor.page.evaluate(
            "(() => { const main = document.querySelector('[data-testid=stMain]');"
            " return main.scrollWidth <= main.clientWidth })()"
        )
        visitor.screenshot(f"confusion-{look}-open")
        visitor.assert_sound()
