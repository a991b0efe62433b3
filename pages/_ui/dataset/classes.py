"""Tab "Classes": how many images each class has, and what they look like."""

from __future__ import annotations

import streamlit as st

from fer_core import figures_dataset, images
from fer_core.data import tables
from fer_core.evaluation import report_deck
from fer_core.labels import EMOTIONS, display_name
from pages._ui.components import row
from pages._ui.dataset import parts, store


def draw() -> None:
    """Draw the tab."""
    _counts()
    _faces()
    _measures()


def _counts() -> None:
    st.header("How unevenly the classes are filled", anchor=False)
    counts = store.images().counts()
    total = counts.sum(axis=0)
    test = counts[2] + counts[3]
    uneven = figures_dataset.imbalance(total, test)
    weak = EMOTIONS.index(uneven.smallest)
    st.markdown(
        f"For one image of {uneven.smallest} there are **{uneven.ratio:.1f}** of {uneven.largest}. To balance the "
        f"classes one would need **{int(uneven.missing.sum()):,}** more images, {int(uneven.missing[weak]):,} of them "
        f"of {uneven.smallest}. The test set has {int(test[weak])} faces of {uneven.smallest}: a recall measured on "
        f"them is known to ± {100 * uneven.half_width[weak]:.0f} points at best, where {uneven.largest} gets "
        f"± {100 * uneven.half_width[EMOTIONS.index(uneven.largest)]:.0f}."
    )
    unit, scale = st.columns([1, 1])
    shares = unit.segmented_control("Unit", ["Images", "Share"], default="Images", required=True) == "Share"
    log = scale.toggle("Logarithmic axis")
    parts.show(figures_dataset.classes(counts, shares=shares, log=log), key="classes")
    with st.expander("By split, with what is missing, and the report’s counts", icon=":material/table:"):
        st.dataframe(figures_dataset.class_table(counts, report_deck.TEST_SUPPORT), hide_index=True)
        difference = int(total.sum()) - report_deck.N_IMAGES_COUNTED
        st.markdown(
            f"The report counts {report_deck.N_IMAGES_COUNTED:,} images in all; there are {int(total.sum()):,}, "
            f"{difference:,} more. Its counts of the seven classes in the test set are right."
            if all(report_deck.TEST_SUPPORT[e] == int(test[k]) for k, e in enumerate(EMOTIONS))
            else f"The report counts {report_deck.N_IMAGES_COUNTED:,} images in all; there are {int(total.sum()):,}."
        )


def _faces() -> None:
    st.header("What a class looks like", anchor=False)
    st.markdown(
        "Above, the **mean** of all faces of a class: where they agree, a feature shows. Below, the **standard "
        "deviation** of each pixel, stretched to the full range: bright is where they differ."
    )
    stored = tables.arrays("faces")
    cells = []
    for k, emotion in enumerate(EMOTIONS):
        mean = images.data_uri(figures_dataset.class_face(stored["mean"][k]))
        deviation = images.data_uri(figures_dataset.class_face(stored["std"][k], stretch=True))
        style = "display:block;width:100%;aspect-ratio:1;border-radius:.4rem;margin-bottom:.3rem"
        cells.append(
            f'<figure style="margin:0;flex:1 1 5.6rem;max-width:9rem">'
            f'<img src="{mean}" alt="Mean face of {emotion}" style="{style}">'
            f'<img src="{deviation}" alt="Standard deviation of the faces of {emotion}" style="{style}">'
            f'<figcaption style="font-size:.9rem">{display_name(emotion)}</figcaption></figure>'
        )
    st.html(row(*cells, gap=".7rem"))


def _measures() -> None:
    st.header("How the pictures differ before anybody looks at the face", anchor=False)
    st.markdown("Where a class is darker or softer than the others, a network can use that instead of the expression.")
    name = st.segmented_control(
        "Measure",
        ["brightness", "contrast", "sharpness"],
        default="brightness",
        required=True,
        format_func=str.capitalize,
        label_visibility="collapsed",
    )
    parts.show(figures_dataset.measure(store.images(), name), key="measure")
