"""Files that are there whole or not at all."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path, *, shared: bool = False) -> Iterator[Path]:
    """Give a path beside `path` to write to; the file there takes the place of `path` at the end of the block.

    Whoever reads `path`, and whoever is killed while writing, finds the old file or the new one, never a part of one.

    Parameters
    ----------
    path
        In a folder that exists.
    shared
        Whether another process may be writing the same file at the same time: each then writes to a path of its own.
        Otherwise the path is always the same, so that what a killed process left is written over.

    Raises
    ------
    OSError
        If the file cannot be written or moved.
    """
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part" if shared else f".{path.name}.part")
    try:
        yield aside
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
