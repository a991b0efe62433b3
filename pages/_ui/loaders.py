"""What is loaded once and shared by all visitors; the only place with ``st.cache_*``.

Shared: the registry, one classifier a model, the scores of the bundled samples. Never a visitor's picture: what is
computed from one is kept in that visitor's session (see ``visit``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import numpy as np
import streamlit as st

from fer_core import analysis, faces, figures, images, samples, whatif
from fer_core.errors import FerError
from fer_core.registry import (
    CARD_FILE,
    HEAD_FILE,
    MIRROR_FILE,
    PREDICTIONS_FILE,
    ModelCard,
    Registry,
    load_registry,
)
from fer_core.settings import Settings
from pages._ui import visit

if TYPE_CHECKING:
    from fer_core.classifier import Classifier
    from fer_core.data.fer2013 import Fer2013
    from fer_core.data.ferplus import Votes
    from fer_core.evaluation.predictions import Predictions, Selection
    from fer_core.explain.cam import Explainer

SHOWN_FACE: Final = 160
"""Side of the colour crop shown for a face, px: sharp on a screen of double density."""


def registry() -> Registry:
    """Return the models; read anew when a model folder changes."""
    models_dir = Settings.from_environment().models_dir
    return _registry(str(models_dir), _stamp(models_dir))


def explainable() -> tuple[ModelCard, ...]:
    """Return the models that can be asked why, best first: those with a graph or weights."""
    return tuple(card for card in registry().cards if card.can_answer)


def classifier(card: ModelCard) -> Classifier:
    """Return the model's classifier, one a model for all visitors; by Keras for one without an ONNX graph.

    Raises
    ------
    ModelContractError
        If its files are not what the card says.
    """
    return _classifier(str(card.directory), card.fingerprint, card)


def explainer(card: ModelCard) -> Explainer:
    """Return the explainer of a model, one a model for all visitors.

    Raises
    ------
    ExplainError, ModelContractError
        See :func:`fer_core.explain.cam.explainer`.
    """
    return _explainer(card.fingerprint, card)


@dataclass(frozen=True)
class Scored:
    """A photo and what one model said about it, ready to be shown; the photo itself is not kept at full size.

    Attributes
    ----------
    result : PhotoAnalysis
        Without the pixels of the photo.
    annotated : bytes
        JPEG with numbered boxes.
    colour, grey, fed : tuple of str
        For each face a ``data:`` address: the crop in colour, in grey as the model gets it, and resized for it.
    heat : tuple of (str, bool)
        For each face a ``data:`` address: the crop with the heat map of its highest score, and whether that map says
        anything. Empty for a model whose heat maps need TensorFlow.
    """

    result: analysis.PhotoAnalysis
    annotated: bytes
    colour: tuple[str, ...]
    grey: tuple[str, ...]
    fed: tuple[str, ...]
    heat: tuple[tuple[str, bool], ...] = ()


def scored(picture: samples.Sample | visit.Photo, card: ModelCard) -> Scored:
    """Return what a model says about a picture: a sample's is shared, a visitor's is kept in the visit.

    Raises
    ------
    ImageDecodeError
        If it is not a picture that can be read.
    """
    if isinstance(picture, samples.Sample):
        return _scored_sample(picture.id, card.fingerprint, card)
    computed = visit.current().computed
    key = (picture.id, card.fingerprint)
    if key not in computed:
        computed[key] = _score(picture.data, card)
    result: Scored = computed[key]
    return result


def is_scored(picture: samples.Sample | visit.Photo, card: ModelCard) -> bool:
    """Tell whether :func:`scored` has the answer at hand, as it has for a sample that was shown."""
    return isinstance(picture, samples.Sample) or (picture.id, card.fingerprint) in visit.current().computed


def _score(data: bytes, card: ModelCard) -> Scored:
    result = analysis.analyse(data, classifier(card), max_pixels=Settings.from_environment().max_pixels)
    image = result.detection.image
    found = [part.face for part in result.faces]
    return Scored(
        result=replace(result, detection=replace(result.detection, image=image[:0, :0])),
        annotated=images.encode_jpeg(figures.annotate(image, found, [part.label for part in result.faces])),
        colour=tuple(images.data_uri(faces.crop_rgb(image, face, SHOWN_FACE), "jpeg") for face in found),
        grey=tuple(images.data_uri(part.crop) for part in result.faces),
        fed=tuple(images.data_uri(figures.network_input(part.crop, card.input)) for part in result.faces),
        heat=_heat(result, card) if HEAD_FILE in card.files else (),
    )


def _heat(result: analysis.PhotoAnalysis, card: ModelCard) -> tuple[tuple[str, bool], ...]:
    from fer_core import figures_explain
    from fer_core.explain.heatmap import direction

    if not result.faces:
        return ()
    explaining = explainer(card)
    maps = explaining.classifier.maps(np.stack([part.crop for part in result.faces]))
    found = [explaining.heat_map(own, direction(part.label)) for own, part in zip(maps, result.faces, strict=True)]
    return tuple(
        (images.data_uri(figures_explain.overlay(part.crop, heat, side=SHOWN_FACE), "jpeg"), not heat.dead)
        for part, heat in zip(result.faces, found, strict=True)
    )


@st.cache_data(show_spinner=False, max_entries=64)
def _scored_sample(sample_id: str, fingerprint: str, _card: ModelCard) -> Scored:  # noqa: ARG001 - cache key
    return _score(samples.load(sample_id), _card)


@st.cache_resource(show_spinner=False, max_entries=8)
def _classifier(directory: str, fingerprint: str, _card: ModelCard) -> Classifier:  # noqa: ARG001 - cache key
    from fer_core.classifier import open_classifier  # onnxruntime: not needed by pages that only read cards

    if _card.has_onnx:
        return open_classifier(_card)
    with st.spinner("Loading TensorFlow: this model is too large to come with a lighter graph …"):
        return open_classifier(_card)


@st.cache_resource(show_spinner=False, max_entries=8)
def _explainer(fingerprint: str, _card: ModelCard) -> Explainer:  # noqa: ARG001 - cache key
    from fer_core.explain import cam

    return cam.explainer(classifier(_card))


@st.cache_resource(show_spinner=False, max_entries=4)
def _registry(models_dir: str, stamp: tuple[tuple[str, int, int], ...]) -> Registry:  # noqa: ARG001 - cache key
    return load_registry(Path(models_dir))


def _stamp(models_dir: Path) -> tuple[tuple[str, int, int], ...]:
    """Return what changes when a folder or a card does, without reading any."""
    stamp = []
    for folder in sorted(models_dir.glob("*/")):
        card = folder / CARD_FILE
        stamp.append((folder.name, folder.stat().st_mtime_ns, card.stat().st_mtime_ns if card.exists() else 0))
    return tuple(stamp)


# ---------------------------------------------------------------------------------------------------------------------
# Stored predictions, and the images and votes they are about


def evaluated() -> tuple[ModelCard, ...]:
    """Return the models that have stored predictions, best first."""
    return tuple(card for card in registry().cards if PREDICTIONS_FILE in card.files)


def part_of(card: ModelCard, selection: Selection, *, mirror: bool = False) -> Predictions:
    """Return a model's stored predictions for one part of the data, in canonical order.

    Parameters
    ----------
    mirror : bool
        With the mean of face and mirror image instead of the face alone.

    Raises
    ------
    FerError
        If the model has no predictions for that part.
    ModelContractError
        If it has none of the kind.
    """
    return _part(str(card.directory), card.fingerprint, selection, mirror, card)


def parts_of(card: ModelCard) -> tuple[Selection, ...]:
    """Return the parts of the data that a model's stored predictions have an image of; none if they cannot be read."""
    try:
        return _parts(str(card.directory), card.fingerprint, card)
    except FerError:
        return ()


