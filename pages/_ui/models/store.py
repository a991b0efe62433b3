"""What the page "Models" loads once and shares: comparisons, histories, times. Nothing of a visitor.

Like ``pages._ui.loaders``, and apart from it because no other page needs these.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from fer_core import leaderboard
from fer_core.errors import FerError
from fer_core.leaderboard import DisagreementGroup, Ensemble, Latency, Row
from fer_core.registry import HISTORY_FILE, MIRROR_FILE, README_FILE, ModelCard
from pages._ui import loaders

if TYPE_CHECKING:
    from fer_core.evaluation.compare import Comparison, Disagreements
    from fer_core.evaluation.predictions import Predictions, Selection


@dataclass(frozen=True)
class System:
    """What can be compared: a model, a model with the mean of face and mirror image, or an ensemble of such.

    `id` is as it stands in the address, `name` for a reader, `fingerprint` changes with any file behind it.
    """

    id: str
    name: str
    fingerprint: str
    card: ModelCard | None = None
    mirror: bool = False
    ensemble: Ensemble | None = None


def systems() -> dict[str, System]:
    """Return everything with stored predictions by id: models, best first, with mirror images, and their ensemble."""
    found = [System(card.id, card.name, _print(card), card) for card in loaders.evaluated()]
    found += [
        System(f"{card.id}+mirror", f"{card.name} + mirror image", _print(card), card, mirror=True)
        for card in mirrored()
    ]
    mixture = ensemble()
    if mixture is not None:
        weighed = zip(mixture.cards, mixture.weights, strict=True)
        prints = "+".join(f"{weight:.6f}*{_print(card)}" for card, weight in weighed)
        found.append(System("ensemble", mixture.name, prints, mirror=True, ensemble=mixture))
    return {system.id: system for system in found}


def mirrored() -> list[ModelCard]:
    """Return the models with stored predictions for mirror images, too, best first."""
    return [card for card in loaders.evaluated() if MIRROR_FILE in card.files]


def ensemble() -> Ensemble | None:
    """Return the ensemble of the models that were trained by a recipe of our own and can answer; None without one."""
    members = [card for card in mirrored() if leaderboard.may_be_mixed(card) and "val" in loaders.parts_of(card)]
    return _ensemble(tuple(_print(card) for card in members), _stamp(), members)


def predictions_of(system: System, part: Selection) -> Predictions:
    """Return the predictions of a system for one part of the data."""
    if system.ensemble is not None:
        return _mixed(system.fingerprint, part, system.ensemble)
    assert system.card is not None
    return loaders.part_of(system.card, part, mirror=system.mirror)


def _print(card: ModelCard) -> str:
    return f"{card.directory}:{card.fingerprint}"


def _mean(card: ModelCard, part: Selection) -> Predictions:
    return loaders.part_of(card, part, mirror=True)


@dataclass(frozen=True)
class Duel:
    """Two systems on the same images: the paired tests, the disagreements in groups, and one by one, surest first."""

    result: Comparison
    groups: list[DisagreementGroup]
    surest: Disagreements


def compared(a: System, b: System, part: Selection) -> Duel:
    """Return the paired comparison of two systems, and where they disagree.

    Raises
    ------
    FerError
        If they were not evaluated on the same images.
    """
    return _compared(a.id, a.fingerprint, b.id, b.fingerprint, part, a, b)


def further_rows(part: Selection) -> list[Row]:
    """Return the lines of all models with the mean of face and mirror image, and of their ensemble, for this part."""
    rows = []
    for system in systems().values():
        if system.mirror:
            try:
                rows.append(_further_row(system.id, system.fingerprint, part, _stamp(), system))
            except FerError:  # no prediction for that part
                continue
    return rows


def latency() -> dict[str, Latency]:
    """Return the measured times by model id."""
    return _latency(str(leaderboard.LATENCY_FILE), _stamp())


def _stamp() -> int:
    """Return when the times were measured, as a key of caches; 0 if they were not."""
    path = leaderboard.LATENCY_FILE
    return path.stat().st_mtime_ns if path.exists() else 0


def history(card: ModelCard) -> dict[str, list[float | None]]:
    """Return a model's training history by column.

    Raises
    ------
    FerError
        If there is none, or it cannot be read.
    """
    return _history(card.fingerprint, card)


def readme(card: ModelCard) -> str | None:
    """Return the README of a model folder without its heading; None where there is none."""
    path = card.directory / README_FILE
    return _readme(str(path), path.stat().st_mtime_ns) if path.is_file() else None


@st.cache_resource(show_spinner="Comparing two models, image by image …", max_entries=64)
def _compared(
    id_a: str,  # noqa: ARG001 - cache key
    print_a: str,  # noqa: ARG001 - cache key
    id_b: str,  # noqa: ARG001 - cache key
    print_b: str,  # noqa: ARG001 - cache key
    part: Selection,
    _a: System,
    _b: System,
) -> Duel:
    from fer_core.evaluation import compare

    a, b = compare.aligned(predictions_of(_a, part), predictions_of(_b, part))
    return Duel(compare.compare(a, b), leaderboard.disagreement_groups(a, b), compare.disagreements(a, b))


@st.cache_data(show_spinner="Evaluating with mirror images …", max_entries=128)
def _further_row(
    id: str,  # noqa: ARG001 - cache key
    fingerprint: str,  # noqa: ARG001 - cache key
    part: Selection,
    stamp: int,  # noqa: ARG001 - cache key
    _system: System,
) -> Row:
    if _system.ensemble is not None:
        return leaderboard.ensemble_row(_system.ensemble, part, predictions_of(_system, part), latency())
    assert _system.card is not None
    return leaderboard.mirror_row(_system.card, part, lambda: predictions_of(_system, part), latency())


@st.cache_resource(show_spinner="Mixing the models …", max_entries=16)
def _mixed(fingerprint: str, part: Selection, _ensemble: Ensemble) -> Predictions:  # noqa: ARG001 - cache key
    return leaderboard.mixed(_ensemble, part, _mean)


@st.cache_resource(show_spinner="Mixing the models …", max_entries=16)
def _ensemble(
    fingerprints: tuple[str, ...],  # noqa: ARG001 - cache key
    stamp: int,  # noqa: ARG001 - cache key
    _members: list[ModelCard],
) -> Ensemble | None:
    try:
        return leaderboard.find_ensemble(_members, _mean, latency())
    except FerError:  # they have not answered the same images
        return None


@st.cache_data(show_spinner=False, max_entries=4)
def _latency(path: str, stamp: int) -> dict[str, Latency]:  # noqa: ARG001 - cache key
    return leaderboard.read_latency(Path(path))


@st.cache_data(show_spinner=False, max_entries=32)
def _history(fingerprint: str, _card: ModelCard) -> dict[str, list[float | None]]:  # noqa: ARG001 - cache key
    return leaderboard.read_history(_card.path(HISTORY_FILE))


@st.cache_data(show_spinner=False, max_entries=32)
def _readme(path: str, stamp: int) -> str:  # noqa: ARG001 - cache key
    text = Path(path).read_text(encoding="utf-8")
    return text.partition("\n")[2].lstrip() if text.startswith("# ") else text
