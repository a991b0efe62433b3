"""From logits to scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float = TypeVar("Float", bound=np.floating[Any])


def softmax(logits: NDArray[Float], axis: int = -1) -> NDArray[Float]:
    """Return probabilities from logits along an axis, same shape and type."""
    exponentials = np.exp(logits - logits.max(axis=axis, keepdims=True))
    result: NDArray[Float] = exponentials / exponentials.sum(axis=axis, keepdims=True)
    return result


def log_softmax(logits: NDArray[Float]) -> NDArray[Float]:
    """Return the logarithms of :func:`softmax`, exact also where a probability is too small for a float."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    result: NDArray[Float] = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result
