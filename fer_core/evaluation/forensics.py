"""What a published report can and cannot be: findings from its own numbers, with the arithmetic.

Each finding is one of two kinds, and says which. An **exact identity** is broken for every number that would have been
printed like this; an honest report cannot break it, whatever the model. A **test** has a p-value, which takes the
rounding into account. Nothing is concluded from a number looking odd.

Labels and predictions in different orders
    The counts behind the table are those of unrelated labels and predictions, and skill is excluded:
    :mod:`fer_core.evaluation.pairing` has the arithmetic. What it cannot tell from guessing, a second accuracy can.

A constant answer
    Who answers c to everything has accuracy q_c, recall 1 for c and 0 elsewhere, precision q_c for c and none
    elsewhere; weighted over the classes (0 for the undefined), precision q_c^2 and F1 = q_c x 2 q_c / (1 + q_c).
    At an accuracy of q_c no answers have less (:func:`examine_overall`).

An undefined precision
    A class that is never predicted has precision 0/0. If a report prints 1.00 for it, that is a convention of the
    software (``zero_division=1``), not a result.

Totals and averages
    F1 is the harmonic mean of precision and recall. The accuracy is the sum of recall_c x s_c, divided by N, and so is
    the weighted average of the recalls. Supports add up to N, and so do the n_c.

This module needs nothing but NumPy, so that a page can check a pasted report at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from fer_core.evaluation.pairing import (
    USEFUL_KAPPA,
    USELESS_LEVEL,
    Counts,
    Pairing,
    binomial_cdf,
    bounds,
    counts_of,
    pairing_test,
)
from fer_core.evaluation.report import DUST, Report, Rounded, Row, format_report, parse_report, report_of
from fer_core.wording import percent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    IntArray = NDArray[np.int64]

__all__ = [
    "Counts",
    "Finding",
    "Overall",
    "Pairing",
    "Report",
    "Rounded",
    "Row",
    "Table",
    "counts_of",
    "examine",
    "examine_overall",
    "format_report",
    "pairing_test",
    "parse_report",
    "report_of",
    "shuffled",
    "totals_differ",
]


_RARE: Final = 1e-3
"""How improbable a difference between two samples must be for it to be worth saying."""

_DOUBTFUL: Final = 0.05
"""Below this p-value independence is still possible, but a little skill is as good a reading of the table."""

CONSTANT_SHARE: Final = 0.9
"""A table is called that of a constant answer if at least this share of the predictions must be of one class."""

MOST_CLASSES: Final = 16
"""Of more classes not all sets are gone through."""

_PARTINGS: Final = (0.5, 0.6, 0.7, 0.8, 0.9)
"""Recalls at which classes are parted to tell how constant an answer is; the first that leaves one class counts."""


@dataclass(frozen=True)
class Table:
    """Numbers that a finding rests on, ready to be shown: column titles and rows of cells."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | int | float | None, ...], ...]


@dataclass(frozen=True)
class Finding:
    """Something that follows from a report's own numbers.

    Attributes
    ----------
    code : str
        ``independent_pairing``, ``constant_answer``, ``undefined_precision``, ``accuracies_contradict``,
        ``accuracy_not_recall``, ``totals_differ``, ``supports_differ``, ``f1_not_harmonic``, ``row_impossible``,
        ``predictions_do_not_add_up``, ``accuracy_not_from_rows``, ``average_not_from_rows`` or ``average_below_least``.
    verdict : str
        One sentence.
    steps : tuple of str
        The calculation, to be followed with a calculator.
    evidence : Table
    statistic, p_value : float or None
        Of a test; both None for an exact identity.
    limits : str
        What does not follow; empty for an identity with a single reading.
    """

    code: str
    verdict: str
    steps: tuple[str, ...]
    evidence: Table
    statistic: float | None = None
    p_value: float | None = None
    limits: str = ""

    @property
    def exact(self) -> bool:
        """Whether this is an exact identity rather than a test."""
        return self.p_value is None

    @property
    def chance(self) -> str:
        """The p-value for a reader; empty for an exact identity."""
        return "" if self.p_value is None else _power_of_ten(self.p_value)


@dataclass(frozen=True)
class Overall:
    """A model's line in a table of overall figures; ``None`` where nothing is given.

    ``average`` says how precision, recall and F1 were averaged over the classes, if that is known.
    """

    accuracy: Rounded
    precision: Rounded | None = None
    recall: Rounded | None = None
    f1: Rounded | None = None
    average: Literal["weighted", "macro"] | None = None


