"""The cause ledger: of a class's test images that a model does not answer with their label, how many for which reason.

Such images are called *lost*, the others *found*. Four lines each test one explanation on every lost image, and say
which images they *claim*:

===============  =====================================================================================================
``class_share``  gets its label under logit adjustment for the class shares of ``Training`` (Menon et al. 2021), with
                 tau chosen on validation images at a price of at most :data:`PRICE` of accuracy
``labels``       most FER+ voters did not vote for the label
``framing``      gets its label if the scores are averaged over larger, looser, shifted and mirrored variants
``features``     a linear probe (Alain and Bengio 2016) on the network's features, trained on other images, puts it on
                 the side of the class that the lost images mostly go to
===============  =====================================================================================================

An image can be claimed by several lines. ``first`` gives it to the first of them in this order, so that the ``first``
counts and what is *unexplained* add up to the lost images; ``only`` counts what no other line claims and does not
depend on the order. A claim shows that an explanation *can* account for an image, not that it is the cause: beside each
line stands what it costs, or how often the same holds for found images. Two more lines are about the evaluation, not
about images: test images that stand in ``Training`` too, and labels and predictions paired in different orders.

A label is what FER2013 says of a picture, and a score is one for a label; neither says what a person feels.

``ledger.json`` in a model's folder, made by ``python -m fer_core explain ledger``, holds the ledgers of all classes. It
names no image, and counts claims neither by answer nor by combination of lines: beside the stored predictions, that
would tell of single images what FER+ voters said.

Only :func:`variants` imports OpenCV and only the features line imports scikit-learn, so that reading a stored ledger is
cheap.

References
----------
- A. K. Menon et al., "Long-tail learning via logit adjustment", ICLR 2021, arXiv:2007.07314.
- G. Alain and Y. Bengio, "Understanding intermediate layers using linear classifier probes", 2016, arXiv:1610.01644.
- E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927: the intervals.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from fer_core import confusion, whatif
from fer_core.confusion import Rate, rate
from fer_core.errors import FerError, ModelContractError
from fer_core.evaluation import bootstrap
from fer_core.evaluation.metrics import rounded
from fer_core.evaluation.predictions import Predictions
from fer_core.files import replacing
from fer_core.labels import EMOTIONS, N_CLASSES, index_of
from fer_core.registry import LEDGER_FILE, PREDICTIONS_FILE, ModelCard
from fer_core.whatif import WhatIf
from fer_core.wording import percent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fer_core.data.ferplus import Votes

    FloatArray = NDArray[np.float64]
    Mask = NDArray[np.bool_]
    Details = Mapping[str, float | None]

FORMAT: Final = 1

TITLES: Final = {
    "class_share": "Share of the class in Training",
    "labels": "Labels that most voters do not share",
    "framing": "Resolution and framing",
    "features": "Features that do not tell the classes apart",
}
"""The lines in their order: key -> title."""

CHECK_TITLES: Final = {
    "leaks": "Test images that stand in Training too",
    "pairing": "Labels and predictions paired in different orders",
}
"""The lines about the evaluation in their order: key -> title."""

PRICE: Final = 0.02
"""How much accuracy on validation tau may cost, as a share: two points in a hundred."""

AS_IS: Final = "as is"
AS_IS_TOLERANCE: Final = 0.02
"""How far scores of the face as it is may be from the stored ones; more means another model or another order."""

ZOOM_IN: Final = 1.15
ZOOM_OUT: Final = 0.87
SHIFT: Final = 2
"""Pixels by which a crop is moved, of 48."""

FOLDS: Final = 5
_INNER_FOLDS: Final = 3
PROBE_C: Final = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Inverse strengths of the probe's penalty; which, is chosen inside each training fold, since a probe that is too free
finds fewer images separable on others than the features allow."""

PERMUTATIONS: Final = 1_000
SEED: Final = bootstrap.SEED

_DIGITS: Final = 6  # of a decision: where all features are equal it is zero up to rounding, and says nothing


@dataclass(frozen=True)
class Rescored:
    """Scores of images under several variants of the same face.

    Parameters
    ----------
    variants : tuple of V str
        As :func:`variants` names them.
    images : ndarray of str, shape (N,)
        Image names, each once; in any order, and there may be more than are needed.
    proba : ndarray of float, shape (V, N, 7)
        Probabilities.

    Raises
    ------
    FerError
        If the shapes disagree, there is no variant, or a value is not a probability.
    """

    variants: tuple[str, ...]
    images: NDArray[np.str_]
    proba: NDArray[np.floating[Any]]

    def __post_init__(self) -> None:
        expected = (len(self.variants), len(self.images), N_CLASSES)
        if not self.variants or self.proba.shape != expected:
            raise FerError(
                f"Scores of variants need the shape {expected}, at least one variant; not {self.proba.shape}."
            )
        if len(set(self.variants)) != len(self.variants):
            raise FerError("A variant of the faces stands twice.")
        if self.proba.size and not (
            np.isfinite(self.proba).all() and 0 <= self.proba.min() <= self.proba.max() <= 1.001
        ):
            raise FerError("Scores of variants must be probabilities.")


