"""What the page "Report check" computes: our own answers rightly and wrongly paired, a claim tested, a pasted report.

The reasoning about reports is in :mod:`fer_core.evaluation.forensics`; here it is applied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from fer_core.confusion import NAMED, Rate, rate
from fer_core.errors import FerError
from fer_core.evaluation import metrics
from fer_core.evaluation.forensics import Finding, examine, shuffled
from fer_core.evaluation.report import Report, Rounded, parse_report, report_of
from fer_core.evaluation.report_deck import MOBILENET, OVERALL
from fer_core.labels import EMOTIONS, display_name, index_of
from fer_core.wording import percent

if TYPE_CHECKING:
    from numpy.typing import NDArray


Answer = Literal["yes", "no", "undecided"]

HALF: Final = 0.5
"""*Fails*: fewer than half of the class are found. *Most*: more than half. Decided by the 95 % interval (Wilson)."""

ANSWERS_IN_WORDS: Final = {"yes": "Yes", "no": "No", "undecided": "Not decided"}


@dataclass(frozen=True)
class Evaluation:
    """One set of answers compared with one order of the labels.

    Attributes
    ----------
    confusion : ndarray of int64, shape (7, 7)
        Rows are labels.
    accuracy, guessing : float
        Share of right answers, and what unrelated labels with the same totals would give: sum of share x share of
        answers.
    recall_sum : float
        Sum of the seven recalls: about 1 if labels and answers are unrelated.
    rows_differ : float
        Mean over the images of how far their label's row is from the row of all images (half the sum of the absolute
        differences), 0-1: 0 if all rows are alike.
    precision_gap : float
        Largest distance between a precision and the share of its class; classes that are never answered left out.
    report : Report
        What scikit-learn would print.
    findings : tuple of Finding
        What follows from that print alone.
    """

    confusion: NDArray[np.int64]
    accuracy: float
    guessing: float
    recall_sum: float
    rows_differ: float
    precision_gap: float
    report: Report
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Claim:
    """The report's conclusion about one label, tested on one rightly paired matrix.

    Attributes
    ----------
    model : str
    found : Rate
        Images of the label that are answered rightly.
    taken : Rate
        Images of the label that get the answer in question.
    others : Rate
        The same answer among the images whose label is neither of the two: what is not particular to the label.
    fails, most : str
        ``"yes"``, ``"no"`` or ``"undecided"``: fewer than half found; more than half taken for the other.
    more_than_others : str
        Whether the label gets that answer more often than other images do.
    """

    model: str
    found: Rate
    taken: Rate
    others: Rate
    fails: Answer
    most: Answer
    more_than_others: Answer


def evaluate(labels: NDArray[np.int64], answers: NDArray[np.int64], *, seed: int | None = None) -> Evaluation:
    """Evaluate answers against their labels, or with `seed` against the same labels in another order.

    Parameters
    ----------
    labels, answers : ndarray of int64, shape (N,)
        Class indices.
    seed : int, optional
        Shuffle the labels first.

    Raises
    ------
    FerError
        If there are no images.
    """
    if len(labels) == 0:
        raise FerError("There are no images to evaluate.")
    against = labels if seed is None else shuffled(labels, seed=seed)
    confusion = metrics.confusion_matrix(against, answers)
    scores = metrics.class_scores(confusion)
    n = len(labels)
    share, answered = scores.support / n, scores.predicted / n
    rows = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    report = report_of(confusion)
    return Evaluation(
        confusion=confusion,
        accuracy=float(metrics.accuracy(confusion)),
        guessing=float(share @ answered),
        recall_sum=float(np.nansum(scores.recall)),
        rows_differ=float(share @ (np.abs(rows - answered).sum(axis=1) / 2)),
        precision_gap=float(np.nanmax(np.abs(scores.precision - share))),
        report=report,
        findings=examine(report),
    )


def side_by_side(shown: Evaluation) -> list[dict[str, Any]]:
    """Return for each class precision beside class share and recall beside share of the answers, 0-1 or ``None``."""
    scores = metrics.class_scores(shown.confusion)
    n = shown.confusion.sum()
    return [
        {
            "Class": display_name(emotion),
            "Precision": _rounded(scores.precision[k]),
            "Share of the images": round(float(scores.support[k] / n), 3),
            "Recall": _rounded(scores.recall[k]),
            "Share of the answers": round(float(scores.predicted[k] / n), 3),
            "Images": int(scores.support[k]),
            "Answers": int(scores.predicted[k]),
        }
        for k, emotion in enumerate(EMOTIONS)
    ]


def share_records(shown: Evaluation, figure: Literal["precision", "recall"]) -> list[dict[str, Any]]:
    """Return what ``figures_models.share_spec`` draws: precision against class share, or recall against answers."""
    chance = "Share of the images" if figure == "precision" else "Share of the answers"
    return [
        {
            "label": row["Class"],
            "figure": figure.capitalize(),
            "value": row[figure.capitalize()],
            "against": chance,
            "chance": row[chance],
        }
        for row in side_by_side(shown)
    ]


def claim(model: str, confusion: NDArray[np.int64], *, label: str = "disgust", answer: str = "happy") -> Claim:
    """Test "`label` fails; most of it is taken for `answer`" on a rightly paired matrix.

    Parameters
    ----------
    model : str
    confusion : ndarray of int64, shape (7, 7) or (7, 8)
        Rows are labels; an eighth column are images without an answer.
    """
    own, other = index_of(label), index_of(answer)
    support = confusion.sum(axis=1)
    found = rate(int(confusion[own, own]), int(support[own]))
    taken = rate(int(confusion[own, other]), int(support[own]))
    rest = [k for k in range(len(EMOTIONS)) if k not in (own, other)]
    others = rate(int(confusion[rest, other].sum()), int(support[rest].sum()))
    return Claim(
        model=model,
        found=found,
        taken=taken,
        others=others,
        fails=_decide(found, HALF, above=False),
        most=_decide(taken, HALF, above=True),
        more_than_others=_decide(taken, others.value, above=True),
    )


def claims_in_words(claims: Sequence[Claim], *, label: str = "disgust", answer: str = "happy") -> tuple[str, ...]:
    """Return what is left of the conclusion: a sentence for each half, and for what is particular to the label."""
    tested = [entry for entry in claims if entry.found.n]
    if not tested:
        return ("No model has stored predictions for this label, so there is nothing to test the claim on.",)
    found = [f"{entry.model} finds {entry.found}" for entry in tested]
    taken = [f"{entry.model} does so with {entry.taken}" for entry in tested]
    sentences = [
        f"**“{label.capitalize()} fails”** (fewer than half are found) {_held([e.fails for e in tested])}"
        f"{_few(found)}.",
        f"**“Most of it is taken for {answer}”** (more than half) {_held([e.most for e in tested])}{_few(taken)}.",
    ]
    compared = {
        "yes": "more often than other faces",
        "no": "less often than other faces",
        "undecided": "not measurably more or less often than other faces",
    }
    for verdict, words in compared.items():
        entries = [entry for entry in tested if entry.more_than_others == verdict and entry.others.n]
        if entries:
            figures = [f"{e.model} ({percent(e.taken.value)} against {percent(e.others.value)})" for e in entries]
            who = "; by ".join(figures) if len(entries) <= NAMED else f"{len(entries)} of {len(tested)} models"
            sentences.append(
                f"{label.capitalize()} is taken for {answer} **{words}** (those labelled neither {label} nor {answer}) "
                f"by {who}."
            )
    return tuple(sentences)


def claim_records(claims: Sequence[Claim], *, label: str = "disgust", answer: str = "happy") -> list[dict[str, Any]]:
    """Return the test of the claim as a table."""
    return [
        {
            "Model": entry.model,
            f"{label.capitalize()} found": str(entry.found),
            "Fails?": ANSWERS_IN_WORDS[entry.fails],
            f"Taken for {answer}": str(entry.taken),
            "Most of it?": ANSWERS_IN_WORDS[entry.most],
            f"Other faces taken for {answer}": str(entry.others),
            "More than others?": ANSWERS_IN_WORDS[entry.more_than_others],
        }
        for entry in claims
    ]


@dataclass(frozen=True)
class Checked:
    """A pasted report as it was understood, and what follows from it."""

    report: Report
    findings: tuple[Finding, ...]


def check_text(
    text: str,
    *,
    all_classes: bool = False,
    claimed_accuracy: str = "",
    known_support: Mapping[str, int] | None = None,
) -> Checked:
    """Check the text of a classification report.

    Parameters
    ----------
    text : str
        What scikit-learn's ``classification_report`` prints.
    all_classes : bool
        Whether the rows are known to be all classes, also if the text does not say so.
    claimed_accuracy : str
        Accuracy given elsewhere for the same model on the same images, for example ``"42.98 %"``; may be empty.
    known_support : mapping of str to int, optional
        True number of images of each class.

    Raises
    ------
    FerError
        If something was not understood; the sentence says what.
    """
    if not text.strip():
        raise FerError("Paste a classification report first.")
    claimed = Rounded.parse(claimed_accuracy) if claimed_accuracy.strip() else None
    report = parse_report(text)
    if all_classes:
        report = replace(report, complete=True)
    return Checked(report, examine(report, claimed_accuracy=claimed, known_support=known_support))


def table_records(report: Report) -> list[dict[str, Any]]:
    """Return a report by class as it was printed, with the share of each class beside it."""
    return [
        {
            "Class": row.name.capitalize() if row.name in EMOTIONS else row.name,
            "Precision": "nan" if row.precision is None else str(row.precision),
            "Recall": "nan" if row.recall is None else str(row.recall),
            "F1": "nan" if row.f1 is None else str(row.f1),
            "Images": row.support,
            "Share of the images": f"{share:.3f}",
        }
        for row, share in zip(report.rows, report.shares, strict=True)
    ]


def overall_records() -> list[dict[str, Any]]:
    """Return the report's first table as it was printed, in per cent."""

    def shown(figure: Rounded | None) -> str:
        return "" if figure is None else figure.in_percent

    return [
        {
            "Model": name,
            "Accuracy": shown(line.accuracy),
            "F1": shown(line.f1),
            "Precision": shown(line.precision),
            "Recall": shown(line.recall),
        }
        for name, line in OVERALL.items()
    ]


