"""Views "Training" and "Model card": how one model came about, and what it says of itself."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import streamlit as st

from fer_core import figures_models as figures
from fer_core import leaderboard
from fer_core.errors import FerError
from fer_core.registry import ModelCard
from pages._ui import loaders, shell, url
from pages._ui.components import chart, is_dark
from pages._ui.models import store


def pick() -> ModelCard:
    """Draw the model picker, best model first.

    Raises
    ------
    FerError
        If there is no model.
    """
    cards = {card.id: card for card in loaders.registry().cards}
    if not cards:
        raise FerError("There is no model yet. See the README on training.")
    best = next(iter(cards))
    url.adopt("model", list(cards), best)
    chosen = st.selectbox(
        "Model", list(cards), format_func=lambda key: cards[key].name, key="model", persist_state="session"
    )
    url.write(model=chosen if chosen != best else None)
    return cards[chosen]


def curves() -> None:
    """Draw the training curves of one model, or of a member of an averaged one, with the epoch that was kept."""
    chosen = pick()
    card, why = leaderboard.with_history(chosen, loaders.registry().cards)
    if why:
        st.info(why, icon=":material/show_chart:")
    if card is None:
        return
    history = store.history(card)
    kept: Any = card.training.get("kept_epoch")
    grown = leaderboard.grown_from(card)
    st.markdown(leaderboard.stopping(card, len(history["epoch"])))
    with st.grid(2, min_column_width=330):
        for kind, what in (("loss", "Losses"), ("score", "Validation scores")):
            records = figures.history_records(history, kind, kept, grown[0] if grown else 0)
            if records:
                chart(
                    figures.history_spec(records, kind, dark=is_dark()),
                    records,
                    key=f"history_{card.id}_{kind}",
                    alt=f"{what} of {card.name} over {len(history['epoch'])} epochs; the kept epoch is marked. The "
                    "numbers stand in the table below.",
                )
    resized = f" At the dotted line the input grew from {grown[1]} to {grown[2]} px." if grown else ""
    st.caption(
        f"The ringed points on the dashed line are of the epoch that was kept.{resized} The training loss is taken on "
        "augmented images with dropout (and what else the recipe adds), so that it may lie above the validation loss."
    )
    with st.expander("As a table", icon=":material/table:"):
        st.dataframe(pa.table(history), key=f"history_table_{card.id}", alt=f"Training history of {card.name}")
    with st.expander("The recipe", icon=":material/menu_book:"):
        flat = {
            "Setting": [name.replace("_", " ") for name in sorted(chosen.training)],
            "Value": [str(chosen.training[name]) for name in sorted(chosen.training)],
        }
        st.dataframe(pa.table(flat), key=f"recipe_{chosen.id}", alt=f"Recipe of {chosen.name}")


def card_view() -> None:
    """Draw the model card of one model."""
    card = pick()
    text = store.readme(card)
    with st.container(border=True):
        st.subheader(card.name, anchor=False)
        if text is None:
            st.markdown(f"{card.summary}\n\nLicence of the weights: {card.license}. {card.notice}")
        else:
            # a card is a page of its own elsewhere: here its headings stand below that of the page
            st.markdown(text.replace("\n## ", "\n#### "))
    with st.container(horizontal=True):
        for slug, label in (("confusion", "Take its errors apart"), ("predict", "Score a photo with it")):
            page = shell.find(slug)
            if page is not None and (slug != "predict" or card.has_onnx):
                st.page_link(page.file, label=label, icon=page.icon, query_params={"model": card.id})
