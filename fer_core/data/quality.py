"""What is wrong with a set of labelled faces: repeats, near repeats, blank pictures, and labels that are likely wrong.

Pure functions on arrays. What they find in FER2013 is committed as small tables (:mod:`fer_core.data.tables`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fer_core.data.fer2013 import pixel_hashes
from fer_core.labels import N_CLASSES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

BLANK_CONTRAST: Final = 1.0
"""A picture whose grey values deviate less than this from their mean shows nothing: JPEG noise on one colour."""

NEARLY_BLANK_CONTRAST: Final = 10.0
"""Below this a face cannot be made out on FER2013; the next images up do show one, if dark."""

CANDIDATE_CORRELATION: Final = 0.88
"""Of the 16x16 thumbnails: below it, a moved copy is no longer told from two faces that are framed alike."""

NEAR_CORRELATION: Final = 0.70
"""Of the details after the best shift. Set by looking at pairs on FER2013: above .7 they are the same photo."""

_THUMBNAIL: Final = 16
_SHIFT: Final = 4  # px of 48 that a copy may be moved by


@dataclass(frozen=True)
class Measures:
    """Three numbers an image, each ``(N,)`` float64.

    Attributes
    ----------
    brightness
        Mean grey value, 0-255.
    contrast
        Standard deviation of the grey values, 0-127.5.
    sharpness
        Standard deviation of the Laplacian (3x3, four neighbours), in grey values: low where edges are soft. Its
        square is the focus measure of J. L. Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy",
        ICPR 2000.
    """

    brightness: FloatArray
    contrast: FloatArray
    sharpness: FloatArray


@dataclass(frozen=True)
class Pairs:
    """Pairs of images that show the same photo, ordered by similarity, highest first.

    Attributes
    ----------
    first, second
        ``(P,)`` int64 indices, ``first < second``.
    similarity
        ``(P,)`` float64, correlation of the details, :data:`NEAR_CORRELATION` to 1.
    mirrored
        ``(P,)`` bool: the second image was mirrored for the comparison.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    similarity: FloatArray
    mirrored: NDArray[np.bool_]


@dataclass(frozen=True)
class LabelIssues:
    """How well each label fits out-of-sample probabilities.

    Attributes
    ----------
    suspect
        ``(N,)`` bool: the model is confident of another class, by that class's own standard.
    suggested
        ``(N,)`` int64: the class it is confident of; the label itself where not suspect.
    self_confidence
        ``(N,)`` float64, 0-1: probability of the given label.
    margin
        ``(N,)`` float64, -1 to 1: that probability minus the largest of the others.
    thresholds
        ``(7,)`` float64: mean probability of a class among the images labelled so; NaN for a class without images.
    """

    suspect: NDArray[np.bool_]
    suggested: NDArray[np.int64]
    self_confidence: FloatArray
    margin: FloatArray
    thresholds: FloatArray


def measure(images: NDArray[np.uint8]) -> Measures:
    """Return brightness, contrast and sharpness of ``(N, H, W)`` uint8 grey images."""
    import cv2

    brightness, contrast, sharpness = (np.empty(len(images)) for _ in range(3))
    for k, image in enumerate(images):
        pixels = image.astype(np.float64)
        brightness[k], contrast[k] = pixels.mean(), pixels.std()
        sharpness[k] = cv2.Laplacian(pixels, cv2.CV_64F).std()
    return Measures(brightness, contrast, sharpness)


