"""The cause ledger: of the images of a class that are not answered with its label, how many for which reason."""

from __future__ import annotations

from textwrap import fill
from typing import Final

import streamlit as st

from fer_core.explain.ledger import Ledger
from fer_core.figures_explain import ledger_spec
from fer_core.labels import EMOTIONS, display_name, index_of
from fer_core.registry import LEDGER_FILE, ModelCard
from fer_core.wording import percent
from pages._ui import loaders, shell, url
from pages._ui.components import chart, is_dark
from pages._ui.saliency import store

LINE: Final = 26
"""Letters a line beside the bars: a title leaves room for its bar on a phone."""


def draw(card: ModelCard) -> None:
    """Draw the view."""
    url.write(image=None, face=None, sample=None, label=None, against=None)
    ledgers = store.ledgers(card)
    if ledgers is None:
        st.info(
            f"“{card.name}” comes without a cause ledger. With FER2013 and the FER+ votes, "
            f"`python -m fer_core explain ledger {card.id}` makes it.",
            icon=":material/receipt_long:",
        )
        return
    # The other view chooses the label with a widget of another kind; two kinds must not share a key.
    st.session_state["lost_label"] = url.adopt("true", list(EMOTIONS), "disgust")
    name = st.segmented_control(
        "Label",
        list(EMOTIONS),
        format_func=display_name,
        key="lost_label",
        required=True,
        on_change=lambda: st.session_state.update(true=st.session_state["lost_label"]),
        label_visibility="collapsed",
    )
    url.write(true=name, pred=None)
    ledger = ledgers.get(index_of(name))
    if ledger is None:
        st.info(f"The ledger of this model does not hold {name}.", icon=":material/receipt_long:")
        return
    st.subheader(f"Why images labelled {name} are lost", anchor=False)
    st.markdown(ledger.summary)
    if not ledger.lost.count:
        return
    _bars(ledger)
    st.markdown(f"**{ledger.remainder}**")
    for line in ledger.lines:
        with st.container(border=True, gap="xsmall"):
            count = "not measured" if line.rate is None else f"{line.rate.count} of {line.rate.n}"
            st.markdown(f"**{line.title}**: {count}")
            st.markdown(line.sentence)
            if line.price is not None:
                st.markdown(f":material/balance: *Beside it:* {line.price.words}")
            if line.measured:
                st.caption(f"{line.first} of these no earlier line claims; {line.only} no other line claims.")
    st.markdown("**What the evaluation itself adds or takes away** (never part of the sum)")
    for check in ledger.evaluation:
        with st.container(border=True, gap="xsmall"):
            st.markdown(f"**{check.title}**")
            st.markdown(check.sentence)
    st.caption(
        "A line that claims an image shows that its explanation *can* account for it, not that it is the cause: "
        "several can hold at once, and beside each stands how often the same holds for images that are found. Computed "
        "by `python -m fer_core explain ledger`."
    )
    _models(name)


def _bars(ledger: Ledger) -> None:
    records = [
        {
            "title": fill(line.title, LINE),
            "share": line.rate.value,
            "low": line.rate.low,
            "high": line.rate.high,
            "text": str(line.rate),
            "kind": "claims",
        }
        for line in ledger.lines
        if line.rate is not None
    ]
    left = ledger.unexplained
    records.append(
        {
            "title": "Unexplained by any line",
            "share": left.value,
            "low": left.low,
            "high": left.high,
            "text": str(left),
            "kind": "unexplained",
        }
    )
    chart(
        ledger_spec(dark=is_dark()),
        records,
        key="ledger_bars",
        alt="Share of the lost images that each line claims, with 95 % intervals: "
        + "; ".join(f"{record['title']}: {record['text']}".replace("\n", " ") for record in records)
        + ".",
    )


def _models(name: str) -> None:
    """Draw the ledger of this label for every model that has one."""
    rows = []
    for card in loaders.registry().cards:
        if LEDGER_FILE not in card.files:
            continue
        with shell.boundary():
            ledger = (store.ledgers(card) or {}).get(index_of(name))
            if ledger is None:
                continue
            row: dict[str, object] = {"Model": card.name, "Images": ledger.total, "Lost": ledger.lost.count}
            row |= {
                line.title: "not measured"
                if line.rate is None
                else f"{line.rate.count} ({percent(line.rate.value)})"
                if line.rate.n
                else "0"
                for line in ledger.lines
            }
            left = ledger.unexplained
            row["Unexplained"] = f"{left.count} ({percent(left.value)})" if left.n else "0"
            rows.append(row)
    if len(rows) > 1:
        st.markdown("**The same for every model**")
        st.dataframe(rows, hide_index=True, key="ledger_models", alt="The ledgers of all models for this label.")
