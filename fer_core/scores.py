"""From logits to scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def softmax(logits: NDArray[np.float32], axis: int = -1) -> NDArray[np.float32]:
    """Return probabilities from logits along an axis, same shape and type."""
    exponentials = np.exp(logits - logits.max(axis=axis, keepdims=True))
    result: NDArray[np.float32] = exponentials / exponentials.sum(axis=axis, keepdims=True)
    return result


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the logarithms of :func:`softmax`, exact also where a probability is too small for a float."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    result: NDArray[np.float32] = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result
