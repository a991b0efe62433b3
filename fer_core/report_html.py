"""The confusion page as one file that needs nothing else: no script, no font, no picture from anywhere.

Faces are left out: FER2013 may not be passed on. What is in the open cell is listed by file name and score.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fer_core import confusion as cm
from fer_core import figures_confusion as figures
from fer_core.evaluation import metrics
from fer_core.evaluation.calibration import Reliability
from fer_core.labels import EMOTIONS, N_CLASSES, display_name, index_of
from fer_core.whatif import ANSWERS, Study, trade_off
from fer_core.wording import MISSING, percent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Members = tuple[int, int, NDArray[np.int64], NDArray[np.float64]]

MAX_MEMBERS: Final = 200
"""Images of the open cell that are listed."""

_STYLE: Final = """
:root{color-scheme:light}
body{font:16px/1.5 system-ui,sans-serif;color:#1E2430;background:#FDFCF9;max-width:1080px;margin:0 auto;padding:1.5rem}
h1,h2{font-family:Georgia,serif;line-height:1.2}h2{margin-top:2.2rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}
th,td{padding:.35rem .6rem;text-align:right;border-bottom:1px solid #E0DBCF;white-space:nowrap}
th[scope=row],td.left{text-align:left}
table.matrix td{text-align:center;min-width:3.4rem;border:2px solid #FDFCF9;border-radius:6px}
td small{display:block;font-size:.7rem;opacity:.85}
figure{margin:0}figcaption{font-size:.8rem}svg{width:100%;height:auto}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(300px,1fr));gap:1.2rem}
.note{color:#4C5262;font-size:.9rem}
"""


def csv_of(records: Sequence[Mapping[str, Any]]) -> str:
    """Return records as csv text, with a header; an undefined value is an empty field."""
    out = io.StringIO()
    if records:
        writer = csv.DictWriter(out, fieldnames=list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
    return out.getvalue()


def class_table(
    study: Study, roc: Sequence[cm.Curve | None], precision_recall: Sequence[cm.Curve | None]
) -> list[dict[str, Any]]:
    """Return the scores of each class as numbers, with the bounds of their 95 % intervals; None where undefined."""
    table = []
    for k, emotion in enumerate(EMOTIONS):
        precision, recall = _rates(study, k)
        curve, pr = roc[k], precision_recall[k]
        table.append(
            {
                "class": emotion,
                "support": recall.n,
                "predicted": precision.n,
                **{f"precision{suffix}": value for suffix, value in _numbers(precision)},
                **{f"recall{suffix}": value for suffix, value in _numbers(recall)},
                "f1": metrics.rounded(study.outcome.f1[k]),
                "roc_auc": None if curve is None else metrics.rounded(curve.area),
                "average_precision": None if pr is None else metrics.rounded(pr.area),
            }
        )
    return table


def class_records(
    study: Study, roc: Sequence[cm.Curve | None], precision_recall: Sequence[cm.Curve | None]
) -> list[dict[str, Any]]:
    """Return the scores of each class as they are shown: ``"45.0 % (41–49 %)"``, a dash where undefined."""
    records = []
    for k, emotion in enumerate(EMOTIONS):
        precision, recall = _rates(study, k)
        records.append(
            {
                "Class": display_name(emotion),
                "Precision": _shown(precision),
                "Recall": _shown(recall),
                "F1": _digits(float(study.outcome.f1[k])),
                "Support": recall.n,
                "Answered": precision.n,
                "ROC-AUC": _area(roc[k]),
                "Average precision": _area(precision_recall[k]),
            }
        )
    return records


def build(
    *,
    title: str,
    setting: str,
    view: str,
    study: Study,
    shown: cm.Cells,
    order: Sequence[int],
    roc: Sequence[cm.Curve | None],
    precision_recall: Sequence[cm.Curve | None],
    reliability: Reliability,
    risk: cm.Curve,
    destinations: tuple[Sequence[cm.Destination], Sequence[cm.Destination]],
    members: Members | None = None,
    names: Sequence[str] | None = None,
    rescued: int = index_of("disgust"),
) -> str:
    """Return the page as HTML.

    Parameters
    ----------
    title : str
        Model and images.
    setting : str
        The what-if setting in words; empty for the model as it is.
    view : str
        What the cells show, in words.
    destinations : pair of sequences of Destination
        Rightly paired matrices, and mis-paired ones.
    members : tuple, optional
        The open cell: label, answer, and the rows and margins of :func:`fer_core.confusion.members`.
    names : sequence of str, optional
        Image names by row, for `members`.
    rescued : int
        The class whose recall is plotted against its price.
    """
    outcome = study.outcome
    paired, mispaired = destinations
    figures_shown = [
        ("Images", str(len(study.labels))),
        ("Accuracy", percent(float(outcome.accuracy))),
        ("Macro-F1", percent(float(outcome.macro_f1))),
        ("Balanced accuracy", percent(float(outcome.balanced_accuracy))),
        ("Answered", percent(float(outcome.coverage))),
        ("ECE", f"{reliability.ece:.3f}"),
    ]
    charts = [
        figures.one_vs_rest([None if c is None else cm.thinned(c) for c in roc], "roc"),
        figures.one_vs_rest([None if c is None else cm.thinned(c) for c in precision_recall], "pr"),
        figures.reliability_chart(reliability),
        figures.risk_chart(cm.thinned(risk)),
        figures.trade_off_chart(trade_off(study.labels, study.proba, study.setting), rescued),
    ]
    pairs = [
        {
            "Pair": f"{display_name(EMOTIONS[p.a])} – {display_name(EMOTIONS[p.b])}",
            "Taken for each other": _shown(p.rate),
            "Images of both": p.rate.n,
        }
        for p in cm.hardest_pairs(study.counts)[:10]
    ]
    label = EMOTIONS[(*paired, *mispaired)[0].klass] if paired or mispaired else ""
    sentences = "".join(f"<li>{_bold(sentence)}</li>" for sentence in cm.destinations_in_words(paired, mispaired))
    parts = [
        f"<h1>Confusion matrix: {escape(title)}</h1>",
        f"<p><b>What if:</b> {escape(setting)}.</p>" if setting else "<p>The model as it is.</p>",
        _table([dict(figures_shown)]),
        f'<h2>Matrix</h2><p class="note">{escape(view)} Rows are labels, columns answers; small: 95 % interval.</p>',
        matrix_html(shown, order, no_answer=bool(study.counts[:, -1].any())),
        _cell_html(study, members, names),
        "<h2>Classes</h2>",
        _table(class_records(study, roc, precision_recall)),
        "<h2>Curves</h2>",
        f'<div class="grid">{"".join(figures.lines_svg(chart) for chart in charts)}</div>',
        "<h2>Hardest pairs</h2>",
        _table(pairs),
        f"<h2>Where does {escape(label)} go?</h2><ul>{sentences}</ul>",
        _table(destination_records([*paired, *mispaired])),
        '<p class="note">A score is for a label of FER2013 and says nothing about what somebody feels. Intervals are '
        "Wilson’s, 95 %; a dash has no denominator.</p>",
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Confusion matrix: {escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body>{''.join(parts)}</body></html>"
    )


def matrix_html(shown: cm.Cells, order: Sequence[int], *, no_answer: bool = False) -> str:
    """Return the matrix as a coloured table."""
    columns = figures.columns(order, no_answer=no_answer)
    fills, inks = figures.paint(shown)
    head = "".join(f'<th scope="col">{ANSWERS[k].capitalize()}</th>' for k in columns)
    rows = []
    for true in order:
        cells = "".join(
            f'<td style="background:{fills[true][k]};color:{inks[true][k]}" '
            f'title="{shown.counts[true, k]} of {shown.n[true, k]}">{escape(shown.text(true, k))}'
            f"<small>{escape(shown.interval(true, k))}</small></td>"
            for k in columns
        )
        images = int(shown.counts[true].sum())
        rows.append(f'<tr><th scope="row">{display_name(EMOTIONS[true])}</th>{cells}<td>{images}</td></tr>')
    return (
        f'<div class="scroll"><table class="matrix"><thead><tr><th scope="col">Label</th>{head}'
        f'<th scope="col">Images</th></tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )


def destination_records(rows: Sequence[cm.Destination]) -> list[dict[str, str | int]]:
    """Return where a label goes as it is shown, one record a matrix; no column for what nobody answers nothing to."""
    columns = [k for k in range(len(ANSWERS)) if k < N_CLASSES or any(row.rates[k].count for row in rows)]
    return [
        {
            "Matrix": row.name,
            "Images": row.n,
            **{ANSWERS[k].capitalize(): _shown(row.rates[k]) for k in columns},
        }
        for row in rows
    ]


def _cell_html(study: Study, members: Members | None, names: Sequence[str] | None) -> str:
    if members is None:
        return ""
    true, answer, rows, margins = members
    of_label = cm.rate(len(rows), int(study.counts[true].sum()))
    listed = [
        {
            "Image": names[row] if names is not None else str(row),
            "Margin": f"{margin:+.2f}",
            **{display_name(e): f"{study.scores[row, k]:.2f}" for k, e in enumerate(EMOTIONS)},
        }
        for row, margin in list(zip(rows.tolist(), margins.tolist(), strict=True))[:MAX_MEMBERS]
    ]
    more = f'<p class="note">The first {MAX_MEMBERS} of {len(rows)}.</p>' if len(rows) > MAX_MEMBERS else ""
    return (
        f"<h2>{EMOTIONS[true]} → {ANSWERS[answer]}</h2><p>Labelled {EMOTIONS[true]}: {escape(str(of_label))} got this "
        f"answer. Worst first.</p>{_table(listed)}{more}"
    )


def _table(records: Sequence[Mapping[str, Any]]) -> str:
    if not records:
        return ""
    head = "".join(f'<th scope="col">{escape(str(name))}</th>' for name in records[0])
    rows = []
    for record in records:
        first, *rest = (escape(str(value)) for value in record.values())
        rows.append(f'<tr><th scope="row">{first}</th>{"".join(f"<td>{value}</td>" for value in rest)}</tr>')
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _bold(text: str) -> str:
    """Turn the sentences' ``**angry**`` into HTML; everything else is plain text."""
    pieces = escape(text).split("**")
    return "".join(f"<b>{piece}</b>" if index % 2 else piece for index, piece in enumerate(pieces))


def _rates(study: Study, k: int) -> tuple[cm.Rate, cm.Rate]:
    """Return precision and recall of a class."""
    hits = int(study.counts[k, k])
    return cm.rate(hits, int(study.outcome.predicted[k])), cm.rate(hits, int(study.outcome.support[k]))


def _numbers(rate: cm.Rate) -> list[tuple[str, float | None]]:
    return [
        ("", metrics.rounded(rate.value)),
        ("_low", metrics.rounded(rate.low)),
        ("_high", metrics.rounded(rate.high)),
    ]


def _shown(rate: cm.Rate) -> str:
    return MISSING if rate.n == 0 else f"{percent(rate.value)} ({rate.interval})"


def _digits(value: float) -> str:
    return MISSING if np.isnan(value) else f"{value:.3f}"


def _area(curve: cm.Curve | None) -> str:
    return MISSING if curve is None else f"{curve.area:.3f}"
