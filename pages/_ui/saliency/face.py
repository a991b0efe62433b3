"""One face: its heat map, what it lies on, whether it can be trusted, what if the face were changed, other methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import streamlit as st

from fer_core import figures_explain as figures
from fer_core.explain import edits, faithfulness, keras_vis, regions, side_by_side
from fer_core.explain.cam import Explainer
from fer_core.explain.heatmap import direction
from fer_core.explain.side_by_side import Explained
from fer_core.labels import EMOTIONS, index_of
from fer_core.registry import WEIGHTS_FILE, ModelCard
from fer_core.wording import percent
from pages._ui import loaders, shell, url, visit
from pages._ui.components import ranking, score_bars
from pages._ui.saliency import parts, store, subject
from pages._ui.saliency.subject import Subject

if TYPE_CHECKING:
    from fer_core.explain.cam import Looked

WHOLE: Final = "whole face"
RECTANGLE: Final = "a rectangle"
FINE: Final = ""
"""The layer that :func:`fer_core.explain.keras_vis.default_layer` chooses, once the network is there."""
TOP: Final = ""
"""The class with the highest score, whichever that is."""


def draw(card: ModelCard) -> None:
    """Draw the view."""
    url.write(true=None, pred=None)
    left, right = st.columns(2, gap="medium")
    with left:
        chosen = subject.choose(card)
        shell.intended_use_notice()
    if chosen is None:
        return
    explainer = loaders.explainer(card)
    looked = visit.remember((*chosen.key, card.fingerprint, "look"), lambda: explainer.look(chosen.crop[np.newaxis]))
    with right:
        label, against = _question(looked)
        explained = _explained(explainer, chosen, looked, label, against)
        strength = _map(chosen, card, looked, explained, label, against)
    _below(card, explainer, chosen, looked, explained, label, against, strength)


def _question(looked: Looked) -> tuple[str, str | None]:
    """Draw what is asked; return the class, and the one it is contrasted with."""
    proba = looked.proba[0]
    ranked = ranking(proba)
    labels = [TOP, *EMOTIONS]
    url.adopt("label", labels, TOP)
    first, second = st.columns(2)
    picked = first.selectbox(
        "Why",
        labels,
        format_func=lambda key: (
            f"{key}: {proba[index_of(key)]:.2f}" if key else f"{ranked[0]}: {proba.max():.2f} (highest)"
        ),
        key="label",
        persist_state="session",
    )
    label = picked or ranked[0]
    others = [TOP, *(emotion for emotion in ranked if emotion != label)]
    url.adopt("against", others, TOP)
    against = second.selectbox(
        "rather than",
        others,
        format_func=lambda key: f"{key}: {proba[index_of(key)]:.2f}" if key else "anything else",
        key="against",
        persist_state="session",
        help="With another label, the map shows the difference of the two logits: red cells speak for the first, blue "
        "ones for the second.",
    )
    url.write(label=picked or None, against=against or None)
    return label, against or None


def _explained(explainer: Explainer, chosen: Subject, looked: Looked, label: str, against: str | None) -> Explained:
    key = (*chosen.key, explainer.classifier.card.fingerprint, "closed", label, against or "")
    wanted = direction(label, against)
    return visit.remember(
        key,
        lambda: side_by_side.closed_form(explainer, chosen.crop, looked.maps[0], wanted, signed=against is not None),
    )


def _asked(label: str, against: str | None) -> str:
    return f"{label} rather than {against}" if against else label


def _map(
    chosen: Subject,
    card: ModelCard,
    looked: Looked,
    explained: Explained,
    label: str,
    against: str | None,
) -> float:
    """Draw the map and its verdict; return how strongly maps cover the face."""
    asked, heat = _asked(label, against), explained.heat
    pictures = st.container()
    strength = st.slider(
        "How strongly the map covers the face",
        0.0,
        1.0,
        figures.STRENGTH,
        0.05,
        key="strength",
        persist_state="session",
    )
    shown = figures.overlay(chosen.crop, heat, strength=strength)
    height, width = heat.grid
    says = f"{chosen.title}; the model scores it {looked.proba[0].max():.2f} for {ranking(looked.proba[0])[0]}."
    if against:
        says += f" Red speaks for {label}, blue for {against}."
    with pictures:
        parts.gallery(
            [
                (chosen.crop, "48 × 48 pixels", f"{chosen.title}: the face as the network gets it."),
                (shown, f"Evidence for {asked}", f"The face with the map for {asked} over it."),
                (figures.raw(heat), f"The map itself: {height} × {width} cells", f"The map for {asked}, cell by cell."),
            ],
            size=105,
            most=3,
            name=f"Map for {asked}",
        )
        st.caption(says)
    if heat.dead:
        st.warning(
            f"The map is zero everywhere: nothing in these feature maps speaks for {asked}. The face is shown without "
            "colours, since an even colour would look like an answer.",
            icon=":material/visibility_off:",
        )
    parts.reasons(explained.verdict)
    st.download_button(
        "Picture",
        lambda: parts.png(figures.overlay(chosen.crop, heat, strength=strength, side=480)),
        file_name=f"saliency-{card.id}-{asked.replace(' ', '-')}.png",
        mime="image/png",
        icon=":material/download:",
        on_click="ignore",
    )
    return strength


def _below(
    card: ModelCard,
    explainer: Explainer,
    chosen: Subject,
    looked: Looked,
    explained: Explained,
    label: str,
    against: str | None,
    strength: float,
) -> None:
    tabs = iter(
        st.tabs(
            [
                ":material/tune: What if …",
                ":material/face: Parts of the face",
                ":material/rule: Taken away, brought back",
                ":material/apps: All seven labels",
                ":material/compare: Other methods",
            ]
        )
    )
    points = visit.remember((*chosen.key, "points"), lambda: regions.landmarks(chosen.crop))
    with next(tabs):
        what_if(explainer, chosen, looked, points, label, against, strength)
    with next(tabs):
        sides = {label: explained.heat}
        if against:
            sides = {f"for {label}": explained.heat, f"for {against}": explained.heat.opposite()}
        parts.face_parts(sides, points, len(chosen.crop), key="face_parts")
    with next(tabs):
        _curves(explained, label, against)
    with next(tabs):
        _all_labels(explainer, chosen, looked, strength)
    with next(tabs):
        methods(card, explainer, chosen, looked, label, against, strength)


def _curves(explained: Explained, label: str, against: str | None) -> None:
    found = explained.curves
    by_chance = found.random_areas
    st.markdown(
        f"The blocks of the face are blurred in the order of the map, and brought back in the same order. Area under "
        f"the deletion curve: **{found.deletion_area:.3f}**, at random {by_chance[0]:.3f} (less is better). Insertion: "
        f"**{found.insertion_area:.3f}**, at random {by_chance[1]:.3f} (more is better). The map beats "
        f"**{percent(found.beats, 0)}** of {len(found.random_deletion)} random orders."
    )
    parts.curves(
        figures.curves_of(found),
        found.fraction,
        key="face_curves",
        alt=f"Score for {_asked(label, against)} while blocks are blurred and brought back. Deletion area "
        f"{found.deletion_area:.3f}, at random {by_chance[0]:.3f}; insertion {found.insertion_area:.3f}, at random "
        f"{by_chance[1]:.3f}.",
    )


def _all_labels(explainer: Explainer, chosen: Subject, looked: Looked, strength: float) -> None:
    proba = looked.proba[0]
    ranked = ranking(proba)
    pictures = []
    for emotion in ranked:
        heat = explainer.heat_map(looked.maps[0], direction(emotion))
        note = " (no evidence)" if heat.dead else ""
        pictures.append(
            (
                figures.overlay(chosen.crop, heat, strength=strength),
                f"{emotion}: {proba[index_of(emotion)]:.2f}{note}",
                f"The map for {emotion}.",
            )
        )
    parts.gallery(pictures, size=105, most=7, name="Maps for all seven labels")
    st.caption(
        "Each map is scaled to its own maximum: colours compare places within a picture, not one picture with another. "
        "Several labels often light up in the same place: the network looks at a mouth for more than one of them."
    )
    first, second = ranked[:2]
    for_, against = (
        explainer.heat_map(looked.maps[0], direction(first, second), signed=True),
        explainer.heat_map(looked.maps[0], direction(second, first), signed=True),
    )
    st.markdown(f"**Contrast of the two highest: {first} and {second}**")
    parts.gallery(
        [
            (
                figures.overlay(chosen.crop, for_, strength=strength),
                f"{first} rather than {second}",
                f"Signed map: red speaks for {first}, blue for {second}.",
            ),
            (
                figures.overlay(chosen.crop, against, strength=strength),
                f"{second} rather than {first}",
                f"Signed map: red speaks for {second}, blue for {first}.",
            ),
        ],
        size=105,
        most=7,
        name="Contrast",
    )


@st.fragment
def what_if(
    explainer: Explainer,
    chosen: Subject,
    looked: Looked,
    points: np.ndarray | None,
    label: str,
    against: str | None,
    strength: float,
) -> None:
    """Draw the editor: a part of the face is changed, and scores and map follow. A change reruns this part only."""
    with shell.boundary():
        side = len(chosen.crop)
        masks = regions.masks(points, side)
        controls, result = st.columns([4, 8], gap="medium")
        with controls:
            part = st.selectbox("Part", [*(p for p in regions.PARTS), WHOLE, RECTANGLE], index=3, key="edit_part")
            if part == RECTANGLE:
                columns = st.slider("Columns", 0, side, (12, 36), key="edit_columns")
                rows = st.slider("Rows", 0, side, (28, 44), key="edit_rows")
                mask = np.zeros((side, side), bool)
                mask[rows[0] : rows[1], columns[0] : columns[1]] = True
            else:
                mask = np.ones((side, side), bool) if part == WHOLE else masks[part]
            cover = st.toggle("Cover with grey", key="edit_cover")
            blur = st.slider("Blur", 0.0, edits.BLUR_MAX, step=0.5, key="edit_blur", disabled=cover)
            brightness = st.slider(
                "Brighten", -edits.BRIGHTNESS_MAX, edits.BRIGHTNESS_MAX, 0, 5, key="edit_brightness", disabled=cover
            )
            turn = st.slider("Turn", -edits.TURN_MAX, edits.TURN_MAX, 0, 1, "%d°", key="edit_turn", disabled=cover)
            mirror = st.toggle("Mirror", key="edit_mirror", disabled=cover)
        edit = edits.Edit(cover, blur, brightness, turn, mirror)
        changed = edits.apply(chosen.crop, mask, edit)
        now = explainer.look(changed[np.newaxis])
        heat = explainer.heat_map(now.maps[0], direction(label, against), signed=against is not None)
        before, after = looked.proba[0], now.proba[0]
        with result:
            first, second = st.columns(2)
            with first:
                parts.gallery(
                    [
                        (changed, "The changed face", f"The face with its {part} changed."),
                        (
                            figures.overlay(changed, heat, strength=strength),
                            f"Its map for {_asked(label, against)}",
                            "The map of the changed face.",
                        ),
                    ],
                    size=120,
                    name="The changed face",
                )
            with second:
                st.html(score_bars(after, order=ranking(before), name="Scores of the changed face"))
            moved = sorted(EMOTIONS, key=lambda emotion: -abs(after[index_of(emotion)] - before[index_of(emotion)]))[:2]
            if edit.changes:
                said = [
                    f"**{emotion}** {before[index_of(emotion)]:.2f} → {after[index_of(emotion)]:.2f}"
                    for emotion in moved
                    if f"{before[index_of(emotion)]:.2f}" != f"{after[index_of(emotion)]:.2f}"
                ]
                st.markdown(
                    ("; ".join(said) or "No score changes by 0.01: the model finds enough in the rest of the face")
                    + (
                        f". The highest score is now that for **{ranking(after)[0]}**, no longer {ranking(before)[0]}."
                        if ranking(after)[0] != ranking(before)[0]
                        else f". The highest score stays that for {ranking(before)[0]}."
                    )
                )
            else:
                st.caption("Nothing is changed yet: cover the mouth, and see what is left of the scores.")


def methods(
    card: ModelCard,
    explainer: Explainer,
    chosen: Subject,
    looked: Looked,
    label: str,
    against: str | None,
    strength: float,
) -> None:
    """Draw the same question asked by other methods, each with its verdict."""
    wanted = direction(label, against)
    st.markdown(
        f"The question “why {_asked(label, against)}?”, asked in other ways. The gradient methods come from the "
        "library tf-keras-vis and need TensorFlow: the first time takes some ten seconds."
    )
    able = WEIGHTS_FILE in card.files and bool(card.cam_layers)
    if not able:
        st.info("This model comes without Keras weights: only methods that need none can be shown.")
    layer = ""
    if able:
        layer = st.selectbox(
            "Layer",
            [FINE, *card.cam_layers],
            format_func=lambda name: name or f"The deepest of {keras_vis.FINE_GRID} cells a side or more",
            key="cam_layer",
            persist_state="session",
            help="What the class activation maps look at: deeper layers know more about labels and have fewer cells.",
        )
    key = (*chosen.key, card.fingerprint, "methods", layer, label, against or "")
    kept = visit.current().remembered
    if key not in kept:
        place = st.empty()
        if not place.button("Compute", icon=":material/play_arrow:", type="primary"):
            return
        place.empty()
        visit.remember(key, lambda: _compute(card, explainer, chosen, wanted, layer, able))
    found: list[Explained] = kept[key]
    first = _explained(explainer, chosen, looked, label, against)
    pictures = []
    for each in [first, *found]:
        height, width = each.heat.grid
        pictures.append(
            (
                figures.overlay(chosen.crop, each.heat, strength=strength),
                f"{each.name}: {each.verdict.level}" + (", no evidence" if each.heat.dead else ""),
                f"Map by {each.name}, {height} by {width} cells.",
            )
        )
    parts.gallery(pictures, size=105, most=7, name="Maps by several methods")
    st.dataframe(
        [
            {
                "Method": each.name,
                "Verdict": each.verdict.level,
                "Cells": "{} × {}".format(*each.heat.grid),
                "Random orders beaten": each.evidence.beats,
                "Deletion area": each.curves.deletion_area,
                "Insertion area": each.curves.insertion_area,
                "Mirrored": each.evidence.mirror,
                "Moved 1 px": each.evidence.shift,
                "Random weights": each.evidence.control,
            }
            for each in [first, *found]
        ],
        hide_index=True,
        key="methods_table",
        placeholder="–",
        column_config={
            "Random orders beaten": st.column_config.NumberColumn(format="percent"),
            **{
                name: st.column_config.NumberColumn(format="%.2f")
                for name in ("Deletion area", "Insertion area", "Mirrored", "Moved 1 px", "Random weights")
            },
        },
        alt="The measurements of every method.",
    )
    st.caption(
        "Mirrored and moved: correlation with the map of the changed face, more is better. Random weights: correlation "
        "with the map of a network (of the closed form: of a head) whose weights were drawn anew, less is better. "
        "Occlusion has no weights of its own to draw. Of the last maps, the closed form is Grad-CAM; where one dense "
        "layer follows the pooling, Grad-CAM++ and Layer-CAM differ by a factor only, which colours do not show."
    )
    with st.expander("What the methods do", icon=":material/menu_book:"):
        st.markdown(
            "\n".join(f"- **{each.name}** – {each.about} *{each.paper}*" for each in keras_vis.METHODS.values())
            + "\n- **Occlusion** – Covers one part of the face after the other and notes how far the score falls. "
            "*Zeiler and Fergus 2014, arXiv:1311.2901*"
        )


def _compute(
    card: ModelCard, explainer: Explainer, chosen: Subject, wanted: np.ndarray, layer: str, able: bool
) -> list[Explained]:
    steps = list(keras_vis.METHODS) if able else []
    bar = st.progress(0.0, "Occlusion …")
    found = [side_by_side.by_occlusion(explainer.classifier, chosen.crop, wanted)]
    if steps:
        bar.progress(0.1, "Loading TensorFlow and the network …")
        network, twin = store.networks(card)
        layer = layer or keras_vis.default_layer(network, card.cam_layers)
        for index, method in enumerate(steps):
            bar.progress(0.4 + 0.6 * index / len(steps), f"{keras_vis.METHODS[method].name} …")
            found.append(side_by_side.by_keras(network, twin, explainer.classifier, chosen.crop, wanted, method, layer))
    bar.empty()
    return found


assert set(faithfulness.LEVELS) == set(parts.BADGES)
