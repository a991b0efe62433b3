"""Figures of the pages "Models" and "Report check": Vega-Lite specifications, and the records they draw.

Like :mod:`fer_core.figures_confusion`: what a visitor changes comes as records beside the specification.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fer_core.evaluation.bootstrap import Estimate
from fer_core.figures_confusion import Records, Spec, theme
from fer_core.labels import EMOTIONS, display_name
from fer_core.leaderboard import KIND_NAMES, Row, best
from fer_core.side_by_side import IMPROVED, Network
from fer_core.wording import PART_NAMES, percent, sentence_case

KIND_COLORS: Final = {
    "light": {
        "trained": "#3D4A9E",
        "rebuilt": "#1B7F79",
        "claim": "#B3261E",
        "measured": "#8A5A00",
        "published": "#7A3B80",
        "people": "#5F6470",
    },
    "dark": {
        "trained": "#9AA6F2",
        "rebuilt": "#4FC3BA",
        "claim": "#F2897F",
        "measured": "#E3B23C",
        "published": "#D58FD9",
        "people": "#B9BDC8",
    },
}
"""One colour a kind of row, dark enough (light enough) to be read as text on the page."""

AXES: Final = {
    "milliseconds": "ms a face",
    "parameters": "Parameters, millions",
    "megabytes": "Size of the model, MB",
}
"""What accuracy is drawn against: a field of ``Row`` and its title."""

_SERIES: Final = {"light": ("#3D4A9E", "#C8553D"), "dark": ("#8D98D9", "#F08A6E")}
_INK: Final = {"light": "#1E2430", "dark": "#ECE9E2"}
_GREY: Final = {"light": "#6B6F7A", "dark": "#A4AAB6"}
_PAPER: Final = {"light": "#FDFCF9", "dark": "#14171E"}

_TITLES: Final = {
    "train_loss": "Training loss",
    "loss": "Training loss",
    "val_loss": "Validation loss",
    "val_accuracy": "Validation accuracy",
    "val_macro_f1": "Validation macro-F1",
}


def axes_of(table: Sequence[Row]) -> list[str]:
    """Return the entries of :data:`AXES` that are known of some model trained here."""
    return [axis for axis in AXES if any(_value(row, axis) is not None for row in _own(table))]


def plane_records(table: Sequence[Row], axis: str) -> Records:
    """Return the models trained here as points, and the best of every other kind as a line across.

    Points are numbered from the most accurate on: names of a dozen models would cover each other.
    """
    own = [(row, _value(row, axis)) for row in _own(table)]
    placed = [(row, value) for row, value in own if value is not None and row.accuracy is not None]
    placed.sort(key=lambda pair: -(pair[0].accuracy or 0.0))
    records = [_record(row, "model", value) | {"number": n} for n, (row, value) in enumerate(placed, 1)]
    for kinds in (("claim",), ("people",), ("measured",), ("published",)):
        reference = best(table, *kinds)
        if reference is not None:
            records.append(_record(reference, "line", None))
    return records


def without_point(table: Sequence[Row], axis: str) -> list[str]:
    """Return the names of the models trained here whose place on an axis of the chart is not known."""
    return [row.name for row in _own(table) if row.accuracy is not None and _value(row, axis) is None]


def plane_key(records: Records) -> str:
    """Return in Markdown which model each number of :func:`plane_records` is."""
    return " · ".join(f"**{record['number']}** {record['name']}" for record in records if record["what"] == "model")


def plane_spec(records: Records, axis: str, *, dark: bool = False) -> Spec:
    """Return accuracy against what it costs; its data are :func:`plane_records`."""
    colors = KIND_COLORS[theme(dark)]
    values = [record["x"] for record in records if record["x"] is not None]
    levels = [record["accuracy"] for record in records]
    low, high = min(levels, default=0.3), max(levels, default=0.8)
    color = {
        "field": "kind",
        "type": "nominal",
        "scale": {"domain": list(KIND_NAMES.values()), "range": [colors[kind] for kind in KIND_NAMES]},
        "legend": None,
    }
    y = {
        "field": "accuracy",
        "type": "quantitative",
        "title": "Accuracy",
        "scale": {"domain": [max(0.0, low - 0.06), min(1.0, high + 0.06)], "nice": False},
        "axis": {"format": "~%", "tickCount": 6, "gridOpacity": 0.5},
    }
    x = {
        "field": "x",
        "type": "quantitative",
        "title": AXES[axis],
        # to the right there is room for what the lines are
        "scale": {"type": "log", "domain": [min(values, default=1) / 2, max(values, default=1) * 5], "nice": False},
        "axis": {"grid": False, "tickCount": 5, "format": "~r"},
    }
    tooltip = [
        {"field": "name", "title": "Model"},
        {"field": "kind", "title": "Kind"},
        {"field": "images", "title": "Images"},
        {"field": "shown", "title": "Accuracy"},
    ]
    lines, points = {"filter": "datum.what == 'line'"}, {"filter": "datum.what == 'model'"}
    return {
        "height": 400,
        "encoding": {"y": y, "color": color},
        "layer": [
            {
                "transform": [lines],
                "mark": {"type": "rule", "strokeDash": [5, 4], "strokeWidth": 1.4, "opacity": 0.9},
                "encoding": {"tooltip": tooltip},
            },
            *(
                {
                    "transform": [lines, {"filter": f"datum.kind {'==' if below else '!='} '{KIND_NAMES['people']}'"}],
                    "mark": {
                        "type": "text",
                        "align": "right",
                        "baseline": "top" if below else "bottom",
                        "dy": 4 if below else -3,
                        "fontSize": {"expr": "width < 460 ? 10 : 12"},
                        "limit": {"expr": "width - 8"},
                    },
                    "encoding": {"x": {"value": "width"}, "text": {"field": "label"}},
                }
                for below in (False, True)  # people and the best package are nearly level
            ),
            {
                "transform": [points],
                "mark": {"type": "rule", "strokeWidth": 2},
                "encoding": {"x": x, "y": {"field": "low", "type": "quantitative"}, "y2": {"field": "high"}},
            },
            {
                "transform": [points],
                "mark": {
                    "type": "point",
                    "filled": True,
                    "size": 230,
                    "opacity": 1,
                    "stroke": _PAPER[theme(dark)],
                    "strokeWidth": 1.5,
                },
                "encoding": {"x": x, "tooltip": tooltip},
            },
            {
                "transform": [points],
                "mark": {"type": "text", "fontSize": 11, "fontWeight": 700},
                "encoding": {
                    "x": x,
                    "text": {"field": "number"},
                    "color": {"value": _PAPER[theme(dark)]},  # white on dark points, dark on the light ones
                    "tooltip": tooltip,
                },
            },
        ],
        "config": {"view": {"stroke": None}},
    }


def networks_records(table: Sequence[Network]) -> Records:
    """Return one record for each figure of each network: what the report claims, the rebuild, the improvement."""
    records: Records = []
    for network in table:
        rows = {
            KIND_NAMES["claim"]: network.claim,
            KIND_NAMES["rebuilt"]: network.rebuilt,
            IMPROVED: network.improved,
        }
        for what, row in rows.items():
            if row is not None and row.accuracy is not None:
                records.append(
                    {
                        "network": network.name,
                        "what": what,
                        "accuracy": row.accuracy,
                        "low": row.accuracy if row.low is None else row.low,
                        "high": row.accuracy if row.high is None else row.high,
                        "shown": percent(row.accuracy) + row.around,
                    }
                )
    return records


def networks_spec(records: Records, *, dark: bool = False) -> Spec:
    """Return three points a network on one line of accuracy; its data are :func:`networks_records`."""
    colors = KIND_COLORS[theme(dark)]
    kinds = [KIND_NAMES["claim"], KIND_NAMES["rebuilt"], IMPROVED]
    names = list(dict.fromkeys(record["network"] for record in records))
    color = {
        "field": "what",
        "type": "nominal",
        "scale": {"domain": kinds, "range": [colors[kind] for kind in ("claim", "rebuilt", "trained")]},
        "legend": {"orient": "bottom", "title": None, "columns": {"expr": "width < 320 ? 1 : 3"}},
    }
    x = {
        "field": "accuracy",
        "type": "quantitative",
        "title": f"Accuracy on {PART_NAMES['all']}",
        "scale": {"zero": False, "padding": 12},
        "axis": {"format": "~%", "tickCount": 6, "gridOpacity": 0.5},
    }
    return {
        "height": {"step": 44},
        "encoding": {
            "y": {
                "field": "network",
                "type": "nominal",
                "sort": names,
                "title": None,
                "axis": {"ticks": False, "domain": False, "labelFontSize": 13, "labelFlush": False, "labelLimit": 150},
            },
            "tooltip": [
                {"field": "network", "title": "Network"},
                {"field": "what", "title": " "},
                {"field": "shown", "title": "Accuracy"},
            ],
        },
        "layer": [
            {
                "mark": {"type": "line", "strokeWidth": 1.2, "opacity": 0.6, "color": _GREY[theme(dark)]},
                "encoding": {"x": x, "detail": {"field": "network"}},
            },
            {
                "mark": {"type": "rule", "strokeWidth": 3},
                "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}, "color": color},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 120, "opacity": 1},
                "encoding": {
                    "x": x,
                    "color": color,
                    "shape": {
                        "field": "what",
                        "type": "nominal",
                        "scale": {"domain": kinds, "range": ["diamond", "circle", "square"]},
                        "legend": color["legend"],
                    },
                },
            },
        ],
        "config": {"view": {"stroke": None}},
    }


def history_series(history: Mapping[str, Sequence[float | None]], kind: str) -> list[str]:
    """Return the columns of a training history that are losses (`kind` ``"loss"``) or scores (``"score"``)."""
    if kind == "loss":
        return [column for column in history if column == "loss" or column.endswith("_loss")]
    return [column for column in history if column.endswith(("accuracy", "macro_f1"))]


def history_records(
    history: Mapping[str, Sequence[float | None]], kind: str, kept: int | None, small_epochs: int = 0
) -> Records:
    """Return one record a value, with whether its epoch was kept, and whether the input was larger from it on."""
    epochs = history["epoch"]
    records: Records = []
    for column in history_series(history, kind):
        for epoch, value in zip(epochs, history[column], strict=True):
            if epoch is not None and value is not None:
                title = _TITLES.get(column, column)
                at: dict[str, Any] = {"name": title, "epoch": int(epoch), "value": value, "kept": int(epoch) == kept}
                records.append(at | {"grown": small_epochs > 0 and int(epoch) == small_epochs + 1})
    return records


def history_spec(records: Records, kind: str, *, dark: bool = False) -> Spec:
    """Return losses or scores over the epochs; its data are :func:`history_records`."""
    names = list(dict.fromkeys(record["name"] for record in records))
    axis: Spec = {"grid": True, "gridOpacity": 0.5} | ({} if kind == "loss" else {"format": ".0%"})
    shown = ".3f" if kind == "loss" else ".1%"
    return {
        "height": 300,
        "title": {"text": "Loss" if kind == "loss" else "Scores on validation images", "anchor": "start"},
        "encoding": {
            "x": {
                "field": "epoch",
                "type": "quantitative",
                "title": "Epoch",
                "axis": {"tickMinStep": 1, "format": "d", "grid": False},
                "scale": {"nice": False, "zero": False, "padding": 8},
            }
        },
        "layer": [
            {
                "transform": [
                    {"filter": "datum.grown"},
                    {"aggregate": [], "groupby": ["epoch"]},
                    {"calculate": "datum.epoch - 0.5", "as": "between"},
                ],
                "mark": {"type": "rule", "strokeDash": [1, 3], "strokeWidth": 1.6, "color": _GREY[theme(dark)]},
                "encoding": {"x": {"field": "between", "type": "quantitative"}},
            },
            {
                "transform": [{"filter": "datum.kept"}, {"aggregate": [], "groupby": ["epoch"]}],
                "mark": {"type": "rule", "strokeDash": [4, 4], "strokeWidth": 1.6, "color": _INK[theme(dark)]},
            },
            {
                "mark": {"type": "line", "strokeWidth": 2.2, "point": {"filled": True, "size": 28}},
                "encoding": {
                    "y": {
                        "field": "value",
                        "type": "quantitative",
                        "title": None,
                        "scale": {"zero": False},
                        "axis": axis,
                    },
                    "color": {
                        "field": "name",
                        "type": "nominal",
                        "scale": {"domain": names, "range": list(_SERIES[theme(dark)])},
                        "legend": {"orient": "bottom", "title": None, "labelLimit": 240},
                    },
                    "tooltip": [
                        {"field": "name", "title": " "},
                        {"field": "epoch", "title": "Epoch"},
                        {"field": "value", "title": "Value", "format": shown},
                    ],
                },
            },
            {
                "transform": [{"filter": "datum.kept"}],
                "mark": {"type": "point", "filled": False, "size": 150, "strokeWidth": 2.4, "color": _INK[theme(dark)]},
                "encoding": {"y": {"field": "value", "type": "quantitative"}},
            },
        ],
        "config": {"view": {"stroke": None}},
    }


def recall_difference_records(recall: Estimate) -> Records:
    """Return B's recall minus A's for each class, with its interval, in points."""
    return [
        {
            "label": display_name(emotion),
            "difference": float(recall.value[k]) * 100,
            "low": float(recall.low[k]) * 100,
            "high": float(recall.high[k]) * 100,
            "decided": bool(recall.low[k] > 0 or recall.high[k] < 0),
        }
        for k, emotion in enumerate(EMOTIONS)
    ]


def recall_difference_spec(*, dark: bool = False) -> Spec:
    """Return differences of recall with intervals; its data are :func:`recall_difference_records`."""
    color, grey = _SERIES[theme(dark)][0], _GREY[theme(dark)]
    encoding: Spec = {"condition": {"test": "datum.decided", "value": color}, "value": grey}
    tooltip = [
        {"field": "label", "title": "Label"},
        {"field": "difference", "title": "Points", "format": "+.1f"},
        {"field": "low", "title": "From", "format": "+.1f"},
        {"field": "high", "title": "To", "format": "+.1f"},
    ]
    return {
        "height": 320,
        "encoding": {
            "y": {
                "field": "label",
                "type": "nominal",
                "sort": [display_name(emotion) for emotion in EMOTIONS],
                "title": None,
                "axis": {"ticks": False, "domain": False, "labelFontSize": 13, "labelFlush": False},
            },
            "color": encoding,
        },
        "layer": [
            {
                "mark": {"type": "rule", "strokeWidth": 1.4, "color": grey, "strokeDash": [4, 4]},
                "encoding": {"x": {"datum": 0}, "y": None, "color": {"value": grey}},
            },
            {
                "mark": {"type": "rule", "strokeWidth": 2.4},
                "encoding": {
                    "x": {"field": "low", "type": "quantitative", "title": "Recall of B minus A, points"},
                    "x2": {"field": "high"},
                    "tooltip": tooltip,
                },
            },
            {
                "mark": {"type": "point", "filled": True, "size": 100, "opacity": 1},
                "encoding": {"x": {"field": "difference", "type": "quantitative"}, "tooltip": tooltip},
            },
        ],
        "config": {"view": {"stroke": None}},
    }


def share_spec(*, dark: bool = False) -> Spec:
    """Return what a report prints against what it would be by chance: two panels, precision and recall.

    Its data: one record a class and figure with ``figure``, ``label``, ``value`` and ``chance`` (0-1, or null).
    """
    color, mark = _SERIES[theme(dark)]
    base: Spec = {
        "y": {
            "field": "label",
            "type": "nominal",
            "sort": [display_name(emotion) for emotion in EMOTIONS],
            "title": None,
            "axis": {"ticks": False, "domain": False, "labelFontSize": 13, "labelFlush": False},
        },
        "tooltip": [
            {"field": "label", "title": "Class"},
            {"field": "figure", "title": "Figure"},
            {"field": "value", "title": "Value", "format": ".3f"},
            {"field": "against", "title": "Compared with"},
            {"field": "chance", "title": "That is", "format": ".3f"},
        ],
    }
    x = {"type": "quantitative", "title": None, "scale": {"domain": [0, 1]}, "axis": {"format": ".1f", "tickCount": 5}}
    return {
        "height": 230,
        "encoding": base,
        "layer": [
            {
                "mark": {
                    "type": "bar",
                    "height": {"band": 0.62},
                    "color": color,
                    "opacity": 0.75,
                    "cornerRadiusEnd": 3,
                },
                "encoding": {"x": {**x, "field": "value"}},
            },
            {
                "mark": {"type": "tick", "thickness": 4, "bandSize": 24, "color": mark, "opacity": 1},
                "encoding": {"x": {**x, "field": "chance"}},
            },
        ],
        "config": {"view": {"stroke": None}},
    }


def _own(table: Sequence[Row]) -> list[Row]:
    return [row for row in table if row.kind in ("trained", "rebuilt")]


def _value(row: Row, axis: str) -> float | None:
    value: float | None = getattr(row, axis)
    return value / 1e6 if axis == "parameters" and value is not None else value


def _record(row: Row, what: str, x: float | None) -> dict[str, Any]:
    assert row.accuracy is not None
    return {
        "what": what,
        "name": row.name,
        "kind": KIND_NAMES[row.kind],
        "images": sentence_case(row.images),
        "accuracy": row.accuracy,
        "low": row.low if row.low is not None else row.accuracy,
        "high": row.high if row.high is not None else row.accuracy,
        "x": x,
        "shown": percent(row.accuracy) + row.around,
        "label": f"{percent(row.accuracy)}  {row.name} ({KIND_NAMES[row.kind].lower()})",
    }
