"""What a published report's own numbers give away, and the same mistake made live with our own predictions."""

from __future__ import annotations

import streamlit as st

from fer_core.errors import FerError
from fer_core.registry import ModelCard
from pages._ui import loaders, shell
from pages._ui.report_check import claim, deck, paste, shuffle


def with_test_images() -> tuple[ModelCard, ...]:
    """Return the models with stored predictions for the test images, best first."""
    found = []
    for card in loaders.evaluated():
        try:
            loaders.part_of(card, "all")
        except FerError:
            continue
        found.append(card)
    return tuple(found)


with shell.page(
    "report_check",
    lead="A report contradicts itself, and arithmetic shows how. Check its tables, repeat its mistake with a switch, "
    "and check any other report.",
):
    cards = with_test_images()
    claim.draw(cards)
    st.divider()
    deck.draw()
    st.divider()
    if cards:
        shuffle.draw(cards)
        st.divider()
    paste.draw(cards)
