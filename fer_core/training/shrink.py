"""Store the kernels of an exported graph as the float16 that they are: half the size, the same numbers.

The kernels of a model are rounded to float16 before anything is made of it, but conversion to ONNX multiplies the
normalisation that follows a convolution into its kernel, and the products need float32. Here each product is written as
its two factors, the float16 kernel and one float32 a channel. ONNX Runtime multiplies them when it opens the graph, so
that serving costs neither time nor accuracy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMALLEST: Final = 4096
"""Kernels with fewer numbers stay as they are."""

TOLERANCE: Final = 1e-6
"""Largest deviation of a product from what it replaces, as a part of the channel's largest number: float32 rounding."""


def shrink(graph: Any, kernels: Sequence[NDArray[np.float32]]) -> int:
    """Replace the large float32 initializers of an ``onnx.ModelProto``, in place; return how many were replaced.

    Parameters
    ----------
    graph
        The model. Initializers that are no kernel times a factor a channel stay as they are.
    kernels
        Kernels of the network as Keras keeps them, ``(height, width, in, out)`` or ``(in, out)`` float32.
    """
    from onnx import TensorProto, helper, numpy_helper

    # Compared as they will be stored, so that a kernel that float16 cannot hold is left alone.
    halves = [kernel.astype(np.float16).astype(np.float32) for kernel in kernels]
    candidates = [np.transpose(kernel, (3, 2, 0, 1)) if kernel.ndim == 4 else kernel for kernel in halves]
    kept, nodes = [], []
    for initializer in graph.graph.initializer:
        found = None
        if initializer.data_type == TensorProto.FLOAT and np.prod(initializer.dims, dtype=np.int64) >= SMALLEST:
            found = _factors(numpy_helper.to_array(initializer), candidates)
        if found is None:
            kept.append(initializer)
            continue
        index, scale = found
        name = initializer.name
        half = candidates.pop(index).astype(np.float16)
        kept.append(numpy_helper.from_array(half, f"{name}:half"))
        kept.append(numpy_helper.from_array(scale, f"{name}:scale"))
        nodes.append(helper.make_node("Cast", [f"{name}:half"], [f"{name}:full"], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("Mul", [f"{name}:full", f"{name}:scale"], [name]))
    operations = list(graph.graph.node)
    del graph.graph.initializer[:], graph.graph.node[:]
    graph.graph.initializer.extend(kept)
    graph.graph.node.extend([*nodes, *operations])
    return len(nodes) // 2


def _factors(
    product: NDArray[np.float32], candidates: Sequence[NDArray[np.float32]]
) -> tuple[int, NDArray[np.float32]] | None:
    """Return which candidate a product is made of and the factor of each channel, or None."""
    channel = 0 if product.ndim == 4 else product.ndim - 1
    others = tuple(axis for axis in range(product.ndim) if axis != channel)
    for index, kernel in enumerate(candidates):
        if kernel.shape != product.shape:
            continue
        # The factor is read where the kernel is largest, where it is most exact.
        flat = np.moveaxis(kernel, channel, 0).reshape(kernel.shape[channel], -1)
        at = np.abs(flat).argmax(axis=1)[:, None]
        largest = np.take_along_axis(flat, at, axis=1)
        of_product = np.take_along_axis(np.moveaxis(product, channel, 0).reshape(flat.shape), at, axis=1)
        factor = np.divide(of_product, largest, out=np.zeros_like(largest), where=largest != 0)
        shape = [1] * product.ndim
        shape[channel] = -1
        scale = factor.reshape(shape).astype(np.float32)
        allowed = TOLERANCE * np.abs(product).max(axis=others, keepdims=True)
        if (np.abs(kernel * scale - product) <= allowed).all():
            return index, scale
    return None
