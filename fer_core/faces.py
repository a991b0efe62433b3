"""Find faces in a photo and cut each out as FER2013 is cut.

A network that learnt from FER2013 expects faces framed as there. How they are framed was measured (``docs/framing.md``,
``python -m fer_core data framing``): the constants below are the outcome. A face is turned until the eyes are level,
then a square is laid around eyes and mouth.

Detector: W. Wu, H. Peng, S. Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research 20,
656-665, 2023.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MODEL_FILE: Final = Path(__file__).resolve().parent / "assets" / "yunet" / "face_detection_yunet_2023mar.onnx"

SIDE: Final = 48
"""Side of a crop, px: that of FER2013."""

# --- How FER2013 is framed: medians over faces of Training, as fractions of the crop, made symmetric. docs/framing.md
EYES: Final = ((0.313, 0.382), (0.687, 0.382))
MOUTH: Final = ((0.344, 0.758), (0.656, 0.758))
NOSE_SHIFT: Final = 0.75
"""A turned head: the frame's centre lies this far against the offset of the nose tip (both in crop widths)."""
BOX_TO_SIDE: Final = 1.24
"""Side of the crop over the width of YuNet's box, for the rare face whose landmarks coincide."""
TIGHTEN: Final = 0.95
"""The frame is made this much smaller than the median one: too much margin costs more accuracy than too little."""

# --- Where faces are looked for
WORKING_SIDE: Final = 512
"""Longer side of the copy in which faces are looked for first, px."""
LARGE_SIDE: Final = 1280
"""Longer side of the second copy, for photos with small faces or none in the first, px."""
SMALL_SIDE: Final = 256
"""Smaller pictures are enlarged to this; also the copy in which faces too large for the first are looked for, px."""
PATCH_SIDE: Final = 384
"""Each face is looked at again by itself, in a patch of this side, px, twice as wide as its crop: YuNet's landmarks
follow a leaning face only if it is about 150 px or larger. docs/framing.md"""
MIN_SCORE: Final = 0.75
"""Faces with a lower score in the closer look are not reported. Of FER2013's own faces 97 % score higher; things that
are no face were seen to score up to 0.71."""
SURE_SCORE: Final = 0.9
"""A face that scores lower when looked at closely is also looked at turned. Of FER2013's upright faces 33 % do, of
the same turned by 45 degrees or more 99 %."""
WEAK_SCORE: Final = 0.3
"""What the detector reports at all: enough to take a square picture that it fills for a face crop."""
_PROMISING = 0.5  # below, in the first look, only the best two are looked at closely, and only if there are no others
_UNCONFIRMED = 0.8  # a face that is not seen again in the closer look needs this score in the first
_TURN_GAIN = 0.05  # a turned view must score this much better than the upright one
_SAME_FACE = 0.1  # answers whose scores are this close to the best count for where the face is
_LEANING = 6.0  # a face that leans more than it was turned, degrees, is looked at again
_FEW_PIXELS = 32  # faces smaller than this in the first copy: others may have been missed
_TOO_LARGE = 300  # YuNet was trained on faces of up to about this size, px
_MIN_FACE = 10  # smaller boxes hold nothing to classify, px of the photo

# --- When the picture itself is the crop
TINY_SIDE: Final = 64
"""A roughly square picture up to this side is a face crop, as those of FER2013 are; px."""
ICON_SIDE: Final = 224
"""A roughly square picture up to this side is taken for a face crop if no face can be located in it; px."""
SMALL_CROP_SIDE: Final = 320
"""Up to this side a nearly square picture is taken for a crop on a weaker hint: something like a face covers much of
it; px."""
WHOLE_OVERLAP: Final = 0.65
"""A nearly square picture whose face would be framed with this overlap (intersection over union) is a crop already."""
_HINT_OVERLAP = 0.2  # how much of such a picture the box must cover
_ROUGHLY_SQUARE = 1.5
_NEARLY_SQUARE = 1.2


