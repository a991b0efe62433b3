"""Charts of the data set: each with the numbers behind it and a sentence that says what it shows.

Pure functions; Plotly is imported by those that draw. Colours of text and grid are left to the page's theme.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fer_core.data.catalogue import SPLIT_NAMES, SPLITS, Catalogue
from fer_core.data.ferplus import VOTE_COLUMNS
from fer_core.labels import COLORS, EMOTIONS, N_CLASSES, display_name
from fer_core.wording import percent

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from plotly.graph_objects import Figure

    from fer_core.data.effects import LeakEffect

NAMES: Final = tuple(display_name(emotion) for emotion in EMOTIONS)

VOTE_NAMES: Final = tuple("Not a face" if column == "NF" else column.capitalize() for column in VOTE_COLUMNS)
"""What people could vote for, as shown to a reader, in the order of ``VOTE_COLUMNS``."""

_USAGES: Final = {"Training": ("train", "val"), "PublicTest": ("public",), "PrivateTest": ("private",)}
_SHADES: Final = {"Training": 1.0, "PublicTest": 0.62, "PrivateTest": 0.36}
_INTERVAL_N: Final = 385  # images for ±5 points at worst: 1.96² · 0.25 / 0.05²
_SCALE: Final = ((0.0, "#EEF0FA"), (0.5, "#98A2DA"), (1.0, "#3D4A9E"))  # opaque: numbers stay legible on any page
_MARGIN: Final = {"l": 8, "r": 8, "t": 8, "b": 8}
_LEAK_COLUMNS: Final = (
    ("Leaked images only", "leaked", COLORS["angry"], "diamond"),
    ("All of PrivateTest", "everything", "#6675D6", "circle"),
    ("Without leaks", "clean", COLORS["disgust"], "circle-open"),
    ("Without near duplicates too", "cleanest", COLORS["sad"], "square-open"),
)
_LEGEND: Final = {"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0}
_MEASURES: Final = {
    "brightness": "Mean grey value (0 black, 255 white)",
    "contrast": "Standard deviation of the grey values",
    "sharpness": "Standard deviation of the Laplacian",
}

Columns = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Chart:
    """A figure and what stands behind it.

    Attributes
    ----------
    figure
        Plotly figure.
    table
        Column name -> values: every number that is drawn.
    alt
        What the chart shows, for somebody who does not see it.
    name
        File name, without ending, for downloads.
    """

    figure: Figure
    table: Columns
    alt: str
    name: str


def to_csv(table: Columns) -> bytes:
    """Return a table as comma-separated values in UTF-8."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.keys())
    writer.writerows(zip(*table.values(), strict=True))
    return text.getvalue().encode()


@dataclass(frozen=True)
class Imbalance:
    """How unevenly the images are shared out.

    Attributes
    ----------
    ratio
        Images of the largest class for one of the smallest.
    largest, smallest
        Class names.
    missing
        ``(7,)`` int64, images that each class lacks to equal the largest.
    half_width
        ``(7,)`` float64, half the width of a 95 % interval of a recall of one half, measured on that many test images:
        ``1.96 · sqrt(0.25 / n)``. NaN without images.
    """

    ratio: float
    largest: str
    smallest: str
    missing: NDArray[np.int64]
    half_width: NDArray[np.float64]


def imbalance(counts: NDArray[np.int64], test: NDArray[np.int64]) -> Imbalance:
    """Return how uneven `counts` (7,) is, and what `test` (7,) images allow to be measured."""
    width = np.full(N_CLASSES, np.nan)
    width[test > 0] = 1.96 * np.sqrt(0.25 / test[test > 0])
    return Imbalance(
        ratio=float(counts.max() / counts.min()) if counts.min() else float("inf"),
        largest=EMOTIONS[int(counts.argmax())],
        smallest=EMOTIONS[int(counts.argmin())],
        missing=np.asarray(counts.max() - counts),
        half_width=width,
    )


