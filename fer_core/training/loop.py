"""Train every layer of a network, and go on exactly where a killed run stopped.

All randomness of an epoch comes from (seed, epoch, batch), and the state of the random layers is set from (seed, epoch)
at its start. A checkpoint after each epoch therefore holds all there is to know: weights, optimizer, running average,
epoch and history, and what tells the images and targets from others. It is written aside and renamed, so a kill at any
moment leaves the last complete one; what else is written after an epoch follows from it and is written again.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import queue
import threading
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_core.architectures import Network, build
from fer_core.architectures.common import load_weights
from fer_core.errors import TrainingError
from fer_core.evaluation import metrics
from fer_core.files import replacing
from fer_core.labels import N_CLASSES
from fer_core.scores import softmax
from fer_core.training.augmentation import augment
from fer_core.training.inference import batched
from fer_core.training.losses import loss_of
from fer_core.training.recipe import Recipe
from fer_core.training.refit import refit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Batch = tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]
    """Faces (N, size, size), targets (N, 7), and the weight of each face in its mixture (N,)."""

_ANEW = "Choose another folder (--run), or delete it to start anew."

PREFETCH = 6


@dataclass(frozen=True)
class TrainingData:
    """What a run sees.

    Attributes
    ----------
    train_images, val_images
        ``(N, 48, 48)`` uint8.
    train_targets, val_targets
        ``(N, 7)`` float32, each row a distribution over the classes: what the loss compares with.
    train_labels, val_labels
        ``(N,)`` int64.
    """

    train_images: NDArray[np.uint8]
    train_targets: NDArray[np.float32]
    train_labels: NDArray[np.int64]
    val_images: NDArray[np.uint8]
    val_targets: NDArray[np.float32]
    val_labels: NDArray[np.int64]


@dataclass
class Run:
    """A trained network: the weights kept are already in `network.model`."""

    network: Network
    recipe: Recipe
    history: list[dict[str, float]]
    kept_epoch: int


def one_hot(labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return ``(N, 7)`` float32 with a one at each label."""
    return np.eye(N_CLASSES, dtype=np.float32)[labels]


def metrics_row(data: TrainingData, probabilities: NDArray[np.float32]) -> dict[str, float]:
    """Return the validation figures of one epoch, as they stand in ``history.csv``.

    The loss is the plain cross-entropy with the targets, whatever the recipe's loss: it is comparable among them.
    """
    confusion = metrics.confusion_matrix(data.val_labels, probabilities.argmax(axis=1))
    return {
        "val_loss": float(metrics.cross_entropies(data.val_targets, probabilities).mean()),
        "val_accuracy": float(metrics.accuracy(confusion)),
        "val_macro_f1": float(metrics.macro_f1(confusion)),
    }


def train(recipe: Recipe, data: TrainingData, directory: Path, *, quiet: bool = False) -> Run:
    """Train by a recipe of protocol ``finetune``; resume if `directory` holds a checkpoint of the same recipe.

    Parameters
    ----------
    recipe
        What to do.
    data
        Images and targets.
    directory
        Receives ``recipe.json``, ``checkpoint.npz``, ``best.npz`` and ``history.csv``.
    quiet
        No progress bar.

    Raises
    ------
    TrainingError
        If the folder holds a run of another recipe or on other data, files of it are missing or damaged, or the network
        cannot be built.
    """
    import keras

    directory.mkdir(parents=True, exist_ok=True)
    claim(directory, recipe)
    keras.utils.set_random_seed(recipe.seed)
    checkpoint = directory / "checkpoint.npz"
    seen = fingerprint(data)
    history = saved_history(checkpoint, seen) if checkpoint.exists() else []
    network = build_network(recipe, recipe.size_in(len(history)))
    if recipe.refitted and not history:
        refit(network, data.train_images, recipe.seed)
    trainer = Trainer(network, recipe, data)
    if history:
        trainer.restore(checkpoint)
        _record(directory, trainer, history)
    for epoch in range(len(history), recipe.epochs):
        if _stopped(history, recipe):
            break
        if recipe.size_in(epoch) != trainer.network.input.height:
            state = trainer.state()
            trainer = Trainer(build_network(recipe, recipe.size_in(epoch)), recipe, data)
            trainer.take(state)
        history.append(trainer.epoch(epoch, quiet=quiet, left=time_left(history, recipe)))
        _save(checkpoint, trainer.state(), {"history": history, "data": seen})
        _record(directory, trainer, history)
    kept = _best(history, recipe)
    network = build_network(replace(recipe, precision="float32"), recipe.build.size)
    path = directory / "best.npz"
    with _reading(path, f"{path} does not hold the weights of the best epoch"), np.load(path) as best:
        found = json.loads(str(best["meta"]))["epoch"]
        if found != kept:
            raise ValueError(f"it has those of epoch {found + 1}, not {kept + 1}; delete {directory} to start anew")
        for index, variable in enumerate(network.model.variables):
            variable.assign(best[f"{index:04d}"])
    return Run(network, recipe, history, kept)


