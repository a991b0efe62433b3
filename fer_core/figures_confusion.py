"""Figures of the confusion page: Vega-Lite specifications for a browser, SVG for a file that stands alone.

A specification never holds what changes when somebody clicks or moves a slider: that comes as data beside it, so that a
chart that stands on the page gets new numbers and is not drawn anew. Colours are computed here, cell by cell, so that
the chart, the exported table and the exported picture look the same and every number can be read on its cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fer_core.confusion import Cells, Curve, Destination, rounded
from fer_core.evaluation.calibration import Reliability
from fer_core.figures import ink_on
from fer_core.labels import COLORS, EMOTIONS, N_CLASSES, display_name
from fer_core.whatif import ANSWERS, NO_ANSWER, TradeOff
from fer_core.wording import percent

if TYPE_CHECKING:
    from numpy.typing import NDArray

Spec = dict[str, Any]
Records = list[dict[str, Any]]

SELECTION: Final = "cell"
"""Name of the selection in :func:`matrix_spec`; its fields are ``true`` and ``pred``."""

_SEQUENTIAL: Final = {
    "light": ("#F6F4FA", "#A9ADD9", "#5B64AC", "#222860"),
    "dark": ("#1D2136", "#3E4884", "#737FC8", "#CDD3F5"),
}
_GREYS: Final = {
    "light": ("#F6F4EF", "#CFC9BC", "#8A8578", "#45413A"),
    "dark": ("#1F2228", "#4A4E58", "#868C99", "#D5D8DE"),
}
_DIVERGING: Final = {
    "light": ("#8C3B00", "#DB7A3A", "#F7F3EC", "#5E9BCD", "#164F80"),
    "dark": ("#F0A36B", "#9A4A12", "#20242E", "#2A6AA3", "#8FC3EE"),
}
_EMPTY: Final = {"light": "#EFECE4", "dark": "#262B36"}
_MODELS: Final = {
    "light": ("#3D4A9E", "#C8553D", "#1B7F79", "#A66E00", "#8A3F8F", "#4F6D2F"),
    "dark": ("#8D98D9", "#F08A6E", "#4FC3BA", "#E3B23C", "#D58FD9", "#A3C46F"),
}
_SLANTED: Final[Spec] = {
    "labelAngle": {"expr": "width < 380 ? -50 : 0"},
    "labelAlign": {"expr": "width < 380 ? 'left' : 'center'"},
    "labelOverlap": False,
}
"""Labels of the classes that stand aslant on a phone."""

_GREY: Final = {"light": "#8A8578", "dark": "#9AA0AE"}
_INK: Final = {"light": "#1E2430", "dark": "#ECE9E2"}
_MARK: Final = {"light": "#B3261E", "dark": "#FFD166"}


@dataclass(frozen=True)
class Series:
    """One line of a chart."""

    name: str
    curve: Curve
    color: str
    dashed: bool = False


@dataclass(frozen=True)
class Chart:
    """Lines from 0 to 1 (upwards: to `top`), to be drawn by :func:`lines_spec` or :func:`lines_svg`."""

    title: str
    x: str
    y: str
    series: tuple[Series, ...]
    diagonal: bool = False
    top: float = 1.0


def theme(dark: bool) -> str:
    """Return the name of the colours: ``"dark"`` or ``"light"``."""
    return "dark" if dark else "light"


def paint(shown: Cells, *, dark: bool = False) -> tuple[list[list[str]], list[list[str]]]:
    """Return the colour of each cell and of the text on it, as hexadecimal; two lists of 7 lists of 8.

    Shares are shaded by their square root, since most of what matters lies between 0 and 30 %; differences by their
    part of the largest one.
    """
    value = shown.value
    if shown.signed:
        largest = max(float(np.nanmax(np.abs(value))) if not np.isnan(value).all() else 0.0, 0.05)
        ramp: Sequence[str] = _DIVERGING[theme(dark)]
        position = 0.5 + value / largest / 2
    else:
        top = max(float(value.max()), 1.0) if shown.view == "counts" else 1.0
        ramp, position = _SEQUENTIAL[theme(dark)], np.sqrt(value / top)
    fills, inks = [], []
    for row in position:
        fills.append([_EMPTY[theme(dark)] if np.isnan(p) else _along(ramp, float(p)) for p in row])
        # Pure black, not the ink of boxes on photos: only then one of the two has a contrast of 4.5 on every colour.
        inks.append(["#FFFFFF" if ink_on(color) == "#FFFFFF" else "#000000" for color in fills[-1]])
    return fills, inks


def matrix_records(
    shown: Cells,
    order: Sequence[int],
    *,
    opened: tuple[int, int] | None = None,
    no_answer: bool = False,
    dark: bool = False,
) -> Records:
    """Return one record a cell for :func:`matrix_spec`, in reading order."""
    fills, inks = paint(shown, dark=dark)
    return [
        {
            "true": EMOTIONS[true],
            "pred": ANSWERS[answer],
            "text": shown.text(true, answer),
            "images": f"{shown.counts[true, answer]} of {shown.n[true, answer]}",
            "interval": shown.interval(true, answer) or "–",
            "fill": fills[true][answer],
            "ink": inks[true][answer],
            "hit": true == answer,
            "open": (true, answer) == opened,
        }
        for true in order
        for answer in columns(order, no_answer=no_answer)
    ]


def columns(order: Sequence[int], *, no_answer: bool) -> list[int]:
    """Return the answers that have a column, in their order."""
    return [*order, NO_ANSWER] if no_answer else list(order)


def matrix_spec(order: Sequence[int], *, no_answer: bool = False, signed: bool = False, dark: bool = False) -> Spec:
    """Return the clickable matrix; its data are :func:`matrix_records`.

    The click is a point selection named :data:`SELECTION` on whole cells. Text and frame lie above and let it through.
    """
    names = [EMOTIONS[k] for k in order]
    shown = columns(order, no_answer=no_answer)
    capital = "upper(slice(datum.label, 0, 1)) + slice(datum.label, 1)"
    axis = {
        "labelExpr": capital,
        "ticks": False,
        "domain": False,
        "labelFontSize": 13,
        "titlePadding": 10,
        "grid": False,
    }
    x = {
        "field": "pred",
        "type": "nominal",
        "sort": [ANSWERS[k] for k in shown],
        "title": "Answer of the model",
        "axis": {**axis, "orient": "top", **_SLANTED, "labelBaseline": {"expr": "width < 380 ? 'middle' : 'bottom'"}},
        "scale": {"padding": 0.03},
    }
    y = {
        "field": "true",
        "type": "nominal",
        "sort": names,
        "title": "Label",
        "axis": axis,
        "scale": {"padding": 0.03},
    }
    tooltip = [
        {"field": "true", "title": "Label"},
        {"field": "pred", "title": "Answer"},
        {"field": "images", "title": "Images"},
        {"field": "text", "title": "Points" if signed else "Shown"},
        {"field": "interval", "title": "95 % interval"},
    ]
    return {
        "height": 520,
        "encoding": {"x": x, "y": y},
        "layer": [
            {
                "params": [
                    {
                        "name": SELECTION,
                        # without `clear`, a click beside the matrix would close the cell and empty the address
                        "select": {"type": "point", "fields": ["true", "pred"], "clear": False, "toggle": False},
                    }
                ],
                "mark": {"type": "rect", "cursor": "pointer", "cornerRadius": 4},
                "encoding": {"color": {"field": "fill", "type": "nominal", "scale": None}, "tooltip": tooltip},
            },
            {
                "mark": {"type": "text", "fontSize": {"expr": f"min(15, width / {3 * len(shown)})"}},
                "encoding": {
                    "text": {"field": "text"},
                    "color": {"field": "ink", "type": "nominal", "scale": None},
                },
            },
            {
                "transform": [{"filter": "datum.open"}],
                "mark": {
                    "type": "rect",
                    "filled": False,
                    "strokeWidth": 3.5,
                    "cornerRadius": 4,
                    "stroke": _MARK[theme(dark)],
                },
            },
        ],
        "padding": {"left": 4, "top": 4, "right": 18, "bottom": 4},  # the last slanted label reaches beyond the cells
        "config": {"view": {"stroke": None}},
    }


def lines_spec(chart: Chart, *, height: int = 400) -> tuple[Spec, Records]:
    """Return a chart of lines and its data."""
    names = [series.name for series in chart.series]
    records = [
        {"name": series.name, "x": float(x), "y": float(y), "i": index}
        for series in chart.series
        for index, (x, y) in enumerate(zip(series.curve.x, series.curve.y, strict=True))
    ]
    unit = {"domain": [0, 1], "nice": False}
    percent_axis = {"format": "~%", "tickCount": 5}
    layers: list[Spec] = []
    if chart.diagonal:
        layers.append(_diagonal())
    layers.append(
        {
            "mark": {"type": "line", "strokeWidth": 2.2, "clip": True},
            "encoding": {
                "order": {"field": "i", "type": "quantitative"},
                "strokeDash": {
                    "field": "name",
                    "scale": {"domain": names, "range": [[5, 4] if s.dashed else [1, 0] for s in chart.series]},
                    "legend": None,
                },
                "color": {
                    "field": "name",
                    "scale": {"domain": names, "range": [series.color for series in chart.series]},
                    "legend": {"orient": "bottom", "columns": 3, "title": None, "labelLimit": 260},
                },
                "tooltip": [
                    {"field": "name", "title": " "},
                    {"field": "x", "title": chart.x, "format": ".1%"},
                    {"field": "y", "title": chart.y, "format": ".1%"},
                ],
            },
        }
    )
    spec = {
        "height": height,
        "title": {"text": chart.title, "anchor": "start"},
        "encoding": {
            "x": {"field": "x", "type": "quantitative", "title": chart.x, "scale": unit, "axis": percent_axis},
            "y": {
                "field": "y",
                "type": "quantitative",
                "title": chart.y,
                "scale": {"domain": [0, chart.top], "nice": False},
                "axis": percent_axis,
            },
        },
        "layer": layers,
    }
    return spec, records


def lines_svg(chart: Chart, *, width: int = 420, height: int = 320) -> str:
    """Return a chart of lines as SVG that needs nothing else."""
    left, right, top, bottom = 52, 12, 26, 42
    w, h = width - left - right, height - top - bottom

    def at(x: float, y: float) -> str:
        return f"{left + x * w:.1f},{top + (1 - y / chart.top) * h:.1f}"

    parts = [f'<text x="{left}" y="16" font-size="14" font-weight="600">{escape(chart.title)}</text>']
    for tick in (0, 0.25, 0.5, 0.75, 1):
        x, y = left + tick * w, top + (1 - tick) * h
        parts.append(f'<path d="M{left} {y:.1f}H{left + w}" stroke="#DDD8CC" stroke-width="1"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{tick * chart.top:.0%}</text>')
        parts.append(f'<text x="{x:.1f}" y="{top + h + 16}" text-anchor="middle">{tick:.0%}</text>')
    parts.append(f'<text x="{left + w / 2}" y="{height - 8}" text-anchor="middle">{escape(chart.x)}</text>')
    middle = top + h / 2
    parts.append(
        f'<text x="12" y="{middle}" text-anchor="middle" transform="rotate(-90 12 {middle})">{escape(chart.y)}</text>'
    )
    if chart.diagonal:
        parts.append(f'<path d="M{at(0, 0)}L{at(1, 1)}" stroke="#8A8578" stroke-dasharray="4 4" fill="none"/>')
    for series in chart.series:
        points = " ".join(
            at(min(max(float(x), 0), 1), min(max(float(y), 0), chart.top))
            for x, y in zip(series.curve.x, series.curve.y, strict=True)
        )
        dash = ' stroke-dasharray="5 4"' if series.dashed else ""
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{series.color}" stroke-width="2"{dash}>'
            f"<title>{escape(series.name)}</title></polyline>"
        )
    legend = "".join(
        f'<span style="white-space:nowrap"><span style="color:{series.color}">{"┅" if series.dashed else "━"}</span> '
        f"{escape(series.name)}</span> "
        for series in chart.series
    )
    names = ", ".join(series.name for series in chart.series)
    return (
        f'<figure><svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(chart.title)}: {escape(names)}" '
        f'font-size="11" font-family="sans-serif">{"".join(parts)}</svg><figcaption>{legend}</figcaption></figure>'
    )


def trade_off_spec(klass: str, *, dark: bool = False) -> Spec:
    """Return the curves over tau; its data are :func:`trade_off_records`."""
    colors = _MODELS[theme(dark)]
    names = ["Accuracy", "Macro-F1", f"Recall of {klass}"]
    return {
        "height": 300,
        "encoding": {"x": {"field": "tau", "type": "quantitative", "title": "τ", "scale": {"domain": [0, 2]}}},
        "layer": [
            {
                "transform": [{"filter": "isValid(datum.value)"}],
                "mark": {"type": "line", "strokeWidth": 2.2},
                "encoding": {
                    "y": {
                        "field": "value",
                        "type": "quantitative",
                        "title": None,
                        "scale": {"domain": [0, 1]},
                        "axis": {"format": "~%", "tickCount": 5},
                    },
                    "color": {
                        "field": "figure",
                        "scale": {"domain": names, "range": list(colors[:3])},
                        "legend": {"orient": "bottom", "title": None, "columns": 2},
                    },
                    "strokeDash": {
                        "field": "images",
                        "scale": {"domain": ["shown", "validation"], "range": [[1, 0], [3, 4]]},
                        "legend": None,
                    },
                    "tooltip": [
                        {"field": "figure", "title": "Figure"},
                        {"field": "images", "title": "Images"},
                        {"field": "tau", "title": "τ", "format": ".1f"},
                        {"field": "value", "title": "Value", "format": ".1%"},
                    ],
                },
            },
            {
                "transform": [{"filter": "datum.figure == 'chosen'"}],
                "mark": {"type": "rule", "strokeWidth": 2, "color": _MARK[theme(dark)]},
            },
        ],
    }


def trade_off_records(shown: TradeOff, validation: TradeOff | None, klass: int, tau: float) -> Records:
    """Return what each tau gives on the images shown and on validation, and the tau that is set."""
    records: Records = [{"figure": "chosen", "images": "", "tau": tau, "value": None}]
    for images, curve in (("shown", shown), ("validation", validation)):
        if curve is None:
            continue
        figures = {
            "Accuracy": curve.outcome.accuracy,
            "Macro-F1": curve.outcome.macro_f1,
            f"Recall of {EMOTIONS[klass]}": curve.outcome.recall[:, klass],
        }
        for name, values in figures.items():
            for tau_value, value in zip(curve.taus, values, strict=True):
                number = None if np.isnan(value) else float(value)
                records.append({"figure": name, "images": images, "tau": float(tau_value), "value": number})
    return records


def trade_off_chart(curve: TradeOff, klass: int) -> Chart:
    """Return what recall of a class costs: accuracy and macro-F1 against recall, one point a tau."""
    colors = _MODELS["light"]
    recall = curve.outcome.recall[:, klass]
    return Chart(
        f"What recall of {EMOTIONS[klass]} costs (τ from 0 to 2)",
        f"Recall of {EMOTIONS[klass]}",
        "Accuracy, macro-F1",
        (
            Series("Accuracy", Curve(recall, curve.outcome.accuracy, float("nan")), colors[0]),
            Series("Macro-F1", Curve(recall, curve.outcome.macro_f1, float("nan")), colors[1]),
        ),
    )


def reliability_spec(bins: Reliability, *, dark: bool = False) -> tuple[Spec, Records]:
    """Return a reliability diagram with intervals and its data."""
    records = [
        {
            "score": float(bins.confidence[b]),
            "right": float(bins.accuracy[b]),
            "low": float(bins.low[b]),
            "high": float(bins.high[b]),
            "count": int(bins.count[b]),
        }
        for b in np.flatnonzero(bins.count)
    ]
    unit = {"domain": [0, 1]}
    axis = {"format": "~%", "tickCount": 5}
    color = _MODELS[theme(dark)][0]
    spec = {
        "height": 340,
        "title": {"text": "Reliability of the highest score", "anchor": "start"},
        "encoding": {
            "x": {"field": "score", "type": "quantitative", "title": "Mean score", "scale": unit, "axis": axis}
        },
        "layer": [
            _diagonal(),
            {
                "mark": {"type": "rule", "color": color},
                "encoding": {"y": {"field": "low", "type": "quantitative"}, "y2": {"field": "high"}},
            },
            {
                "mark": {"type": "line", "color": color, "point": {"filled": True, "size": 60, "color": color}},
                "encoding": {
                    "y": {
                        "field": "right",
                        "type": "quantitative",
                        "title": "Answered rightly",
                        "scale": unit,
                        "axis": axis,
                    },
                    "tooltip": [
                        {"field": "score", "title": "Mean score", "format": ".1%"},
                        {"field": "right", "title": "Answered rightly", "format": ".1%"},
                        {"field": "low", "title": "From", "format": ".1%"},
                        {"field": "high", "title": "To", "format": ".1%"},
                        {"field": "count", "title": "Images"},
                    ],
                },
            },
        ],
    }
    return spec, records


def reliability_chart(bins: Reliability) -> Chart:
    """Return a reliability diagram as lines."""
    filled = bins.count > 0
    curve = Curve(bins.confidence[filled], bins.accuracy[filled], bins.ece)
    return Chart(
        f"Reliability, ECE {bins.ece:.3f}",
        "Mean score",
        "Answered rightly",
        (Series("Highest score", curve, _MODELS["light"][0]),),
        diagonal=True,
    )


def one_vs_rest(curves: Sequence[Curve | None], kind: str) -> Chart:
    """Return ROC (`kind` ``"roc"``) or precision–recall curves; a class without one is left out."""
    series = tuple(
        Series(f"{display_name(emotion)} {curve.area:.3f}", curve, COLORS[emotion])
        for emotion, curve in zip(EMOTIONS, curves, strict=True)
        if curve is not None
    )
    if kind == "roc":
        return Chart("ROC, area under it", "False-positive rate", "True-positive rate", series, diagonal=True)
    return Chart("Precision and recall, average precision", "Recall", "Precision", series)


def risk_chart(curve: Curve, *, dark: bool = False) -> Chart:
    """Return the risk–coverage curve."""
    series = Series(f"Errors among the surest, mean {percent(curve.area)}", curve, _MODELS[theme(dark)][0])
    top = min(1.0, max(0.1, 1.15 * float(curve.y.max())))
    return Chart("Risk and coverage", "Images answered (coverage)", "Of these wrong (risk)", (series,), top=top)


def histogram_spec(true: str, answer: str) -> Spec:
    """Return two distributions of scores; its data are :func:`histogram_records`."""
    names = [f"for {true} (the label)", f"for {answer} (the answer)"]
    colors = [COLORS[true], COLORS.get(answer, _GREY["light"])]
    if true == answer or answer not in COLORS:
        names, colors = names[:1], colors[:1]
    return {
        "height": 270,
        "mark": {"type": "bar"},
        "encoding": {
            "x": {"field": "bin", "type": "ordinal", "title": "Score", "axis": {"labelAngle": 0}},
            "xOffset": {"field": "name", "sort": names},
            "y": {
                "field": "count",
                "type": "quantitative",
                "title": "Images",
                "axis": {"tickMinStep": 1, "tickCount": 4},
            },
            "color": {
                "field": "name",
                "scale": {"domain": names, "range": colors},
                "legend": {"orient": "top", "title": None, "columns": 1},
            },
            "tooltip": [
                {"field": "name", "title": "Score"},
                {"field": "range", "title": "From–to"},
                {"field": "count"},
            ],
        },
    }


def histogram_records(scores: NDArray[Any], true: int, answer: int) -> Records:
    """Count the scores (M, 7) of a cell's images for label and answer in ten bins."""
    wanted = {f"for {EMOTIONS[true]} (the label)": true}
    if answer not in (true, NO_ANSWER):
        wanted[f"for {EMOTIONS[answer]} (the answer)"] = answer
    records: Records = []
    for name, k in wanted.items():
        counts, edges = np.histogram(scores[:, k], bins=10, range=(0, 1))
        for b, count in enumerate(counts):
            text = f"{edges[b]:.1f}–{edges[b + 1]:.1f}"
            records.append({"name": name, "bin": f"{edges[b]:.1f}", "range": text, "count": int(count)})
    return records