def examine(
    report: Report,
    *,
    claimed_accuracy: Rounded | None = None,
    known_support: Mapping[str, int] | None = None,
) -> tuple[Finding, ...]:
    """Return everything that follows from a report, the gravest first; empty for a report that can be true.

    Parameters
    ----------
    report : Report
    claimed_accuracy : Rounded, optional
        Accuracy given elsewhere for the same model on the same images.
    known_support : mapping of str to int, optional
        True number of test images of each class, by class name.
    """
    counts = counts_of(report)
    findings: list[Finding] = []
    constant = _constant_rows(report, counts)
    pairing = None if constant else pairing_test(report, counts)
    if pairing is not None and pairing.independent:
        findings.append(_independent(report, pairing))
    if constant is not None:
        findings.append(constant)
    if claimed_accuracy is not None:
        findings.extend(_contradiction(report, counts, claimed_accuracy))
    findings.extend(_undefined_precision(report, counts))
    findings.extend(_impossible_rows(report, counts))
    findings.extend(_sums(report, counts))
    findings.extend(_averages(report))
    if known_support is not None:
        findings.extend(_supports(report, known_support))
    return tuple(findings)


def examine_overall(overall: Overall, support: Mapping[str, int]) -> tuple[Finding, ...]:
    """Return what follows from a line of overall figures and the test set's class counts.

    With N images, s_c of class c, n_c predictions of it, TP_c of them right, recall r_c = TP_c / s_c, R = sum of TP_c:

    - The weighted average of the recalls is the accuracy: sum of (s_c / N) x r_c = R / N. A line whose weighted recall
      is another number than its accuracy is of two evaluations.
    - At accuracy q = R / N the weighted precision is at least q^2: by Cauchy-Schwarz R^2 is at most (sum of s_c TP_c /
      n_c) x (sum of n_c r_c), and the second sum at most N. In the same way R^2 is at most (sum of s_c TP_c / (s_c +
      n_c)) x (R + sum of n_c r_c), so the weighted F1 is at least 2 q^2 / (1 + q).
    - A constant answer has accuracy q_c, and weighted precision q_c^2 and F1 2 q_c^2 / (1 + q_c): the least there is.
      How near to it an F1 must be, is in the second inequality: the sum over all answers of (1 - recall of the class
      answered) is at most d = N + R - 2 R^2 / (N F1). Part the classes at a recall t: at most d / (1 - t) answers are
      of those below, and of the images of those above at most d / t are missed (as n_c is at least r_c s_c), so these
      hold R - d / (1 - t) to R + d / t images. If only one class does, nearly all answers are of that class.

    Parameters
    ----------
    overall : Overall
    support : mapping of str to int
        Number of test images of each class.
    """
    present = {name: count for name, count in support.items() if count}
    not_recall = _not_recall(overall)
    findings = (
        not_recall,
        _constant_line(overall, present),
        None if not_recall else _below_least(overall),  # the former says it, too
    )
    return tuple(finding for finding in findings if finding is not None)


def _least(accuracy: float) -> dict[str, float]:
    """Return the least weighted averages of answers with an accuracy; see :func:`examine_overall`."""
    return {"weighted precision": accuracy**2, "weighted F1": 2 * accuracy**2 / (1 + accuracy)}


def _too_low(overall: Overall) -> dict[str, Rounded]:
    """Return the weighted averages of a line that are lower than its accuracy allows."""
    if overall.average != "weighted":
        return {}
    printed = {"weighted precision": overall.precision, "weighted F1": overall.f1}
    least = _least(overall.accuracy.low)
    return {name: one for name, one in printed.items() if one is not None and one.high < least[name] - DUST}


def _least_steps(overall: Overall, low: Mapping[str, Rounded]) -> tuple[str, ...]:
    accuracy = overall.accuracy.low
    least = _least(accuracy)
    formula = {
        "weighted precision": f"{accuracy:.5f} x {accuracy:.5f}",
        "weighted F1": f"2 x {accuracy:.5f} x {accuracy:.5f} / (1 + {accuracy:.5f})",
    }
    return (
        "Whatever the answers, at accuracy a the weighted precision is at least a x a, and the weighted F1 at least "
        "2 x a x a / (1 + a): by the Cauchy-Schwarz inequality; a constant answer has just that.",
        *(
            f"The {name} is at least {formula[name]} = {least[name]:.4f}, and printed as {printed.in_percent}."
            for name, printed in low.items()
        ),
    )


