"""What a visitor chose stands in the address, so that a view can be shared: ``?model=…&compare=…&sample=…``.

Never an upload. A widget bound with ``bind="query-params"`` would write the label a reader sees there, not the id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import streamlit as st

_WRITTEN: Final = "_url_written"
_PAGE: Final = "_url_page"


def enter(slug: str) -> None:
    """Note which page is drawn: coming from another one, every choice in the address counts as new."""
    if st.session_state.get(_PAGE) != slug:
        st.session_state[_PAGE] = slug
        st.session_state[_WRITTEN] = {}


def is_new(key: str) -> bool:
    """Tell whether the address says something about `key` that this page has not put there itself."""
    return key in st.query_params and st.query_params[key] != st.session_state[_WRITTEN].get(key)


def adopt(key: str, options: Sequence[str], default: str | None) -> str | None:
    """Give the widget of that key its value before it is drawn, and return it.

    The address wins when it says something new (first visit, shared link, back button); else the choice made before,
    where it is still among `options`; else `default`.
    """
    if is_new(key) and st.query_params[key] in options:
        st.session_state[key] = st.query_params[key]
    if st.session_state.get(key) not in options:
        st.session_state[key] = default
    value: str | None = st.session_state[key]
    return value


def write(**choices: str | None) -> None:
    """Put the choices into the address; a choice that is None is taken out of it."""
    for key, value in choices.items():
        if value is None:
            st.query_params.pop(key, None)
        elif st.query_params.get(key) != value:
            st.query_params[key] = value
        st.session_state[_WRITTEN][key] = value
