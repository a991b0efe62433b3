"""What the page "Dataset" loads once and shares with all visitors: images, votes, predictions. Nothing of a visitor.

Like ``pages._ui.loaders``, and apart from it because no other page needs these.
"""

from __future__ import annotations

import threading

import streamlit as st

from fer_core.data import browse, catalogue, effects, faults, tables
from fer_core.data.browse import Album, Scores
from fer_core.data.catalogue import Catalogue
from fer_core.data.fer2013 import DOWNLOADED, open_dataset
from fer_core.data.ferplus import Votes, open_votes
from fer_core.errors import DatasetMissing, FerError
from fer_core.evaluation import predictions
from fer_core.registry import PREDICTIONS_FILE, ModelCard
from fer_core.settings import Settings
from pages._ui import loaders

_opened: set[tuple[str, int]] = set()
_reading = threading.Lock()


def images() -> Catalogue:
    """Return every image by name; needs no image to be there."""
    return catalogue.load()


def album() -> Album | None:
    """Return the faces, or None when FER2013 is not on this machine; a copy that cannot be used is said so."""
    settings = Settings.from_environment()
    try:
        stamp = _stamp(settings)
        if stamp not in _opened:
            _read(stamp)
        return _album(stamp)
    except DatasetMissing as error:
        if settings.data_dir is not None:
            st.warning(str(error), icon=":material/folder_off:")
    except FerError as error:
        st.warning(str(error), icon=":material/folder_off:")
    return None


def votes() -> Votes | None:
    """Return the FER+ votes, or None when they are not set up; a file that cannot be used is said so."""
    source = Settings.from_environment().ferplus_csv
    if source is None:
        return None
    try:
        return _votes(str(source), source.stat().st_mtime_ns if source.exists() else 0)
    except FerError as error:
        st.warning(str(error), icon=":material/folder_off:")
        return None


def agreed() -> object:
    """Return the share of votes that each image's label got, or None without votes."""
    found = votes()
    return None if found is None else _agreed(found)


def predicted() -> dict[str, ModelCard]:
    """Return the models with stored predictions by id, best first."""
    return {card.id: card for card in loaders.registry().cards if PREDICTIONS_FILE in card.files}


def scores(card: ModelCard) -> Scores:
    """Return what a model says of every image it was not trained on, in the order of the catalogue."""
    return _scores(card.fingerprint, card)


def leak_effect(card: ModelCard) -> effects.LeakEffect:
    """Return what the leaks do to a model's accuracy on PrivateTest."""
    return _leak_effect(card.fingerprint, card)


def stored(card: ModelCard) -> predictions.Predictions:
    """Return a model's stored predictions."""
    return _stored(card.fingerprint, card)


def _stamp(settings: Settings) -> tuple[str, int]:
    """Return what changes when another copy is set, replaced or downloaded, without reading it."""
    marker = settings.data_dir or settings.cache_dir / DOWNLOADED
    return str(marker), marker.stat().st_mtime_ns if marker.exists() else 0


def _read(stamp: tuple[str, int]) -> None:
    """Open FER2013 once a process: the very first time every picture is decoded, and the visitor sees how far it is."""
    with st.spinner("Opening FER2013 …"), _reading:  # a second visitor waits instead of reading it all again
        bar = st.empty()

        def progress(done: int, total: int) -> None:
            bar.progress(done / max(total, 1), f"Reading FER2013, this once: {done / max(total, 1):.0%}")

        open_dataset(progress=progress)
        bar.empty()
        _opened.add(stamp)


@st.cache_resource(show_spinner=False, max_entries=2)
def _album(stamp: tuple[str, int]) -> Album:  # noqa: ARG001 - part of the key
    return Album(open_dataset(), images())


@st.cache_resource(show_spinner=False, max_entries=2)
def _votes(source: str, stamp: int) -> Votes:  # noqa: ARG001 - part of the key
    return open_votes()


@st.cache_resource(show_spinner=False, max_entries=2, hash_funcs={Votes: id})
def _agreed(found: Votes) -> object:
    return browse.agreement(found, images())


@st.cache_resource(show_spinner=False, max_entries=16)
def _scores(fingerprint: str, _card: ModelCard) -> Scores:  # noqa: ARG001 - part of the key
    return browse.align(stored(_card), images())


@st.cache_resource(show_spinner=False, max_entries=16)
def _stored(fingerprint: str, _card: ModelCard) -> predictions.Predictions:  # noqa: ARG001 - part of the key
    return predictions.read(_card.path(PREDICTIONS_FILE))


@st.cache_data(show_spinner=False, max_entries=64)
def _leak_effect(fingerprint: str, _card: ModelCard) -> effects.LeakEffect:  # noqa: ARG001 - part of the key
    return effects.leak_effect(stored(_card), tables.leaked(), faults.near_leaks())
