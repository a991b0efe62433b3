"""The one definition of what it means to analyse a photo: decode, find the faces, crop, score, and say what to doubt.

Command line, pages and benchmark all call :func:`analyse`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from fer_core import faces, images
from fer_core.data.quality import BLANK_CONTRAST, measure
from fer_core.faces import Detection, Face
from fer_core.labels import EMOTIONS, N_CLASSES, index_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMALL_PIXELS: Final = faces.SIDE
"""A crop that covers fewer pixels of the photo than this had to be enlarged for the network."""
SHARPNESS: Final = 0.35
"""A crop is blurred if the Laplacian's standard deviation is less than this times that of its grey values. Measured on
2,000 faces of FER2013: 0.2 % lie below, 92 % do after a Gaussian blur of 1 px (of 48), all after one of 1.5 px."""
TURNED: Final = 0.15
"""A head is turned if the nose lies further from the middle, in widths of the crop; 3 % of FER2013."""
LEANING: Final = 25.0
"""A head leans if it does by more than this, degrees. Of FER2013's heads 90 % lean less than 17 degrees."""
CLOSE: Final = 0.10
"""Two scores that differ by less are close."""
UNSURE_SCORE: Final = 0.8
"""Below this score of the detector, a face is doubtful; 1 % of the faces found in FER2013."""


class PredictsScores(Protocol):
    """What :func:`analyse` asks of a classifier; :class:`fer_core.classifier.Classifier` is one."""

    def predict_proba(self, faces: NDArray[np.uint8], *, mirror: bool = False) -> NDArray[np.float32]:
        """Return the scores (N, 7), float32, of grey faces (N, 48, 48), uint8."""


@dataclass(frozen=True)
class Caution:
    """A reason to doubt the scores of a face.

    Attributes
    ----------
    code
        ``whole_image``, ``unsure``, ``rotated``, ``small``, ``blurred``, ``turned``, ``leaning`` or ``close``.
    sentence
        The same for a reader.
    """

    code: str
    sentence: str


@dataclass(frozen=True)
class FaceAnalysis:
    """One face and its scores.

    Attributes
    ----------
    face
        Where it is in the photo.
    number
        1 for the leftmost face.
    crop
        (48, 48) uint8, grey: exactly what the classifier was given.
    probabilities
        (7,) float32, one score a label in the order of ``EMOTIONS``; they add up to 1.
    cautions
        Reasons to doubt the scores, the gravest first; often none.
    """

    face: Face
    number: int
    crop: NDArray[np.uint8]
    probabilities: NDArray[np.float32]
    cautions: tuple[Caution, ...]

    @property
    def ranking(self) -> tuple[str, ...]:
        """All labels, the one with the highest score first."""
        return tuple(EMOTIONS[k] for k in np.argsort(-self.probabilities, kind="stable"))

    @property
    def label(self) -> str:
        """The label with the highest score."""
        return self.ranking[0]

    @property
    def runner_up(self) -> str:
        """The label with the second highest score."""
        return self.ranking[1]

    @property
    def margin(self) -> float:
        """By how much the highest score leads, 0-1."""
        second, first = np.sort(self.probabilities)[-2:]
        return float(first - second)

    def score(self, label: str) -> float:
        """Return the score for a label, 0-1.

        Raises
        ------
        ValueError
            If it is not one of ``EMOTIONS``.
        """
        return float(self.probabilities[index_of(label)])


@dataclass(frozen=True)
class PhotoAnalysis:
    """A photo, its faces from left to right, and their scores."""

    detection: Detection
    faces: tuple[FaceAnalysis, ...]

    def to_records(self) -> list[dict[str, Any]]:
        """Return one flat record a face, of plain Python values, for CSV or JSON.

        Keys: ``face`` (number), ``x``, ``y``, ``width``, ``height`` (px, of the photo turned by ``rotation`` degrees
        clockwise), ``rotation``, ``detector_score``, ``label``, ``score``, ``runner_up``, ``margin``, ``p_angry`` …
        ``p_surprise``, ``cautions`` (list of sentences).
        """
        return [_record(self.detection, face) for face in self.faces]


