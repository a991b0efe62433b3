"""Look through FER2013: filter, sort, page, and everything that is known of one image."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from fer_core.data import tables
from fer_core.data.catalogue import FLAGS, SPLITS, Catalogue
from fer_core.data.fer2013 import SIDE, Fer2013
from fer_core.errors import FerError
from fer_core.images import data_uri
from fer_core.labels import COLORS, EMOTIONS, N_CLASSES, index_of
from fer_core.thumbnails import SIZE, grid_html

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fer_core.data.ferplus import Votes
    from fer_core.evaluation.predictions import Predictions

_IN_A_GROUP: Final = 12  # of the largest groups, so that one does not fill the page
_ABSENT: Final = np.full((SIDE, SIDE), 128, np.uint8)

PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "all": SPLITS,
    "training": ("train", "val"),
    "test": ("public", "private"),
    "train": ("train",),
    "val": ("val",),
    "public": ("public",),
    "private": ("private",),
}
"""What can be asked for -> the splits it consists of."""

SORTS: Final[Mapping[str, str]] = {
    "name": "File name",
    "margin": "Margin, most wrong first",
    "-margin": "Margin, most right first",
    "agreement": "Votes for the label, fewest first",
    "-agreement": "Votes for the label, most first",
    "brightness": "Darkest first",
    "-brightness": "Brightest first",
    "contrast": "Flattest first",
    "sharpness": "Softest first",
    "-sharpness": "Sharpest first",
}
"""Orders -> in words. ``margin`` needs a model, ``agreement`` the FER+ votes."""


@dataclass(frozen=True)
class Query:
    """What is asked of the browser.

    Attributes
    ----------
    part
        A key of :data:`PARTS`.
    label, predicted
        Class names; None for any. `predicted` needs scores.
    flag
        A key of ``FLAGS``; None for any image.
    agreement
        Smallest and largest share of the votes that the label got, 0-1. Needs votes.
    margin
        Smallest and largest score of the label minus the best other score, -1 to 1. Needs scores.
    sort
        A key of :data:`SORTS`.
    """

    part: str = "all"
    label: str | None = None
    predicted: str | None = None
    flag: str | None = None
    agreement: tuple[float, float] = (0.0, 1.0)
    margin: tuple[float, float] = (-1.0, 1.0)
    sort: str = "name"

    @property
    def needs_scores(self) -> bool:
        """Whether only images with scores can answer."""
        return self.predicted is not None or tuple(self.margin) != (-1.0, 1.0) or self.sort.endswith("margin")

    @property
    def needs_votes(self) -> bool:
        """Whether only images with votes can answer."""
        return tuple(self.agreement) != (0.0, 1.0) or self.sort.endswith("agreement")


@dataclass(frozen=True)
class Scores:
    """What one model says, in the order of the catalogue; NaN where there is no stored prediction (training images).

    Attributes
    ----------
    proba
        ``(N, 7)`` float32.
    predicted
        ``(N,)`` int64, class of the highest score; -1 without one.
    margin
        ``(N,)`` float32, score of the label minus the best other score.
    """

    proba: NDArray[np.float32]
    predicted: NDArray[np.int64]
    margin: NDArray[np.float32]


def align(predictions: Predictions, catalogue: Catalogue) -> Scores:
    """Put a model's stored predictions into the order of the catalogue; names it does not have are left out."""
    at = catalogue.index_of(predictions.names)
    proba = np.full((len(catalogue), N_CLASSES), np.nan, dtype=np.float32)
    proba[at[at >= 0]] = predictions.proba[at >= 0]
    known = ~np.isnan(proba[:, 0])
    own = proba[np.arange(len(catalogue)), catalogue.labels]
    others = proba.copy()
    others[np.arange(len(catalogue)), catalogue.labels] = -1
    predicted = np.full(len(catalogue), -1, dtype=np.int64)
    predicted[known] = proba[known].argmax(axis=1)
    return Scores(proba, predicted, np.where(known, own - others.max(axis=1), np.nan).astype(np.float32))


def agreement(votes: Votes, catalogue: Catalogue) -> NDArray[np.float64]:
    """Return for each image of the catalogue the share of its votes that its label got, ``(N,)``; NaN without votes."""
    from fer_core.data.people import votes_for_label

    counts, known = votes.of(catalogue.names.tolist())
    return np.where(known, votes_for_label(catalogue.labels, counts), np.nan)


