"""Pictures and charts of heat maps: pure builders, nothing is shown or stored here.

Colours: evidence runs from dark to bright (inferno, readable in grey and for colour-blind readers); a signed map from
blue (against) over white to red (for), around zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fer_core.explain.heatmap import HeatMap

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fer_core.explain.faithfulness import Curves

Spec = dict[str, Any]
Records = list[dict[str, Any]]

SIDE: Final = 144
"""Side of a drawn face, px: three times that of a crop."""
STRENGTH: Final = 0.55
"""How strongly a map covers the face, 0-1."""

_AGAINST: Final = ((33, 102, 172), (146, 197, 222), (247, 247, 247), (244, 165, 130), (178, 24, 43))
"""From -1 to 1: the palette RdBu of C. Brewer, reversed."""
_LINES: Final = {
    "light": {"by the map": "#3D4A9E", "at random": "#8A8578"},
    "dark": {"by the map": "#8D98D9", "at random": "#9AA0AE"},
}


def colours(values: NDArray[np.float32], *, signed: bool) -> NDArray[np.uint8]:
    """Return the colours of a normalised map, (h, w, 3) uint8 RGB.

    Parameters
    ----------
    values : ndarray of shape (h, w), float32
        0 to 1, or -1 to 1 if `signed`.
    """
    import cv2

    if signed:
        position = (np.clip(values, -1, 1) + 1) / 2 * (len(_AGAINST) - 1)
        anchors = np.array(_AGAINST, np.float64)
        rgb = np.stack([np.interp(position, np.arange(len(anchors)), anchors[:, k]) for k in range(3)], axis=-1)
        return np.rint(rgb).astype(np.uint8)
    grey = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(cv2.applyColorMap(grey, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB))


def enlarged(face: NDArray[np.uint8], side: int = SIDE) -> NDArray[np.uint8]:
    """Return a face (H, W), uint8, at (side, side), smoothly enlarged."""
    import cv2

    return np.asarray(cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC))


def overlay(
    face: NDArray[np.uint8], heat: HeatMap, *, strength: float = STRENGTH, side: int = SIDE
) -> NDArray[np.uint8]:
    """Return a face with its map laid over it, (side, side, 3) uint8 RGB.

    Where an unsigned map is low the face stays as it is; a signed one is clear around zero. A dead map leaves the face
    alone: an even colour would look like an answer.

    Parameters
    ----------
    face : ndarray of shape (H, W), uint8
    heat : HeatMap
    strength : float
        0 (the face alone) to 1 (the colours alone where the map is strongest).
    side : int
        Of the result, px.
    """
    grey = np.repeat(enlarged(face, side)[:, :, np.newaxis], 3, axis=2).astype(np.float64)
    if heat.dead:
        return grey.astype(np.uint8)
    shown = replace(heat, values=heat.normalised()).resized(side)
    cover = strength * np.abs(shown)[:, :, np.newaxis]
    mixed = (1 - cover) * grey + cover * colours(shown, signed=heat.signed)
    return np.rint(np.clip(mixed, 0, 255)).astype(np.uint8)


def raw(heat: HeatMap, *, side: int = SIDE) -> NDArray[np.uint8]:
    """Return a map as it is, one square a cell, (side, side, 3) uint8 RGB; grey if it is dead."""
    import cv2

    if heat.dead:
        return np.full((side, side, 3), 128, np.uint8)
    cells = colours(heat.aligned().normalised(), signed=heat.signed)
    return np.asarray(cv2.resize(cells, (side, side), interpolation=cv2.INTER_NEAREST))


def curves_charts(
    curves: Mapping[str, NDArray[np.floating]], fraction: NDArray[np.floating], *, dark: bool
) -> dict[str, tuple[Spec, Records]]:
    """Return deletion and insertion beside random orders as two charts with their data, by what each shows.

    Lines are solid along the map and dashed at random; there is no legend, so that two fit side by side.

    Parameters
    ----------
    curves : mapping
        ``deletion``, ``insertion``, ``random_deletion``, ``random_insertion`` -> (K,) scores, 0-1.
    fraction : ndarray of shape (K,)
        Share of the face that is taken away or brought back.
    """
    panels = (
        ("Taken away, strongest first", "deletion", "random_deletion"),
        ("Brought back, strongest first", "insertion", "random_insertion"),
    )
    palette = _LINES["dark" if dark else "light"]
    spec = {
        "height": 230,
        "mark": {"type": "line", "strokeWidth": 2.5},
        "encoding": {
            "x": {"field": "share", "type": "quantitative", "title": "Share of the face", "axis": {"format": "%"}},
            "y": {"field": "score", "type": "quantitative", "title": "Score", "scale": {"domain": [0, 1]}},
            "color": {
                "field": "order",
                "scale": {"domain": list(palette), "range": list(palette.values())},
                "legend": None,
            },
            "strokeDash": {
                "field": "order",
                "scale": {"domain": list(palette), "range": [[1, 0], [5, 3]]},
                "legend": None,
            },
            "tooltip": [
                {"field": "order", "title": "Order"},
                {"field": "share", "format": ".0%", "title": "Share of the face"},
                {"field": "score", "format": ".2f", "title": "Score"},
            ],
        },
    }
    return {
        panel: (
            spec,
            [
                {"order": order, "share": float(x), "score": float(y)}
                for order, name in (("by the map", own), ("at random", chance))
                for x, y in zip(fraction, curves[name], strict=True)
            ],
        )
        for panel, own, chance in panels
    }


def curves_of(found: Curves) -> dict[str, NDArray[np.floating]]:
    """Return the curves of one face as :func:`curves_charts` takes them, random orders averaged."""
    return {
        "deletion": found.deletion,
        "insertion": found.insertion,
        "random_deletion": found.random_deletion.mean(axis=0),
        "random_insertion": found.random_insertion.mean(axis=0),
    }


def parts_spec(names: Sequence[str], *, dark: bool = False) -> Spec:
    """Return horizontal bars of how much of a map lies on each part of a face; the tick is the part's area.

    The data are records ``part``, ``map`` (one of `names`), ``share``, ``area`` and, where known, ``low``, ``high``.
    """
    ink = "#ECE9E2" if dark else "#1E2430"
    ramp = ["#3D4A9E", "#C8553D"] if not dark else ["#8D98D9", "#F08A6E"]
    order = list(dict.fromkeys(names))
    x = {"field": "share", "type": "quantitative", "title": "Share of the map", "axis": {"format": "%"}}
    y = {"field": "part", "type": "nominal", "title": None, "sort": None}
    offset = {"field": "map", "sort": order}
    color = {
        "field": "map",
        "scale": {"domain": order, "range": ramp[: len(order)]},
        "legend": {"orient": "top", "title": None} if len(order) > 1 else None,
    }
    return {
        "height": {"step": 18},
        "layer": [
            {
                "mark": {"type": "bar"},
                "encoding": {
                    "x": x,
                    "y": y,
                    "yOffset": offset,
                    "color": color,
                    "tooltip": [
                        {"field": "part", "title": "Part"},
                        {"field": "map", "title": "Map for"},
                        {"field": "share", "format": ".1%", "title": "Share of the map"},
                        {"field": "area", "format": ".1%", "title": "Share of the area"},
                    ],
                },
            },
            {
                "mark": {"type": "rule", "color": ink},
                "encoding": {
                    "x": {"field": "low", "type": "quantitative"},
                    "x2": {"field": "high"},
                    "y": y,
                    "yOffset": offset,
                },
            },
            {
                "mark": {"type": "tick", "color": ink, "thickness": 2, "size": 14},
                "encoding": {"x": {"field": "area", "type": "quantitative"}, "y": y, "yOffset": offset},
            },
        ],
    }


def ledger_spec(*, dark: bool = False) -> Spec:
    """Return horizontal bars with intervals, one a line of a cause ledger.

    The data are records ``title`` (a new line where it may be broken), ``share``, ``low``, ``high``, ``text``, ``kind``
    ("claims" or "unexplained").
    """
    ink = "#ECE9E2" if dark else "#1E2430"
    axis = {"labelLimit": 330, "labelExpr": "split(datum.label, '\\n')"}
    y = {"field": "title", "type": "nominal", "title": None, "sort": None, "axis": axis}
    return {
        "height": {"step": 34},
        "layer": [
            {
                "mark": {"type": "bar", "height": 16},
                "encoding": {
                    "x": {
                        "field": "share",
                        "type": "quantitative",
                        "title": "Share of the lost images",
                        "axis": {"format": "%"},
                        "scale": {"domain": [0, 1]},
                    },
                    "y": y,
                    "color": {
                        "field": "kind",
                        "scale": {
                            "domain": ["claims", "unexplained"],
                            "range": ["#8D98D9", "#9AA0AE"] if dark else ["#5B64AC", "#A7A294"],
                        },
                        "legend": None,
                    },
                    "tooltip": [{"field": "title", "title": "Line"}, {"field": "text", "title": "Images"}],
                },
            },
            {
                "mark": {"type": "rule", "color": ink},
                "encoding": {"x": {"field": "low", "type": "quantitative"}, "x2": {"field": "high"}, "y": y},
            },
        ],
    }