@dataclass(frozen=True)
class Face:
    """One face, in pixels of :attr:`Detection.image`; (0, 0) is the photo's upper left corner.

    Attributes
    ----------
    box
        x, y of the upper left corner, width and height. It may reach over the edge of the photo.
    score
        The detector's confidence, 0-1; 1.0 for a whole-image face.
    landmarks
        (5, 2) float32: the eye on the left of the picture, the one on the right, nose tip, the corner of the mouth on
        the left, on the right (of an upright face). ``None`` for a whole-image face.
    whole_image
        The picture itself was taken for a face crop.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: NDArray[np.float32] | None
    whole_image: bool = False


@dataclass(frozen=True)
class Detection:
    """What was found in a photo.

    Attributes
    ----------
    image
        (H, W, 3) uint8 RGB, turned upright if a rotation was needed.
    rotation
        Degrees clockwise that were applied: 0, 90, 180 or 270.
    faces
        From left to right.
    """

    image: NDArray[np.uint8]
    rotation: int
    faces: tuple[Face, ...]


@dataclass(frozen=True)
class Frame:
    """The square that becomes a crop: centre and side in px, and how far it leans clockwise, in degrees."""

    x: float
    y: float
    side: float
    angle: float


def detect(image: NDArray[np.uint8]) -> Detection:
    """Find all faces of a photo. Safe to call from several threads.

    The photo is looked at upright; if that finds nothing or nothing sure, also turned by 90, 180 and 270 degrees. A
    picture that is itself a face crop gives one whole-image face.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB, any size.

    Returns
    -------
    Detection
        Without faces if there are none and the picture is not a face crop itself.

    Raises
    ------
    ValueError
        If `image` is not an array of that shape and type, or empty.
    """
    _check(image)
    image = np.ascontiguousarray(image)
    height, width = image.shape[:2]
    longer, aspect = max(height, width), max(height, width) / min(height, width)
    if longer <= TINY_SIDE and aspect <= _ROUGHLY_SQUARE:
        return Detection(image, 0, (_whole(image),))

    rotation, image, faces = _upright(image)
    sure = [face for face in faces if face.score >= MIN_SCORE]
    fills = aspect <= _NEARLY_SQUARE and (
        (len(sure) == 1 and _fills(image, sure[0]))
        or (not sure and longer <= SMALL_CROP_SIDE and any(_covers(image, face) for face in faces))
    )
    if fills or (not sure and longer <= ICON_SIDE and aspect <= _ROUGHLY_SQUARE):
        sure = [_whole(image)]
    return Detection(image, rotation, tuple(sorted(sure, key=lambda face: face.box[0] + face.box[2] / 2)))


def crop(image: NDArray[np.uint8], face: Face) -> NDArray[np.uint8]:
    """Cut a face out as FER2013 is cut.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB: the ``image`` of the detection that `face` is from.
    face : Face
        The face.

    Returns
    -------
    ndarray of shape (48, 48), uint8
        Grey. Beyond the edge of the photo the outermost pixels are repeated. A picture of 48 x 48 px that is itself a
        grey face crop comes back as it is.
    """
    return cut(image, frame(face), SIDE, grey=True)


def crop_rgb(image: NDArray[np.uint8], face: Face, size: int = 192) -> NDArray[np.uint8]:
    """Cut a face out in colour, framed as by :func:`crop`, for showing.

    Returns
    -------
    ndarray of shape (size, size, 3), uint8
        RGB.
    """
    return cut(image, frame(face), size)


def frame(face: Face) -> Frame:
    """Return the square around a face that FER2013 would have cut.

    The similarity (turn, scale, shift) that brings eyes and corners of the mouth closest to their places in FER2013,
    in the sense of least squares; for a turned head the centre moves away from the nose, to the middle of the head.
    """
    if face.landmarks is None:
        x, y, width, height = face.box
        return Frame(x + width / 2, y + height / 2, min(width, height), 0.0)
    fit = fit_landmarks(face.landmarks)
    if fit is None or fit.side < face.box[2] / 3:  # eyes and mouth coincide
        x, y, width, height = face.box
        return Frame(x + width / 2, y + height / 2, width * BOX_TO_SIDE * TIGHTEN, 0.0)
    right = np.array([np.cos(np.radians(fit.angle)), np.sin(np.radians(fit.angle))])
    x, y = np.array([fit.x, fit.y]) - NOSE_SHIFT * nose_offset(face) * fit.side * right
    return Frame(float(x), float(y), fit.side * TIGHTEN, fit.angle)


def nose_offset(face: Face) -> float:
    """Return how far the nose tip lies to the right of the middle of eyes and mouth, in widths of the (median) frame.

    A measure of how far the head is turned: 0 when it looks into the camera, negative when it looks to the left of the
    picture, beyond 0.15 either way for about 3 % of FER2013; 0 for a whole-image face.
    """
    fit = None if face.landmarks is None else fit_landmarks(face.landmarks)
    if fit is None or face.landmarks is None:
        return 0.0
    points = np.asarray(face.landmarks, np.float64)
    offset = points[2] - points[[0, 1, 3, 4]].mean(axis=0)
    turn = np.radians(fit.angle)
    return float(offset @ (np.cos(turn), np.sin(turn))) / fit.side


def fit_landmarks(landmarks: NDArray[np.float32]) -> Frame | None:
    """Return the frame that fits eyes and corners of the mouth of landmarks (5, 2), ``None`` if all coincide."""
    seen, places = np.asarray(landmarks, np.float64)[[0, 1, 3, 4]], np.array(EYES + MOUTH)
    centre, place = seen.mean(axis=0), places.mean(axis=0)
    seen, places = seen - centre, places - place
    along = float((seen * places).sum())
    across = float((places[:, 0] * seen[:, 1] - places[:, 1] * seen[:, 0]).sum())
    if not (along or across):
        return None
    side = float((seen**2).sum() / np.hypot(along, across))
    turn = float(np.arctan2(across, along))  # clockwise, as y points down
    right, down = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
    x, y = centre + side * ((0.5 - place[0]) * right + (0.5 - place[1]) * down)
    return Frame(float(x), float(y), side, float(np.degrees(turn)))


def overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """Return the intersection over union of two boxes (x, y, width, height), 0-1."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    common = max(width, 0.0) * max(height, 0.0)
    union = a[2] * a[3] + b[2] * b[3] - common
    return common / union if union > 0 else 0.0


