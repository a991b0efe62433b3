"""Tab "Quality": repeats, leaks, contradictions, blanks and doubtful labels, each with its faces."""

from __future__ import annotations

from typing import Final

import streamlit as st

from fer_core import figures_dataset
from fer_core.data import browse, faults, tables
from fer_core.wording import percent
from pages._ui import url
from pages._ui.dataset import parts, store

A_PAGE: Final = 24
"""Groups of equal pictures that are shown at once."""

KEYS: Final = ("kind", "pairs")
"""What stands in the address while this tab is shown."""

KINDS: Final = {
    "leaked": "Leaks",
    "repeated": "Repeats",
    "contradicting": "Contradictions",
    "near": "Near duplicates",
    "blank": "Blank",
    "suspect": "Doubted labels",
}


def draw() -> None:
    """Draw the tab."""
    kinds = [kind for kind in KINDS if store.images().flags[kind].any()]
    url.adopt("kind", kinds, kinds[0])
    kind = st.segmented_control(
        "What is wrong",
        kinds,
        format_func=KINDS.__getitem__,
        key="kind",
        required=True,
        persist_state="session",
        label_visibility="collapsed",
    )
    url.write(kind=kind if kind != kinds[0] else None)
    {
        "leaked": _leaks,
        "repeated": _repeats,
        "contradicting": _contradictions,
        "near": _near,
        "blank": _blank,
        "suspect": _suspects,
    }[kind]()


def _leaks() -> None:
    leaks = faults.leaks()
    st.header("Test images that stand in Training", anchor=False)
    st.markdown(
        f"**{len(leaks.pairs)}** of the 7,178 test images have an exact copy, pixel by pixel, among the images a "
        f"network is trained on; {leaks.private} of them are in PrivateTest. A model may know their label by heart, "
        f"{leaks.differing} times with another label than the test wants."
    )
    cards = list(store.predicted().values())
    if cards:
        found = [(card.name, store.leak_effect(card)) for card in cards]
        st.subheader("What that does to each model’s accuracy", anchor=False)
        parts.show(figures_dataset.leak_effect(found))
        name, effect = found[0]
        st.caption(
            f"{name}: {percent(effect.everything, 2)} on PrivateTest, {percent(effect.clean, 2)} on the "
            f"{effect.n_clean:,} images without a copy in Training, {percent(effect.leaked, 2)} on the "
            f"{effect.n_leaked} with one; {percent(effect.cleanest, 2)} on the {effect.n_cleanest:,} of which Training "
            "has no near duplicate either."
        )
    _pairs(leaks.pairs, "leaked")


def _repeats() -> None:
    repeats = faults.repeats()
    st.header("The same picture more than once", anchor=False)
    st.markdown(
        f"**{len(repeats.groups):,}** pictures are there more than once, with the same pixels, under {repeats.extra:,} "
        f"further names. The largest group has {repeats.largest} members."
    )
    _pairs(repeats.groups, "repeated")


def _contradictions() -> None:
    found = faults.contradictions()
    st.header("One picture, several labels", anchor=False)
    st.markdown(
        f"**{len(found.groups)}** pictures carry more than one label. No model can be right on all their copies: "
        f"whatever it answers, at least {found.errors} of the {found.images} images count as wrong."
    )
    _pairs(found.groups, "contradicting")


def _near() -> None:
    found = faults.near_duplicates()
    st.header("The same photo in another version", anchor=False)
    st.markdown(
        f"**{len(found.pairs):,}** pairs show the same photo, moved, with other brightness or a watermark, "
        f"{found.mirrored} of them mirrored; {found.differing:,} carry two labels. In {found.crossing:,} pairs one "
        "image is in the test set and the other in Training: leaks that a comparison of pixels does not see. Larger "
        "changes are not found, so these are lower bounds."
    )
    url.adopt("pairs", list(faults.NEAR), "all")
    which = st.segmented_control(
        "Pairs",
        list(faults.NEAR),
        format_func=faults.NEAR.__getitem__,
        key="pairs",
        required=True,
        persist_state="session",
    )
    url.write(pairs=which if which != "all" else None)
    _pairs(faults.near_duplicates(which).pairs, "near")


def _blank() -> None:
    found = faults.blanks()
    st.header("Pictures that show nothing", anchor=False)
    st.markdown(
        f"**{found.blank}** images are blank (their grey values deviate by less than 1 from their mean) and "
        f"{found.nearly} nearly so (less than 10), each with a label that no one could have seen in it."
    )
    parts.faces(store.images().index_of(found.names), key="blank", name="Blank images")
    parts.table(browse.columns(tables.rows("blank")), "fer2013-blank", label="List", key="blank-list")


def _suspects() -> None:
    summary = tables.document("suspects")
    rows = tables.rows("suspects")
    judged = sum(summary["judged"])
    st.header("Labels that a model doubts", anchor=False)
    st.markdown(
        f"**{len(rows):,}** of {judged:,} labels of the validation and test images, which it was not trained on, "
        f"are doubted by {summary['name']}: it is confident of another class by that class’s own standard (confident "
        "learning, Northcutt et al. 2021). A weak model doubts many labels that are right, so ask somebody else, too:"
    )
    witness = summary.get("witness")
    if witness:
        st.markdown(
            f"Of the doubted labels, the majority of ten people (FER+) disagrees with "
            f"**{percent(witness['suspect']['against_label'], 0)}**, and says what the model says for "
            f"{percent(witness['suspect']['suggested'], 0)}. Of the labels it does not doubt, people disagree with "
            f"{percent(witness['other']['against_label'], 0)}."
        )
    parts.show(figures_dataset.suspects(summary))
    st.subheader("The most doubtful first", anchor=False)
    count = browse.pages(len(rows), 60)
    first = (st.pagination(count, key="suspects-page") - 1) * 60 if count > 1 else 0
    shown = rows[first : first + 60]
    parts.faces(
        store.images().index_of([row["image"] for row in shown]),
        key="suspect",
        name="Images with a doubted label",
        captions=[f"{row['image'].split('/')[1]} → {row['suggested']}?" for row in shown],
    )
    parts.table(browse.columns(rows), "fer2013-doubted", label="List", key="suspect-list")


def _pairs(groups: list[list[str]], key: str) -> None:
    """Draw groups of equal pictures, so many at a time, and the list of all."""
    count = browse.pages(len(groups), A_PAGE)
    page = st.pagination(count, key=f"{key}-page") if count > 1 else 1
    shown = groups[(page - 1) * A_PAGE : page * A_PAGE]
    album = store.album()
    if album is not None:
        html = browse.groups(store.images(), shown, album, address=parts.address)
        parts.clickable(html, key=f"{key}-groups")
    parts.table(browse.listed(groups), f"fer2013-{key}", label="List", key=f"{key}-list")