def analyse(
    photo: bytes | NDArray[np.uint8],
    classifier: PredictsScores,
    *,
    mirror: bool = False,
    max_pixels: int = images.MAX_PIXELS,
) -> PhotoAnalysis:
    """Find the faces of a photo and score each.

    Parameters
    ----------
    photo : bytes, or ndarray of shape (H, W, 3), uint8
        The content of a picture file, or RGB pixels.
    classifier : PredictsScores
        Is called once with all faces, and not at all if there are none.
    mirror : bool
        Passed on to the classifier: average with the mirror images.
    max_pixels : int
        Larger pictures are refused before they are decoded.

    Returns
    -------
    PhotoAnalysis
        Without faces if none was found.

    Raises
    ------
    ImageDecodeError
        If the bytes are not a picture that can be read.
    ValueError
        If an array is not a photo's.
    """
    image = images.decode(photo, max_pixels=max_pixels) if isinstance(photo, bytes) else photo
    detection = faces.detect(image)
    if not detection.faces:
        return PhotoAnalysis(detection, ())
    crops = np.stack([faces.crop(detection.image, face) for face in detection.faces])
    scores = classifier.predict_proba(crops, mirror=mirror)
    if scores.shape != (len(crops), N_CLASSES):
        raise ValueError(f"The classifier gave scores of shape {scores.shape} for {len(crops)} faces.")
    return PhotoAnalysis(
        detection,
        tuple(
            FaceAnalysis(face, number, crop, row, cautions(face, crop, row, detection.rotation))
            for number, (face, crop, row) in enumerate(zip(detection.faces, crops, scores, strict=True), start=1)
        ),
    )


def cautions(
    face: Face,
    crop: NDArray[np.uint8],
    probabilities: NDArray[np.float32] | Sequence[float],
    rotation: int = 0,
) -> tuple[Caution, ...]:
    """Return the reasons to doubt the scores of a face, the gravest first.

    Parameters
    ----------
    face : Face
        Where it is in the photo.
    crop : ndarray of shape (48, 48), uint8
        What the classifier was given.
    probabilities : sequence of 7 floats
        What it answered.
    rotation : int
        Degrees clockwise by which the photo was turned to find faces.
    """
    found = []
    square = faces.frame(face)
    if face.whole_image:
        found.append(Caution("whole_image", "The whole picture was taken for a face that is already cropped."))
    elif face.score < UNSURE_SCORE:
        found.append(Caution("unsure", f"This may be no face: the detector gives it {face.score:.2f} of 1."))
    if rotation:
        found.append(Caution("rotated", f"The photo was turned by {rotation}° clockwise, where faces were found."))
    if square.side < SMALL_PIXELS:
        found.append(
            Caution(
                "small",
                f"The face is small: its crop is {square.side:.0f} pixels wide in the photo and was enlarged to "
                f"{faces.SIDE}.",
            )
        )
    quality = measure(crop[None])
    if quality.contrast[0] < BLANK_CONTRAST:
        found.append(Caution("blurred", "The crop is one even grey: there is nothing to see in it."))
    elif quality.sharpness[0] < SHARPNESS * quality.contrast[0]:
        found.append(Caution("blurred", "The face is blurred: fine lines that tell expressions apart are lost."))
    if abs(faces.nose_offset(face)) > TURNED:
        found.append(Caution("turned", "The head is turned to the side: FER2013 holds few such faces."))
    if abs(square.angle) > LEANING:
        found.append(
            Caution("leaning", f"The head leans by {abs(square.angle):.0f}°: it was set upright for the crop.")
        )
    (second, p_second), (first, p_first) = sorted(
        zip(EMOTIONS, map(float, probabilities), strict=True), key=lambda pair: pair[1]
    )[-2:]
    if p_first - p_second < CLOSE:
        found.append(
            Caution(
                "close",
                f"The two best scores are close ({p_first:.2f} for {first}, {p_second:.2f} for {second}): treat the "
                "label as undecided.",
            )
        )
    return tuple(found)


def records_to_csv(records: Sequence[Mapping[str, Any]]) -> str:
    """Return records with the same keys as CSV with a header; an empty text if there are none.

    Lists become one cell, their parts separated by a space. A text that a spreadsheet would take for a formula gets a
    leading apostrophe.
    """
    if not records:
        return ""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(records[0])
    for record in records:
        writer.writerow([_cell(record[name]) for name in records[0]])
    return text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, list | tuple):
        value = " ".join(map(str, value))
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _record(detection: Detection, part: FaceAnalysis) -> dict[str, Any]:
    x, y, width, height = (round(float(value), 1) for value in part.face.box)
    return {
        "face": part.number,
        "x": x,
        "y": y,
        "width": width,
        "height": height,
        "rotation": detection.rotation,
        "detector_score": round(part.face.score, 4),
        "label": part.label,
        "score": round(part.score(part.label), 6),
        "runner_up": part.runner_up,
        "margin": round(part.margin, 6),
        **{f"p_{name}": round(part.score(name), 6) for name in EMOTIONS},
        "cautions": [caution.sentence for caution in part.cautions],
    }
