"""Taking the page along: one HTML file, CSV tables, a picture."""

from __future__ import annotations

import streamlit as st

from fer_core import confusion as cm
from fer_core import figures_confusion as figures
from fer_core import report_html
from fer_core.evaluation.predictions import Predictions
from fer_core.labels import index_of
from fer_core.whatif import ANSWERS, Study
from pages._ui.confusion import destinations
from pages._ui.confusion.scores import Curves
from pages._ui.confusion.state import ABOUT, VIEWS, Cell, Choice


def buttons(
    choice: Choice,
    rows: Predictions,
    study: Study,
    shown: cm.Cells,
    order: tuple[int, ...],
    curves: Curves,
    changed: str,
    opened: Cell | None,
    klass: int,
) -> None:
    """Draw the download buttons; a file is made when it is asked for."""
    stem = f"confusion-{choice.card.id}-{choice.part}"
    title = f"{choice.card.name}, {choice.part_name}"
    silent = bool(study.counts[:, -1].any())
    goes = str(st.session_state.get("goes", "disgust"))

    def page() -> str:
        paired, mispaired = destinations.rows_of(choice, index_of(goes))
        members = None
        if opened is not None:
            true, answer = index_of(opened[0]), ANSWERS.index(opened[1])
            members = (true, answer, *cm.members(study.labels, study.answers, study.scores, true, answer))
        return report_html.build(
            title=title,
            setting=changed,
            view=f"{VIEWS[choice.view]}. {ABOUT[choice.view]}",
            study=study,
            shown=shown,
            order=order,
            roc=curves.roc,
            precision_recall=curves.precision_recall,
            reliability=curves.reliability,
            risk=curves.risk,
            destinations=(paired, mispaired),
            members=members,
            names=rows.names.tolist(),
            rescued=klass,
        )

    with st.container(horizontal=True):
        for label, data, name, mime in (
            ("This page as HTML", page, f"{stem}.html", "text/html"),
            (
                "Matrix as CSV",
                lambda: report_html.csv_of(cm.matrix_table(shown)),
                f"{stem}-{choice.view}.csv",
                "text/csv",
            ),
            (
                "Matrix as PNG",
                lambda: figures.matrix_png(shown, order, f"{title}: {VIEWS[choice.view]}", no_answer=silent),
                f"{stem}-{choice.view}.png",
                "image/png",
            ),
            (
                "Classes as CSV",
                lambda: report_html.csv_of(report_html.class_table(study, curves.roc, curves.precision_recall)),
                f"{stem}-classes.csv",
                "text/csv",
            ),
        ):
            st.download_button(
                label,
                data,
                file_name=name,
                mime=mime,
                icon=":material/download:",
                on_click="ignore",
                key=f"save_{name}",
            )