def _not_recall(overall: Overall) -> Finding | None:
    accuracy, recall = overall.accuracy, overall.recall
    if overall.average != "weighted" or recall is None or accuracy.may_be(recall.low, recall.high):
        return None
    low = _too_low(overall)
    return Finding(
        code="accuracy_not_recall",
        verdict=(
            f"Accuracy {accuracy.in_percent} and weighted recall {recall.in_percent} cannot be of one "
            "evaluation: the weighted recall is the accuracy."
        ),
        steps=(
            "Weighted recall = sum over classes of (support / N) x (right / support) = right / N = accuracy.",
            f"Here the two differ by {abs(accuracy.value - recall.value) * 100:.2f} points; rounding explains "
            f"at most {(accuracy.half_width + recall.half_width) * 100:.2f}.",
            *(_least_steps(overall, low) if low else ()),
        ),
        evidence=Table(
            ("figure", "printed", "lowest", "highest"),
            tuple(
                (name, printed.value, printed.low, printed.high)
                for name, printed in {"accuracy": accuracy, "weighted recall": recall, **low}.items()
            ),
        ),
        limits="It does not follow which of the two is right, or whether either is. The recall must be "
        "the weighted average" + (f", and so must {_listed(low)}." if low else "."),
    )


def _below_least(overall: Overall) -> Finding | None:
    low = _too_low(overall)
    if not low:
        return None
    least = _least(overall.accuracy.low)
    printed = " and ".join(f"{name} of {one.in_percent}" for name, one in low.items())
    return Finding(
        code="average_below_least",
        verdict=f"No answers with an accuracy of {overall.accuracy.in_percent} have a {printed}: it must be higher.",
        steps=_least_steps(overall, low),
        evidence=Table(
            ("figure", "printed", "highest", "least possible"),
            tuple((name, one.value, one.high, least[name]) for name, one in low.items()),
        ),
        limits="It does not follow which figure is wrong. It is so for weighted averages only.",
    )


def _listed(names: Iterable[str]) -> str:
    return " and ".join(name.removeprefix("weighted ") for name in names)


def _constant_line(overall: Overall, support: Mapping[str, int]) -> Finding | None:
    accuracy, f1_printed = overall.accuracy, overall.f1
    if overall.average != "weighted" or f1_printed is None or f1_printed.high <= 0:
        return None
    n = sum(support.values())
    right, most = math.ceil(accuracy.low * n - DUST), math.floor(accuracy.high * n + DUST)
    missing = max(0.0, n + right - 2 * right * right / (n * f1_printed.high))
    for parting in _PARTINGS:
        room, missed = math.floor(missing / (1 - parting) + DUST), math.floor(missing / parting + DUST)
        chosen = _sets_within(support, right - room, most + missed)
        if len(chosen) == 1 and len(chosen[0]) == 1 and n - room >= CONSTANT_SHARE * n:
            break
    else:
        return None
    ((name,),) = chosen
    count, share = support[name], support[name] / n
    f1 = _least(share)["weighted F1"]
    if not (accuracy.may_be(share) and f1_printed.may_be(f1)):
        return None
    expected = (
        ("accuracy", share, accuracy),
        ("weighted recall", share, overall.recall),
        ("weighted F1", f1, f1_printed),
        ("weighted precision", share**2, overall.precision),
    )
    rows = tuple(
        (what, value, printed.value, "yes" if printed.may_be(value) else "no")
        for what, value, printed in expected
        if printed is not None
    )
    wrong = [str(what) for what, _, _, equal in rows if equal == "no"]
    return Finding(
        code="constant_answer",
        verdict=(
            f"These are the figures of answering {name} to every image"
            + (f", or to {n - room:,} of {n:,} at least" if room else "")
            + f": accuracy {accuracy.in_percent} is the share of {name}, {count:,} of {n:,}."
        ),
        steps=(
            f"Share of {name}: {count:,} / {n:,} = {share:.4f} = accuracy and weighted recall.",
            f"Precision of {name}: {share:.4f}, of the others undefined (0); weighted: {share:.4f}^2 = {share**2:.4f}.",
            f"F1 of {name}: 2 x {share:.4f} x 1 / ({share:.4f} + 1) = {2 * share / (1 + share):.4f}; weighted: "
            f"x {share:.4f} = {f1:.4f}.",
            "No answers of this accuracy have a lower weighted F1 (Cauchy-Schwarz inequality), and those that come "
            "near find nearly all images of every class they ever answer.",
            f"How near? With R = {right:,} right answers of N = {n:,}, and F1 at most {f1_printed.high:.6g}, the "
            f"sum over all answers of (1 - recall of the class answered) is at most N + R - 2 x R x R / (N x F1) = "
            f"{missing:.1f}.",
            f"So at most {missing:.1f} / {1 - parting:.1f}, {room:,} answers, are of classes with a recall below "
            f"{parting}, and at most {missing:.1f} / {parting}, {missed:,} images of the other classes are missed.",
            f"These other classes then hold {right - room:,} to {most + missed:,} images. Only {name} does, with "
            f"{count:,}: at least {n - room:,} of {n:,} answers are {name}.",
        ),
        evidence=Table(("figure", "constant answer", "printed", "equal"), rows),
        limits=(f"The printed {' and '.join(wrong)} does not fit; it is a slip of the table. " if wrong else "")
        + "It is so for a weighted F1 only.",
    )