# ---- Looking for faces


class _Detector:
    """One YuNet for all threads: OpenCV's is not thread-safe, and one for each of a server's short threads would load
    the network again and again. A call takes some milliseconds and uses all cores anyway.
    """  # noqa: D205

    def __init__(self) -> None:
        # The network is handed over as bytes: OpenCV cannot open every path on Windows.
        model = np.frombuffer(MODEL_FILE.read_bytes(), np.uint8)
        logging = cv2.utils.logging
        level = logging.getLogLevel()
        logging.setLogLevel(logging.LOG_LEVEL_ERROR)  # OpenCV 5 warns on stderr about an option that was not chosen
        try:
            self._net: Any = cv2.FaceDetectorYN.create(
                "onnx", model, np.empty(0, np.uint8), (SMALL_SIDE, SMALL_SIDE), WEAK_SCORE, 0.3, 1000
            )
        finally:
            logging.setLogLevel(level)
        self._lock = threading.Lock()

    def __call__(self, rgb: NDArray[np.uint8], *, merge: bool = True) -> NDArray[np.float64]:
        """Return (n, 15): box, landmarks, score 0-1; a row a face, or all the network gives if not `merge`."""
        bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        with self._lock:
            self._net.setInputSize((bgr.shape[1], bgr.shape[0]))
            self._net.setNMSThreshold(0.3 if merge else 1.0)
            found = self._net.detect(bgr)[1]
        rows = np.empty((0, 15)) if found is None else np.asarray(found, np.float64)
        rows = rows[np.isfinite(rows).all(axis=1)]
        rows[:, 14] = rows[:, 14].clip(0, 1)
        return rows


