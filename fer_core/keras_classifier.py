"""A classifier for models that come with Keras weights but without an ONNX graph: large networks. Needs TensorFlow."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_core.classifier import CHUNK, Classifier
from fer_core.registry import ModelCard

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fer_core.architectures import Network


class KerasClassifier(Classifier):
    """The same answers as :class:`fer_core.classifier.Classifier`, computed by Keras."""

    def __init__(self, card: ModelCard, network: Network) -> None:
        import keras
        import tensorflow as tf

        self.card = card
        self._lock = threading.Lock()
        model = network.model
        layers = {"embedding": network.embedding_layer, "maps": network.maps_layer}
        tensors = {"logits": model.output} | {name: model.get_layer(layer).output for name, layer in layers.items()}
        whole = keras.Model(model.input, tensors)
        self._call = tf.function(lambda x: whole(x, training=False), reduce_retracing=True)

    def _run(self, batch: NDArray[np.float32], names: list[str]) -> list[NDArray[np.float32]]:
        import tensorflow as tf

        # One batch size only: each other one would be traced, and kept in memory.
        padded = np.zeros((CHUNK, *batch.shape[1:]), np.float32)
        padded[: len(batch)] = batch
        with self._lock:
            answer: dict[str, Any] = self._call(tf.constant(padded))
        return [np.asarray(answer[name])[: len(batch)] for name in names]


def load_keras_classifier(card: ModelCard) -> KerasClassifier:
    """Open a model that comes with weights only.

    Raises
    ------
    ModelContractError, TrainingError
        See :func:`fer_core.architectures.from_card`.
    """
    from fer_core.architectures import from_card

    return KerasClassifier(card, from_card(card))
