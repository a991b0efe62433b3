"""The scores a visitor sees, as files: made in memory when the page is drawn, one row a face and model."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import streamlit as st

from fer_core.analysis import records_to_csv
from fer_core.predict import NOTE
from fer_core.registry import ModelCard
from pages._ui.loaders import Scored

Row = dict[str, Any]


def rows(picture: str, answers: Iterable[tuple[ModelCard, Scored]]) -> list[Row]:
    """Return one record for each face and model of a picture."""
    return [
        {"picture": picture, "model": card.id, **record}
        for card, scored in answers
        for record in scored.result.to_records()
    ]


def as_json(records: list[Row]) -> str:
    """Return the records as a JSON document that says what the scores are."""
    return json.dumps({"note": NOTE, "faces": records}, ensure_ascii=False, indent=2)


def buttons(records: list[Row]) -> None:
    """Draw the two download buttons; none while there is nothing to download."""
    if not records:
        return
    for kind, write, mime in (("CSV", records_to_csv, "text/csv"), ("JSON", as_json, "application/json")):
        st.download_button(
            f"Scores as {kind}",
            write(records),
            file_name=f"scores.{kind.lower()}",
            mime=mime,
            icon=":material/download:",
            on_click="ignore",
        )