def deck_records() -> list[dict[str, Any]]:
    """Return the report's second table."""
    return table_records(MOBILENET)


def _decide(entry: Rate, level: float, *, above: bool) -> Answer:
    """Tell whether a rate lies above (below) a level, by its interval; undecided without images."""
    if entry.n == 0 or np.isnan(level) or entry.low <= level <= entry.high:
        return "undecided"
    return "yes" if (entry.low > level) == above else "no"


def _held(answers: Sequence[Answer]) -> str:
    """Return for how many models a half of the claim holds."""
    if len(answers) == 1:
        return {"yes": "holds for the one model here", "no": "does not hold for the one model here"}.get(
            answers[0], "is not decided by the one model here"
        )
    counts = {answer: answers.count(answer) for answer in ("yes", "no", "undecided")}
    if counts["yes"] == len(answers):
        return f"holds for all {len(answers)} models"
    said = f"holds for {counts['yes']} of {len(answers)} models" if counts["yes"] else "holds for none of the models"
    return said + (f" ({counts['undecided']} undecided)" if counts["undecided"] else "")


def _few(parts: Sequence[str]) -> str:
    """Return what up to two models do, for the end of a sentence; more stand in the table."""
    return f": {'; '.join(parts)}" if len(parts) <= 2 else ""


def _rounded(value: np.floating[Any]) -> float | None:
    return None if np.isnan(value) else round(float(value), 3)
