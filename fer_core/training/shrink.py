"""Let an exported graph read its kernels from the weights file beside it, where they lie as float16.

The kernels of a model are rounded to float16 before anything is made of it, but conversion to ONNX multiplies the
normalisation that follows a convolution into its kernel, and the products need float32. Here each product is written as
its two factors: one float32 a channel, and the float16 kernel, of which the graph only says in which bytes of the
weights file it lies ("external data" of ONNX). ONNX Runtime reads, turns and multiplies them when it opens the graph,
so that serving costs neither time nor accuracy, and no kernel is stored twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMALLEST: Final = 4096
"""Kernels with fewer numbers stay as they are."""

TOLERANCE: Final = 1e-6
"""Largest deviation of a product from what it replaces, as a part of the channel's largest number: float32 rounding."""


@dataclass(frozen=True)
class Stored:
    """A kernel in a weights file.

    Attributes
    ----------
    kernel
        float16, as Keras keeps it: ``(height, width, in, out)`` or ``(in, out)``.
    offset
        Its first byte in the file; its numbers follow one another, little-endian.
    """

    kernel: NDArray[np.float16]
    offset: int


def stored_kernels(weights: Path) -> list[Stored]:
    """Return the float16 kernels of a Keras weights file that lie in it in one uncompressed piece."""
    import h5py

    found: list[Stored] = []

    def look(_: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype == np.dtype("<f2") and item.ndim in (2, 4):
            offset = item.id.get_offset()  # None for one that is compressed
            if offset is not None:
                found.append(Stored(item[()], offset))

    with h5py.File(weights) as file:
        file.visititems(look)
    return found


def shrink(graph: Any, kernels: Sequence[Stored], location: str) -> int:
    """Replace the large float32 initializers of an ``onnx.ModelProto``, in place; return how many were replaced.

    Parameters
    ----------
    graph
        The model. Initializers that are no kernel times a factor a channel stay as they are.
    kernels
        Of the weights file.
    location
        Name of the weights file, which must lie in the folder of the graph.
    """
    from onnx import TensorProto, helper, numpy_helper

    candidates = [
        (stored, np.transpose(full, (3, 2, 0, 1)) if full.ndim == 4 else full)
        for stored in kernels
        for full in [stored.kernel.astype(np.float32)]
    ]
    kept, nodes, replaced = [], [], 0
    for initializer in graph.graph.initializer:
        found = None
        if initializer.data_type == TensorProto.FLOAT and np.prod(initializer.dims, dtype=np.int64) >= SMALLEST:
            found = _factors(numpy_helper.to_array(initializer), [kernel for _, kernel in candidates])
        if found is None:
            kept.append(initializer)
            continue
        index, scale = found
        name, (stored, _) = initializer.name, candidates.pop(index)
        kept.append(_outside(f"{name}:half", stored, location))
        kept.append(numpy_helper.from_array(scale, f"{name}:scale"))
        nodes.append(helper.make_node("Cast", [f"{name}:half"], [f"{name}:full"], to=TensorProto.FLOAT))
        turned = f"{name}:full"
        if stored.kernel.ndim == 4:
            turned = f"{name}:turned"
            nodes.append(helper.make_node("Transpose", [f"{name}:full"], [turned], perm=(3, 2, 0, 1)))
        nodes.append(helper.make_node("Mul", [turned, f"{name}:scale"], [name]))
        replaced += 1
    operations = list(graph.graph.node)
    del graph.graph.initializer[:], graph.graph.node[:]
    graph.graph.initializer.extend(kept)
    graph.graph.node.extend([*nodes, *operations])
    return replaced


def _outside(name: str, stored: Stored, location: str) -> Any:
    """Return an initializer that lies in another file."""
    from onnx import TensorProto

    tensor = TensorProto(
        name=name, data_type=TensorProto.FLOAT16, dims=stored.kernel.shape, data_location=TensorProto.EXTERNAL
    )
    for key, value in (("location", location), ("offset", stored.offset), ("length", stored.kernel.nbytes)):
        tensor.external_data.add(key=key, value=str(value))
    return tensor


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
