"""Score a photo: every face with its seven scores and the exact crop the network saw."""

from __future__ import annotations

import streamlit as st

from fer_core import samples
from fer_core.registry import ModelCard
from fer_core.samples import Sample
from pages._ui import components, downloads, loaders, pickers, shell, visit
from pages._ui.loaders import Scored
from pages._ui.visit import Photo

FACES_A_PAGE = 12
ONWARD = (
    ("saliency", "Ask why: what in the face do these scores rest on?"),
    ("confusion", "What does this model mix up?"),
    ("models", "How good is this model?"),
    ("home", "What are such scores worth?"),
)
BESIDE = 2  # up to this many faces stand beside the photo, more stand below it


def show_photo(picture: Sample | Photo, scored: Scored) -> None:
    """Draw the photo with its boxes, and say whose it is."""
    if isinstance(picture, Sample):
        alt, caption = picture.alt, f"{picture.note} {picture.credit}"
    else:
        alt, caption = "Your picture.", picture.name
    st.image(scored.annotated, alt=f"{alt} Each face has a numbered box.", width="stretch")
    st.caption(caption)


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


def show_what_next(picture: Sample | Photo, models: list[ModelCard]) -> None:
    """Offer the scores as files, for all pictures of the visit that are scored, and where to go on."""
    photos = list(visit.current().photos.values()) if isinstance(picture, Photo) else [picture]
    records = []
    for photo in photos:
        name = photo.name if isinstance(photo, Photo) else photo.id
        scored = [(model, loaders.scored(photo, model)) for model in models if loaders.is_scored(photo, model)]
        records += downloads.rows(name, scored)
    there = [(page, label) for slug, label in ONWARD if (page := shell.find(slug))]
    with st.container(horizontal=True, vertical_alignment="center"):
        downloads.buttons(records)
        for page, label in there[:2]:
            query = {"model": models[0].id} | ({"show": "face"} if page.slug == "saliency" else {})
            st.page_link(page.file, label=label, icon=page.icon, query_params=query)


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
            picture = samples.list_samples()[0]
            st.caption(
                "Every face is found, also in a photo that lies on its side. Until you give one, here is a sample."
            )

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
    show_what_next(picture, [model for model, _ in answers])
