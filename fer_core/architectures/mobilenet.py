"""MobileNet v1, width 1.0 (Howard et al. 2017, arXiv:1704.04861), whole or cut at an inner block."""

from __future__ import annotations

from fer_core.architectures import BuildOptions, Network
from fer_core.architectures.common import add_head, input_spec, layer_output, load_backbone


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
    logits, embedding = add_head(layer_output(backbone, maps_layer), options)
    model = keras.Model(backbone.input, logits, name="mobilenet")
    inside = {layer.name for layer in model.layers}
    deepest_first = (maps_layer, "conv_pw_13_relu", "conv_pw_11_relu", "conv_pw_5_relu")
    return Network(
        model=model,
        input=input_spec(options, "tf"),
        maps_layer=maps_layer,
        pool_layer="pool",
        embedding_layer=embedding,
        cam_layers=tuple(dict.fromkeys(name for name in deepest_first if name in inside)),
    )
