"""Where does a class go? Its row in every model, side by side."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import streamlit as st

from fer_core import confusion as cm
from fer_core import figures_confusion as figures
from fer_core import whatif
from fer_core.evaluation.forensics import shuffled
from fer_core.evaluation.report_deck import MOBILENET
from fer_core.labels import EMOTIONS, index_of
from fer_core.leaderboard import is_rebuilt
from fer_core.report_html import destination_records
from pages._ui import loaders, url
from pages._ui.components import chart, is_dark
from pages._ui.confusion.state import Choice

SEED: Final = 2013
DECK: Final = "The deck’s MobileNet, reconstructed"


def rows_of(choice: Choice, klass: int) -> tuple[list[cm.Destination], list[cm.Destination]]:
    """Return the row of a class in the rightly paired matrices, and in the mis-paired ones."""
    cards = (choice.card, *choice.others)
    ranked = sorted(cards, key=lambda card: (-card.val_accuracy, card.id))
    studies = {card.id: loaders.study_of(card, choice.part) for card in ranked}
    paired = [cm.destination(card.name, studies[card.id].counts, klass) for card in ranked]
    mispaired = []
    for card in [card for card in ranked if is_rebuilt(card)] or [choice.card]:
        study = studies[card.id]
        counts = whatif.confusion(shuffled(study.labels, seed=SEED), study.answers)
        mispaired.append(cm.destination(f"{card.name}, mis-paired", counts, klass))
    if choice.part == "all":
        # In a mis-paired table the recall of a class is its share of the answers.
        shares = [row.recall.value if row.recall else 0.0 for row in MOBILENET.rows]
        counts = cm.unpaired([row.support for row in MOBILENET.rows], shares)
        mispaired.append(cm.destination(DECK, counts, klass))
    return paired, mispaired


def section(choice: Choice) -> None:
    """Draw the section."""
    url.adopt("goes", list(EMOTIONS), "disgust")
    st.header(f"Where does {st.session_state['goes']} go?", anchor="where")
    name = st.segmented_control(
        "Label", list(EMOTIONS), key="goes", required=True, persist_state="session", label_visibility="collapsed"
    )
    url.write(goes=name if name != "disgust" else None)
    paired, mispaired = rows_of(choice, index_of(name))
    st.markdown("\n".join(f"- {sentence}" for sentence in cm.destinations_in_words(paired, mispaired)))
    rows = [*paired, *mispaired]
    spec, records = figures.destinations_spec(rows, [row.name for row in mispaired], dark=is_dark())
    if records:
        chart(
            spec,
            records,
            key="destinations",
            alt=f"Share of each answer among the images labelled {name}, for every model, with 95 % intervals. The "
            "numbers stand in the table below.",
        )
    st.caption(
        f"Of {choice.part_name}; the models as they are, without what-if settings. In brackets, or where you point at "
        "a cell: 95 % intervals (Wilson). Grey rows are mis-paired: the same answers, compared with the labels in "
        "another (shuffled) order, as the deck seems to have done. The most frequent wrong answer is called decided if "
        "no other one can be as frequent, by its interval."
    )
    with st.expander("As a table", icon=":material/table:"):
        st.dataframe(pa.Table.from_pylist(destination_records(rows)), key="destinations_table")
