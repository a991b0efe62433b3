"""Tab "Browser": filter, sort and page through all images."""

from __future__ import annotations

from typing import Any, Final

import streamlit as st

from fer_core.data import browse
from fer_core.data.browse import Query
from fer_core.data.catalogue import FLAGS, SPLIT_NAMES
from fer_core.labels import EMOTIONS, display_name
from pages._ui import url
from pages._ui.dataset import parts, store

A_PAGE: Final = 200
ANY: Final = "any"

KEYS: Final = ("split", "class", "flag", "sort", "model", "pred", "page")
"""What stands in the address while this tab is shown."""

_PARTS: Final = {"all": "All images", "training": "Training and validation", "test": "All test images", **SPLIT_NAMES}


def draw() -> None:
    """Draw the tab."""
    st.header("Every image", anchor=False)
    cards = store.predicted()
    agreed: Any = store.agreed()
    query, model = _ask(list(cards), {key: card.name for key, card in cards.items()}, agreed is not None)
    scores = store.scores(cards[model]) if model else None
    found = browse.select(store.images(), query, scores=scores, agreed=agreed)
    count = browse.pages(len(found), A_PAGE)
    pager = f"page-{hash((query, model))}"
    page = _page(count, pager)
    shown = found[(page - 1) * A_PAGE : page * A_PAGE]
    only = " of those with scores" if query.needs_scores else ""
    st.markdown(f"**{len(found):,}** images{only}" + (f", page {page} of {count}" if count > 1 else ""))
    if len(found) == 0:
        st.info("No image fits. Take one of the filters away.", icon=":material/filter_alt_off:")
        return
    listed = browse.table(store.images(), shown, scores=scores, agreed=agreed)
    if not parts.faces(shown, key="browser", name="Images", scores=scores, size=72):
        _list(listed)
    if count > 1:
        st.pagination(count, default=page, key=pager)
    parts.table(
        browse.table(store.images(), found, scores=scores, agreed=agreed) if len(found) <= 5000 else listed,
        "fer2013-selection",
        label="List" if len(found) <= 5000 else "List of this page",
        key="browser",
    )


def _ask(models: list[str], names: dict[str, str], has_votes: bool) -> tuple[Query, str | None]:
    first, second, third, fourth = st.columns(4)
    url.adopt("split", list(_PARTS), "all")
    part = first.selectbox("Part", list(_PARTS), format_func=_PARTS.__getitem__, key="split", persist_state="session")
    classes = [ANY, *EMOTIONS]
    url.adopt("class", classes, ANY)
    label = second.selectbox("Label", classes, format_func=_or_any, key="class", persist_state="session")
    flags = [ANY, *FLAGS]
    url.adopt("flag", flags, ANY)
    flag = third.selectbox(
        "Quality", flags, format_func=lambda key: FLAGS.get(key, "Any image"), key="flag", persist_state="session"
    )
    sorts = [
        key for key in browse.SORTS if not (("margin" in key and not models) or ("agree" in key and not has_votes))
    ]
    url.adopt("sort", sorts, "name")
    sort = fourth.selectbox("Order", sorts, format_func=browse.SORTS.__getitem__, key="sort", persist_state="session")

    model, predicted, margin, agreement = None, ANY, (-1.0, 1.0), (0.0, 1.0)
    first, second, third, fourth = st.columns(4)
    if models:
        url.adopt("model", models, models[0])
        model = first.selectbox(
            "Scores of", models, format_func=names.__getitem__, key="model", persist_state="session"
        )
        url.adopt("pred", classes, ANY)
        predicted = second.selectbox(
            "Highest score for", classes, format_func=_or_any, key="pred", persist_state="session"
        )
        margin = third.slider(
            "Margin of the label",
            -1.0,
            1.0,
            (-1.0, 1.0),
            0.05,
            help="Its score minus the best other; below 0 is wrong.",
        )
    if has_votes:
        agreement = fourth.slider("Votes for the label", 0.0, 1.0, (0.0, 1.0), 0.1, help="Share of the FER+ votes.")
    else:
        fourth.caption("Filtering by votes needs the FER+ file (`FERPLUS_CSV`).")
    chosen = {
        "split": part if part != "all" else None,
        "class": label if label != ANY else None,
        "flag": flag if flag != ANY else None,
        "sort": sort if sort != "name" else None,
        "model": model if models and model != models[0] else None,
        "pred": predicted if predicted != ANY else None,
    }
    url.write(**chosen)
    query = Query(
        part=part,
        label=None if label == ANY else label,
        predicted=None if predicted == ANY else predicted,
        flag=None if flag == ANY else flag,
        agreement=agreement,
        margin=margin,
        sort=sort,
    )
    return query, model


def _page(count: int, key: str) -> int:
    """Return the page that the pager below the faces is on: a new question starts at the first, a link at its own."""
    numbers = [str(number) for number in range(1, count + 1)]
    if key in st.session_state:
        page = int(st.session_state[key])
    else:
        page = int(st.query_params["page"]) if url.is_new("page") and st.query_params["page"] in numbers else 1
    url.write(page=str(page) if page > 1 else None)
    return page


def _list(listed: dict[str, list[object]]) -> None:
    """Draw the images as rows when there are no faces; a row opens its record."""

    def picked() -> None:
        rows = st.session_state["browser-list"]["selection"]["rows"]
        parts.open_image(str(listed["image"][rows[0]]) if rows else None)

    st.dataframe(
        listed,
        hide_index=True,
        key="browser-list",
        on_select=picked,
        selection_mode="single-row",
        alt="The images as a list",
    )


def _or_any(key: str) -> str:
    return "Any" if key == ANY else display_name(key)