def _sets_within(support: Mapping[str, int], low: int, high: int) -> list[tuple[str, ...]]:
    """Return the sets of classes that together hold `low` to `high` images; none for more than :data:`MOST_CLASSES`."""
    if len(support) > MOST_CLASSES:
        return []
    sets = (names for size in range(1, len(support) + 1) for names in combinations(support, size))
    return [names for names in sets if low <= sum(support[name] for name in names) <= high]


def totals_differ(counted: int, expected: int, what: str = "images") -> tuple[Finding, ...]:
    """Return a finding if a report counts another number of images than the data set has."""
    if counted == expected:
        return ()
    gap = counted - expected
    return (
        Finding(
            code="totals_differ",
            verdict=f"The report counts {counted:,} {what}; there are {expected:,}.",
            steps=(f"{counted:,} - {expected:,} = {gap:+,}, {percent(abs(gap) / expected)} of {expected:,}.",),
            evidence=Table(("source", what), (("report", counted), ("data set", expected), ("difference", gap))),
            limits=f"It does not follow which {what} are {'missing' if gap < 0 else 'too many'}, or why.",
        ),
    )


def shuffled(labels: NDArray[np.int64], *, seed: int = 0) -> NDArray[np.int64]:
    """Return `labels` in a random order: what an evaluation compares with when the test generator shuffles."""
    return np.random.default_rng(seed).permutation(labels)


# ---------------------------------------------------------------------------------------------------------------------
# The findings


def _independent(report: Report, pairing: Pairing) -> Finding:
    n = pairing.n
    recalls = [row.recall.value for row in report.rows if row.recall is not None]
    shares = report.shares
    by_shares = sum(
        share * (row.recall.value if row.recall else 0.0) for share, row in zip(shares, report.rows, strict=True)
    )
    rows = tuple(
        (
            row.name,
            row.support,
            round(float(shares[k]), 4),
            row.precision.value if row.precision else None,
            row.recall.value if row.recall else None,
            round(float(pairing.predicted[k])),
            round(float(pairing.predicted[k]) / n, 4),
            round(float(pairing.hits[k])),
            round(float(pairing.expected[k]), 1),
            None if math.isnan(pairing.z[k]) else round(float(pairing.z[k]), 1),
        )
        for k, row in enumerate(report.rows)
    )
    # Of a class that is never predicted the precision says nothing.
    telling = [row.precision is not None and row.precision.value > 0 for row in report.rows]
    largest = int(np.argmax(np.where(telling, shares, -1.0)))
    top = report.rows[largest]
    right, guessing = float(pairing.hits.sum()) / n, float(shares @ pairing.predicted) / n
    kappa = round((right - guessing) / (1 - guessing), 3) + 0.0  # no "-0.000"
    predicted, hits = float(pairing.predicted[largest]), float(pairing.hits[largest])
    expected = float(pairing.expected[largest])
    deviation = math.sqrt(max(0.0, top.support * (n - top.support) * predicted * (n - predicted) / (n * n * (n - 1))))
    by_chance = (
        ()
        if math.isnan(pairing.z[largest])
        else (
            f"Of {top.name}, {hits:,.1f} answers are right and {expected:,.1f} would be if unrelated. By chance that "
            f"number varies by the root of support x (N - support) x predicted x (N - predicted) / (N x N x (N - 1)) = "
            f"{deviation:.1f}: {abs(pairing.z[largest]):.1f} standard deviations away (last column).",
        )
    )
    return Finding(
        code="independent_pairing",
        verdict=(
            "This is the table that unrelated labels and predictions give: they were paired in different orders, or "
            "the model is no better than independent guessing."
            if pairing.p_independent >= _DOUBTFUL
            else "This is nearly the table that unrelated labels and predictions give: they were paired in different "
            f"orders, or the model is hardly better than independent guessing (kappa below {USEFUL_KAPPA})."
        ),
        steps=(
            f"Share of {top.name}: {top.support:,} / {n:,} = {shares[largest]:.3f}; its precision is {top.precision}. "
            "Of unrelated pairs every precision is the share of its class (columns share and precision).",
            f"The recalls add up to {sum(recalls):.2f}. Of unrelated pairs each recall is the share of the predictions "
            "that go to its class, and shares add up to 1.",
            f"Sum of share x recall = {by_shares:.3f}: right answers in {percent(by_shares)} of images. Guessing with "
            f"the same totals is right in {percent(pairing.guessing[0])} to {percent(pairing.guessing[1])} (sum of "
            "share x share of predictions).",
            f"Cohen's kappa = (accuracy - guessing) / (1 - guessing), in the middle of what rounding leaves "
            f"({right:.3f} - {guessing:.3f}) / (1 - {guessing:.3f}) = {kappa:.3f}. It lies between "
            f"{pairing.kappa[0]:.3f} and {pairing.kappa[1]:.3f}, whatever was rounded.",
            *by_chance,
            f"All classes together, each as near to independence as the rounding allows: chi-square "
            f"{pairing.statistic:.1f} with {pairing.degrees} degrees of freedom, p = {pairing.p_independent:.2g} "
            "(by computer: the classes depend on each other). Independence fits. A model of kappa "
            f"{USEFUL_KAPPA} would come so near to guessing with probability {pairing.p_skilled:.1g}.",
        ),
        evidence=Table(
            (
                "class",
                "support",
                "share",
                "precision",
                "recall",
                "predicted",
                "share of predictions",
                "right",
                "right if unrelated",
                "standard deviations",
            ),
            rows,
        ),
        statistic=max(pairing.kappa, key=abs),
        p_value=pairing.p_skilled,
        limits="A good model evaluated against labels in another order and a model that guesses leave the same table. "
        "An accuracy of the same model that guessing cannot reach decides between them.",
    )


