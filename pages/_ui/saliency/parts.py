"""What the views of the page share: pictures of maps, verdicts, curves, and how a map lies on the parts of a face."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import streamlit as st

from fer_core import figures_explain as figures
from fer_core import images, thumbnails
from fer_core.explain import regions
from fer_core.wording import percent
from pages._ui.components import chart, is_dark

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fer_core.explain.faithfulness import Verdict
    from fer_core.explain.heatmap import HeatMap

BADGES: Final = {"trust": "green", "weak": "orange", "do not trust": "red"}
ICONS: Final = {"trust": "verified", "weak": "help", "do not trust": "block"}

Pictures = Sequence[tuple["NDArray[np.uint8]", str, str]]
"""Picture, caption and alternative text of each."""


def gallery(pictures: Pictures, *, size: int, most: int | None = None, name: str) -> None:
    """Draw pictures side by side, as many as fit, or `most` of them."""
    st.html(
        thumbnails.grid_html(
            [picture for picture, _, _ in pictures],
            [caption for _, caption, _ in pictures],
            [alt for _, _, alt in pictures],
            size=size,
            most=most,
            name=name,
        )
    )


def badge(verdict: Verdict) -> str:
    """Return a verdict as a coloured word, in Markdown."""
    return f":{BADGES[verdict.level]}-badge[:material/{ICONS[verdict.level]}: {verdict.level.capitalize()}]"


def reasons(verdict: Verdict) -> None:
    """Draw a verdict and the numbers it rests on."""
    st.markdown(f"**Can it be trusted?** {badge(verdict)}")
    st.markdown("\n".join(f"- {reason}" for reason in verdict.reasons))


def curves(found: Mapping[str, Any], fraction: Any, *, key: str, alt: str) -> None:
    """Draw deletion and insertion curves, one below the other where there is no room."""
    charts = figures.curves_charts(found, fraction, dark=is_dark())
    with st.grid(len(charts), min_column_width=200, gap="medium"):
        for number, (title, (spec, records)) in enumerate(charts.items()):
            with st.container(gap="xsmall"):
                st.caption(title)
                chart(spec, records, key=f"{key}_{number}", alt=f"{title}. {alt}")
    st.caption("Solid: in the order of the map. Dashed: mean of random orders.")


def face_parts(maps: Mapping[str, HeatMap], points: NDArray[np.float64] | None, side: int, *, key: str) -> None:
    """Draw how much of each map lies on each part of a face; the names of `maps` are the legend."""
    masks = regions.masks(points, side)
    records = [
        {"part": part.capitalize(), "map": name, "share": share.share, "area": share.area}
        for name, heat in maps.items()
        for part, share in regions.shares(heat.resized(side), masks).items()
        if not math.isnan(share.share)  # nothing speaks for it
    ]
    if not records:
        st.caption("A map that is zero everywhere lies nowhere.")
        return
    chart(
        figures.parts_spec(list(maps), dark=is_dark()),
        records,
        key=key,
        alt="How much of the map lies on each part of the face: "
        + ", ".join(f"{record['part'].lower()} {percent(record['share'], 0)}" for record in records)
        + ".",
    )
    st.caption(
        "Bars: share of the map on each part. Ticks: share of the area, which is what a map that is the same "
        "everywhere would give. "
        + ("The parts are placed by the eyes, nose and mouth found in this crop." if points is not None else _TEMPLATE)
    )


_TEMPLATE: Final = "No eyes and mouth were found in this crop: the parts are placed where FER2013 usually has them."


def png(picture: NDArray[np.uint8]) -> bytes:
    """Return a picture as a PNG file."""
    return images.encode_png(picture)
