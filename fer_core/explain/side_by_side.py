"""One face, one question, several methods: each map with the same measurements of how far it can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_core.explain import faithfulness, keras_vis, occlusion
from fer_core.explain.faithfulness import Curves, Evidence, Verdict
from fer_core.explain.head import read_head
from fer_core.explain.heatmap import HeatMap
from fer_core.preprocessing import preprocess

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fer_core.classifier import Classifier
    from fer_core.explain.cam import Explainer


@dataclass(frozen=True)
class Explained:
    """A map, and what was measured of it."""

    name: str
    heat: HeatMap
    evidence: Evidence
    curves: Curves

    @property
    def verdict(self) -> Verdict:
        """How far it can be trusted."""
        return faithfulness.verdict(self.evidence)


def closed_form(
    explainer: Explainer,
    face: NDArray[np.uint8],
    maps: NDArray[np.float32],
    direction: NDArray[np.float32],
    *,
    signed: bool = False,
) -> Explained:
    """Explain by the fast path: Grad-CAM of the last feature maps, without TensorFlow.

    Parameters
    ----------
    explainer : Explainer
    face : ndarray of shape (48, 48), uint8
    maps : ndarray of shape (h, w, C), float32
        Its feature maps, see :meth:`Explainer.look`.
    direction : ndarray of shape (7,), float32
    signed : bool
        Also what speaks against the direction.
    """
    heat = explainer.heat_map(maps, direction, signed=signed)
    evidence, curves = faithfulness.evidence(explainer, face, maps, direction, heat)
    return Explained("Grad-CAM, closed form", heat, evidence, curves)


def by_occlusion(classifier: Classifier, face: NDArray[np.uint8], direction: NDArray[np.float32]) -> Explained:
    """Explain by covering parts of the face (48, 48), uint8. There are no weights to redraw for a control."""

    def explain(faces: NDArray[np.uint8]) -> list[HeatMap]:
        return [occlusion.explain(each, direction, classifier.predict_proba) for each in faces]

    heat = explain(face[np.newaxis])[0]
    found = faithfulness.curves(face, heat, direction, classifier.predict_proba)
    mirror, shift = faithfulness.stability(face, heat, explain)
    return Explained("Occlusion", heat, Evidence(heat.dead, heat.grid, found.beats, mirror, shift), found)


def by_keras(
    network: Any,
    twin: Any,
    classifier: Classifier,
    face: NDArray[np.uint8],
    direction: NDArray[np.float32],
    method: str,
    layer: str,
) -> Explained:
    """Explain by a method of :mod:`fer_core.explain.keras_vis`, with all measurements.

    Parameters
    ----------
    network, twin : keras.Model
        The model, and the same network with weights drawn anew: the random-weights control.
    classifier : Classifier
        Serves the scores of the curves.
    face : ndarray of shape (48, 48), uint8
    direction : ndarray of shape (7,), float32
    method, layer : str
        As for :func:`fer_core.explain.keras_vis.explain`.

    Raises
    ------
    ExplainError
        If there is no such method or layer.
    """
    head = read_head(classifier.card)
    # The offset is that of the last maps; where those of other layers lie was not measured.
    offset = head.offset if head is not None and layer in classifier.card.cam_layers[:1] else 0.0

    def explain(model: Any, faces: NDArray[np.uint8]) -> Sequence[HeatMap]:
        inputs = preprocess(faces, classifier.card.input)
        found = [keras_vis.explain(model, method, each[np.newaxis], direction, layer) for each in inputs]
        return [replace(heat, offset=offset if heat.layer else 0.0) for heat in found]

    heat = explain(network, face[np.newaxis])[0]
    found = faithfulness.curves(face, heat, direction, classifier.predict_proba)
    mirror, shift = faithfulness.stability(face, heat, lambda faces: explain(network, faces))
    untrained = explain(twin, face[np.newaxis])[0]
    control = abs(faithfulness.correlation(heat.values, untrained.values))
    evidence = Evidence(heat.dead, heat.grid, found.beats, mirror, shift, control)
    return Explained(keras_vis.METHODS[method].name, heat, evidence, found)
