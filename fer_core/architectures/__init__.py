"""The networks. Each is one file with one function ``build`` and one entry in :data:`TABLE`.

Graphs are flat and functional: a nested backbone cannot be explained, because its inner layers are not in the graph.
Every network ends in a layer ``logits`` (no softmax) and names the layers that serving and explanation need.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from fer_core.errors import ModelContractError, TrainingError

if TYPE_CHECKING:
    from fer_core.preprocessing import InputSpec
    from fer_core.registry import ModelCard

TABLE: Final[dict[str, str]] = {
    "custom_cnn": "fer_core.architectures.custom_cnn",
    "face_resnet": "fer_core.architectures.face_resnet",
    "inception_v3": "fer_core.architectures.inception_v3",
    "mobilenet": "fer_core.architectures.mobilenet",
    "resnet50": "fer_core.architectures.resnet50",
    "vgg16": "fer_core.architectures.vgg16",
}
"""Architecture name -> module with ``build(options: BuildOptions) -> Network``."""


@dataclass(frozen=True)
class BuildOptions:
    """What a recipe may ask of an architecture.

    Attributes
    ----------
    size
        Height and width of the network input in pixels.
    backbone_weights
        ``"imagenet"`` (downloaded by Keras), the path of a weights file without top, or ``"none"``. Of the face ResNet,
        ``"none"`` or the path of a manifest.
    cut
        Name of the backbone layer to stop at; empty for the whole backbone.
    head
        ``"linear"`` (pooling, dropout, dense) or ``"report"`` (the report's two hidden layers of 1024 and 512).
    dropout
        Rate before the last dense layer of the linear head.
    input_stats
        ``"auto"`` uses the scaling the backbone was trained with; ``"tf"``, ``"caffe"``, ``"dlib"`` or ``"unit"`` force
        one.
    normalised
        Whether VGG16, which was published without, gets batch normalisation; the other networks have it anyway.
    output_stride
        Pixels of the input from one cell of MobileNet's last maps to the next: 32 as published, or 16, with the same
        weights. The other networks have one of their own.
    """

    size: int = 96
    backbone_weights: str = "none"
    cut: str = ""
    head: str = "linear"
    dropout: float = 0.3
    input_stats: str = "auto"
    normalised: bool = False
    output_stride: int = 32


@dataclass(frozen=True)
class Network:
    """A built Keras model and the names of the layers that matter outside training.

    Attributes
    ----------
    model
        ``keras.Model`` from ``(N, size, size, C)`` float32 to logits ``(N, 7)`` float32.
    input
        How an image becomes the model's input.
    maps_layer
        The last convolutional feature maps, which the pooling reads.
    pool_layer
        Output of the pooling, ``(N, D)``: what a frozen backbone gives.
    embedding_layer
        The vector before the last dense layer.
    cam_layers
        Layers that a saliency method may look at, deepest first.
    """

    model: Any
    input: InputSpec
    maps_layer: str
    pool_layer: str
    embedding_layer: str
    cam_layers: tuple[str, ...] = field(default_factory=tuple)


def build(architecture: str, options: BuildOptions) -> Network:
    """Build a network of the table.

    Raises
    ------
    TrainingError
        If the architecture is unknown, or its weights cannot be loaded.
    """
    if architecture not in TABLE:
        raise TrainingError(f"There is no network {architecture!r}. Known: {', '.join(sorted(TABLE))}.")
    network: Network = import_module(TABLE[architecture]).build(options)
    return network


def from_card(card: ModelCard) -> Network:
    """Build the network of a model folder and load its weights.

    Raises
    ------
    ModelContractError
        If the folder holds no weights, they are not those of its card, or the card does not say how to build it.
    TrainingError
        If the architecture is unknown, or the weights do not fit it.
    """
    from fer_core.architectures.common import load_weights
    from fer_core.registry import WEIGHTS_FILE

    card.verify(WEIGHTS_FILE)
    try:
        options = BuildOptions(**{**card.training["build"], "backbone_weights": "none"})
    except (KeyError, TypeError) as error:
        raise ModelContractError(
            f"The card of “{card.id}” does not say how its network is built, so it cannot be opened in Keras."
        ) from error
    network = build(card.architecture, options)
    load_weights(network.model, str(card.path(WEIGHTS_FILE)))
    return network
