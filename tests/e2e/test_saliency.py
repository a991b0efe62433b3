"""The page "Saliency" in a real browser, on the committed models: from a cell to its autopsy and back, and one face."""

from __future__ import annotations

import os
import re
from urllib.parse import parse_qs, urlparse

import pytest

from fer_core.explain.keras_vis import METHODS
from fer_core.registry import load_registry
from fer_core.settings import ROOT
from tests.e2e.test_confusion import cell, click, open_page, wait_for_cell
from tests.e2e.test_pages import LOOKS, assert_nothing_sticks_out

BEST = load_registry(ROOT / "models").servable[:1]
MATRIX = r"/confusion\?"
AUTOPSY = r"/saliency\?"

pytestmark = pytest.mark.skipif(not BEST, reason="no model is committed")


@pytest.fixture
def visitor(visit):
    with visit() as visitor:
        yield visitor


def address(visitor) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlparse(visitor.page.url).query).items()}


def pictures(visitor, name: str):
    """Return the pictures of a gallery, once they are there."""
    found = visitor.page.locator(f"ul[aria-label^='{name}'] img")
    found.first.wait_for()
    visitor.page.wait_for_function(
        "name => [...document.querySelectorAll(`ul[aria-label^='${name}'] img`)].every(one => one.naturalWidth > 0)",
        arg=name,
    )
    return found


def wait_for_autopsy(visitor, true: str, pred: str) -> None:
    visitor.page.wait_for_url(re.compile(AUTOPSY))
    visitor.page.wait_for_selector(f"h3:has-text('{true} → {pred}')")
    visitor.settle()


def scores(visitor) -> list[str]:
    return visitor.page.locator("table[aria-label='Scores of the changed face'] tr").all_inner_texts()


def cover(visitor) -> None:
    """Cover the part that is chosen, and wait for what that does."""
    visitor.page.get_by_text("Cover with grey").click()
    visitor.page.wait_for_selector("text=The highest score")
    visitor.settle()


def test_a_clicked_cell_leads_to_its_autopsy_and_that_back_to_the_cell(visitor):
    open_page(visitor)
    assert cell(visitor, "disgust", "angry").count()
    click(visitor, "disgust", "angry")
    wait_for_cell(visitor, "disgust", "angry")
    visitor.page.get_by_role("link", name="Why? Where the model looked").click()
    wait_for_autopsy(visitor, "disgust", "angry")
    assert address(visitor) == {"show": "cell", "model": BEST[0].id, "true": "disgust", "pred": "angry"}
    before = pictures(visitor, "Mean faces and maps").count()
    assert before >= 5
    said = re.search(r"Of the test images labelled disgust, \d+ of \d+", visitor.text)
    assert said, visitor.text

    visitor.page.reload()
    wait_for_autopsy(visitor, "disgust", "angry")
    assert said[0] in visitor.text
    assert pictures(visitor, "Mean faces and maps").count() == before
    visitor.screenshot("saliency-cell")

    visitor.page.go_back()  # one step: the page has not put further entries into the history
    visitor.page.wait_for_url(re.compile(MATRIX))
    wait_for_cell(visitor, "disgust", "angry")
    visitor.page.go_forward()
    wait_for_autopsy(visitor, "disgust", "angry")
    visitor.page.get_by_role("link", name="Back to this cell of the matrix").click()
    visitor.page.wait_for_url(re.compile(MATRIX))
    wait_for_cell(visitor, "disgust", "angry")
    visitor.assert_sound()


@pytest.mark.data
@pytest.mark.skipif("FER_DATA_DIR" not in os.environ, reason="FER2013 is not set up")
def test_a_face_of_the_cell_opens_by_itself_and_back_leads_to_the_cell(visitor):
    visitor.open(f"/saliency?model={BEST[0].id}&true=disgust&pred=angry")
    wait_for_autopsy(visitor, "disgust", "angry")
    shown = pictures(visitor, "Faces of the cell with their maps")
    assert shown.count() == 12
    shown.first.click()
    visitor.page.wait_for_selector("text=labelled disgust; the model scores it")
    visitor.settle()
    assert address(visitor)["image"].startswith("test/disgust/")
    assert address(visitor)["label"] == "angry"
    pictures(visitor, "Map for angry")
    visitor.page.go_back()
    wait_for_autopsy(visitor, "disgust", "angry")
    visitor.assert_sound()


