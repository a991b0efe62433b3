"""Pass many faces through a Keras network."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_core.preprocessing import preprocess

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fer_core.architectures import Network

EVALUATION_BATCH = 128

# Halves a training step. TensorFlow reads it when it is imported, which everything here leaves to its functions.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def predict_logits(network: Network, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the logits ``(N, 7)`` float32 of faces ``(N, 48, 48)`` uint8, computed by Keras in fixed batches."""
    import tensorflow as tf

    call = tf.function(lambda x: network.model(x, training=False), reduce_retracing=True)
    return batched(lambda x: np.asarray(call(tf.constant(x))), network, images)


def batched(call: Any, network: Network, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Preprocess faces ``(N, H, W)`` uint8 and pass them through `call` in batches of one size."""
    parts = []
    for start in range(0, len(images), EVALUATION_BATCH):
        x = preprocess(np.asarray(images[start : start + EVALUATION_BATCH]), network.input)
        missing = EVALUATION_BATCH - len(x)
        # One batch size only: every other one would be traced and kept in memory.
        padded = np.concatenate([x, np.zeros((missing, *x.shape[1:]), x.dtype)]) if missing else x
        parts.append(call(padded)[: len(x)])
    return np.concatenate(parts).astype(np.float32)
