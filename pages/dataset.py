"""The data set, seen whole: what FER2013 is, and what is wrong with it."""

from __future__ import annotations

from typing import Final

import streamlit as st

from fer_core import figures_dataset
from fer_core.data import tables
from pages._ui import shell, url
from pages._ui.dataset import browser, classes, map, parts, people, quality, record, store

TABS: Final = {
    "classes": (":material/bar_chart: Classes", classes.draw),
    "people": (":material/groups: People", people.draw),
    "quality": (":material/flag: Quality", quality.draw),
    "map": (":material/scatter_plot: Map", map.draw),
    "browser": (":material/apps: Browser", browser.draw),
}


def headline() -> None:
    """Draw the figures that a visitor should take away."""
    found = store.images()
    counts = found.counts()
    uneven = figures_dataset.imbalance(counts.sum(axis=0), counts[2] + counts[3])
    people = tables.document("people")["agreement"]["all"]
    leaked = int(found.flags["leaked"].sum())
    test = int(counts[2:].sum())
    columns = st.grid(5, min_column_width=170)
    for label, value, help_text in (
        ("Images", f"{len(found):,}", "28,709 Training, 3,589 PublicTest, 3,589 PrivateTest"),
        (f"{uneven.largest} : {uneven.smallest}", f"{uneven.ratio:.1f} : 1", "Largest class to smallest"),
        ("People agree with the label", f"{100 * people['value']:.1f} %", "Majority of ten people, FER+"),
        ("Test images also in Training", f"{leaked} ({100 * leaked / test:.1f} %)", "Same pixels, exactly"),
        ("Blank", f"{int(found.flags['blank'].sum())}", "Nothing, or nearly nothing, to be seen"),
    ):
        columns.metric(label, value, help=help_text)


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
    TABS[tab][1]()
    record.open_from_address()
