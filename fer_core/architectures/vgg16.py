"""VGG16 (Simonyan and Zisserman 2015, arXiv:1409.1556)."""

from __future__ import annotations

from fer_core.architectures import BuildOptions, Network
from fer_core.architectures.common import layer_output, load_backbone, network


def build(options: BuildOptions) -> Network:
    """Build VGG16.

    At 48 px ``block5_conv3`` has 3x3 cells and ``block4_conv3`` 6x6. The
    last pooling is left out; global pooling follows.

    Raises
    ------
    TrainingError
        If the backbone weights cannot be loaded or the cut layer does not exist.
    """
    import keras

    backbone = load_backbone(keras.applications.VGG16, options)
    maps_layer = options.cut or "block5_conv3"
    return network(
        backbone.input,
        layer_output(backbone, maps_layer),
        options,
        name="vgg16",
        maps_layer=maps_layer,
        stats="caffe",
        cam_candidates=("block4_conv3", "block3_conv3"),
    )
