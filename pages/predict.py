"""Score a photo: every face with its seven scores and the exact crop the network saw."""

from __future__ import annotations

import streamlit as st

from fer_core.registry import ModelCard
from fer_core.samples import Sample
from pages._ui import components, loaders, pickers, shell
from pages._ui.loaders import Scored
from pages._ui.visit import Photo

FACES_A_PAGE = 12
BESIDE = 2  # up to this many faces stand beside the photo, more stand below it


def show_photo(picture: Sample | Photo, scored: Scored) -> None:
    """Draw the photo with its boxes, and say whose it is."""
    alt, credit = (picture.alt, picture.credit) if isinstance(picture, Sample) else ("Your picture", picture.name)
    st.image(scored.annotated, alt=f"{alt} Each face has a numbered box.", width="stretch")
    if scored.result.detection.rotation:
        credit += f" Shown turned by {scored.result.detection.rotation}°, as the faces were found."
    st.caption(credit)


def show_faces(answers: list[tuple[ModelCard, Scored]]) -> None:
    """Draw one panel a face, so many at a time."""
    count = len(answers[0][1].result.faces)
    first = 0
    if count > FACES_A_PAGE:
        first = (st.pagination(-(-count // FACES_A_PAGE), key="faces") - 1) * FACES_A_PAGE
    with st.grid(2 if count > BESIDE and len(answers) == 1 else 1, min_column_width=400):
        for index in range(first, min(count, first + FACES_A_PAGE)):
            with st.container(border=True, height="stretch"):
                components.face_panel(index, answers)


with shell.page(
    "predict",
    heading="Score a photo",
    lead="Every face in a photo gets seven scores, one for each label the network knows.",
):
    chooser, settings = st.columns([5, 7], gap="medium")
    with settings:
        card, other = pickers.models()
        shell.intended_use_notice()
    with chooser:
        picture = pickers.picture(card)
    if picture is None:
        st.stop()

    with st.spinner("Looking for faces …"):
        answers = [(model, loaders.scored(picture, model)) for model in (card, other) if model]
    scored = answers[0][1]
    if len(scored.result.faces) == 0:
        show_photo(picture, scored)
        st.info(
            "No face was found in this picture, upright or turned. A face should be at least 40 pixels high and look "
            "towards the camera.",
            icon=":material/face_retouching_off:",
        )
    elif len(scored.result.faces) <= BESIDE:
        left, right = st.columns([5, 7], gap="medium")
        with left:
            show_photo(picture, scored)
        with right:
            show_faces(answers)
    else:
        show_photo(picture, scored)
        show_faces(answers)