def _constant_rows(report: Report, counts: Counts) -> Finding | None:
    n = report.n
    if not (report.closed and counts.possible.all() and counts.adds_up):
        return None
    for k, row in enumerate(report.rows):
        others = np.arange(len(report.rows)) != k
        everything = counts.hits_high[k] == row.support and counts.predicted_high[k] == n
        fewest = int(counts.predicted_low[k])
        if row.support in (0, n) or not everything or counts.hits_low[others].any() or fewest < CONSTANT_SHARE * n:
            continue
        return Finding(
            code="constant_answer",
            verdict=(
                f"This is the table of answering {row.name} to every image."
                if fewest == n
                else f"This is the table of answering {row.name} to every image, or to {fewest:,} of {n:,} at least."
            ),
            steps=(
                f"Recall of {row.name} is {row.recall}, that of every other class 0.",
                f"Precision of {row.name} is {row.precision}, its share of the images: {row.support:,} / {n:,} = "
                f"{row.support / n:.4f}.",
                f"Predictions of {row.name} = recall x {row.support:,} / precision = "
                + (f"{n:,}" if fewest == n else f"{fewest:,} to {n:,}")
                + ", whatever was rounded.",
            ),
            evidence=Table(
                ("class", "support", "fewest right", "most right", "fewest predictions", "most predictions"),
                tuple(
                    (
                        other.name,
                        other.support,
                        int(counts.hits_low[j]),
                        int(counts.hits_high[j]),
                        int(counts.predicted_low[j]),
                        int(counts.predicted_high[j]),
                    )
                    for j, other in enumerate(report.rows)
                ),
            ),
            limits="" if fewest == n else f"Rounding leaves room for {n - fewest:,} other answers.",
        )
    return None


