"""``python -m fer_core data framing``: measure how FER2013 frames a face, and how well we do the same.

A face of FER2013 is enlarged and set into blurred surroundings; then it is found and cut out like a face in a photo.
Where eyes, nose and mouth are found gives the constants of :mod:`fer_core.faces`; how much the new crop is like the
original one tells what they are worth. Places are taken from ``train``, comparisons from ``val``: nothing is chosen on
the test images.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from fer_core import faces
from fer_core.analysis import PredictsScores
from fer_core.errors import FerError
from fer_core.faces import Face, Frame
from fer_core.settings import ROOT, Settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Images = NDArray[np.uint8]

ENLARGED: Final = 192
"""Side of an enlarged face, px; its surroundings are as wide again."""
MARGIN: Final = ENLARGED // 2
DOCUMENT: Final = ROOT / "docs" / "framing.md"
BEGIN: Final = "<!-- measured: written by `python -m fer_core data framing` -->"
END: Final = "<!-- end of measured -->"
SEED: Final = 2013


@dataclass(frozen=True)
class Framing:
    """Where FER2013 has the parts of a face. Lengths are fractions of the crop's side.

    Attributes
    ----------
    images, found
        How many images were looked at, and in how many a face was found.
    places, spread
        (5, 2) median of x and y of the landmarks, and their spread: 1.4826 times the median absolute deviation, which
        is the standard deviation of a normal distribution.
    eye_distance
        Median.
    roll
        50th, 90th and 99th percentile of how far a head leans either way, degrees.
    nose_shift
        By how much of the nose's offset the frame's centre lies on its other side (least squares through the origin).
    turned
        Share of heads whose nose offset exceeds 0.15 either way.
    box_to_side
        Median of the crop's side over the width of the detector's box.
    scores
        1st, 5th, 10th and 50th percentile of the detector's scores.
    """

    images: int
    found: int
    places: NDArray[np.float64]
    spread: NDArray[np.float64]
    eye_distance: float
    roll: NDArray[np.float64]
    nose_shift: float
    turned: float
    box_to_side: float
    scores: NDArray[np.float64]


@dataclass(frozen=True)
class Likeness:
    """How much new crops are like the original ones.

    Attributes
    ----------
    faces
        How many were compared: those that were found.
    overlap
        Mean intersection over union with the original frame; ``None`` for faces that were turned.
    side
        Median of the new frame's side over the original one's.
    correlation
        Mean correlation of the pixels with the original ones.
    difference
        Mean absolute difference of the pixels, grey values.
    accuracy, original_accuracy
        Of a model on the new crops and on the original ones of the same faces.
    agreement
        Share of faces whose label stays the same.
    """

    faces: int
    overlap: float | None
    side: float
    correlation: float
    difference: float
    accuracy: float | None = None
    original_accuracy: float | None = None
    agreement: float | None = None


Way = Callable[[Face], Frame]


def _by_box(face: Face) -> Frame:
    x, y, width, height = face.box
    return Frame(x + width / 2, y + height / 2, width * faces.BOX_TO_SIDE * faces.TIGHTEN, 0.0)


def _by_landmarks(face: Face) -> Frame:
    fit = None if face.landmarks is None else faces.fit_landmarks(face.landmarks)
    return _by_box(face) if fit is None else replace(fit, side=fit.side * faces.TIGHTEN)


WAYS: Final[dict[str, Way]] = {
    "box": _by_box,
    "landmarks, not turned": lambda face: replace(_by_landmarks(face), angle=0.0),
    "landmarks, turned": _by_landmarks,
    "landmarks, turned, nose (used)": faces.frame,
}
"""Ways to lay a frame around a face."""


def in_surroundings(face: Images, angle: float = 0.0) -> Images:
    """Return a face of FER2013 as part of a larger picture.

    Parameters
    ----------
    face : ndarray of shape (48, 48), uint8
        An image of FER2013.
    angle : float
        By how much to turn the picture, degrees clockwise.

    Returns
    -------
    ndarray of shape (384, 384, 3), uint8
        The face, four times as large, in the middle of its blurred mirror images.
    """
    large = cv2.resize(face, (ENLARGED, ENLARGED), interpolation=cv2.INTER_CUBIC)
    picture = cv2.copyMakeBorder(large, MARGIN, MARGIN, MARGIN, MARGIN, cv2.BORDER_REFLECT)
    picture = cv2.GaussianBlur(picture, (0, 0), ENLARGED / 8)
    picture[MARGIN:-MARGIN, MARGIN:-MARGIN] = large
    if angle % 360:
        middle = (picture.shape[0] - 1) / 2
        matrix = cv2.getRotationMatrix2D((middle, middle), -angle, 1.0)
        picture = cv2.warpAffine(
            picture, matrix, picture.shape[::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
    result: Images = cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB)
    return result


def measure_framing(images: Images) -> Framing:
    """Return where the parts of a face are in images of FER2013, (N, 48, 48) uint8."""
    found = [face for face, _ in map(_face_of, map(in_surroundings, images)) if face and face.landmarks is not None]
    if not found:
        raise FerError("No face was found in these images: is this FER2013?")
    landmarks = np.array([face.landmarks for face in found], np.float64)
    landmarks = (landmarks - MARGIN) / ENLARGED
    places = np.median(landmarks, axis=0)
    fits = [faces.fit_landmarks(points.astype(np.float32)) for points in landmarks]
    missed = np.array([0.5 - fit.x if fit else 0.0 for fit in fits])
    offset = np.array([faces.nose_offset(face) for face in found])
    roll = np.array([abs(fit.angle) if fit else 0.0 for fit in fits])
    missed, offset = missed - np.median(missed), offset - np.median(offset)
    return Framing(
        images=len(images),
        found=len(found),
        places=places,
        spread=1.4826 * np.median(np.abs(landmarks - places), axis=0),
        eye_distance=float(np.median(np.hypot(*(landmarks[:, 1] - landmarks[:, 0]).T))),
        roll=np.percentile(roll, [50, 90, 99]),
        nose_shift=float(-(missed @ offset) / (offset @ offset)) if offset.any() else 0.0,
        turned=float(np.mean(np.abs(offset) > 0.15)),
        box_to_side=float(np.median([ENLARGED / face.box[2] for face in found])),
        scores=np.percentile([face.score for face in found], [1, 5, 10, 50]),
    )


def measure_ways(
    images: Images,
    labels: NDArray[np.int64],
    ways: dict[str, Way],
    *,
    angle: float = 0.0,
    classifier: PredictsScores | None = None,
) -> dict[str, Likeness]:
    """Compare crops found again with the original ones, for several ways to lay the frame.

    Parameters
    ----------
    images, labels : ndarray of shape (N, 48, 48), uint8, and (N,), int64
        Faces of FER2013.
    ways : dict
        Name to a function that lays the frame around a face.
    angle : float
        By how much every other picture is turned clockwise, and the others counter-clockwise; degrees.
    classifier : PredictsScores, optional
        Tells what the differences mean for a model.
    """
    kept: list[int] = []
    crops: dict[str, list[Images]] = {name: [] for name in ways}
    frames: dict[str, list[Frame]] = {name: [] for name in ways}
    for index, image in enumerate(images):
        face, picture = _face_of(in_surroundings(image, angle if index % 2 else -angle))
        if face is None:
            continue
        kept.append(index)
        for name, way in ways.items():
            frames[name].append(way(face))
            crops[name].append(faces.cut(picture, frames[name][-1], faces.SIDE, grey=True))
    if not kept:
        raise FerError("No face was found in these images: is this FER2013?")
    result = {}
    for name in ways:
        overlaps = None if angle else float(np.mean([_overlap(square) for square in frames[name]]))
        side = float(np.median([square.side for square in frames[name]])) / ENLARGED
        result[name] = _likeness(images[kept], np.array(crops[name]), labels[kept], classifier, overlaps, side)
    return result


def measure_whole(
    images: Images, labels: NDArray[np.int64], side: int, classifier: PredictsScores | None = None
) -> tuple[float, float, Likeness]:
    """Give images of FER2013 as they are, enlarged to `side` pixels: nobody should hear that there is no face.

    Returns
    -------
    whole, none : float
        Share of images taken as a crop already, and share in which no face was found.
    likeness : Likeness
        Of the crops of all others with the original images.
    """
    whole = 0
    kept, crops, sides = [], [], []
    for index, image in enumerate(images):
        large = image if side == faces.SIDE else cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC)
        picture = cv2.cvtColor(large, cv2.COLOR_GRAY2RGB)
        detection = faces.detect(picture)
        if detection.faces:
            face = max(detection.faces, key=lambda face: face.score)
            whole += face.whole_image
            kept.append(index)
            crops.append(faces.crop(detection.image, face))
            sides.append(faces.frame(face).side / side)
    likeness = _likeness(images[kept], np.array(crops), labels[kept], classifier, None, float(np.median(sides)))
    return whole / len(images), 1 - len(kept) / len(images), likeness


def measure_turns(images: Images, angles: Iterable[float]) -> dict[float, tuple[float, float, float]]:
    """Turn faces and look for them.

    Returns
    -------
    dict
        Angle in degrees to: share of faces found, share of these set upright to within 20 degrees of how they are set
        upright when they are not turned, median of the absolute difference in degrees.
    """
    upright = [_face_of(in_surroundings(image)) for image in images]
    result = {}
    for angle in angles:
        errors = []
        tried = 0
        for image, (reference, _) in zip(images, upright, strict=True):
            if reference is None:
                continue
            tried += 1
            detection = faces.detect(in_surroundings(image, angle))
            face = _central(detection.faces)
            if face is not None:
                seen = faces.frame(face).angle - detection.rotation
                errors.append(abs((seen - angle - faces.frame(reference).angle + 180) % 360 - 180))
        found = np.array(errors)
        result[angle] = (len(found) / max(1, tried), float(np.mean(found < 20)), float(np.median(found)))
    return result


def run(args: argparse.Namespace) -> int:
    """Measure, print, and write the tables of ``docs/framing.md``; return 0.

    Raises
    ------
    FerError
        If FER2013 is not there, or the document cannot be written.
    """
    from fer_core.data.fer2013 import open_dataset
    from fer_core.data.splits import assign

    settings = Settings.from_environment()
    dataset = open_dataset(getattr(args, "data", None), settings=settings)
    splits = assign(dataset)
    rng = np.random.default_rng(SEED)

    def sample(split: str, count: int) -> tuple[Images, NDArray[np.int64]]:
        all_of_it = np.flatnonzero(splits == split)
        chosen = np.sort(rng.choice(all_of_it, min(count, len(all_of_it)), replace=False))
        return dataset.images[chosen], dataset.labels[chosen]

    model, classifier = _classifier(settings, getattr(args, "model", None))
    text = report(sample("train", 2000)[0], *sample("val", 1500), model=model, classifier=classifier)
    sys.stdout.write(text + "\n")
    target = getattr(args, "to", None)
    _write(DOCUMENT if target is None else Path(target) / DOCUMENT.name, text)
    return 0


def report(
    images: Images,
    val_images: Images,
    val_labels: NDArray[np.int64],
    *,
    model: str | None = None,
    classifier: PredictsScores | None = None,
) -> str:
    """Measure everything and return it as Markdown. Takes some minutes for some thousand images."""
    found = measure_framing(images)
    names = ("eye, left in the picture", "eye, right", "nose tip", "corner of the mouth, left", "right")
    lines = [
        f"Measured on {datetime.date.today().isoformat()}, {len(images)} images of `train` and {len(val_images)} of "
        f"`val`, drawn with seed {SEED}" + (f"; model `{model}`." if model else "; without a model."),
        "",
        "### Where FER2013 has the parts of a face",
        "",
        f"A face was found in {found.found} of {found.images} images. Fractions of the crop's side; y points down.",
        "",
        *_table(
            ["", "x", "y", "spread of x", "spread of y"],
            [
                [name, *(f"{value:.3f}" for value in (*found.places[k], *found.spread[k]))]
                for k, name in enumerate(names)
            ],
        ),
        "",
        f"- Distance of the eyes {found.eye_distance:.3f}; side of the crop over width of the detector's box "
        f"{found.box_to_side:.2f}.",
        "- How far heads lean: half of them less than {:.0f}°, 90 % less than {:.0f}°, 99 % less than {:.0f}°. So "
        "FER2013 is not turned by the eyes.".format(*found.roll),
        f"- Turned heads: the frame's centre lies {found.nose_shift:.2f} times the nose's offset on the other "
        f"side of the nose. The offset exceeds 0.15 crop widths in {found.turned:.1%} of the faces.",
        "- Scores of the detector: 1 % below {:.2f}, 5 % below {:.2f}, 10 % below {:.2f}, median {:.2f}.".format(
            *found.scores
        ),
        "",
        "### Cut out again",
        "",
    ]
    rows = []
    for angle in (0, 15, 30, 45):
        for name, like in measure_ways(val_images, val_labels, WAYS, angle=angle, classifier=classifier).items():
            rows.append([f"±{angle}°" if angle else "0°", name, *_cells(like)])
    lines += _table(["photo turned by", "frame by", *_LIKENESS], rows)
    lines += ["", "### How wide to cut", ""]
    margins = {
        f"{factor:.2f}": _scaled(factor / faces.TIGHTEN)
        for factor in sorted({0.8, 0.85, 0.9, 1.0, 1.05, 1.1, 1.2, 1.3, faces.TIGHTEN})
    }
    rows = [
        [f"**{name}** (used)" if name == f"{faces.TIGHTEN:.2f}" else name, *_cells(like)]
        for name, like in measure_ways(val_images, val_labels, margins, classifier=classifier).items()
    ]
    lines += _table(["side, of the median frame's", *_LIKENESS], rows)
    lines += ["", "### FER2013 images given as photos", ""]
    rows = []
    part = slice(None, None, max(1, len(val_images) // 500))  # the images are sorted by class
    for side in (48, 96, 160, 224, 512):
        whole, none, like = measure_whole(val_images[part], val_labels[part], side, classifier)
        rows.append([f"{side} px", f"{whole:.1%}", f"{1 - whole - none:.1%}", f"{none:.1%}", *_cells(like)])
    lines += _table(["enlarged to", "taken whole", "cropped", "no face", *_LIKENESS], rows)
    lines += ["", "### Turned photos", ""]
    turns = measure_turns(val_images[:: max(1, len(val_images) // 250)], (15, 30, 45, 60, 90, 135, 180, 270))
    rows = [[f"{angle:.0f}°", f"{a:.1%}", f"{b:.1%}", f"{c:.1f}°"] for angle, (a, b, c) in turns.items()]
    lines += _table(["turned by", "found", "of these set upright within 20°", "median error"], rows)
    return "\n".join(lines)


_LIKENESS: Final = ("faces", "overlap", "side", "correlation", "difference", "accuracy", "original", "same label")


def _cells(like: Likeness) -> list[str]:
    def share(value: float | None) -> str:
        return "–" if value is None else f"{value:.1%}"

    return [
        str(like.faces),
        "–" if like.overlap is None else f"{like.overlap:.3f}",
        f"{like.side:.3f}",
        f"{like.correlation:.3f}",
        f"{like.difference:.1f}",
        share(like.accuracy),
        share(like.original_accuracy),
        share(like.agreement),
    ]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]


def _scaled(factor: float) -> Way:
    def way(face: Face) -> Frame:
        square = faces.frame(face)
        return replace(square, side=square.side * factor)

    return way


def _face_of(picture: Images) -> tuple[Face | None, Images]:
    """Return the face in the middle of a picture, and the picture as turned by the detector."""
    detection = faces.detect(picture)
    return _central(detection.faces), detection.image


def _central(found: Sequence[Face]) -> Face | None:
    middle = MARGIN + ENLARGED / 2
    near = [
        face
        for face in found
        if max(abs(face.box[0] + face.box[2] / 2 - middle), abs(face.box[1] + face.box[3] / 2 - middle)) < ENLARGED / 2
    ]
    return max(near, key=lambda face: face.box[2] * face.box[3], default=None)


def _overlap(square: Frame) -> float:
    half = square.side / 2
    box = (square.x - half, square.y - half, square.side, square.side)
    return faces.overlap(box, (MARGIN, MARGIN, ENLARGED, ENLARGED))


def _likeness(
    originals: Images,
    crops: Images,
    labels: NDArray[np.int64],
    classifier: PredictsScores | None,
    overlap: float | None,
    side: float,
) -> Likeness:
    a, b = originals.reshape(len(originals), -1).astype(np.float64), crops.reshape(len(crops), -1).astype(np.float64)
    difference = float(np.abs(a - b).mean())
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    norms = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    correlation = float(((a * b).sum(axis=1)[norms > 0] / norms[norms > 0]).mean())
    like = Likeness(len(originals), overlap, side, correlation, difference)
    if classifier is None:
        return like
    before = classifier.predict_proba(np.ascontiguousarray(originals)).argmax(axis=1)
    after = classifier.predict_proba(crops).argmax(axis=1)
    return replace(
        like,
        accuracy=float((after == labels).mean()),
        original_accuracy=float((before == labels).mean()),
        agreement=float((before == after).mean()),
    )


def _classifier(settings: Settings, model: str | None) -> tuple[str | None, PredictsScores | None]:
    """Return the asked model or the best one; none if there is no model at all."""
    from fer_core.classifier import load_classifier
    from fer_core.registry import load_registry

    registry = load_registry(settings.models_dir)
    if not model and not registry.cards:
        return None, None
    card = registry.get(model) if model else registry.default
    return card.id, load_classifier(card)


def _write(path: Path, text: str) -> None:
    """Put the text between the document's markers, or at its end if it has none."""
    section = f"{BEGIN}\n\n{text}\n\n{END}"
    try:
        old = path.read_text(encoding="utf-8") if path.exists() else "# How faces are framed\n"
        before, begin, rest = old.partition(BEGIN)
        after = rest.partition(END)[2] if begin else "\n"
        path.write_text(f"{before.rstrip()}\n\n{section}{after}", encoding="utf-8", newline="\n")
    except OSError as error:
        raise FerError(f"{path} cannot be written ({error.strerror}).") from None
