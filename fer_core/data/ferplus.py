"""FER+ votes: what ten people saw in each image of FER2013.

The votes are the FER+ project's file ``fer2013new.csv``, whose rows stand in the order of ``fer2013.csv``; the setting
``FERPLUS_CSV`` points to it. The Kaggle archive names its images otherwise, so a committed map
(``ferplus_rows.npz``, written by :func:`build_row_map`) says which row each Kaggle file name is. The votes themselves
are not part of this project.

Source: E. Barsoum, C. Zhang, C. Canton Ferrer, Z. Zhang, "Training Deep Networks for Facial Expression Recognition
with Crowd-Sourced Label Distribution", ICMI 2016. Counts are used as they are: the outlier rule of that paper (a
single vote for a class is set to zero) is not applied.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from fer_core.errors import DatasetError, DatasetMissing
from fer_core.labels import EMOTIONS, index_of
from fer_core.settings import Settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

VOTE_COLUMNS: Final = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "NF",
)
"""What a person could vote for, in the order of the file; ``NF`` is "not a face"."""

EMOTION_OF_VOTE: Final = {
    "neutral": "neutral",
    "happiness": "happy",
    "surprise": "surprise",
    "sadness": "sad",
    "anger": "angry",
    "disgust": "disgust",
    "fear": "fear",
}
"""Vote column -> class of this project. Contempt, unknown and NF have no class in FER2013."""

SEVEN: Final = tuple(VOTE_COLUMNS.index({e: v for v, e in EMOTION_OF_VOTE.items()}[emotion]) for emotion in EMOTIONS)
"""``counts[:, SEVEN]`` are the votes for the seven classes in the order of ``EMOTIONS``."""

N_ROWS: Final = 35_887
"""Rows of ``fer2013.csv``: 28,709 Training, then 3,589 PublicTest, then 3,589 PrivateTest."""

ROW_MAP: Final = Path(__file__).with_name("ferplus_rows.npz")

_USAGE_END: Final = (28_709, 32_298, N_ROWS)
_USAGE_FOLDER: Final = (("Training", "train"), ("PublicTest", "test"), ("PrivateTest", "test"))
_KAGGLE_NAME: Final = re.compile(r"^(train|test)/([a-z]+)/(Training|PublicTest|PrivateTest)_(\d+)\.jpg$")
_CSV_NAME: Final = re.compile(r"^row/(\d+)$")
_NO_IMAGE: Final = -1


@dataclass(frozen=True)
class Votes:
    """Votes of every row of ``fer2013.csv``.

    Attributes
    ----------
    counts : ndarray of int64, shape (35887, 10)
        Votes per column of :data:`VOTE_COLUMNS`; zeros where FER+ has no image.
    known : ndarray of bool, shape (35887,)
        Whether FER+ has that image. It left out 177 images that are not faces.
    """

    counts: NDArray[np.int64]
    known: NDArray[np.bool_]

    def of(self, names: Iterable[str]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return the votes for images of FER2013.

        Parameters
        ----------
        names : iterable of str
            Kaggle file names (``test/angry/PrivateTest_1.jpg``) or csv rows (``row/00012``).

        Returns
        -------
        counts : ndarray of int64, shape (N, 10)
        known : ndarray of bool, shape (N,)
            False where there are no votes: the image is not in FER+, or the name is not one of FER2013.
        """
        rows = rows_of(names)
        inside = (rows >= 0) & (rows < len(self.known))
        safe = np.where(inside, rows, 0)
        known = inside & self.known[safe]
        return np.where(known[:, None], self.counts[safe], 0), known


def open_votes(path: Path | None = None, *, settings: Settings | None = None) -> Votes:
    """Read the votes from `path`, or from where ``FERPLUS_CSV`` points.

    Raises
    ------
    DatasetMissing
        If neither is given, or there is no such file.
    DatasetError
        If the file is not a file of FER+ votes.
    """
    source = path or (settings or Settings.from_environment()).ferplus_csv
    if source is None:
        raise DatasetMissing("FER+ votes are not set up: point FERPLUS_CSV to the FER+ project's fer2013new.csv.")
    return read_votes(source)


