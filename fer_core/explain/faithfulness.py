"""Can this heat map be trusted? Four measurements of one map, and a verdict in words.

- **Deletion and insertion** (Petsiuk et al. 2018, arXiv:1806.07421): blur the blocks of the face in the order of the
  map and watch the score fall; start from the blurred face, bring blocks back, and watch it rise. The area under each
  curve is compared with random orders of the same blocks: a map that does no better has not found what counts.
- **Stability**: the map of the mirrored face, mirrored back, and those of the face moved by one pixel, should agree.
- **Random weights** (Adebayo et al. 2018, arXiv:1810.03292): a map that looks the same when the weights are drawn anew
  shows the picture, not the network. On the fast path the dense layers are redrawn; the atlas also holds the control
  with the whole network redrawn, see :mod:`fer_core.explain.atlas`.
- **Grid**: how many cells the map has; three by three cannot tell a mouth from a nose.

Everything is computed from scores: a well-kept library with these metrics (Xplique) would bring TensorFlow with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import cv2
import numpy as np

from fer_core.explain.heatmap import DEAD, HeatMap
from fer_core.wording import percent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fer_core.explain.cam import Explainer
    from fer_core.explain.occlusion import Predict

BLOCKS: Final = 6
"""The face is taken away and brought back in so many blocks a side: 8 px of 48, the cells of a 6x6 map."""
STEP: Final = 3
"""Blocks a step."""
BLUR: Final = 6.0
"""Standard deviation of the blur that takes a block away, px of 48: no eye or mouth can be made out any more. A grey
patch instead would be an object of its own."""
ORDERS: Final = 20
"""Random orders that a map has to beat."""
CONTROLS: Final = 8
"""Redrawn heads of the random-weights control."""
SEED: Final = 2013

BEATS_SURE, BEATS_WEAK = 0.9, 0.6
"""Mean share of random orders that are beaten, over deletion and insertion: from the first on a map is faithful; below
the second it is no better than chance, which gives 0.5."""
STABLE_SURE, STABLE_WEAK = 0.8, 0.5
"""Lowest of the two correlations of stability."""
CONTROL_SURE, CONTROL_WEAK = 0.6, 0.85
"""Correlation with maps of redrawn weights: up to the first the map follows the weights, above the second it hardly
depends on them."""
GRID_SURE, GRID_WEAK = 6, 4
"""Cells along the shorter side."""

Level = Literal["trust", "weak", "do not trust"]
LEVELS: Final[tuple[Level, ...]] = get_args(Level)
"""The best first."""


@dataclass(frozen=True)
class Curves:
    """What taking away and bringing back does to the score.

    Attributes
    ----------
    fraction : ndarray of shape (K,), float64
        Share of the blocks taken away or brought back, 0 to 1.
    deletion, insertion : ndarray of shape (K,), float64
        The score along the map's order.
    random_deletion, random_insertion : ndarray of shape (R, K), float64
        The same for random orders.
    """

    fraction: NDArray[np.float64]
    deletion: NDArray[np.float64]
    insertion: NDArray[np.float64]
    random_deletion: NDArray[np.float64]
    random_insertion: NDArray[np.float64]

    @property
    def deletion_area(self) -> float:
        """Area under the deletion curve, in units of the score; small is good."""
        return float(np.trapezoid(self.deletion, self.fraction))

    @property
    def insertion_area(self) -> float:
        """Area under the insertion curve; large is good."""
        return float(np.trapezoid(self.insertion, self.fraction))

    @property
    def random_areas(self) -> tuple[float, float]:
        """Mean area of the random orders: of deletion, of insertion."""
        return (
            float(np.trapezoid(self.random_deletion, self.fraction, axis=1).mean()),
            float(np.trapezoid(self.random_insertion, self.fraction, axis=1).mean()),
        )

    @property
    def beats(self) -> float:
        """Share of the random orders that the map's order beats, mean of deletion and insertion, 0-1; ties are half."""
        deleted = np.trapezoid(self.random_deletion, self.fraction, axis=1) - self.deletion_area
        inserted = self.insertion_area - np.trapezoid(self.random_insertion, self.fraction, axis=1)
        return float(np.mean([_share_above(deleted), _share_above(inserted)]))


@dataclass(frozen=True)
class Evidence:
    """Everything a verdict rests on; a number that was not measured is None.

    Attributes
    ----------
    dead : bool
    grid : tuple of int
        Height and width of the map in cells.
    beats : float or None
        See :attr:`Curves.beats`.
    mirror, shift : float or None
        Correlation of the map with that of the mirrored face, and mean correlation with those of the face moved by one
        pixel.
    control : float or None
        Mean absolute correlation with maps of redrawn weights.
    """

    dead: bool
    grid: tuple[int, int]
    beats: float | None = None
    mirror: float | None = None
    shift: float | None = None
    control: float | None = None


