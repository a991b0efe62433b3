"""Small committed tables about FER2013: file names and numbers, never an image and never a vote.

``python -m fer_core data tables`` writes them anew; this module only reads them. Only NumPy and the standard library
are needed here.
"""

from __future__ import annotations

import csv
import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_core.errors import DatasetError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOLDER = Path(__file__).parent


@lru_cache(maxsize=16)
def rows(name: str) -> tuple[dict[str, str], ...]:
    """Return the rows of a committed csv table as dictionaries of text.

    Raises
    ------
    DatasetError
        If the table is missing from the installation.
    """
    path = FOLDER / f"{name}.csv"
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return tuple(csv.DictReader(file))
    except OSError as error:
        raise _missing(path) from error


@lru_cache(maxsize=16)
def arrays(name: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of a committed npz file.

    Raises
    ------
    DatasetError
        If the file is missing from the installation, or damaged.
    """
    path = FOLDER / f"{name}.npz"
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {key: stored[key] for key in stored.files}
    except (OSError, ValueError, EOFError) as error:
        raise _missing(path) from error


@lru_cache(maxsize=16)
def document(name: str) -> dict[str, Any]:
    """Return the content of a committed json file.

    Raises
    ------
    DatasetError
        If the file is missing from the installation, or damaged.
    """
    path = FOLDER / f"{name}.json"
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _missing(path) from error
    return content


def has(file: str) -> bool:
    """Tell whether there is a table of that file name."""
    return (FOLDER / file).is_file()


def forget() -> None:
    """Read every table anew when it is next asked for; after writing them."""
    for cached in (rows, arrays, document, leaked):
        cached.cache_clear()


def _missing(path: Path) -> DatasetError:
    return DatasetError(f"The table {path.name} is missing or damaged. Write it with: python -m fer_core data tables.")


@lru_cache(maxsize=1)
def leaked() -> frozenset[str]:
    """Return the names of the 568 test images whose exact pixels also stand in ``Training``."""
    return frozenset(row["image"] for row in rows("leaked"))
