"""A cell of the confusion matrix, taken apart in words: what the numbers of an atlas say, and no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_core.confusion import Z95, Rate, rate
from fer_core.data import catalogue
from fer_core.explain.atlas import MIN_FACES, NEAREST, Atlas
from fer_core.explain.faithfulness import LEVELS
from fer_core.explain.heatmap import HeatMap
from fer_core.explain.regions import PARTS
from fer_core.labels import EMOTIONS
from fer_core.wording import percent

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class PartShare:
    """Mean share of a map on one part of the face with its 95 % interval (normal), and the part's share of the area."""

    part: str
    share: float
    low: float
    high: float
    area: float


@dataclass(frozen=True)
class Cell:
    """One cell of an atlas.

    Attributes
    ----------
    label, answer : int
    count : int
        Test images.
    face : ndarray of shape (48, 48), uint8, or None
        Mean face; None where there are fewer than ``MIN_FACES``.
    map_answer, map_label, contrast : HeatMap
        Mean maps: for the answer, for the label (1 is as much as everywhere), and signed for answer minus label.
    alive : int
        Faces in the mean map of the answer: those whose map is not zero everywhere.
    parts_answer, parts_label : tuple of PartShare
    curves : dict of str to ndarray
        Mean ``deletion``, ``insertion``, ``random_deletion``, ``random_insertion``.
    tested : int
    beats : float
        NaN where none was tested.
    levels : dict of str to int
        Verdicts of the tested maps.
    neighbour_labels : ndarray of shape (7,), int64
    """

    label: int
    answer: int
    count: int
    face: NDArray[np.uint8] | None
    map_answer: HeatMap
    map_label: HeatMap
    contrast: HeatMap
    alive: int
    parts_answer: tuple[PartShare, ...]
    parts_label: tuple[PartShare, ...]
    curves: dict[str, NDArray[Any]]
    tested: int
    beats: float
    levels: dict[str, int]
    neighbour_labels: NDArray[np.int64]

    @property
    def neighbour_shares(self) -> NDArray[np.float64]:
        """Share of each label among the nearest training faces, (7,); zeros for an empty cell."""
        return np.asarray(self.neighbour_labels / max(1, int(self.neighbour_labels.sum())))


def cell(atlas: Atlas, label: int, answer: int) -> Cell:
    """Return one cell of an atlas; labels and answers are 0-6 in the order of ``EMOTIONS``."""
    at = (label, answer)
    names = ("deletion", "insertion", "random_deletion", "random_insertion")
    count = int(atlas.count[at])

    def heat(values: NDArray[np.float32], *, signed: bool = False) -> HeatMap:
        return HeatMap(values, "grad_cam", atlas.about.layer, signed, atlas.about.offset)

    return Cell(
        label=label,
        answer=answer,
        count=count,
        face=atlas.face[at] if count >= MIN_FACES else None,
        map_answer=heat(atlas.map_answer[at]),
        map_label=heat(atlas.map_label[at]),
        contrast=heat(atlas.contrast[at], signed=True),
        alive=count - int(atlas.dead[at]),
        parts_answer=_parts(atlas.parts_answer[at], atlas.area[at]),
        parts_label=_parts(atlas.parts_label[at], atlas.area[at]),
        curves=dict(zip(names, atlas.curves[at], strict=True)),
        tested=int(atlas.tested[at]),
        beats=float(atlas.beats[at]),
        levels=dict(zip(LEVELS, atlas.levels[at].tolist(), strict=True)),
        neighbour_labels=atlas.neighbour_labels[at],
    )


def fraction(found: Cell) -> NDArray[np.float64]:
    """Return the share of the face that is taken away at each point of the cell's curves."""
    return np.linspace(0, 1, len(found.curves["deletion"]))


def part_records(cells: Mapping[str, Cell]) -> list[dict[str, Any]]:
    """Return where the answer's map lies in each cell, for :func:`fer_core.figures_explain.parts_spec`, by its name."""
    return [
        {
            "part": share.part.capitalize(),
            "map": name,
            "share": share.share,
            "low": share.low,
            "high": share.high,
            "area": share.area,
        }
        for name, each in cells.items()
        if each.alive
        for share in each.parts_answer
    ]