@dataclass(frozen=True)
class Verdict:
    """How far a map can be trusted, and the sentences with the numbers this rests on, the gravest first."""

    level: Level
    reasons: tuple[str, ...]


def score(proba: NDArray[np.float32], direction: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return what the curves show of scores (N, 7), between 0 and 1, (N,) float64.

    For one class its score; for a contrast the share of the first class in the sum of both.
    """
    wanted: NDArray[np.float64] = proba[:, direction > 0].sum(axis=1, dtype=np.float64)
    if not (direction < 0).any():
        return wanted
    both = wanted + proba[:, direction < 0].sum(axis=1, dtype=np.float64)
    return np.asarray(np.divide(wanted, both, out=np.full_like(wanted, 0.5), where=both > 0))


def curves(
    face: NDArray[np.uint8],
    heat: HeatMap,
    direction: NDArray[np.float32],
    predict: Predict,
    *,
    orders: int = ORDERS,
    seed: int = SEED,
) -> Curves:
    """Return the deletion and insertion curves of a map beside those of random orders.

    Parameters
    ----------
    face : ndarray of shape (S, S), uint8
        S divisible by :data:`BLOCKS`.
    heat : HeatMap
    direction : ndarray of shape (7,), float32
    predict
        The model: faces (N, S, S) to scores (N, 7).
    orders, seed : int
        Random orders, and where they start.
    """
    rng = np.random.default_rng(seed)
    count = BLOCKS * BLOCKS
    own = np.argsort(-heat.resized(BLOCKS).ravel(), kind="stable")
    chosen = np.stack([own, *(rng.permutation(count) for _ in range(orders))])
    rank = np.argsort(chosen, axis=1)  # (R + 1, blocks): when each block's turn comes
    steps = np.arange(0, count + 1, STEP)
    taken = rank[:, np.newaxis, :] < steps[np.newaxis, :, np.newaxis]  # (R + 1, K, blocks)
    size = face.shape[0] // BLOCKS
    mask = taken.reshape(-1, BLOCKS, BLOCKS).repeat(size, axis=1).repeat(size, axis=2)
    blurred = cv2.GaussianBlur(face, (0, 0), BLUR, borderType=cv2.BORDER_REPLICATE)
    inner = slice(1, len(steps) - 1)  # the ends are the same for all orders: the face, and the blurred face
    at = np.arange(len(mask)).reshape(len(chosen), len(steps))[:, inner].ravel()
    pictures = np.concatenate(
        [np.where(mask[at], blurred, face), np.where(mask[at], face, blurred), face[np.newaxis], blurred[np.newaxis]]
    )
    values = score(predict(pictures.astype(np.uint8)), direction)
    shape = (len(chosen), len(steps) - 2)
    half = len(at)
    whole, gone = np.full((len(chosen), 1), values[-2]), np.full((len(chosen), 1), values[-1])
    deletion = np.hstack([whole, values[:half].reshape(shape), gone])
    insertion = np.hstack([gone, values[half : 2 * half].reshape(shape), whole])
    return Curves(steps / count, deletion[0], insertion[0], deletion[1:], insertion[1:])


def stability(
    face: NDArray[np.uint8], heat: HeatMap, explain: Callable[[NDArray[np.uint8]], Sequence[HeatMap]]
) -> tuple[float, float]:
    """Return how alike the map stays: correlation under mirroring, and mean correlation under shifts by one pixel.

    Parameters
    ----------
    face : ndarray of shape (S, S), uint8
    heat : HeatMap
        Its map.
    explain
        From faces (N, S, S) to their maps by the same method.
    """
    padded = np.pad(face, 1, mode="edge")
    side = face.shape[0]
    shifts = [padded[1 + dy : 1 + dy + side, 1 + dx : 1 + dx + side] for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0))]
    mirrored, *moved = explain(np.stack([face[:, ::-1], *shifts]))
    return correlation(heat.aligned().values, mirrored.aligned().values[:, ::-1]), float(
        np.mean([correlation(heat.values, other.values) for other in moved])
    )


def control(
    explainer: Explainer,
    maps: NDArray[np.float32],
    direction: NDArray[np.float32],
    heat: HeatMap,
    *,
    draws: int = CONTROLS,
    seed: int = SEED,
) -> float:
    """Return the mean absolute correlation of a Grad-CAM with those of heads whose kernels are drawn anew.

    Parameters
    ----------
    explainer : Explainer
    maps : ndarray of shape (h, w, C), float32
        Feature maps of the face.
    direction : ndarray of shape (7,), float32
    heat : HeatMap
        The Grad-CAM of the trained head.
    draws, seed : int
        How many heads, and where the draws start.
    """
    from fer_core.explain.cam import weigh

    found = []
    for draw in range(draws):
        head = explainer.head.randomised(np.random.default_rng([seed, draw]))
        other = weigh(maps[np.newaxis], head, direction, rectify=False)[0]
        found.append(likeness(heat.values, other, signed=heat.signed))
    return float(np.mean(found))


def likeness(own: NDArray[np.float32], redrawn: NDArray[np.float32], *, signed: bool = False) -> float:
    """Return the absolute correlation of a map with that of redrawn weights.

    Parameters
    ----------
    own : ndarray of shape (h, w), float32
        The map; at least 0 unless `signed`.
    redrawn : ndarray of shape (h, w), float32
        The map of redrawn weights, not rectified. Unless `signed`, what speaks for the direction in it is compared, or
        what speaks against it where nothing does: of weights drawn by chance either sign is as good, and a map that is
        zero everywhere would pass for one that looks different.
    """
    if not signed:
        redrawn = np.maximum(redrawn if redrawn.max() > DEAD else -redrawn, 0)
    return abs(correlation(own, redrawn))


def evidence(
    explainer: Explainer,
    face: NDArray[np.uint8],
    maps: NDArray[np.float32],
    direction: NDArray[np.float32],
    heat: HeatMap,
    *,
    orders: int = ORDERS,
) -> tuple[Evidence, Curves]:
    """Measure a Grad-CAM of the fast path: all of :class:`Evidence`, and the curves.

    Parameters
    ----------
    explainer : Explainer
    face : ndarray of shape (48, 48), uint8
    maps : ndarray of shape (h, w, C), float32
        Its feature maps.
    direction : ndarray of shape (7,), float32
    heat : HeatMap
        Its Grad-CAM.
    orders : int
        Random orders to compare with.
    """
    found = curves(face, heat, direction, explainer.classifier.predict_proba, orders=orders)
    mirror, shift = stability(
        face,
        heat,
        lambda faces: [
            explainer.heat_map(each, direction, signed=heat.signed) for each in explainer.classifier.maps(faces)
        ],
    )
    redrawn = control(explainer, maps, direction, heat)
    return Evidence(heat.dead, heat.grid, found.beats, mirror, shift, redrawn), found


def verdict(measured: Evidence) -> Verdict:
    """Return how far a map can be trusted. The worst of its measurements decides."""
    if measured.dead:
        return Verdict(
            "do not trust",
            ("The map is zero everywhere: the method found no evidence for this question, and says nothing.",),
        )
    findings: list[tuple[int, str]] = []

    def add(value: float, sure: float, weak: float, sentences: tuple[str, str, str]) -> None:
        """Note whether a value where more is better is good, weak or bad."""
        rank = 0 if value >= sure else 1 if value >= weak else 2
        findings.append((rank, sentences[rank]))

    if measured.beats is not None:
        share = f"{percent(measured.beats, 0)} of random orders beaten"
        add(
            measured.beats,
            BEATS_SURE,
            BEATS_WEAK,
            (
                f"Blurring what it marks changes the score more than chance: {share}.",
                f"Blurring what it marks changes the score only somewhat more than chance: {share}.",
                f"Blurring what it marks changes the score no more than blurring at random: {share} "
                f"(chance: {percent(0.5, 0)}).",
            ),
        )
    alike = [value for value in (measured.mirror, measured.shift) if value is not None]
    if alike:
        numbers = " and ".join(
            f"{value:.2f} {name}"
            for name, value in (("mirrored", measured.mirror), ("moved by a pixel", measured.shift))
            if value is not None
        )
        add(
            min(alike),
            STABLE_SURE,
            STABLE_WEAK,
            (
                f"It stays the same when the face is changed a little: correlation {numbers}.",
                f"It moves when the face is changed a little: correlation {numbers}.",
                f"It does not survive a small change of the face: correlation {numbers}.",
            ),
        )
    if measured.control is not None:
        add(
            -measured.control,
            -CONTROL_SURE,
            -CONTROL_WEAK,
            (
                f"It depends on what was learnt: correlation {measured.control:.2f} with maps of random weights.",
                f"Part of it would be there with random weights, too: correlation {measured.control:.2f}.",
                f"It looks much the same with random weights (correlation {measured.control:.2f}): it shows the "
                "picture, not the network.",
            ),
        )
    height, width = measured.grid
    add(
        min(height, width),
        GRID_SURE,
        GRID_WEAK,
        (
            f"Its grid of {height} × {width} cells can tell a mouth from an eye.",
            f"Its grid has {height} × {width} cells only: each covers a good part of the face.",
            f"Its grid has {height} × {width} cells: too coarse to tell a mouth from a nose.",
        ),
    )
    worst = max(rank for rank, _ in findings)
    return Verdict(LEVELS[worst], tuple(text for _, text in sorted(findings, key=lambda finding: -finding[0])))


def correlation(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Return Pearson's correlation of two maps of one shape; 0 where either is the same everywhere."""
    a, b = one.ravel().astype(np.float64), other.ravel().astype(np.float64)
    a, b = a - a.mean(), b - b.mean()
    length = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / length if length > 1e-12 else 0.0


def _share_above(differences: Any) -> float:
    return float(np.mean((differences > 0) + 0.5 * (differences == 0)))
