"""The form: paste a classification report and have it checked."""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa
import streamlit as st

from fer_core import report_check
from fer_core.errors import FerError
from fer_core.evaluation.forensics import format_report
from fer_core.evaluation.report_deck import MOBILENET, OVERALL, TEST_SUPPORT
from fer_core.registry import ModelCard
from pages._ui import loaders, shell
from pages._ui.report_check import findings

FIELDS: Final[dict[str, Any]] = {"pasted": "", "claimed": "", "all_classes": False, "on_fer2013": False}
"""Fields of the form and what is in them at first. They stay in the visitor's session."""

_CHECK: Final = "check_pasted"

_PLACEHOLDER: Final = "The printed text, with the heading “precision  recall  f1-score  support” and all lines below it"


@st.fragment
def draw(cards: tuple[ModelCard, ...]) -> None:
    """Draw the section: a check reruns this part only."""
    with shell.boundary():
        st.subheader("Check another report", anchor="paste")
        st.markdown(
            "Paste what scikit-learn’s `classification_report` prints, of any model and any classes. It is checked "
            "here and not stored."
        )
        for name, default in FIELDS.items():
            st.session_state.setdefault(name, default)
        with st.container(horizontal=True):
            st.button("Example: the report’s table", icon=":material/article:", on_click=_deck)
            if cards:
                st.button("Example: our own report", icon=":material/verified:", on_click=_own, args=(cards[0],))
        with st.form("check", border=True):
            st.text_area(
                "Classification report", key="pasted", height=260, placeholder=_PLACEHOLDER, persist_state="session"
            )
            left, right = st.columns([3, 2], gap="medium", vertical_alignment="bottom")
            with left:
                st.checkbox(
                    "These are all classes",
                    key="all_classes",
                    help="Totals follow only if the rows are all classes there are. A text with an accuracy or "
                    "average line says so itself.",
                    persist_state="session",
                )
                st.checkbox(
                    "It is of FER2013’s 7,178 test images",
                    key="on_fer2013",
                    help="Compares the number of images of each class with what is there.",
                    persist_state="session",
                )
            with right:
                st.text_input(
                    "Accuracy given elsewhere (optional)",
                    key="claimed",
                    placeholder="42.98 %",
                    help="For the same model on the same images, with the digits as printed.",
                    persist_state="session",
                )
            if st.form_submit_button("Check it", type="primary", icon=":material/fact_check:"):
                st.session_state[_CHECK] = True
        if st.session_state.get(_CHECK):
            _result()


def _result() -> None:
    state = st.session_state
    try:
        checked = report_check.check_text(
            state["pasted"],
            all_classes=state["all_classes"],
            claimed_accuracy=state["claimed"],
            known_support=TEST_SUPPORT if state["on_fer2013"] else None,
        )
    except FerError as error:
        st.error(findings.escaped(str(error)), icon=":material/error:")
        return
    report = checked.report
    if checked.findings:
        count = len(checked.findings)
        st.warning(
            f"**{count} finding{'s follow' if count > 1 else ' follows'}** from these numbers alone; the gravest "
            "stands first.",
            icon=":material/report:",
        )
        findings.show(checked.findings, key="pasted")
    else:
        st.success(
            "**No finding.** These numbers can be those of one honest evaluation. That they are true does not follow.",
            icon=":material/check:",
        )
    if not report.complete:
        st.caption(
            ":material/info: The text does not say whether these rows are all classes, so that nothing was concluded "
            "from totals. Tick “These are all classes” if they are."
        )
    with st.expander(f"As it was read: {len(report.rows)} classes, {report.n:,} images", icon=":material/table:"):
        st.dataframe(
            pa.Table.from_pylist(report_check.table_records(report)),
            key="read_as",
            hide_index=True,
            alt="The pasted report as it was read, with the share of each class.",
        )


def _deck() -> None:
    accuracy = OVERALL["MobileNet"].accuracy
    _fill(format_report(MOBILENET), claimed=f"{accuracy.value * 100:.2f} %", on_fer2013=True)


def _own(card: ModelCard) -> None:
    study = loaders.study_of(card, "all")
    _fill(format_report(report_check.evaluate(study.labels, study.answers).report), on_fer2013=True)


def _fill(text: str, **fields: Any) -> None:
    st.session_state.update({**FIELDS, "pasted": text, **fields, _CHECK: True})
