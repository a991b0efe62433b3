"""A cell of the confusion matrix, taken apart: mean faces and maps, parts of the face, deletion test, neighbours."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import numpy as np
import streamlit as st

from fer_core import confusion as cm
from fer_core import figures_explain as figures
from fer_core import thumbnails
from fer_core.explain import autopsy
from fer_core.explain.atlas import MIN_FACES, Atlas
from fer_core.explain.autopsy import Cell
from fer_core.explain.heatmap import direction
from fer_core.labels import EMOTIONS, display_name, index_of
from fer_core.registry import PREDICTIONS_FILE, ModelCard
from pages._ui import loaders, shell, url
from pages._ui.components import chart, is_dark, score_bars
from pages._ui.saliency import parts, store

if TYPE_CHECKING:
    from fer_core.data.fer2013 import Fer2013
    from fer_core.evaluation.predictions import Predictions

FACES: Final = 12
"""Faces of the cell a page, each with its map."""
WITH_NEIGHBOURS: Final = 4
"""Faces of the cell whose nearest training faces are shown."""


def draw(card: ModelCard) -> None:
    """Draw the view."""
    url.write(image=None, face=None, sample=None, label=None, against=None)
    atlas = store.atlas(card)
    if atlas is None:
        st.info(
            f"“{card.name}” comes without an atlas of mean faces and maps. With FER2013, "
            f"`python -m fer_core explain atlas {card.id}` makes it.",
            icon=":material/map:",
        )
        return
    true, pred = _choose(atlas)
    found = autopsy.cell(atlas, true, pred)
    label, answer = EMOTIONS[true], EMOTIONS[pred]
    left, right = st.columns([8, 4], vertical_alignment="center")
    with left:
        st.subheader(f"{label} → {answer}", anchor=False)
        st.markdown(autopsy.size_in_words(atlas, found))
    with right:
        back = shell.find("confusion")
        if back is not None:
            query = {"model": card.id, "true": label, "pred": answer}
            st.page_link(back.file, label="Back to this cell of the matrix", icon=back.icon, query_params=query)
    if not found.count:
        st.info("No test image is in this cell.", icon=":material/inbox:")
        return
    right_label, right_answer = autopsy.cell(atlas, true, true), autopsy.cell(atlas, pred, pred)
    _means(found, right_label, right_answer)
    with st.grid(2, min_column_width=420, gap="medium"):
        with st.container():
            _parts(found, right_answer)
        with st.container():
            _tests(atlas, found)
    _neighbours(found)
    _faces(card, atlas, found)


def _choose(atlas: Atlas) -> tuple[int, int]:
    """Draw the pickers of the cell; by default disgust and where it mostly goes."""
    left, right = st.columns(2)
    with left:
        url.adopt("true", list(EMOTIONS), "disgust")
        true = st.selectbox("Labelled", list(EMOTIONS), format_func=display_name, key="true", persist_state="session")
    mostly = EMOTIONS[atlas.goes_to(index_of(true))]
    before = st.session_state.get("autopsy_of")
    st.session_state["autopsy_of"] = true
    linked = "pred" in st.query_params and (url.is_new("true") or url.is_new("pred"))
    if before not in (None, true) and not linked:
        st.session_state["pred"] = mostly  # another label was chosen by hand: begin where it mostly goes
    with right:
        url.adopt("pred", list(EMOTIONS), mostly)
        pred = st.selectbox(
            "Answered",
            list(EMOTIONS),
            format_func=lambda name: (
                f"{display_name(name)}: {atlas.count[index_of(true), index_of(name)]} images"
                + (" (its own label)" if name == true else "")
            ),
            key="pred",
            persist_state="session",
        )
    url.write(true=true, pred=pred)
    return index_of(true), index_of(pred)


def _means(found: Cell, right_label: Cell, right_answer: Cell) -> None:
    label, answer = EMOTIONS[found.label], EMOTIONS[found.answer]
    columns = [(found, f"{label} → {answer}")]
    if found.label != found.answer:
        columns = [
            (right_label, f"{label}, answered so"),
            (found, f"{label} → {answer}"),
            (right_answer, f"{answer}, answered so"),
        ]
    st.markdown(f"**Mean faces, and where the network finds {answer} in them**")
    pictures: list[tuple[np.ndarray, str, str]] = []
    for each, name in columns:
        if each.face is None:
            continue
        pictures.append((figures.enlarged(each.face), f"{name}: mean of {each.count}", f"Mean face of {name}."))
    for each, name in columns:
        heat = each.map_answer if each is not right_label or found.label == found.answer else each.map_label
        kind = answer if heat is each.map_answer and each is not right_label else label
        face = each.face if each.face is not None else np.full((48, 48), 128, np.uint8)
        if each.alive:
            pictures.append((figures.overlay(face, heat), f"{name}: map for {kind}", f"Mean map for {kind} of {name}."))
    if found.label != found.answer:
        face = found.face if found.face is not None else np.full((48, 48), 128, np.uint8)
        pictures.append(
            (
                figures.overlay(face, found.contrast, strength=0.8),
                f"{answer} rather than {label}",
                f"Mean signed map of {label} → {answer}: red speaks for {answer}, blue for {label}.",
            )
        )
    parts.gallery(pictures, size=105, most=7, name="Mean faces and maps")
    few = [name for each, name in columns if each.face is None]
    st.caption(
        "Each face’s map is divided by its own mean before maps are averaged; the last picture is the mean difference "
        f"of the two logits, red for {answer}, blue for {label}. "
        + (
            f"No mean face is kept of fewer than {MIN_FACES} images ({', '.join(few)}): it would show who they are. "
            if few
            else ""
        )
        + "A mean face is no typical face; it shows what the faces have in common."
    )


def _parts(found: Cell, right_answer: Cell) -> None:
    answer = EMOTIONS[found.answer]
    st.markdown(f"**Parts of the face that the map for {answer} lies on**")
    cells = {f"{EMOTIONS[found.label]} → {answer}": found}
    if found.label != found.answer:
        cells[f"{answer}, answered so"] = right_answer
    records = autopsy.part_records(cells)
    if records:
        chart(
            figures.parts_spec(list(cells), dark=is_dark()),
            records,
            key="autopsy_parts",
            alt="Share of the map on each part of the face, in the cell and where the answer is the label.",
        )
    if found.label != found.answer:
        st.markdown(autopsy.parts_in_words(found, right_answer))
    st.caption(
        "Lines: 95 % intervals of the mean. Ticks: share of the area, which is what an even map would give. Parts are "
        "placed by the eyes, nose and mouth of each face."
    )


def _tests(atlas: Atlas, found: Cell) -> None:
    st.markdown("**Do the maps mark what the score rests on?**")
    if found.tested:
        parts.curves(
            found.curves,
            autopsy.fraction(found),
            key="autopsy_curves",
            alt="Mean deletion and insertion curves of the cell beside random orders.",
        )
    st.markdown(autopsy.test_in_words(found))
    if atlas.about.network_control is not None:
        st.caption(
            f"Random-weights control of this model as a whole: over {atlas.about.network_control_faces} faces its maps "
            f"and those of the same network with all weights drawn anew correlate by {atlas.about.network_control:.2f} "
            "on average (Adebayo et al. 2018; 1 would mean that nothing learnt is in the map)."
        )


def _neighbours(found: Cell) -> None:
    st.markdown("**What the nearest training faces are labelled**")
    left, right = st.columns([5, 7], gap="medium")
    with left:
        st.html(score_bars(found.neighbour_shares, order=EMOTIONS, name="Labels of the nearest training faces"))
    with right:
        st.markdown(autopsy.neighbours_in_words(found))
        st.caption(
            "Near means: alike in the vector before the last layer. If the nearest training faces carry another label, "
            "the features do not tell the two apart, and no threshold will."
        )


def _faces(card: ModelCard, atlas: Atlas, found: Cell) -> None:
    """Draw the faces of the cell with their maps, where the images are at hand."""
    st.markdown("**The faces themselves, in the order of the matrix page**")
    images = loaders.fer2013()
    if images is None or PREDICTIONS_FILE not in card.files:
        st.info(
            "The faces of FER2013 are not part of this project. With them (see the page Dataset, or set "
            "`FER_DATA_DIR`), the faces of this cell stand here with their maps. The rest of this page needs none.",
            icon=":material/image_not_supported:",
        )
        return
    dataset, place = images
    rows = loaders.part_of(card, "all")
    study = loaders.study_of(card, "all")
    members, _ = cm.members(study.labels, study.answers, study.scores, found.label, found.answer)
    members = np.array([row for row in members if str(rows.names[row]) in place], np.int64)
    pages = math.ceil(len(members) / FACES)
    first = 0
    if pages > 1:
        key = f"autopsy_{card.id}_{found.label}_{found.answer}"
        first = (st.pagination(pages, key=key) - 1) * FACES
    shown = members[first : first + FACES]
    if not len(shown):
        st.caption("The copy of FER2013 that is set up does not hold these images.")
        return
    answer = EMOTIONS[found.answer]
    names = [str(rows.names[row]) for row in shown]
    faces = np.asarray(dataset.images[[place[name] for name in names]])
    explainer = loaders.explainer(card)
    looked = explainer.look(faces)
    wanted = direction(answer)
    overlays = [
        figures.overlay(face, explainer.heat_map(maps, wanted), side=144)
        for face, maps in zip(faces, looked.maps, strict=True)
    ]
    st.html(
        thumbnails.grid_html(
            overlays,
            [f"{answer} {rows.proba[row, found.answer]:.2f}" for row in shown],
            [f"Face labelled {EMOTIONS[found.label]} with its map for {answer}." for _ in shown],
            [f"saliency?{urlencode({'model': card.id, 'image': name, 'label': answer})}" for name in names],
            size=105,
            most=6,
            name="Faces of the cell with their maps",
        )
    )
    st.caption("A click on a face opens it by itself.")
    _nearest(atlas, rows, dataset, place, shown[:WITH_NEIGHBOURS])


def _nearest(atlas: Atlas, rows: Predictions, dataset: Fer2013, place: dict[str, int], shown: np.ndarray) -> None:
    """Draw the nearest training faces of a few faces of the cell."""
    names = [str(rows.names[row]) for row in shown]
    with st.expander("The nearest training faces of the first of them", icon=":material/share:"):
        for row, name, near in zip(shown, names, autopsy.nearest(atlas, names), strict=True):
            there = [(other, label) for other, label in near if other in place]
            labels = [f"this face: {EMOTIONS[rows.labels[row]]}", *(label for _, label in there)]
            st.html(
                thumbnails.grid_html(
                    np.asarray(dataset.images[[place[each] for each in (name, *(other for other, _ in there))]]),
                    labels,
                    [f"Face labelled {label}." for label in labels],
                    size=84,
                    name="A face and its nearest training faces",
                )
            )
