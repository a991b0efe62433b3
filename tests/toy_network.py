"""A network of one convolution, to be entered in the table of architectures by tests."""

from __future__ import annotations

from fer_core.architectures import BuildOptions, Network
from fer_core.architectures.common import add_head
from fer_core.preprocessing import InputSpec


def build(options: BuildOptions) -> Network:
    import keras
    from keras import layers

    image = keras.Input((24, 24, 1))
    maps = layers.Conv2D(4, 5, strides=4, activation="relu", name="maps")(image)
    logits, embedding = add_head(layers.BatchNormalization()(maps), options)
    return Network(
        model=keras.Model(image, logits),
        input=InputSpec(height=24, width=24, channels=1, mean=(128.0,), std=(64.0,)),
        maps_layer="maps",
        pool_layer="pool",
        embedding_layer=embedding,
        cam_layers=("maps",),
    )