_loading = threading.Lock()


@cache
def _load_detector() -> _Detector:
    return _Detector()


def _detector() -> _Detector:
    with _loading:  # `cache` alone may load twice
        return _load_detector()


def _upright(image: NDArray[np.uint8]) -> tuple[int, NDArray[np.uint8], list[Face]]:
    """Return by how many degrees clockwise the photo must be turned, the photo turned by that, and its faces."""
    best = (0, image, _find(image))
    quarter = _dominant_quarter(best[2])
    if quarter:  # most faces lie: the detector finds more of them when they stand
        turns, least = [quarter], 0.8 * _total(best[2])
    elif _total(best[2]) == 0:
        turns, least = [90, 180, 270], 0.0
    else:
        return best
    for turn in turns:
        turned = np.ascontiguousarray(np.rot90(image, -turn // 90))
        found = _find(turned)
        if _total(found) > least and _dominant_quarter(found) == 0:
            best, least = (turn, turned, found), _total(found)
    return best


def _find(image: NDArray[np.uint8]) -> list[Face]:
    """Return the faces of a photo that is taken as upright, each looked at closely; weak ones too."""
    faces: list[Face] = []
    for candidate in _candidates(image):
        face = _look_closely(image, candidate)
        if all(overlap(face.box, other.box) < 0.4 for other in faces):
            faces.append(face)
    return faces


def _candidates(image: NDArray[np.uint8]) -> list[Face]:
    """Return what may be faces, best score first: all promising ones, or if there are none two weak ones."""
    longer = max(image.shape[:2])
    faces = _look(image, WORKING_SIDE if longer > WORKING_SIDE else max(longer, SMALL_SIDE))
    good = [face for face in faces if face.score >= _PROMISING]
    if longer > WORKING_SIDE and (not good or min(map(_size, good)) * WORKING_SIDE / longer < _FEW_PIXELS):
        large = min(longer, LARGE_SIDE)
        closer = [face for face in _look(image, large) if _size(face) * large / longer < _TOO_LARGE]
        faces = closer + [face for face in faces if all(overlap(face.box, other.box) < 0.3 for other in closer)]
    if not any(face.score >= _PROMISING for face in faces):
        if longer > SMALL_SIDE:
            faces += _look(image, SMALL_SIDE)
        faces += _look_beyond_the_edge(image)
    faces.sort(key=lambda face: -face.score)
    return [face for face in faces if face.score >= _PROMISING] or faces[:2]


def _look(image: NDArray[np.uint8], side: int) -> list[Face]:
    """Return the faces seen in a copy whose longer side has so many pixels, in pixels of `image`."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    copy = image
    if scale != 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        copy = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    stretch = np.array([width / copy.shape[1], height / copy.shape[0]])
    faces = []
    for row in _detector()(copy):
        x, y, w, h = (row[:4].reshape(2, 2) * stretch).ravel().tolist()
        face = Face((x, y, w, h), float(row[14]), (row[4:14].reshape(5, 2) * stretch).astype(np.float32))
        if _size(face) >= _MIN_FACE:
            faces.append(face)
    return faces


def _look_beyond_the_edge(image: NDArray[np.uint8]) -> list[Face]:
    """Return the faces of the picture with a margin around it: the detector misses faces that the edge cuts."""
    scale = min(1.0, SMALL_SIDE / max(image.shape[:2]))
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    margin = max(image.shape[:2]) // 3
    wide = cv2.copyMakeBorder(image, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=_mean(image))
    faces = []
    for face in _look(wide, max(*wide.shape[:2], SMALL_SIDE)):
        x, y, w, h = face.box
        box = ((x - margin) / scale, (y - margin) / scale, w / scale, h / scale)
        faces.append(replace(face, box=box, landmarks=(_landmarks(face) - np.float32(margin)) / np.float32(scale)))
    return faces


def _look_closely(image: NDArray[np.uint8], face: Face) -> Face:
    """Look at one face by itself, turned until it stands; return it with exact landmarks and a score to trust."""
    x, y, w, h = face.box
    side = max(w * BOX_TO_SIDE, h * BOX_TO_SIDE * 0.75)
    around = Frame(x + w / 2, y + h / 2, side, 0.0)
    best, seen_at = look_at(image, around), 0.0
    for angles, enough in (((90.0, 180.0, -90.0), SURE_SCORE), ((45.0, -45.0, 135.0, -135.0), 0.75)):
        if best is not None and best.score >= enough:
            continue
        for angle in angles:
            view = look_at(image, replace(around, angle=angle))
            if view is not None and view.score > (best.score + _TURN_GAIN if best else 0.0):
                best, seen_at = view, angle
    if best is None or best.score < MIN_SCORE:
        confirmed = face.score if face.score >= _UNCONFIRMED else min(face.score, best.score if best else WEAK_SCORE)
        return replace(face, score=confirmed)
    for _ in range(2):
        square = frame(best)
        if abs((square.angle - seen_at + 180) % 360 - 180) < _LEANING:
            break
        view = look_at(image, square)
        if view is None or view.score < best.score - _TURN_GAIN:
            break
        best, seen_at = view, square.angle
    return best


def look_at(image: NDArray[np.uint8], square: Frame) -> Face | None:
    """Return the best face about the centre of a leaning square, seen in a patch twice as wide; weak ones too.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB. In it the face should stand upright once the square does.
    square : Frame
        About as wide as the crop of the face.
    """
    wide = replace(square, side=2 * square.side)
    patch = cut(image, wide, PATCH_SIDE, detail=1, repeat_edge=False)
    rows = _detector()(patch, merge=False)
    rows = rows[np.abs(rows[:, :2] + rows[:, 2:4] / 2 - PATCH_SIDE / 2).max(axis=1) < PATCH_SIDE / 6]
    if not len(rows):
        return None
    # The network answers from several cells; their mean is steadier than the best one.
    best = rows[rows[:, 14].argmax()]
    same = [row for row in rows if row[14] > best[14] - _SAME_FACE and overlap(tuple(row[:4]), tuple(best[:4])) > 0.6]
    row = np.average(same, axis=0, weights=[other[14] - best[14] + _SAME_FACE for other in same])
    turn, step = np.radians(square.angle), wide.side / PATCH_SIDE
    matrix = step * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    points = np.vstack([row[:2] + row[2:4] / 2, row[4:14].reshape(5, 2)]) - PATCH_SIDE / 2
    centre, *landmarks = points @ matrix.T + (square.x, square.y)
    w, h = (row[2:4] * step).tolist()
    if abs(np.sin(turn)) > abs(np.cos(turn)):
        w, h = h, w
    box = (float(centre[0]) - w / 2, float(centre[1]) - h / 2, w, h)
    return Face(box, float(best[14]), np.array(landmarks, np.float32))


def _dominant_quarter(faces: list[Face]) -> int:
    """Return by how many degrees clockwise (0, 90, 180, 270) a photo must be turned for most of its faces to stand."""
    weights = {0: 0.0, 90: 0.0, 180: 0.0, 270: 0.0}
    for face in faces:
        if face.score >= MIN_SCORE:
            weights[round(-frame(face).angle / 90) % 4 * 90] += _size(face)
    return max(weights, key=lambda quarter: weights[quarter])


def _total(faces: list[Face]) -> float:
    return sum(face.score for face in faces if face.score >= MIN_SCORE)


def _fills(image: NDArray[np.uint8], face: Face) -> bool:
    """Tell whether a crop of this face would be about the picture itself."""
    square = frame(face)
    side = square.side / TIGHTEN
    height, width = image.shape[:2]
    return overlap((square.x - side / 2, square.y - side / 2, side, side), (0.0, 0.0, width, height)) >= WHOLE_OVERLAP


def _covers(image: NDArray[np.uint8], face: Face) -> bool:
    """Tell whether a face, however doubtful, covers much of the picture."""
    return overlap(face.box, (0.0, 0.0, image.shape[1], image.shape[0])) >= _HINT_OVERLAP


def _whole(image: NDArray[np.uint8]) -> Face:
    """Return the picture's largest central square as a face."""
    height, width = image.shape[:2]
    side = min(height, width)
    return Face(((width - side) / 2, (height - side) / 2, float(side), float(side)), 1.0, None, whole_image=True)


def _size(face: Face) -> float:
    return max(face.box[2], face.box[3])


def _landmarks(face: Face) -> NDArray[np.float32]:
    assert face.landmarks is not None
    return face.landmarks


def _check(image: NDArray[np.uint8]) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise ValueError(f"A photo is an array of shape (height, width, 3), uint8; not {image.shape}, {image.dtype}.")


# ---- Cutting out


def cut(
    image: NDArray[np.uint8],
    square: Frame,
    size: int,
    *,
    grey: bool = False,
    detail: int = 4,
    repeat_edge: bool = True,
) -> NDArray[np.uint8]:
    """Cut a leaning square out, without aliasing: near the photo's resolution first, then averaged down.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB.
    square : Frame
        What to cut out, in px of `image`.
    size : int
        Side of the result, px.
    grey : bool
        Give grey values, not RGB.
    detail : int
        Of a very large square only `detail` times the pixels of the result (on a side) are warped: all would be slow.
    repeat_edge : bool
        What is beyond the photo: its outermost pixels, repeated, or one colour, the mean of what is near.

    Returns
    -------
    ndarray of shape (size, size, 3) or (size, size), uint8
    """
    _check(image)
    part, left, top = _surroundings(image, square)
    x, y, side = square.x - left, square.y - top, square.side
    shrink = side / (detail * size)
    if shrink > 1:
        height, width = part.shape[:2]
        smaller = (max(1, round(width / shrink)), max(1, round(height / shrink)))
        part = cv2.resize(part, smaller, interpolation=cv2.INTER_AREA)
        x, y, side = x * smaller[0] / width, y * smaller[1] / height, side / shrink
    if grey:
        part = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY)
    copies = max(1, round(side / size))
    target = size * copies
    step, turn = side / target, np.radians(square.angle)
    matrix = step * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    # coordinates start at the corner of the first pixel, OpenCV's at its centre
    origin = np.array([x - 0.5, y - 0.5]) - matrix @ np.full(2, (target - 1) / 2)
    flags = cv2.WARP_INVERSE_MAP | (cv2.INTER_CUBIC if side < size else cv2.INTER_LINEAR)
    result = cv2.warpAffine(
        part,
        np.column_stack([matrix, origin]),
        (target, target),
        flags=flags,
        borderMode=cv2.BORDER_REPLICATE if repeat_edge else cv2.BORDER_CONSTANT,
        borderValue=() if repeat_edge else _mean(part),
    )
    if copies > 1:
        result = cv2.resize(result, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(result, np.uint8)


def _surroundings(image: NDArray[np.uint8], square: Frame) -> tuple[NDArray[np.uint8], int, int]:
    """Return the part of the photo that a square needs, and the part's left and top."""
    height, width = image.shape[:2]
    turn = np.radians(square.angle)
    reach = square.side / 2 * (abs(np.cos(turn)) + abs(np.sin(turn))) + 3
    left = int(np.clip(np.floor(square.x - reach), 0, width - 1))
    top = int(np.clip(np.floor(square.y - reach), 0, height - 1))
    right = int(np.clip(np.ceil(square.x + reach), left + 1, width))
    bottom = int(np.clip(np.ceil(square.y + reach), top + 1, height))
    return np.ascontiguousarray(image[top:bottom, left:right]), left, top


def _mean(image: NDArray[np.uint8]) -> tuple[float, ...]:
    return tuple(cv2.mean(image)[: image.shape[2] if image.ndim == 3 else 1])