def _contradiction(report: Report, counts: Counts, claimed: Rounded) -> tuple[Finding, ...]:
    n = report.n
    low, high = 0.0, 1.0
    steps: list[str] = []
    evidence: list[tuple[str | float | None, ...]] = []
    if report.closed and counts.possible.all():
        fewest, most = int(counts.hits_low.sum()), int(counts.hits_high.sum())
        low, high = fewest / n, most / n
        steps.append(
            "Right answers of a row: recall x support; how many of them its figures leave room for, rounded as they "
            f"are, stands below. Added up: {fewest:,} to {most:,} of {n:,}, accuracy {percent(low)} to {percent(high)}."
        )
        evidence += [
            (row.name, int(counts.hits_low[k]), int(counts.hits_high[k]), None, None)
            for k, row in enumerate(report.rows)
        ]
        evidence.append(("all rows", fewest, most, low, high))
    if report.accuracy is not None:
        inside = report.accuracy.may_be(low, high)
        if not inside and claimed.may_be(low, high):
            return ()  # the rows bear the claim out; that the line does not is a finding of its own
        both = inside and bool(steps)
        alone = f"The line of accuracy, {report.accuracy}, stands for {percent(report.accuracy.low)} to "
        alone += percent(report.accuracy.high)
        low = max(low, report.accuracy.low) if inside else report.accuracy.low
        high = min(high, report.accuracy.high) if inside else report.accuracy.high
        steps.append(f"{alone}; both together: {percent(low)} to {percent(high)}." if both else f"{alone}.")
        evidence.append(("line of accuracy", None, None, report.accuracy.low, report.accuracy.high))
    if claimed.may_be(low, high):
        return ()
    near_claimed, near_table = (claimed.low, high) if claimed.low > high else (claimed.high, low)
    pooled = (near_claimed + near_table) / 2
    statistic = (near_claimed - near_table) / math.sqrt(2 * pooled * (1 - pooled) / n)
    p_samples = math.erfc(abs(statistic) / math.sqrt(2))
    best = report.rows[int(np.argmax(report.shares))]
    ceiling = best.support / n
    p_guess = binomial_cdf(n - math.ceil(claimed.low * n - DUST), n, 1 - ceiling) if report.closed else 1.0
    steps += [
        f"Claimed: {claimed.in_percent} of {n:,}, about {claimed.value * n:,.0f} right answers.",
    ]
    if p_samples < _RARE:
        steps.append(
            f"Would two separate samples of {n:,} images differ so much? {percent(near_claimed, 2)} and "
            f"{percent(near_table, 2)} are the nearest that rounding allows, their middle p = {pooled:.4f}, the "
            f"standard deviation of a difference the root of 2 p (1 - p) / {n:,} = "
            f"{math.sqrt(2 * pooled * (1 - pooled) / n):.5f}: {abs(statistic):.1f} of them. Chance alone goes so far "
            f"with probability {_power_of_ten(p_samples)}."
        )
    verdict = (
        f"The table's accuracy ({percent(low)} to {percent(high)}) and the claimed {claimed.in_percent} are not of the "
        "same model on the same images"
    )
    limits = "It does not follow which of the two is right, or whether either is."
    if p_guess <= USELESS_LEVEL and claimed.low > high:
        steps.append(
            f"Without looking at the images nobody is right more often than by always answering {best.name}: "
            f"{percent(ceiling)}. By that, {claimed.in_percent} would be reached with probability "
            f"{_power_of_ten(p_guess)}."
        )
        limits = (
            "If the claimed accuracy is true, the model looks at the images, and a table without any relation between "
            "labels and predictions is of a wrong pairing. If it is not true, the model may be guessing."
        )
    return (
        Finding(
            code="accuracies_contradict",
            verdict=verdict + ".",
            steps=tuple(steps),
            evidence=Table(
                ("source", "fewest right answers", "most right answers", "lowest accuracy", "highest accuracy"),
                (*evidence, ("claim", None, None, claimed.low, claimed.high)),
            ),
            limits=limits,
        ),
    )


def _undefined_precision(report: Report, counts: Counts) -> tuple[Finding, ...]:
    findings = []
    for k, row in enumerate(report.rows):
        if row.precision is None or row.support == 0 or row.precision.high < 1:
            continue
        if not counts.possible[k] or counts.hits_high[k] > 0:
            continue
        findings.append(
            Finding(
                code="undefined_precision",
                verdict=f"The precision of {row.name}, printed as {row.precision}, is 0/0: no image is predicted as "
                f"{row.name}.",
                steps=(
                    f"Right answers = recall x support: at most {row.recall.high if row.recall else 0:.4g} x "
                    f"{row.support:,} = {(row.recall.high if row.recall else 0) * row.support:.2f}, and whole: 0.",
                    "With 0 right answers, any prediction of the class would make the precision 0. It is printed as "
                    f"{row.precision}, so there is none, and 0/0 was set to one (scikit-learn: zero_division=1).",
                ),
                evidence=Table(
                    ("class", "support", "recall", "most right answers", "predictions"),
                    ((row.name, row.support, row.recall.value if row.recall else None, 0, 0),),
                ),
            )
        )
    return tuple(findings)


