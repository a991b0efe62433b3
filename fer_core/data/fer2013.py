"""Read FER2013 from the Kaggle folder, the Kaggle zip, or the original ``fer2013.csv``.

The first reading writes a memory-mapped copy to the cache folder; every later one maps it. What is odd about the
source (a missing class folder, foreign files, pictures of another size or that cannot be decoded) is counted in
:attr:`Fer2013.problems` and never silently dropped.

Source: I. J. Goodfellow et al., "Challenges in Representation Learning: A report on three machine learning contests",
ICONIP 2013. Kaggle archive: ``msambare/fer2013``.
"""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import uuid
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from fer_core.errors import DatasetError, DatasetMissing
from fer_core.labels import CSV_ORDER, EMOTIONS, index_of
from fer_core.settings import Settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 48
USAGES = ("Training", "PublicTest", "PrivateTest")
DOWNLOADED = "fer2013.json"  # in the cache folder: where a download lies, see fer_core.data.download
_SUFFIXES = {".jpg", ".jpeg", ".png"}
_CACHE_FORMAT = 2  # raise when the content of the cache changes

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Fer2013:
    """The images and what is known of each.

    Attributes
    ----------
    images
        ``(N, 48, 48)`` uint8, grey, memory-mapped and read-only.
    labels
        ``(N,)`` int64, index into :data:`fer_core.labels.EMOTIONS`.
    usage
        ``(N,)`` str: ``Training``, ``PublicTest`` or ``PrivateTest``.
    names
        ``(N,)`` str: ``train/angry/Training_123.jpg``; ``row/00012`` when read from the csv, which has no names.
    problems
        What was odd about the source: sentence -> how many times.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    usage: NDArray[np.str_]
    names: NDArray[np.str_]
    problems: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.labels)


@dataclass
class _Entry:
    name: str
    label: int
    usage: str
    read: Callable[[], bytes]


def open_dataset(
    path: Path | str | None = None, *, settings: Settings | None = None, progress: Progress | None = None
) -> Fer2013:
    """Open FER2013.

    Parameters
    ----------
    path
        The Kaggle folder (holding ``train`` and ``test``), ``fer2013.zip``, ``fer2013.csv``, or a folder with one of
        these. Without it, ``FER_DATA_DIR``, and without that what ``python -m fer_core data download`` has got.
    settings
        Where the cache lies. By default read from the environment.
    progress
        Called with (done, total) while the source is read for the first time.

    Raises
    ------
    DatasetMissing
        If nothing is configured, or nothing is at the path.
    DatasetError
        If what is there is not FER2013 or cannot be read.
    """
    settings = settings or Settings.from_environment()
    source = _locate(Path(path) if path is not None else settings.data_dir or _downloaded(settings))
    cache = settings.cache_dir / f"fer2013-{_fingerprint(source)}"
    if not (cache / "meta.json").is_file():
        _fill_cache(source, cache, progress)
    try:
        meta = json.loads((cache / "meta.json").read_text())
        return Fer2013(
            images=np.load(cache / "images.npy", mmap_mode="r"),
            labels=np.load(cache / "labels.npy"),
            usage=np.load(cache / "usage.npy"),
            names=np.load(cache / "names.npy"),
            problems=meta["problems"],
        )
    except (OSError, ValueError, KeyError) as error:
        raise DatasetError(
            f"The cached copy of FER2013 in {cache} is damaged. Delete that folder and try again."
        ) from error


def pixel_hashes(images: NDArray[np.uint8]) -> NDArray[np.str_]:
    """Return the SHA-1 of each image's pixels, ``(N,)`` str of 40 characters. Equal pictures have equal hashes."""
    return np.array([hashlib.sha1(np.ascontiguousarray(image).tobytes()).hexdigest() for image in images], dtype="U40")


