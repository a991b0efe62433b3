"""A network of one convolution, to be entered in the table of architectures by tests, and faces to train it on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fer_core.architectures import BuildOptions, Network
from fer_core.architectures.common import add_head
from fer_core.preprocessing import InputSpec

if TYPE_CHECKING:
    from fer_core.training.loop import TrainingData


def build(options: BuildOptions) -> Network:
    import keras
    from keras import layers

    image = keras.Input((options.size, options.size, 1))
    maps = layers.Conv2D(4, 5, strides=4, activation="relu", name="maps")(image)
    logits, embedding = add_head(layers.BatchNormalization()(maps), options)
    return Network(
        model=keras.Model(image, logits),
        input=InputSpec(height=options.size, width=options.size, channels=1, mean=(128.0,), std=(64.0,)),
        maps_layer="maps",
        pool_layer="pool",
        embedding_layer=embedding,
        cam_layers=("maps",),
    )


def toy_data() -> TrainingData:
    """Return 84 noisy faces of seven classes, the brighter the higher the class; the first 21 validate."""
    from fer_core.training.loop import TrainingData, one_hot

    labels = np.arange(84) % 7
    noise = np.random.default_rng(0).integers(0, 60, (84, 48, 48))
    images = (noise + labels[:, None, None] * 25).astype(np.uint8)
    return TrainingData(images, one_hot(labels), labels, images[:21], one_hot(labels[:21]), labels[:21])