def _impossible_rows(report: Report, counts: Counts) -> tuple[Finding, ...]:
    findings = []
    for k, row in enumerate(report.rows):
        if counts.possible[k]:
            continue
        low, high = _harmonic_bounds(row)
        evidence = Table(
            ("class", "precision", "recall", "f1", "support", "lowest f1", "highest f1"),
            (
                (
                    row.name,
                    row.precision.value if row.precision else None,
                    row.recall.value if row.recall else None,
                    row.f1.value if row.f1 else None,
                    row.support,
                    low,
                    high,
                ),
            ),
        )
        if row.f1 is not None and not row.f1.may_be(low, high):
            findings.append(
                Finding(
                    code="f1_not_harmonic",
                    verdict=f"The F1 of {row.name}, {row.f1}, is not the harmonic mean of its precision "
                    f"{row.precision} and recall {row.recall}.",
                    steps=(
                        "F1 = 2 x precision x recall / (precision + recall).",
                        f"With everything these digits can stand for it lies between {low:.4f} and {high:.4f}.",
                    ),
                    evidence=evidence,
                )
            )
        else:
            findings.append(
                Finding(
                    code="row_impossible",
                    verdict=f"No whole numbers of images give the row of {row.name}.",
                    steps=(
                        f"Right answers are a whole number near {row.recall or 'nan'} x {row.support:,}, predictions "
                        f"a whole number near right answers / {row.precision or 'nan'}"
                        + (f" and at most {report.n:,}." if report.closed else "."),
                        "No pair of whole numbers is printed as this precision, recall and F1.",
                    ),
                    evidence=evidence,
                )
            )
    return tuple(findings)


def _sums(report: Report, counts: Counts) -> tuple[Finding, ...]:
    findings = []
    n = report.n
    totals = [("accuracy", report.total)] if report.total is not None else []
    totals += [(row.name, row.support) for row in report.averages]
    for name, total in totals:
        if report.complete and total != n:
            findings.append(
                Finding(
                    code="totals_differ",
                    verdict=f"The supports add up to {n:,}; the line {name!r} says {total:,}.",
                    steps=(" + ".join(f"{row.support:,}" for row in report.rows) + f" = {n:,}.",),
                    evidence=Table(("source", "images"), (("sum of the supports", n), (name, total))),
                )
            )
            break
    if not counts.possible.all():
        return tuple(findings)
    low, high = int(counts.hits_low.sum()), int(counts.hits_high.sum())
    if report.closed and report.accuracy is not None and not report.accuracy.may_be(low / n, high / n):
        findings.append(
            Finding(
                code="accuracy_not_from_rows",
                verdict=f"The accuracy {report.accuracy} is not that of the rows: they give {low / n:.4f} to "
                f"{high / n:.4f}.",
                steps=(
                    f"Right answers = sum of recall x support = {low:,} to {high:,}, whatever was rounded.",
                    f"Divided by {n:,}: {low / n:.4f} to {high / n:.4f}.",
                ),
                evidence=Table(
                    ("class", "support", "recall", "fewest right", "most right"),
                    tuple(
                        (
                            row.name,
                            row.support,
                            row.recall.value if row.recall else None,
                            int(counts.hits_low[k]),
                            int(counts.hits_high[k]),
                        )
                        for k, row in enumerate(report.rows)
                    ),
                ),
            )
        )
    if not counts.adds_up:
        fewest, most = int(counts.predicted_low.sum()), int(counts.predicted_high.sum())
        findings.append(
            Finding(
                code="predictions_do_not_add_up",
                verdict=f"The rows stand for {fewest:,} to {most:,} predictions; there are {n:,} images.",
                steps=(
                    "Predictions of a class = right answers / precision = recall x support / precision.",
                    f"Over all classes they add up to {fewest:,} to {most:,}, whatever was rounded; each image has "
                    f"one prediction, {n:,} in all.",
                ),
                evidence=Table(
                    ("class", "fewest predictions", "most predictions"),
                    tuple(
                        (row.name, int(counts.predicted_low[k]), int(counts.predicted_high[k]))
                        for k, row in enumerate(report.rows)
                    ),
                ),
            )
        )
    return tuple(findings)


