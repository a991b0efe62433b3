"""What a visitor looks at on this page: the choices above the matrix, and the cell that is open.

All of it stands in the address: ``?model=…&part=…&view=…&order=…&compare=…&true=disgust&pred=angry``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

import streamlit as st

from fer_core.confusion import Order, View
from fer_core.errors import FerError
from fer_core.labels import EMOTIONS
from fer_core.registry import ModelCard
from fer_core.whatif import ANSWERS
from fer_core.wording import PART_NAMES, sentence_case
from pages._ui import loaders, url

if TYPE_CHECKING:
    from fer_core.evaluation.predictions import Selection

VIEWS: Final = {
    "row": "Row %",
    "column": "Column %",
    "counts": "Counts",
    "model": "Minus another model",
    "chance": "Minus guessing",
}
ABOUT: Final = {
    "row": "Share of the images with this label that get this answer. The diagonal is the recall.",
    "column": "Share of the images with this answer that have this label. The diagonal is the precision.",
    "counts": "Number of images.",
    "model": "Share of the label’s images minus that of the other model, in percentage points.",
    "chance": "Share of the label’s images minus what answering independently of the image, equally often, would give, "
    "in percentage points. Where a whole matrix is near zero, the model has not looked.",
}
ORDERS: Final = {"fixed": "Alphabetical", "clustered": "Clustered"}

_CELL: Final = "confusion_cell"
_ROUND: Final = "confusion_round"

Cell = tuple[str, str]


@dataclass(frozen=True)
class Choice:
    """What is looked at."""

    card: ModelCard
    part: Selection
    view: View
    order: Order
    other: ModelCard | None
    others: tuple[ModelCard, ...]
    """All further models that answered the same part."""

    @property
    def part_name(self) -> str:
        """The part, for the middle of a sentence."""
        return PART_NAMES[self.part]


def choose() -> Choice:
    """Draw the pickers and return what was chosen.

    Raises
    ------
    FerError
        If no model has stored predictions.
    """
    cards = {card.id: card for card in loaders.evaluated()}
    if not cards:
        raise FerError("No model has stored predictions yet, so there is nothing to count. See the README on training.")
    best = next(iter(cards))
    with st.grid(4, min_column_width=230):
        url.adopt("model", list(cards), best)
        model = st.selectbox(
            "Model", list(cards), format_func=lambda key: cards[key].name, key="model", persist_state="session"
        )
        parts = _parts(cards[model])
        url.adopt("part", parts, parts[0])
        part = cast(
            "Selection",
            st.selectbox(
                "Images",
                parts,
                format_func=lambda part: sentence_case(PART_NAMES[part]),
                key="part",
                persist_state="session",
            ),
        )
        others = {key: card for key, card in cards.items() if key != model and part in _parts(card)}
        views = [view for view in VIEWS if view != "model" or others]
        url.adopt("view", views, "row")
        view = cast(
            "View",
            st.selectbox("Cells show", views, format_func=VIEWS.__getitem__, key="view", persist_state="session"),
        )
        url.adopt("order", list(ORDERS), "fixed")
        order = cast(
            "Order",
            st.selectbox(
                "Order of classes", list(ORDERS), format_func=ORDERS.__getitem__, key="order", persist_state="session"
            ),
        )
    other = None
    below = st.container()  # always there, so that what follows keeps its place
    if view == "model":
        url.adopt("compare", list(others), next(iter(others)))
        other = below.selectbox(
            "The other model",
            list(others),
            format_func=lambda key: others[key].name,
            key="compare",
            persist_state="session",
        )
    url.write(
        model=model if model != best else None,
        part=part if part != parts[0] else None,
        view=view if view != "row" else None,
        order=order if order != "fixed" else None,
        compare=other,
    )
    st.caption(ABOUT[view] + (" Classes that are taken for each other stand side by side." if order != "fixed" else ""))
    return Choice(cards[model], part, view, order, others.get(other or ""), tuple(others.values()))


def cell() -> Cell | None:
    """Return the open cell as (label, answer)."""
    if url.is_new("true") or url.is_new("pred"):
        true, pred = st.query_params.get("true", ""), st.query_params.get("pred", "")
        if true in EMOTIONS and pred in ANSWERS:
            open_cell(true, pred)
    elif url.is_gone("true"):
        close_cell()
    found: Cell | None = st.session_state.get(_CELL)
    # Coming from another page, the address is empty and the cell is still open.
    url.write(true=found[0] if found else None, pred=found[1] if found else None)
    return found


def open_cell(true: str, pred: str, *, renew: bool = True) -> None:
    """Open a cell. With `renew` the matrix starts without a selection of its own, so that each cell can be clicked."""
    st.session_state[_CELL] = (true, pred)
    if renew:
        st.session_state[_ROUND] = round_() + 1


def close_cell() -> None:
    """Close the open cell."""
    st.session_state[_CELL] = None
    st.session_state[_ROUND] = round_() + 1


def round_() -> int:
    """Return a number that changes when the matrix and its table must forget what was selected in them."""
    number: int = st.session_state.get(_ROUND, 0)
    return number


def _parts(card: ModelCard) -> list[Selection]:
    answered = loaders.parts_of(card)
    found = [cast("Selection", part) for part in PART_NAMES if part in answered]
    if not found:
        raise FerError(f"The stored predictions of “{card.name}” hold no image of any part.")
    return found