def select(
    catalogue: Catalogue,
    query: Query,
    *,
    scores: Scores | None = None,
    agreed: NDArray[np.float64] | None = None,
) -> NDArray[np.int64]:
    """Return the positions in the catalogue of the images that answer a query, in its order, ``(M,)`` int64.

    Raises
    ------
    FerError
        If the query needs scores or votes that are not given, or asks for something that does not exist.
    """
    if query.part not in PARTS or query.sort not in SORTS or (query.flag is not None and query.flag not in FLAGS):
        raise FerError("There is no such part, order or flag of the data set.")
    if query.needs_scores and scores is None:
        raise FerError("Filtering by what a model says needs a model with stored predictions.")
    if query.needs_votes and agreed is None:
        raise FerError("Filtering by votes needs the FER+ votes: point FERPLUS_CSV to the file fer2013new.csv.")
    keep = np.isin(catalogue.split, PARTS[query.part])
    if query.label is not None:
        keep &= catalogue.labels == index_of(query.label)
    if query.flag is not None:
        keep &= catalogue.flags[query.flag]
    if scores is not None and query.needs_scores:
        low, high = query.margin
        keep &= (scores.margin >= low) & (scores.margin <= high)  # False for NaN: images without scores
        if query.predicted is not None:
            keep &= scores.predicted == index_of(query.predicted)
    if agreed is not None and query.needs_votes:
        keep &= (agreed >= query.agreement[0]) & (agreed <= query.agreement[1])
    found = np.flatnonzero(keep)
    if query.sort == "name":
        return found
    key = query.sort.removeprefix("-")
    values: NDArray[np.floating] = np.empty(0)
    if key == "margin" and scores is not None:
        values = scores.margin
    elif key == "agreement" and agreed is not None:
        values = agreed
    else:
        values = getattr(catalogue, key)
    chosen = values[found]
    return np.asarray(found[np.argsort(-chosen if query.sort.startswith("-") else chosen, kind="stable")])


class Album:
    """The faces of an opened data set, by position in the catalogue."""

    def __init__(self, dataset: Fer2013, catalogue: Catalogue) -> None:
        self._images = dataset.images
        self._rows = catalogue.rows_in(dataset)

    def face(self, index: int) -> NDArray[np.uint8] | None:
        """Return one face, (48, 48) uint8; None if the copy does not have it."""
        row = int(self._rows[index])
        return np.asarray(self._images[row]) if row >= 0 else None

    def uri(self, index: int) -> str | None:
        """Return one face as a ``data:`` address; None if the copy does not have it."""
        face = self.face(index)
        return None if face is None else data_uri(face)


def describe(catalogue: Catalogue, index: int, scores: Scores | None = None) -> str:
    """Return one line on an image, for somebody who does not see it."""
    emotion, name = EMOTIONS[catalogue.labels[index]], str(catalogue.names[index])
    said = ""
    if scores is not None and scores.predicted[index] >= 0:
        said = f", highest score {scores.proba[index].max():.2f} for {EMOTIONS[scores.predicted[index]]}"
    return f"Face labelled {emotion}{said}, {name.rsplit('/', 1)[1]}"


def caption(catalogue: Catalogue, index: int, scores: Scores | None = None) -> str:
    """Return the label, and the class of a model's highest score where it is another."""
    emotion = EMOTIONS[catalogue.labels[index]]
    if scores is None or scores.predicted[index] in (-1, catalogue.labels[index]):
        return emotion
    return f"{emotion} → {EMOTIONS[scores.predicted[index]]}"


def grid(
    catalogue: Catalogue,
    indices: Sequence[int] | NDArray[np.int64],
    album: Album,
    *,
    scores: Scores | None = None,
    captions: Sequence[str] | None = None,
    address: Callable[[str], str] | None = None,
    size: int = SIZE,
    name: str = "Faces",
) -> str:
    """Return the faces at these positions of the catalogue as a grid in HTML, in that order.

    Parameters
    ----------
    catalogue : Catalogue
    indices : sequence of int
    album : Album
        A face that it does not have becomes a grey square.
    scores : Scores, optional
        Captions and alternative texts then also say which label a model's highest score is for.
    captions : sequence of str, optional
        Instead of those of :func:`caption`.
    address : function of str, optional
        From a file name to the address that a click on its face leads to.
    size, name
        As for :func:`fer_core.thumbnails.grid_html`.
    """
    chosen = [int(index) for index in indices]
    faces = [album.face(index) for index in chosen]
    return grid_html(
        np.stack([_ABSENT if face is None else face for face in faces])
        if faces
        else np.empty((0, SIDE, SIDE), np.uint8),
        captions if captions is not None else [caption(catalogue, index, scores) for index in chosen],
        [
            describe(catalogue, index, scores) + (" (not in this copy of FER2013)" if face is None else "")
            for index, face in zip(chosen, faces, strict=True)
        ],
        None if address is None else [address(str(catalogue.names[index])) for index in chosen],
        size=size,
        name=name,
    )