def study_of(card: ModelCard, selection: Selection) -> whatif.Study:
    """Return the answers of a model as it is on one part of the data."""
    return _study(str(card.directory), card.fingerprint, selection, card)


def fer2013() -> tuple[Fer2013, dict[str, int]] | None:
    """Return the images and the place of each name among them; None where there are none."""
    settings = Settings.from_environment()
    try:
        return _fer2013(str(settings.data_dir), str(settings.cache_dir))
    except FerError:
        return None


def ferplus() -> Votes | None:
    """Return the FER+ votes; None where there are none."""
    try:
        return _ferplus(str(Settings.from_environment().ferplus_csv))
    except FerError:
        return None


@st.cache_data(show_spinner=False, max_entries=64)
def _parts(directory: str, fingerprint: str, _card: ModelCard) -> tuple[Selection, ...]:
    from fer_core.data.tables import leaked
    from fer_core.evaluation.predictions import SELECTIONS

    rows = _stored(directory, fingerprint, PREDICTIONS_FILE, _card)
    found: list[Selection] = []
    for part in cast("tuple[Selection, ...]", SELECTIONS):
        try:
            rows.select(part, leaked=leaked())
        except FerError:
            continue
        found.append(part)
    return tuple(found)


# Several parts of every model, with and without mirror image: fewer entries than that, and each run computes all anew.
@st.cache_resource(show_spinner=False, max_entries=256)
def _part(directory: str, fingerprint: str, selection: Selection, mirror: bool, _card: ModelCard) -> Predictions:
    from fer_core.data.tables import leaked
    from fer_core.evaluation import compare

    rows = _stored(directory, fingerprint, PREDICTIONS_FILE, _card).select(selection, leaked=leaked())
    if mirror:
        mirrored = _stored(directory, fingerprint, MIRROR_FILE, _card).select(selection, leaked=leaked())
        rows = compare.with_mirror(rows, mirrored)
    for array in (rows.names, rows.split, rows.labels, rows.proba):
        array.flags.writeable = False  # one copy for all visitors
    return rows


@st.cache_resource(show_spinner=False, max_entries=64)
def _stored(directory: str, fingerprint: str, name: str, _card: ModelCard) -> Predictions:  # noqa: ARG001 - cache key
    from fer_core.evaluation import predictions

    return predictions.read(_card.path(name))


@st.cache_resource(show_spinner=False, max_entries=64)
def _study(directory: str, fingerprint: str, selection: Selection, _card: ModelCard) -> whatif.Study:
    rows = _part(directory, fingerprint, selection, False, _card)
    return whatif.study(rows.labels, rows.proba)


@st.cache_resource(show_spinner="Reading FER2013 …", max_entries=2)
def _fer2013(data_dir: str, cache_dir: str) -> tuple[Fer2013, dict[str, int]]:  # noqa: ARG001 - cache key
    from fer_core.data.fer2013 import open_dataset

    dataset = open_dataset()
    return dataset, {name: index for index, name in enumerate(dataset.names.tolist())}


@st.cache_resource(show_spinner=False, max_entries=2)
def _ferplus(path: str) -> Votes:  # noqa: ARG001 - cache key
    from fer_core.data.ferplus import open_votes

    return open_votes()