@dataclass(frozen=True)
class Embedded:
    """Features of held-out images: the vector before the last dense layer.

    Parameters
    ----------
    images : ndarray of str, shape (M,)
        Image names, each once; in any order, and there may be more than are needed (see :func:`probe_images`).
    values : ndarray of float, shape (M, D)

    Raises
    ------
    FerError
        If the shapes disagree or a value is not finite.
    """

    images: NDArray[np.str_]
    values: NDArray[np.floating[Any]]

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or len(self.values) != len(self.images):
            raise FerError(f"There are {len(self.images)} images and features of shape {self.values.shape}.")
        if not np.isfinite(self.values).all():
            raise FerError("Some features are not finite.")


@dataclass(frozen=True)
class Inputs:
    """All that a ledger is computed from. What is not given makes a line that is not measured.

    Parameters
    ----------
    test : Predictions
        Of the whole test part (``select("all")``).
    validation : Predictions, optional
        Of the part ``val``, on which tau is chosen; its images also train the probe.
    leaked : collection of str, optional
        Names of test images whose pixels stand in ``Training`` too (:func:`fer_core.data.tables.leaked`).
    votes : Votes, optional
        Of FER+.
    rescored : Rescored, optional
        Of all test images of the class.
    embedded : Embedded, optional
        Of the images that :func:`probe_images` names.
    repeated : mapping of str to str
        Image name -> group of images with equal pixels (table ``repeated``). A group stays on one side of a fold.

    Raises
    ------
    FerError
        If there is a validation image among the test images or the other way round.
    """

    test: Predictions
    validation: Predictions | None = None
    leaked: Collection[str] | None = None
    votes: Votes | None = None
    rescored: Rescored | None = None
    embedded: Embedded | None = None
    repeated: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.test.split == "val").any():
            raise FerError("There are validation images among the test images of a ledger.")
        if self.validation is not None and (self.validation.split != "val").any():
            raise FerError("There are test images among the validation images of a ledger.")


@dataclass(frozen=True)
class Price:
    """What else changes: ``value`` in ``unit``, and in words."""

    value: float | None
    unit: str
    words: str


@dataclass(frozen=True)
class Line:
    """One explanation, tried on every lost image.

    Attributes
    ----------
    key, title : str
        See :data:`TITLES`.
    rate : Rate or None
        Images that the line claims, of the lost ones it could be measured on, with Wilson's 95 % interval. None if it
        was not measured; then `sentence` says what is missing.
    first : int
        Lost images that no earlier line claims.
    only : int
        Lost images that no other line claims.
    price : Price or None
    sentence : str
    details : mapping of str to float or None
        Further numbers, rounded to six digits; None where one is undefined.
    """

    key: str
    title: str
    rate: Rate | None
    first: int
    only: int
    price: Price | None
    sentence: str
    details: Details

    @property
    def measured(self) -> bool:
        """Whether the line could be measured."""
        return self.rate is not None


@dataclass(frozen=True)
class Check:
    """What the evaluation itself adds to a recall or takes from it; never part of the sum.

    Attributes
    ----------
    key, title : str
        See :data:`CHECK_TITLES`.
    recall, other : float or None
        Share of the class's test images that are found, 0-1: as measured, and without leaked images or with labels in
        another order. None where undefined or not measured.
    difference, low, high : float or None
        ``recall - other`` with its 95 % interval, -1 to 1.
    sentence : str
    details : mapping of str to float or None
    """

    key: str
    title: str
    recall: float | None
    other: float | None
    difference: float | None
    low: float | None
    high: float | None
    sentence: str
    details: Details