def fingerprint(data: TrainingData) -> dict[str, Any]:
    """Return what tells these images, labels and targets from others, as plain JSON values.

    Of the targets, which may have been computed, it is the sum of squares of each class.
    """
    digest = hashlib.sha256()
    for array in (data.train_images, data.train_labels, data.val_images, data.val_labels):
        digest.update(np.ascontiguousarray(array).tobytes())
    squares = np.square(data.train_targets, dtype=np.float64).sum(axis=0)
    return {"images": digest.hexdigest(), "targets": squares.tolist()}


def _record(directory: Path, trainer: Trainer, history: list[dict[str, float]]) -> None:
    """Write what follows from the last checkpoint: the weights of its epoch if it is the best, and the history."""
    epoch = len(history) - 1
    if _best(history, trainer.recipe) == epoch:
        _save(directory / "best.npz", trainer.kept_weights(), {"epoch": epoch})
    write_history(directory / "history.csv", history)


def time_left(history: list[dict[str, float]], recipe: Recipe) -> str:
    """Return how long the epochs that are left will take, ``"1 h 05 min"``; empty before the first one has ended.

    An epoch counts as long as the last one; at a larger input by the square of its side, as convolutions cost. Early
    stopping may end a run before that.
    """
    if not history:
        return ""
    last = recipe.size_in(len(history) - 1)
    parts = sum((recipe.size_in(epoch) / last) ** 2 for epoch in range(len(history), recipe.epochs))
    hours, minutes = divmod(round(parts * history[-1]["seconds"] / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"


def build_network(recipe: Recipe, size: int) -> Network:
    """Build a recipe's network for inputs of `size` px, with the weights that it starts from.

    Raises
    ------
    TrainingError
        If it cannot be built, or its weights are missing or those of another network.
    """
    import keras

    keras.mixed_precision.set_dtype_policy(recipe.precision)
    try:
        network = build(recipe.architecture, replace(recipe.build, size=size))
    finally:
        keras.mixed_precision.set_dtype_policy("float32")
    if recipe.initial_weights:
        load_weights(network.model, recipe.initial_weights)
    return network


def claim(directory: Path, recipe: Recipe) -> None:
    """Note the recipe in the folder of a run.

    Raises
    ------
    TrainingError
        If the folder holds a run of another recipe.
    """
    path = directory / "recipe.json"
    if not path.exists():
        with replacing(path) as aside:
            aside.write_text(json.dumps(recipe.to_json(), indent=2, sort_keys=True) + "\n")
    # Read, not compared as text: a field that recipes got since then has its default.
    else:
        with _reading(path, f"{path} holds no recipe"):
            found = json.loads(path.read_text())
        if Recipe.from_json(found) != recipe:
            raise TrainingError(f"{directory} holds a run of another recipe. {_ANEW}")


def _comparable(history: list[dict[str, float]], recipe: Recipe) -> range:
    """Return the epochs that were validated at the input size of the last one."""
    return range(recipe.small_epochs if len(history) > recipe.small_epochs else 0, len(history))


def _best(history: list[dict[str, float]], recipe: Recipe) -> int:
    sign, column = (1, "val_accuracy") if recipe.selection == "accuracy" else (-1, "val_loss")
    return max(_comparable(history, recipe), key=lambda i: (sign * history[i][column], -i))


def _stopped(history: list[dict[str, float]], recipe: Recipe) -> bool:
    if not recipe.patience or len(history) <= recipe.small_epochs:
        return False
    best = min(_comparable(history, recipe), key=lambda i: history[i]["val_loss"])
    return len(history) - 1 - best >= recipe.patience


def write_history(path: Path, history: list[dict[str, float]]) -> None:
    """Write ``history.csv``, a line an epoch."""
    with replacing(path) as aside, aside.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(history[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows([{k: f"{v:.6g}" for k, v in row.items()} for row in history])


def _save(path: Path, arrays: dict[str, NDArray[Any]], meta: dict[str, Any]) -> None:
    with replacing(path) as aside, aside.open("wb") as file:
        np.savez(file, meta=np.array(json.dumps(meta)), **arrays)  # type: ignore[arg-type]
        file.flush()
        os.fsync(file.fileno())


def learning_rate(recipe: Recipe, steps: int) -> Any:
    """Return a recipe's learning rate for epochs of `steps` steps: a Keras schedule, or a number that stays."""
    import keras

    if recipe.schedule == "constant":
        return recipe.learning_rate
    total = steps * recipe.epochs
    warmup = int(recipe.warmup * total)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=recipe.learning_rate / 100 if warmup else recipe.learning_rate,
        decay_steps=max(1, total - warmup),
        warmup_target=recipe.learning_rate if warmup else None,
        warmup_steps=warmup,
    )


class Trainer:
    """Steps, epochs and state of one run at one input size."""

    def __init__(self, network: Network, recipe: Recipe, data: TrainingData) -> None:
        import keras
        import tensorflow as tf

        self.network, self.recipe, self.data = network, recipe, data
        self.model = network.model
        self.steps = -(-len(data.train_images) // recipe.batch_size)
        self.optimizer = keras.optimizers.AdamW(
            learning_rate=learning_rate(recipe, self.steps), weight_decay=recipe.weight_decay
        )
        undecayed = [v for v in self.model.trainable_variables if len(v.shape) < 2]
        self.optimizer.exclude_from_weight_decay(var_list=undecayed)
        self.optimizer.build(self.model.trainable_variables)
        self.averaged = [tf.Variable(v.value, trainable=False) for v in self.model.weights] if recipe.ema else []
        self.loss = loss_of(recipe, data.train_labels)
        spec = network.input
        self.mean = tf.constant(spec.mean, tf.float32)
        self.std = tf.constant(spec.std, tf.float32)
        self.step_function = tf.function(self._step, reduce_retracing=True)
        self.forward = tf.function(lambda x: self.model(x, training=False), reduce_retracing=True)

    def _step(self, faces: Any, targets: Any, mix: Any, decay: Any) -> Any:
        import tensorflow as tf

        # The same scaling as preprocessing.preprocess, in the graph, where it costs nothing.
        x = (tf.cast(faces, tf.float32)[..., None] - self.mean) / self.std
        mix_x = mix[:, None, None, None]
        x = mix_x * x + (1 - mix_x) * tf.reverse(x, [0])
        y = mix[:, None] * targets + (1 - mix[:, None]) * tf.reverse(targets, [0])
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(self.loss(y, self.model(x, training=True)))
            penalty = tf.add_n(self.model.losses) if self.model.losses else 0.0
            total = loss + penalty
        gradients = tape.gradient(total, self.model.trainable_variables)
        if self.recipe.clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, self.recipe.clip_norm)
        self.optimizer.apply_gradients(zip(gradients, self.model.trainable_variables, strict=True))
        for average, weight in zip(self.averaged, self.model.weights, strict=bool(self.averaged)):
            average.assign(decay * average + (1 - decay) * tf.cast(weight.value, average.dtype))
        return loss

    def step(self, batch: Batch, done: int) -> Any:
        """Train on a batch after `done` others; return the loss, a tensor."""
        import tensorflow as tf

        # A young average forgets faster, else it would carry the first weights for long.
        decay = min(self.recipe.ema, (1 + done) / (10 + done))
        return self.step_function(*(tf.constant(part) for part in batch), tf.constant(decay, tf.float32))

    def epoch(self, epoch: int, *, quiet: bool, left: str = "") -> dict[str, float]:
        """Train for an epoch, counted from 0, and validate; return its line of ``history.csv``.

        `left` is said beside the progress bar: how long the run will take from here.

        Raises
        ------
        TrainingError
            If the loss is no longer a number.
        """
        from tqdm import tqdm

        started = time.monotonic()
        for index, layer in enumerate(self.model._flatten_layers()):
            generator = getattr(layer, "seed_generator", None)
            if generator is not None:
                generator.state.assign(np.array([self.recipe.seed + index, epoch], np.uint32))
        bar = tqdm(
            self.batches(epoch),
            total=self.steps,
            desc=f"{self.recipe.run_id} {epoch + 1}/{self.recipe.epochs}",
            disable=quiet,
            mininterval=5,
            postfix=f"{left} to go" if left else None,
        )
        losses = [self.step(batch, epoch * self.steps + index) for index, batch in enumerate(bar)]
        row = {"epoch": float(epoch + 1), "train_loss": float(np.mean([float(x) for x in losses]))}
        if not np.isfinite(row["train_loss"]):
            raise TrainingError(f"The loss is no longer a number in epoch {epoch + 1}. Lower the learning rate.")
        row.update(self._validate())
        row["learning_rate"] = float(self.optimizer.learning_rate)
        row["seconds"] = round(time.monotonic() - started, 1)
        if not quiet:
            tqdm.write(" ".join(f"{k} {v:.4g}" for k, v in row.items()))
        return row

    def _validate(self) -> dict[str, float]:
        kept = self.kept_weights()
        own = {f"{i:04d}": np.asarray(v.value) for i, v in enumerate(self.model.variables)}
        self._assign(kept)
        logits = batched(lambda x: np.asarray(self.forward(x)), self.network, self.data.val_images)
        self._assign(own)
        return metrics_row(self.data, softmax(logits))

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Yield batches that one background thread prepares while the step runs."""
        import cv2

        cv2.setNumThreads(1)
        order = np.random.default_rng([self.recipe.seed, epoch]).permutation(len(self.data.train_images))
        ready: queue.Queue[Any] = queue.Queue(PREFETCH)
        closed = threading.Event()

        def put(item: Any) -> None:
            while not closed.is_set():
                try:
                    ready.put(item, timeout=0.2)
                    return
                except queue.Full:
                    continue

        def work() -> None:
            try:
                for step in range(self.steps):
                    if closed.is_set():
                        return
                    put(self._batch(epoch, step, order))
            except Exception as error:
                put(error)

        threading.Thread(target=work, daemon=True).start()
        try:
            for _ in range(self.steps):
                item = ready.get()
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            closed.set()

    def _batch(self, epoch: int, step: int, order: NDArray[np.int64]) -> Batch:
        size = self.recipe.batch_size
        rng = np.random.default_rng([self.recipe.seed, epoch, step])
        # The last batch is filled from the start of the order: one batch shape, one trace.
        chosen = np.take(order, np.arange(step * size, (step + 1) * size), mode="wrap")
        faces = augment(self.data.train_images[chosen], self.network.input.height, self.recipe.augmentation, rng)
        mixing = self.recipe.mixup > 0 and epoch < self.recipe.epochs - self.recipe.mixup_off
        mix = rng.beta(self.recipe.mixup, self.recipe.mixup, size) if mixing else np.ones(size)
        return faces, self.data.train_targets[chosen], mix.astype(np.float32)

    def kept_weights(self) -> dict[str, NDArray[Any]]:
        """Return the weights that are evaluated: the running average where there is one."""
        values = {id(w): np.asarray(w.value) for w in self.model.variables}
        for average, weight in zip(self.averaged, self.model.weights, strict=bool(self.averaged)):
            values[id(weight)] = average.numpy()
        return {f"{i:04d}": values[id(w)] for i, w in enumerate(self.model.variables)}

    def _assign(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        for index, variable in enumerate(self.model.variables):
            variable.assign(arrays[f"{index:04d}"])

    def state(self) -> dict[str, NDArray[Any]]:
        """Return what a checkpoint keeps of network, optimizer and running average; no shape depends on the size."""
        arrays = {f"{i:04d}": np.asarray(v.value) for i, v in enumerate(self.model.variables)}
        arrays |= {f"optimizer_{i:04d}": np.asarray(v.value) for i, v in enumerate(self.optimizer.variables)}
        return arrays | {f"average_{i:04d}": v.numpy() for i, v in enumerate(self.averaged)}

    def take(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what :meth:`state` returned."""
        self._assign(arrays)
        for i, variable in enumerate(self.optimizer.variables):
            variable.assign(arrays[f"optimizer_{i:04d}"])
        for i, average in enumerate(self.averaged):
            average.assign(arrays[f"average_{i:04d}"])

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint.

        Raises
        ------
        TrainingError
            If it is not one of this network.
        """
        with _reading(path, f"The checkpoint {path} does not fit this network"), np.load(path) as saved:
            self.take(saved)


def saved_history(path: Path, seen: Mapping[str, Any]) -> list[dict[str, float]]:
    """Return the history that a checkpoint holds.

    Parameters
    ----------
    path
        The checkpoint.
    seen
        :func:`fingerprint` of the data that the run would go on with.

    Raises
    ------
    TrainingError
        If it is not a checkpoint, or one of a run on other data.
    """
    with _reading(path, f"{path} is not a checkpoint of this program"), np.load(path) as saved:
        meta = json.loads(str(saved["meta"]))
        history: list[dict[str, float]] = meta["history"]
        before = meta.get("data", seen)
        same = before["images"] == seen["images"] and np.allclose(before["targets"], seen["targets"], rtol=1e-5)
    if not same:
        raise TrainingError(
            f"{path.parent} holds a run on other images or targets: FER2013 from another source, or teachers that were "
            f"trained anew since. {_ANEW}"
        )
    return history


@contextmanager
def _reading(path: Path, sentence: str) -> Iterator[None]:
    """Turn what goes wrong while a file of a run is read into a :class:`TrainingError` that begins with `sentence`."""
    try:
        yield
    except FileNotFoundError as error:
        raise TrainingError(f"{sentence}: there is no {path.name}. Copy the whole folder of a run.") from error
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise TrainingError(f"{sentence}: {error}.") from error
