"""Every model with its figures, beside what others claim, publish or reach."""

from __future__ import annotations

from typing import Final

import streamlit as st

from fer_core.leaderboard import PARTS
from fer_core.wording import PART_NAMES, sentence_case
from pages._ui import loaders, shell, url
from pages._ui.models import duel, table, training

VIEWS: Final = {
    "table": ":material/leaderboard: Leaderboard",
    "training": ":material/show_chart: Training",
    "compare": ":material/compare_arrows: Compare two",
    "card": ":material/badge: Model cards",
}


def choose_images() -> str:
    """Draw the picker of the images that figures are of."""
    url.adopt("on", PARTS, PARTS[0])
    part = st.selectbox(
        "Images",
        PARTS,
        format_func=lambda part: sentence_case(PART_NAMES[part]),
        key="on",
        persist_state="session",
        width=320,
        help="What the figures of models trained here are of. PrivateTest (3,589 images) is that of the literature, "
        "all 7,178 test images that of the report; leaks are images whose pixels stand in Training, too.",
    )
    url.write(on=part if part != PARTS[0] else None)
    return part


with shell.page(
    "models",
    lead="What each model can do, recomputed from its stored predictions, beside what the report claims, what others "
    "publish, and what people reach.",
):
    url.adopt("show", list(VIEWS), "table")
    view = st.segmented_control(
        "View", list(VIEWS), format_func=VIEWS.__getitem__, key="show", required=True, label_visibility="collapsed"
    )
    url.write(show=view if view != "table" else None)
    for folder, sentence in loaders.registry().problems:
        st.warning(f"`{folder}` is left out. {sentence}", icon=":material/folder_off:")
    if view == "table":
        table.draw(choose_images())
    elif view == "training":
        training.curves()
    elif view == "compare":
        duel.draw(choose_images())
    else:
        training.card_view()
