"""ResNet50 (He et al. 2016, arXiv:1512.03385)."""

from __future__ import annotations

from fer_core.architectures import BuildOptions, Network
from fer_core.architectures.common import layer_output, load_backbone, network


def build(options: BuildOptions) -> Network:
    """Build ResNet50.

    At 64 px ``conv5_block3_out`` has 2x2 cells, ``conv4_block6_out`` 4x4 and ``conv3_block4_out`` 8x8.

    Raises
    ------
    TrainingError
        If the backbone weights cannot be loaded or the cut layer does not exist.
    """
    import keras

    backbone = load_backbone(keras.applications.ResNet50, options)
    maps_layer = options.cut or "conv5_block3_out"
    return network(
        backbone.input,
        layer_output(backbone, maps_layer),
        options,
        name="resnet50",
        maps_layer=maps_layer,
        stats="caffe",
        cam_candidates=("conv4_block6_out", "conv3_block4_out"),
    )