def _downloaded(settings: Settings) -> Path | None:
    try:
        folder = Path(json.loads((settings.cache_dir / DOWNLOADED).read_text())["folder"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return folder if folder.is_dir() else None


def _locate(path: Path | None) -> Path:
    if path is None:
        raise DatasetMissing(
            "FER2013 is not set up. Download it (python -m fer_core data download) or set FER_DATA_DIR to a copy: "
            "the Kaggle folder, its zip, or fer2013.csv."
        )
    if not path.exists():
        raise DatasetMissing(f"There is nothing at {path}. Set FER_DATA_DIR (or --data) to your copy of FER2013.")
    if path.is_file():
        return path
    if (path / "train").is_dir() or (path / "test").is_dir():
        return path
    for name in ("fer2013.zip", "archive.zip", "fer2013.csv", "fer2013/fer2013.csv"):
        if (path / name).is_file():
            return path / name
    raise DatasetMissing(
        f"{path} holds no FER2013: expected the folders train and test, or fer2013.zip, or fer2013.csv in it."
    )


def _fingerprint(source: Path) -> str:
    """Identify a source without reading it: its path, and size and time of the file or of every class folder."""
    stats = [source] if source.is_file() else sorted(p for p in source.glob("*/*") if p.is_dir())
    parts = [str(source.resolve()), str(_CACHE_FORMAT)]
    parts += [f"{p.name}:{p.stat().st_size}:{p.stat().st_mtime_ns}" for p in stats]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _fill_cache(source: Path, cache: Path, progress: Progress | None) -> None:
    problems: Counter[str] = Counter()
    if source.suffix.lower() == ".csv":
        rows = _read_csv(source, problems, progress)
    else:
        rows = _read_pictures(source, problems, progress)
    images, labels, usage, names = [], [], [], []
    for name, label, use, image in rows:
        images.append(image)
        labels.append(label)
        usage.append(use)
        names.append(name)
    if not images:
        raise DatasetError(f"{source} holds no picture of FER2013 ({_describe(problems)}).")
    # Written aside and renamed, so that a reader never sees half a cache; in a folder of its own, because another
    # process may be filling the same cache.
    aside = cache.with_name(f"{cache.name}.{uuid.uuid4().hex}.part")
    aside.mkdir(parents=True)
    np.save(aside / "images.npy", np.stack(images))
    np.save(aside / "labels.npy", np.array(labels, dtype=np.int64))
    np.save(aside / "usage.npy", np.array(usage))
    np.save(aside / "names.npy", np.array(names))
    (aside / "meta.json").write_text(json.dumps({"problems": dict(problems)}))
    try:
        aside.rename(cache)
    except OSError:
        if not (cache / "meta.json").is_file():
            raise
        shutil.rmtree(aside)


def _describe(problems: Counter[str]) -> str:
    return "; ".join(f"{what}: {count}" for what, count in problems.items()) or "it is empty"


def _read_pictures(
    source: Path, problems: Counter[str], progress: Progress | None
) -> Iterator[tuple[str, int, str, NDArray[np.uint8]]]:
    import cv2

    if source.is_dir():
        files = ((p.relative_to(source).as_posix(), p.read_bytes) for p in sorted(source.rglob("*")) if p.is_file())
        yield from _decode(_entries(files, problems), problems, progress, cv2)
        return
    try:
        with zipfile.ZipFile(source) as archive:
            names = sorted(i.filename for i in archive.infolist() if not i.is_dir())
            files = ((n, lambda n=n: archive.read(n)) for n in names)  # type: ignore[misc]
            yield from _decode(_entries(files, problems), problems, progress, cv2)
    except zipfile.BadZipFile as error:
        raise DatasetError(f"{source} is not a zip archive, or it is damaged. Download it again.") from error


def _entries(files: Iterable[tuple[str, Callable[[], bytes]]], problems: Counter[str]) -> list[_Entry]:
    found: list[_Entry] = []
    seen: set[tuple[str, str]] = set()
    for name, read in files:
        # The archive may hold everything below one more folder; only the last three parts say what an image is.
        parts = PurePosixPath(name).parts[-3:]
        if len(parts) < 3 or parts[0] not in ("train", "test") or Path(name).suffix.lower() not in _SUFFIXES:
            problems["files that are not pictures of FER2013"] += 1
            continue
        folder, emotion, base = parts
        if emotion not in EMOTIONS:
            problems["pictures in a folder that is not one of the seven classes"] += 1
            continue
        usage = base.split("_")[0]
        expected = ("Training",) if folder == "train" else ("PublicTest", "PrivateTest")
        if usage not in expected:
            usage = expected[0]
            problems[f"pictures in {folder} whose name does not say their usage (taken as {usage})"] += 1
        seen.add((folder, emotion))
        found.append(_Entry("/".join(parts), index_of(emotion), usage, read))
    for folder in ("train", "test"):
        for emotion in EMOTIONS:
            if (folder, emotion) not in seen:
                problems[f"missing or empty class folder {folder}/{emotion}"] += 1
    return found


def _decode(
    entries: list[_Entry], problems: Counter[str], progress: Progress | None, cv2: object
) -> Iterator[tuple[str, int, str, NDArray[np.uint8]]]:
    for done, entry in enumerate(entries):
        if progress and done % 500 == 0:
            progress(done, len(entries))
        try:
            data = np.frombuffer(entry.read(), np.uint8)
            image = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if data.size else None  # type: ignore[attr-defined]
        except (zipfile.BadZipFile, OSError, EOFError, zipfile.zlib.error):  # type: ignore[attr-defined]
            image = None
        if image is None:
            problems["pictures that cannot be decoded (left out)"] += 1
        elif image.shape != (SIDE, SIDE):
            problems["pictures that are not 48x48 (left out)"] += 1
        else:
            yield entry.name, entry.label, entry.usage, image
    if progress:
        progress(len(entries), len(entries))


def _read_csv(
    source: Path, problems: Counter[str], progress: Progress | None
) -> Iterator[tuple[str, int, str, NDArray[np.uint8]]]:
    total = source.stat().st_size
    done = 0
    with source.open(newline="") as lines:
        reader = csv.DictReader(lines)
        if reader.fieldnames is None or not {"emotion", "pixels", "Usage"} <= set(reader.fieldnames):
            raise DatasetError(f"{source} is not fer2013.csv: its columns must be emotion, pixels, Usage.")
        for row, record in enumerate(reader):
            done += len(record["pixels"] or "") + 15
            if progress and row % 500 == 0:
                progress(min(done, total), total)
            try:
                label = index_of(CSV_ORDER[int(record["emotion"])])
                values = np.array(record["pixels"].split(), dtype=np.int64)
            except (ValueError, IndexError, AttributeError, OverflowError):
                problems["rows that cannot be read (left out)"] += 1
                continue
            if values.size != SIDE * SIDE or values.min() < 0 or values.max() > 255:
                problems["rows that are not 48x48 grey values (left out)"] += 1
            elif record["Usage"] not in USAGES:
                problems["rows with an unknown usage (left out)"] += 1
            else:
                yield f"row/{row:05d}", label, record["Usage"], values.astype(np.uint8).reshape(SIDE, SIDE)
