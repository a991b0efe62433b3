"""Section "Report, rebuild and improvement" of the leaderboard: the report's five networks, three times each."""

from __future__ import annotations

import pyarrow as pa
import streamlit as st

from fer_core import figures_models as figures
from fer_core import side_by_side
from fer_core.wording import PART_NAMES, sentence_case
from pages._ui import loaders
from pages._ui.components import chart, is_dark


def section() -> None:
    """Draw the section."""
    table = side_by_side.networks(loaders.registry().cards)
    st.subheader("Report, rebuild and improvement", anchor=False)
    st.markdown(side_by_side.in_words(table))
    records = figures.networks_records(table)
    chart(
        figures.networks_spec(records, dark=is_dark()),
        records,
        key="networks",
        alt="Accuracy of each of the report’s networks: claimed, rebuilt by its protocol, and improved, on one line. "
        "The numbers stand in the table below.",
    )
    st.dataframe(
        pa.Table.from_pylist(side_by_side.to_records(table)),
        key="networks_table",
        height="content",
        hide_index=True,
        placeholder="–",
        alt="The report’s networks with the accuracy it claims, that of their rebuild, and that of a better recipe.",
    )
    st.caption(
        f"{sentence_case(PART_NAMES[side_by_side.PART])}, whatever is chosen above, because the report’s figures are "
        "of them. In brackets 95 % bootstrap intervals. What stands against a claim is in its remark in the table "
        "above."
    )