def read_votes(path: Path) -> Votes:
    """Read a file of votes.

    Two layouts are understood: the FER+ project's ``fer2013new.csv`` (``Usage, Image name, neutral, …, NF``, one line
    for each row of ``fer2013.csv`` in its order; no image name means that FER+ has no such image), and a table with a
    column ``row`` beside the ten columns of votes.

    Raises
    ------
    DatasetMissing
        If there is no such file.
    DatasetError
        If a column is missing, a count is not a whole number, or the rows do not fit ``fer2013.csv``.
    """
    if not path.is_file():
        raise DatasetMissing(f"There is no file of FER+ votes at {path}.")
    counts = np.zeros((N_ROWS, len(VOTE_COLUMNS)), dtype=np.int64)
    known = np.zeros(N_ROWS, dtype=np.bool_)
    line = 1
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            header = [column.strip() for column in next(reader, [])]
            columns = _columns(path, header)
            at_row = header.index("row") if "row" in header else None
            at_name = header.index("Image name") if at_row is None else None
            for line, record in enumerate(reader, start=2):
                if not record:
                    continue
                row = line - 2 if at_row is None else int(record[at_row])
                if not 0 <= row < N_ROWS:
                    raise DatasetError(f"{path.name} has a line for row {row}; fer2013.csv has rows 0 to {N_ROWS - 1}.")
                if known[row]:
                    raise DatasetError(f"{path.name} has row {row} twice.")
                if at_name is not None and not record[at_name].strip():
                    continue
                counts[row] = [int(record[column]) for column in columns]
                known[row] = True
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path.name} is not a text file with comma-separated values.") from error
    except (ValueError, IndexError) as error:
        raise DatasetError(f"Line {line} of {path.name} does not hold whole numbers of votes.") from error
    if at_row is None and line != N_ROWS + 1:
        raise DatasetError(
            f"{path.name} has {line - 1} lines of votes; fer2013new.csv has {N_ROWS}, one for each row of fer2013.csv."
        )
    if (counts < 0).any():
        raise DatasetError(f"{path.name} has negative numbers of votes.")
    # A face with no vote at all says nothing; it is treated like an image that FER+ does not have.
    known &= counts.sum(axis=1) > 0
    if not known.any():
        raise DatasetError(f"{path.name} holds no votes.")
    return Votes(counts, known)


def rows_of(names: Iterable[str]) -> NDArray[np.int64]:
    """Return the row of each image in ``fer2013.csv``, shape (N,) int64; -1 for a name without a row.

    Names are Kaggle file names, or ``row/00012`` as the images of ``fer2013.csv`` are named.
    """
    table = row_map()
    rows = []
    for name in names:
        from_csv = _CSV_NAME.match(name)
        rows.append(int(from_csv[1]) if from_csv else table.get(name, _NO_IMAGE))
    return np.array(rows, dtype=np.int64)


@lru_cache(maxsize=1)
def row_map() -> dict[str, int]:
    """Return the committed map: Kaggle file name -> row of ``fer2013.csv`` (35,710 images).

    Raises
    ------
    DatasetError
        If the map's file is damaged or missing.
    """
    try:
        with np.load(ROW_MAP, allow_pickle=False) as stored:
            numbers, labels = stored["number"], stored["label"]
    except (OSError, ValueError, KeyError) as error:
        raise DatasetError("The map from file names to FER+ rows is missing or damaged; install again.") from error
    names: dict[str, int] = {}
    start = 0
    for end, (usage, folder) in zip(_USAGE_END, _USAGE_FOLDER, strict=True):
        for row in range(start, end):
            if numbers[row] != _NO_IMAGE:
                names[f"{folder}/{EMOTIONS[labels[row]]}/{usage}_{numbers[row]}.jpg"] = row
        start = end
    return names


def build_row_map(source: Path, target: Path = ROW_MAP) -> int:
    """Write the map of file names to rows that :func:`row_map` reads; needed only if the map must be made anew.

    Run it as ``python -c "from pathlib import Path; from fer_core.data.ferplus import build_row_map;
    print(build_row_map(Path('votes.csv')))"``.

    A name is its folder, class, usage and number. The row gives usage and folder, so that number and class indexed by
    row are the whole map: two arrays of 35,887.

    Parameters
    ----------
    source : Path
        A csv with the columns ``image`` (Kaggle file name) and ``row`` (row of ``fer2013.csv``), as had by matching
        the pixels of both.
    target : Path
        Where to write.

    Returns
    -------
    int
        Number of images in the map.

    Raises
    ------
    DatasetError
        If a name or row is not one of FER2013, they contradict each other, or a row stands twice.
    """
    numbers = np.full(N_ROWS, _NO_IMAGE, dtype=np.int32)
    labels = np.zeros(N_ROWS, dtype=np.uint8)
    with source.open(newline="", encoding="utf-8") as file:
        for record in csv.DictReader(file):
            row = int(record["row"])
            match = _KAGGLE_NAME.match(record["image"])
            if match is None or match[2] not in EMOTIONS or not 0 <= row < N_ROWS:
                raise DatasetError(f"{record['image']} (row {row}) is not an image of FER2013.")
            usage, folder = _USAGE_FOLDER[int(np.searchsorted(_USAGE_END, row, side="right"))]
            if (match[3], match[1]) != (usage, folder):
                raise DatasetError(f"{record['image']} cannot be row {row}, which belongs to {usage}.")
            if numbers[row] != _NO_IMAGE:
                raise DatasetError(f"Row {row} stands twice in {source.name}.")
            numbers[row], labels[row] = int(match[4]), index_of(match[2])
    np.savez_compressed(target, number=numbers, label=labels)
    return int((numbers != _NO_IMAGE).sum())


def _columns(path: Path, header: Sequence[str]) -> list[int]:
    missing = [column for column in VOTE_COLUMNS if column not in header]
    if missing or ("row" not in header and "Image name" not in header):
        raise DatasetError(
            f"{path.name} is not a file of FER+ votes: it needs the columns Usage, Image name and one for each of "
            f"{', '.join(VOTE_COLUMNS)}."
        )
    return [header.index(column) for column in VOTE_COLUMNS]
