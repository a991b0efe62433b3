"""View "Compare two": paired tests on the same images, and where two systems disagree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast
from urllib.parse import urlencode

import pyarrow as pa
import streamlit as st

from fer_core import figures_models as figures
from fer_core import thumbnails
from fer_core.evaluation import metrics
from fer_core.labels import EMOTIONS, display_name
from fer_core.leaderboard import DisagreementGroup
from fer_core.wording import PART_NAMES, percent
from pages._ui import loaders, shell, url
from pages._ui.components import chart, is_dark
from pages._ui.models import store

if TYPE_CHECKING:
    from fer_core.evaluation.bootstrap import Estimate
    from fer_core.evaluation.compare import Comparison, Disagreements
    from fer_core.evaluation.predictions import Selection


FACES: Final = 24
SUREST: Final = 100
"""Of the surest disagreements, how many are shown as faces and listed."""


def draw(part: str) -> None:
    """Draw the view."""
    systems = store.systems()
    if len(systems) < 2:
        st.info(
            "There is nothing to compare yet: it takes two models with stored predictions, or one with stored "
            "predictions for mirrored images.",
            icon=":material/compare_arrows:",
        )
        return
    ids = list(systems)
    left, right = st.columns(2)
    url.adopt("a", ids, ids[0])
    with left:
        a = st.selectbox("A", ids, format_func=lambda key: systems[key].name, key="a", persist_state="session")
    others = [key for key in ids if key != a]
    url.adopt("b", others, others[0])
    with right:
        b = st.selectbox("B", others, format_func=lambda key: systems[key].name, key="b", persist_state="session")
    url.write(a=a if a != ids[0] else None, b=b if b != others[0] else None)
    selection = cast("Selection", part)
    duel = store.compared(systems[a], systems[b], selection)
    result = duel.result
    _verdict(systems[a], systems[b], selection, result)
    _by_class(result, f"{a}_{b}")
    _where(duel.groups, result)
    if duel.groups:
        _surest(duel.surest)
    page = shell.find("confusion")
    if page is not None and not (systems[a].mirror or systems[b].mirror):
        query = {"model": b, "compare": a, "view": "model", "part": part}
        st.page_link(
            page.file, label="Cell by cell: B’s confusion matrix minus A’s", icon=page.icon, query_params=query
        )


def _verdict(a: store.System, b: store.System, part: Selection, result: Comparison) -> None:
    test = result.mcnemar
    points = _points(result.accuracy)
    better = result.better
    said = f"on {PART_NAMES[part]}: accuracy of B minus A is {points}; McNemar’s test {_p(test.p_value)}."
    if better in ("A", "B"):
        worse = "A" if better == "B" else "B"
        st.success(f"**{better} is more accurate than {worse}** {said}", icon=":material/balance:")
    else:
        st.info(f"**A and B are {better} told apart** {said}", icon=":material/balance:")
    rows_a, rows_b = store.predictions_of(a, part), store.predictions_of(b, part)
    matrices = [metrics.confusion_matrix(rows.labels, rows.predicted) for rows in (rows_a, rows_b)]
    accuracies = [float(metrics.accuracy(matrix)) for matrix in matrices]
    scores = [float(metrics.macro_f1(matrix)) for matrix in matrices]
    with st.grid(4, min_column_width=150):
        st.metric("Accuracy of A", percent(accuracies[0]))
        st.metric("Accuracy of B", percent(accuracies[1]))
        st.metric("Macro-F1 of A", f"{scores[0]:.3f}")
        st.metric("Macro-F1 of B", f"{scores[1]:.3f}")
    both = round(accuracies[0] * result.n) - test.only_a
    st.dataframe(
        pa.table(
            {
                "": ["A right", "A wrong"],
                "B right": [both, test.only_b],
                "B wrong": [test.only_a, result.n - both - test.only_a - test.only_b],
            }
        ),
        key="fourfold",
        hide_index=True,
        width=360,
        alt="How many images both, only A, only B, or neither get right.",
    )
    how = (
        f"({abs(test.only_a - test.only_b):,} − 1)² / ({test.only_a:,} + {test.only_b:,}) = {test.statistic:.2f}, "
        "chi-square with one degree of freedom"
        if test.statistic is not None
        else f"exact: how likely {min(test.only_a, test.only_b):,} or fewer heads are in {test.only_a + test.only_b:,} "
        "throws of a fair coin, doubled"
    )
    st.caption(
        f"McNemar’s test looks only at images that exactly one of them gets right, {test.only_a:,} and "
        f"{test.only_b:,}: {how}. Intervals: paired bootstrap, both scored on the same draws of {result.n:,} images; "
        f"macro-F1 of B minus A is {_points(result.macro_f1)}. Neither covers the luck of another training run."
    )


def _by_class(result: Comparison, key: str) -> None:
    st.subheader("Class by class", anchor=False)
    records = figures.recall_difference_records(result.recall)
    chart(
        figures.recall_difference_spec(dark=is_dark()),
        records,
        key=f"recalls_{key}",
        alt="Recall of B minus recall of A for each class with 95 % intervals. The numbers stand in the table below.",
    )
    st.caption("Right of the line B finds more of the class. Grey: the interval includes no difference.")
    with st.expander("As a table", icon=":material/table:"):
        st.dataframe(
            pa.table(
                {
                    "Class": [display_name(emotion) for emotion in EMOTIONS],
                    "Recall, B minus A": [_points(result.recall.at(k)) for k in range(len(EMOTIONS))],
                    "Only A right": result.only_a,
                    "Only B right": result.only_b,
                }
            ),
            key="recalls_table",
            alt="Difference of recall and images that only one gets right, by class.",
        )


def _where(groups: list[DisagreementGroup], result: Comparison) -> None:
    st.subheader("Where they disagree", anchor=False)
    differing = sum(group.images for group in groups)
    if not groups:
        st.markdown("They give the same answer to every image.")
        return
    top = groups[0]
    st.markdown(
        f"They give different answers to **{differing:,}** of {result.n:,} images "
        f"({percent(differing / result.n)}). Most often A says *{top.answer_a}* and B *{top.answer_b}*: "
        f"{top.images:,} images, of which A is right about {top.a_right:,} and B about {top.b_right:,}."
    )
    st.dataframe(
        pa.table(
            {
                "A says": [display_name(group.answer_a) for group in groups],
                "B says": [display_name(group.answer_b) for group in groups],
                "Images": [group.images for group in groups],
                "A right": [group.a_right for group in groups],
                "B right": [group.b_right for group in groups],
                "Neither": [group.neither for group in groups],
            }
        ),
        key="disagreements",
        height=340,
        alt="Images to which A and B give different answers, by the two answers.",
    )


def _surest(found: Disagreements) -> None:
    """Draw the images on which both are surest and say different things."""
    count = min(len(found), SUREST)
    said = [
        (str(found.names[row]), *(EMOTIONS[part[row]] for part in (found.labels, found.predicted_a, found.predicted_b)))
        for row in range(count)
    ]
    images = loaders.fer2013()
    dataset, place = images or (None, {})
    shown = [entry for entry in said if entry[0] in place][:FACES]
    if dataset is not None and shown:
        st.markdown("**The surest disagreements**: each puts its own answer far above the other’s")
        browser = shell.find("dataset") is not None
        st.html(
            thumbnails.grid_html(
                dataset.images[[place[name] for name, *_ in shown]],
                [f"{label}: A {a}, B {b}" for _, label, a, b in shown],
                [f"Face labelled {label}; A answers {a}, B {b}" for _, label, a, b in shown],
                [f"dataset?{urlencode({'image': name})}" for name, *_ in shown] if browser else None,
                name="Faces that A and B disagree on",
            )
        )
        st.caption("Below each face: its label, and both answers.")
    with st.expander(f"The {count} surest disagreements as a table", icon=":material/table:"):
        rows = range(count)
        st.dataframe(
            pa.table(
                {
                    "Image": [name for name, *_ in said],
                    "Label": [display_name(label) for _, label, *_ in said],
                    "A says": [display_name(a) for *_, a, _ in said],
                    "Score of A": [round(float(found.proba_a[row, found.predicted_a[row]]), 3) for row in rows],
                    "B says": [display_name(b) for *_, b in said],
                    "Score of B": [round(float(found.proba_b[row, found.predicted_b[row]]), 3) for row in rows],
                }
            ),
            key="surest",
            alt="Images on which A and B disagree although both are sure, with both answers and scores.",
        )


def _points(estimate: Estimate) -> str:
    value, low, high = (float(part) * 100 for part in (estimate.value, estimate.low, estimate.high))
    return f"{value:+.1f} points ({low:+.1f} to {high:+.1f})".replace("-", "−")


def _p(value: float) -> str:
    return "p < 1e−300" if value < 1e-300 else f"p = {value:.2g}".replace("e-", "e−")
