"""The end of a network: global average pooling, then dense layers. Its gradient is a short product of matrices.

``head.npz`` holds ``kernel_0, bias_0, kernel_1, …`` in the order they are passed, a ReLU between two layers and none
after the last, and ``offset`` where it is not 0. Dropout does nothing when a network answers, so it is left out. A
network whose maps do not end like this (a normalisation between maps and pooling, say) has no such file; TensorFlow's
gradients explain it.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fer_core.arrays import write_arrays
from fer_core.errors import ModelContractError
from fer_core.labels import N_CLASSES
from fer_core.registry import HEAD_FILE, ModelCard

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fer_core.architectures import Network

TOLERANCE: Final = 1e-3
"""How far the logits that a head gives from pooled maps may be from those of the graph."""


@dataclass(frozen=True)
class Head:
    """Dense layers with a ReLU between them.

    Attributes
    ----------
    kernels : tuple of ndarray, float32
        ``(D_in, D_out)`` each; the first takes the pooled maps, the last gives the seven logits.
    biases : tuple of ndarray, float32
        ``(D_out,)`` each.
    offset : float
        Of the maps that the pooling reads: :attr:`fer_core.explain.heatmap.HeatMap.offset`.

    Raises
    ------
    ValueError
        If the layers do not fit each other, the last one does not give seven numbers, or the offset is half a face or
        more.
    """

    kernels: tuple[NDArray[np.float32], ...]
    biases: tuple[NDArray[np.float32], ...]
    offset: float = 0.0

    def __post_init__(self) -> None:
        if not self.kernels or len(self.kernels) != len(self.biases):
            raise ValueError("A head needs at least one layer, each with a kernel and a bias.")
        width = None
        for kernel, bias in zip(self.kernels, self.biases, strict=True):
            if kernel.ndim != 2 or bias.shape != kernel.shape[1:] or (width is not None and kernel.shape[0] != width):
                raise ValueError("The layers of the head do not fit each other.")
            width = kernel.shape[1]
        if width != N_CLASSES:
            raise ValueError(f"The head gives {width} numbers; there are {N_CLASSES} classes.")
        if not abs(self.offset) < 0.5:  # nor is it nan
            raise ValueError(f"The offset is {self.offset}; it must be less than half a face.")

    def logits(self, pooled: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the logits (N, 7) of pooled maps (N, C), float32."""
        return self._pass(pooled)[0]

    def gradient(self, pooled: NDArray[np.float32], direction: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return how ``direction · logits`` changes with each pooled channel, (N, C) float32.

        Parameters
        ----------
        pooled : ndarray of shape (N, C), float32
        direction : ndarray of shape (7,) or (N, 7), float32
            Weights of the logits, see :func:`fer_core.explain.heatmap.direction`.
        """
        _, active = self._pass(pooled)
        gradient = np.broadcast_to(direction, (len(pooled), N_CLASSES)) @ self.kernels[-1].T
        for kernel, on in zip(self.kernels[-2::-1], active[::-1], strict=True):
            gradient = (gradient * on) @ kernel.T
        return np.asarray(gradient, np.float32)

    def randomised(self, rng: np.random.Generator) -> Head:
        """Return a head of the same shape whose kernels are drawn anew, normal with each one's mean and deviation."""
        drawn = (rng.normal(kernel.mean(), kernel.std(), kernel.shape) for kernel in self.kernels)
        return replace(self, kernels=tuple(kernel.astype(np.float32) for kernel in drawn))

    def _pass(self, pooled: NDArray[np.float32]) -> tuple[NDArray[np.float32], list[NDArray[np.bool_]]]:
        values, active = pooled, []
        for index, (kernel, bias) in enumerate(zip(self.kernels, self.biases, strict=True)):
            values = values @ kernel + bias
            if index + 1 < len(self.kernels):
                active.append(values > 0)
                values = np.maximum(values, 0)
        return values, active


def from_network(network: Network) -> Head | None:
    """Return the head of a Keras network; None if its maps are not followed by pooling and dense layers alone.

    Parameters
    ----------
    network : fer_core.architectures.Network
    """
    model = network.model
    if model.get_layer(network.pool_layer).input is not model.get_layer(network.maps_layer).output:
        return None
    names = [layer.name for layer in model.layers]
    after = model.layers[names.index(network.pool_layer) + 1 :]
    dense = [layer for layer in after if type(layer).__name__ == "Dense"]
    if any(type(layer).__name__ not in ("Dense", "Dropout") for layer in after) or not dense:
        return None
    activations = [layer.activation.__name__ for layer in dense]
    if activations != ["relu"] * (len(dense) - 1) + ["linear"]:
        return None
    weights = [layer.get_weights() for layer in dense]
    return Head(tuple(kernel for kernel, _ in weights), tuple(bias for _, bias in weights))


def write_head(head: Head, path: Path) -> None:
    """Write a head. Kernels are stored as float16, which is what they are rounded to before a model is exported."""
    arrays: dict[str, Any] = {"offset": np.float64(head.offset)} if head.offset else {}
    for index, (kernel, bias) in enumerate(zip(head.kernels, head.biases, strict=True)):
        arrays |= {f"kernel_{index}": kernel.astype(np.float16), f"bias_{index}": bias}
    write_arrays(path, arrays)


def read_head(card: ModelCard) -> Head | None:
    """Return a model's head; None if the model comes without one.

    Raises
    ------
    ModelContractError
        If there is a file and it is damaged or not a head.
    """
    if HEAD_FILE not in card.files:
        return None
    card.verify(HEAD_FILE)
    try:
        with np.load(card.path(HEAD_FILE), allow_pickle=False) as stored:
            layers = range(len(stored.files) // 2)
            return Head(
                tuple(stored[f"kernel_{index}"].astype(np.float32) for index in layers),
                tuple(stored[f"bias_{index}"].astype(np.float32) for index in layers),
                float(stored["offset"]) if "offset" in stored.files else 0.0,
            )
    except (OSError, KeyError, ValueError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise ModelContractError(
            f"The {HEAD_FILE} of “{card.id}” cannot be used: {error} Export the model again."
        ) from error
