"""The losses of :class:`fer_core.training.recipe.Recipe`, for whatever trains by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_core.labels import N_CLASSES
from fer_core.training.recipe import Recipe

if TYPE_CHECKING:
    from numpy.typing import NDArray


def terms(loss: str, labels: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return how a loss differs from the plain cross-entropy.

    Parameters
    ----------
    loss
        As in :class:`~fer_core.training.recipe.Recipe`.
    labels
        ``(N,)`` int64, the training labels. A class without images counts as having one.

    Returns
    -------
    weights : ``(7,)`` float32
        Factor of each class's term: with ``"class_weighted"`` the inverse of its frequency, mean one over `labels`.
    adjustment : ``(7,)`` float32
        Added to the logits while training: with ``"logit_adjusted"`` the logarithm of each class's frequency.
    """
    prior = np.maximum(np.bincount(labels, minlength=N_CLASSES), 1) / max(1, len(labels))
    weights, adjustment = np.ones(N_CLASSES), np.zeros(N_CLASSES)
    if loss == "class_weighted":
        weights = (1 / prior) / np.mean((1 / prior)[labels])
    elif loss == "logit_adjusted":
        adjustment = np.log(prior)
    return weights.astype(np.float32), adjustment.astype(np.float32)


def loss_of(recipe: Recipe, labels: NDArray[np.int64]) -> Callable[[Any, Any], Any]:
    """Return a recipe's loss: a function of targets ``(N, 7)`` and logits ``(N, 7)`` that gives tensors ``(N,)``.

    `labels`, ``(N,)`` int64, are those of the training images.
    """
    import tensorflow as tf

    weights, adjustment = (tf.constant(part) for part in terms(recipe.loss, labels))
    smoothing = recipe.label_smoothing

    def loss(targets: Any, logits: Any) -> Any:
        smooth = targets * (1 - smoothing) + smoothing / N_CLASSES
        return -tf.reduce_sum(smooth * tf.nn.log_softmax(tf.cast(logits, tf.float32) + adjustment) * weights, axis=1)

    return loss
