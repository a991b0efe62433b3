"""Confusion matrices one can take apart: click a cell, see its faces, and change what the model answers."""

from __future__ import annotations

import streamlit as st

from fer_core import confusion as cm
from fer_core import whatif
from pages._ui import loaders, shell
from pages._ui.confusion import cell, destinations, export, matrix, scores, settings, state
from pages._ui.confusion.state import Choice


@st.fragment
def explore(choice: Choice) -> None:
    """Draw the matrix, the what-if panel, the open cell and the scores: a click reruns this part only."""
    with shell.boundary():
        setting, mixture, klass, room = settings.panel(choice)
        rows = settings.mixed(choice, choice.part, mixture)
        study = whatif.study(rows.labels, rows.proba, setting)
        changed = "; ".join(filter(None, (mixture.in_words(), setting.in_words())))
        # Drawn even when empty: a part that comes and goes would move the charts after it, and draw them anew.
        with st.container():
            if changed:
                st.info(f"**What if:** {changed}. All figures of this section follow.", icon=":material/tune:")
        with room:
            scores.rescue(study, settings.validation_of(choice, mixture), klass)
        matrix.headline(study, loaders.study_of(choice.card, choice.part), klass)

        other = None
        if choice.other is not None:
            theirs = settings.aligned(rows, loaders.part_of(choice.other, choice.part))
            other = cm.paired_counts(study.labels, study.answers, theirs.predicted)
        shown = cm.cells(study.counts, choice.view, other=other)
        order = cm.order(study.counts, choice.order)
        opened = state.cell()
        left, right = st.columns([7, 5], gap="medium")
        with left:
            matrix.matrix(choice, shown, order, study, opened)
        with right, st.container(border=True):
            if opened is None:
                matrix.suggestions(study)
            else:
                cell.panel(choice, study, rows, opened)
        with st.container():
            if opened is not None:
                cell.evidence(choice, study, rows, opened)

        curves = scores.Curves.of(study)
        tabs = iter(st.tabs(["Classes", "ROC and PR", "Calibration", "Risk", "Hardest pairs", "Costs"]))
        with next(tabs):
            scores.per_class(study, curves)
        with next(tabs):
            scores.roc_and_precision_recall(curves)
        with next(tabs):
            scores.calibrated(study, curves)
        with next(tabs):
            scores.risk_and_coverage(curves)
        with next(tabs):
            scores.hardest(study)
        with next(tabs):
            scores.costs(study)
        export.buttons(choice, rows, study, shown, order, curves, changed, opened, klass)


@st.fragment
def where(choice: Choice) -> None:
    """Draw where a class goes in every model."""
    with shell.boundary():
        destinations.section(choice)


with shell.page(
    "confusion",
    lead="What is taken for what? Rows are the labels of FER2013, columns what a model answers. Click a cell to see "
    "which faces those are.",
):
    chosen = state.choose()
    explore(chosen)
    where(chosen)