@dataclass(frozen=True)
class Ledger:
    """The ledger of one class and one model; consistent when made.

    Attributes
    ----------
    klass : int
    answers : tuple of 7 int
        Test images of the class by the answer they get.
    lines : tuple of 4 Line
    evaluation : tuple of 2 Check
    left : int
        Lost images that no line claims.

    Raises
    ------
    FerError
        If counts contradict each other.
    """

    klass: int
    answers: tuple[int, ...]
    lines: tuple[Line, ...]
    evaluation: tuple[Check, ...]
    left: int

    def __post_init__(self) -> None:
        _check(self)

    @property
    def total(self) -> int:
        """Test images of the class."""
        return sum(self.answers)

    @property
    def found(self) -> int:
        """Test images of the class that are answered with their label."""
        return self.answers[self.klass]

    @property
    def lost(self) -> Rate:
        """Test images of the class that are not, of all of them."""
        return rate(self.total - self.found, self.total)

    @property
    def unexplained(self) -> Rate:
        """Lost images that no line claims, of the lost ones."""
        return rate(self.left, self.lost.count)

    def line(self, key: str) -> Line:
        """Return the line of a key of :data:`TITLES`."""
        return self.lines[list(TITLES).index(key)]

    def check(self, key: str) -> Check:
        """Return the line about the evaluation of a key of :data:`CHECK_TITLES`."""
        return self.evaluation[list(CHECK_TITLES).index(key)]

    @property
    def summary(self) -> str:
        """How many images are lost and where they go, as a sentence."""
        name = EMOTIONS[self.klass]
        if self.total == 0:
            return f"There is no test image labelled {name}."
        if not self.lost.count:
            return f"Every test image labelled {name} ({self.total}) is answered {name}: none is lost."
        lost = self.lost
        goes = [k for k in range(N_CLASSES) if k != self.klass and self.answers[k]]
        where = ", ".join(f"{self.answers[k]} {EMOTIONS[k]}" for k in sorted(goes, key=lambda k: -self.answers[k]))
        return (
            f"Of {_images(self.total, 'test image')} labelled {name}, {self.found} {_are(self.found)} answered {name}; "
            f"{lost.count} {_are(lost.count)} lost ({percent(lost.value)}, {lost.interval}), answered: {where}."
        )

    @property
    def remainder(self) -> str:
        """What no line claims, as a sentence; empty if nothing is lost."""
        if not self.lost.count:
            return ""
        left = self.unexplained
        missing = [line.title for line in self.lines if not line.measured]
        return (
            f"{left.count} of {_images(left.n, 'lost image')} {_are(left.count)} unexplained ({percent(left.value)}, "
            f"{left.interval})." + (f" Not measured: {'; '.join(missing)}." if missing else "")
        )

    def to_json(self) -> dict[str, Any]:
        """Return the ledger as what ``json.dump`` writes; numbers that follow from others stand in it too."""
        return {
            "class": EMOTIONS[self.klass],
            "total": self.total,
            "found": self.found,
            "lost": _rate_to_json(self.lost),
            "answers": dict(zip(EMOTIONS, self.answers, strict=True)),
            "summary": self.summary,
            "lines": [
                {
                    "key": line.key,
                    "title": line.title,
                    "rate": None if line.rate is None else _rate_to_json(line.rate),
                    "first": line.first,
                    "only": line.only,
                    "price": None if line.price is None else dict(vars(line.price)),
                    "sentence": line.sentence,
                    "details": dict(line.details),
                }
                for line in self.lines
            ],
            "unexplained": _rate_to_json(self.unexplained),
            "remainder": self.remainder,
            "evaluation": [{**vars(check), "details": dict(check.details)} for check in self.evaluation],
        }

    @classmethod
    def from_json(cls, data: object) -> Ledger:
        """Read what :meth:`to_json` returned.

        Raises
        ------
        FerError
            If a field is missing, unknown or of another type, or the numbers contradict each other.
        """
        try:
            ledger = _parse(data)
            # Whatever follows from the rest is computed again: nothing in the file can contradict it unnoticed.
            if ledger.to_json() != data:
                raise ValueError("numbers that follow from others are not those")
        except (KeyError, TypeError, ValueError, AttributeError, FerError) as error:
            raise FerError(f"This is not a cause ledger, or it is damaged: {error}.") from error
        return ledger


class _Finding(NamedTuple):
    """A line before lines are compared: which lost images it claims (None if not measured), and on how many."""

    claimed: Mask | None
    measured_on: int
    price: Price | None
    sentence: str
    details: dict[str, float | None]


@dataclass(frozen=True)
class _Case:
    """The class's test images in the order of the predictions; arrays of shape (K,)."""

    klass: int
    names: NDArray[np.str_]
    proba: NDArray[np.float32]
    answers: NDArray[np.int64]

    @property
    def name(self) -> str:
        return EMOTIONS[self.klass]

    @property
    def lost(self) -> Mask:
        return np.asarray(self.answers != self.klass)

    @property
    def n_lost(self) -> int:
        return int(self.lost.sum())

    @property
    def n_found(self) -> int:
        return len(self.answers) - self.n_lost


def ledger(inputs: Inputs, klass: int = index_of("disgust")) -> Ledger:
    """Return the cause ledger of one class.

    Parameters
    ----------
    inputs : Inputs
    klass : int
        0-6, in the order of ``EMOTIONS``.

    Raises
    ------
    FerError
        If the class is not one of the seven, an image of `inputs` is not among those it needs, or scores of the face as
        it is are not the stored ones.
    """
    # Folds and resamples follow the order of the rows: sorted, a ledger is the same whatever order they came in.
    validation = None if inputs.validation is None else _sorted(inputs.validation)
    inputs = replace(inputs, test=_sorted(inputs.test), validation=validation)
    case = _case(inputs.test, klass)
    findings = {
        "class_share": _class_share(inputs, case),
        "labels": _labels(inputs, case),
        "framing": _framing(inputs, case),
        "features": _features(inputs, case),
    }
    nothing = np.zeros(len(case.names), dtype=np.bool_)
    claims = np.array([nothing if found.claimed is None else found.claimed for found in findings.values()])
    so_far, in_all = claims.cumsum(axis=0), claims.sum(axis=0)  # how many lines claim each image
    lines = []
    for (key, found), mine, up_to_here in zip(findings.items(), claims, so_far, strict=True):
        lines.append(
            Line(
                key=key,
                title=TITLES[key],
                rate=None if found.claimed is None else rate(int(mine.sum()), found.measured_on),
                first=int((mine & (up_to_here == 1)).sum()),
                only=int((mine & (in_all == 1)).sum()),
                price=found.price,
                sentence=found.sentence,
                details={name: None if value is None else rounded(value) for name, value in found.details.items()},
            )
        )
    answers = tuple(int(count) for count in np.bincount(case.answers, minlength=N_CLASSES))
    left = int((case.lost & (in_all == 0)).sum())
    return Ledger(klass, answers, tuple(lines), (_leaks(inputs, case), _pairing(inputs, case)), left)


def class_images(test: Predictions, klass: int) -> NDArray[np.str_]:
    """Return the names of the class's test images: those that :class:`Rescored` needs."""
    return _case(test, klass).names