def destinations_spec(
    rows: Sequence[Destination], greys: Sequence[str] = (), *, dark: bool = False
) -> tuple[Spec, Records]:
    """Return the rows of one label below each other, each with its name above; those named in `greys` in grey."""
    names = [row.name for row in rows]
    answers = [k for k in range(len(ANSWERS)) if k != NO_ANSWER or any(row.rates[k].count for row in rows)]
    records: Records = []
    for row in rows:
        ramp = (_GREYS if row.name in greys else _SEQUENTIAL)[theme(dark)]
        for k in answers if row.n else ():
            rate = row.rates[k]
            fill = _along(ramp, float(np.sqrt(rate.value)))
            records.append(
                {
                    "model": row.name,
                    "answer": ANSWERS[k],
                    "text": rounded(rate.value),
                    "long": f"{rounded(rate.value)}  ({rate.interval})",
                    "images": f"{rate.count} of {row.n}",
                    "interval": rate.interval,
                    "fill": fill,
                    "ink": "#FFFFFF" if ink_on(fill) == "#FFFFFF" else "#000000",
                    "first": k == answers[0],
                }
            )
    spec = {
        "height": {"step": 50},
        "encoding": {
            "x": {
                "field": "answer",
                "type": "nominal",
                "sort": [ANSWERS[k] for k in answers],
                "title": "Answer",
                "axis": {
                    **_SLANTED,
                    "orient": "top",
                    "domain": False,
                    "ticks": False,
                    "labelBaseline": {"expr": "width < 380 ? 'middle' : 'bottom'"},
                },
                "scale": {"padding": 0.03},
            },
            "y": {
                "field": "model",
                "type": "nominal",
                "sort": names,
                "axis": None,
                "scale": {"paddingInner": 0, "paddingOuter": 0},
            },
        },
        "layer": [
            {
                "mark": {"type": "rect", "cornerRadius": 4, "height": 26, "yOffset": 9},
                "encoding": {
                    "color": {"field": "fill", "type": "nominal", "scale": None},
                    "tooltip": [
                        {"field": "model", "title": "Model"},
                        {"field": "answer", "title": "Answer"},
                        {"field": "images", "title": "Images"},
                        {"field": "text", "title": "Share"},
                        {"field": "interval", "title": "95 % interval"},
                    ],
                },
            },
            {
                "transform": [{"calculate": "width < 700 ? datum.text : datum.long", "as": "shown"}],
                "mark": {
                    "type": "text",
                    "yOffset": 9,
                    "fontSize": {"expr": f"min(13, width / {3.6 * len(answers)})"},
                },
                "encoding": {
                    "text": {"field": "shown"},
                    "color": {"field": "ink", "type": "nominal", "scale": None},
                },
            },
            {
                "transform": [{"filter": "datum.first"}],
                "mark": {
                    "type": "text",
                    "align": "left",
                    "yOffset": -13,
                    "fontSize": 12.5,
                    "limit": {"expr": "width"},
                    "color": _INK[theme(dark)],
                },
                "encoding": {"x": {"value": 2}, "text": {"field": "model"}},
            },
        ],
        "padding": {"left": 4, "top": 4, "right": 18, "bottom": 4},  # the last slanted label reaches beyond the cells
        "config": {"view": {"stroke": None}},
    }
    return spec, records


