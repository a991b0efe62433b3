"""What the loss of a recipe compares the network's scores with."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from fer_core.classifier import Classifier, open_classifier
from fer_core.data.ferplus import SEVEN, open_votes
from fer_core.errors import TrainingError
from fer_core.evaluation.agreement import distribution
from fer_core.files import replacing
from fer_core.labels import N_CLASSES
from fer_core.registry import ONNX_FILE, WEIGHTS_FILE, load_card
from fer_core.scores import log_softmax, softmax
from fer_core.settings import Settings
from fer_core.training.loop import TrainingData, one_hot
from fer_core.training.recipe import Recipe

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fer_core.data.fer2013 import Fer2013

TEACHER_BATCH = 64

PRIOR_VOTES: Final = 0.3
"""Added to the votes of each class in a pool, so that a class without any has a logarithm."""


def training_data(
    recipe: Recipe, dataset: Fer2013, splits: NDArray[np.str_], settings: Settings, store: Path
) -> TrainingData:
    """Return what a run sees: the images of the splits ``train`` and ``val``, and their targets.

    Each target is a distribution over the classes.

    - ``labels``: a one at the label. With teachers the training images have ``(1 - s) label + s P(label | teachers,
      votes)``, where s is the recipe's `teacher_share` and P its `posterior`; validation keeps its labels. An
      image that FER+ does not know has no votes, and P is what the teachers say.
    - ``ferplus``: the votes for the seven classes, divided by their sum. An image that FER+ does not know keeps its
      label.

    Parameters
    ----------
    recipe
        Its `targets`, `teachers`, `teacher_share` and `posterior`.
    dataset, splits
        FER2013, and the split of each image.
    settings
        Where the votes and the teachers are.
    store
        Folder that keeps the scores of the teachers, which cost minutes, for the next call.

    Raises
    ------
    DatasetMissing
        If the recipe needs the votes and ``FERPLUS_CSV`` does not name them.
    ModelContractError
        If a teacher is not there.
    """
    train, val = np.flatnonzero(splits == "train"), np.flatnonzero(splits == "val")
    labels = dataset.labels
    targets = one_hot(labels)
    if recipe.targets == "ferplus":
        targets = vote_targets(*open_votes(settings=settings).of(dataset.names.tolist()), labels)
    elif recipe.teachers:
        rows = np.concatenate([train, val])
        counts, _ = open_votes(settings=settings).of(dataset.names[rows].tolist())
        scores = np.mean(
            [
                teacher_scores(open_classifier(load_card(settings.models_dir / name)), dataset.images[rows], store)
                for name in recipe.teachers
            ],
            axis=0,
        )
        fitted = np.arange(len(rows)) >= len(train)
        posterior = POSTERIORS[recipe.posterior](scores, counts, labels[rows], fitted)
        share = recipe.teacher_share
        targets[train] = (1 - share) * targets[train] + share * posterior[: len(train)]
    return TrainingData(
        train_images=dataset.images[train],
        train_targets=targets[train],
        train_labels=labels[train],
        val_images=dataset.images[val],
        val_targets=targets[val],
        val_labels=labels[val],
    )


def vote_targets(counts: NDArray[np.int64], known: NDArray[np.bool_], labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the votes for the seven classes as distributions, ``(N, 7)`` float32.

    `counts` ``(N, 10)`` and `known` ``(N,)`` are those of :meth:`fer_core.data.ferplus.Votes.of`. An image without a
    vote for any of the seven has a one at its label.
    """
    shares = distribution(counts)
    usable = known & np.isfinite(shares).all(axis=1)
    return np.where(usable[:, None], shares, one_hot(labels)).astype(np.float32)