def destination(test: Predictions, klass: int) -> int | None:
    """Return the answer that lost images of the class get most often (of equals the first); None if none is lost."""
    case = _case(test, klass)
    if case.n_lost == 0:
        return None
    counts = whatif.confusion(test.labels, test.predicted)
    return confusion.destination("", counts, klass).leaders[0]


def probe_images(test: Predictions, validation: Predictions | None, klass: int) -> NDArray[np.str_]:
    """Return the names of the held-out images that :class:`Embedded` needs; none if nothing is lost."""
    other = destination(test, klass)
    if other is None:
        return np.array([], dtype=np.str_)
    return _held_out(test, validation, (klass, other))[0]


def variants(faces: NDArray[np.uint8]) -> dict[str, NDArray[np.uint8]]:
    """Return the variants of faces whose scores are averaged: larger, looser, shifted and mirrored crops.

    Parameters
    ----------
    faces : ndarray of uint8, shape (N, 48, 48)
        Grey, 0-255.

    Returns
    -------
    dict of str to ndarray of uint8, shape (N, 48, 48)
        ``"as is"``; ``"larger"`` and ``"looser"``, enlarged 1.15 and 0.87 times about the middle; ``"left"``,
        ``"right"``, ``"up"`` and ``"down"``, the face moved by 2 px; ``"mirror"``. What lies outside of the picture
        repeats its outermost pixels.

    Raises
    ------
    ValueError
        If `faces` is not an array of that shape and type.
    """
    import cv2

    from fer_core.faces import SIDE
    from fer_core.preprocessing import check_faces

    check_faces(faces)
    if faces.shape[1:] != (SIDE, SIDE):
        raise ValueError(f"Faces must be {SIDE} x {SIDE} px, not {faces.shape[2]} x {faces.shape[1]}.")
    middle = (SIDE - 1) / 2

    def scaled(x: float, y: float) -> tuple[float, ...]:
        return (x, 0, middle * (1 - x), 0, y, middle * (1 - y))

    def moved(x: float, y: float) -> tuple[float, ...]:
        return (1, 0, x, 0, 1, y)

    ways = {
        AS_IS: moved(0, 0),
        "larger": scaled(ZOOM_IN, ZOOM_IN),
        "looser": scaled(ZOOM_OUT, ZOOM_OUT),
        "left": moved(-SHIFT, 0),
        "right": moved(SHIFT, 0),
        "up": moved(0, -SHIFT),
        "down": moved(0, SHIFT),
        "mirror": scaled(-1, 1),
    }
    result = {}
    for name, matrix in ways.items():
        made = np.empty_like(faces)
        for face, target in zip(faces, made, strict=True):
            target[:] = cv2.warpAffine(
                face,
                np.array(matrix, dtype=np.float64).reshape(2, 3),
                (SIDE, SIDE),
                flags=cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )
        result[name] = made
    return result


def write(path: Path, ledgers: Sequence[Ledger], predictions: str) -> None:
    """Write the ledgers of a model, at most one a class; equal ledgers give equal bytes.

    The file is written beside its place and moved there, so that a killed run leaves the old file or the new one.

    Parameters
    ----------
    path : Path
    ledgers : sequence of Ledger
    predictions : str
        sha256 of the ``predictions.parquet`` they were made from.

    Raises
    ------
    FerError
        If a class stands twice, or the file cannot be written.
    """
    ordered = sorted(ledgers, key=lambda one: one.klass)
    if len({one.klass for one in ordered}) != len(ordered):
        raise FerError("There are two ledgers of one class.")
    content = {"format": FORMAT, "predictions": predictions, "ledgers": [one.to_json() for one in ordered]}
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        with replacing(path) as aside:
            aside.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise FerError(f"{path} cannot be written ({error.strerror}).") from error


def read_ledgers(card: ModelCard) -> dict[int, Ledger] | None:
    """Return the ledgers of a model by class; None if it comes without them.

    Raises
    ------
    ModelContractError
        If the file is damaged, or was made from other predictions than those in the folder.
    """
    if LEDGER_FILE not in card.files:
        return None
    card.verify(LEDGER_FILE)
    again = f"Make it again: python -m fer_core explain ledger {card.id}."
    try:
        ledgers, predictions = read(card.path(LEDGER_FILE))
    except FerError as error:
        raise ModelContractError(f"The {LEDGER_FILE} of “{card.id}” cannot be used: {error} {again}") from error
    if PREDICTIONS_FILE not in card.files or predictions != card.files[PREDICTIONS_FILE]["sha256"]:
        raise ModelContractError(f"The {LEDGER_FILE} of “{card.id}” was made from other predictions. {again}")
    return ledgers


