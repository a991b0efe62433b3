"""VGG16 (Simonyan and Zisserman 2015, arXiv:1409.1556), with batch normalisation if wanted (arXiv:1502.03167)."""

from __future__ import annotations

from typing import Any

from fer_core.architectures import BuildOptions, Network
from fer_core.architectures.common import layer_output, load_backbone, network


def build(options: BuildOptions) -> Network:
    """Build VGG16.

    At 48 px ``block5_conv3`` has 3x3 cells and ``block4_conv3`` 6x6. The last pooling is left out; global pooling
    follows. Layers have the names of ``keras.applications``, with or without normalisation.

    Raises
    ------
    TrainingError
        If the backbone weights cannot be loaded or the cut layer does not exist.
    """
    import keras

    backbone = load_backbone(keras.applications.VGG16, options)
    maps_layer = options.cut or "block5_conv3"
    maps = layer_output(backbone, maps_layer)
    return network(
        backbone.input,
        _normalised(backbone, maps_layer) if options.normalised else maps,
        options,
        name="vgg16",
        maps_layer=maps_layer,
        stats="caffe",
        cam_candidates=("block4_conv3", "block3_conv3"),
    )


def _normalised(backbone: Any, last: str) -> Any:
    """Return the output of the layer `last` with a normalisation between each convolution and its activation."""
    from keras import layers

    x = backbone.input
    for layer in backbone.layers[1:]:
        if isinstance(layer, layers.Conv2D):
            # Normalisation would take a bias away again.
            convolution = layers.Conv2D(
                layer.filters, layer.kernel_size, padding="same", use_bias=False, name=f"{layer.name}_linear"
            )
            x = convolution(x)
            convolution.kernel.assign(layer.kernel)
            x = layers.BatchNormalization(name=f"{layer.name}_norm")(x)
            x = layers.ReLU(name=layer.name)(x)
        else:
            x = layers.MaxPooling2D(name=layer.name)(x)
        if layer.name == last:
            break
    return x
