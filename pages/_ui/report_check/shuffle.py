"""The switch: our own rightly paired answers, compared with labels in another order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import streamlit as st

from fer_core import confusion as cm
from fer_core import figures_confusion, report_check
from fer_core import figures_models as figures
from fer_core.evaluation import forensics
from fer_core.labels import N_CLASSES
from fer_core.registry import ModelCard
from fer_core.wording import percent
from pages._ui import loaders, shell, url
from pages._ui.components import chart, is_dark
from pages._ui.report_check import findings

if TYPE_CHECKING:
    from fer_core.report_check import Evaluation

_SEED = "shuffle_seed"


@st.fragment
def draw(cards: tuple[ModelCard, ...]) -> None:
    """Draw the section: a flip of the switch reruns this part only."""
    with shell.boundary():
        st.subheader("Do it yourself: lose the pairing", anchor="shuffle")
        st.markdown(
            "These are answers of a model trained here, each compared with the label of its own image. The switch "
            "compares the very same answers with the very same labels in **another order**, as happens when the "
            "generator that feeds the test images shuffles and the labels are read off unshuffled."
        )
        card = _pick(cards)
        if url.is_new("shuffled"):
            st.session_state["shuffled"] = st.query_params["shuffled"] == "yes"
        with st.container(horizontal=True, vertical_alignment="center"):
            mixed = st.toggle("**Shuffle the labels**", key="shuffled", persist_state="session")
            if mixed:
                st.button("Another order", icon=":material/shuffle:", on_click=_another)
        url.write(shuffled="yes" if mixed else None)
        study = loaders.study_of(card, "all")
        paired = report_check.evaluate(study.labels, study.answers)
        seed = st.session_state.get(_SEED, 1)
        shown = report_check.evaluate(study.labels, study.answers, seed=seed) if mixed else paired
        _figures(shown, paired)
        left, right = st.columns([7, 5], gap="medium")
        with left:
            _matrix(card, shown, mixed)
        with right:
            _shares(shown)
        with st.expander("The numbers side by side", icon=":material/table:", expanded=mixed):
            st.dataframe(
                pa.Table.from_pylist(report_check.side_by_side(shown)),
                key="side_by_side",
                hide_index=True,
                placeholder="–",
                height="content",
                alt="Precision beside the share of the class, recall beside the share of the answers, for each class.",
            )
            st.caption(
                f"The recalls add up to {shown.recall_sum:.2f}; the shares of the answers always add up to 1. A dash: "
                "the model never gives that answer, so that there is no precision."
            )
        _print(shown, mixed)


def _pick(cards: tuple[ModelCard, ...]) -> ModelCard:
    ids = {card.id: card for card in cards}
    best = next(iter(ids))
    url.adopt("model", list(ids), best)
    chosen = st.selectbox(
        "Model", list(ids), format_func=lambda key: ids[key].name, key="model", persist_state="session", width=420
    )
    url.write(model=chosen if chosen != best else None)
    return ids[chosen]


def _another() -> None:
    st.session_state[_SEED] = st.session_state.get(_SEED, 1) + 1


def _figures(shown: Evaluation, paired: Evaluation) -> None:
    def change(now: float, then: float) -> str | None:
        return (
            None if shown is paired else f"{(now - then) * 100:+.1f} points"
        )  # an ASCII minus: Streamlit reads the sign

    with st.grid(4, min_column_width=170):
        st.metric(
            "Accuracy",
            percent(shown.accuracy),
            change(shown.accuracy, paired.accuracy),
            help=f"Unrelated labels and answers with these totals would give {percent(shown.guessing)}.",
        )
        st.metric("Sum of the recalls", f"{shown.recall_sum:.2f}", help="About 1 if labels and answers are unrelated.")
        st.metric(
            "Precision off share",
            f"{shown.precision_gap * 100:.1f} points",
            help="The largest distance of a precision from the share of its class, over the classes that are answered.",
        )
        st.metric(
            "Rows differ by",
            f"{shown.rows_differ * 100:.1f} points",
            help="How far the row of an image’s label is from the average row, in the mean over the images: 0 if all "
            "rows of the matrix are alike.",
        )


def _matrix(card: ModelCard, shown: Evaluation, mixed: bool) -> None:
    st.markdown("**Confusion matrix**, share of each row")
    cells = cm.cells(shown.confusion, "row")
    order = tuple(range(N_CLASSES))
    spec = figures_confusion.matrix_spec(order, dark=is_dark())
    spec["layer"][0].pop("params")  # nothing opens here
    spec["layer"][0]["mark"].pop("cursor")
    spec["height"] = 420
    chart(
        spec,
        figures_confusion.matrix_records(cells, order, dark=is_dark()),
        key="check_matrix",
        alt=f"Confusion matrix of {card.name}, {'labels shuffled' if mixed else 'rightly paired'}: rows differ by "
        f"{shown.rows_differ * 100:.1f} points. Precisions and recalls stand in the table below.",
    )
    st.caption(
        "Every row is the same but for chance (most of it in the row of disgust, with its few images): what a face is "
        "labelled no longer matters, only how often the model gives an answer."
        if mixed
        else "Rows differ: what the model answers depends on the face."
        if shown.rows_differ
        else "All rows are the same without shuffling: this model gives one answer to every face."
    )


def _shares(shown: Evaluation) -> None:
    for figure, against in (("precision", "share of the images"), ("recall", "share of the answers")):
        st.markdown(f"**{figure.capitalize()}** (bar) and the {against} that the class has (mark)")
        chart(
            figures.share_spec(dark=is_dark()),
            report_check.share_records(shown, figure),  # type: ignore[arg-type]
            key=f"share_{figure}",
            alt=f"{figure.capitalize()} of each class beside its {against}. The numbers stand in the table below.",
        )


def _print(shown: Evaluation, mixed: bool) -> None:
    what = "shuffled" if mixed else "rightly paired"
    st.markdown(f"**What the checker says of this evaluation**, given only its printed report ({what}):")
    if shown.findings:
        findings.show(shown.findings, key=f"shuffle_{mixed}", opened=0)
    else:
        st.success("Nothing in the printed report contradicts itself.", icon=":material/check:")
    with st.expander("The report as scikit-learn prints it", icon=":material/description:"):
        st.code(forensics.format_report(shown.report), language=None)
