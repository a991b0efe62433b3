"""What the loss of a recipe compares the network's scores with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fer_core.data.ferplus import open_votes
from fer_core.evaluation.agreement import distribution
from fer_core.labels import N_CLASSES
from fer_core.settings import Settings
from fer_core.training.loop import one_hot
from fer_core.training.recipe import Recipe

if TYPE_CHECKING:
    from numpy.typing import NDArray


def train_and_val_targets(
    recipe: Recipe,
    names: tuple[NDArray[np.str_], NDArray[np.str_]],
    labels: tuple[NDArray[np.int64], NDArray[np.int64]],
    settings: Settings,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the targets of the training and of the validation images, each ``(N, 7)`` float32.

    Each row is a distribution over the classes:

    - ``labels``: a one at the label. With `vote_share` s the training images have ``(1 - s) label + s P(label |
      votes)`` (:func:`label_posterior`); validation keeps its labels.
    - ``ferplus``: the votes for the seven classes, divided by their sum.

    An image that FER+ does not know, or has no vote of the seven classes for, keeps its label.

    Parameters
    ----------
    recipe
        Its `targets` and `vote_share`.
    names, labels
        File names ``(N,)`` and labels ``(N,)`` int64 of the training and of the validation images.
    settings
        Where the votes are.

    Raises
    ------
    DatasetMissing
        If the recipe needs the votes and ``FERPLUS_CSV`` does not name them.
    """
    train, val = one_hot(labels[0]), one_hot(labels[1])
    if recipe.targets == "labels" and not recipe.vote_share:
        return train, val
    votes = open_votes(settings=settings)
    counts, known = votes.of(names[0].tolist())
    if recipe.targets == "labels":
        posterior = label_posterior(counts, known, labels[0])
        return ((1 - recipe.vote_share) * train + recipe.vote_share * posterior).astype(np.float32), val
    return _shares(counts, known, train), _shares(*votes.of(names[1].tolist()), val)


def label_posterior(
    counts: NDArray[np.int64], known: NDArray[np.bool_], labels: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return how probable each label is for images with such votes, ``(N, 7)`` float32.

    A label of FER2013 is one draw; ten people who looked at the same image say how the draw could have come out. The
    votes themselves will not do as a target: people see neutral where the labels say sad, and hardly ever fear. So a
    multinomial logistic regression learns from the training images what label goes with which shares of the ten
    columns of votes. It has 77 parameters, too few to remember an image by.

    Parameters
    ----------
    counts
        ``(N, 10)`` int64, the votes.
    known
        ``(N,)`` bool, whether there are any. An image without votes has a one at its label.
    labels
        ``(N,)`` int64.
    """
    from sklearn.linear_model import LogisticRegression

    hard = one_hot(labels)
    total = counts.sum(axis=1)
    usable = known & (total > 0)
    if len(np.unique(labels[usable])) < 2:
        return hard
    shares = counts[usable] / total[usable, None]
    model = LogisticRegression(C=10, max_iter=2000).fit(shares, labels[usable])
    posterior = np.zeros((len(shares), N_CLASSES), np.float32)
    posterior[:, model.classes_] = model.predict_proba(shares)
    hard[usable] = posterior
    return hard


def _shares(counts: NDArray[np.int64], known: NDArray[np.bool_], hard: NDArray[np.float32]) -> NDArray[np.float32]:
    shares = distribution(counts)
    usable = known & np.isfinite(shares).all(axis=1)
    return np.where(usable[:, None], shares, hard).astype(np.float32)
