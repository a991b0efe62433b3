"""Get FER2013 from Kaggle (``msambare/fer2013``) through kagglehub, and check that it is all there.

kagglehub resumes a download that was broken off, and unpacks it. What is got lies in the cache folder of the settings,
where :func:`fer_core.data.fer2013.open_dataset` finds it by itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
import threading
import zipfile
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fer_core.data.fer2013 import DOWNLOADED, Fer2013, open_dataset, pixel_hashes
from fer_core.errors import DatasetError, DatasetMissing
from fer_core.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

HANDLE: Final = "msambare/fer2013"
PAGE: Final = "https://www.kaggle.com/datasets/msambare/fer2013"

IMAGE_SET_SHA256: Final = "6066c51566ac09d79a11032474c1305d37a046126951adc79c0846e441f8932e"
"""Digest of the complete set, see :func:`image_set_digest`."""

ARCHIVE_BYTES: Final = 63_000_000
"""About what is fetched, for the progress only."""

_BY_HAND: Final = f"You can also get it in a browser from {PAGE} and set FER_DATA_DIR to the zip."
_POLL_SECONDS: Final = 0.3

Progress = Callable[[int, int], None]
"""Called with (bytes so far, bytes in all); the second is an estimate."""


@dataclass(frozen=True)
class Check:
    """What was found when a copy of FER2013 was opened.

    Attributes
    ----------
    images
        How many.
    complete
        Whether it is the known set: every name with the same pixels. A copy from ``fer2013.csv`` has other names and
        slightly other pixels than the Kaggle archive and is never "complete".
    digest
        See :func:`image_set_digest`.
    problems
        What was odd: sentence -> how many times.
    """

    images: int
    complete: bool
    digest: str
    problems: dict[str, int]


def image_set_digest(dataset: Fer2013) -> str:
    """Return one sha256 over all images: of the lines ``name SHA-1-of-pixels``, sorted by name.

    It is the same for the folder and the zip, and changes when one image is missing, added, renamed or altered.
    """
    hashes = pixel_hashes(dataset.images)
    lines = sorted(f"{name} {digest}\n" for name, digest in zip(dataset.names.tolist(), hashes.tolist(), strict=True))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def check(dataset: Fer2013) -> Check:
    """Compare a copy with the known set."""
    digest = image_set_digest(dataset)
    return Check(len(dataset), digest == IMAGE_SET_SHA256, digest, dict(dataset.problems))


def download(settings: Settings | None = None, *, progress: Progress | None = None) -> Path:
    """Download FER2013, or go on with a download that was broken off; return the folder.

    Parameters
    ----------
    settings
        Whose cache folder it goes to. By default read from the environment.
    progress
        Called a few times a second with bytes so far and in all.

    Raises
    ------
    DatasetMissing
        If there is no network, or Kaggle wants a login or refuses: the sentence says what to do.
    DatasetError
        If what came is not FER2013, or the folder cannot be written.
    """
    settings = settings or Settings.from_environment()
    target = settings.cache_dir / "kagglehub"
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatasetError(
            f"{target} cannot be written ({error.strerror}). Set FER_CACHE_DIR to another folder."
        ) from error
    folder = _watched(lambda: _fetch(target), target, progress)
    dataset = open_dataset(folder, settings=settings)
    found = check(dataset)
    if not found.complete:
        odd = "".join(f" {what}: {count}." for what, count in found.problems.items())
        raise DatasetError(
            f"What came from Kaggle is not the FER2013 this project knows ({found.images} images, checksum "
            f"{found.digest[:12]}…).{odd} Delete {target} and try again, or set FER_DATA_DIR to it to use it as it is."
        )
    (settings.cache_dir / DOWNLOADED).write_text(json.dumps({"folder": str(folder), "sha256": found.digest}))
    return folder


def _fetch(target: Path) -> Path:
    try:
        import kagglehub
        import requests
        from kagglehub import exceptions
    except ModuleNotFoundError as error:
        raise DatasetMissing(f"Downloading needs the package kagglehub (pip install kagglehub). {_BY_HAND}") from error
    try:
        with _environment(KAGGLEHUB_CACHE=str(target), DISABLE_KAGGLE_CACHE="true"):
            return Path(kagglehub.dataset_download(HANDLE))
    except (exceptions.UnauthenticatedError, exceptions.CredentialError) as error:
        raise DatasetMissing(_login("Kaggle asks for a login")) from error
    except (exceptions.KaggleApiHTTPError, requests.HTTPError) as error:
        status = getattr(error.response, "status_code", None)
        if status in (401, 403):
            raise DatasetMissing(_login("Kaggle refused the download")) from error
        raise DatasetMissing(f"Kaggle answered with an error ({status}). Try again later. {_BY_HAND}") from error
    except (requests.RequestException, ConnectionError, TimeoutError) as error:  # also when it is cut half-way
        raise DatasetMissing(
            "Kaggle cannot be reached: there is no network, or it was cut. What has come so far is kept, and the next "
            f"try goes on from there. {_BY_HAND}"
        ) from error
    except (exceptions.DataCorruptionError, zipfile.BadZipFile, tarfile.TarError, ValueError, EOFError) as error:
        raise DatasetError(f"The download arrived damaged. Delete {target} and try again.") from error
    except OSError as error:
        raise DatasetError(f"The download could not be written to {target} ({error.strerror or error}).") from error


def _login(what: str) -> str:
    return (
        f"{what}. Make an API token at kaggle.com (Settings, API), put it where kagglehub looks "
        f"(~/.kaggle/kaggle.json, or KAGGLE_USERNAME and KAGGLE_KEY), and try again. {_BY_HAND}"
    )


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    """Set environment variables for a while: the only way to tell kagglehub where to put things and keep resuming."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _watched(work: Callable[[], Path], folder: Path, progress: Progress | None) -> Path:
    """Do `work` while reporting how much lies in `folder`: kagglehub has no hook of its own."""
    outcome: dict[str, Any] = {}

    def run() -> None:
        try:
            outcome["result"] = work()
        except BaseException as error:
            outcome["error"] = error

    worker = threading.Thread(target=run, daemon=True)
    worker.start()
    while True:
        worker.join(_POLL_SECONDS)
        if progress:
            size = sum(path.stat().st_size for path in folder.glob("**/*.archive"))
            progress(min(size, ARCHIVE_BYTES) if worker.is_alive() else ARCHIVE_BYTES, ARCHIVE_BYTES)
        if not worker.is_alive():
            break
    if "error" in outcome:
        raise outcome["error"]
    result: Path = outcome["result"]
    return result
