"""The matrix that can be clicked, and its figures."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import streamlit as st

from fer_core import confusion as cm
from fer_core import figures_confusion as figures
from fer_core.labels import EMOTIONS, display_name
from fer_core.whatif import ANSWERS, Study
from fer_core.wording import percent
from pages._ui.components import chart, is_dark
from pages._ui.confusion import state
from pages._ui.confusion.state import Cell, Choice


def headline(study: Study, plain: Study, klass: int) -> None:
    """Draw the overall figures, and what the setting changed in them."""

    def figure(label: str, value: float, before: float, help_: str | None = None) -> None:
        change = value - before
        # no arrow for what is equal to the last digit shown
        delta = f"{change * 100:+.1f} points" if abs(change) >= 0.0005 else None
        st.metric(label, percent(value), delta, help=help_)

    now, then = study.outcome, plain.outcome
    with st.grid(4, min_column_width=150):
        figure("Accuracy", float(now.accuracy), float(then.accuracy), "An image without an answer counts as wrong.")
        figure("Macro-F1", float(now.macro_f1), float(then.macro_f1))
        figure(f"Recall of {EMOTIONS[klass]}", float(now.recall[klass]), float(then.recall[klass]))
        if study.setting.abstains:
            answered = "" if math.isnan(now.answered_accuracy) else f"{percent(float(now.answered_accuracy))} right"
            st.metric("Answered", percent(float(now.coverage)), answered or None, delta_color="off", delta_arrow="off")
        else:
            figure("Balanced accuracy", float(now.balanced_accuracy), float(then.balanced_accuracy), "The mean recall.")


def matrix(choice: Choice, shown: cm.Cells, order: tuple[int, ...], study: Study, opened: Cell | None) -> None:
    """Draw the matrix; a click on a cell opens it."""
    dark, silent = is_dark(), bool(study.counts[:, -1].any())
    at = (EMOTIONS.index(opened[0]), ANSWERS.index(opened[1])) if opened else None
    key = f"matrix_{state.round_()}"
    chart(
        figures.matrix_spec(order, no_answer=silent, signed=shown.signed, dark=dark),
        figures.matrix_records(shown, order, opened=at, no_answer=silent, dark=dark),
        key=key,
        alt=f"Confusion matrix of {choice.card.name} on {choice.part_name}: rows are labels, columns answers. The same "
        "numbers stand in the table below it, whose cells open by keyboard.",
        on_select=lambda: _clicked(key),
        selection_mode=figures.SELECTION,
    )
    with st.expander("The same as a table, for the keyboard", icon=":material/keyboard:"):
        st.caption("Go into the table with the Tab key and move with the arrow keys: the cell you come to is opened.")
        columns = figures.columns(order, no_answer=silent)
        names = [ANSWERS[k].capitalize() for k in columns]
        table: dict[str, list[Any]] = {"Label": [display_name(EMOTIONS[true]) for true in order]}
        table |= {
            name: [shown.text(true, answer) for true in order] for name, answer in zip(names, columns, strict=True)
        }
        table["Images"] = [int(study.counts[true].sum()) for true in order]
        keys = f"table_{state.round_()}"
        st.dataframe(
            pa.table(table),
            key=keys,
            on_select=lambda: _picked(keys, order),
            selection_mode="single-cell",
            alt="The confusion matrix as a table; a selected cell is opened.",
        )
        st.caption("Every rate with its number of images and its 95 % interval")
        st.dataframe(
            pa.Table.from_pylist(
                [
                    {
                        "Label": display_name(EMOTIONS[true]),
                        "Answer": ANSWERS[answer].capitalize(),
                        "Shown": shown.text(true, answer),
                        "Images": f"{shown.counts[true, answer]} of {shown.n[true, answer]}",
                        "95 % interval": shown.interval(true, answer),
                    }
                    for true in order
                    for answer in columns
                ]
            ),
            height=240,
            key="rates",
        )


def suggestions(study: Study) -> None:
    """Draw what to do while no cell is open: the most frequent errors, one button each."""
    st.markdown("**Click a cell** to see its faces, how sure the model was, and what people said of them.")
    rates = cm.cells(study.counts, "row")
    errors = [
        (rates.value[true, answer], true, answer)
        for true in range(len(EMOTIONS))
        for answer in range(len(EMOTIONS))
        if true != answer and study.counts[true, answer]
    ]
    st.caption("The largest shares of a label that get another answer:")
    for _, true, answer in sorted(errors, key=lambda error: (-error[0], error[1:]))[:6]:
        rate = cm.rate(int(study.counts[true, answer]), int(study.counts[true].sum()))
        st.button(
            f"{EMOTIONS[true]} → {EMOTIONS[answer]}: {rate}",
            key=f"open_{EMOTIONS[true]}_{EMOTIONS[answer]}",
            on_click=state.open_cell,
            args=(EMOTIONS[true], EMOTIONS[answer]),
            type="tertiary",
            icon=":material/arrow_forward:",
        )
    if not errors:
        st.caption("There is no error.")


def _clicked(key: str) -> None:
    points = st.session_state[key]["selection"].get(figures.SELECTION) or []
    if points:
        state.open_cell(points[0]["true"], points[0]["pred"], renew=False)


def _picked(key: str, order: tuple[int, ...]) -> None:
    cells = st.session_state[key]["selection"].get("cells") or []
    if cells:
        row, column = cells[0]
        answer = str(column).lower()
        if answer in ANSWERS:
            state.open_cell(EMOTIONS[order[int(row)]], answer, renew=False)
