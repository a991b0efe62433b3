"""MobileNet v1, width 1.0 (Howard et al. 2017, arXiv:1704.04861), whole or cut at an inner block."""

from __future__ import annotations

from fer_core.architectures import BuildOptions, Network
from fer_core.architectures.common import layer_output, load_backbone, network


def build(options: BuildOptions) -> Network:
    """Build MobileNet.

    At 96 px the block ``conv_pw_11`` has 6x6 cells and ``conv_pw_13`` 3x3. The input scaling follows ImageNet
    (``tf``); weights from VGGFace2 need ``input_stats="caffe"``.

    Raises
    ------
    TrainingError
        If the backbone weights cannot be loaded or the cut layer does not exist.
    """
    import keras

    backbone = load_backbone(keras.applications.MobileNet, options)
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