def exact_groups(images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return for each image the index of the first image with the same pixels, ``(N,)`` int64."""
    _, first, inverse = np.unique(pixel_hashes(images), return_index=True, return_inverse=True)
    return np.asarray(first[inverse.ravel()], dtype=np.int64)


def contradicting(groups: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which images have a twin with another label.

    Parameters
    ----------
    groups : ndarray of int64, shape (N,)
        Equal for equal pictures.
    labels : ndarray of int64, shape (N,)

    Returns
    -------
    ndarray of bool, shape (N,)
    """
    kinds = np.unique(np.stack([groups, labels], axis=1), axis=0)[:, 0]
    group, count = np.unique(kinds, return_counts=True)
    return np.isin(groups, group[count > 1])


def near_duplicates(
    images: NDArray[np.uint8],
    *,
    candidate: float = CANDIDATE_CORRELATION,
    threshold: float = NEAR_CORRELATION,
    chunk: int = 2048,
) -> Pairs:
    """Find pictures of the same photo: another crop, brightness, contrast, watermark, or a mirror image.

    Two steps. Thumbnails of 16x16, each shifted to mean 0 and scaled to length 1, are multiplied with each other
    (and with their mirror images) in chunks: a correlation for every pair. Pairs above `candidate` are then compared in
    detail: both lose their low frequencies (a Gaussian of 3 px is subtracted), and the inner 40x40 of one is moved over
    the other by up to 4 px; the largest correlation counts. Low frequencies alone would take two different faces that
    are framed and lit alike for one photo.

    A copy that was scaled or moved by more is not found, so the number of pairs is a lower bound.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, 48, 48)
        Without exact repeats and blanks, or these are pairs, too.
    candidate, threshold : float
        Correlations, -1 to 1.
    chunk : int
        Rows of the product that are held at once.
    """
    import cv2

    small = np.stack([cv2.resize(image, (_THUMBNAIL, _THUMBNAIL), interpolation=cv2.INTER_AREA) for image in images])
    details = [_detail(image) for image in images]
    found: list[tuple[int, int, float, bool]] = []
    for mirrored in (False, True):
        rows = _normalised(small)
        columns = _normalised(small[:, :, ::-1] if mirrored else small)
        for start in range(0, len(images), chunk):
            product = rows[start : start + chunk] @ columns[start:].T
            for i, j in zip(*np.nonzero(product >= candidate), strict=True):
                if j <= i:  # itself, or found from the other side
                    continue
                one, other = details[start + i], details[start + j]
                value = _best_correlation(one, other[:, ::-1] if mirrored else other)
                if value >= threshold:
                    found.append((start + int(i), start + int(j), value, mirrored))
    # a pair found both ways is symmetric: keep the better one
    best: dict[tuple[int, int], tuple[float, bool]] = {}
    for i, j, value, mirrored in found:
        if value > best.get((i, j), (-1.0, False))[0]:
            best[i, j] = (value, mirrored)
    ordered = sorted(best.items(), key=lambda entry: (-entry[1][0], entry[0]))
    return Pairs(
        first=np.array([pair[0] for pair, _ in ordered], dtype=np.int64),
        second=np.array([pair[1] for pair, _ in ordered], dtype=np.int64),
        similarity=np.array([value for _, (value, _) in ordered], dtype=np.float64),
        mirrored=np.array([mirrored for _, (_, mirrored) in ordered], dtype=np.bool_),
    )


def label_issues(labels: NDArray[np.int64], proba: NDArray[np.floating[Any]]) -> LabelIssues:
    """Find labels that are likely wrong, by confident learning.

    The threshold of class j is the mean of p_j over the images labelled j. An image is counted for the class with the
    largest probability among those that reach their threshold; where that is not its label, the label is suspect,
    unless it has the largest probability of all (a rare class reaches its low threshold easily). This is the
    off-diagonal of the confident joint of C. G. Northcutt, L. Jiang, I. L. Chuang, "Confident Learning: Estimating
    Uncertainty in Dataset Labels", JAIR 70, 2021 (section 3.1). cleanlab's ``filter_by="confident_learning"`` names
    these and a few more: where several classes reach their threshold it takes the largest probability of all classes.
    Rank the suspects by ``margin``, the most doubtful label first.

    A suspect is a disagreement of a confident model with a label. It may be the model's mistake.

    Parameters
    ----------
    labels : ndarray of int64, shape (N,)
    proba : ndarray of float, shape (N, 7)
        **Out-of-sample** probabilities: of images that the model was not trained on. A network has learnt the wrong
        labels of its own training images by heart.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    if proba.shape != (len(labels), N_CLASSES):
        raise ValueError(
            f"Probabilities of shape {proba.shape} for {len(labels)} labels; ({len(labels)}, 7) is needed."
        )
    p = proba.astype(np.float64)
    every = np.arange(len(labels))
    thresholds = np.full(N_CLASSES, np.nan)
    for label in range(N_CLASSES):
        if (labels == label).any():
            thresholds[label] = p[labels == label, label].mean()
    confident = np.where(p >= np.where(np.isnan(thresholds), np.inf, thresholds), p, -1)
    choice = confident.argmax(axis=1)
    suspect = (confident.max(axis=1) >= 0) & (choice != labels) & (p.argmax(axis=1) != labels)
    others = p.copy()
    others[every, labels] = -1
    return LabelIssues(
        suspect=suspect,
        suggested=np.where(suspect, choice, labels).astype(np.int64),
        self_confidence=p[every, labels],
        margin=p[every, labels] - others.max(axis=1),
        thresholds=thresholds,
    )


def _normalised(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    flat = images.reshape(len(images), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.asarray(flat / np.where(length > 0, length, 1))


def _detail(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    import cv2

    pixels = image.astype(np.float32)
    return np.asarray(pixels - cv2.GaussianBlur(pixels, (0, 0), 3))


def _best_correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    import cv2

    inner = np.ascontiguousarray(other[_SHIFT:-_SHIFT, _SHIFT:-_SHIFT])
    return float(cv2.matchTemplate(np.ascontiguousarray(one), inner, cv2.TM_CCOEFF_NORMED).max())
