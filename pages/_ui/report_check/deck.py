"""The report's two tables as printed, and what follows from them."""

from __future__ import annotations

import pyarrow as pa
import streamlit as st

from fer_core import report_check
from fer_core.evaluation import report_deck
from pages._ui.report_check import findings


def draw() -> None:
    """Draw the section."""
    found = report_deck.findings()
    count = sum(len(part) for part in found.values())
    st.subheader("The report’s own numbers", anchor="deck")
    st.markdown(
        f"A student report trained five networks on FER2013 and printed two tables. No image is needed to check them: "
        f"**{count} findings** follow from the printed digits. Each is either *exact*, whatever was rounded, or a "
        "*test* with its p-value. Where one takes more than the digits (that averages are weighted, how many images "
        "FER2013 has), that is said beside it. Take a calculator."
    )
    left, right = st.columns([6, 7], gap="medium")
    with left:
        st.markdown("**Table 1**: five networks on the test set")
        st.dataframe(
            pa.Table.from_pylist(report_check.overall_records()),
            key="deck_overall",
            hide_index=True,
            alt="The report’s first table: accuracy, F1, precision and recall of five networks.",
        )
    with right:
        st.markdown("**Table 2**: its MobileNet by class. The last column is ours.")
        st.dataframe(
            pa.Table.from_pylist(report_check.deck_records()),
            key="deck_classes",
            hide_index=True,
            alt="The report’s second table: precision, recall, F1 and images of each class, with the share of the "
            "class among the images added.",
        )
        accuracy = report_deck.MOBILENET.accuracy
        st.caption(f"Accuracy below the table: {accuracy}. Compare the columns Precision and Share of the images.")
    st.markdown("##### Table 2: how its answers were paired")
    findings.show(found["MobileNet by class"], key="deck")
    st.markdown("##### Table 1 and the data set: what one evaluation cannot give")
    st.caption(report_deck.AVERAGING)
    for name in report_deck.OVERALL:
        findings.show(found[name], key=f"overall_{name}", opened=0, of=name)
    findings.show(found["data set"], key="totals", opened=0, of="Data set")
