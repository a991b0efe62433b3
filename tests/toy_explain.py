"""Networks with hand-set weights that look for a bright and for a dark square, and a face that holds one of each.

Logit 0 rises with brightness, logit 1 with darkness, logit 2 falls with both. Each comes in several shapes of graph.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE = 24
GRID = 12
BRIGHT = (slice(4, 12), slice(12, 20))
DARK = (slice(14, 20), slice(2, 8))
CLASSES = np.eye(3, dtype=np.float32)
"""Directions: one class each."""


def face() -> NDArray[np.float32]:
    """Return the picture (1, 24, 24, 1): 0, with a square of 1 and one of -1."""
    picture = np.zeros((1, SIDE, SIDE, 1), np.float32)
    picture[0, BRIGHT[0], BRIGHT[1]] = 1
    picture[0, DARK[0], DARK[1]] = -1
    return picture


def share_inside(values: NDArray[np.float32], square: tuple[slice, slice]) -> float:
    """Return which share of a map's sum lies in a square that is given in pixels."""
    cell = SIDE // values.shape[0]
    rows, columns = (slice(part.start // cell, part.stop // cell) for part in square)
    return float(values[rows, columns].sum() / values.sum())


def flat() -> Any:
    """Return one functional graph; its feature maps are the layer ``maps``."""
    import keras

    image = keras.Input((SIDE, SIDE, 1), name="image")
    logits = _head()(_pool()(_maps(_detect(image))))
    return _set(keras.Model(image, logits, name="flat"))


def sequential() -> Any:
    import keras

    layers = [keras.Input((SIDE, SIDE, 1)), _detector(), keras.layers.AveragePooling2D(2, name="maps")]
    return _set(keras.Sequential([*layers, _pool(), _head()], name="sequential"))


def nested(outer: str = "functional") -> Any:
    """Return a model whose detector is a model inside it: ``functional``, ``sequential``, or ``deep`` (two levels)."""
    import keras

    backbone = _backbone()
    if outer == "sequential":
        return _set(keras.Sequential([keras.Input((SIDE, SIDE, 1)), backbone, _pool(), _head()], name="nested"))
    image = keras.Input((SIDE, SIDE, 1))
    if outer == "deep":
        inside = keras.Sequential([keras.Input((SIDE, SIDE, 1)), keras.layers.Rescaling(1.0), backbone])
        x = inside(keras.layers.Rescaling(1.0)(image))
    else:
        x = backbone(image, training=False)
    return _set(keras.Model(image, _head()(_pool()(x)), name="nested"))


def normalised() -> Any:
    """Return a model with frozen batch normalisation behind a dropout, as it would be after training."""
    import keras

    image = keras.Input((SIDE, SIDE, 1))
    x = keras.layers.Conv2D(8, 3, padding="same", use_bias=False, name="first")(image)
    x = keras.layers.BatchNormalization(name="normal_1")(x)
    x = keras.layers.Dropout(0.5, name="dropout")(keras.layers.ReLU()(x))
    x = keras.layers.Conv2D(8, 3, padding="same", use_bias=False, name="second")(x)
    x = keras.layers.BatchNormalization(name="normal_2", trainable=False)(x)
    model = keras.Model(image, _head()(_pool()(keras.layers.ReLU(name="maps")(x))), name="normalised")
    generator = np.random.default_rng(0)
    # Variances are positive and ten times too large for what these kernels give.
    model.set_weights([np.abs(generator.normal(0, 10, v.shape)).astype(np.float32) for v in model.get_weights()])
    return model


def branched() -> Any:
    """Return a model that calls its backbone twice: it is no chain."""
    import keras

    image = keras.Input((SIDE, SIDE, 1))
    backbone = _backbone()
    both = keras.layers.Add()([backbone(image), backbone(keras.layers.Rescaling(0.5)(image))])
    return _set(keras.Model(image, _head()(_pool()(both)), name="branched"))


def bypassed() -> Any:
    """Return a model with a branch that a walk along its layers would mistake for a link of a chain."""
    import keras

    image = keras.Input((SIDE, SIDE, 1))
    backbone = _backbone()
    halved = keras.layers.Rescaling(0.5)(image)
    head = _head()(_pool()(backbone(image)))
    unused = keras.layers.GlobalAveragePooling2D()(halved)
    return _set(keras.Model(image, keras.layers.Add()([head, unused]), name="bypassed"))


def arithmetic() -> Any:
    """Return a model with arithmetic between its layers, before a nested backbone."""
    import keras

    image = keras.Input((SIDE, SIDE, 1))
    return _set(keras.Model(image, _head()(_pool()(_backbone()(image / 2))), name="arithmetic"))


def subclassed() -> Any:
    import keras

    class Subclassed(keras.Model):  # type: ignore[misc]
        def call(self, inputs: Any) -> Any:
            return inputs

    return Subclassed(name="subclassed")


def weights_of(model: Any) -> list[NDArray[np.float32]]:
    return [np.array(values) for values in model.get_weights()]


def _detector() -> Any:
    import keras

    return keras.layers.Conv2D(2, 3, padding="same", activation="relu", name="detector")


def _detect(image: Any) -> Any:
    return _detector()(image)


def _maps(x: Any) -> Any:
    import keras

    return keras.layers.AveragePooling2D(2, name="maps")(x)


def _pool() -> Any:
    import keras

    return keras.layers.GlobalAveragePooling2D(name="pool")


def _head() -> Any:
    import keras

    return keras.layers.Dense(3, name="logits")


def _backbone() -> Any:
    """Return the detector as a model, with a branch that changes nothing (it adds a zero)."""
    import keras

    image = keras.Input((SIDE, SIDE, 1))
    x = _detect(image)
    x = keras.layers.Add(name="residual")([x, keras.layers.Rescaling(0.0, name="zero")(x)])
    return keras.Model(image, _maps(x), name="backbone")


def _set(model: Any) -> Any:
    """Set the weights: brightness and darkness averaged over 3x3 px beyond a half, then 400 times their mean."""
    kernel = np.zeros((3, 3, 1, 2), np.float32)
    kernel[..., 0], kernel[..., 1] = 1 / 9, -1 / 9
    bias = np.full(2, -0.5, np.float32)
    dense = np.array([[400, 0, -80], [0, 400, -80]], np.float32)
    model.set_weights([kernel, bias, dense, np.zeros(3, np.float32)])
    return model
