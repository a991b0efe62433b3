"""The frame of every page: browser tab, sidebar, heading, notice on intended use, and what happens on an error.

A page is ``with shell.page("predict"): …``. A new page is one file in ``pages/`` and one line in :data:`PAGES`.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import streamlit as st

from fer_core.errors import FerError
from pages._ui import url

APP_NAME: Final = "Emotion explorer"
LOGO: Final = Path(__file__).with_name("logo.svg")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Page:
    """One entry of the sidebar.

    Parameters
    ----------
    slug : str
        Last part of the address, which is the name of the file in ``pages/``; ``"home"`` is the entry script.
    title, icon : str
        In the sidebar, the browser tab and the heading; a Material symbol.
    about : str
        One sentence, shown as a tooltip.
    """

    slug: str
    title: str
    icon: str
    about: str

    @property
    def file(self) -> str:
        """Path of the script, as ``st.page_link`` and ``st.switch_page`` take it."""
        return "streamlit_app.py" if self.slug == "home" else f"pages/{self.slug}.py"


PAGES: Final = (
    Page("home", "Home", ":material/home:", "What this is, and what was found"),
    Page("predict", "Predict", ":material/face:", "Score a photo, from a file or the camera"),
    Page("dataset", "Dataset", ":material/photo_library:", "What FER2013 is, and what is wrong with it"),
    Page("confusion", "Confusion matrix", ":material/grid_on:", "What is taken for what, by which model, and why not"),
    Page(
        "saliency", "Saliency", ":material/center_focus_strong:", "Why this label: where a model looked, and is it so?"
    ),
    Page("models", "Models", ":material/leaderboard:", "Every model, beside what others claim and reach"),
    Page("report_check", "Report check", ":material/fact_check:", "What a report’s own numbers give away"),
)


def find(slug: str) -> Page | None:
    """Return the page of that slug, or None while there is none."""
    return next((entry for entry in PAGES if entry.slug == slug), None)


@contextmanager
def page(slug: str, *, heading: str | None = None, lead: str | None = None) -> Iterator[Page]:
    """Draw the frame of a page; what is drawn inside the ``with`` block is guarded by :func:`boundary`.

    Parameters
    ----------
    slug : str
        An entry of :data:`PAGES`.
    heading : str, optional
        Instead of the page's title.
    lead : str, optional
        One or two sentences under the heading.
    """
    entry = find(slug)
    assert entry is not None, f"{slug} is not in PAGES"
    st.set_page_config(
        page_title=APP_NAME if slug == "home" else f"{entry.title} · {APP_NAME}",
        page_icon=str(LOGO),
        layout="wide",
    )
    url.enter(slug)
    _sidebar()
    with st.container(width=1160):  # a line of text stays readable on a projector
        st.title(heading or entry.title, anchor=False)
        if lead:
            st.markdown(lead)
        with boundary():
            yield entry


@contextmanager
def boundary() -> Iterator[None]:
    """Turn an error into a sentence. A fragment needs its own, since it reruns without the page around it."""
    try:
        yield
    except FerError as error:
        st.error(str(error), icon=":material/error:")
    except Exception as error:
        # the message could quote what a visitor uploaded; the kind and the place cannot
        places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
        _log.error("%s at %s", type(error).__name__, " > ".join(places[-4:]))
        st.error(
            "Something went wrong on this page, and it is not your fault. Reload it, or try another picture.",
            icon=":material/error:",
        )


def intended_use_notice() -> None:
    """Say what the scores may be used for; stands wherever pictures are taken."""
    st.markdown(
        ":small[:material/info: **For teaching and demonstration.** A score says how well a picture fits a label, not "
        "what somebody feels. In the EU, inferring the emotions of people at work or in education is prohibited "
        "(AI Act, article 5(1)(f)). Nothing you upload is stored: a picture stays in this server’s memory until you "
        "remove it or leave.]"
    )


def _sidebar() -> None:
    st.logo(str(LOGO), size="large", link=None)
    with st.sidebar:
        st.markdown(f"### {APP_NAME}")
        with st.container(gap="xxsmall"):
            for entry in PAGES:
                st.page_link(entry.file, label=entry.title, icon=entry.icon, help=entry.about)
        st.space("small")
        st.caption("Facial-expression classifiers on FER2013, seen from the inside. For teaching and demonstration.")