def _averages(report: Report) -> tuple[Finding, ...]:
    findings = []
    for average in report.averages:
        weights = np.array([row.support for row in report.rows], dtype=np.float64)
        if average.name == "macro avg":
            weights = np.ones(len(report.rows))
        for score in ("precision", "recall", "f1"):
            printed: Rounded | None = getattr(average, score)
            values: list[Rounded | None] = [getattr(row, score) for row in report.rows]
            # Rows that do not make up the line's images are not those it averages; that is a finding of its own.
            if printed is None or average.support != report.n:
                continue
            low, high = _mean_bounds(values, weights)
            if printed.may_be(low, high):
                continue
            findings.append(
                Finding(
                    code="average_not_from_rows",
                    verdict=f"The {average.name} of {score}, {printed}, is not that of the rows: they give {low:.4f} "
                    f"to {high:.4f}.",
                    steps=(
                        (
                            f"Sum of the {len(values)} values / {len(values)}"
                            if average.name == "macro avg"
                            else f"Sum of value x support / {report.n:,}"
                        )
                        + f" = {low:.4f} to {high:.4f}, whatever was rounded.",
                    ),
                    evidence=Table(
                        ("class", score, "support"),
                        tuple(
                            (row.name, value.value if value else None, row.support)
                            for row, value in zip(report.rows, values, strict=True)
                        ),
                    ),
                )
            )
    return tuple(findings)


def _supports(report: Report, known: Mapping[str, int]) -> tuple[Finding, ...]:
    true = {name.casefold(): count for name, count in known.items()}
    rows = [(row.name, row.support, true.get(row.name.casefold())) for row in report.rows]
    if report.complete:
        here = {row.name.casefold() for row in report.rows}
        rows += [(name, 0, count) for name, count in known.items() if name.casefold() not in here]
    wrong = [(name, counted, there) for name, counted, there in rows if there is not None and counted != there]
    strange = [name for name, _, there in rows if there is None]
    expected = sum(known.values())
    if strange and report.complete:
        # Under other names only numbers can be compared.
        counts = [row.support for row in report.rows]
        if sorted(counts) == sorted(known.values()):
            return ()
        verdict = f"it has {len(counts)} classes and {report.n:,} images, the test set {len(known)} and {expected:,}"
        if len(counts) == len(known) and report.n == expected:
            verdict = "it has as many images, but classes of other sizes"
        steps: tuple[str, ...] = (
            f"Not the names of the test set's classes: {', '.join(strange)}. So only numbers were compared.",
            "Sizes in the report: " + ", ".join(f"{count:,}" for count in sorted(counts)) + ".",
            "Sizes in the test set: " + ", ".join(f"{count:,}" for count in sorted(known.values())) + ".",
        )
    elif not wrong:
        return ()
    else:
        differ = f"{len(wrong)} class{'' if len(wrong) == 1 else 'es'} differ{'s' if len(wrong) == 1 else ''}"
        verdict = f"it has {report.n:,} images, the test set {expected:,}, and {differ}"
        steps = tuple(f"{name}: {mine:,} in the report, {there:,} in the test set." for name, mine, there in wrong)
        if sorted(counted for _, counted, _ in rows) == sorted(known.values()):
            return (
                Finding(
                    code="supports_differ",
                    verdict="The classes have the numbers of images that those of the test set have, but under other "
                    f"names ({differ}): the names are in another order.",
                    steps=steps,
                    evidence=Table(("class", "report", "test set"), tuple(rows)),
                    limits="The rows are of other classes than they say; every figure of a class is that of another.",
                ),
            )
    return (
        Finding(
            code="supports_differ",
            verdict=f"The report was not made on the whole test set: {verdict}.",
            steps=steps,
            evidence=Table(("class", "report", "test set"), tuple(rows)),
            limits="Another or a partial test set is no mistake in itself; the figures are not of this one.",
        ),
    )


# ---------------------------------------------------------------------------------------------------------------------
# Arithmetic


def _harmonic_bounds(row: Row) -> tuple[float, float]:
    """Lowest and highest F1 for a row's precision and recall; F1 grows with both."""

    def harmonic(precision: float, recall: float) -> float:
        return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0

    if row.precision is None or row.recall is None:
        return 0.0, 1.0
    return harmonic(row.precision.low, row.recall.low), harmonic(row.precision.high, row.recall.high)


def _mean_bounds(values: Sequence[Rounded | None], weights: FloatArray) -> tuple[float, float]:
    """Bounds of a weighted mean over every custom for undefined values: left out, counted as 0, or as 1."""
    low, high = bounds(values)
    defined = np.array([value is not None for value in values])
    total = weights.sum()
    lows = [float(weights @ low / total)]
    highs = [float(weights @ high / total)]
    if not defined.all() and weights[defined].sum() > 0:
        lows.append(float(weights[defined] @ low[defined] / weights[defined].sum()))
        highs.append(float(weights[defined] @ high[defined] / weights[defined].sum()))
    return min(lows), max(highs)


def _power_of_ten(p: float) -> str:
    return "less than 1e-300" if p < 1e-300 else f"{p:.1g}"
