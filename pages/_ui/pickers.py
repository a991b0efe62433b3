"""The choices that several pages offer: which model, which picture. They stand in the address (see ``url``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import streamlit as st

from fer_core import images, samples
from fer_core.errors import ImageDecodeError
from fer_core.registry import ModelCard
from pages._ui import loaders, url, visit

SOURCES: Final = {
    "Samples": ":material/photo_library: Samples",
    "Upload": ":material/upload: Upload",
    "Camera": ":material/photo_camera: Camera",
}
_NO_MODEL: Final = ""


def models() -> tuple[ModelCard, ModelCard | None]:
    """Draw the model pickers, best model first; return the model and the one to compare it with.

    Raises
    ------
    ModelNotFound
        If there is no model to serve.
    """
    registry = loaders.registry()
    best = registry.default
    cards = {card.id: card for card in registry.servable}
    url.adopt("model", list(cards), best.id)
    left, right = st.columns(2) if len(cards) > 1 else (st.container(), None)
    model = left.selectbox(
        "Model", list(cards), format_func=lambda key: cards[key].name, key="model", persist_state="session"
    )
    compare = _NO_MODEL
    if right is not None:
        others = [_NO_MODEL, *(key for key in cards if key != model)]
        url.adopt("compare", others, _NO_MODEL)
        compare = right.selectbox(
            "Compare with",
            others,
            format_func=lambda key: cards[key].name if key else "No other model",
            key="compare",
            persist_state="session",
        )
    url.write(model=model if model != best.id else None, compare=compare or None)
    st.caption(cards[model].summary)
    for folder, sentence in registry.problems:
        st.warning(f"`{folder}` is left out. {sentence}", icon=":material/folder_off:")
    return cards[model], cards.get(compare)


def picture(card: ModelCard, more: Mapping[str, str] | None = None) -> samples.Sample | visit.Photo | str | None:
    """Draw the picture picker: a sample, or a picture of this visit, uploaded or taken.

    Pictures of the visit that `card`'s pipeline cannot read are dropped with a sentence each.

    Parameters
    ----------
    card : ModelCard
    more : mapping of str to str, optional
        Further sources of a page, with their labels.

    Returns
    -------
    Sample, Photo, str or None
        None while the visitor has not given a picture yet; the name of a further source if that was chosen.
    """
    sources = {**SOURCES, **(more or {})}
    if url.is_new("sample"):
        st.session_state["source"] = "Samples"
    url.keep("source", list(sources), "Samples")
    source = st.segmented_control(
        "Picture from",
        list(sources),
        format_func=sources.__getitem__,
        key="source",
        required=True,
        persist_state="session",
        label_visibility="collapsed",
        wrap=True,
    )
    if source == "Samples":
        return _sample()
    url.write(sample=None)
    if source not in SOURCES:
        return source
    if source == "Upload":
        _uploader()
    else:
        _camera()
    _drop_unreadable(card)
    return _photo()


def _sample() -> samples.Sample:
    bundled = {sample.id: sample for sample in samples.list_samples()}
    first = next(iter(bundled))
    url.adopt("sample", list(bundled), first)
    chosen = st.pills(
        "Sample",
        list(bundled),
        format_func=lambda key: bundled[key].title,
        key="sample",
        required=True,
        persist_state="session",
        label_visibility="collapsed",
        wrap=True,
    )
    url.write(sample=chosen if chosen != first else None)
    return bundled[chosen]


def _uploader() -> None:
    key = f"upload_{visit.current().round}"
    st.file_uploader(
        "Photos, several at once if you like",
        type=list(images.SUPPORTED_EXTENSIONS),
        accept_multiple_files=True,
        key=key,
        on_change=lambda: visit.take(st.session_state[key], "upload"),
        label_visibility="collapsed",
    )


def _camera() -> None:
    key = f"camera_{visit.current().round}"
    st.camera_input(
        "Take a picture",
        key=key,
        on_change=lambda: visit.take([st.session_state[key]], "camera"),
        label_visibility="collapsed",
    )


def _drop_unreadable(card: ModelCard) -> None:
    """Score what is new, so that every bad file gets its sentence at once while the others go on."""
    store = visit.current()
    new = [photo for photo in store.photos.values() if not loaders.is_scored(photo, card)]
    if new:
        with st.spinner(f"Looking for faces in {len(new)} picture{'s' if len(new) > 1 else ''} …"):
            for photo in new:
                try:
                    loaders.scored(photo, card)
                except ImageDecodeError as error:
                    visit.refuse(photo, str(error))
    for name, sentence in store.problems:
        st.error(f"**{name}** – {sentence}", icon=":material/broken_image:")


def _photo() -> visit.Photo | None:
    store = visit.current()
    if not store.photos:
        return None
    st.session_state["photo"] = store.selected
    names = {photo.id: photo.name for photo in store.photos.values()}
    st.pills(
        "Your pictures",
        list(names),
        format_func=names.__getitem__,
        key="photo",
        required=True,
        on_change=lambda: visit.select(st.session_state["photo"]),
        wrap=True,
    )
    with st.container(horizontal=True):
        chosen = (store.selected,)
        st.button("Remove this picture", icon=":material/delete:", type="tertiary", on_click=visit.remove, args=chosen)
        st.button("Remove all", icon=":material/delete_sweep:", type="tertiary", on_click=visit.clear)
    return store.photos[store.selected]
