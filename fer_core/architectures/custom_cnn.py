"""A small residual network for 48x48 grey faces, trained from scratch: 1.9 million parameters.

Residual blocks after He et al. 2016 (arXiv:1512.03385).
"""

from __future__ import annotations

from typing import Any

from fer_core.architectures import BuildOptions, Network
from fer_core.architectures.common import network
from fer_core.errors import TrainingError

STAGES = (32, 64, 128, 192)
"""Filters of the four stages; each but the first halves the side, so 48 px end in maps of 6x6 cells."""


def build(options: BuildOptions) -> Network:
    """Build the network: a stem, four stages of two residual blocks, global pooling.

    Raises
    ------
    TrainingError
        If weights or a cut are asked for: there are none.
    """
    import keras
    from keras import layers

    if options.backbone_weights != "none" or options.cut:
        raise TrainingError("The custom CNN is trained from scratch: it takes no backbone weights and no cut.")

    def convolution(x: Any, filters: int, size: int, stride: int) -> Any:
        x = layers.Conv2D(
            filters, size, strides=stride, padding="same", use_bias=False, kernel_initializer="he_normal"
        )(x)
        return layers.BatchNormalization()(x)

    image = keras.Input((options.size, options.size, 1))
    x = layers.ReLU()(convolution(image, STAGES[0], 3, 1))
    for stage, filters in enumerate(STAGES):
        for block in range(2):
            stride = 2 if stage and not block else 1
            inner = layers.ReLU()(convolution(x, filters, 3, stride))
            inner = convolution(inner, filters, 3, 1)
            shortcut = x if stride == 1 and x.shape[-1] == filters else convolution(x, filters, 1, stride)
            x = layers.ReLU(name=f"stage_{stage + 1}_block_{block + 1}")(layers.Add()([inner, shortcut]))
    return network(
        image,
        x,
        options,
        name="custom_cnn",
        maps_layer="stage_4_block_2",
        stats="unit",
        cam_candidates=("stage_3_block_2", "stage_2_block_2"),
    )