def teacher_scores(teacher: Classifier, images: NDArray[np.uint8], store: Path) -> NDArray[np.float32]:
    """Return a teacher's scores of faces ``(N, H, W)`` uint8, averaged with those of their mirror images: ``(N, 7)``.

    They are kept in `store`, under a name that says of which model and images they are.
    """
    from tqdm import tqdm

    digest = hashlib.sha256(np.ascontiguousarray(images).tobytes())
    files = teacher.card.files
    digest.update(files[WEIGHTS_FILE if WEIGHTS_FILE in files else ONNX_FILE]["sha256"].encode())
    path = store / f"scores-{teacher.card.id}-{digest.hexdigest()[:16]}.npy"
    if not path.exists():
        starts = range(0, len(images), TEACHER_BATCH)
        parts = [
            teacher.predict_proba(np.asarray(images[start : start + TEACHER_BATCH]), mirror=True)
            for start in tqdm(starts, desc=teacher.card.id, mininterval=5)
        ]
        store.mkdir(parents=True, exist_ok=True)
        with replacing(path, shared=True) as aside, aside.open("wb") as file:
            np.save(file, np.concatenate(parts))
    loaded: NDArray[np.float32] = np.load(path)
    return loaded


def by_regression(
    scores: NDArray[np.float32], counts: NDArray[np.int64], labels: NDArray[np.int64], fitted: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Return how probable each label is, given what teachers score and what people voted: ``(N, 7)`` float32.

    A label of FER2013 is one draw; teachers (Hinton et al. 2015, arXiv:1503.02531) and ten people who saw the same
    image say how the draw could have come out. The votes by themselves will not do: people see neutral where the labels
    say sad, and hardly ever fear. Nor are they there when the network is used; such knowledge is called privileged
    (Lopez-Paz et al. 2016, arXiv:1511.03643). A multinomial logistic regression with 126 parameters combines both.

    Parameters
    ----------
    scores
        ``(N, 7)`` float32, of the teachers.
    counts
        ``(N, 10)`` int64, the votes; zeros for an image without.
    labels
        ``(N,)`` int64.
    fitted
        ``(N,)`` bool, the images that the regression is fitted to: those that the teachers were not trained on, else
        it would believe them too much.

    Raises
    ------
    TrainingError
        If a class has no image to fit to.
    """
    from sklearn.linear_model import LogisticRegression

    _check_fitted(labels[fitted])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    evidence = np.hstack([_logs(scores), shares])
    model = LogisticRegression(max_iter=5000).fit(evidence[fitted], labels[fitted])
    posterior: NDArray[np.float32] = model.predict_proba(evidence).astype(np.float32)
    return posterior


def by_pool(
    scores: NDArray[np.float32], counts: NDArray[np.int64], labels: NDArray[np.int64], fitted: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Return the same as :func:`by_regression` from 21 parameters, which flatter the images they are fitted to less.

    A logarithmic opinion pool (Genest and Zidek 1986, Statistical Science 1) of teachers and voters: the logit of class
    c is ``a_c log(score of c) + b_c log(share of the votes for c) + d_c``, with shares of the seven classes' votes to
    each of which :data:`PRIOR_VOTES` are added.

    Raises
    ------
    TrainingError
        If a class has no image to fit to.
    """
    from scipy.optimize import minimize

    _check_fitted(labels[fitted])
    seven = counts[:, list(SEVEN)] + PRIOR_VOTES
    voters = np.log(seven / seven.sum(axis=1, keepdims=True))
    evidence = np.stack([_logs(scores), voters, np.ones_like(voters)])  # (3, N, 7)
    known, truth = evidence[:, fitted], one_hot(labels[fitted]).astype(np.float64)

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logs = log_softmax((flat.reshape(3, 1, N_CLASSES) * known).sum(axis=0))
        gradient = (known * (np.exp(logs) - truth)).sum(axis=1) / len(truth)
        return float(-(truth * logs).sum() / len(truth)), gradient.ravel()

    start = np.repeat([1.0, 0.0, 0.0], N_CLASSES)
    weights = minimize(loss, start, jac=True, method="L-BFGS-B").x.reshape(3, 1, N_CLASSES)
    return softmax((weights * evidence).sum(axis=0)).astype(np.float32)


def _check_fitted(labels: NDArray[np.int64]) -> None:
    if len(np.unique(labels)) < N_CLASSES:
        raise TrainingError("Every class needs a validation image, to weigh teachers and votes by.")


def _logs(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(np.log(np.maximum(scores, np.finfo(np.float32).eps)), dtype=np.float64)


POSTERIORS: Final = {"regression": by_regression, "pool": by_pool}
"""`posterior` of a recipe -> what computes it."""
