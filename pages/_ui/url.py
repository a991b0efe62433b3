"""What a visitor chose stands in the address, so that a view can be shared: ``?model=…&compare=…&sample=…``.

Never an upload. A widget bound with ``bind="query-params"`` would write the label a reader sees there, not the id.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import streamlit as st

_WRITTEN: Final = "_url_written"
_PAGE: Final = "_url_page"
_ENTERED: Final = "_url_entered"
_PENDING: Final = "_url_pending"


def enter(slug: str) -> None:
    """Note which page is drawn: coming from another one, every choice in the address counts as new."""
    st.session_state[_ENTERED] = st.session_state.get(_PAGE) != slug
    if st.session_state[_ENTERED]:
        st.session_state[_PAGE] = slug
        st.session_state[_WRITTEN] = {}


def is_new(key: str) -> bool:
    """Tell whether the address says something about `key` that this page has not put there itself."""
    return key in st.query_params and st.query_params[key] != st.session_state[_WRITTEN].get(key)


def is_gone(key: str) -> bool:
    """Tell whether what this page had put into the address is not there any more: the back button was used."""
    return st.session_state[_WRITTEN].get(key) is not None and key not in st.query_params


def adopt(key: str, options: Sequence[str], default: str | None) -> str | None:
    """Give the widget of that key its value before it is drawn, and return it.

    The address wins when it says something new (first visit, shared link, back button) or nothing any more (back
    button); else the choice made before, where it is still among `options`; else `default`.
    """
    if is_new(key) and st.query_params[key] in options:
        st.session_state[key] = st.query_params[key]
    elif is_gone(key):
        st.session_state[key] = default
    keep(key, options, default)
    value: str | None = st.session_state[key]
    return value


def keep(key: str, options: Sequence[str], default: str | None) -> None:
    """Let the widget of that key keep the choice made before, on this page or another; else give it `default`."""
    value = st.session_state.get(key)
    if value not in options:
        st.session_state[key] = default
    elif st.session_state[_ENTERED]:
        st.session_state[key] = value  # said again: what the other page's widget sends may not fit this one


def write(**choices: str | None) -> None:
    """Put the choices into the address; a choice that is None is taken out of it.

    All at once: each change of the address is an entry in the browser's history, to which its back button returns.
    Inside :func:`together` it waits for the end of the block.
    """
    if _PENDING in st.session_state:
        st.session_state[_PENDING].update(choices)
        return
    before = st.query_params.to_dict()
    after = {**before, **choices}
    wanted = {key: value for key, value in after.items() if value is not None}
    if wanted != before:
        st.query_params.from_dict(wanted)
    st.session_state[_WRITTEN].update(choices)


@contextmanager
def together() -> Iterator[None]:
    """Put all that is written inside into the address at once, at the end: one entry in the browser's history."""
    st.session_state[_PENDING] = {}
    try:
        yield
    finally:  # also where a rerun stops the script: what was drawn is what was chosen
        write(**st.session_state.pop(_PENDING))