def nearest(atlas: Atlas, names: Sequence[str]) -> list[list[tuple[str, str]]]:
    """Return name and label of the nearest training images of each test image, nearest first.

    Parameters
    ----------
    atlas : Atlas
    names : sequence of str
        Test images, by their names in the catalogue.
    """
    known = catalogue.load()
    test = np.flatnonzero(np.isin(known.split, ("public", "private")))
    places = np.searchsorted(test, known.index_of(list(names)))
    return [
        [(str(known.names[row]), EMOTIONS[known.labels[row]]) for row in atlas.neighbours[place].tolist()]
        for place in places
    ]


def size_in_words(atlas: Atlas, found: Cell) -> str:
    """Return how many of the label's images get the answer, and of the answer's images have the label."""
    of_label: Rate = rate(found.count, int(atlas.count[found.label].sum()))
    label, answer = EMOTIONS[found.label], EMOTIONS[found.answer]
    return f"Of the test images labelled **{label}**, {of_label} are answered **{answer}**."


def parts_in_words(found: Cell, right: Cell) -> str:
    """Compare where the answer's map lies in the cell with where it lies on images of that label answered so.

    Parameters
    ----------
    found : Cell
        An error: its label is not its answer.
    right : Cell
        The images of the answer's own label that get it.
    """
    answer = EMOTIONS[found.answer]
    if found.alive < MIN_FACES or right.alive < MIN_FACES:
        return f"There are too few faces (fewer than {MIN_FACES}) to compare the parts of the face."
    more, less = [], []
    for here, there in zip(found.parts_answer, right.parts_answer, strict=True):
        text = f"{here.part} ({percent(here.share)} here, {percent(there.share)} there)"
        if here.low > there.high:
            more.append(text)
        elif here.high < there.low:
            less.append(text)
    where = f"the map for {answer} lies"
    if not more and not less:
        return (
            f"On these faces {where} on the same parts as on faces that are labelled {answer} and answered so: the "
            "intervals of every part overlap. By where it looked, the model treats them alike."
        )
    said = [f"more on {', '.join(more)}"] if more else []
    said += [f"less on {', '.join(less)}"] if less else []
    return (
        f"Compared with faces that are labelled {answer} and answered so, {where} {' and '.join(said)}. "
        "Of the other parts the intervals overlap."
    )


def test_in_words(found: Cell) -> str:
    """Return what the deletion test and the verdicts say of the cell's maps."""
    if not found.tested:
        return "No face of this cell was put to the test."
    named = ", ".join(f"{count} “{level}”" for level, count in found.levels.items() if count)
    return (
        f"{found.tested} of the cell’s surest answers were put to the test: their maps beat {percent(found.beats)} of "
        f"random orders on average (chance: 50 %). Verdicts: {named}."
    )


def neighbours_in_words(found: Cell) -> str:
    """Return what the nearest training faces are labelled."""
    total = int(found.neighbour_labels.sum())
    if not total:
        return "There is no face in this cell."
    order = np.argsort(-found.neighbour_labels, kind="stable")
    said = ", ".join(
        f"{percent(found.neighbour_labels[k] / total)} {EMOTIONS[k]}" for k in order[:3] if found.neighbour_labels[k]
    )
    with_label = int(found.neighbour_labels[found.label])
    return (
        f"Of the {total:,} training faces nearest to these ({NEAREST} each, in the features of the model), most are "
        f"labelled: {said}. {percent(with_label / total)} share the label {EMOTIONS[found.label]}."
    )


def _parts(values: NDArray[np.float32], area: NDArray[np.float32]) -> tuple[PartShare, ...]:
    return tuple(
        PartShare(name, float(mean), float(mean - Z95 * error), float(mean + Z95 * error), float(size))
        for name, (mean, error), size in zip(PARTS, values, area, strict=True)
    )
