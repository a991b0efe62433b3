"""Tab "People": how far people agree with the labels and with each other."""

from __future__ import annotations

import streamlit as st

from fer_core import figures_dataset
from fer_core.data import tables
from fer_core.data.people import beside
from fer_core.labels import EMOTIONS, display_name
from fer_core.wording import percent
from pages._ui.dataset import parts, store


def draw() -> None:
    """Draw the tab."""
    people = tables.document("people")
    _agreement(people)
    _votes(people)
    _ceiling(people)
    _neighbours(people)


def _agreement(people: dict) -> None:
    found = people["agreement"]["all"]
    per_class = dict(zip(EMOTIONS, found["per_class"], strict=True))
    best, worst = max(per_class, key=per_class.__getitem__), min(per_class, key=per_class.__getitem__)
    st.header("Do people see what the label says?", anchor=False)
    st.markdown(
        f"FER+ asked ten people about each of {people['images']:,} images. Their majority agrees with the label "
        f"on **{percent(found['value'])}** of them: {percent(per_class[best], 0)} for {best}, but "
        f"{percent(per_class[worst], 0)} for {worst}. Ties move the figure between {100 * found['strict']:.1f} and "
        f"{percent(found['lenient'])}."
    )
    parts.show(figures_dataset.label_agreement(people))


def _votes(people: dict) -> None:
    st.header("What they see instead", anchor=False)
    majority = (
        st.segmented_control(
            "Rows show", ["Mean share of votes", "Majority of each image"], default="Mean share of votes", required=True
        )
        == "Majority of each image"
    )
    parts.show(figures_dataset.votes_matrix(people, majority=majority), key="votes")
    st.subheader("How much they disagree with each other", anchor=False)
    st.markdown(
        "A curve that rises at once: people agree on most faces of the class. Late: they do not, whatever the label "
        "says."
    )
    parts.show(figures_dataset.vote_entropy(people))


def _ceiling(people: dict) -> None:
    found = people["agreement"]["private"]
    st.header("The ceiling that this sets", anchor=False)
    st.markdown(
        f"Give the majority of ten people the test: judged by FER2013’s labels, it would score "
        f"**{percent(found['value'])}** on PrivateTest, and one person drawn at random "
        f"{percent(found['one_person'])}. "
        "A model above that line does not see emotions better than people. It has learnt how *this set* was labelled: "
        "its images came from searching the web for words, and a model can learn what such a search returns."
    )
    accuracies = {card.name: store.leak_effect(card).everything for card in store.predicted().values()}
    parts.show(figures_dataset.ceilings(people, accuracies))


def _neighbours(people: dict) -> None:
    st.header("Whose neighbour is disgust?", anchor=False)
    emotion = st.pills(
        "One person says", list(EMOTIONS), default="disgust", required=True, format_func=display_name, wrap=True
    )
    same, others = beside(people, emotion)
    second = ", ".join(f"{answer} ({percent(share, 0)})" for answer, share in others[:3])
    st.markdown(
        f"Take a face that somebody called {emotion}, and ask another person: {percent(same, 0)} say the same. "
        f"The other answers are mostly {second}."
    )
    parts.show(figures_dataset.neighbours(people, emotion), key="neighbours")
