"""A finding as a reader follows it: verdict, steps with a calculator, the numbers, what does not follow."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import pyarrow as pa
import streamlit as st

from fer_core.evaluation.forensics import Finding

MOST: Final = 12
"""Findings that are drawn of one report; a mangled one can have hundreds."""


def show(findings: Iterable[Finding], *, key: str, opened: int = 1, of: str = "") -> None:
    """Draw findings as folds, the first `opened` ones open; `of` stands before each verdict."""
    subject = f"**{escaped(of)}.** " if of else ""
    every = tuple(findings)
    for number, finding in enumerate(every[:MOST]):
        with st.expander(subject + escaped(finding.verdict), expanded=number < opened, icon=":material/troubleshoot:"):
            _one(finding, f"{key}_{number}")
    if len(every) > MOST:
        st.caption(f"{len(every) - MOST} further findings are not shown.")


def _one(finding: Finding, key: str) -> None:
    if finding.exact:
        st.badge("Exact: follows whatever was rounded", icon=":material/calculate:", color="violet")
    else:
        st.badge(
            f"Test: p = {finding.chance}".replace("= less than", "<").replace("e-", "e−"),
            icon=":material/casino:",
            color="orange",
        )
    st.markdown("\n".join(f"{place}. {escaped(step)}" for place, step in enumerate(finding.steps, start=1)))
    columns = finding.evidence.columns
    st.dataframe(
        pa.table({name: [row[k] for row in finding.evidence.rows] for k, name in enumerate(columns)}),
        key=f"evidence_{key}",
        hide_index=True,
        placeholder="–",
        height="content" if len(finding.evidence.rows) <= 12 else 400,
        alt=f"The numbers behind: {finding.verdict}",
    )
    if finding.limits:
        st.markdown(f"**What does not follow.** {escaped(finding.limits)}")


def escaped(text: str) -> str:
    """Return text in which signs of arithmetic, and of pasted class names, are not read as Markdown."""
    for sign in ("\\", "*", "_", "`", "$", "[", "]", "<", ">", "~", "^", "#"):
        text = text.replace(sign, f"\\{sign}")
    return re.sub(r":(?=\w)", r"\\:", text)  # ":material/…:" and ":red[…]"