def classes(counts: NDArray[np.int64], *, shares: bool = False, log: bool = False) -> Chart:
    """Draw images per class and usage.

    Parameters
    ----------
    counts : ndarray of int64, shape (4, 7)
        From :meth:`Catalogue.counts`.
    shares : bool
        Percent of each usage instead of counts.
    log : bool
        Logarithmic axis.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    table: dict[str, Sequence[Any]] = {"Class": NAMES}
    for usage, parts in _USAGES.items():
        row = sum(counts[SPLITS.index(part)] for part in parts)
        values = 100 * row / row.sum() if shares else row
        table[usage] = [round(float(value), 2) if shares else int(value) for value in values]
        figure.add_bar(
            x=NAMES,
            y=values,
            offsetgroup=usage,
            marker={"color": [COLORS[emotion] for emotion in EMOTIONS], "opacity": _SHADES[usage]},
            text=[f"{value:.1f}" if shares else f"{value:,}" for value in values],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{x}, " + usage + (": %{y:.1f} %" if shares else ": %{y:,}") + "<extra></extra>",
            showlegend=False,
        )
        # the legend tells shades apart, not classes: an empty bar in grey stands for each
        grey = {"color": COLORS["neutral"]}  # a legend shows the opacity of the trace, not of its marker
        figure.add_bar(x=NAMES[:1], y=[None], name=usage, marker=grey, opacity=_SHADES[usage], offsetgroup=usage)
    unit = "% of the images of a part" if shares else "images"
    figure.update_layout(
        barmode="group",
        bargap=0.18,
        uniformtext={"minsize": 9, "mode": "hide"},
        margin={**_MARGIN, "t": 24},
        height=360,
        legend=_LEGEND,
        yaxis={"title": unit, "type": "log" if log else "linear", **({"dtick": 1} if log else {})},
    )
    total = counts.sum(axis=0)
    alt = "Bars of the number of images of each class in Training, PublicTest and PrivateTest: " + ", ".join(
        f"{name} {int(value):,}" for name, value in zip(NAMES, total, strict=True)
    )
    return Chart(figure, table, alt + " in all.", "fer2013-classes")


def class_table(counts: NDArray[np.int64], reported_test: Mapping[str, int] | None = None) -> Columns:
    """Return images by class and split with shares and what is missing, beside a report's counts of the test set."""
    total = counts.sum(axis=0)
    test = counts[SPLITS.index("public")] + counts[SPLITS.index("private")]
    uneven = imbalance(total, test)
    table: dict[str, Sequence[Any]] = {"Class": NAMES}
    for split, row in zip(SPLITS, counts, strict=True):
        table[SPLIT_NAMES[split]] = row.tolist()
    table["All"] = total.tolist()
    table["Share %"] = [round(100 * value / total.sum(), 1) for value in total]
    table["Missing to equal the largest"] = uneven.missing.tolist()
    table["Recall known to ± points"] = [round(100 * value, 1) for value in uneven.half_width]
    table["More test images for ± 5 points"] = [max(0, _INTERVAL_N - int(n)) for n in test]
    if reported_test is not None:
        table["Test, here"] = test.tolist()
        table["Test, the report"] = [reported_test[emotion] for emotion in EMOTIONS]
    return table


def measure(catalogue: Catalogue, name: str, *, bins: int = 40) -> Chart:
    """Draw how one measure (``brightness``, ``contrast``, ``sharpness``) is distributed in each class."""
    import plotly.graph_objects as go

    values = getattr(catalogue, name)
    edges = np.linspace(0, float(np.quantile(values, 0.998)), bins + 1)
    middle = (edges[:-1] + edges[1:]) / 2
    figure = go.Figure()
    table: dict[str, Sequence[Any]] = {"From": np.round(edges[:-1], 2).tolist(), "To": np.round(edges[1:], 2).tolist()}
    medians = []
    for label, emotion in enumerate(EMOTIONS):
        chosen = values[catalogue.labels == label]
        share = 100 * np.histogram(chosen, edges)[0] / max(len(chosen), 1)
        medians.append(float(np.median(chosen)) if len(chosen) else float("nan"))
        table[f"{NAMES[label]} %"] = np.round(share, 3).tolist()
        figure.add_scatter(
            x=middle,
            y=share,
            name=NAMES[label],
            mode="lines",
            line={"color": COLORS[emotion], "width": 2.2, "shape": "spline", "smoothing": 0.6},
            hovertemplate=f"{NAMES[label]}: %{{y:.1f}} % at %{{x:.0f}}<extra></extra>",
        )
    figure.update_layout(
        margin=_MARGIN,
        height=300,
        xaxis={"title": _MEASURES[name]},
        yaxis={"title": "% of the class", "rangemode": "tozero"},
        legend=_LEGEND,
    )
    alt = f"Distribution of {name} in each class. Medians: " + ", ".join(
        f"{class_name} {median:.0f}" for class_name, median in zip(NAMES, medians, strict=True)
    )
    return Chart(figure, table, alt + ".", f"fer2013-{name}")


