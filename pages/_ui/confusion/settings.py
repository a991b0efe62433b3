"""The what-if panel: priors, temperature, thresholds, costs, mirror and ensemble; chosen on validation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from fer_core import whatif
from fer_core.errors import FerError
from fer_core.evaluation import calibration, compare
from fer_core.evaluation.predictions import Predictions, Selection
from fer_core.labels import EMOTIONS, display_name, index_of
from fer_core.registry import MIRROR_FILE, ModelCard
from fer_core.whatif import WhatIf
from pages._ui import loaders, url
from pages._ui.confusion.state import Choice

NUMBERS: Final = {"tau": (0.0, whatif.TAU_MAX, 0.0), "temp": (*whatif.TEMPERATURE_RANGE, 1.0), "least": (0.0, 1.0, 0.0)}
"""Sliders that stand in the address: lowest, highest, default."""

COSTS: Final = {"score": "Highest score", "class": "Missing one class costs more", "table": "My own cost matrix"}

_WANTED_RIGHT: Final = 0.9
_KEPT: Final = "confusion_mixtures"
_MOST_KEPT: Final = 4


@dataclass(frozen=True)
class Mixture:
    """What the probabilities are made of: the model itself, others with their weights, and the mirror image."""

    others: tuple[tuple[ModelCard, float], ...] = ()
    mirror: bool = False

    def in_words(self) -> str:
        """Return the mixture as part of a sentence; empty for the model by itself."""
        parts = ["mean of face and mirror image"] if self.mirror else []
        if self.others:
            parts.append(
                "mixed with " + ", ".join(f"{card.name} (weight {weight:.2f})" for card, weight in self.others)
            )
        return "; ".join(parts)


def mixed(choice: Choice, part: Selection, mixture: Mixture) -> Predictions:
    """Return the predictions of a mixture on one part of the data.

    Raises
    ------
    FerError
        If a model has no predictions there, or they are of other images.
    """
    own = _own(choice.card, part, mixture.mirror)
    if not mixture.others:
        return own
    # Kept in this visit for the next move of a slider: checking ten thousand rows again takes as long as the rest.
    kept: dict[Any, Predictions] = st.session_state.setdefault(_KEPT, {})
    key = (choice.card.fingerprint, part, mixture.mirror, *((c.fingerprint, weight) for c, weight in mixture.others))
    if key in kept:
        return kept[key]
    probas, weights = [own.proba], [1.0]
    for card, weight in mixture.others:
        probas.append(aligned(own, _own(card, part, mixture.mirror)).proba)
        weights.append(weight)
    result = Predictions(own.names, own.split, own.labels, whatif.mix(probas, weights))
    while len(kept) >= _MOST_KEPT:
        kept.pop(next(iter(kept)))
    kept[key] = result
    return result


def aligned(own: Predictions, other: Predictions) -> Predictions:
    """Return `other` in the order of `own`; files are written in one order, so that this is almost always a glance."""
    return other if np.array_equal(own.names, other.names) else compare.aligned(own, other)[1]


def _adopt(choice: Choice) -> None:
    """Take over what the address says.

    ``?tau=1&temp=2&least=.5&least_disgust=.2&mix=other:0.5&mirror=1&cost=disgust:5&rescue=fear``
    """
    state, query = st.session_state, st.query_params
    for name, (low, high, default) in NUMBERS.items():
        _adopt_number(name, low, high, default)
    for emotion in EMOTIONS:
        if url.is_new(f"least_{emotion}"):
            state[f"threshold_{emotion}"] = _number_of(query[f"least_{emotion}"], 0.0, 1.0, 0.0)
    if url.is_new("mirror"):
        state["mirror"] = query["mirror"] == "1"
    if url.is_new("rescue") and query["rescue"] in EMOTIONS:
        state["rescued"] = query["rescue"]
    if url.is_new("mix"):
        known = {card.id for card in choice.others}
        pairs = [entry.partition(":")[::2] for entry in query["mix"].split(",")]
        state["ensemble"] = [key for key, _ in pairs if key in known]
        state.update({f"weight_{key}": _number_of(weight, 0.0, 4.0, 1.0) for key, weight in pairs if key in known})
    if url.is_new("cost"):
        klass, _, times = query["cost"].partition(":")
        if klass in EMOTIONS:
            state["cost_kind"], state["cost_class"] = "class", klass
            state["cost_times"] = _number_of(times, 1.0, 50.0, 5.0)


def _write(setting: WhatIf, mixture: Mixture) -> None:
    """Put the setting into the address; a cost matrix of one's own does not fit there."""
    state = st.session_state
    choices = {n: f"{state[n]:g}" if state[n] != default else None for n, (_, _, default) in NUMBERS.items()}
    for emotion, threshold in zip(EMOTIONS, setting.thresholds, strict=True):
        choices[f"least_{emotion}"] = f"{threshold:g}" if threshold else None
    choices["mirror"] = "1" if mixture.mirror else None
    choices["mix"] = ",".join(f"{card.id}:{weight:g}" for card, weight in mixture.others) or None
    choices["rescue"] = state["rescued"] if state["rescued"] != "disgust" else None
    by_class = state["cost_kind"] == "class"
    choices["cost"] = f"{state['cost_class']}:{state['cost_times']:g}" if by_class else None
    url.write(**choices)


