"""What the networks share: input scalings, heads, and loading a backbone with clear errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fer_core.architectures import BuildOptions, Network
from fer_core.errors import TrainingError
from fer_core.labels import N_CLASSES
from fer_core.preprocessing import InputSpec

_STATS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    # x / 127.5 - 1, as MobileNet and InceptionV3 were trained on ImageNet.
    "tf": ((127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
    # Mean of ImageNet in BGR order, as VGG16 and the VGGFace2 MobileNet were trained; a grey image fills all channels.
    "caffe": ((103.939, 116.779, 123.68), (1.0, 1.0, 1.0)),
    # Mean of dlib's training faces in RGB order, and fractions of 255.
    "dlib": ((122.782, 117.001, 104.298), (255.0, 255.0, 255.0)),
    # One grey channel, roughly zero mean and unit variance on FER2013.
    "unit": ((129.0,), (65.0,)),
}


def input_spec(options: BuildOptions, default_stats: str) -> InputSpec:
    """Return how an image becomes the input of a network of this size and scaling."""
    stats = default_stats if options.input_stats == "auto" else options.input_stats
    if stats not in _STATS:
        raise TrainingError(f"Unknown input scaling {stats!r}; known are {', '.join(_STATS)}.")
    mean, std = _STATS[stats]
    return InputSpec(
        height=options.size, width=options.size, channels=len(mean), mean=mean, std=std, interpolation="linear"
    )


def load_backbone(factory: Callable[..., Any], options: BuildOptions, *, bare: bool = False) -> Any:
    """Return a ``keras.applications`` model without top, for three channels, with the wanted weights.

    With `bare` the weights stay random: the caller loads them into a part of the network.

    Raises
    ------
    TrainingError
        If the weights file is missing or does not fit, or the download of ImageNet weights fails.
    """
    wanted = None if bare or options.backbone_weights == "none" else options.backbone_weights
    shape = (options.size, options.size, 3)
    if wanted == "imagenet":
        try:
            return factory(weights="imagenet", include_top=False, input_shape=shape)
        except Exception as error:
            raise TrainingError(
                f"The ImageNet weights could not be downloaded ({error}). Give --backbone-weights with a file."
            ) from error
    model = factory(weights=None, include_top=False, input_shape=shape)
    if wanted:
        load_weights(model, wanted)
    return model


def load_weights(model: Any, path: str) -> None:
    """Load a weights file into a model.

    Raises
    ------
    TrainingError
        If the file is missing or holds the weights of another network.
    """
    if not Path(path).is_file():
        raise TrainingError(f"There is no weights file {path}. Give --backbone-weights or --initial-weights another.")
    try:
        model.load_weights(path)
    except Exception as error:
        raise TrainingError(f"The weights in {path} do not fit this network: {error}") from error


def layer_output(model: Any, name: str) -> Any:
    """Return the output tensor of a layer.

    Raises
    ------
    TrainingError
        If the model has no layer of that name.
    """
    try:
        return model.get_layer(name).output
    except ValueError as error:
        raise TrainingError(f"The network has no layer {name!r} to cut at.") from error


def add_head(maps: Any, options: BuildOptions) -> tuple[Any, str]:
    """Put pooling and classifier on feature maps; return the logits tensor and the name of the embedding layer.

    Raises
    ------
    TrainingError
        If the head is unknown.
    """
    from keras import layers

    x = layers.GlobalAveragePooling2D(name="pool")(maps)
    embedding = "pool"
    if options.head == "report":
        for units, name in ((1024, "hidden_1"), (512, "hidden_2")):
            x = layers.Dense(units, activation="relu", name=name)(x)
            x = layers.Dropout(0.5, name=f"{name}_dropout")(x)
        embedding = "hidden_2"
    elif options.head == "linear":
        if options.dropout:
            x = layers.Dropout(options.dropout, name="dropout")(x)
    else:
        raise TrainingError(f"Unknown head {options.head!r}; known are linear and report.")
    return layers.Dense(N_CLASSES, name="logits", dtype="float32")(x), embedding


def network(
    backbone_input: Any,
    maps: Any,
    options: BuildOptions,
    *,
    name: str,
    maps_layer: str,
    stats: str,
    cam_candidates: tuple[str, ...],
) -> Network:
    """Put a head on feature maps and describe the result.

    Parameters
    ----------
    backbone_input, maps
        Keras tensors: the input and the last convolutional feature maps.
    options
        What the recipe asks for.
    name
        Of the Keras model.
    maps_layer
        Name of the layer that gives `maps`.
    stats
        Scaling that the backbone was trained with.
    cam_candidates
        Inner layers that a saliency method may look at, deepest first; those beyond the cut are left out.
    """
    import keras

    logits, embedding = add_head(maps, options)
    model = keras.Model(backbone_input, logits, name=name)
    inside = {layer.name for layer in model.layers}
    return Network(
        model=model,
        input=input_spec(options, stats),
        maps_layer=maps_layer,
        pool_layer="pool",
        embedding_layer=embedding,
        cam_layers=tuple(dict.fromkeys(n for n in (maps_layer, *cam_candidates) if n in inside)),
    )