def votes_matrix(people: Mapping[str, Any], *, majority: bool = False) -> Chart:
    """Draw what people voted for the images of each label: mean shares, or how many images have which majority."""
    if majority:
        rows = np.array(people["majority"], dtype=np.float64)
        rows = 100 * rows / rows.sum(axis=1, keepdims=True)
        what, name = "images by majority", "ferplus-majority"
    else:
        rows = 100 * np.array(people["mean_votes"], dtype=np.float64)
        what, name = "votes", "ferplus-votes"
    figure = _heatmap(
        rows, VOTE_NAMES, NAMES, "People voted", "FER2013 label", "%{y} → %{x}: %{z:.1f} %<extra></extra>"
    )
    table = {"Label": NAMES, **{f"{vote} %": rows[:, k].round(1).tolist() for k, vote in enumerate(VOTE_NAMES)}}
    strongest = [
        f"{NAMES[k]}: {VOTE_NAMES[int(row.argmax())]} {percent(row.max() / 100, 0)}" for k, row in enumerate(rows)
    ]
    return Chart(figure, table, f"Share of {what} for each label. Largest: " + ", ".join(strongest) + ".", name)


def label_agreement(people: Mapping[str, Any], part: str = "all") -> Chart:
    """Draw how often the majority of people agrees with the label of each class."""
    import plotly.graph_objects as go

    found = people["agreement"][part]
    values = [100 * value for value in found["per_class"]]
    figure = go.Figure(
        go.Bar(
            x=values,
            y=NAMES,
            orientation="h",
            marker={"color": [COLORS[emotion] for emotion in EMOTIONS]},
            text=[percent(value / 100, 0) for value in values],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{x:.1f} %<extra></extra>",
        )
    )
    figure.add_vline(
        x=100 * found["value"],
        line={"dash": "dot", "width": 2, "color": COLORS["neutral"]},
        annotation={"text": f"all {percent(found['value'])}", "yref": "paper", "y": 1, "yanchor": "bottom"},
    )
    figure.update_layout(
        margin={**_MARGIN, "t": 28},
        height=320,
        xaxis={"title": "% where most people voted for the label", "range": [0, 105]},
        yaxis={"autorange": "reversed"},
    )
    table = {"Label": NAMES, "Images with votes": found["support"], "Majority agrees %": np.round(values, 1).tolist()}
    alt = "How often the majority of people agrees with the label: " + ", ".join(
        f"{name} {percent(value / 100, 0)}" for name, value in zip(NAMES, values, strict=True)
    )
    return Chart(figure, table, f"{alt}; {percent(found['value'])} of all.", "ferplus-agreement")


def vote_entropy(people: Mapping[str, Any]) -> Chart:
    """Draw how the entropy of the votes is distributed in each class."""
    import plotly.graph_objects as go

    edges = np.array(people["entropy"]["edges"])
    counts = np.array(people["entropy"]["counts"], dtype=np.float64)
    share = 100 * counts / counts.sum(axis=1, keepdims=True)
    # read from the left: what share of a class has at most this entropy
    reached = np.concatenate([np.zeros((N_CLASSES, 1)), share.cumsum(axis=1)], axis=1)
    figure = go.Figure()
    for label, emotion in enumerate(EMOTIONS):
        figure.add_scatter(
            x=edges,
            y=reached[label],
            name=NAMES[label],
            mode="lines",
            line={"color": COLORS[emotion], "width": 2.4},
            hovertemplate=f"{NAMES[label]}: %{{y:.0f}} % of the images have at most %{{x:.1f}} nats<extra></extra>",
        )
    figure.update_layout(
        margin=_MARGIN,
        height=320,
        xaxis={"title": "Entropy of the votes in nats (0: all agree)"},
        yaxis={"title": "% of the class at or below", "range": [0, 101]},
        legend=_LEGEND,
    )
    table = {
        "Entropy up to": edges.tolist(),
        **{f"{NAMES[k]} %": reached[k].round(1).tolist() for k in range(N_CLASSES)},
    }
    means = ", ".join(f"{NAMES[k]} {people['entropy']['mean'][k]:.2f}" for k in range(N_CLASSES))
    return Chart(
        figure, table, f"Cumulative share of images by entropy of their votes. Mean: {means} nats.", "ferplus-entropy"
    )