def test_covering_the_mouth_changes_scores_and_map(visitor):
    visitor.open("/saliency?sample=grace-hopper")
    before = scores(visitor)
    assert len(before) == 7
    maps = [one.get_attribute("src") for one in pictures(visitor, "The changed face").all()]
    cover(visitor)
    after = scores(visitor)
    assert [row.split()[0] for row in after] == [row.split()[0] for row in before], "the order stays"
    assert after != before
    changed = [one.get_attribute("src") for one in pictures(visitor, "The changed face").all()]
    assert all(new != old for new, old in zip(changed, maps, strict=True))
    assert re.search(r"\w+ 0\.\d\d → 0\.\d\d", visitor.text)
    visitor.page.get_by_text("Marie Curie", exact=True).click()
    visitor.page.wait_for_selector("text=Marie Curie; the model scores it")
    visitor.settle()
    assert scores(visitor) != after
    assert "The highest score" in visitor.text, "the mouth is covered still"
    visitor.assert_sound()


def test_each_choice_is_one_step_of_the_back_button(visitor):
    visitor.open("/saliency?sample=group")
    start = visitor.page.evaluate("history.length")
    steps = (
        ("A confusion, taken apart", "Back to this cell of the matrix"),
        ("Where a class is lost", "Why images labelled disgust are lost"),
        ("Reading heat maps", "What a heat map cannot show"),
        ("One face", "Five portraits, face 1; the model scores it"),
    )
    for number, (view, said) in enumerate(steps, start=1):
        visitor.page.get_by_text(view, exact=True).first.click()
        visitor.page.wait_for_selector(f"text={said}")
        visitor.settle()
        assert visitor.page.evaluate("history.length") == start + number
    for _, said in (*steps[2::-1], ("", "Five portraits, face 1; the model scores it")):
        visitor.page.go_back()
        visitor.page.wait_for_selector(f"text={said}")
        visitor.settle()
    visitor.assert_sound()


def test_a_shared_link_opens_face_label_and_contrast(visitor):
    query = {"sample": "group", "face": "2", "label": "happy", "against": "neutral"}
    visitor.open("/saliency?" + "&".join(f"{key}={value}" for key, value in query.items()))
    assert address(visitor) == query
    assert "Five portraits, face 2; the model scores it" in visitor.text
    assert "Red speaks for happy, blue for neutral." in visitor.text
    assert pictures(visitor, "Map for happy rather than neutral").count() == 3
    visitor.assert_sound()


def test_the_other_methods_are_computed_with_tensorflow(visitor):
    visitor.open("/saliency")
    visitor.page.get_by_role("tab", name="Other methods").click()
    visitor.page.get_by_role("button", name="Compute").click()
    visitor.page.wait_for_selector("ul[aria-label='Maps by several methods']", timeout=120_000)
    visitor.settle()
    shown = pictures(visitor, "Maps by several methods")
    wanted = ["Grad-CAM, closed form", "Occlusion", *(method.name for method in METHODS.values())]
    captions = visitor.page.locator("ul[aria-label='Maps by several methods'] li").all_inner_texts()
    assert [caption.rpartition(": ")[0] for caption in captions] == wanted
    assert len(METHODS) == 5
    # of the last maps, the closed form is Grad-CAM, and Grad-CAM++ is Layer-CAM but for a factor: see the page's note
    assert len({one.get_attribute("src") for one in shown.all()}) >= len(wanted) - 2
    visitor.page.get_by_text("Marie Curie", exact=True).click()
    visitor.page.wait_for_selector("text=Marie Curie; the model scores it")
    visitor.settle()
    assert not visitor.page.locator("ul[aria-label='Maps by several methods']").count()
    visitor.assert_sound()


@pytest.mark.parametrize("look", ["phone", "dark"])
def test_the_views_fit_their_window(visit, look):
    with visit(**LOOKS[look]) as visitor:
        for show in ("cell", "causes", "reading"):
            visitor.open(f"/saliency?show={show}")
            assert_nothing_sticks_out(visitor)
            visitor.screenshot(f"saliency-{show}-{look}")
        visitor.assert_sound()


def test_every_part_of_a_face_fits_a_phone(visit):
    with visit(**LOOKS["phone"]) as visitor:
        visitor.open("/saliency?sample=group&label=happy&against=neutral")
        for name in ("Parts of the face", "Taken away", "All seven labels", "Other methods"):
            visitor.page.get_by_role("tab", name=name).click()
            visitor.settle()
            assert_nothing_sticks_out(visitor)
        visitor.assert_sound()
