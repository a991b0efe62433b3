"""Write the committed tables anew: ``python -m fer_core data tables``.

========================  ============================================================================  ===============
file                      content                                                                       needs
========================  ============================================================================  ===============
``images.npz``            name, label, split, brightness, contrast and sharpness of every image          FER2013
``faces.npz``             mean and standard-deviation face of every class                               FER2013
``leaked.csv``            test images whose pixels stand in Training, with one such twin                FER2013
``repeated.csv``          images that are there more than once, by group                                FER2013
``near.csv``              pairs of near duplicates                                                      FER2013
``blank.csv``             blank and nearly blank images                                                 FER2013
``people.json``           statistics of the FER+ votes (no vote of a single image)                      FER+
``suspects.csv``          labels that the best model doubts, with its numbers                           a model
``suspects.json``         which model, how many per class, and what FER+ says of them as a whole        a model, FER+
``map.npz``, ``.json``    a 2-D map of that model's features, and the nearest neighbours of each image  a model
========================  ============================================================================  ===============

The same data and model give the same files.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fer_core.arrays import write_arrays
from fer_core.data import people, quality, splits
from fer_core.data.catalogue import Catalogue, pack
from fer_core.data.fer2013 import Fer2013
from fer_core.errors import DatasetError
from fer_core.labels import EMOTIONS, N_CLASSES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fer_core.data.ferplus import Votes
    from fer_core.evaluation.predictions import Predictions
    from fer_core.registry import ModelCard

NEIGHBOURS: Final = 6
"""Nearest images in feature space that are kept for each image."""

_COMPONENTS: Final = 50  # of the principal components that the map is made of: keeps the noise out, as usual for t-SNE
_SEED: Final = 0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Sorted:
    """FER2013 in the order of names, with its splits."""

    names: NDArray[np.str_]
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    split: NDArray[np.str_]


def in_order(dataset: Fer2013) -> Sorted:
    """Return the data set sorted by name.

    Raises
    ------
    DatasetError
        If its images have no file names, as those of ``fer2013.csv``: tables made from them would fit no other copy.
    """
    if len(dataset) == 0 or str(dataset.names[0]).startswith("row/"):
        raise DatasetError("The tables name files of the Kaggle archive; fer2013.csv has none. Use the folder or zip.")
    order = np.argsort(dataset.names)
    return Sorted(
        dataset.names[order], np.asarray(dataset.images)[order], dataset.labels[order], splits.assign(dataset)[order]
    )


def from_images(dataset: Fer2013, folder: Path, say: Say) -> None:
    """Write the tables that need FER2013 only."""
    faces = in_order(dataset)
    say("measuring brightness, contrast, sharpness")
    measured = quality.measure(faces.images)
    catalogue = Catalogue(
        faces.names,
        faces.labels,
        faces.split,
        measured.brightness.astype(np.float32),
        measured.contrast.astype(np.float32),
        measured.sharpness.astype(np.float32),
    )
    write_arrays(folder / "images.npz", pack(catalogue))
    shown = measured.contrast >= quality.BLANK_CONTRAST
    mean, deviation = class_faces(faces.images[shown], faces.labels[shown])
    write_arrays(folder / "faces.npz", {"mean": mean.astype(np.float16), "std": deviation.astype(np.float16)})
    _write_rows(
        folder / "blank.csv",
        ("image", "kind", "brightness", "contrast"),
        (
            (
                faces.names[i],
                "blank" if measured.contrast[i] < quality.BLANK_CONTRAST else "nearly blank",
                f"{measured.brightness[i]:.1f}",
                f"{measured.contrast[i]:.1f}",
            )
            for i in np.flatnonzero(measured.contrast < quality.NEARLY_BLANK_CONTRAST)
        ),
    )

    say("looking for repeats")
    groups = quality.exact_groups(faces.images)
    first, count = np.unique(groups, return_counts=True)
    many = first[count > 1]
    number = {int(group): k for k, group in enumerate(many)}
    _write_rows(
        folder / "repeated.csv",
        ("group", "image"),
        sorted((number[int(groups[i])], str(faces.names[i])) for i in np.flatnonzero(np.isin(groups, many))),
    )
    _write_rows(folder / "leaked.csv", ("image", "twin"), leaks(faces, groups))

    say("looking for near duplicates (about a minute)")
    single = np.array([i for i in first if measured.contrast[i] >= quality.NEARLY_BLANK_CONTRAST], dtype=np.int64)
    pairs = quality.near_duplicates(faces.images[single])
    _write_rows(
        folder / "near.csv",
        ("first", "second", "similarity", "mirrored"),
        (
            (faces.names[single[i]], faces.names[single[j]], f"{value:.3f}", int(mirrored))
            for i, j, value, mirrored in zip(pairs.first, pairs.second, pairs.similarity, pairs.mirrored, strict=True)
        ),
    )


def leaks(faces: Sorted, groups: NDArray[np.int64]) -> list[tuple[str, str]]:
    """Return test images whose pixels stand in Training, each with the first such twin by name."""
    test = np.isin(faces.split, ("public", "private"))
    twin: dict[int, str] = {}
    for i in np.flatnonzero(~test):
        twin.setdefault(int(groups[i]), str(faces.names[i]))
    return [(str(faces.names[i]), twin[int(groups[i])]) for i in np.flatnonzero(test) if int(groups[i]) in twin]


def class_faces(
    images: NDArray[np.uint8], labels: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation of each pixel over the images of each class, two ``(7, H, W)`` in grey values.

    NaN for a class without images.
    """
    shape = (N_CLASSES, *images.shape[1:])
    mean, deviation = np.full(shape, np.nan), np.full(shape, np.nan)
    for label in range(N_CLASSES):
        chosen = images[labels == label]
        if len(chosen):
            mean[label], deviation[label] = chosen.mean(axis=0, dtype=np.float64), chosen.std(axis=0, dtype=np.float64)
    return mean, deviation


