"""Grad-CAM without automatic differentiation, for networks that end in global average pooling and dense layers.

R. Selvaraju et al., "Grad-CAM", ICCV 2017 (arXiv:1610.02391): the maps of the last convolution, weighted by the mean
gradient of the logit with respect to each of them. Where the pooling is a mean over h x w cells, the gradient of every
cell of a channel is the gradient of that channel's mean, divided by h · w. So the feature maps, which the served graph
gives anyway, and the weights of the head are all that is needed: no second pass, no TensorFlow.

It equals what tf-keras-vis computes with gradients for the same layer (tested on every model with a head).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from fer_core.errors import ExplainError, ModelContractError
from fer_core.explain.head import TOLERANCE, Head, read_head
from fer_core.explain.heatmap import HeatMap
from fer_core.scores import softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fer_core.classifier import Classifier

METHOD: Final = "grad_cam"


def weigh(
    maps: NDArray[np.float32], head: Head, direction: NDArray[np.float32], *, rectify: bool = True
) -> NDArray[np.float32]:
    """Return the Grad-CAM of each face in the units of a logit, (N, h, w) float32.

    Parameters
    ----------
    maps : ndarray of shape (N, h, w, C), float32
        What the pooling reads.
    head : Head
    direction : ndarray of shape (7,) or (N, 7), float32
        Weights of the logits.
    rectify : bool
        Keep what speaks for the direction only (ReLU), as the paper does. Without it the cells of a linear head add up
        to the direction's logit less its bias, and negative ones speak against it.
    """
    _, height, width, _ = maps.shape
    weights = head.gradient(maps.mean(axis=(1, 2)), direction) / np.float32(height * width)
    weighted: NDArray[np.float32] = np.einsum("nhwc,nc->nhw", maps, weights, optimize=True)
    return np.maximum(weighted, 0) if rectify else weighted


@dataclass(frozen=True)
class Looked:
    """What one pass of a face through a network gives.

    Attributes
    ----------
    proba : ndarray of shape (N, 7), float32
    maps : ndarray of shape (N, h, w, C), float32
    """

    proba: NDArray[np.float32]
    maps: NDArray[np.float32]


class Explainer:
    """A served model and its head: scores and heat maps from one pass. Made by :func:`explainer`."""

    def __init__(self, classifier: Classifier, head: Head) -> None:
        self.classifier = classifier
        self.head = head

    @property
    def layer(self) -> str:
        """Name of the layer whose maps are weighed; empty if the card does not say."""
        layers = self.classifier.card.cam_layers
        return layers[0] if layers else ""

    def look(self, faces: NDArray[np.uint8]) -> Looked:
        """Pass faces (N, H, W), uint8, through the network once."""
        outputs = self.classifier.outputs(faces, ("logits", "maps"))
        temperature = np.float32(self.classifier.card.temperature)
        return Looked(softmax(outputs["logits"] / temperature), outputs["maps"])

    def heat_map(self, maps: NDArray[np.float32], direction: NDArray[np.float32], *, signed: bool = False) -> HeatMap:
        """Return the Grad-CAM of one face from its maps (h, w, C); with `signed` also what speaks against."""
        values = weigh(maps[np.newaxis], self.head, direction, rectify=not signed)[0]
        return HeatMap(values, METHOD, self.layer, signed, self.head.offset)


def explainer(classifier: Classifier) -> Explainer:
    """Return the explainer of a served model.

    Raises
    ------
    ExplainError
        If the model comes without a head.
    ModelContractError
        If its head does not give the logits of its graph.
    """
    card = classifier.card
    head = read_head(card)
    if head is None:
        raise ExplainError(
            f"“{card.name}” comes without head.npz, so that its heat maps need TensorFlow. "
            f"`python -m fer_core export {card.id}` writes one if the network ends in pooling and dense layers."
        )
    face = np.tile(np.linspace(40, 220, 48).astype(np.uint8), (1, 48, 1))
    outputs = classifier.outputs(face, ("logits", "maps"))
    pooled = outputs["maps"].mean(axis=(1, 2))
    if pooled.shape[1] != head.kernels[0].shape[0]:
        difference = np.inf
    else:
        difference = float(np.abs(head.logits(pooled) - outputs["logits"]).max())
    if difference > TOLERANCE * max(1.0, float(np.abs(outputs["logits"]).max())):
        raise ModelContractError(
            f"The head.npz of “{card.id}” does not give the logits of its model.onnx. Export the model again."
        )
    return Explainer(classifier, head)