def read(path: Path) -> tuple[dict[int, Ledger], str]:
    """Return stored ledgers by class, and the sha256 of the predictions they were made from.

    Raises
    ------
    FerError
        If the file is missing, damaged, of another format, or holds numbers that contradict each other.
    """
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise FerError(f"{path.name} cannot be read ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:  # JSON and text decoding errors are ValueErrors
        raise FerError(f"{path.name} is not valid JSON.") from error
    if not isinstance(content, dict):
        raise FerError(f"{path.name} does not hold cause ledgers.")
    if content.get("format") != FORMAT:
        raise FerError(f"{path.name} has the format {content.get('format')!r}; this version reads {FORMAT}.")
    if (
        set(content) != {"format", "predictions", "ledgers"}
        or not isinstance(content["predictions"], str)
        or not isinstance(content["ledgers"], list)
    ):
        raise FerError(f"{path.name} does not hold cause ledgers.")
    result: dict[int, Ledger] = {}
    for entry in content["ledgers"]:
        one = Ledger.from_json(entry)
        if one.klass in result:
            raise FerError(f"{path.name} has two ledgers of {EMOTIONS[one.klass]}.")
        result[one.klass] = one
    return result, content["predictions"]


# ---------------------------------------------------------------------------------------------------------------------
# The lines


def _class_share(inputs: Inputs, case: _Case) -> _Finding:
    if case.n_lost == 0:
        return _nothing_lost(case)
    validation = inputs.validation
    of_class = 0 if validation is None else int((validation.labels == case.klass).sum())
    if validation is None or of_class == 0:
        return _not_measured(f"there are no predictions for validation images labelled {case.name}")
    tau = whatif.rescue(validation.labels, validation.proba, case.klass, PRICE)
    setting = WhatIf(tau=tau)
    test = inputs.test
    before = test.predicted
    after = whatif.decide(whatif.adjust(test.proba, setting), setting)
    mine = test.labels == case.klass
    gets = after[mine] == case.klass
    claimed = case.lost & gets
    again = int((~case.lost & ~gets).sum())
    false_before = int((before[~mine] == case.klass).sum())
    false_after = int((after[~mine] == case.klass).sum())
    change = (after == test.labels).astype(np.float64) - (before == test.labels)
    features = np.column_stack([change, np.ones(len(change))])
    points = bootstrap.estimate(features, {"change": lambda sums: 100 * sums[:, 0] / sums[:, 1]})["change"]
    details: dict[str, float | None] = {
        "tau": tau,
        "validation": len(validation),
        "validation_of_class": of_class,
        "accuracy": float((before == test.labels).mean()),
        "accuracy_adjusted": float((after == test.labels).mean()),
        "points": float(points.value),
        "points_low": float(points.low),
        "points_high": float(points.high),
        "false_answers": false_before,
        "false_answers_adjusted": false_after,
        "found_lost": again,
    }
    chosen = f"chosen on {len(validation):,} validation images, {of_class} of them labelled {case.name}"
    if tau == 0:
        sentence = (
            f"None of {_images(case.n_lost, 'lost image')} is recovered: no logit adjustment buys more recall of "
            f"{case.name} for {PRICE * 100:g} points of accuracy ({chosen})."
        )
        return _Finding(claimed, case.n_lost, Price(0.0, "points of accuracy", "nothing changes."), sentence, details)
    words = (
        f"accuracy on the test images changes by {_signed(float(points.value))} points "
        f"({_signed(float(points.low))} to {_signed(float(points.high))}); of the images "
        f"with other labels, {false_after:,} {_are(false_after)} answered {case.name} and not {false_before:,} "
        f"({_signed(false_after - false_before, 0)})"
        + (f"; {again} of {case.n_found} found images are lost." if again else ".")
    )
    recovered = int(claimed.sum())
    sentence = (
        f"{recovered} of {_images(case.n_lost, 'lost image')} {_get(recovered)} the label {case.name} "
        f"under logit adjustment with τ = {tau:.1f}, {chosen}."
    )
    price = Price(rounded(float(points.value)), "points of accuracy", words)
    return _Finding(claimed, case.n_lost, price, sentence, details)


def _labels(inputs: Inputs, case: _Case) -> _Finding:
    if case.n_lost == 0:
        return _nothing_lost(case)
    if inputs.votes is None:
        return _not_measured("there are no FER+ votes")
    from fer_core.data.ferplus import SEVEN
    from fer_core.evaluation import agreement

    counts, known = inputs.votes.of(case.names.tolist())
    voted = case.lost & known
    n, without = int(voted.sum()), int((case.lost & ~known).sum())
    if n == 0:
        return _not_measured("FER+ has votes for none of the lost images")
    leading = agreement.majority(counts)
    differs = known & (leading != case.klass)
    claimed = case.lost & differs
    as_model = int((claimed & (leading == case.answers)).sum())
    ties = int((claimed & (counts[:, SEVEN[case.klass]] == counts.max(axis=1))).sum())
    found = ~case.lost & known
    found_too, n_found = int((found & differs).sum()), int(found.sum())
    sentence = (
        f"For {int(claimed.sum())} of {_images(n, 'lost image')} with FER+ votes, most voters did not vote "
        f"{case.name}; for {as_model} of these the majority voted what the model answers."
        + (f" For {ties}, {case.name} got as many votes as the majority's answer." if ties else "")
        + (f" {_images(without, 'lost image')} without votes {_are(without)} not counted." if without else "")
    )
    words = (
        f"the same holds for {found_too} of {n_found} found images with votes."
        if n_found
        else "there is no found image to compare with."
    )
    details: dict[str, float | None] = {
        "without_votes": without,
        "majority_is_answer": as_model,
        "no_class": int((claimed & (leading == agreement.NO_CLASS)).sum()),
        "ties": ties,
        "found": n_found,
        "found_too": found_too,
    }
    return _Finding(claimed, n, Price(found_too, "found images of which it holds too", words), sentence, details)


def _framing(inputs: Inputs, case: _Case) -> _Finding:
    if case.n_lost == 0:
        return _nothing_lost(case)
    if inputs.rescored is None:
        return _not_measured("the faces were not scored in other framings, which needs FER2013")
    names = inputs.rescored.variants
    proba = inputs.rescored.proba[:, _rows(inputs.rescored.images, case.names, "scores of variants")].astype(np.float64)
    if AS_IS in names:
        error = float(np.abs(proba[names.index(AS_IS)] - case.proba).max())
        if error > AS_IS_TOLERANCE:
            raise FerError(
                f"Scores of the faces as they are differ from the stored ones by up to {error:.2f}: they are of "
                "another model, or of images in another order."
            )
    gets = proba.mean(axis=0).argmax(axis=1) == case.klass
    claimed = case.lost & gets
    recovered, again = int(claimed.sum()), int((~case.lost & ~gets).sum())
    details: dict[str, float | None] = {"variants": len(names), "found_lost": again, "net": recovered - again}
    for name, answers in zip(names, proba.argmax(axis=2), strict=True):
        details[f"alone: {name}"] = int((case.lost & (answers == case.klass)).sum())
    sentence = (
        f"{recovered} of {_images(case.n_lost, 'lost image')} {_get(recovered)} the label {case.name} if the scores "
        f"are averaged over {len(names)} variants of the face ({', '.join(names)})."
    )
    words = (
        f"{again} of {_images(case.n_found, 'found image')} {_are(again)} lost by the same averaging; "
        f"{_signed(recovered - again, 0)} in all."
        if case.n_found
        else "there is no found image to lose."
    )
    return _Finding(claimed, case.n_lost, Price(again, "found images lost", words), sentence, details)


def _features(inputs: Inputs, case: _Case) -> _Finding:
    if case.n_lost == 0:
        return _nothing_lost(case)
    other = destination(inputs.test, case.klass)
    if inputs.embedded is None or other is None:
        return _not_measured("the network's features of the held-out images are not given")
    names, labels = _held_out(inputs.test, inputs.validation, (case.klass, other))
    mine = labels == case.klass
    values = inputs.embedded.values[_rows(inputs.embedded.images, names, "features")]
    groups = np.array(
        [f"group {inputs.repeated[name]}" if name in inputs.repeated else name for name in names.tolist()]
    )
    probe = _probe(values, mine, groups)
    if probe is None:
        return _not_measured(
            f"{_images(int(mine.sum()), 'held-out image')} labelled {case.name} and {int((~mine).sum())} labelled "
            f"{EMOTIONS[other]} are too few for {FOLDS} folds"
        )
    decisions, auc = probe
    away = decisions <= 0  # a decision of zero says nothing for the class
    of_case = away[_rows(names, case.names, "features")]
    claimed = case.lost & of_case
    n, found_too = int(claimed.sum()), int((~case.lost & of_case).sum())
    to_other = case.answers == other
    others, crossing = int((~mine).sum()), int((~away & ~mine).sum())
    balanced = float(((~away & mine).sum() / mine.sum() + (away & ~mine).sum() / others) / 2)
    details: dict[str, float | None] = {
        "other_class": other,
        "held_out": int(mine.sum()),
        "held_out_other": others,
        "auc": auc,
        "balanced_accuracy": balanced,
        "other_on_this_side": crossing,
        "found_on_other_side": found_too,
        "lost_to_other": int(to_other.sum()),
        "lost_to_other_on_other_side": int((to_other & claimed).sum()),
    }
    sentence = (
        f"{n} of {_images(case.n_lost, 'lost image')} {_are(n)} not separable by a linear probe: trained on the "
        f"features of other held-out images, it puts {_them(n)} on the side of {EMOTIONS[other]}, the most frequent "
        "answer to lost images."
    )
    words = (
        f"the probe also puts {crossing} of {_images(others, 'image')} labelled {EMOTIONS[other]} on the side of "
        f"{case.name}, and {found_too} of {_images(case.n_found, 'found image')} on that of {EMOTIONS[other]}; out of "
        f"fold its AUC is {auc:.2f} and its balanced accuracy {percent(balanced)}."
    )
    price = Price(rounded(crossing / others), f"share of {EMOTIONS[other]} on the side of {case.name}", words)
    return _Finding(claimed, case.n_lost, price, sentence, details)


def _probe(values: NDArray[np.floating[Any]], mine: Mask, groups: NDArray[np.str_]) -> tuple[FloatArray, float] | None:
    """Return the out-of-fold decision for each image, (M,), above 0 for the class, and the mean AUC of the folds.

    None if there are too few images for the folds.

    Notes
    -----
    With many features and few images of the class, those left out of a fold fall on the other side more often than
    images of the other class do, in spite of equal class weights. So the line is an upper bound of what the features
    do not hold, and stands beside the share of found images on the other side, which the same bias makes larger.
    """
    if min(int(mine.sum()), int((~mine).sum())) < FOLDS:
        return None
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, StratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features, truth = values.astype(np.float64), mine.astype(np.int64)
    decisions = np.zeros(len(truth))
    areas = []
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=SEED)
    for train, held in folds.split(features, truth, groups):
        fewest = int(np.bincount(truth[train], minlength=2).min())
        if fewest < 2:
            return None
        search = GridSearchCV(
            make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=2_000)),
            {"logisticregression__C": list(PROBE_C)},
            scoring="balanced_accuracy",  # what is reported is the side an image falls on, not its rank
            cv=StratifiedKFold(min(_INNER_FOLDS, fewest), shuffle=True, random_state=SEED),
        )
        search.fit(features[train], truth[train])
        decisions[held] = np.round(search.decision_function(features[held]), _DIGITS)
        if 0 < truth[held].sum() < len(held):
            areas.append(float(roc_auc_score(truth[held], decisions[held])))
    return decisions, float(np.mean(areas)) if areas else float("nan")


