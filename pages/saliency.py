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

with (
    shell.page(
        "saliency",
        heading="Why this label?",
        lead="Which parts of a face speak for a label and not for another, and how far such a picture can be believed.",
    ),
    url.together(),
):
    cards = {card.id: card for card in loaders.explainable()}
    best = loaders.registry().default
    # A link that names a cell is about the cell, one that names an image about a face.
    of_cell = "pred" in st.query_params
    if "show" not in st.query_params and (of_cell or url.is_new("image")):
        st.session_state["show"] = "cell" if of_cell else "face"
    url.adopt("show", list(VIEWS), "cell" if of_cell else "face")
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
            wrap=True,
        )
    with right:
        url.adopt("model", list(cards), best.id)
        model = st.selectbox(
            "Model", list(cards), format_func=lambda key: cards[key].name, key="model", persist_state="session"
        )
    # A link that names the best model stays as it is: the back button would return to the link, not to where it stood.
    named = model != best.id or st.query_params.get("model") == model
    url.write(show=view if view != "face" else None, model=model if named else None)
    for folder, sentence in loaders.registry().problems:
        st.warning(f"`{folder}` is left out. {sentence}", icon=":material/folder_off:")
    if view == "face":
        face.draw(cards[model])
    elif view == "cell":
        autopsy.draw(cards[model])
    elif view == "causes":
        causes.draw(cards[model])
    else:
        reading.draw()
