"""What a loss does: models whose recipes differ in their loss and in nothing else, beside each other.

Every figure is that of a card, hence of stored predictions.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from fer_core.errors import TrainingError
from fer_core.registry import ModelCard
from fer_core.training.recipe import LOSSES, Recipe
from fer_core.wording import MISSING, percent

LOSS_NAMES: Final = {"plain": "Plain", "class_weighted": "Class-weighted", "logit_adjusted": "Logit-adjusted"}
LOSS_MEANINGS: Final = {
    "plain": "every image counts alike",
    "class_weighted": "an image counts the more the rarer its class is",
    "logit_adjusted": "while training, each logit gets the logarithm of its class’s frequency added, so that an answer "
    "given without it does not lean on that frequency",
}
FIGURES: Final = {
    "accuracy": "Accuracy",
    "macro_f1": "Macro-F1",
    "recall": "Disgust recall",
    "precision": "Disgust precision",
}


@dataclass(frozen=True)
class Figure:
    """A share, 0-1, with its 95 % bootstrap interval; all None where it is undefined or not known."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Ablated:
    """A model of a group, its loss, and its :data:`FIGURES` on one part of the data."""

    card: ModelCard
    loss: str
    figures: dict[str, Figure]


def recipe_of(card: ModelCard) -> Recipe | None:
    """Return the recipe that a card holds; None if it is not one of this project.

    A field that recipes got after the card was written has its default.
    """
    known = {field.name for field in fields(Recipe)}
    try:
        return Recipe.from_json({name: value for name, value in card.training.items() if name in known})
    except TrainingError:
        return None


def groups(cards: Sequence[ModelCard], part: str = "private") -> list[list[Ablated]]:
    """Return the models whose recipes are alike but for name, loss and what they ship, in groups of two losses or more.

    Parameters
    ----------
    cards
        Those without figures on the part are left out.
    part
        A key of ``metrics`` in cards, for example ``"private"``.

    Returns
    -------
    list of list of Ablated
        Groups in the order of their first card; within a group in the order of ``LOSSES``.
    """
    found: dict[str, list[Ablated]] = {}
    for card in cards:
        recipe = recipe_of(card)
        if recipe is not None and "per_class" in card.metrics.get(part, {}):
            alike = json.dumps(replace(recipe, name="", loss=LOSSES[0], ships="all").to_json(), sort_keys=True)
            found.setdefault(alike, []).append(Ablated(card, recipe.loss, _figures(card.metrics[part])))
    return [
        sorted(group, key=lambda model: LOSSES.index(model.loss))
        for group in found.values()
        if len({model.loss for model in group}) > 1
    ]


def in_words(group: Sequence[Ablated]) -> str:
    """Return what a group comes to: the plain loss, and the one that finds the most of disgust, with its price."""
    first = group[0]
    best = max(group, key=lambda model: model.figures["recall"].value or 0.0)
    said = f"With the {_name(first)} loss, {_percent(first, 'recall')} of the images labelled disgust are found"
    if best is first:
        return f"{said}; no other loss finds more."
    return (
        f"{said}, with the {_name(best)} one {_percent(best, 'recall')}; accuracy goes from "
        f"{_percent(first, 'accuracy')} to {_percent(best, 'accuracy')}."
    )


def to_records(group: Sequence[Ablated]) -> list[dict[str, str]]:
    """Return a group as a table for showing, each figure with its interval."""
    return [
        {"Loss": LOSS_NAMES[model.loss], **{name: _shown(key, model.figures[key]) for key, name in FIGURES.items()}}
        for model in group
    ]


def _figures(metrics: dict[str, Any]) -> dict[str, Figure]:
    disgust = metrics["per_class"].get("disgust", {})
    sources = {"accuracy": metrics, "macro_f1": metrics, "recall": disgust, "precision": disgust}
    found = {}
    for name, source in sources.items():
        low, high = source.get("intervals", {}).get(name, (None, None))
        found[name] = Figure(source.get(name), low, high)
    return found


def _shown(name: str, figure: Figure) -> str:
    if figure.value is None:
        return MISSING
    share = name != "macro_f1"  # a mean of F1 is no share of anything

    def text(value: float) -> str:
        return f"{value * 100:.1f}" if share else f"{value:.3f}"

    shown = percent(figure.value) if share else text(figure.value)
    return (
        shown if figure.low is None or figure.high is None else f"{shown} ({text(figure.low)} to {text(figure.high)})"
    )


def _name(model: Ablated) -> str:
    return LOSS_NAMES[model.loss].lower()


def _percent(model: Ablated, name: str) -> str:
    value = model.figures[name].value
    return MISSING if value is None else percent(value)
