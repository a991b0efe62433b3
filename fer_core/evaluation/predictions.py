"""Stored predictions: one row an image, from which every figure shown anywhere is recomputed.

The file ``predictions.parquet`` of a model has the columns

========================  ====================  =============================================================
column                    type                  meaning
========================  ====================  =============================================================
``image``                 string                file name in the Kaggle archive, ``test/angry/PrivateTest_1.jpg``
``split``                 string                ``val`` (cut from Training), ``public`` or ``private``
``label``                 string                class name the data set gives
``p_angry … p_surprise``  float32               the model's probabilities, in the order of ``EMOTIONS``
========================  ====================  =============================================================

Rows stand in canonical order (split, then file name) whatever order they were written in, so that equal predictions
are equal files and two models' files can be compared row by row.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from fer_core.errors import FerError
from fer_core.files import replacing
from fer_core.labels import EMOTIONS, N_CLASSES

Split = Literal["val", "public", "private"]
"""Part of the data set an image belongs to; training images have no stored predictions."""

Selection = Literal["all", "public", "private", "private_clean", "val"]
"""Part that figures are reported on: ``all`` is public and private together, the 7,178 images of Kaggle's ``test``;
``private_clean`` is private without the images whose pixels stand in Training too."""

SPLITS: Final[tuple[str, ...]] = get_args(Split)
SELECTIONS: Final[tuple[str, ...]] = get_args(Selection)

PROBABILITY_COLUMNS: Final = tuple(f"p_{emotion}" for emotion in EMOTIONS)
COLUMNS: Final = ("image", "split", "label", *PROBABILITY_COLUMNS)

SUM_TOLERANCE: Final = 1e-3
"""How far a row of probabilities may be from one: float16 weights and float32 softmax stay well inside."""

_KAGGLE_NAME: Final = re.compile(r"^(?:train|test)/([a-z]+)/(Training|PublicTest|PrivateTest)_\d+\.jpg$")
_SPLIT_OF_USAGE: Final = {"Training": "val", "PublicTest": "public", "PrivateTest": "private"}


@dataclass(frozen=True)
class Predictions:
    """Probabilities of one model for a set of images; checked when made.

    Parameters
    ----------
    names : ndarray of str, shape (N,)
        Image names, each once.
    split : ndarray of str, shape (N,)
        ``"val"``, ``"public"`` or ``"private"``.
    labels : ndarray of int64, shape (N,)
        Class indices in the order of ``EMOTIONS``.
    proba : ndarray of float32, shape (N, 7)
        Probabilities; every row sums to one within :data:`SUM_TOLERANCE`.

    Raises
    ------
    FerError
        If shapes disagree, a value is not a probability, a row does not sum to one, a name stands twice, or a Kaggle
        file name contradicts the label or split beside it (labels and images paired in different orders).
    """

    names: NDArray[np.str_]
    split: NDArray[np.str_]
    labels: NDArray[np.int64]
    proba: NDArray[np.float32]

    def __post_init__(self) -> None:
        _check(self)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def predicted(self) -> NDArray[np.int64]:
        """Class of the largest probability, shape (N,) int64; the first of equals."""
        predicted: NDArray[np.int64] = np.argmax(self.proba, axis=1).astype(np.int64)
        return predicted

    def select(self, selection: Selection, *, leaked: Collection[str] | None = None) -> Predictions:
        """Return the rows that a figure is reported on.

        Parameters
        ----------
        selection : {"all", "public", "private", "private_clean", "val"}
            See :data:`Selection`.
        leaked : collection of str, optional
            Names of test images whose pixels stand in Training too; needed for ``"private_clean"``.

        Raises
        ------
        FerError
            If the selection is unknown, no row belongs to it, or ``"private_clean"`` is asked for without `leaked`.
        """
        if selection not in SELECTIONS:
            raise FerError(f"There is no part {selection!r} of the data; there are {', '.join(SELECTIONS)}.")
        if selection == "all":
            keep = (self.split == "public") | (self.split == "private")
        elif selection == "private_clean":
            if leaked is None:
                raise FerError("private_clean needs the list of test images that stand in Training too.")
            keep = (self.split == "private") & ~np.isin(self.names, np.array(sorted(leaked), dtype=np.str_))
        else:
            keep = self.split == selection
        if not keep.any():
            raise FerError(f"The predictions hold no image of the part {selection!r}.")
        return self.take(np.flatnonzero(keep))

    def take(self, index: NDArray[Any]) -> Predictions:
        """Return the rows at `index` (integers or a mask), in that order."""
        return Predictions(self.names[index], self.split[index], self.labels[index], self.proba[index])


def read(path: Path) -> Predictions:
    """Read ``predictions.parquet``.

    Raises
    ------
    FerError
        If the file is missing, is not parquet, lacks a column, or its contents are not predictions.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise FerError(f"There are no stored predictions at {path.name!r} (folder {path.parent.name!r}).")
    try:
        table = pq.read_table(path, use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise FerError(f"{path.name} in {path.parent.name!r} cannot be read as parquet; write it again.") from error
    missing = [column for column in COLUMNS if column not in table.column_names]
    if missing:
        raise FerError(f"{path.name} in {path.parent.name!r} lacks the columns {', '.join(missing)}.")

    def text(column: str) -> NDArray[np.str_]:
        return np.array(table.column(column).to_pylist(), dtype=np.str_)

    position = {emotion: index for index, emotion in enumerate(EMOTIONS)}
    label_names = table.column("label").to_pylist()
    foreign = sorted({str(name) for name in label_names if name not in position})
    if foreign:
        raise FerError(f"{path.name} in {path.parent.name!r} has unknown labels: {', '.join(foreign[:5])}.")
    try:
        proba = np.column_stack([table.column(column).to_numpy().astype(np.float32) for column in PROBABILITY_COLUMNS])
    except (ValueError, TypeError) as error:
        raise FerError(f"{path.name} in {path.parent.name!r} has probabilities that are not numbers.") from error
    return Predictions(
        names=text("image"),
        split=text("split"),
        labels=np.array([position[name] for name in label_names], dtype=np.int64),
        proba=proba,
    )


def write(path: Path, predictions: Predictions) -> None:
    """Write `predictions` to `path` in canonical order; equal predictions give equal bytes.

    The file is written beside its place and moved there, so that a killed run leaves the old file or the new one.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rank = np.array([SPLITS.index(split) for split in predictions.split])
    ordered = predictions.take(np.lexsort((predictions.names, rank)))
    columns: dict[str, Any] = {
        "image": pa.array(ordered.names.tolist(), type=pa.string()),
        "split": pa.array(ordered.split.tolist(), type=pa.string()),
        "label": pa.array([EMOTIONS[label] for label in ordered.labels], type=pa.string()),
    }
    for index, column in enumerate(PROBABILITY_COLUMNS):
        columns[column] = pa.array(ordered.proba[:, index])
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as aside:
        pq.write_table(
            pa.table(columns),
            aside,
            compression="zstd",
            compression_level=19,
            use_dictionary=["split", "label"],
            # Bytes of equal significance stand together: exponents of probabilities compress well, mantissas do not.
            use_byte_stream_split=list(PROBABILITY_COLUMNS),
            column_encoding={"image": "DELTA_BYTE_ARRAY"},
            write_statistics=False,
        )


def _check(predictions: Predictions) -> None:
    names, split, labels, proba = predictions.names, predictions.split, predictions.labels, predictions.proba
    if labels.ndim != 1 or names.shape != labels.shape or split.shape != labels.shape:
        raise FerError(
            f"Predictions need one name, split and label an image, not {len(names)}, {len(split)} and {len(labels)}."
        )
    if proba.shape != (len(labels), N_CLASSES):
        raise FerError(f"Predictions need {N_CLASSES} probabilities an image, not an array of shape {proba.shape}.")
    if labels.dtype != np.int64 or proba.dtype != np.float32:
        raise FerError(f"Labels must be int64 and probabilities float32, not {labels.dtype} and {proba.dtype}.")
    if len(labels) == 0:
        return
    if labels.min() < 0 or labels.max() >= N_CLASSES:
        raise FerError(f"Labels must be 0 to {N_CLASSES - 1}; there are {labels.min()} to {labels.max()}.")
    if not np.isfinite(proba).all():
        raise FerError(f"{int((~np.isfinite(proba)).any(axis=1).sum())} images have probabilities that are not finite.")
    if proba.min() < 0 or proba.max() > 1 + SUM_TOLERANCE:
        raise FerError("Some probabilities are below 0 or above 1.")
    error = np.abs(proba.sum(axis=1, dtype=np.float64) - 1)
    if error.max() > SUM_TOLERANCE:
        worst = int(error.argmax())
        raise FerError(
            f"The probabilities of {names[worst]} sum to {proba[worst].sum():.4f}, not to 1; "
            f"{int((error > SUM_TOLERANCE).sum())} images are like that."
        )
    foreign = sorted(set(split.tolist()) - set(SPLITS))
    if foreign:
        raise FerError(f"Unknown split {foreign[0]!r}; there are {', '.join(SPLITS)}.")
    if len(np.unique(names)) != len(names):
        raise FerError(f"{len(names) - len(np.unique(names))} images stand more than once in the predictions.")
    # A Kaggle file name carries its own class and usage: the cheapest guard against labels in another order.
    for name, part, label in zip(names.tolist(), split.tolist(), labels.tolist(), strict=True):
        match = _KAGGLE_NAME.match(name)
        if match is None:
            continue
        if match[1] != EMOTIONS[label]:
            raise FerError(f"{name} is labelled {EMOTIONS[label]!r}: labels and images are paired in different orders.")
        if _SPLIT_OF_USAGE[match[2]] != part:
            raise FerError(f"{name} stands in the split {part!r}; its name says {_SPLIT_OF_USAGE[match[2]]!r}.")
