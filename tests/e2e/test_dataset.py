"""The page "Dataset" in a real browser: a face is clicked, its address is shared, a region of the map is brushed.

The images are generated: grey squares under the names of FER2013's faces of disgust.
"""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_core.data import catalogue
from fer_core.data.browse import Query, select

DIALOG = "[role=dialog]"
FACES = ".faces img"


@pytest.fixture(scope="module")
def disgust() -> list[str]:
    found = catalogue.load()
    return found.names[select(found, Query(label="disgust"))].tolist()


@pytest.fixture(scope="module")
def with_images(start_server, disgust, tmp_path_factory):
    """Return a server that has images."""
    folder = tmp_path_factory.mktemp("fer2013")
    for number, name in enumerate(disgust):
        path: Path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((48, 48), number % 256, np.uint8))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FER_DATA_DIR", str(folder))
        patch.setenv("FER_CACHE_DIR", str(folder.with_name(folder.name + "-cache")))
        server = start_server()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def without_images(start_server, tmp_path_factory):
    """Return a server on a machine that has none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("FER_DATA_DIR", raising=False)
        patch.delenv("FERPLUS_CSV", raising=False)
        patch.setenv("FER_CACHE_DIR", str(tmp_path_factory.mktemp("empty")))
        server = start_server()
    yield server
    server.stop()


def test_a_clicked_face_opens_its_record_at_an_address_that_can_be_shared(visit, with_images, disgust) -> None:
    with visit(server=with_images) as visitor:
        page = visitor.page
        visitor.open("/dataset?tab=browser&class=disgust")
        page.wait_for_selector(FACES)
        assert page.locator(FACES).count() == 200
        page.locator(".faces a").nth(3).click()
        page.wait_for_selector(DIALOG)
        assert disgust[3] in page.inner_text(DIALOG)
        visitor.settle()
        shared = page.url
        assert "class=disgust" in shared
        assert "image=" in shared

        page.keyboard.press("Escape")
        page.wait_for_selector(DIALOG, state="detached")
        visitor.settle()
        assert "image=" not in page.url
        visitor.assert_sound()
    with visit(server=with_images) as other:
        other.open(shared.removeprefix(other.url))
        other.page.wait_for_selector(DIALOG)
        assert disgust[3] in other.page.inner_text(DIALOG)
        other.assert_sound()


def test_a_face_is_opened_with_the_keyboard(visit, with_images, disgust) -> None:
    with visit(server=with_images) as visitor:
        visitor.open("/dataset?tab=browser&class=disgust")
        visitor.page.locator(".faces a").first.focus()
        visitor.page.keyboard.press("Tab")
        visitor.page.keyboard.press("Enter")
        visitor.page.wait_for_selector(DIALOG)
        assert disgust[1] in visitor.page.inner_text(DIALOG)


def test_a_neighbour_in_the_record_opens_its_own(visit, with_images) -> None:
    with visit(server=with_images) as visitor:
        visitor.open("/dataset?tab=quality&kind=blank")
        visitor.page.locator(".faces a").first.click()
        visitor.page.wait_for_selector(f"{DIALOG} .faces a")
        visitor.settle()
        before = visitor.page.url
        visitor.page.locator(f"{DIALOG} .faces a").last.click()
        visitor.page.wait_for_function("before => location.href !== before", arg=before)
        visitor.settle()
        assert visitor.page.locator(DIALOG).count() == 1
        assert "image=" in visitor.page.url


def test_a_brushed_region_of_the_map_shows_its_faces(visit, with_images) -> None:
    with visit(server=with_images, height=1500) as visitor:
        page = visitor.page
        visitor.open("/dataset?tab=map")
        plot = page.locator(".js-plotly-plot .nsewdrag").first
        plot.wait_for()
        page.wait_for_timeout(1000)
        box = plot.bounding_box()
        page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.4)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.6, steps=6)
        page.mouse.up()
        page.wait_for_selector("text=faces chosen")
        chosen = int(re.search(r"([\d,]+) faces chosen", visitor.text)[1].replace(",", ""))
        assert chosen > 0
        page.wait_for_selector(FACES)
        assert page.locator(FACES).count() == min(chosen, 120)


def test_without_images_a_row_of_the_list_opens_the_record(visit, without_images) -> None:
    with visit(server=without_images, height=1500) as visitor:
        page = visitor.page
        visitor.open("/dataset?tab=browser&class=disgust")
        assert "FER2013 is not on this machine" in visitor.text
        assert page.locator(FACES).count() == 0
        box = page.locator("[data-testid=stDataFrame] canvas").first.bounding_box()
        page.mouse.click(box["x"] + 16, box["y"] + 55)  # the box of the first row
        page.wait_for_selector(DIALOG)
        assert "disgust" in page.inner_text(DIALOG)
        assert "image=" in page.url


def test_a_chart_is_downloaded_as_numbers_and_as_a_picture(visit, without_images) -> None:
    with visit(server=without_images) as visitor:
        visitor.open("/dataset?tab=people")
        visitor.page.locator("[data-testid=stExpander] summary").first.click()
        button = visitor.page.locator("[data-testid=stDownloadButton] button").first
        button.wait_for(state="visible")
        visitor.settle()
        with visitor.page.expect_download() as download:
            button.click()
        text = Path(download.value.path()).read_text()
        assert text.splitlines()[0] == "Label,Images with votes,Majority agrees %"
        assert download.value.suggested_filename == "ferplus-agreement.csv"
        visitor.page.locator(".js-plotly-plot").first.hover()
        with visitor.page.expect_download() as download:
            visitor.page.locator("[data-title='Download plot as a PNG']").first.click()
        assert download.value.suggested_filename == "ferplus-agreement.png"
        assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("look", [{"width": 390, "height": 844}, {"dark": True}], ids=["phone", "dark"])
@pytest.mark.parametrize("tab", ["people", "quality", "map", "browser"])
def test_every_tab_fits_and_is_sound(visit, with_images, tab: str, look: dict) -> None:
    with visit(server=with_images, **look) as visitor:
        visitor.open(f"/dataset?tab={tab}")
        visitor.assert_sound()
        main = "document.querySelector('[data-testid=stMain]')"
        assert visitor.page.evaluate(f"{main}.scrollWidth <= {main}.clientWidth")
        visitor.screenshot(f"dataset-{tab}-{'phone' if 'width' in look else 'dark'}")
