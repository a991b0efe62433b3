"""InceptionV3 (Szegedy et al. 2016, arXiv:1512.00567), usually cut at ``mixed5``."""

from __future__ import annotations

from fer_core.architectures import BuildOptions, Network
from fer_core.architectures.common import layer_output, load_backbone, load_weights, network


def build(options: BuildOptions) -> Network:
    """Build InceptionV3.

    At 96 px ``mixed5`` has 4x4 cells and ``mixed2`` 9x9. A weights file is that of the network up to the cut, since
    the whole one is large and its last blocks do not help on small faces.

    Raises
    ------
    TrainingError
        If the backbone weights cannot be loaded or the cut layer does not exist.
    """
    import keras

    from_file = options.backbone_weights not in ("none", "imagenet")
    backbone = load_backbone(keras.applications.InceptionV3, options, bare=from_file)
    maps_layer = options.cut or "mixed10"
    maps = layer_output(backbone, maps_layer)
    if from_file:
        load_weights(keras.Model(backbone.input, maps), options.backbone_weights)
    return network(
        backbone.input,
        maps,
        options,
        name="inception_v3",
        maps_layer=maps_layer,
        stats="tf",
        cam_candidates=("mixed5", "mixed2"),
    )
