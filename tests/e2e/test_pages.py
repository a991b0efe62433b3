"""What only a browser can tell: addresses, the camera, downloads, layout, and what the console says."""

from __future__ import annotations

import json
import re

import pytest

from pages._ui.shell import PAGES

SLUGS = [page.slug for page in PAGES]
PATHS = {page.slug: "/" if page.slug == "home" else f"/{page.slug}" for page in PAGES}
LOOKS = {"light": {}, "dark": {"dark": True}, "phone": {"width": 390, "height": 844}}


@pytest.mark.parametrize("slug", SLUGS)
def test_a_deep_link_on_a_fresh_server_shows_the_right_page_and_sidebar(slug, start_server, visit):
    server = start_server()
    try:
        with visit(server=server) as visitor:
            visitor.open(PATHS[slug])
            page = next(page for page in PAGES if page.slug == slug)
            assert page.title in visitor.page.title() or slug == "home"
            assert visitor.sidebar_links == [page.title for page in PAGES]
            assert visitor.page.locator("[data-testid='stSidebarNav']").count() == 0
            assert visitor.current_link == page.title
            visitor.assert_sound()
    finally:
        server.stop()


@pytest.mark.parametrize("path", ["/_ui", "/shell", "/components"])
def test_what_pages_share_is_not_a_page(path, visit):
    with visit() as visitor:
        visitor.page.goto(visitor.url + path)
        visitor.page.wait_for_selector("text=Page not found")


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("slug", SLUGS)
def test_a_page_fits_its_window_and_is_screenshotted(slug, look, visit):
    with visit(**LOOKS[look]) as visitor:
        visitor.open(PATHS[slug])
        visitor.assert_sound()
        assert_nothing_sticks_out(visitor)
        visitor.screenshot(f"{slug}-{look}")


@pytest.mark.parametrize("query", ["sample=group&compare=", "sample=solvay-1927"])
def test_many_faces_fit_a_phone(query, visit, other_model):
    with visit(**LOOKS["phone"]) as visitor:
        visitor.open(f"/predict?{query}{other_model if query.endswith('=') else ''}")
        visitor.assert_sound()
        assert_nothing_sticks_out(visitor)
        visitor.screenshot(f"predict-{re.sub('[^a-z]+', '-', query)}phone")


def assert_nothing_sticks_out(visitor) -> None:
    """No horizontal scrolling, and nothing in the main column reaches beyond the window."""
    width = visitor.page.viewport_size["width"]
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= width
    assert visitor.page.evaluate(
        "(() => { const main = document.querySelector('[data-testid=stMain]');"
        " return main.scrollWidth <= main.clientWidth })()"
    )
    beyond = visitor.page.evaluate(
        "[...document.querySelectorAll('[data-testid=stMain] img, [data-testid=stMain] table,"
        " [data-testid=stMain] p, [data-testid=stMain] button')]"
        ".filter(part => !part.closest('[role=tablist], [data-testid=stDataFrame]'))"  # these scroll by themselves
        ".filter(part => part.getBoundingClientRect().right > innerWidth + 1).map(part => part.outerHTML.slice(0, 80))"
    )
    assert beyond == []


def test_an_uploaded_photo_is_scored_and_survives_another_page(visit, portrait):
    with visit() as visitor:
        visitor.open("/predict")
        visitor.page.get_by_text("Upload", exact=True).click()
        visitor.page.set_input_files("[data-testid='stFileUploader'] input[type=file]", portrait)
        visitor.page.wait_for_selector("text=Your pictures")
        visitor.settle()
        assert portrait.name in visitor.text
        assert re.search(r"0\.\d\d for \w+", visitor.text)
        assert "portrait" not in visitor.page.url
        visitor.follow("Home")
        visitor.page.wait_for_url(re.compile(r"/(\?.*)?$"))
        visitor.settle()
        visitor.follow("Predict")
        visitor.page.wait_for_selector("text=Your pictures")
        visitor.settle()
        assert portrait.name in visitor.text
        visitor.assert_sound()


def test_several_files_go_on_while_a_bad_one_gets_its_sentence(visit, portrait, tmp_path):
    bad = tmp_path / "notes.jpg"
    bad.write_text("This is not a picture. " * 30)
    with visit(**LOOKS["phone"]) as visitor:
        visitor.open("/predict")
        visitor.page.get_by_text("Upload", exact=True).click()
        visitor.page.set_input_files("[data-testid='stFileUploader'] input[type=file]", [portrait, bad])
        visitor.page.wait_for_selector("[data-testid='stAlert']")
        visitor.settle()
        assert "notes.jpg" in visitor.page.inner_text("[data-testid='stAlert']")
        assert re.search(r"0\.\d\d for \w+", visitor.text)
        assert_nothing_sticks_out(visitor)
        visitor.screenshot("predict-upload-phone")
        visitor.assert_sound()


def test_a_picture_from_the_camera_is_scored(visit, camera_browser):
    with visit(browser=camera_browser) as visitor:
        visitor.open("/predict")
        visitor.page.get_by_text("Camera", exact=True).click()
        visitor.page.wait_for_function("document.querySelector('video')?.videoWidth > 0", timeout=20_000)
        visitor.screenshot("predict-camera")
        visitor.page.get_by_test_id("stCameraInputButton").click()
        visitor.page.wait_for_selector("text=Camera 1")
        visitor.settle()
        assert re.search(r"0\.\d\d for \w+", visitor.text)
        visitor.screenshot("predict-camera-taken")
        visitor.assert_sound()


def test_scores_can_be_downloaded(visit):
    with visit() as visitor:
        visitor.open("/predict?sample=group")
        with visitor.page.expect_download() as waiting:
            visitor.page.get_by_role("button", name="JSON").click()
        content = json.loads(waiting.value.path().read_text())
        assert len(content["faces"]) > 1
        with visitor.page.expect_download() as waiting:
            visitor.page.get_by_role("button", name="CSV").click()
        assert waiting.value.path().read_text().count("\n") > 2


def test_the_back_button_returns_to_the_sample_before(visit):
    with visit() as visitor:
        visitor.open("/predict")
        visitor.page.get_by_text("Grace Hopper", exact=True).click()
        visitor.page.wait_for_url(re.compile("sample=grace-hopper"))
        visitor.settle()
        visitor.page.get_by_text("Five portraits", exact=True).click()
        visitor.page.wait_for_url(re.compile("sample=group"))
        visitor.settle()
        visitor.page.go_back()
        visitor.page.wait_for_url(re.compile("sample=grace-hopper"))
        visitor.settle()
        assert "navy uniform" in visitor.page.locator("[data-testid='stImageContainer'] img").first.get_attribute("alt")
