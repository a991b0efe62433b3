"""Why: what in a face a network used for a label, whether that picture can be trusted, and where a class is lost."""

from __future__ import annotations

from typing import Final

import streamlit as st

from pages._ui import loaders, shell, url
from pages._ui.saliency import autopsy, causes, face, reading

VIEWS: Final = {
    "face": ":material/face: One face",
    "cell": ":material/content_cut: A confusion, taken apart",
    "causes": ":material/account_tree: Where a class is lost",
    "reading": ":material/menu_book: Reading heat maps",
}

with shell.page(
    "saliency",
    heading="Why this label?",
    lead="Which parts of a face speak for a label and not for another, and how far such a picture can be believed.",
):
    cards = {card.id: card for card in loaders.registry().servable}
    best = loaders.registry().default
    # A link that names a cell is about the cell, one that names a face about the face.
    asked = "cell" if url.is_new("pred") else "face" if url.is_new("image") else st.session_state.get("show", "face")
    if "show" not in st.query_params:
        st.session_state["show"] = asked
    url.adopt("show", list(VIEWS), "face")
    left, right = st.columns([9, 4], vertical_alignment="bottom")
    with left:
        view = st.segmented_control(
            "View",
            list(VIEWS),
            format_func=VIEWS.__getitem__,
            key="show",
            required=True,
            persist_state="session",
            label_visibility="collapsed",
        )
    with right:
        url.adopt("model", list(cards), best.id)
        model = st.selectbox(
            "Model", list(cards), format_func=lambda key: cards[key].name, key="model", persist_state="session"
        )
    url.write(show=view if view != "face" else None, model=model if model != best.id else None)
    if view == "face":
        face.draw(cards[model])
    elif view == "cell":
        autopsy.draw(cards[model])
    elif view == "causes":
        causes.draw(cards[model])
    else:
        reading.draw()
