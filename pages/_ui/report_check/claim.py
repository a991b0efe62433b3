"""The headline: what is left of "disgust fails; most of it is taken for happy" in rightly paired evaluations."""

from __future__ import annotations

import pyarrow as pa
import streamlit as st

from fer_core import confusion as cm
from fer_core import report_check
from fer_core.evaluation import report_deck
from fer_core.labels import index_of
from fer_core.registry import ModelCard
from fer_core.wording import sentence_case
from pages._ui import loaders, shell


def draw(cards: tuple[ModelCard, ...]) -> None:
    """Draw the section; every sentence and number comes from the stored predictions."""
    st.subheader(f"“{sentence_case(report_deck.CONCLUSION)}” – is that so?", anchor="claim")
    studies = [(card, loaders.study_of(card, "all")) for card in cards]
    claims = [report_check.claim(card.name, study.counts) for card, study in studies]
    destinations = [cm.destination(card.name, study.counts, index_of("disgust")) for card, study in studies]
    sentences = report_check.claims_in_words(claims)
    if destinations:
        sentences += cm.destinations_in_words(destinations)
    st.markdown("\n".join(f"- {sentence}" for sentence in sentences))
    if claims:
        st.dataframe(
            pa.Table.from_pylist(report_check.claim_records(claims)),
            key="claims",
            hide_index=True,
            alt="Both halves of the claim for every model: images with their 95 % intervals, and whether it holds.",
        )
    st.caption(
        "All 7,178 test images, every label beside its own prediction; in brackets 95 % intervals (Wilson). A half of "
        "the claim is called undecided where the interval includes one half. The report itself had no way to know: "
        "see below."
    )
    page = shell.find("confusion")
    if page is not None and claims:
        st.page_link(
            page.file,
            label="Look at these faces",
            icon=page.icon,
            query_params={"model": cards[0].id, "true": "disgust", "pred": "happy"},
        )
