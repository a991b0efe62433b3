"""The ResNet of dlib's face recognition (King 2017, dlib.net), after He et al. 2016 (arXiv:1512.03385): 4.5 million.

Its weights are taken as the package ``@vladmandic/face-api`` carries them: a manifest and a file of bytes, most tensors
rounded to uint8. It was published with the normalisation multiplied into a scale; here it is one again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fer_core.architectures import BuildOptions, Network
from fer_core.architectures.common import network
from fer_core.errors import TrainingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

STAGES: Final = ((32, 3), (64, 4), (128, 3), (256, 3))
"""Filters and residual blocks of the stages. The first block of each but the first is called ``down``."""


def build(options: BuildOptions) -> Network:
    """Build the network: a stem that quarters the side, four stages, global pooling.

    It differs from the published one in this: the last stage keeps the cells of the third and is dilated in place of
    halved (Chen et al. 2017, arXiv:1706.05587), so that 96 px end in maps of 6x6 cells; its very last block, which ends
    in a single cell, is left out; what is added to a block with more filters goes through a projection that starts as
    the identity. The backbone weights are the path of ``face_recognition_model-weights_manifest.json``.

    Raises
    ------
    TrainingError
        If the weights are missing or those of another network, or a cut is asked for.
    """
    import keras
    from keras import layers

    if options.cut:
        raise TrainingError("The face ResNet is used whole: it takes no cut.")

    def convolution(x: Any, filters: int, size: int, name: str, **how: Any) -> Any:
        x = layers.Conv2D(filters, size, padding="same", use_bias=False, name=name, **how)(x)
        return layers.BatchNormalization(name=f"{name}_norm")(x)

    image = keras.Input((options.size, options.size, 3))
    x = layers.ReLU(name="stem_relu")(convolution(image, STAGES[0][0], 7, "conv32_down", strides=2))
    x = layers.MaxPooling2D(3, strides=2, padding="same", name="stem_pool")(x)
    for stage, (filters, blocks) in enumerate(STAGES):
        last = stage == len(STAGES) - 1
        for block in range(blocks):
            name = _name(stage, block)
            down = stage > 0 and block == 0
            shortcut = x
            if down:
                if not last:
                    shortcut = layers.AveragePooling2D(2, padding="same", name=f"{name}_pool")(shortcut)
                projection = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_projection")
                shortcut = projection(shortcut)
                projection.kernel.assign(np.eye(*projection.kernel.shape[2:], dtype=np.float32)[None, None])
            stride = 2 if down and not last else 1
            # The first convolution of the last stage still sees cells side by side; all after it see every second one.
            inner = convolution(
                x, filters, 3, f"{name}_conv1", strides=stride, dilation_rate=2 if last and not down else 1
            )
            inner = layers.ReLU(name=f"{name}_conv1_relu")(inner)
            inner = convolution(inner, filters, 3, f"{name}_conv2", dilation_rate=2 if last else 1)
            x = layers.ReLU(name=name)(layers.Add(name=f"{name}_add")([inner, shortcut]))
    built = network(
        image,
        x,
        options,
        name="face_resnet",
        maps_layer="conv256_2",
        stats="dlib",
        cam_candidates=("conv128_2", "conv64_3"),
    )
    if options.backbone_weights != "none":
        _load(built.model, options.backbone_weights)
    return built


def _name(stage: int, block: int) -> str:
    """Return a block's name in the package: ``conv32_1``, ``conv64_down``, ``conv64_1``."""
    filters = STAGES[stage][0]
    number = block if stage else block + 1
    return f"conv{filters}_{number or 'down'}"


def read_manifest(path: Path) -> dict[str, NDArray[np.float32]]:
    """Read the tensors of a TensorFlow.js weights manifest, name -> float32 array.

    A tensor of which the manifest gives a quantization is stored as uint8 and means ``value * scale + min``.

    Raises
    ------
    OSError, ValueError, KeyError
        If the file or one it names is missing, or does not hold what it says.
    """
    tensors: dict[str, NDArray[np.float32]] = {}
    for group in json.loads(path.read_text()):
        data = b"".join((path.parent / part).read_bytes() for part in group["paths"])
        offset = 0
        for entry in group["weights"]:
            quantization = entry.get("quantization")
            stored = np.dtype(quantization["dtype"] if quantization else entry["dtype"])
            count = int(np.prod(entry["shape"]))
            values = np.frombuffer(data, stored, count, offset).astype(np.float32)
            offset += count * stored.itemsize
            if quantization:
                values = values * np.float32(quantization["scale"]) + np.float32(quantization["min"])
            tensors[entry["name"]] = values.reshape(entry["shape"])
        if offset != len(data):
            raise ValueError(f"{len(data)} bytes of weights, {offset} expected")
    return tensors


def _load(model: Any, path: str) -> None:
    """Give the convolutions their kernels, and the normalisations the published biases and scales."""
    if not Path(path).is_file():
        raise TrainingError(
            f"There is no weights manifest {path}. It is model/face_recognition_model-weights_manifest.json of the npm "
            "package @vladmandic/face-api."
        )
    try:
        tensors = read_manifest(Path(path))
        for norm in model.layers:
            name = norm.name.removesuffix("_norm")
            if name == norm.name:
                continue  # every convolution but a projection has a normalisation
            key = name.replace("_conv1", "/conv1").replace("_conv2", "/conv2")
            model.get_layer(name).kernel.assign(tensors[f"{key}/conv/filters"])
            scale = tensors[f"{key}/scale/weights"]
            norm.gamma.assign(scale)
            norm.beta.assign(tensors[f"{key}/scale/biases"] + scale * tensors[f"{key}/conv/bias"])
            norm.moving_variance.assign(np.full(scale.shape, 1 - norm.epsilon, np.float32))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"The weights in {path} do not fit this network: {error}") from error
