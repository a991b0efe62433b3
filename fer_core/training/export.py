"""From a trained network to a model folder: weights, ONNX graph, predictions, card."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_core.data.fer2013 import Fer2013
from fer_core.errors import TrainingError
from fer_core.evaluation import calibration, predictions
from fer_core.explain.head import from_network, write_head
from fer_core.labels import EMOTIONS
from fer_core.registry import (
    ATLAS_FILE,
    HEAD_FILE,
    HISTORY_FILE,
    LEDGER_FILE,
    MIRROR_FILE,
    ONNX_FILE,
    OUTPUTS,
    PREDICTIONS_FILE,
    WEIGHTS_FILE,
    ModelCard,
    write_card,
)
from fer_core.scores import softmax
from fer_core.training.inference import predict_logits
from fer_core.training.loop import Run
from fer_core.training.shrink import shrink, stored_kernels
from fer_core.whatif import best_tau, training_priors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fer_core.architectures import Network

OPSET = 17


@dataclass(frozen=True)
class Words:
    """What a card says beyond the numbers."""

    name: str
    summary: str
    license: str
    notice: str


def round_to_half(model: Any) -> None:
    """Round every kernel to float16, in place.

    What is shipped is float16; rounding before the predictions are made keeps card, graph and weights one model.
    Biases and normalisation statistics stay float32: they are small, and a running variance may be below float16.
    """
    for variable in model.weights:
        if len(variable.shape) >= 2:
            variable.assign(np.asarray(variable.value).astype(np.float16).astype(np.float32))


def save_weights(model: Any, path: Path) -> None:
    """Write Keras weights with the kernels as float16; ``model.load_weights(path)`` reads them.

    Not compressed: the graph reads the kernels from this file (:mod:`fer_core.training.shrink`).

    Raises
    ------
    TrainingError
        If `path` does not end in ``.weights.h5``, as Keras demands.
    """
    import h5py

    if not path.name.endswith(".weights.h5"):
        raise TrainingError(f"{path.name} must end in .weights.h5.")
    full = path.with_name(".full.weights.h5")
    model.save_weights(full)
    with h5py.File(full) as source, h5py.File(path, "w") as target:

        def copy(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                half = item.ndim >= 2 and item.dtype == np.float32
                target.create_dataset(name, data=item[()].astype(np.float16) if half else item[()])
            else:
                group = target.require_group(name)
                for key, value in item.attrs.items():
                    group.attrs[key] = value

        source.visititems(copy)
        for key, value in source.attrs.items():
            target.attrs[key] = value
    full.unlink()


def to_onnx(network: Network, path: Path) -> None:
    """Write the network as ONNX with the outputs ``logits``, ``embedding`` and ``maps``.

    Its kernels are those of the file :data:`WEIGHTS_FILE` in the same folder, which must have been written before
    (:func:`save_weights`) and must stay there.
    """
    import keras
    import tensorflow as tf
    import tf2onnx

    model = network.model
    outputs = {
        "logits": model.output,
        "embedding": model.get_layer(network.embedding_layer).output,
        "maps": model.get_layer(network.maps_layer).output,
    }
    serving = keras.Model(model.input, outputs)
    spec = network.input
    signature = [tf.TensorSpec((None, spec.height, spec.width, spec.channels), tf.float32, name="input")]
    function = tf.function(lambda x: serving(x, training=False), input_signature=signature)
    graph, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=OPSET)
    shrink(graph, stored_kernels(path.with_name(WEIGHTS_FILE)), WEIGHTS_FILE)
    path.write_bytes(graph.SerializeToString(deterministic=True))


def adjust(network: Network, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> float:
    """Help rare classes by the network's last bias, in place, and return tau (see `adjusted` of a recipe).

    Parameters
    ----------
    network
        Its layer ``logits`` gets another bias.
    images, labels
        ``(N, 48, 48)`` uint8 and ``(N,)`` int64 of validation, on which tau is chosen.
    """
    logits = predict_logits(network, images)
    temperature = calibration.fit_temperature(labels, logits)
    tau = best_tau(labels, softmax(logits / temperature))
    # The adjustment is one of calibrated logits; the card divides by the temperature again.
    network.model.get_layer("logits").bias.assign_sub(temperature * tau * np.log(training_priors()))
    return tau


def export(
    run: Run,
    dataset: Fer2013,
    splits: NDArray[np.str_],
    val_targets: NDArray[np.float32],
    directory: Path,
    history: Path | None,
    words: Words,
) -> ModelCard:
    """Write a model folder.

    Parameters
    ----------
    run
        The trained network; its kernels are rounded to float16.
    dataset, splits
        FER2013 and the split of each image: validation and test images are predicted.
    val_targets
        ``(N, 7)`` float32, what the loss compared the validation images with: the temperature is fitted to it.
    directory
        ``models/<id>``; created or written over.
    history
        The run's ``history.csv``; None for weights that were not trained but averaged.
    words
        Name, summary, licence and notice.

    Returns
    -------
    ModelCard
        As it stands in the folder. Its metrics are those of the stored predictions.
    """
    from fer_core.evaluation.command import card_metrics

    directory.mkdir(parents=True, exist_ok=True)
    network = run.network
    round_to_half(network.model)
    for name in (WEIGHTS_FILE, ONNX_FILE, HEAD_FILE, ATLAS_FILE, LEDGER_FILE, HISTORY_FILE):
        (directory / name).unlink(missing_ok=True)  # of an earlier export: another network's
    on_val = np.flatnonzero(splits == "val")
    tau = adjust(network, np.asarray(dataset.images[on_val]), dataset.labels[on_val]) if run.recipe.adjusted else None
    whole = run.recipe.ships == "all"
    if whole:
        save_weights(network.model, directory / WEIGHTS_FILE)
        to_onnx(network, directory / ONNX_FILE)
        head = from_network(network)
        if head is not None:
            write_head(head, directory / HEAD_FILE)
    if history is not None:
        shutil.copyfile(history, directory / HISTORY_FILE)

    parts = ("val", "public", "private")
    rows = np.concatenate([np.flatnonzero(splits == part) for part in parts])
    images = np.asarray(dataset.images[rows])
    plain, mirrored = predict_logits(network, images), predict_logits(network, images[:, :, ::-1])
    temperature = round(calibration.fit_temperature(val_targets, plain[splits[rows] == "val"]), 6)
    stored = predictions.Predictions(
        dataset.names[rows], splits[rows], dataset.labels[rows], softmax(plain / temperature)
    )
    predictions.write(directory / PREDICTIONS_FILE, stored)
    predictions.write(directory / MIRROR_FILE, replace(stored, proba=softmax(mirrored / temperature)))

    recipe = run.recipe.to_json()
    # A weights file is named, not located: where it lies is of one machine only. A model's own is named by its folder.
    recipe["build"]["backbone_weights"] = Path(recipe["build"]["backbone_weights"]).name
    initial = Path(recipe["initial_weights"])
    recipe["initial_weights"] = f"{initial.parent.name}/{initial.name}" if initial.name else ""
    return write_card(
        ModelCard(
            directory=directory,
            id=directory.name,
            name=words.name,
            summary=words.summary,
            architecture=run.recipe.architecture,
            labels=EMOTIONS,
            input=network.input,
            outputs=OUTPUTS if whole else (),
            cam_layers=network.cam_layers if whole else (),
            temperature=temperature,
            files={},
            metrics=card_metrics(stored),
            training=recipe
            | {"kept_epoch": run.kept_epoch + 1, "epochs_run": len(run.history)}
            | ({} if tau is None else {"tau": tau}),
            parameters=int(network.model.count_params()),
            license=words.license,
            notice=words.notice,
        )
    )
