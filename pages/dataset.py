"""The data set, seen whole: what FER2013 is, and what is wrong with it."""

from __future__ import annotations

from typing import Final

import streamlit as st

from fer_core.data import facts, tables
from fer_core.wording import percent
from pages._ui import shell, url
from pages._ui.dataset import browser, classes, map, parts, people, quality, record, store

TABS: Final = {
    "classes": (":material/bar_chart: Classes", classes.draw),
    "people": (":material/groups: People", people.draw),
    "quality": (":material/flag: Quality", quality.draw),
    "map": (":material/scatter_plot: Map", map.draw),
    "browser": (":material/apps: Browser", browser.draw),
}

KEYS: Final = {"quality": quality.KEYS, "browser": browser.KEYS}


def headline() -> None:
    """Draw the figures that a visitor should take away."""
    told = facts.summarise(store.images())
    with st.grid(4, min_column_width=170):
        for fact in told:
            st.metric(fact.label, fact.value, help=fact.detail)
    best = next(iter(store.predicted().values()), None)
    if best is not None:
        effect = store.leak_effect(best)
        people = tables.document("people")["agreement"]["private"]["value"]
        st.markdown(
            f"What that does to an accuracy: **{best.name}** gets {percent(effect.everything)} on PrivateTest, "
            f"{percent(effect.clean)} without the leaked images. Ten people’s majority, judged by the same labels, "
            f"would get {percent(people)}."
        )


with shell.page(
    "dataset",
    heading="What FER2013 is, and what is wrong with it",
    lead="Before a model is blamed for an error: who labelled these faces, how evenly, and would you agree?",
):
    headline()
    parts.no_images()
    url.adopt("tab", list(TABS), "classes")
    tab = st.segmented_control(
        "View",
        list(TABS),
        format_func=lambda key: TABS[key][0],
        key="tab",
        required=True,
        label_visibility="collapsed",
    )
    url.write(tab=tab if tab != "classes" else None)
    url.write(**{key: None for name, keys in KEYS.items() if name != tab for key in keys})
    TABS[tab][1]()
    record.open_from_address()
