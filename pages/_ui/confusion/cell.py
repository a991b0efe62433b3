"""One cell, opened: its faces, its scores, what people voted, and the same cell in other models."""

from __future__ import annotations

import math
from typing import Final
from urllib.parse import urlencode

import numpy as np
import pyarrow as pa
import streamlit as st

from fer_core import confusion as cm
from fer_core import figures_confusion as figures
from fer_core import report_html, thumbnails
from fer_core.data.ferplus import VOTE_COLUMNS
from fer_core.errors import FerError
from fer_core.evaluation.predictions import Predictions
from fer_core.labels import EMOTIONS, index_of
from fer_core.whatif import ANSWERS, NO_ANSWER, Study
from pages._ui import loaders, shell
from pages._ui.components import chart
from pages._ui.confusion import state
from pages._ui.confusion.settings import aligned
from pages._ui.confusion.state import Cell, Choice

FACES: Final = 16
"""Faces a page: four rows of four beside the matrix."""


def panel(choice: Choice, study: Study, rows: Predictions, cell: Cell) -> None:
    """Draw the cell."""
    true, answer = index_of(cell[0]), ANSWERS.index(cell[1])
    members, margins = cm.members(study.labels, study.answers, study.scores, true, answer)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.subheader(f"{cell[0]} → {cell[1]}", anchor=False)
        st.button("Close", icon=":material/close:", type="tertiary", on_click=state.close_cell)
    of_label = cm.rate(len(members), int(study.counts[true].sum()))
    of_answer = cm.rate(len(members), int(study.counts[:, answer].sum()))
    got = f"the answer **{cell[1]}**" if answer != NO_ANSWER else "**no answer**"
    st.markdown(f"Labelled **{cell[0]}**: {of_label} got {got}.  \n{_other_way(of_answer, cell)}")
    if not len(members):
        st.info("No image is in this cell.", icon=":material/inbox:")
        return
    _faces(choice, rows, study, members, margins, cell)
    with st.container(horizontal=True):
        st.download_button(
            "Images and scores as CSV",
            lambda: report_html.csv_of(cm.cell_table(rows, study.scores, members, margins, answer)),
            file_name=f"{choice.card.id}-{choice.part}-{cell[0]}-{cell[1].replace(' ', '-')}.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
        )
        why = shell.find("saliency")
        if why is not None and answer != NO_ANSWER:
            query = {"show": "cell", "model": choice.card.id, "true": cell[0], "pred": cell[1]}
            st.page_link(why.file, label="Why? Where the model looked", icon=why.icon, query_params=query)


def evidence(choice: Choice, study: Study, rows: Predictions, cell: Cell) -> None:
    """Draw how sure the model was of the cell's images, what people voted, and what other models answer to them."""
    true, answer = index_of(cell[0]), ANSWERS.index(cell[1])
    members, _ = cm.members(study.labels, study.answers, study.scores, true, answer)
    if not len(members):
        return
    with st.grid(3 if choice.others else 2, min_column_width=300, gap="medium"):
        with st.container():
            _scores(study, members, true, answer)
        with st.container():
            _votes(rows, members, cell)
        if choice.others:
            with st.container():
                _overlaps(choice, rows, members, true, answer)


def _other_way(rate: cm.Rate, cell: Cell) -> str:
    if cell[1] == ANSWERS[NO_ANSWER]:
        return f"Of the images without an answer, {rate} are labelled {cell[0]}."
    return f"Of the answers {cell[1]}, {rate} are labelled {cell[0]}."


def _order_in_words(true: int, answer: int) -> str:
    if answer == true:
        return "The least sure first: the number is how far the label is ahead of the runner-up."
    if answer == NO_ANSWER:
        return "The number is how far the label’s score is below the highest one; the furthest first."
    return "Worst first: the number is how far the answer is ahead of the label."