# ---------------------------------------------------------------------------------------------------------------------
# The evaluation


def _leaks(inputs: Inputs, case: _Case) -> Check:
    key = "leaks"
    if len(case.names) == 0:
        return _unchecked(key, f"There is no test image labelled {case.name}.")
    recall = case.n_found / len(case.names)
    if inputs.leaked is None:
        return _unchecked(key, "Not measured: the list of test images that stand in Training is not given.", recall)
    leaked = np.isin(case.names, np.array(sorted(inputs.leaked), dtype=np.str_))
    hits = (~case.lost).astype(np.float64)
    n, n_leaked = len(hits), int(leaked.sum())
    details: dict[str, float | None] = {"images": n, "leaked": n_leaked, "leaked_found": int(hits[leaked].sum())}
    if n_leaked == 0:
        sentence = f"No test image labelled {case.name} stands in Training, so that leaks add nothing to its recall."
        return _checked(key, recall, recall, (0.0, 0.0, 0.0), sentence, details)
    if n_leaked == n:
        return _unchecked(key, f"All {n} test images labelled {case.name} stand in Training.", recall, details)
    features = np.column_stack([hits, np.ones(n), hits * ~leaked, ~leaked])

    def difference(sums: FloatArray) -> FloatArray:
        clean = np.divide(sums[:, 2], sums[:, 3], out=np.full(len(sums), np.nan), where=sums[:, 3] > 0)
        return np.asarray(sums[:, 0] / sums[:, 1] - clean)

    result = bootstrap.estimate(features, {"difference": difference})["difference"]
    clean = float(hits[~leaked].mean())
    sentence = (
        f"{n_leaked} of {n} test images labelled {case.name} stand in Training too. Recall is {percent(recall)} with "
        f"them and {percent(clean)} without: a difference of {_points(result.value)} points ({_points(result.low)} to "
        f"{_points(result.high)})."
    )
    bounds = (float(result.value), float(result.low), float(result.high))
    return _checked(key, recall, clean, bounds, sentence, details)