def table(
    catalogue: Catalogue,
    indices: Sequence[int] | NDArray[np.int64],
    *,
    scores: Scores | None = None,
    agreed: NDArray[np.float64] | None = None,
) -> dict[str, list[object]]:
    """Return what is known of these images as columns: the list behind a grid, and its download."""
    at = np.asarray(indices, dtype=np.int64)
    names = np.array(EMOTIONS)
    columns: dict[str, list[object]] = {
        "image": catalogue.names[at].tolist(),
        "split": catalogue.split[at].tolist(),
        "label": names[catalogue.labels[at]].tolist(),
    }
    if scores is not None:
        said = scores.predicted[at]
        columns["predicted"] = [EMOTIONS[k] if k >= 0 else None for k in said.tolist()]
        columns["margin"] = [None if np.isnan(m) else round(m, 4) for m in scores.margin[at].tolist()]
    if agreed is not None:
        columns["votes for the label"] = [None if np.isnan(a) else round(a, 2) for a in agreed[at].tolist()]
    for measure in ("brightness", "contrast", "sharpness"):
        columns[measure] = np.round(getattr(catalogue, measure)[at].astype(float), 1).tolist()
    columns["flags"] = [" ".join(flag for flag in FLAGS if catalogue.flags[flag][i]) for i in at.tolist()]
    return columns


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with one image: in words, and the other images it concerns."""

    flag: str
    sentence: str
    others: tuple[str, ...] = ()


def findings(catalogue: Catalogue, index: int) -> list[Finding]:
    """Return what is wrong with the image at a position of the catalogue."""
    name = str(catalogue.names[index])
    result: list[Finding] = []
    if catalogue.flags["repeated"][index]:
        group = next(row["group"] for row in tables.rows("repeated") if row["image"] == name)
        twins = tuple(r["image"] for r in tables.rows("repeated") if r["group"] == group and r["image"] != name)
        sentence = f"The same pixels stand in {len(twins)} other image{'s' if len(twins) > 1 else ''}"
        if catalogue.flags["contradicting"][index]:
            sentence += ", with another label among them"
        if catalogue.flags["leaked"][index]:
            sentence += "; this is a test image, and a copy of it is in Training"
        result.append(Finding("repeated", sentence + ".", twins))
    if catalogue.flags["near"][index]:
        pairs = [row for row in tables.rows("near") if name in (row["first"], row["second"])]
        others = tuple(row["second"] if row["first"] == name else row["first"] for row in pairs)
        best = max(float(row["similarity"]) for row in pairs)
        result.append(Finding("near", f"The same photo in another version (correlation up to {best:.2f}).", others))
    if catalogue.flags["blank"][index]:
        kind = next(row["kind"] for row in tables.rows("blank") if row["image"] == name)
        result.append(Finding("blank", f"It is {kind}: the contrast is {catalogue.contrast[index]:.1f} of 127."))
    if catalogue.flags["noface"][index]:
        result.append(Finding("noface", "FER+ left it out because people saw no face in it."))
    if catalogue.flags["suspect"][index]:
        row = next(row for row in tables.rows("suspects") if row["image"] == name)
        who = tables.document("suspects")["name"]
        result.append(
            Finding(
                "suspect",
                f"{who} doubts the label: {float(row['self_confidence']):.2f} for it, and confident of "
                f"{row['suggested']}. The model may be the one that is wrong.",
            )
        )
    return result


def pages(count: int, size: int) -> int:
    """Return how many pages of `size` hold `count` images; at least one."""
    return max(1, -(-count // size))


def neighbours(index: int) -> NDArray[np.int64]:
    """Return the positions of the nearest images in the features of a model, nearest first; see ``map.json``.

    Empty when the tables hold none.
    """
    if not tables.has("map.npz"):
        return np.empty(0, dtype=np.int64)
    return np.asarray(tables.arrays("map")["neighbours"][index], dtype=np.int64)


def columns(rows: Sequence[Mapping[str, str]]) -> dict[str, list[str]]:
    """Return the rows of a table as columns."""
    return {key: [row[key] for row in rows] for key in (rows[0] if rows else ())}


def listed(groups: Sequence[Sequence[str]]) -> dict[str, list[object]]:
    """Return groups of images as a table: number of the group, name."""
    pairs = [(number, name) for number, group in enumerate(groups, start=1) for name in group]
    return {"group": [number for number, _ in pairs], "image": [name for _, name in pairs]}


def groups(
    catalogue: Catalogue, members: Sequence[Sequence[str]], album: Album, *, address: Callable[[str], str]
) -> str:
    """Return groups of equal pictures as HTML: each in a frame, with the label and split of every member below it."""
    frames = []
    for group in members:
        at = catalogue.index_of(list(group))
        at = at[at >= 0][:_IN_A_GROUP]
        captions = [f"{EMOTIONS[catalogue.labels[i]]}, {catalogue.split[i]}" for i in at]
        inner = grid(catalogue, at, album, captions=captions, address=address, size=72, name="Equal pictures")
        frames.append(
            '<div style="border:1px solid color-mix(in srgb,currentColor 18%,transparent);border-radius:.6rem;'
            f'padding:.5rem;flex:0 1 {len(at) * 5.2 + 1:.1f}rem;min-width:min(11.4rem,100%);box-sizing:border-box">'
            f"{inner}</div>"
        )
    return f'<div style="display:flex;flex-wrap:wrap;gap:.7rem">{"".join(frames)}</div>'


@dataclass(frozen=True)
class MapPoints:
    """The committed map of a model's features, coloured in one way.

    Attributes
    ----------
    positions
        ``(M,)`` int64, in the catalogue.
    xy
        ``(M, 2)`` float32.
    codes
        ``(M,)`` int64, index into `names` and `colours`.
    names, colours
        Of the groups.
    texts
        One short line a dot.
    """

    positions: NDArray[np.int64]
    xy: NDArray[np.float32]
    codes: NDArray[np.int64]
    names: tuple[str, ...]
    colours: tuple[str, ...]
    texts: list[str]


def map_points(
    catalogue: Catalogue, way: str, *, scores: Scores | None = None, votes: Votes | None = None
) -> MapPoints:
    """Return the map coloured by ``"label"``, by ``"error"`` (needs scores) or by ``"vote"`` (needs votes).

    Raises
    ------
    FerError
        If the way is unknown, or what it needs is not given.
    """
    stored = tables.arrays("map")
    at = stored["image"].astype(np.int64)
    labels = catalogue.labels[at]
    names, colours = tuple(e.capitalize() for e in EMOTIONS), tuple(COLORS[e] for e in EMOTIONS)
    texts = [EMOTIONS[label] for label in labels]
    codes = labels
    if way == "error" and scores is not None:
        said = scores.predicted[at]
        codes = np.where(said < 0, 2, (said != labels).astype(np.int64))
        names, colours = ("Right", "Wrong", "No prediction"), (COLORS["neutral"], COLORS["angry"], "#C9CCD3")
        texts = [f"{text} → {EMOTIONS[k]}" if k >= 0 else text for text, k in zip(texts, said.tolist(), strict=True)]
    elif way == "vote" and votes is not None:
        from fer_core.evaluation.agreement import majority

        counts, known = votes.of(catalogue.names[at].tolist())
        leading = np.where(known, majority(counts), N_CLASSES)
        codes = np.where(leading < 0, N_CLASSES, leading)
        names, colours = (*names, "Something else"), (*colours, "#C9CCD3")
        texts = [
            f"{text}, people: {EMOTIONS[k] if k < N_CLASSES else 'something else'}"
            for text, k in zip(texts, codes.tolist(), strict=True)
        ]
    elif way != "label":
        raise FerError("The map is coloured by label, by error of a model, or by vote.")
    return MapPoints(at, stored["xy"].astype(np.float32), codes.astype(np.int64), names, colours, texts)


def label_counts(catalogue: Catalogue, indices: NDArray[np.int64]) -> list[int]:
    """Return how many of these images carry each label, in the order of ``EMOTIONS``."""
    counts: list[int] = np.bincount(catalogue.labels[indices], minlength=N_CLASSES).tolist()
    return counts