def _faces(
    choice: Choice, rows: Predictions, study: Study, members: np.ndarray, margins: np.ndarray, cell: Cell
) -> None:
    true, answer = index_of(cell[0]), ANSWERS.index(cell[1])
    found = loaders.fer2013()
    if found is None:
        st.info(
            "The faces of FER2013 are not part of this project. With them (see the page Dataset, or set "
            "`FER_DATA_DIR`), the faces of this cell stand here. Everything else needs none.",
            icon=":material/image_not_supported:",
        )
        return
    dataset, place = found
    pages = math.ceil(len(members) / FACES)
    first = 0
    if pages > 1:
        first = (st.pagination(pages, key=f"faces_{choice.card.id}_{choice.part}_{cell[0]}_{cell[1]}") - 1) * FACES
    known = [(int(row), float(m)) for row, m in zip(members, margins, strict=True) if str(rows.names[row]) in place]
    part = known[min(first, len(known)) : first + FACES]
    if not part:
        st.caption("The copy of FER2013 that is set up does not hold these images.")
        return
    names = [str(rows.names[row]) for row, _ in part]
    browser = shell.find("dataset")
    st.caption(_order_in_words(true, answer))
    st.html(
        thumbnails.grid_html(
            dataset.images[[place[name] for name in names]],
            [f"{margin:+.2f}".replace("-", "−") for _, margin in part],
            [
                f"Face labelled {cell[0]}: scores {study.scores[row, true]:.2f} for {cell[0]}"
                + (f", {study.scores[row, answer]:.2f} for {cell[1]}" if answer not in (true, NO_ANSWER) else "")
                for row, _ in part
            ],
            [f"dataset?{urlencode({'image': name})}" for name in names] if browser else None,
            size=72,
            name=f"Faces labelled {cell[0]}, answered {cell[1]}",
        )
    )


def _scores(study: Study, members: np.ndarray, true: int, answer: int) -> None:
    label, said = EMOTIONS[true], ANSWERS[answer]
    records = figures.histogram_records(study.scores[members], true, answer)
    mean = study.scores[members].mean(axis=0)
    st.markdown("**How sure the model was**")
    text = f"Mean score {mean[true]:.2f} for {label}"
    if answer not in (true, NO_ANSWER):
        text += f", {mean[answer]:.2f} for {said}"
    st.caption(text + ".")
    chart(
        figures.histogram_spec(label, said),
        records,
        key=f"scores_{label}_{said}",
        alt=f"Distribution of the scores of {len(members)} images. {text}.",
    )


def _votes(rows: Predictions, members: np.ndarray, cell: Cell) -> None:
    st.markdown("**What people voted**")
    votes = loaders.ferplus()
    if votes is None:
        st.caption("FER+ votes are not set up: point `FERPLUS_CSV` to the FER+ project’s `fer2013new.csv`.")
        return
    found = cm.cell_votes(rows.names[members].tolist(), votes)
    if not found.n:
        st.caption("FER+ has none of these images.")
        return
    with_label = cm.rate(int(found.majority[index_of(cell[0])]), found.n)
    text = f"Most people agree with the label **{cell[0]}** on {with_label}"
    if cell[1] in EMOTIONS and cell[1] != cell[0]:
        text += f", with the answer **{cell[1]}** on {cm.rate(int(found.majority[index_of(cell[1])]), found.n)}"
    st.caption(text + f". {found.without} images have no votes." if found.without else text + ".")
    ranks = np.argsort(-found.shares, kind="stable")
    st.dataframe(
        pa.table(
            {
                "Vote": [VOTE_COLUMNS[k] for k in ranks],
                "Mean share of ten votes": [float(found.shares[k]) for k in ranks],
            }
        ),
        height=213,
        key="votes",
        column_config={
            "Mean share of ten votes": st.column_config.ProgressColumn(format="percent", min_value=0.0, max_value=1.0)
        },
        alt="Votes of people for the images of this cell.",
    )


def _overlaps(choice: Choice, rows: Predictions, members: np.ndarray, true: int, answer: int) -> None:
    lines = []
    for card in choice.others:
        try:
            other = aligned(rows, loaders.part_of(card, choice.part))
        except FerError:
            continue
        found = cm.overlap(card.name, members, rows.labels, other.predicted, true, answer)
        says = sorted((k for k in range(len(EMOTIONS)) if found.answers[k]), key=lambda k: (-found.answers[k], k))
        jaccard = "" if math.isnan(found.jaccard) else f", overlap {found.jaccard:.2f}"
        lines.append(
            f"- **{found.name}**: {found.shared} of these {len(members)} are in its cell too (which holds "
            f"{found.count}{jaccard}). It answers {', '.join(f'{EMOTIONS[k]} {found.answers[k]}' for k in says)}."
        )
    if lines:
        st.markdown("**The same cell in other models**")
        st.markdown("\n".join(lines))
        st.caption(
            "Overlap: shared images among all that are in either cell (Jaccard). The other models are as they are."
        )