def panel(choice: Choice) -> tuple[WhatIf, Mixture, int, DeltaGenerator]:
    """Draw the panel; return the setting, the mixture, the class to be rescued, and room for what the rescue costs."""
    _adopt(choice)
    with st.expander("What if … priors, costs, thresholds, mirror or ensemble were other", icon=":material/tune:"):
        _explanation(choice)
        left, right = st.columns(2, gap="medium")
        with left:
            klass = _priors()
            _number("temp", "Temperature T", "Divides the logits: above 1 less sure. The answers stay the same.", 0.05)
            _number("least", "No answer below a score of", "Of the highest score: what is less sure is not answered.")
            thresholds = _thresholds()
        with right:
            mixture = _mixture(choice)
            cost = _costs()
            room = st.container()
        with left:
            _chosen_on_validation(choice, mixture)
    state = st.session_state
    setting = WhatIf(state["tau"], state["temp"], thresholds, state["least"], cost)
    _write(setting, mixture)
    return setting, mixture, klass, room


def reset() -> None:
    """Set everything back to the model as it is."""
    for name, (_, _, default) in NUMBERS.items():
        st.session_state[name] = default
    for emotion in EMOTIONS:
        st.session_state[f"threshold_{emotion}"] = 0.0
    st.session_state.update({"cost_kind": "score", "mirror": False, "ensemble": []})


def _explanation(choice: Choice) -> None:
    if choice.part == "val":
        st.warning(
            "These are the validation images, on which settings are chosen: figures chosen and shown on the same "
            "images are too good. Choose another part above to see what a setting is worth.",
            icon=":material/warning:",
        )
    elif validation_of(choice, Mixture()) is None:
        st.caption(
            "This model has no stored predictions for validation images. Settings can be tried, but not chosen "
            "honestly: what looks best on the images shown was chosen on them."
        )
    else:
        st.caption(
            "Computed live from stored probabilities; nothing is trained. The buttons choose on the **validation** "
            f"images; the figures are of **{choice.part_name}**, which took no part in the choice. What you set by "
            "hand while watching those figures is chosen on them, and will look better than it is."
        )


def _priors() -> int:
    _number(
        "tau",
        "Logit adjustment τ",
        "Subtracts τ · ln(prior) from every logit, with the class shares of the training images: 0 is the model as it "
        "is, 1 asks what fits best if all classes were equally frequent. Rare classes gain.",
        0.05,
    )
    options = list(EMOTIONS)
    st.session_state.setdefault("rescued", "disgust")
    chosen = st.selectbox("Class to rescue", options, format_func=display_name, key="rescued", persist_state="session")
    return index_of(chosen)


def _thresholds() -> tuple[float, ...]:
    with st.popover("Thresholds of the classes", icon=":material/door_front:", width="stretch"):
        st.caption("A class may be answered only if its score reaches its threshold; else the next one is.")
        return tuple(
            st.slider(display_name(emotion), 0.0, 1.0, step=0.05, key=f"threshold_{emotion}", persist_state="session")
            for emotion in EMOTIONS
        )


def _mixture(choice: Choice) -> Mixture:
    cards = {card.id: card for card in choice.others}
    st.session_state["ensemble"] = [key for key in st.session_state.get("ensemble", []) if key in cards]
    picked = st.multiselect(
        "Mix with other models",
        list(cards),
        format_func=lambda key: cards[key].name,
        key="ensemble",
        placeholder="By itself",
        disabled=not cards,
        persist_state="session",
        help="The weighted mean of the probabilities; this model has the weight 1.",
    )
    weights = []
    for key in picked:
        st.session_state.setdefault(f"weight_{key}", 1.0)
        weight = st.slider(
            f"Weight of {cards[key].name}", 0.0, 4.0, step=0.05, key=f"weight_{key}", persist_state="session"
        )
        weights.append((cards[key], weight))
    able = all(MIRROR_FILE in card.files for card in (choice.card, *(card for card, _ in weights)))
    if not able:
        st.session_state["mirror"] = False
    mirror = st.toggle(
        "Mean of face and mirror image",
        key="mirror",
        disabled=not able,
        persist_state="session",
        help=None if able else "The predictions for mirrored images are not stored for every model chosen.",
    )
    return Mixture(tuple(weights), mirror)