def neighbours(people: Mapping[str, Any], emotion: str) -> Chart:
    """Draw what a second person says of a face for which a first one said `emotion`."""
    import plotly.graph_objects as go

    from fer_core.data.ferplus import EMOTION_OF_VOTE

    column = next(k for k, vote in enumerate(VOTE_COLUMNS) if EMOTION_OF_VOTE.get(vote) == emotion)
    values = 100 * np.array(people["second_opinions"][column], dtype=np.float64)
    order = np.argsort(-values, kind="stable")
    colours = [COLORS.get(EMOTION_OF_VOTE.get(VOTE_COLUMNS[k], ""), "#9AA0AC") for k in order]
    figure = go.Figure(
        go.Bar(
            x=values[order],
            y=[VOTE_NAMES[k] for k in order],
            orientation="h",
            marker={"color": colours},
            text=[percent(value / 100) for value in values[order]],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{x:.1f} %<extra></extra>",
        )
    )
    figure.update_layout(
        margin=_MARGIN,
        height=330,
        xaxis={"title": f"% of second opinions where one says {emotion}", "rangemode": "tozero"},
        yaxis={"autorange": "reversed"},
    )
    table = {"Second person": [VOTE_NAMES[k] for k in order], "%": values[order].round(2).tolist()}
    top = ", ".join(f"{VOTE_NAMES[k]} {percent(values[k] / 100, 0)}" for k in order[:4])
    return Chart(figure, table, f"Where one person says {emotion}, another says: {top}.", f"ferplus-beside-{emotion}")


def ceilings(people: Mapping[str, Any], accuracies: Mapping[str, float]) -> Chart:
    """Draw how well people's answers do when they are judged by FER2013's labels of PrivateTest, beside models."""
    import plotly.graph_objects as go

    found = people["agreement"]["private"]
    bars = [
        ("One person, drawn at random", found["one_person"], "People"),
        ("The majority of ten people", found["value"], "People"),
        *((name, value, "Models") for name, value in accuracies.items()),
    ]
    bars.sort(key=lambda bar: bar[1])
    colours = {"People": COLORS["happy"], "Models": "#6675D6"}
    figure = go.Figure(
        go.Bar(
            x=[100 * value for _, value, _ in bars],
            y=[name for name, _, _ in bars],
            orientation="h",
            marker={"color": [colours[kind] for _, _, kind in bars]},
            text=[percent(value) for _, value, _ in bars],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{x:.1f} %<extra></extra>",
        )
    )
    figure.update_layout(
        margin=_MARGIN,
        height=60 + 34 * len(bars) + 40,
        xaxis={"title": "% of answers that are FER2013’s label", "range": [0, 100]},
        yaxis={"automargin": True},
    )
    table = {
        "Who answers": [name for name, _, _ in bars],
        "Kind": [kind for _, _, kind in bars],
        "Judged by FER2013 labels %": [round(100 * value, 1) for _, value, _ in bars],
    }
    alt = "Judged by the labels of PrivateTest: " + ", ".join(f"{name} {percent(value)}" for name, value, _ in bars)
    return Chart(figure, table, alt + ".", "fer2013-ceilings")


def suspects(summary: Mapping[str, Any]) -> Chart:
    """Draw which labels a model doubts, and what it is confident of instead."""
    rows = np.array(summary["suspect"], dtype=np.float64)
    judged = np.array(summary["judged"])
    figure = _heatmap(
        rows, NAMES, NAMES, "The model is confident of", "Label", "%{y} → %{x}: %{z:.0f}<extra></extra>", ".0f"
    )
    table: dict[str, Sequence[Any]] = {
        "Label": NAMES,
        **{name: rows[:, k].astype(int).tolist() for k, name in enumerate(NAMES)},
        "Doubted": rows.sum(axis=1).astype(int).tolist(),
        "Judged": judged.tolist(),
    }
    i, j = np.unravel_index(int(rows.argmax()), rows.shape)
    alt = (
        f"{int(rows.sum()):,} of {int(judged.sum()):,} labels are doubted; most often {NAMES[i]} where the model is "
        f"confident of {NAMES[j]} ({int(rows[i, j])})."
    )
    return Chart(figure, table, alt, "fer2013-doubted-labels")


def leak_effect(effects: Sequence[tuple[str, LeakEffect]]) -> Chart:
    """Draw each model's accuracy on PrivateTest, without leaks, without near leaks too, and on leaked images alone.

    Parameters
    ----------
    effects : sequence of (str, LeakEffect)
        Name of a model, and what the leaks do to it.
    """
    import plotly.graph_objects as go

    names = [name for name, _ in effects]
    figure = go.Figure()
    table: dict[str, Sequence[Any]] = {"Model": names}
    drawn: list[float] = []
    for label, key, colour, symbol in _LEAK_COLUMNS:
        values = [100 * float(getattr(effect, key)) for _, effect in effects]
        table[f"{label} %"] = [round(value, 2) for value in values]
        drawn += values
        figure.add_scatter(
            x=values,
            y=names,
            mode="markers",
            name=label,
            marker={"color": colour, "size": 13, "symbol": symbol, "line": {"width": 2.5, "color": colour}},
            hovertemplate=f"%{{y}}, {label}: %{{x:.1f}} %<extra></extra>",
        )
    table["Leaks add points"] = [round(100 * (effect.everything - effect.clean), 2) for _, effect in effects]
    low, high = min(drawn, default=0.0), max(drawn, default=100.0)
    figure.update_layout(
        margin=_MARGIN,
        height=120 + 40 * len(effects),
        xaxis={"title": "Accuracy %", "range": [low - 3, high + 3]},
        yaxis={"autorange": "reversed", "automargin": True},
        legend=_LEGEND,
    )
    alt = "Accuracy on all of PrivateTest, without leaks, and on the leaked images only: " + "; ".join(
        f"{name} {100 * effect.everything:.1f}, {100 * effect.clean:.1f}, {percent(effect.leaked)}"
        for name, effect in effects
    )
    return Chart(figure, table, alt + ".", "fer2013-leaks")


