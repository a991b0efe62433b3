"""The report's protocol: a frozen backbone's features, computed once, and a head trained on them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_core.architectures import Network
from fer_core.files import replacing
from fer_core.scores import softmax
from fer_core.training.augmentation import augment
from fer_core.training.inference import EVALUATION_BATCH, batched
from fer_core.training.loop import (
    Run,
    TrainingData,
    build_network,
    claim,
    metrics_row,
    write_history,
)
from fer_core.training.losses import loss_of
from fer_core.training.recipe import Augmentation, Recipe

if TYPE_CHECKING:
    from numpy.typing import NDArray


def train_frozen(recipe: Recipe, data: TrainingData, directory: Path, *, quiet: bool = False) -> Run:
    """Train the head of a network whose backbone stays as it is.

    The training set passes through the backbone `feature_copies` times, each time augmented anew; epoch ``e`` of the
    head sees copy ``e mod feature_copies``. Features lie beside `directory`, in a folder named by what decides them:
    a second call goes on with those that are there, and recipes that differ in their head or loss only share them. The
    head is trained by Adam with early stopping on the validation loss, best weights restored.

    Raises
    ------
    TrainingError
        If the folder holds a run of another recipe, or the network cannot be built.
    """
    import keras
    import tensorflow as tf
    from tqdm import tqdm

    directory.mkdir(parents=True, exist_ok=True)
    claim(directory, recipe)
    keras.utils.set_random_seed(recipe.seed)
    network = build_network(recipe, recipe.build.size)
    backbone = keras.Model(network.model.input, network.model.get_layer(network.pool_layer).output)
    call = tf.function(lambda x: backbone(x, training=False), reduce_retracing=True)
    store = directory.parent / f"features-{features_digest(recipe, network, backbone, data)}"
    store.mkdir(exist_ok=True)

    def features(images: NDArray[np.uint8], name: str, spec: Augmentation, seed: int) -> NDArray[np.float16]:
        path = store / f"{name}.npy"
        if not path.exists():
            rng = np.random.default_rng([recipe.seed, seed])
            parts = []
            starts = range(0, len(images), EVALUATION_BATCH)
            for start in tqdm(starts, desc=f"features {name}", disable=quiet, mininterval=5):
                chosen = np.asarray(images[start : start + EVALUATION_BATCH])
                faces = augment(chosen, network.input.height, spec, rng)
                parts.append(batched(lambda x: np.asarray(call(tf.constant(x))), network, faces))
            with replacing(path, shared=True) as aside, aside.open("wb") as file:
                np.save(file, np.concatenate(parts).astype(np.float16))
        loaded: NDArray[np.float16] = np.load(path)
        return loaded

    val = features(data.val_images, "val", Augmentation(), 0).astype(np.float32)
    copies = [
        features(data.train_images, f"train_{copy}", recipe.augmentation, copy + 1)
        for copy in range(recipe.feature_copies)
    ]

    head_input = keras.Input(val.shape[1:])
    x = head_input
    reached = False
    for layer in network.model.layers:
        if reached:
            x = layer(x)
        reached = reached or layer.name == network.pool_layer
    head = keras.Model(head_input, x)
    head.compile(optimizer=keras.optimizers.Adam(recipe.learning_rate), loss=loss_of(recipe, data.train_labels))
    history: list[dict[str, float]] = []
    best: list[NDArray[Any]] = []
    kept = 0
    for epoch in range(recipe.epochs):
        order = np.random.default_rng([recipe.seed, epoch]).permutation(len(data.train_images))
        fit = head.fit(
            copies[epoch % len(copies)][order].astype(np.float32),
            data.train_targets[order],
            batch_size=recipe.batch_size,
            shuffle=False,
            verbose=0,
        )
        probabilities = softmax(np.asarray(head(val, training=False)))
        row = {"epoch": float(epoch + 1), "train_loss": float(fit.history["loss"][0])}
        row |= metrics_row(data, probabilities)
        row["learning_rate"] = recipe.learning_rate
        history.append(row)
        write_history(directory / "history.csv", history)
        if not quiet:
            tqdm.write(json.dumps(row))
        if row["val_loss"] <= min(r["val_loss"] for r in history):
            best, kept = head.get_weights(), epoch
        elif recipe.patience and epoch - kept >= recipe.patience:
            break
    head.set_weights(best)
    return Run(network, recipe, history, kept)


def features_digest(recipe: Recipe, network: Network, backbone: Any, data: TrainingData) -> str:
    """Return 16 hexadecimal digits that stand for all that decides the features of a recipe.

    That is the backbone (`backbone`, the Keras model up to the pooling of `network`) with its weights, the scaling of
    its input, the images, how they are augmented, and the seed. Neither head nor loss is among it, nor how many copies
    are made: each has a seed of its own.
    """
    decides = {
        "architecture": recipe.architecture,
        "cut": recipe.build.cut,
        "input": network.input.to_json(),
        "augmentation": asdict(recipe.augmentation),
        "seed": recipe.seed,
    }
    digest = hashlib.sha256(json.dumps(decides, sort_keys=True).encode())
    for array in (*backbone.get_weights(), data.train_images, data.val_images):
        digest.update(array.tobytes())
    return digest.hexdigest()[:16]