def _costs() -> tuple[tuple[float, ...], ...] | None:
    st.session_state.setdefault("cost_kind", "score")
    kind = st.selectbox(
        "Answer by", list(COSTS), format_func=COSTS.__getitem__, key="cost_kind", persist_state="session"
    )
    if kind == "score":
        return None
    cost = 1 - np.eye(len(EMOTIONS))
    if kind == "class":
        st.session_state.setdefault("cost_class", "disgust")
        left, right = st.columns(2)
        klass = left.selectbox(
            "Missing", list(EMOTIONS), format_func=display_name, key="cost_class", persist_state="session"
        )
        st.session_state.setdefault("cost_times", 5.0)
        times = right.number_input(
            "costs … times as much", 1.0, 50.0, step=0.5, key="cost_times", persist_state="session"
        )
        cost[index_of(klass)] *= times
    else:
        st.caption("Cost of answering the column’s class for an image with the row’s label.")
        table: dict[str, Any] = {"Label": [display_name(emotion) for emotion in EMOTIONS]}
        table |= {display_name(emotion): cost[:, k] for k, emotion in enumerate(EMOTIONS)}
        edited = st.data_editor(
            table,
            key="cost_table",
            disabled=["Label"],
            hide_index=True,
            column_config={
                display_name(e): st.column_config.NumberColumn(e[:3].capitalize(), min_value=0.0, max_value=1000.0)
                for e in EMOTIONS
            },
        )
        values = [edited[display_name(emotion)] for emotion in EMOTIONS]
        cost = np.nan_to_num(np.array([[float(v if v is not None else 0) for v in column] for column in values]).T)
    return tuple(tuple(float(value) for value in row) for row in cost)


def _chosen_on_validation(choice: Choice, mixture: Mixture) -> None:
    """Draw the buttons that choose a setting on validation."""
    validation = validation_of(choice, mixture)
    state = st.session_state
    temperature, klass = state["temp"], index_of(state["rescued"])

    def button(label: str, help_: str, change: Callable[[Predictions], None]) -> None:
        st.button(
            label, help=help_, on_click=lambda: change(validation) if validation else None, disabled=not validation
        )

    def best(rows: Predictions) -> None:
        state["tau"] = whatif.best_tau(rows.labels, rows.proba, "macro_f1", WhatIf(temperature=temperature))

    def rescue(rows: Predictions) -> None:
        price = state["price"] / 100
        state["tau"] = whatif.rescue(rows.labels, rows.proba, klass, price, WhatIf(temperature=temperature))

    def calibrate(rows: Predictions) -> None:
        logs = np.log(np.clip(rows.proba, 1e-7, None))
        low, high = whatif.TEMPERATURE_RANGE
        state["temp"] = round(float(np.clip(calibration.fit_temperature(rows.labels, logs), low, high)), 2)

    def abstain(rows: Predictions) -> None:
        scores = whatif.adjust(rows.proba, WhatIf(tau=state["tau"], temperature=temperature))
        state["least"] = whatif.threshold_for_accuracy(rows.labels, scores, _WANTED_RIGHT) or 0.0

    def weigh(_: Predictions) -> None:
        cards = [choice.card, *(card for card, _ in mixture.others)]
        own = _own(choice.card, "val", mixture.mirror)
        probas = [own.proba, *(aligned(own, _own(card, "val", mixture.mirror)).proba for card in cards[1:])]
        weights = whatif.mixture_weights(own.labels, probas)
        for card, weight in zip(cards[1:], weights[1:], strict=True):
            state[f"weight_{card.id}"] = float(np.clip(round(weight / max(weights[0], 1e-6), 2), 0, 4))

    st.markdown("**Choose on validation**")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input(
            "Price, points of accuracy", 0.0, 20.0, 2.0, 0.5, key="price", width=170, help="For the rescue beside it."
        )
        button(f"Rescue {EMOTIONS[klass]}", "The τ with the highest recall of the class at this price.", rescue)
        button("τ for macro-F1", "The τ with the highest macro-F1.", best)
        button("Calibrate T", "The temperature with the smallest log-loss.", calibrate)
        button("Answer where 90 % are right", "The score from which nine answers in ten are right.", abstain)
        if mixture.others:
            button("Weights of the mixture", "The weights with the smallest log-loss.", weigh)
        st.button("Back to the model as it is", icon=":material/restart_alt:", type="tertiary", on_click=reset)


def validation_of(choice: Choice, mixture: Mixture) -> Predictions | None:
    """Return the predictions on which settings are chosen; None where there are none."""
    try:
        return mixed(choice, "val", mixture)
    except FerError:
        return None


def _own(card: ModelCard, part: Selection, mirror: bool) -> Predictions:
    return loaders.part_of(card, part, mirror=mirror)


def _number(key: str, label: str, help_: str, step: float = 0.05) -> None:
    low, high, _ = NUMBERS[key]
    st.slider(label, low, high, step=step, key=key, help=help_, persist_state="session")


def _adopt_number(key: str, low: float, high: float, default: float) -> None:
    """Give a slider its value: from the address if that says something new, else what it had."""
    if url.is_new(key):
        st.session_state[key] = _number_of(st.query_params[key], low, high, default)
    elif url.is_gone(key):
        st.session_state[key] = default
    st.session_state.setdefault(key, default)


def _number_of(text: str, low: float, high: float, default: float) -> float:
    try:
        number = float(text)
    except ValueError:
        return default
    return min(max(number, low), high) if number == number else default  # "nan" is a number that equals none
