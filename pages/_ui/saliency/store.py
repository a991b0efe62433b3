"""What the page "Saliency" loads once and shares with all visitors: networks, atlases and ledgers.

Like ``pages._ui.loaders``, and apart from it because no other page needs these. Nothing of a visitor is kept here.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import streamlit as st

from fer_core.explain import atlas as atlases
from fer_core.explain import ledger
from fer_core.registry import ATLAS_FILE, LEDGER_FILE, ModelCard

if TYPE_CHECKING:
    from fer_core.explain.atlas import Atlas
    from fer_core.explain.ledger import Ledger

_loading = threading.Lock()


def networks(card: ModelCard) -> tuple[Any, Any]:
    """Return a model as a flat Keras network, and its twin with random weights. Imports TensorFlow.

    Raises
    ------
    FerError
        See :func:`fer_core.explain.keras_vis.load_network`.
    """
    with _loading:  # two visitors must not import TensorFlow and build the same network side by side
        return _networks(card.fingerprint, card)


def atlas(card: ModelCard) -> Atlas | None:
    """Return a model's atlas; None if it has none.

    Raises
    ------
    ModelContractError
        If it is damaged, or not of this model.
    """
    return _atlas(card.files[ATLAS_FILE]["sha256"], card) if ATLAS_FILE in card.files else None


def ledgers(card: ModelCard) -> dict[int, Ledger] | None:
    """Return a model's cause ledgers by class; None if it has none.

    Raises
    ------
    FerError
        If the file is damaged, or not of this model.
    """
    return _ledgers(card.files[LEDGER_FILE]["sha256"], card) if LEDGER_FILE in card.files else None


@st.cache_resource(show_spinner=False, max_entries=2)
def _networks(fingerprint: str, _card: ModelCard) -> tuple[Any, Any]:  # noqa: ARG001 - cache key
    from fer_core.explain import keras_vis

    network = keras_vis.load_network(_card)
    return network, keras_vis.random_twin(network, seed=0)


@st.cache_resource(show_spinner=False, max_entries=16)
def _atlas(digest: str, _card: ModelCard) -> Atlas | None:  # noqa: ARG001 - cache key
    return atlases.read_atlas(_card)


@st.cache_resource(show_spinner=False, max_entries=16)
def _ledgers(digest: str, _card: ModelCard) -> dict[int, Ledger] | None:  # noqa: ARG001 - cache key
    return ledger.read_ledgers(_card)
