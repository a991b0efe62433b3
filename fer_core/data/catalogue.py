"""All 35,887 images of FER2013 by name, with what is known of each: usable on a machine without a single image.

Read from the committed tables (see :mod:`fer_core.data.build` for how they are made). NumPy and the standard library
only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fer_core.data import faults, tables
from fer_core.data.fer2013 import USAGES, Fer2013
from fer_core.errors import DatasetError
from fer_core.labels import EMOTIONS, N_CLASSES

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPLITS: Final = ("train", "val", "public", "private")
SPLIT_NAMES: Final = {
    "train": "Training",
    "val": "Validation",
    "public": "PublicTest",
    "private": "PrivateTest",
}
"""How the splits are called on a page. Training and validation together are FER2013's ``Training``."""

FLAGS: Final = {
    "leaked": "Test image that stands in Training too",
    "repeated": "Same pixels as another image",
    "contradicting": "Same pixels, another label",
    "near": "Near duplicate of another image",
    "blank": "Blank or nearly blank",
    "suspect": "Label doubted by a model",
    "noface": "No face, according to FER+",
}
"""Kinds of trouble an image can be in -> in words. Keys of :attr:`Catalogue.flags`."""

_FOLDER: Final = {"Training": "train", "PublicTest": "test", "PrivateTest": "test"}


@dataclass(frozen=True)
class Catalogue:
    """Every image, in the order of its name. Arrays of length N = 35,887 in the committed one.

    Attributes
    ----------
    names
        ``(N,)`` str, sorted: ``test/angry/PrivateTest_10131363.jpg``.
    labels
        ``(N,)`` int64, index into ``EMOTIONS``.
    split
        ``(N,)`` str, one of :data:`SPLITS`.
    brightness, contrast, sharpness
        ``(N,)`` float32, see :class:`fer_core.data.quality.Measures`.
    flags
        Key of :data:`FLAGS` -> ``(N,)`` bool.
    """

    names: NDArray[np.str_]
    labels: NDArray[np.int64]
    split: NDArray[np.str_]
    brightness: NDArray[np.float32]
    contrast: NDArray[np.float32]
    sharpness: NDArray[np.float32]
    flags: dict[str, NDArray[np.bool_]] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.names)

    def index_of(self, names: Any) -> NDArray[np.int64]:
        """Return the positions of the images of these names, -1 for names that are not in the catalogue."""
        wanted = np.atleast_1d(np.asarray(names, dtype=np.str_))
        at = np.searchsorted(self.names, wanted).clip(max=len(self) - 1)
        return np.where(self.names[at] == wanted, at, -1).astype(np.int64)

    def counts(self) -> NDArray[np.int64]:
        """Return images per split and class, ``(4, 7)`` in the orders of :data:`SPLITS` and ``EMOTIONS``."""
        code = np.array([SPLITS.index(split) for split in SPLITS])
        position = np.searchsorted(np.sort(SPLITS), self.split)
        split = code[np.argsort(SPLITS)][position]
        flat = np.bincount(split * N_CLASSES + self.labels, minlength=len(SPLITS) * N_CLASSES)
        return np.asarray(flat.reshape(len(SPLITS), N_CLASSES), dtype=np.int64)

    def rows_in(self, dataset: Fer2013) -> NDArray[np.int64]:
        """Return where each image stands in an opened data set, ``(N,)`` int64; -1 for images it does not have.

        A data set read from ``fer2013.csv`` has no file names; its rows are found through the map of
        :mod:`fer_core.data.ferplus`, which lacks 177 images.
        """
        if len(dataset) and str(dataset.names[0]).startswith("row/"):
            from fer_core.data.ferplus import rows_of

            rows = rows_of(self.names.tolist())
            wanted = np.array([f"row/{row:05d}" if row >= 0 else "" for row in rows])
        else:
            wanted = self.names
        order = np.argsort(dataset.names)
        ordered = dataset.names[order]
        at = np.searchsorted(ordered, wanted).clip(max=len(ordered) - 1)
        return np.where(ordered[at] == wanted, order[at], -1).astype(np.int64)


def pack(catalogue: Catalogue) -> dict[str, NDArray[Any]]:
    """Return the small arrays that ``images.npz`` stores; :func:`unpack` is the inverse.

    A name is usage, class and number. Measures are kept as float16: three digits.
    """
    usage, number = [], []
    for name in catalogue.names.tolist():
        base = Path(name).stem.split("_")
        usage.append(USAGES.index(base[0]))
        number.append(int(base[1]))
    return {
        "usage": np.array(usage, np.uint8),
        "number": np.array(number, np.int32),
        "label": catalogue.labels.astype(np.uint8),
        "split": np.array([SPLITS.index(str(split)) for split in catalogue.split], np.uint8),
        "brightness": catalogue.brightness.astype(np.float16),
        "contrast": catalogue.contrast.astype(np.float16),
        "sharpness": catalogue.sharpness.astype(np.float16),
    }


def unpack(stored: dict[str, NDArray[Any]]) -> Catalogue:
    """Return the catalogue, without flags, that :func:`pack` made arrays of."""
    names = [
        f"{_FOLDER[USAGES[usage]]}/{EMOTIONS[label]}/{USAGES[usage]}_{number}.jpg"
        for usage, label, number in zip(
            stored["usage"].tolist(), stored["label"].tolist(), stored["number"].tolist(), strict=True
        )
    ]
    return Catalogue(
        names=np.array(names),
        labels=stored["label"].astype(np.int64),
        split=np.array(SPLITS)[stored["split"]],
        brightness=stored["brightness"].astype(np.float32),
        contrast=stored["contrast"].astype(np.float32),
        sharpness=stored["sharpness"].astype(np.float32),
    )


@lru_cache(maxsize=1)
def load() -> Catalogue:
    """Return the committed catalogue with its flags.

    Raises
    ------
    DatasetError
        If a table is missing or damaged.
    """
    bare = unpack(tables.arrays("images"))
    marked = {
        "leaked": tables.leaked(),
        "repeated": [row["image"] for row in tables.rows("repeated")],
        "contradicting": [name for group in faults.contradictions().groups for name in group],
        "near": [row[side] for row in tables.rows("near") for side in ("first", "second")],
        "blank": [row["image"] for row in tables.rows("blank")],
        "suspect": [row["image"] for row in tables.rows("suspects")] if tables.has("suspects.csv") else [],
    }
    flags = {key: np.isin(bare.names, np.array(sorted(names), dtype=np.str_)) for key, names in marked.items()}
    from fer_core.data.ferplus import row_map

    faces = np.array(sorted(row_map()), dtype=np.str_)
    flags["noface"] = ~np.isin(bare.names, faces)
    if set(flags) != set(FLAGS):
        raise DatasetError("The tables of FER2013 do not fit this version of the program.")
    return Catalogue(**{**{name: getattr(bare, name) for name in _ARRAYS}, "flags": flags})


_ARRAYS: Final = ("names", "labels", "split", "brightness", "contrast", "sharpness")
