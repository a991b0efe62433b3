"""The atlas of a model: what its errors look like on average, cell by cell of the confusion matrix, without an image.

``atlas.npz`` in the model's folder, made by ``python -m fer_core explain atlas`` from FER2013, lets anybody take a
confusion apart on a fresh machine. For every cell (label, answer) of the 7,178 test images it holds the mean face, mean
heat maps, the parts of the face they lie on, deletion and insertion curves, and the labels of the nearest training
faces. No single image can be got out of it: mean faces are of :data:`MIN_FACES` images or more.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from fer_core.arrays import write_arrays
from fer_core.errors import ModelContractError
from fer_core.explain.regions import PARTS
from fer_core.labels import EMOTIONS, N_CLASSES
from fer_core.registry import ATLAS_FILE, ONNX_FILE, WEIGHTS_FILE, ModelCard

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fer_core.explain.cam import Explainer

MIN_FACES: Final = 10
"""A mean face of fewer images shows who they are, and is left out."""
SAMPLED: Final = 16
"""Faces of a cell whose maps are put to the test; the surest answers first."""
ORDERS: Final = 10
"""Random orders for each of these."""
NEAREST: Final = 5
"""Training faces nearest to each test face that are kept."""

Say = Callable[[str], None]

_AGAIN: Final = "Make it again: python -m fer_core explain atlas {}."


@dataclass(frozen=True)
class About:
    """What an atlas was made of.

    Attributes
    ----------
    model : str
        Id of the model.
    network : str
        sha256 of its weights, or of its ``model.onnx`` where they are not there; an atlas of another network is
        refused.
    layer : str
        Whose maps are weighed.
    images : int
        Test images.
    network_control : float or None
        Mean absolute correlation of a face's Grad-CAM with that of the same network with all weights drawn anew
        (Adebayo et al. 2018); None if it was not measured.
    network_control_faces : int
        Of how many faces.
    offset : float
        Of all maps: :attr:`fer_core.explain.heatmap.HeatMap.offset`.
    """

    model: str
    network: str
    layer: str
    images: int
    network_control: float | None = None
    network_control_faces: int = 0
    offset: float = 0.0


@dataclass(frozen=True)
class Atlas:
    """Everything of an atlas; the first two axes of all arrays but `neighbours` are label and answer.

    Attributes
    ----------
    about : About
    count : ndarray of shape (7, 7), int64
        Test images.
    face : ndarray of shape (7, 7, 48, 48), uint8
        Mean face; zeros where there are fewer than :data:`MIN_FACES`.
    map_answer, map_label : ndarray of shape (7, 7, h, w), float32
        Mean Grad-CAM of the answer and of the label, each face's divided by its own mean: 1 is as much as everywhere.
    contrast : ndarray of shape (7, 7, h, w), float32
        Mean signed map of ``logit[answer] - logit[label]``, in logits a cell; zeros on the diagonal.
    dead : ndarray of shape (7, 7), int64
        Faces whose Grad-CAM for the answer is zero everywhere; they are not in the mean.
    parts_answer, parts_label : ndarray of shape (7, 7, 6, 2), float32
        Mean share of the map on each of ``regions.PARTS``, and the standard error of that mean.
    area : ndarray of shape (7, 7, 6), float32
        Mean share of the pixels of each part.
    tested : ndarray of shape (7, 7), int64
        Faces whose maps were put to the test.
    curves : ndarray of shape (7, 7, 4, K), float32
        Mean deletion, insertion, random deletion and random insertion curve of the answer's score.
    beats : ndarray of shape (7, 7), float32
        Mean share of random orders beaten; NaN where none was tested.
    levels : ndarray of shape (7, 7, 3), int64
        How many tested maps are to be trusted, weak, not to be trusted.
    neighbour_labels : ndarray of shape (7, 7, 7), int64
        Labels of the nearest training faces of the cell's faces, :data:`NEAREST` each.
    neighbours : ndarray of shape (N, NEAREST), uint16
        For each test image, in the order of the catalogue, the nearest training images by their place in it.
    """

    about: About
    count: NDArray[np.int64]
    face: NDArray[np.uint8]
    map_answer: NDArray[np.float32]
    map_label: NDArray[np.float32]
    contrast: NDArray[np.float32]
    dead: NDArray[np.int64]
    parts_answer: NDArray[np.float32]
    parts_label: NDArray[np.float32]
    area: NDArray[np.float32]
    tested: NDArray[np.int64]
    curves: NDArray[np.float32]
    beats: NDArray[np.float32]
    levels: NDArray[np.int64]
    neighbour_labels: NDArray[np.int64]
    neighbours: NDArray[np.uint16]

    @property
    def grid(self) -> tuple[int, int]:
        """Cells of a map."""
        height, width = self.map_answer.shape[2:]
        return int(height), int(width)

    def goes_to(self, label: int) -> int:
        """Return the answer that a label's images get most often when they do not get theirs; the first of equals."""
        row = self.count[label].copy()
        row[label] = -1
        return int(row.argmax())