def matrix_png(shown: Cells, order: Sequence[int], title: str, *, no_answer: bool = False, scale: int = 2) -> bytes:
    """Return the matrix as a PNG picture, on white."""
    from PIL import Image, ImageDraw, ImageFont

    from fer_core.images import encode_png

    side, left, top = 92 * scale, 110 * scale, 110 * scale
    shown_columns = columns(order, no_answer=no_answer)
    fills, inks = paint(shown)
    size = (left + side * len(shown_columns) + 16 * scale, top + side * N_CLASSES + 16 * scale)
    picture = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(picture)

    def write(x: float, y: float, text: str, points: int, anchor: str, color: str = "#1E2430") -> None:
        draw.text((x, y), text, fill=color, font=ImageFont.load_default(points * scale), anchor=anchor)

    write(16 * scale, 22 * scale, title, 17, "lm")
    write(16 * scale, 50 * scale, "rows: label, columns: answer of the model", 13, "lm", "#5A6070")
    for j, answer in enumerate(shown_columns):
        write(left + side * (j + 0.5), top - 14 * scale, ANSWERS[answer].capitalize(), 14, "mm")
    for i, true in enumerate(order):
        write(left - 12 * scale, top + side * (i + 0.5), display_name(EMOTIONS[true]), 14, "rm")
        for j, answer in enumerate(shown_columns):
            x, y = left + side * j, top + side * i
            box = (x + scale, y + scale, x + side - scale, y + side - scale)
            draw.rounded_rectangle(box, 5 * scale, fill=fills[true][answer])
            # the bundled font has no minus sign
            text = shown.text(true, answer).replace("−", "-").replace("–", "-")
            write(x + side / 2, y + side / 2, text, 18, "mm", inks[true][answer])
    return encode_png(np.asarray(picture))


def _diagonal() -> Spec:
    return {
        "data": {"values": [{"a": 0, "b": 0}, {"a": 1, "b": 1}]},
        "mark": {"type": "line", "strokeDash": [4, 4], "color": _GREY["light"], "strokeWidth": 1.2},
        "encoding": {"x": {"field": "a", "type": "quantitative"}, "y": {"field": "b", "type": "quantitative"}},
    }


def _along(ramp: Sequence[str], position: float) -> str:
    """Return the colour at a position (0-1) of a ramp, mixed linearly between its colours."""
    place = min(max(position, 0.0), 1.0) * (len(ramp) - 1)
    first = min(int(place), len(ramp) - 2)
    mixed = [
        round(int(a, 16) + (int(b, 16) - int(a, 16)) * (place - first))
        for a, b in ((ramp[first][i : i + 2], ramp[first + 1][i : i + 2]) for i in (1, 3, 5))
    ]
    return "#" + "".join(f"{channel:02X}" for channel in mixed)