def _pairing(inputs: Inputs, case: _Case) -> Check:
    key = "pairing"
    if len(case.names) == 0:
        return _unchecked(key, f"There is no test image labelled {case.name}.")
    from fer_core.evaluation.forensics import shuffled

    labels, is_answer = inputs.test.labels, inputs.test.predicted == case.klass
    recall, share = case.n_found / len(case.names), float(is_answer.mean())
    shown = [float(is_answer[shuffled(labels, seed=seed) == case.klass].mean()) for seed in range(PERMUTATIONS)]
    low, high = bootstrap.percentile_interval(recall - np.array(shown))
    sentence = (
        f"With labels and predictions in different orders, recall of {case.name} would be shown as {percent(share)}, "
        f"the share of that answer among all, whatever the model can do; rightly paired it is {percent(recall)}. The "
        f"order alone would change it by {_points(share - recall)} points (95 % of orders: {_points(-float(high))} to "
        f"{_points(-float(low))})."
    )
    details: dict[str, float | None] = {"answers": int(is_answer.sum()), "images": len(labels)}
    return _checked(key, recall, share, (recall - share, float(low), float(high)), sentence, details)


def _checked(
    key: str,
    recall: float,
    other: float,
    difference: tuple[float, float, float],
    sentence: str,
    details: dict[str, float | None],
) -> Check:
    """Return a check with its difference, low and high rounded for JSON."""
    value, low, high = (rounded(number) for number in difference)
    return Check(key, CHECK_TITLES[key], rounded(recall), rounded(other), value, low, high, sentence, details)


def _unchecked(
    key: str, sentence: str, recall: float | None = None, details: dict[str, float | None] | None = None
) -> Check:
    known = None if recall is None else rounded(recall)
    return Check(key, CHECK_TITLES[key], known, None, None, None, None, sentence, details or {})


# ---------------------------------------------------------------------------------------------------------------------
# Images and words


def _case(test: Predictions, klass: int) -> _Case:
    if not 0 <= klass < N_CLASSES:
        raise FerError(f"Classes are 0 to {N_CLASSES - 1}; there is no class {klass}.")
    mine = test.labels == klass
    return _Case(klass, test.names[mine], test.proba[mine], test.predicted[mine])


def _sorted(predictions: Predictions) -> Predictions:
    return predictions.take(np.argsort(predictions.names))


def _held_out(
    test: Predictions, validation: Predictions | None, classes: tuple[int, ...]
) -> tuple[NDArray[np.str_], NDArray[np.int64]]:
    """Return names and labels of the held-out images of some classes, validation first."""
    parts = [test] if validation is None else [validation, test]
    names = np.concatenate([part.names for part in parts])
    labels = np.concatenate([part.labels for part in parts])
    keep = np.isin(labels, classes)
    return names[keep], labels[keep]


