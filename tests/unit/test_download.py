"""Downloading FER2013: what is fetched is checked and found again, and every failure has its sentence."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import requests

from fer_core.data import download
from fer_core.data.fer2013 import Fer2013, open_dataset
from fer_core.errors import DatasetError, DatasetMissing
from fer_core.settings import Settings
from tests.unit.test_fer2013 import make_faces, write_folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(cache_dir=tmp_path / "cache")


@pytest.fixture
def kaggle(monkeypatch: pytest.MonkeyPatch):
    """Stand in for kagglehub; returns a function that says what its download does."""
    from kagglehub import exceptions

    def behave(dataset_download) -> None:
        fake = SimpleNamespace(dataset_download=dataset_download, exceptions=exceptions)
        monkeypatch.setitem(sys.modules, "kagglehub", fake)
        monkeypatch.setattr(download, "_POLL_SECONDS", 0.01)

    return behave


def raising(error: Exception):
    def dataset_download(handle: str) -> str:
        raise error

    return dataset_download


def refused(status: int) -> requests.HTTPError:
    return requests.HTTPError("no", response=SimpleNamespace(status_code=status))  # type: ignore[arg-type]


@pytest.fixture
def small_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Path:
    """A folder of 84 images that passes for the complete set."""
    folder = write_folder(tmp_path / "fetched", make_faces())
    digest = download.image_set_digest(open_dataset(folder, settings=settings))
    monkeypatch.setattr(download, "IMAGE_SET_SHA256", digest)
    return folder


def test_what_was_downloaded_is_found_without_any_setting(kaggle, small_set: Path, settings: Settings) -> None:
    kaggle(lambda handle: str(small_set))
    assert download.download(settings) == small_set
    assert len(open_dataset(settings=settings)) == 84


def test_an_own_copy_is_preferred_to_the_downloaded_one(
    kaggle, small_set: Path, settings: Settings, tmp_path: Path
) -> None:
    kaggle(lambda handle: str(small_set))
    download.download(settings)
    own = write_folder(tmp_path / "own", make_faces()[:10])
    assert len(open_dataset(settings=Settings(data_dir=own, cache_dir=settings.cache_dir))) == 10


def test_a_download_that_lacks_an_image_is_refused_and_not_used(kaggle, small_set: Path, settings: Settings) -> None:
    next(small_set.rglob("*.png")).unlink()
    kaggle(lambda handle: str(small_set))
    with pytest.raises(DatasetError, match="83 images"):
        download.download(settings)
    with pytest.raises(DatasetMissing):
        open_dataset(settings=settings)


def test_a_deleted_download_is_missing_not_an_error(kaggle, small_set: Path, settings: Settings) -> None:
    kaggle(lambda handle: str(small_set))
    download.download(settings)
    small_set.rename(small_set.with_name("elsewhere"))
    with pytest.raises(DatasetMissing, match="data download"):
        open_dataset(settings=settings)


def test_progress_follows_the_archive_that_grows(kaggle, small_set: Path, settings: Settings) -> None:
    import time

    def slow(handle: str) -> str:
        archive = settings.cache_dir / "kagglehub" / "datasets" / "1.archive"
        archive.parent.mkdir(parents=True)
        archive.write_bytes(b"x" * 1000)
        deadline = time.monotonic() + 10
        while (1000, download.ARCHIVE_BYTES) not in seen and time.monotonic() < deadline:
            time.sleep(0.01)
        return str(small_set)

    seen: list[tuple[int, int]] = []
    kaggle(slow)
    download.download(settings, progress=lambda done, total: seen.append((done, total)))
    assert (1000, download.ARCHIVE_BYTES) in seen
    assert seen[-1] == (download.ARCHIVE_BYTES, download.ARCHIVE_BYTES)


def test_the_archive_is_kept_in_the_cache_folder_so_that_a_later_try_resumes(
    kaggle, small_set: Path, settings: Settings
) -> None:
    import os

    seen = []

    def fetch(handle: str) -> str:
        seen.append((handle, os.environ["KAGGLEHUB_CACHE"]))
        return str(small_set)

    kaggle(fetch)
    before = os.environ.get("KAGGLEHUB_CACHE")
    download.download(settings)
    assert seen == [("msambare/fer2013", str(settings.cache_dir / "kagglehub"))]
    assert os.environ.get("KAGGLEHUB_CACHE") == before


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (requests.ConnectionError("name resolution"), "no network"),
        (requests.Timeout("slow"), "no network"),
        (requests.exceptions.ChunkedEncodingError("cut after 30 MB"), "the next try goes on from there"),
        (refused(401), "Kaggle refused the download. Make an API token"),
        (refused(403), "Kaggle refused the download. Make an API token"),
        (refused(503), r"error \(503\). Try again later"),
    ],
)
def test_network_and_permission_have_a_clear_sentence(kaggle, settings: Settings, error, sentence: str) -> None:
    kaggle(raising(error))
    with pytest.raises(DatasetMissing, match=sentence) as caught:
        download.download(settings)
    assert "FER_DATA_DIR" in str(caught.value)


def test_a_login_and_a_damaged_archive_have_a_clear_sentence(kaggle, settings: Settings) -> None:
    from kagglehub import exceptions

    kaggle(raising(exceptions.UnauthenticatedError()))
    with pytest.raises(DatasetMissing, match="asks for a login"):
        download.download(settings)
    for damage in (exceptions.DataCorruptionError("crc"), zipfile.BadZipFile("no zip"), ValueError("kind of archive")):
        kaggle(raising(damage))
        with pytest.raises(DatasetError, match="damaged"):
            download.download(settings)
    kaggle(raising(OSError(28, "No space left on device")))
    with pytest.raises(DatasetError, match="No space left on device"):
        download.download(settings)


def test_the_checksum_notices_one_pixel_and_one_name_and_nothing_else() -> None:
    images = np.zeros((3, 48, 48), np.uint8)
    images[1] = 1
    images[2] = 2

    def of(images: np.ndarray, names: list[str]) -> str:
        return download.image_set_digest(
            Fer2013(images, np.zeros(3, np.int64), np.array(["Training"] * 3), np.array(names))
        )

    known = of(images, ["a", "b", "c"])
    assert of(images[::-1], ["c", "b", "a"]) == known
    assert of(images, ["a", "b", "d"]) != known
    altered = images.copy()
    altered[0, 5, 5] = 1
    assert of(altered, ["a", "b", "c"]) != known


@pytest.fixture
def kaggle_server(small_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Answer like Kaggle on this machine, with a zip of the small set; the first connection is cut half-way."""
    from kagglehub import clients
    from kagglesdk import kaggle_env

    monkeypatch.setattr(clients, "CHUNK_SIZE", 1000)  # the archive here is smaller than a real chunk
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(small_set.rglob("*.png")):
            file.write(path, path.relative_to(small_set).as_posix())
    content = archive.getvalue()
    asked: list[str] = []

    class Kaggle(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.path.endswith("GetDataset"):
                self._send(json.dumps({"currentVersionNumber": 1}).encode(), "application/json")
            else:
                self.send_response(302)
                self.send_header("Location", f"http://127.0.0.1:{self.server.server_address[1]}/archive.zip")
                self.end_headers()

        def do_GET(self) -> None:
            start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
            asked.append(self.headers.get("Range") or "all")
            cut = len(content) // 2 if len(asked) == 1 else None
            self._send(content[start:], "application/zip", cut)

        def _send(self, body: bytes, kind: str, cut: int | None = None) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Accept-Ranges", "bytes")
            self.end_headers()
            with contextlib.suppress(OSError):  # the client knows what it has and hangs up
                self.wfile.write(body[:cut])

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Kaggle)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, address)
    yield asked, len(content)
    server.shutdown()
    server.server_close()


def test_a_download_that_is_cut_goes_on_where_it_stopped(kaggle_server, settings: Settings) -> None:
    asked, size = kaggle_server
    with pytest.raises(DatasetMissing, match="the next try goes on from there"):
        download.download(settings)
    kept = next((settings.cache_dir / "kagglehub").rglob("*.archive")).stat().st_size
    assert 0 < kept < size
    download.download(settings)
    assert asked[-1] == f"bytes={kept}-"
    assert len(open_dataset(settings=settings)) == 84
