"""Everything that is known of one image, over the page; its address can be shared."""

from __future__ import annotations

from html import escape

import streamlit as st

from fer_core.data import browse, tables
from fer_core.data.catalogue import FLAGS, SPLIT_NAMES
from fer_core.data.ferplus import VOTE_COLUMNS
from fer_core.labels import EMOTIONS
from pages._ui import shell
from pages._ui.components import growing, ranking, row, score_bars
from pages._ui.dataset import parts, store


def open_from_address() -> None:
    """Open the image that the address names, if it names one."""
    name = st.query_params.get(parts.IMAGE)
    if not name:
        return
    index = int(store.images().index_of([name])[0])
    if index < 0:
        st.warning("There is no image of that name in FER2013.", icon=":material/search_off:")
        return
    _dialog(index)


@st.dialog("One image", width="large", on_dismiss=lambda: parts.open_image(None))
def _dialog(index: int) -> None:
    found = store.images()
    album = store.album()
    name, label = str(found.names[index]), EMOTIONS[found.labels[index]]
    picture = ""
    if album is not None and (uri := album.uri(index)):
        picture = (
            f'<img src="{uri}" alt="{escape(browse.describe(found, index))}" style="width:11rem;max-width:100%;'
            'aspect-ratio:1;border-radius:.6rem;image-rendering:auto">'
        )
    facts = {
        "Label": f"<b>{label}</b>",
        "Split": SPLIT_NAMES[str(found.split[index])],
        "Brightness": f"{found.brightness[index]:.0f}",
        "Contrast": f"{found.contrast[index]:.0f}",
        "Sharpness": f"{found.sharpness[index]:.0f}",
    }
    cells = "".join(
        f'<tr><th scope="row" style="border:0;'
        'text-align:left;font-weight:400;opacity:.75;padding:.15rem 1rem .15rem 0">'
        f'{key}</th><td style="border:0;padding:.15rem 0">{value}</td></tr>'
        for key, value in facts.items()
    )
    st.html(
        row(picture, growing(f'<table style="border:0;border-collapse:collapse">{cells}</table>', at_least="12rem"))
    )
    st.caption(f"`{name}`")
    if album is None:
        st.caption("The face itself is not shown: FER2013 is not on this machine.")
    _findings(index)
    _scores(index)
    _votes(index)
    _neighbours(index)


def _findings(index: int) -> None:
    found = browse.findings(store.images(), index)
    for finding in found:
        st.markdown(f":orange[:material/flag:] **{FLAGS[finding.flag]}.** {finding.sentence}")
        if finding.others:
            at = store.images().index_of(list(finding.others[:12]))
            if not parts.faces(at, key=f"record-{finding.flag}", name=FLAGS[finding.flag], size=64):
                st.caption(", ".join(f"`{other}`" for other in finding.others[:12]))
    if not found:
        st.caption("Nothing is wrong with this image as far as the checks go.")


def _scores(index: int) -> None:
    st.subheader("What the models say", anchor=False)
    columns = []
    order = None
    for card in store.predicted().values():
        proba = store.scores(card).proba[index]
        if proba[0] != proba[0]:  # NaN
            continue
        order = order or ranking(proba)
        columns.append(
            growing(
                f'<div style="font-size:.85rem;opacity:.8">{escape(card.name)}</div>'
                + score_bars(proba, order=order, name=f"Scores by {card.name}"),
                at_least="14rem",
            )
        )
    if columns:
        st.html(row(*columns))
    else:
        st.caption("No stored scores: models were trained on this image, and their answer to it would prove nothing.")
    why = shell.find("saliency")
    if why is not None and store.album() is not None:
        query = {"image": str(store.images().names[index])}
        st.page_link(why.file, label="Why? Where a model looked", icon=why.icon, query_params=query)


def _votes(index: int) -> None:
    st.subheader("What people voted", anchor=False)
    votes = store.votes()
    if votes is None:
        st.caption("The FER+ votes are not set up (`FERPLUS_CSV`).")
        return
    counts, known = votes.of([str(store.images().names[index])])
    if not known[0]:
        st.caption("FER+ has no votes for this image: people saw no face in it.")
        return
    given = sorted(((int(n), vote) for n, vote in zip(counts[0], VOTE_COLUMNS, strict=True) if n), reverse=True)
    st.markdown(" · ".join(f"**{count}** {'not a face' if vote == 'NF' else vote}" for count, vote in given))


def _neighbours(index: int) -> None:
    at = browse.neighbours(index)
    if len(at) == 0:
        return
    found = store.images()
    st.subheader("Nearest in the features of a model", anchor=False)
    captions = [f"{EMOTIONS[found.labels[i]]}, {found.split[i]}" for i in at]
    if not parts.faces(at, key="record-neighbours", name="Nearest images", captions=captions, size=84):
        st.caption(", ".join(captions))
    about = tables.document("map")
    st.caption(f"By {about['name']}, among all images but exact repeats of this one.")
