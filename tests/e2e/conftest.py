"""A fresh `streamlit run` and a headless Chromium for the tests in this folder.

Without a browser the tests are skipped on somebody's laptop, and fail where ``CI`` is set: a browser test that nobody
runs protects nothing.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from fer_core import samples
from fer_core.registry import load_registry
from fer_core.settings import ROOT
from tests.text import plain
from tests.toy import make_toy_model

SCREENSHOTS = Path(__file__).parent / "screenshots"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--hide-scrollbars",
]
SETTLED = "[data-testid='stApp'][data-test-script-state='notRunning']"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)


def _unavailable(reason: str) -> NoReturn:
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(f"{reason}; in CI the browser tests must run.", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def playwright():
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _unavailable("the package playwright is not installed")
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def chromium() -> str:
    path = os.environ.get("CHROMIUM") or next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    return path or _unavailable("no Chromium is installed")


@pytest.fixture(scope="session")
def launch(playwright, chromium):
    """Return a function that starts Chromium, with more flags if wanted; all are closed at the end."""
    started = []

    def start(*flags: str):
        started.append(playwright.chromium.launch(executable_path=chromium, args=[*FLAGS, *flags]))
        return started[-1]

    yield start
    for browser in started:
        browser.close()


@pytest.fixture(scope="session")
def browser(launch):
    return launch()


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory) -> Path:
    """Return the committed models, or two toys while there are none."""
    if load_registry(ROOT / "models").servable:
        return ROOT / "models"
    folder = tmp_path_factory.mktemp("models")
    make_toy_model(folder, "toy", accuracy=0.6)
    make_toy_model(folder, "other-toy", accuracy=0.4, bias=_bias())
    return folder


def _bias():
    import numpy as np

    bias = np.zeros(7, np.float32)
    bias[6] = 3  # always surprise
    return bias


@pytest.fixture(scope="session")
def other_model(models_dir) -> str:
    """Return the id of a model that is not the default, to compare with; empty if there is only one."""
    return next((card.id for card in load_registry(models_dir).servable[1:]), "")


class Server:
    """One `streamlit run` on a free port."""

    def __init__(self, log: Path, models_dir: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = log
        options = {
            "server.headless": "true",
            "server.address": "127.0.0.1",
            "server.port": self.port,
            "server.fileWatcherType": "none",
        }
        command = [sys.executable, "-m", "streamlit", "run", "streamlit_app.py"]
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                command + [f"--{name}={value}" for name, value in options.items()],
                cwd=ROOT,
                env={**os.environ, "FER_MODELS_DIR": str(models_dir)},
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def wait(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()
            try:
                with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise AssertionError(f"The server did not start:\n{self.log.read_text()}")

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


@pytest.fixture(scope="session")
def start_server(tmp_path_factory, models_dir) -> Iterator[Callable[[], Server]]:
    """Return a function that starts a fresh server; all are stopped at the end."""
    started: list[Server] = []

    def start() -> Server:
        log = tmp_path_factory.mktemp("server") / "log.txt"
        started.append(Server(log, models_dir))
        started[-1].wait()
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def server(start_server) -> Server:
    return start_server()


class Visitor:
    """One browser tab that collects what went wrong in it."""

    def __init__(self, page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))
        page.on("request", self._asked)

    def _heard(self, message) -> None:
        # On a deep link Streamlit's front end first looks for its server below the page's own path and gets a 404.
        probing = re.search(r"/\w+/_stcore/(health|host-config)$", message.location.get("url", ""))
        if message.type == "error" and not probing:
            self.complaints.append(f"console: {message.text} ({message.location.get('url', '')})")

    def _asked(self, request) -> None:
        if not re.match(rf"(data|blob):|(http|ws)://127\.0\.0\.1:{self.url.rsplit(':', 1)[1]}/", request.url):
            self.foreign.append(request.url)

    def open(self, path: str = "/") -> None:
        self.page.goto(self.url + path)
        self.settle()

    def settle(self) -> None:
        """Wait until the script has run and every picture is there."""
        self.page.wait_for_selector(SETTLED, timeout=30_000)
        self.page.wait_for_selector("[data-testid='stMain'] h1", timeout=30_000)
        self.page.wait_for_function("[...document.images].every(image => image.complete)")
        self.page.wait_for_timeout(400)  # a rerun may follow the first one
        self.page.wait_for_selector(SETTLED, timeout=30_000)

    def follow(self, title: str) -> None:
        """Click an entry of the sidebar."""
        self.page.get_by_test_id("stSidebar").get_by_role("link", name=title).click()

    @property
    def text(self) -> str:
        return plain(self.page.inner_text("[data-testid='stMain']"))

    @property
    def sidebar_links(self) -> list[str]:
        links = self.page.locator("[data-testid='stSidebar'] [data-testid='stPageLink']")
        return [text.split("\n")[-1].strip() for text in links.all_inner_texts()]

    @property
    def current_link(self) -> str:
        """Return the entry of the sidebar that is marked as the current page: it has a ground, the others have none."""
        marked = self.page.evaluate(
            "[...document.querySelectorAll('[data-testid=stSidebar] [data-testid=stPageLink-NavLink]')]"
            ".filter(link => link.offsetParent && getComputedStyle(link).backgroundColor !== 'rgba(0, 0, 0, 0)')"
            ".map(link => link.querySelector('p').innerText)"
        )
        return ", ".join(marked)

    def assert_sound(self) -> None:
        """Nothing failed: no exception on the page, no complaint in the console, nothing asked of another host."""
        assert self.page.locator("[data-testid='stException']").count() == 0, self.text
        assert "Something went wrong" not in self.text
        assert self.complaints == []
        assert self.foreign == []

    def screenshot(self, name: str) -> None:
        """Take the whole page: Streamlit scrolls inside a box, so the window is made as high as its content."""
        size = self.page.viewport_size
        height = self.page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
        self.page.set_viewport_size({"width": size["width"], "height": max(size["height"], int(height) + 8)})
        self.page.wait_for_timeout(300)
        SCREENSHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")
        self.page.set_viewport_size(size)


@pytest.fixture
def visit(browser, server):
    """Return a context manager: one visitor in a window of its own."""

    @contextmanager
    def start(*, width: int = 1440, height: int = 900, dark: bool = False, browser=browser, server=server):
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            permissions=["camera"],
            accept_downloads=True,
        )
        try:
            yield Visitor(context.new_page(), server.url)
        finally:
            context.close()

    return start


@pytest.fixture(scope="session")
def portrait(tmp_path_factory) -> Path:
    """Return a photo of one face, as a file."""
    path = tmp_path_factory.mktemp("photo") / "portrait.jpg"
    path.write_bytes(samples.load(samples.list_samples()[0].id))
    return path


@pytest.fixture(scope="session")
def camera_browser(launch, portrait, tmp_path_factory):
    """Return a browser whose camera shows the portrait."""
    from PIL import Image

    with Image.open(portrait) as photo:
        photo.thumbnail((640, 480))
        frame = Image.new("RGB", (640, 480), (90, 90, 90))
        frame.paste(photo.convert("RGB"), ((640 - photo.width) // 2, (480 - photo.height) // 2))
    path = tmp_path_factory.mktemp("camera") / "camera.mjpeg"
    with path.open("wb") as film:
        for _ in range(10):
            frame.save(film, "JPEG", quality=90)
    return launch(
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={path}",
    )
