"""A published report as data: printed numbers with the rounding they carry.

A printed 0.20 is not 0.2 but any number from 0.195 to 0.205. :class:`Rounded` keeps both ends, so that whoever reasons
from a report can say what follows for *every* number that would have been printed like this.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fer_core.errors import FerError
from fer_core.evaluation import metrics
from fer_core.labels import EMOTIONS
from fer_core.wording import percent

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_CLASSES: Final = 200
MAX_CELLS: Final = 3_000_000
"""Classes times images. Larger reports are refused: the work of checking one grows with both, and a pasted text must
not stall a page."""

MAX_CHARACTERS: Final = 100_000
MAX_LINE: Final = 500

DUST: Final = 1e-9
"""Wider than the rounding of float arithmetic, narrower than any printed digit."""

_NUMBER: Final = r"(\d*\.\d+(?:\s*%)?|\d+\s*%|nan)"
_ROW: Final = re.compile(rf"^\s*(\S.*?)\s+{_NUMBER}\s+{_NUMBER}\s+{_NUMBER}\s+(\d+)(?:\.0+)?\s*$", re.IGNORECASE)
_ACCURACY: Final = re.compile(rf"^\s*accuracy\s+{_NUMBER}\s+(\d+)(?:\.0+)?\s*$", re.IGNORECASE)
_ACCURACY_OF_FRAME: Final = re.compile(rf"^\s*accuracy(?:\s+{_NUMBER}){{4}}\s*$", re.IGNORECASE)
"""pandas writes the accuracy into all four columns of a report that was asked for with ``output_dict=True``."""
_HEADER: Final = re.compile(r"\bprecision\s+recall\s+f1[-_ ]?score\s+support\s*$", re.IGNORECASE)
_AVERAGE: Final = re.compile(r"^(micro|macro|weighted|samples)[ -](?:avg|average|mean)$", re.IGNORECASE)
_WEIGHTED: Final = re.compile(r"^avg\s*/\s*total$", re.IGNORECASE)
"""What scikit-learn called the weighted averages before version 0.20."""
_SUMMARY: Final = re.compile(r"^(?:\w+ )?(?:avg|average|mean|total|overall)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Rounded:
    """A printed number and how far the number behind it can be from it.

    Attributes
    ----------
    value : float
    half_width : float
        Half a unit of the last printed digit: 0.005 for ``0.20``, 0.00005 for ``42.98 %``.
    digits : int
        Printed digits after the point, of a proportion.
    """

    value: float
    half_width: float
    digits: int

    @classmethod
    def parse(cls, text: str) -> Rounded:
        """Read a proportion as printed, ``"0.20"``, ``"42.98 %"``, ``"43 %"`` or ``"0,20"``.

        Raises
        ------
        FerError
            If it is not a number with digits after the point or a percent sign, or not from 0 to 1 (0 to 100 %).
        """
        match = re.fullmatch(r"\s*(\d*)[.,](\d+)\s*(%?)\s*|\s*(\d+)\s*%\s*", text)
        if match is None:
            raise FerError(f"{text.strip()!r} is not a proportion such as 0.20 or 42.98 %.")
        whole, fraction, of_hundred = match[1] or match[4] or "0", match[2] or "", bool(match[3] or match[4])
        digits = len(fraction) + (2 if of_hundred else 0)
        value = float(f"{whole}.{fraction}") / (100 if of_hundred else 1)
        if value > 1:
            raise FerError(f"{text.strip()} is not between 0 and 1: give proportions, or write a percent sign.")
        return cls(value, 0.5 * 10.0**-digits, digits)

    @property
    def low(self) -> float:
        """Smallest proportion that is printed like this."""
        return max(0.0, self.value - self.half_width)

    @property
    def high(self) -> float:
        """Largest proportion that is printed like this."""
        return min(1.0, self.value + self.half_width)

    def may_be(self, low: float, high: float | None = None) -> bool:
        """Whether the number behind it can lie between `low` and `high` (or be `low`)."""
        high = low if high is None else high
        return self.low - DUST <= high and low <= self.high + DUST

    def __str__(self) -> str:
        return f"{self.value:.{self.digits}f}"

    @property
    def in_percent(self) -> str:
        """The same number in per cent, with no digit that was not printed."""
        return percent(self.value, max(self.digits - 2, 0))


@dataclass(frozen=True)
class Row:
    """One line of a report. ``None`` where the report prints ``nan``: the score is undefined."""

    name: str
    precision: Rounded | None
    recall: Rounded | None
    f1: Rounded | None
    support: int


@dataclass(frozen=True)
class Report:
    """A classification report: a row for each class, and what is printed below them.

    Attributes
    ----------
    rows : tuple of Row
    accuracy : Rounded or None
    total : int or None
        Number of images in the line of the accuracy.
    averages : tuple of Row
        Lines ``macro avg`` and ``weighted avg``, if printed.
    complete : bool
        Whether the rows are all classes there are, as far as the report says. scikit-learn prints ``micro avg`` in
        place of the accuracy when they are not.

    Raises
    ------
    FerError
        If there are fewer than two classes, a name stands twice, there are no images, or there is too much of either.
    """

    rows: tuple[Row, ...]
    accuracy: Rounded | None = None
    total: int | None = None
    averages: tuple[Row, ...] = ()
    complete: bool = True

    def __post_init__(self) -> None:
        names = [row.name for row in self.rows]
        if not 2 <= len(names) <= MAX_CLASSES:
            raise FerError(f"A report needs 2 to {MAX_CLASSES} classes; this one has {len(names)}.")
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise FerError(f"The class {twice[0]!r} stands in the report twice.")
        most = MAX_CELLS // len(names)
        if not 0 < self.n <= most:
            raise FerError(f"The supports add up to {self.n:,}; with {len(names)} classes they can be 1 to {most:,}.")

    @property
    def n(self) -> int:
        """Number of images: the sum of the supports."""
        return sum(row.support for row in self.rows)

    @property
    def closed(self) -> bool:
        """Whether supports and predictions can both be taken to add up to :attr:`n`.

        So it is if the rows are all classes and no line says another number of images: then each image has its label
        and its prediction among the rows.
        """
        totals = [row.support for row in self.averages] + ([] if self.total is None else [self.total])
        return self.complete and all(total == self.n for total in totals)

    @property
    def shares(self) -> NDArray[np.float64]:
        """Share of each class among the images, shape (K,)."""
        return np.array([row.support for row in self.rows]) / self.n


def parse_report(text: str) -> Report:
    """Read the text that ``sklearn.metrics.classification_report`` prints.

    Class names may be any words; numbers may have any number of digits, or be per cent; the accuracy and the averages
    may be missing. Text above the header is ignored. Of rows without any line below them nobody knows whether they are
    all: then ``complete`` is False, and what would follow from totals does not.

    Raises
    ------
    FerError
        If it is not such a report; the message names the line that was not understood.
    """
    if len(text) > MAX_CHARACTERS:
        raise FerError(f"This text is too long for a classification report (over {MAX_CHARACTERS:,} characters).")
    lines = text.splitlines()
    # The header is looked for in short lines only: matching a pattern in a very long one takes very long.
    headers = [index for index, line in enumerate(lines) if len(line) <= MAX_LINE and _HEADER.search(line)]
    rows: list[Row] = []
    averages: list[Row] = []
    accuracy: Rounded | None = None
    total: int | None = None
    complete = True
    for line in lines[headers[0] + 1 if headers else 0 :]:
        if len(line) > MAX_LINE:
            raise FerError(f"A line of this text is too long for a classification report (over {MAX_LINE} characters).")
        if printed := _ACCURACY.match(line):
            accuracy, total = _number(printed[1]), int(printed[2])
        elif printed := _ACCURACY_OF_FRAME.match(line):
            accuracy = _number(printed[1])
        elif match := _ROW.match(line):
            name = " ".join(match[1].split())
            row = Row(name, _number(match[2]), _number(match[3]), _number(match[4]), int(match[5]))
            average = _AVERAGE.match(name)
            kind = "weighted" if _WEIGHTED.match(name) else "" if average is None else average[1].lower()
            if kind in ("macro", "weighted"):
                averages.append(replace(row, name=f"{kind} avg"))
            elif kind:
                complete = False
            elif rows and _SUMMARY.match(name) and row.support == sum(above.support for above in rows):
                raise FerError(
                    f"The line {name!r} is a summary of the rows above. Call it 'macro avg' or 'weighted avg', "
                    "whichever it is, or leave it away."
                )
            else:
                rows.append(row)
        elif line.strip() and re.search(r"\d", line):
            raise FerError(
                f"This line is not understood: {line.strip()[:80]!r}. A row is a class name, precision, recall, F1 "
                "(with a decimal point, or per cent) and the support."
            )
    if not rows:
        raise FerError(
            "This is not a classification report: no line has a class name, precision, recall, F1 and support. Paste "
            "the text that scikit-learn's classification_report prints."
        )
    return Report(tuple(rows), accuracy, total, tuple(averages), complete and bool(averages or accuracy))


def report_of(confusion: NDArray[Any], *, names: Sequence[str] = EMOTIONS, digits: int = 2) -> Report:
    """Return the report that scikit-learn would print for a confusion matrix (rows: true class), with its rounding.

    Undefined scores are printed as 0, scikit-learn's default. ``complete`` is True: the matrix has all classes.
    """
    counts = np.asarray(confusion, dtype=np.int64)
    n = int(counts.sum())
    of = metrics.class_scores(counts)
    scores = np.nan_to_num(np.column_stack([of.precision, of.recall, of.f1]), nan=0.0)

    def row(name: str, values: NDArray[np.float64], count: int) -> Row:
        first, second, third = (_printed(float(value), digits) for value in values)
        return Row(name, first, second, third, count)

    return Report(
        rows=tuple(row(name, scores[k], int(of.support[k])) for k, name in enumerate(names)),
        accuracy=_printed(float(metrics.accuracy(counts)), digits),
        total=n,
        averages=(
            row("macro avg", scores.mean(axis=0), n),
            row("weighted avg", of.support @ scores / n, n),
        ),
    )


def format_report(report: Report) -> str:
    """Return a report in scikit-learn's layout; :func:`parse_report` reads it back."""
    width = max(len(row.name) for row in (*report.rows, *report.averages)) if report.averages else 12
    width = max(width, *(len(row.name) for row in report.rows))

    def line(name: str, *cells: object) -> str:
        return f"{name:>{width}} " + "".join(f" {cell!s:>9}" for cell in cells)

    lines = [line("", "precision", "recall", "f1-score", "support"), ""]
    lines += [line(row.name, *_cells(row), row.support) for row in report.rows]
    lines.append("")
    if report.accuracy is not None:
        lines.append(line("accuracy", "", "", report.accuracy, report.n if report.total is None else report.total))
    lines += [line(row.name, *_cells(row), row.support) for row in report.averages]
    return "\n".join(lines) + "\n"


def _cells(row: Row) -> tuple[object, ...]:
    return tuple("nan" if score is None else score for score in (row.precision, row.recall, row.f1))


def _number(text: str) -> Rounded | None:
    return None if text.lower() == "nan" else Rounded.parse(text)


def _printed(value: float, digits: int) -> Rounded:
    if math.isnan(value):
        raise FerError("A report cannot print a score that is undefined.")
    # Formatting rounds as print does; round() would not always agree with it on the last digit.
    return Rounded(float(f"{value:.{digits}f}"), 0.5 * 10.0**-digits, digits)