def feature_map(
    xy: NDArray[np.floating[Any]],
    codes: NDArray[np.int64],
    names: Sequence[str],
    colours: Sequence[str],
    positions: NDArray[np.int64],
    texts: Sequence[str],
) -> Chart:
    """Draw the 2-D map of a model's features, one dot an image, to be brushed.

    Parameters
    ----------
    xy : ndarray, shape (N, 2)
    codes : ndarray of int64, shape (N,)
        Group of each dot, an index into `names`; drawn in that order, the last on top.
    names, colours : sequence of str
        Of the groups.
    positions : ndarray of int64, shape (N,)
        In the catalogue: what a selection returns, as ``customdata``.
    texts : sequence of str, length N
        Shown when the pointer is on a dot.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    text = np.asarray(texts)
    for code, (name, colour) in enumerate(zip(names, colours, strict=True)):
        chosen = codes == code
        if not chosen.any():
            continue
        figure.add_scattergl(
            x=xy[chosen, 0].astype(np.float32),
            y=xy[chosen, 1].astype(np.float32),
            mode="markers",
            name=f"{name} ({int(chosen.sum()):,})",
            marker={"color": colour, "size": 4, "opacity": 0.75},
            customdata=positions[chosen].astype(np.int32),
            text=text[chosen],
            hovertemplate="%{text}<extra></extra>",
        )
    blank = {"visible": False, "showgrid": False, "zeroline": False}
    figure.update_layout(
        margin=_MARGIN,
        height=600,
        xaxis=blank,
        yaxis={**blank, "scaleanchor": "x"},
        dragmode="select",
        legend={**_LEGEND, "itemsizing": "constant"},
    )
    table: dict[str, Sequence[Any]] = {
        "position": positions.tolist(),
        "x": np.round(xy[:, 0].astype(float), 2).tolist(),
        "y": np.round(xy[:, 1].astype(float), 2).tolist(),
        "group": [names[int(code)] for code in codes],
    }
    counts = ", ".join(f"{name} {int((codes == code).sum()):,}" for code, name in enumerate(names))
    return Chart(
        figure, table, f"Map of {len(xy):,} faces in the features of a model, by group: {counts}.", "fer2013-map"
    )


def class_face(image: NDArray[np.floating[Any]], *, stretch: bool = False, scale: int = 3) -> NDArray[np.uint8]:
    """Return a mean or standard-deviation face as a picture, enlarged by a whole number.

    Parameters
    ----------
    image : ndarray of shape (48, 48)
        Grey values.
    stretch : bool
        Use the whole range from black to white: standard deviations are too dark to be seen otherwise.
    """
    import cv2

    values = image.astype(np.float64)
    if stretch:
        low, high = values.min(), values.max()
        values = 255 * (values - low) / (high - low) if high > low else np.zeros_like(values)
    grey = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    height, width = grey.shape
    return np.asarray(cv2.resize(grey, (width * scale, height * scale), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def _heatmap(
    values: NDArray[np.float64],
    x: Sequence[str],
    y: Sequence[str],
    x_title: str,
    y_title: str,
    hover: str,
    form: str = ".0f",
) -> Figure:
    import plotly.graph_objects as go

    figure = go.Figure(
        go.Heatmap(
            z=values,
            x=list(x),
            y=list(y),
            colorscale=_SCALE,
            showscale=False,
            xgap=2,
            ygap=2,
            texttemplate="%{z:" + form + "}",
            hovertemplate=hover,
        )
    )
    figure.update_layout(
        margin=_MARGIN,
        height=380,
        xaxis={"title": x_title, "side": "bottom", "tickangle": -35, "showgrid": False},
        yaxis={"title": y_title, "autorange": "reversed", "showgrid": False},
    )
    return figure
