"""Make the statistics of batch normalisation anew, without changing what a network computes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fer_core.training.inference import batched

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fer_core.architectures import Network

FACES: Final = 512
"""How many images the statistics are taken over: each has hundreds of cells."""


def refit(network: Network, images: NDArray[np.uint8], seed: int) -> None:
    """Set every moving mean and variance to those of :data:`FACES` of the images, `(N, 48, 48)` uint8.

    Published weights often have the normalisation multiplied into a scale and an offset. In training, a normalisation
    with such numbers would scale what it has standardised already (Ioffe and Szegedy 2015, arXiv:1502.03167). Here
    gamma and beta follow the new statistics, so that the scores stay what they were.
    """
    import keras
    import tensorflow as tf

    norms = [layer for layer in network.model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    if not norms:
        return
    inner = keras.Model(network.model.input, [layer.input for layer in norms])

    def moments(x: Any) -> Any:
        """Return mean and mean square of each normalisation's input, an image a row."""
        outputs = [tf.cast(value, tf.float32) for value in keras.tree.flatten(inner(x, training=False))]
        means = [tf.reduce_mean(value, axis=[1, 2]) for value in outputs]
        return tf.concat(means + [tf.reduce_mean(tf.square(value), axis=[1, 2]) for value in outputs], axis=1)

    call = tf.function(moments, reduce_retracing=True)
    chosen = np.random.default_rng(seed).permutation(len(images))[:FACES]
    rows = batched(lambda x: np.asarray(call(tf.constant(x))), network, images[np.sort(chosen)])
    edges = np.cumsum([layer.gamma.shape[0] for layer in norms] * 2)[:-1]
    both = np.split(rows.mean(axis=0, dtype=np.float64), edges)
    for layer, mean, square in zip(norms, both[: len(norms)], both[len(norms) :], strict=True):
        variance = square - mean**2
        old = np.asarray(layer.moving_variance, np.float64) + layer.epsilon
        gain = np.asarray(layer.gamma, np.float64) / np.sqrt(old)
        layer.beta.assign(np.asarray(layer.beta) + gain * (mean - np.asarray(layer.moving_mean)))
        layer.gamma.assign(gain * np.sqrt(variance + layer.epsilon))
        layer.moving_mean.assign(mean)
        layer.moving_variance.assign(variance)
