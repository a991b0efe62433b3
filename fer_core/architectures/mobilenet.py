"""MobileNet v1, width 1.0 (Howard et al. 2017, arXiv:1704.04861), whole or cut at an inner block."""

from __future__ import annotations

from typing import Any

from fer_core.architectures import BuildOptions, Network
from fer_core.architectures.common import layer_output, load_backbone, network
from fer_core.errors import TrainingError


def build(options: BuildOptions) -> Network:
    """Build MobileNet.

    At 96 px the block ``conv_pw_11`` has 6x6 cells and ``conv_pw_13`` 3x3, or 6x6 with an `output_stride` of 16. The
    input scaling follows ImageNet (``tf``); weights from VGGFace2 need ``input_stats="caffe"``.

    Raises
    ------
    TrainingError
        If the backbone weights cannot be loaded, the cut layer does not exist, or the output stride is neither 32 nor
        16.
    """
    import keras

    if options.output_stride not in (16, 32):
        raise TrainingError(f"The output stride of MobileNet is {options.output_stride}; it must be 32 or 16.")
    backbone = load_backbone(keras.applications.MobileNet, options)
    if options.output_stride == 16:
        backbone = _dense(backbone)
    maps_layer = options.cut or "conv_pw_13_relu"
    return network(
        backbone.input,
        layer_output(backbone, maps_layer),
        options,
        name="mobilenet",
        maps_layer=maps_layer,
        stats="tf",
        cam_candidates=("conv_pw_13_relu", "conv_pw_11_relu", "conv_pw_5_relu"),
    )


def _dense(backbone: Any) -> Any:
    """Return the backbone without its last stride, with the same weights.

    The depthwise convolution after it is dilated, so that every cell sees what it saw before and there are cells in
    between (Chen et al. 2017, arXiv:1706.05587, section 3.1). Keras pads the stride to the right and below only, which
    moves every cell of the last stage by half a stride of the one before; without the stride there is nothing to pad.
    """
    from keras import layers, models

    def changed(layer: Any) -> Any:
        if layer.name == "conv_pad_12":
            return layers.Identity(name=layer.name)
        config = layer.get_config()
        if layer.name == "conv_dw_12":
            config |= {"strides": (1, 1), "padding": "same"}
        elif layer.name == "conv_dw_13":
            config |= {"dilation_rate": (2, 2)}
        return type(layer).from_config(config)

    dense = models.clone_model(backbone, clone_function=changed)
    dense.set_weights(backbone.get_weights())
    return dense
