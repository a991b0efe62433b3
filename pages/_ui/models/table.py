"""View "Leaderboard": every figure with what kind it is, and accuracy against what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pyarrow as pa
import streamlit as st

from fer_core import figures_models as figures
from fer_core import leaderboard
from pages._ui import loaders, shell, url
from pages._ui.components import chart, is_dark
from pages._ui.models import ablation, networks, store

if TYPE_CHECKING:
    from fer_core.evaluation.predictions import Selection


def draw(part: str) -> None:
    """Draw the view."""
    times = store.latency()
    further = []
    if store.mirrored():
        with_mirror = st.toggle(
            "With the mirror image and an ensemble, too",
            key="with_mirror",
            persist_state="session",
            help="Every face is scored as it is and mirrored, and the two scores are averaged. The ensemble mixes "
            f"models trained here, as many as {leaderboard.ENSEMBLE_MILLISECONDS:.0f} ms a face allow; its weights are "
            "chosen on validation.",
        )
        further = store.further_rows(cast("Selection", part)) if with_mirror else []
    rows = leaderboard.rows(loaders.registry().cards, part, times, further)
    st.markdown(leaderboard.in_words(rows))
    _table(rows)
    _meanings(times)
    networks.section()
    st.subheader("What an accuracy costs", anchor=False)
    _plane(rows)
    ablation.section(part)
    link = shell.find("report_check")
    if link is not None:
        st.page_link(link.file, label="Why the report’s claims cannot be believed", icon=link.icon)


def _table(rows: list[leaderboard.Row]) -> None:
    kinds = list(leaderboard.KIND_NAMES.values())
    palette = figures.KIND_COLORS["light"]  # the chips carry white text in both themes
    shown = st.pills(
        "Kinds of rows",
        kinds,
        selection_mode="multi",
        default=kinds,
        key="kinds",
        label_visibility="collapsed",
        persist_state="session",
    )
    records = [record for record in leaderboard.to_records(rows) if record["Kind"] in (shown or kinds)]
    if not records:
        st.caption("No row is of the kinds that are chosen.")
        return
    unknown = {column for column in records[0] if all(record[column] is None for record in records)}
    columns = {
        "Model": st.column_config.TextColumn(width=228, pinned=True),
        "Accuracy": st.column_config.NumberColumn(format="%.1f %%", width=80),
        "Kind": st.column_config.MultiselectColumn(
            options=kinds, color=[palette[kind] for kind in leaderboard.KIND_NAMES], width=145
        ),
        "95 % interval": st.column_config.TextColumn(width=102, help="Bootstrap for models trained here."),
        "Images": st.column_config.TextColumn(width=108, help="Which images the figures of the row are of."),
        "Macro-F1": st.column_config.NumberColumn(format="%.3f", width=80, help="Mean of the seven F1."),
        "Disgust recall": st.column_config.NumberColumn(format="%.1f %%", width=102),
        "ECE": st.column_config.NumberColumn(
            format="%.3f", width=58, help="Expected calibration error, 15 bins: smaller is better."
        ),
        "Voters agree": st.column_config.NumberColumn(
            format="%.1f %%",
            width=96,
            help="PrivateTest: how often the majority of ten people (FER+) says what the model says.",
        ),
        "KL from votes": st.column_config.NumberColumn(
            format="%.3f",
            width=98,
            help="PrivateTest: how far the scores are from how the votes of ten people are spread, in nats: smaller is "
            "nearer.",
        ),
        "Parameters": st.column_config.NumberColumn(format="%.1f M", width=88),
        "ms a face": st.column_config.NumberColumn(
            format="%.1f", width=80, help="Face crop to scores; with the mirror image twice the time."
        ),
        "MB": st.column_config.NumberColumn(
            format="%.1f", width=55, help="Size of what scores a face: graph and weights."
        ),
        "Remark": st.column_config.TextColumn(width=420),
    }
    st.dataframe(
        pa.Table.from_pylist(
            [{key: [value] if key == "Kind" else value for key, value in record.items()} for record in records]
        ),
        key="leaderboard",
        height="content",
        hide_index=True,
        placeholder="–",
        column_order=[column for column in columns if column not in unknown],
        column_config=columns,
        alt="Accuracy and further figures of every model: trained here, claimed by the report, measured or published "
        "by others. The column Kind says which.",
    )


def _meanings(times: dict[str, leaderboard.Latency]) -> None:
    said = "; ".join(
        f"**{leaderboard.KIND_NAMES[kind]}**: {meaning}" for kind, meaning in leaderboard.KIND_MEANINGS.items()
    )
    places = sorted({f"{time.machine}, {time.date}" for time in times.values()})
    parts = [f"Click a heading to sort. {said}. A dash: not known."]
    if places:
        where = "; ".join(places)
        parts.append(f"ms a face: one crop to its scores, measured on {where}; by Keras where a model has no graph.")
    st.caption(" ".join(parts))


def _plane(rows: list[leaderboard.Row]) -> None:
    axes = figures.axes_of(rows)
    if not axes:
        st.caption("No model trained here has figures on these images.")
        return
    url.adopt("against", axes, axes[0])
    axis = st.segmented_control(
        "Against", axes, format_func=figures.AXES.__getitem__, key="against", required=True, persist_state="session"
    )
    url.write(against=axis if axis != axes[0] else None)
    records = figures.plane_records(rows, axis)
    chart(
        figures.plane_spec(records, axis, dark=is_dark()),
        records,
        key=f"plane_{axis}",
        alt=f"Accuracy of the models trained here against {figures.AXES[axis]}, with 95 % intervals; dashed lines are "
        "the best figures of the report, of people, and of others. The numbers stand in the table above.",
    )
    st.markdown(figures.plane_key(records))
    note = "" if "milliseconds" in axes else " No times were measured on this machine yet."
    absent = figures.without_point(rows, axis)
    if absent:
        note += f" Not drawn, because this figure is not known: {'; '.join(absent)}."
    st.caption(
        "Points: trained here, numbered from the most accurate on, with 95 % intervals. Dashed: the best figure of "
        "each other kind, which has no place on the horizontal axis. They may be of other images, see the "
        f"table.{note}"
    )
