"""Tab "Map": every test and validation face where a model's features put it."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import streamlit as st

from fer_core import figures_dataset
from fer_core.data import browse, tables
from fer_core.labels import EMOTIONS
from pages._ui.dataset import parts, store

SHOWN: Final = 120
"""Faces of a selection that are drawn."""


def draw() -> None:
    """Draw the tab."""
    about = tables.document("map")
    st.header("Where a network puts the faces", anchor=False)
    st.markdown(
        f"Each dot is one of the validation and test images. Two dots are near when **{about['name']}** sees "
        f"them alike: its last {about['features']} features, brought down to two dimensions "
        f"({about['method']}). Distances between far groups and the size of a group mean nothing. "
        "Drag over the map to see the faces there."
    )
    cards = store.predicted()
    ways = {"label": "Label", "error": "Right or wrong", "vote": "What most people voted"}
    if not cards:
        ways.pop("error")
    votes = store.votes()
    if votes is None:
        ways.pop("vote")
    left, right = st.columns(2, vertical_alignment="bottom")
    way = left.segmented_control(
        "Coloured by", list(ways), default="label", required=True, format_func=ways.__getitem__
    )
    card = None
    if way == "error":
        # the model whose map it is, where it is still there
        first = about["model"] if about["model"] in cards else next(iter(cards))
        chosen = right.selectbox(
            "Answers of", list(cards), index=list(cards).index(first), format_func=lambda key: cards[key].name
        )
        card = cards[chosen]
    if votes is None:
        st.caption("With the FER+ votes (`FERPLUS_CSV`) the map can also be coloured by what people voted.")
    scores = store.scores(card) if card else None
    drawn = browse.map_points(store.images(), way, scores=scores, votes=votes)
    chart = figures_dataset.feature_map(drawn.xy, drawn.codes, drawn.names, drawn.colours, drawn.positions, drawn.texts)
    event: Any = st.plotly_chart(
        chart.figure,
        key=f"map-{way}",
        alt=chart.alt,
        on_select="rerun",
        selection_mode=("box", "lasso"),
        config={
            "displaylogo": False,
            "toImageButtonOptions": {"filename": chart.name, "scale": 2},
            "scrollZoom": False,
        },
    )
    parts.table({**chart.table, "image": store.images().names[drawn.positions].tolist()}, chart.name)
    _selection(
        np.array([point["customdata"] for point in event["selection"]["points"]], dtype=np.int64).ravel(), scores
    )


def _selection(chosen: np.ndarray, scores: browse.Scores | None) -> None:
    if len(chosen) == 0:
        return
    found = store.images()
    counts = browse.label_counts(found, chosen)
    st.subheader(f"{len(chosen):,} faces chosen", anchor=False)
    st.caption(", ".join(f"{name} {count}" for name, count in zip(EMOTIONS, counts, strict=True) if count))
    parts.faces(chosen[:SHOWN], key="map-faces", name="Chosen faces", scores=scores, size=64)
    if len(chosen) > SHOWN and store.album() is not None:
        st.caption(f"The first {SHOWN} are shown; the list has all.")
    parts.table(browse.table(found, chosen, scores=scores), "fer2013-chosen", label="List", key="chosen")