def from_votes(catalogue: Catalogue, votes: Votes, folder: Path, say: Say) -> None:
    """Write the statistics of FER+."""
    say("summing up the FER+ votes")
    counts, known = votes.of(catalogue.names.tolist())
    _write_document(
        folder / "people.json", people.summarise(catalogue.labels[known], catalogue.split[known], counts[known])
    )


def from_predictions(card: ModelCard, stored: Predictions, votes: Votes | None, folder: Path, say: Say) -> None:
    """Write the labels that a model doubts, judged on its validation and test images (it was trained on neither)."""
    say(f"asking {card.id} about the labels")
    issues = quality.label_issues(stored.labels, stored.proba)
    doubted = np.flatnonzero(issues.suspect)
    doubted = doubted[np.lexsort((stored.names[doubted], issues.margin[doubted]))]
    _write_rows(
        folder / "suspects.csv",
        ("image", "suggested", "self_confidence", "margin"),
        (
            (
                stored.names[i],
                EMOTIONS[issues.suggested[i]],
                f"{issues.self_confidence[i]:.4f}",
                f"{issues.margin[i]:.4f}",
            )
            for i in doubted
        ),
    )
    matrix = np.zeros((N_CLASSES, N_CLASSES), dtype=np.int64)
    np.add.at(matrix, (stored.labels[doubted], issues.suggested[doubted]), 1)
    summary: dict[str, Any] = {
        "model": card.id,
        "name": card.name,
        "judged": np.bincount(stored.labels, minlength=N_CLASSES).tolist(),
        "suspect": matrix.tolist(),
        "thresholds": [None if np.isnan(value) else round(float(value), 4) for value in issues.thresholds],
    }
    if votes is not None:
        counts, known = votes.of(stored.names.tolist())
        summary["witness"] = people.witness(
            stored.labels[known], issues.suspect[known], issues.suggested[known], counts[known]
        )
    _write_document(folder / "suspects.json", summary)


def from_features(card: ModelCard, dataset: Fer2013, folder: Path, say: Say) -> None:
    """Write the map and the neighbours in the feature space of a model.

    The features are the vector before the last dense layer, scaled to length 1. The map is t-SNE (L. van der Maaten,
    G. Hinton, JMLR 9, 2008) of their first fifty principal components, for the validation and test images: training
    images lie where the network was made to put them. Neighbours are those of largest cosine similarity among all
    images; exact repeats of the image itself are left out, since they say nothing new.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    from fer_core.classifier import load_classifier

    faces = in_order(dataset)
    say(f"computing the features of {card.id} for {len(faces.names)} images (some minutes)")
    features = unit_features(load_classifier(card), faces.images)
    groups = quality.exact_groups(faces.images)
    neighbours = nearest(features, groups, NEIGHBOURS)
    say("drawing the map (some minutes)")
    drawn = np.flatnonzero(faces.split != "train")
    components = min(_COMPONENTS, features.shape[1], len(drawn))
    reduced = PCA(components, random_state=_SEED).fit_transform(features[drawn])
    perplexity = min(30.0, (len(drawn) - 1) / 3)
    xy = TSNE(2, perplexity=perplexity, init="pca", random_state=_SEED, n_jobs=1).fit_transform(reduced)
    write_arrays(
        folder / "map.npz",
        {
            "image": drawn.astype(np.uint16),
            "xy": xy.astype(np.float16),
            "neighbours": neighbours.astype(np.uint16),
        },
    )
    _write_document(
        folder / "map.json",
        {"model": card.id, "name": card.name, "method": "t-SNE", "features": int(features.shape[1])},
    )


def unit_features(classifier: Any, images: NDArray[np.uint8], *, batch: int = 64) -> NDArray[np.float32]:
    """Return the embedding of each image, scaled to length 1, ``(N, D)`` float32."""
    parts = [
        classifier.outputs(images[start : start + batch], ("embedding",))["embedding"]
        for start in range(0, len(images), batch)
    ]
    features = np.concatenate(parts).astype(np.float32)
    length = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.where(length > 0, length, 1))


def nearest(
    features: NDArray[np.float32], groups: NDArray[np.int64], count: int, *, chunk: int = 1024
) -> NDArray[np.int64]:
    """Return the `count` images of largest cosine similarity to each, nearest first, ``(N, count)`` int64.

    Parameters
    ----------
    features : ndarray of float32, shape (N, D)
        Of length 1.
    groups : ndarray of int64, shape (N,)
        Images of the image's own group are no neighbours of it.
    count : int
    chunk : int
        Rows of the product that are held at once.
    """
    result = np.empty((len(features), count), dtype=np.int64)
    members: dict[int, list[int]] = {}
    for i, group in enumerate(groups.tolist()):
        members.setdefault(group, []).append(i)
    for start in range(0, len(features), chunk):
        product = features[start : start + chunk] @ features.T
        for row in range(len(product)):
            product[row, members[int(groups[start + row])]] = -np.inf
        result[start : start + chunk] = largest(product, count)
    return result


def largest(values: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Return the columns of the `count` largest values of each row, largest first, ``(N, count)`` int64."""
    best = np.argpartition(-values, count - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(values, best, axis=1), axis=1, kind="stable")
    return np.asarray(np.take_along_axis(best, order, axis=1), np.int64)


def _write_rows(path: Path, header: tuple[str, ...], rows: Iterable[Iterable[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _write_document(path: Path, content: dict[str, Any]) -> None:
    text = json.dumps(content, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
