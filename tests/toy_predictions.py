"""Toy models with stored predictions whose confusion matrices are written down, and the faces they are about.

An image of label L that gets the answer A scores 0.6 for A and 0.3 for L (0.9 where both are one), a little less for
each further image of the same cell; the rest is shared evenly. So the surest error of a cell is its first image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fer_core.evaluation import predictions
from fer_core.evaluation.predictions import Predictions
from fer_core.labels import EMOTIONS, index_of
from fer_core.registry import MIRROR_FILE, PREDICTIONS_FILE, ModelCard, write_card
from tests.toy import make_toy_model

Rows = Mapping[str, Mapping[str, int]]
FOLDERS = {"val": ("train", "Training"), "public": ("test", "PublicTest"), "private": ("test", "PrivateTest")}

MATRIX: Rows = {
    "angry": {"angry": 8, "sad": 2},
    "disgust": {"angry": 6, "disgust": 2, "happy": 2},
    "fear": {"fear": 5, "surprise": 5},
    "happy": {"happy": 19, "neutral": 1},
    "neutral": {"neutral": 8, "sad": 2},
    "sad": {"sad": 6, "neutral": 4},
    "surprise": {"surprise": 10},
}
"""Of each split: 80 images, 58 answered rightly."""

OTHER: Rows = {**MATRIX, "disgust": {"angry": 2, "disgust": 4, "happy": 4}, "fear": {"fear": 10}}


def scores(label: str, answer: str, index: int) -> np.ndarray:
    """Return the seven scores of image number `index` (from 0) of a cell."""
    drop = 0.01 * index
    values = np.full(7, np.nan)
    if label == answer:
        values[index_of(label)] = 0.9 - drop
    else:
        values[index_of(answer)], values[index_of(label)] = 0.6 - drop, 0.3
    empty = np.isnan(values)
    values[empty] = (1 - np.nansum(values)) / empty.sum()
    return values


def toy_predictions(rows: Rows, splits: tuple[str, ...] = ("val", "public", "private")) -> Predictions:
    """Return predictions with the matrix `rows` in each split."""
    names, split, labels, proba = [], [], [], []
    for part in splits:
        folder, usage = FOLDERS[part]
        for label, answers in rows.items():
            number = 0
            for answer, count in answers.items():
                for index in range(count):
                    # the label's images have the same names in every model, whatever it answers to them
                    names.append(f"{folder}/{label}/{usage}_{number:03d}.jpg")
                    number += 1
                    split.append(part)
                    labels.append(index_of(label))
                    proba.append(scores(label, answer, index))
    return Predictions(np.array(names), np.array(split), np.array(labels, np.int64), np.array(proba).astype(np.float32))


def make_evaluated_model(
    models_dir: Path, id: str, rows: Rows = MATRIX, *, mirror: Rows | None = None, splits=tuple(FOLDERS), **card: Any
) -> ModelCard:
    """Write a toy model with predictions; `mirror` are its answers to the mirrored images."""
    made = make_toy_model(models_dir, id, onnx=card.pop("onnx", False), **card)
    predictions.write(made.directory / PREDICTIONS_FILE, toy_predictions(rows, splits))
    if mirror is not None:
        predictions.write(made.directory / MIRROR_FILE, toy_predictions(mirror, splits))
    return write_card(replace(made, outputs=made.outputs))


def write_faces(folder: Path, rows: Rows = MATRIX) -> Path:
    """Write a picture for each image of :func:`toy_predictions`, in the layout of the Kaggle archive."""
    from PIL import Image

    for number, name in enumerate(toy_predictions(rows).names.tolist()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shade = np.add.outer(np.arange(48), np.arange(48)) * 2 % 256
        Image.fromarray(((shade + 3 * number) % 256).astype(np.uint8)).save(path, "JPEG", quality=95)
    return folder


assert set(MATRIX) == set(OTHER) == set(EMOTIONS)
