"""Small committed tables about FER2013: file names and numbers, never an image and never a vote.

``python -m fer_core data tables`` writes them anew; this module only reads them. Only NumPy and the standard library
are needed here.
"""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path

from fer_core.errors import DatasetError

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
        raise DatasetError(
            f"The table {path.name} is missing. Write it with: python -m fer_core data tables."
        ) from error


@lru_cache(maxsize=1)
def leaked() -> frozenset[str]:
    """Return the names of the 568 test images whose exact pixels also stand in ``Training``."""
    return frozenset(row["image"] for row in rows("leaked"))
