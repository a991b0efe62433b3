"""The landing page: what this is, what was found, a scored photo, and where to go."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import streamlit as st

from fer_core import samples
from fer_core.confusion import destination, destinations_in_words
from fer_core.evaluation import report_deck
from fer_core.labels import index_of
from fer_core.registry import Registry
from fer_core.wording import percent
from pages._ui import components, loaders, shell

REBUILT = "mobilenet-report"  # the report's best network, trained again by the report's own protocol


@dataclass(frozen=True)
class Way:
    """One thing to do: a page, and what awaits there."""

    slug: str
    title: str
    text: str
    query: dict[str, str] = field(default_factory=dict)


WAYS = (  # in order of preference; the first three whose page there is are shown
    Way(
        "predict",
        "Score a photo",
        "Upload one, take one or pick a sample: every face, its pixels, its seven scores.",
    ),
    Way(
        "confusion",
        "Take the errors apart",
        "Click a cell of the confusion matrix and look at the faces in it.",
    ),
    Way(
        "saliency",
        "Ask why",
        "See what in a face a score rests on, and whether that picture can be trusted.",
    ),
    Way(
        "report_check",
        "Check a report",
        "Paste a classification report and see what its own numbers give away.",
    ),
    Way(
        "predict",
        "Look over a group",
        "A whole conference of 1927 on its steps. How do the scores hold up when faces are this small?",
        {"sample": "solvay-1927"},
    ),
    Way(
        "predict",
        "See it struggle",
        "A small, blurred face gets seven scores that add up to one, like any other. Read the cautions.",
        {"sample": "far-and-blurred"},
    ),
)


def show_finding(registry: Registry) -> None:
    """State the headline finding; every figure comes from the report's own tables and from the cards."""
    name, line = max(report_deck.OVERALL.items(), key=lambda entry: entry[1].accuracy.value)
    claims = [line.accuracy, report_deck.MOBILENET.accuracy]
    figures = [("Published", " or ".join(percent(claim.value, 0) for claim in claims))]
    tested = [card for card in registry.servable if "all" in card.metrics]
    ours = [card for card in tested if card.id == REBUILT] + [card for card in tested[:1] if card.id != REBUILT]
    for card in ours:
        label = "Done again" if card.id == REBUILT else "Best model here"
        figures.append((label, percent(card.metrics["all"]["accuracy"])))
    st.subheader("A result that does not survive a second look", anchor=False)
    with st.container(horizontal=True, gap="small"):
        for label, value in figures:
            st.metric(label, value, width="content")
    st.markdown(
        f"A report on FER2013 gives the accuracy of its best network, {name}, twice. The second figure is what comes "
        "out when predictions are compared with the labels of *other* images: every precision is just the share of "
        f"its class. The conclusion, “{report_deck.CONCLUSION}”, cannot be drawn from that."
    )
    rows = [
        destination(card.name, np.array(card.metrics["all"]["confusion"]), index_of("disgust"))
        for card in ours
        if "confusion" in card.metrics["all"]
    ]
    if rows:
        st.markdown(f"Done again, with every label beside its own prediction: {' '.join(destinations_in_words(rows))}")
    st.caption(f"Accuracy on the {sum(report_deck.TEST_SUPPORT.values()):,} test images.")
    if proof := shell.find("report_check"):
        st.page_link(proof.file, label="Follow it with a calculator", icon=proof.icon)


def show_example(registry: Registry) -> None:
    """Show a sample photo as the best model scores it."""
    card = registry.default
    sample = samples.list_samples()[0]
    with st.spinner("Scoring a photo …"):
        scored = loaders.scored(sample, card)
    st.subheader("A photo, scored just now", anchor=False)
    face = scored.result.faces[0]
    verdict, crops = components.verdict(face), components.crops(0, [(card, scored)])
    photo, seen = st.columns([4, 6], vertical_alignment="center")
    photo.image(scored.annotated, alt=f"{sample.alt} The face has a numbered box.", width="stretch")
    seen.html(f'<div style="margin-bottom:.8rem">{verdict}</div>{crops}')
    st.html(components.score_bars(face.probabilities, order=face.ranking, name=f"Scores of face 1 by {card.name}"))
    st.caption(f"Model: {card.name}. {sample.credit}")


def show_ways() -> None:
    """Offer three things to do."""
    there = [(way, page) for way in WAYS if (page := shell.find(way.slug))]
    for column, (way, page) in zip(st.columns(3), there[:3], strict=True):
        with column.container(border=True, height="stretch", gap="xsmall"):
            st.page_link(
                page.file,
                label=f"**{way.title}**",
                icon=":material/arrow_forward:",
                icon_position="right",
                query_params=way.query or None,
                width="stretch",
            )
            st.markdown(way.text)


with shell.page(
    "home",
    heading="What a machine sees in a face",
    lead="Networks trained on FER2013 sort a face into seven labels. Try them, take their errors apart, and check "
    "their figures.",
):
    registry = loaders.registry()
    left, right = st.columns(2)
    with left.container(border=True, height="stretch"), shell.boundary():
        show_finding(registry)
    with right.container(border=True, height="stretch"), shell.boundary():
        show_example(registry)
    show_ways()
    shell.intended_use_notice()
