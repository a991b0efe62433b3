"""Section "What a loss does for disgust" of the leaderboard: models that differ in their loss only."""

from __future__ import annotations

import pyarrow as pa
import streamlit as st

from fer_core import ablation
from pages._ui import loaders


def section(part: str) -> None:
    """Draw the section, if there are such models."""
    groups = ablation.groups(loaders.registry().cards, part)
    if not groups:
        return
    st.subheader("What a loss does for disgust", anchor=False)
    for group in groups:
        name = group[0].card.name
        st.markdown(f"**{name}**. {ablation.in_words(group)}")
        st.dataframe(
            pa.Table.from_pylist(ablation.to_records(group)),
            key=f"ablation_{group[0].card.id}",
            hide_index=True,
            alt=f"{name} with several losses: accuracy, macro-F1, and recall and precision of disgust.",
        )
    meanings = "; ".join(
        f"**{ablation.LOSS_NAMES[loss]}**: {meaning}" for loss, meaning in ablation.LOSS_MEANINGS.items()
    )
    st.caption(
        "Trained alike but for the loss: same network, data, augmentation and seed, and the same rule for the epoch to "
        f"keep. In brackets 95 % bootstrap intervals. {meanings}."
    )