_STORED: Final = {
    "count": np.int32,
    "face": np.uint8,
    "map_answer": np.float16,
    "map_label": np.float16,
    "contrast": np.float16,
    "dead": np.int32,
    "parts_answer": np.float16,
    "parts_label": np.float16,
    "area": np.float16,
    "tested": np.int32,
    "curves": np.float16,
    "beats": np.float16,
    "levels": np.int32,
    "neighbour_labels": np.int32,
    "neighbours": np.uint16,
}
"""How each array is stored; in memory float16 becomes float32 and int32 becomes int64."""


def read_atlas(card: ModelCard) -> Atlas | None:
    """Return a model's atlas; None if it comes without one.

    Raises
    ------
    ModelContractError
        If the file is damaged, or was made of another network than the one in the folder.
    """
    if ATLAS_FILE not in card.files:
        return None
    card.verify(ATLAS_FILE)
    try:
        with np.load(card.path(ATLAS_FILE), allow_pickle=False) as stored:
            about = About(**json.loads(str(stored["about"])))
            wide = {"f": np.float32, "i": np.int64}
            arrays = {
                name: stored[name].astype(wide.get(stored[name].dtype.kind, stored[name].dtype)) for name in _STORED
            }
    except (OSError, KeyError, ValueError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise ModelContractError(f"The {ATLAS_FILE} of “{card.id}” cannot be read. {_AGAIN.format(card.id)}") from error
    if about.network != _network_of(card):
        raise ModelContractError(
            f"The {ATLAS_FILE} of “{card.id}” was made of another version of the model. {_AGAIN.format(card.id)}"
        )
    return Atlas(about=about, **arrays)


def write_atlas(atlas: Atlas, path: Path) -> None:
    """Write an atlas; equal ones give equal bytes."""
    about = np.array(json.dumps(asdict(atlas.about), sort_keys=True))
    write_arrays(path, {"about": about} | {name: getattr(atlas, name).astype(kind) for name, kind in _STORED.items()})


@dataclass(frozen=True)
class Material:
    """What an atlas is made of.

    Attributes
    ----------
    faces : ndarray of shape (N, 48, 48), uint8
        Test images, in the order of the catalogue.
    labels, answers : ndarray of shape (N,), int64
        Their labels, and what the model answers.
    points : list of (5, 2) ndarray or None
        Landmarks of each face as fractions of the crop, see :func:`fer_core.explain.regions.landmarks`.
    train_faces : ndarray of shape (M, 48, 48), uint8
        Training images.
    train_labels : ndarray of shape (M,), int64
    train_place : ndarray of shape (M,), int64
        Their places in the catalogue.
    """

    faces: NDArray[np.uint8]
    labels: NDArray[np.int64]
    answers: NDArray[np.int64]
    points: list[NDArray[np.float64] | None]
    train_faces: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    train_place: NDArray[np.int64]


def build(
    explainer: Explainer, material: Material, *, control: tuple[float, int] | None = None, say: Say = print
) -> Atlas:
    """Make an atlas.

    Parameters
    ----------
    explainer : Explainer
    material : Material
    control : (float, int), optional
        Correlation with maps of a random network, and of how many faces; see :class:`About`.
    say
        Told how far it is.
    """
    from fer_core.data.build import unit_features

    card = explainer.classifier.card
    say(f"{card.id}: heat maps of {len(material.labels)} test images")
    cells = _Sums(material, explainer)
    for start in range(0, len(material.labels), 64):
        cells.add(slice(start, start + 64))
    say(f"{card.id}: putting maps to the test")
    cells.test()
    say(f"{card.id}: looking for the nearest of {len(material.train_labels)} training images")
    near = nearest_of(
        unit_features(explainer.classifier, material.faces),
        unit_features(explainer.classifier, material.train_faces),
        NEAREST,
    )
    neighbour_labels = np.zeros((N_CLASSES, N_CLASSES, N_CLASSES), np.int64)
    for k in range(NEAREST):
        np.add.at(neighbour_labels, (material.labels, material.answers, material.train_labels[near[:, k]]), 1)
    about = About(
        model=card.id,
        network=_network_of(card),
        layer=explainer.layer,
        images=len(material.labels),
        network_control=None if control is None else round(control[0], 4),
        network_control_faces=0 if control is None else control[1],
        offset=explainer.head.offset,
    )
    return cells.atlas(about, neighbour_labels, material.train_place[near].astype(np.uint16))


def _network_of(card: ModelCard) -> str:
    """Return what an atlas is compared with; empty for a folder that holds no network any more."""
    name = WEIGHTS_FILE if WEIGHTS_FILE in card.files else ONNX_FILE  # the graph is made from the weights
    return card.files[name]["sha256"] if name in card.files else ""


def nearest_of(
    features: NDArray[np.float32], others: NDArray[np.float32], count: int, *, chunk: int = 1024
) -> NDArray[np.int64]:
    """Return the `count` rows of `others` of largest cosine similarity to each row, nearest first, (N, count) int64.

    Parameters
    ----------
    features, others : ndarray of shape (N, D) and (M, D), float32
        Of length 1.
    count : int
        At most M.
    chunk : int
        Rows of the product that are held at once.
    """
    from fer_core.data.build import largest

    result = np.empty((len(features), count), np.int64)
    for start in range(0, len(features), chunk):
        result[start : start + chunk] = largest(features[start : start + chunk] @ others.T, count)
    return result


class _Sums:
    """Adds up, face by face, what becomes the means of an atlas."""

    def __init__(self, material: Material, explainer: Explainer) -> None:
        self.material, self.explainer = material, explainer
        shape = (N_CLASSES, N_CLASSES)
        first = explainer.look(material.faces[:1])
        grid = first.maps.shape[1:3]
        self.count = np.zeros(shape, np.int64)
        self.dead = np.zeros((2, *shape), np.int64)
        self.face = np.zeros((*shape, *material.faces.shape[1:]))
        self.maps = np.zeros((2, *shape, *grid))
        self.contrast = np.zeros((*shape, *grid))
        self.parts = np.zeros((2, *shape, len(PARTS), 2))  # sum, and sum of squares
        self.area = np.zeros((*shape, len(PARTS)))
        self.surest: dict[tuple[int, int], list[tuple[float, int]]] = {}
        self.tested = np.zeros(shape, np.int64)
        self.curves: NDArray[np.float64] | None = None
        self.beats = np.zeros(shape)
        self.levels = np.zeros((*shape, 3), np.int64)

    def add(self, rows: slice) -> None:
        """Add a batch of test images."""
        from fer_core.explain.cam import weigh
        from fer_core.explain.heatmap import HeatMap
        from fer_core.explain.regions import masks, shares

        m = self.material
        labels, answers, faces = m.labels[rows], m.answers[rows], m.faces[rows]
        looked = self.explainer.look(faces)
        one = np.eye(N_CLASSES, dtype=np.float32)
        head = self.explainer.head
        found = [weigh(looked.maps, head, one[answers]), weigh(looked.maps, head, one[labels])]
        against = weigh(looked.maps, head, one[answers] - one[labels], rectify=False)
        for i, (label, answer, face) in enumerate(zip(labels.tolist(), answers.tolist(), faces, strict=True)):
            cell = (label, answer)
            self.count[cell] += 1
            self.face[cell] += face
            self.contrast[cell] += against[i]
            parts = masks(m.points[rows.start + i])
            self.area[cell] += [part.mean() for part in parts.values()]
            self.surest.setdefault(cell, []).append((-float(looked.proba[i, answer]), rows.start + i))
            for kind, values in enumerate(found):
                heat = HeatMap(values[i], "grad_cam", offset=head.offset)
                if heat.dead:
                    self.dead[kind][cell] += 1
                    continue
                self.maps[kind][cell] += values[i] / values[i].mean()
                share = np.array([each.share for each in shares(heat.resized(face.shape[0]), parts).values()])
                self.parts[kind][cell] += np.stack([share, share**2], axis=-1)

    def test(self) -> None:
        """Put the maps of each cell's surest answers to the test."""
        from fer_core.explain import faithfulness
        from fer_core.explain.heatmap import direction

        for cell, found in self.surest.items():
            wanted = direction(EMOTIONS[cell[1]])
            for _, row in sorted(found)[:SAMPLED]:
                face = self.material.faces[row]
                maps = self.explainer.classifier.maps(face[np.newaxis])[0]
                heat = self.explainer.heat_map(maps, wanted)
                measured, curves = faithfulness.evidence(self.explainer, face, maps, wanted, heat, orders=ORDERS)
                lines = np.stack(
                    [
                        curves.deletion,
                        curves.insertion,
                        curves.random_deletion.mean(axis=0),
                        curves.random_insertion.mean(axis=0),
                    ]
                )
                if self.curves is None:
                    self.curves = np.zeros((N_CLASSES, N_CLASSES, *lines.shape))
                self.curves[cell] += lines
                self.beats[cell] += curves.beats
                self.tested[cell] += 1
                self.levels[(*cell, faithfulness.LEVELS.index(faithfulness.verdict(measured).level))] += 1

    def atlas(self, about: About, neighbour_labels: NDArray[np.int64], neighbours: NDArray[np.uint16]) -> Atlas:
        """Return the means."""
        assert self.curves is not None
        count = np.maximum(self.count, 1)
        alive = np.maximum(self.count - self.dead, 1)
        enough = self.count >= MIN_FACES
        face = np.where(enough[..., np.newaxis, np.newaxis], self.face / count[..., np.newaxis, np.newaxis], 0)
        mean = self.parts[..., 0] / alive[..., np.newaxis]
        variance = np.maximum(self.parts[..., 1] / alive[..., np.newaxis] - mean**2, 0)
        error = np.sqrt(variance / np.maximum(alive - 1, 1)[..., np.newaxis])
        parts = np.stack([mean, error], axis=-1).astype(np.float32)
        maps = (self.maps / alive[..., np.newaxis, np.newaxis]).astype(np.float32)
        tested = np.maximum(self.tested, 1)
        return Atlas(
            about=about,
            count=self.count,
            face=np.rint(face).astype(np.uint8),
            map_answer=maps[0],
            map_label=maps[1],
            contrast=(self.contrast / count[..., np.newaxis, np.newaxis]).astype(np.float32),
            dead=self.dead[0],
            parts_answer=parts[0],
            parts_label=parts[1],
            area=(self.area / count[..., np.newaxis]).astype(np.float32),
            tested=self.tested,
            curves=(self.curves / tested[..., np.newaxis, np.newaxis]).astype(np.float32),
            beats=np.where(self.tested > 0, self.beats / tested, np.nan).astype(np.float32),
            levels=self.levels,
            neighbour_labels=neighbour_labels,
            neighbours=neighbours,
        )