def _rows(images: NDArray[np.str_], wanted: NDArray[np.str_], what: str) -> NDArray[np.int64]:
    """Return where the wanted images stand: rows are paired by name, never by order."""
    position = {name: row for row, name in enumerate(images.tolist())}
    if len(position) != len(images):
        raise FerError(f"An image stands twice among the {what}.")
    missing = [name for name in wanted.tolist() if name not in position]
    if missing:
        raise FerError(f"{len(missing)} of {len(wanted)} images have no {what}: {missing[0]} and others.")
    return np.array([position[name] for name in wanted.tolist()], dtype=np.int64)


def _nothing_lost(case: _Case) -> _Finding:
    nothing = np.zeros(len(case.names), dtype=np.bool_)
    there = (
        f"No test image labelled {case.name} is lost"
        if len(nothing)
        else f"There is no test image labelled {case.name}"
    )
    return _Finding(nothing, 0, None, f"{there}; there is nothing to explain.", {})


def _not_measured(why: str) -> _Finding:
    return _Finding(None, 0, None, f"Not measured: {why}.", {})


def _images(n: int, what: str) -> str:
    return f"{n:,} {what}" + ("" if n == 1 else "s")


def _are(n: int) -> str:
    return "is" if n == 1 else "are"


def _get(n: int) -> str:
    return "gets" if n == 1 else "get"


def _them(n: int) -> str:
    return "it" if n == 1 else "them"


def _signed(value: float, digits: int = 1) -> str:
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")  # neither "+0.0" nor "-0.0": zero has no sign


def _points(share: FloatArray | float) -> str:
    return _signed(float(share) * 100)


# ---------------------------------------------------------------------------------------------------------------------
# Storing


def _check(ledger: Ledger) -> None:
    if not 0 <= ledger.klass < N_CLASSES or len(ledger.answers) != N_CLASSES or min(ledger.answers) < 0:
        raise FerError("a ledger needs a class and seven counts of answers")
    if [line.key for line in ledger.lines] != list(TITLES):
        raise FerError(f"the lines of a ledger are {', '.join(TITLES)}, in this order")
    if [check.key for check in ledger.evaluation] != list(CHECK_TITLES):
        raise FerError(f"the lines about the evaluation are {', '.join(CHECK_TITLES)}, in this order")
    if sum(line.first for line in ledger.lines) + ledger.left != ledger.lost.count or ledger.left < 0:
        raise FerError("the lost images are not those that a line is the first to claim, and those that none claims")
    counts = [0 if line.rate is None else line.rate.count for line in ledger.lines]
    for line, count in zip(ledger.lines, counts, strict=True):
        if not 0 <= line.only <= line.first <= count:
            raise FerError(f"{line.key} alone claims more images than it is the first to claim, or claims fewer in all")
        if line.rate is not None and not count <= line.rate.n <= ledger.lost.count:
            raise FerError(f"{line.key} is measured on more images than are lost, or on fewer than it claims")
    # An image that several lines claim is shared by the first of them, and claimed again by each later one.
    shared = [line.first - line.only for line in ledger.lines]
    again = [count - line.first for line, count in zip(ledger.lines, counts, strict=True)]
    for k, line in enumerate(ledger.lines):
        if again[k] > sum(shared[:k]):
            raise FerError(f"{line.key} claims more images again than earlier lines share")
        if sum(shared[k:]) > sum(again[k + 1 :]):
            raise FerError(f"{line.key} and later lines share more images than are claimed again")


def _rate_to_json(one: Rate) -> dict[str, float | None]:
    return {
        "count": one.count,
        "n": one.n,
        "value": rounded(one.value),
        "low": rounded(one.low),
        "high": rounded(one.high),
    }


def _parse(data: Any) -> Ledger:
    """Build a ledger from JSON; the caller compares the result with all that stands there."""
    return Ledger(
        klass=index_of(data["class"]),
        answers=tuple(_whole(data["answers"][emotion]) for emotion in EMOTIONS),
        lines=tuple(
            Line(
                key=_text(line["key"]),
                title=_text(line["title"]),
                rate=None if line["rate"] is None else rate(_whole(line["rate"]["count"]), _whole(line["rate"]["n"])),
                first=_whole(line["first"]),
                only=_whole(line["only"]),
                price=None
                if line["price"] is None
                else Price(
                    _number(line["price"]["value"]), _text(line["price"]["unit"]), _text(line["price"]["words"])
                ),
                sentence=_text(line["sentence"]),
                details={_text(name): _number(value) for name, value in line["details"].items()},
            )
            for line in data["lines"]
        ),
        evaluation=tuple(
            Check(
                key=_text(check["key"]),
                title=_text(check["title"]),
                recall=_number(check["recall"]),
                other=_number(check["other"]),
                difference=_number(check["difference"]),
                low=_number(check["low"]),
                high=_number(check["high"]),
                sentence=_text(check["sentence"]),
                details={_text(name): _number(value) for name, value in check["details"].items()},
            )
            for check in data["evaluation"]
        ),
        left=_whole(data["unexplained"]["count"]),
    )


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} is not a count")
    return value


def _number(value: object) -> float | None:
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not np.isfinite(value):
        raise ValueError(f"{value!r} is not a number")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a text")
    return value
