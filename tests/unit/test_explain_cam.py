"""The closed form of Grad-CAM: heads and their gradients, maps worked out by hand, and heads of Keras networks."""

from __future__ import annotations

import itertools
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fer_core import architectures
from fer_core.architectures import BuildOptions, Network
from fer_core.classifier import load_classifier
from fer_core.cli import main
from fer_core.errors import ExplainError, ModelContractError
from fer_core.explain import cam
from fer_core.explain.head import Head, from_network, read_head, write_head
from fer_core.explain.heatmap import direction
from fer_core.labels import EMOTIONS, index_of
from fer_core.preprocessing import InputSpec
from fer_core.registry import HEAD_FILE, ONNX_FILE, OUTPUTS, WEIGHTS_FILE, ModelCard, load_card, write_card
from tests.toy import KERNEL, half_faces, make_toy_model, toy_head

HAPPY, SAD, ANGRY = direction("happy"), direction("sad"), direction("angry")


def some_head(*widths: int, seed: int = 0) -> Head:
    """Return a head of random layers in float64, so that finite differences are exact."""
    rng = np.random.default_rng(seed)
    shapes = list(itertools.pairwise(widths))
    return Head(tuple(rng.normal(size=shape) for shape in shapes), tuple(rng.normal(size=b) for _, b in shapes))


# Heads


def test_logits_of_two_layers_have_a_relu_between_them_and_none_at_the_end():
    first, second = np.array([[1.0, -1.0]]), np.zeros((2, 7))
    second[0, 0], second[1, 1] = 2, -3
    head = Head((first, second), (np.array([0.5, 0.0]), np.arange(7.0)))
    expected = np.tile(np.arange(7.0), (2, 1))
    expected[0, 0] += 2 * 2.5  # relu(2 + 0.5); relu(-2) is nothing
    expected[1, 1] += -3 * 2  # relu(-2 + 0.5) is nothing; relu(2)
    np.testing.assert_allclose(head.logits(np.array([[2.0], [-2.0]])), expected)


@pytest.mark.parametrize("widths", [(5, 7), (5, 9, 7), (5, 9, 6, 7)], ids=["one layer", "two", "three"])
def test_gradient_is_what_a_small_change_of_each_channel_does_to_the_direction(widths):
    head, pooled = some_head(*widths), np.random.default_rng(1).normal(size=(6, 5))
    for asked in (HAPPY, direction("fear", "surprise")):
        expected = np.empty_like(pooled)
        for channel in range(pooled.shape[1]):
            step = np.zeros(pooled.shape[1])
            step[channel] = 1e-6
            expected[:, channel] = (head.logits(pooled + step) - head.logits(pooled - step)) @ asked / 2e-6
        np.testing.assert_allclose(head.gradient(pooled, asked), expected, rtol=1e-5, atol=1e-6)


def test_gradient_takes_a_direction_for_each_face():
    head, pooled = some_head(5, 9, 7), np.random.default_rng(1).normal(size=(2, 5))
    both = head.gradient(pooled, np.stack([HAPPY, SAD]))
    np.testing.assert_allclose(both[0], head.gradient(pooled[:1], HAPPY)[0])
    np.testing.assert_allclose(both[1], head.gradient(pooled[1:], SAD)[0])


@pytest.mark.parametrize(
    ("kernels", "biases", "said"),
    [
        ((), (), "at least one layer"),
        (((3, 7),), (), "each with a kernel and a bias"),
        (((3, 4), (5, 7)), ((4,), (7,)), "do not fit each other"),
        (((3, 7),), ((6,),), "do not fit each other"),
        (((7,),), ((7,),), "do not fit each other"),
        (((3, 8),), ((8,),), "gives 8 numbers; there are 7 classes"),
    ],
)
def test_layers_that_do_not_fit_are_refused(kernels, biases, said):
    with pytest.raises(ValueError, match=said):
        Head(tuple(np.zeros(shape) for shape in kernels), tuple(np.zeros(shape) for shape in biases))


def test_a_redrawn_head_has_the_shape_and_spread_of_the_trained_one_and_other_weights():
    head = Head((np.full((40, 50), 3.0), np.random.default_rng(0).normal(2, 0.5, (50, 7))), (np.ones(50), np.ones(7)))
    drawn = head.randomised(np.random.default_rng(5))
    np.testing.assert_array_equal(drawn.kernels[0], head.kernels[0])  # no spread: nothing to draw
    assert drawn.kernels[1].mean() == pytest.approx(head.kernels[1].mean(), abs=0.1)
    assert drawn.kernels[1].std() == pytest.approx(head.kernels[1].std(), rel=0.15)
    assert abs(np.corrcoef(drawn.kernels[1].ravel(), head.kernels[1].ravel())[0, 1]) < 0.2
    again = head.randomised(np.random.default_rng(5))
    np.testing.assert_array_equal(again.kernels[1], drawn.kernels[1])
    assert drawn.biases is head.biases


# Its file


@pytest.fixture
def card(tmp_path: Path) -> ModelCard:
    return make_toy_model(tmp_path)


def with_file(card: ModelCard, content: bytes) -> ModelCard:
    """Return the card after its head.npz was written anew, by whatever, and the card after it."""
    (card.directory / HEAD_FILE).write_bytes(content)
    return write_card(card)


def test_a_head_is_read_as_it_was_written_with_kernels_rounded_to_half(card):
    head = some_head(5, 9, 7)
    write_head(head, card.directory / HEAD_FILE)
    first = (card.directory / HEAD_FILE).read_bytes()
    read = read_head(write_card(card))
    assert read is not None
    for stored, given in zip(read.kernels, head.kernels, strict=True):
        np.testing.assert_array_equal(stored, given.astype(np.float16).astype(np.float32))
        assert stored.dtype == np.float32
    for stored, given in zip(read.biases, head.biases, strict=True):
        np.testing.assert_array_equal(stored, given.astype(np.float32))
    write_head(head, card.directory / HEAD_FILE)
    assert (card.directory / HEAD_FILE).read_bytes() == first


def test_an_offset_is_kept_and_reaches_every_heat_map(card):
    head = replace(toy_head(KERNEL), offset=0.12)
    write_head(head, card.directory / HEAD_FILE)
    read = read_head(write_card(card))
    assert read is not None
    assert (read.offset, len(read.kernels)) == (0.12, 1)
    assert read.randomised(np.random.default_rng(0)).offset == 0.12
    assert cam.Explainer(SimpleNamespace(card=card), read).heat_map(MAPS[0], ANGRY).offset == 0.12
    for nonsense in (0.5, np.nan):
        with pytest.raises(ValueError, match="less than half a face"):
            replace(head, offset=nonsense)


def test_a_head_that_was_changed_since_the_card_was_written_is_refused(card):
    write_head(toy_head(KERNEL * 2), card.directory / HEAD_FILE)
    with pytest.raises(ModelContractError, match=r"head\.npz is not the file its card was written for"):
        read_head(card)


def npz(path: Path, **arrays: Any) -> bytes:
    np.savez(path, **arrays)
    return path.read_bytes()


def test_a_file_that_is_no_head_is_refused_with_a_sentence(card, tmp_path):
    whole = (card.directory / HEAD_FILE).read_bytes()
    np.save(tmp_path / "array.npy", KERNEL)
    middle = len(whole) // 3
    for content in (
        b"",
        b"no archive",
        b"PK\x03\x04 and nothing more",
        whole[: len(whole) // 2],
        whole[:middle] + bytes(255 - byte for byte in whole[middle : middle + 40]) + whole[middle + 40 :],
        (tmp_path / "array.npy").read_bytes(),
        npz(tmp_path / "a.npz"),
        npz(tmp_path / "b.npz", kernel=KERNEL, bias=np.zeros(7)),
        npz(tmp_path / "c.npz", kernel_0=KERNEL, bias_0=np.zeros(6)),
        npz(tmp_path / "d.npz", kernel_0=KERNEL.T, bias_0=np.zeros(2)),
        npz(tmp_path / "e.npz", kernel_0=np.full((2, 7), "x"), bias_0=np.zeros(7)),
    ):
        with pytest.raises(ModelContractError, match=r"head\.npz of “toy” cannot be used.*Export the model again\."):
            read_head(with_file(card, content))


# The explainer


def test_a_model_without_a_head_says_how_to_get_one(tmp_path):
    card = make_toy_model(tmp_path, head=False)
    assert read_head(card) is None
    with pytest.raises(ExplainError, match=r"without head\.npz.*python -m fer_core export toy"):
        cam.explainer(load_classifier(card))


@pytest.mark.parametrize(
    "other",
    [
        toy_head(KERNEL * 1.1),
        toy_head(bias=np.full(7, 0.1, np.float32)),
        toy_head(np.vstack([KERNEL, KERNEL])),
        some_head(2, 3, 7),
    ],
    ids=["kernel", "bias", "channels", "layers"],
)
def test_the_head_of_another_model_is_refused(card, other):
    write_head(other, card.directory / HEAD_FILE)
    with pytest.raises(ModelContractError, match=r"does not give the logits of its model\.onnx"):
        cam.explainer(load_classifier(write_card(card)))


def test_one_pass_gives_the_scores_of_the_classifier_and_the_maps(tmp_path):
    classifier = load_classifier(make_toy_model(tmp_path, temperature=2.0))
    faces = half_faces((255, 0), (30, 200))
    looked = cam.explainer(classifier).look(faces)
    np.testing.assert_array_equal(looked.proba, classifier.predict_proba(faces))
    np.testing.assert_array_equal(looked.maps, classifier.maps(faces))
    assert looked.proba[0, index_of("happy")] == pytest.approx(np.exp(2) / (np.exp(2) + 6))


# Maps

MAPS = np.stack([[[4, 0], [2, 1]], [[1, 1], [0, 2]]], axis=-1)[np.newaxis].astype(np.float32)
"""Two channels on a grid of 2 x 2."""
TWO = np.zeros((2, 7), np.float32)
TWO[0, index_of("angry")], TWO[1, index_of("angry")] = 4, -8


def test_grad_cam_of_a_grid_of_two_by_two_is_what_paper_and_pencil_give():
    head = toy_head(TWO, np.full(7, 5, np.float32))
    # a quarter of the kernel a cell: 1 x the first channel - 2 x the second
    by_hand = np.array([[[2, -2], [2, -3]]], np.float32)
    np.testing.assert_allclose(cam.weigh(MAPS, head, ANGRY, rectify=False), by_hand)
    np.testing.assert_allclose(cam.weigh(MAPS, head, ANGRY), np.maximum(by_hand, 0))
    np.testing.assert_array_equal(cam.weigh(MAPS, head, SAD), np.zeros((1, 2, 2)))


def test_a_relu_that_is_off_takes_its_channels_out_of_the_map():
    first = np.eye(2, dtype=np.float32)
    second = TWO
    head = Head((first, second), (np.array([0, -1.5], np.float32), np.zeros(7, np.float32)))
    # the second hidden unit gets 1 - 1.5 of the pooled maps, and is off
    np.testing.assert_allclose(cam.weigh(MAPS, head, ANGRY), MAPS[..., 0])


def test_cells_of_a_linear_head_add_up_to_the_logit_without_its_bias():
    rng = np.random.default_rng(2)
    maps = rng.normal(size=(3, 4, 5, 6)).astype(np.float32)
    head = some_head(6, 7)
    for asked in (HAPPY, direction("happy", "sad")):
        cells = cam.weigh(maps, head, asked, rectify=False).sum(axis=(1, 2))
        logits = head.logits(maps.mean(axis=(1, 2))) - head.biases[0]
        np.testing.assert_allclose(cells, logits @ asked, rtol=1e-4)


def test_why_a_rather_than_b_is_the_reverse_of_why_b_rather_than_a():
    maps = np.random.default_rng(2).normal(size=(3, 4, 5, 6)).astype(np.float32)
    head = some_head(6, 8, 7)
    one = cam.weigh(maps, head, direction("happy", "sad"), rectify=False)
    other = cam.weigh(maps, head, direction("sad", "happy"), rectify=False)
    np.testing.assert_allclose(one, -other, atol=1e-6)
    apart = cam.weigh(maps, head, HAPPY, rectify=False) - cam.weigh(maps, head, SAD, rectify=False)
    np.testing.assert_allclose(one, apart, atol=1e-5)
    assert np.abs(one).max() > 0.1


def test_each_face_of_a_batch_gets_the_map_of_its_own_direction():
    maps = np.repeat(MAPS, 2, axis=0)
    head = toy_head(np.eye(7, dtype=np.float32)[:2] * 4)  # the first channel is for angry, the second for disgust
    both = cam.weigh(maps, head, np.eye(7, dtype=np.float32)[:2])
    np.testing.assert_allclose(both[0], MAPS[0, ..., 0])
    np.testing.assert_allclose(both[1], MAPS[0, ..., 1])


def test_the_toys_map_for_happy_is_the_left_half_and_for_sad_the_right(card):
    explainer = cam.explainer(load_classifier(card))
    maps = explainer.look(half_faces((204, 102))).maps[0]
    for asked, inside, grey in ((HAPPY, slice(0, 3), 0.8), (SAD, slice(3, 6), 0.4)):
        heat = explainer.heat_map(maps, asked)
        expected = np.zeros((6, 6))
        expected[:, inside] = grey * 8 / 36
        np.testing.assert_allclose(heat.values, expected, rtol=1e-5)
        assert (heat.method, heat.layer, heat.signed, heat.grid) == ("grad_cam", "maps", False, (6, 6))
    contrast = explainer.heat_map(maps, direction("happy", "sad"), signed=True)
    assert contrast.signed
    np.testing.assert_allclose(contrast.values[0], np.array([0.8, 0.8, 0.8, -0.4, -0.4, -0.4]) * 8 / 36, rtol=1e-5)
    assert explainer.heat_map(maps, ANGRY).dead


def test_a_card_that_names_no_layer_gives_maps_without_one(tmp_path):
    explainer = cam.explainer(load_classifier(make_toy_model(tmp_path, cam_layers=())))
    assert explainer.layer == ""


# Heads of Keras networks


def build(options: BuildOptions, between: str = "", after: str = "", last: str | None = None) -> Network:
    """Build a network of one convolution; `between` maps and pooling, or `after` pooling, may stand a layer more."""
    import keras
    from keras import layers

    from fer_core.architectures.common import add_head

    image = keras.Input((options.size, options.size, 1))
    maps = layers.Conv2D(4, 5, strides=4, activation="relu", name="maps")(image)
    if between:
        maps = getattr(layers, between)()(maps)
    if after or last:
        pooled = layers.GlobalAveragePooling2D(name="pool")(maps)
        x = getattr(layers, after)()(pooled) if after else pooled
        logits, embedding = layers.Dense(7, name="logits", activation=last)(x), "pool"
    else:
        logits, embedding = add_head(maps, options)
    return Network(
        model=keras.Model(image, logits),
        input=InputSpec(height=options.size, width=options.size, channels=1, mean=(128.0,), std=(64.0,)),
        maps_layer="maps",
        pool_layer="pool",
        embedding_layer=embedding,
        cam_layers=("maps",),
    )


@pytest.mark.train
@pytest.mark.parametrize(("kind", "layers"), [("linear", 1), ("report", 3)])
def test_the_head_of_a_keras_network_gives_its_logits(kind, layers):
    import keras

    keras.utils.set_random_seed(1)
    network = build(BuildOptions(size=24, head=kind, dropout=0.5))
    head = from_network(network)
    assert head is not None
    assert len(head.kernels) == layers
    faces = np.random.default_rng(0).normal(size=(3, 24, 24, 1)).astype(np.float32)
    maps = keras.Model(network.model.input, network.model.get_layer("maps").output)(faces)
    pooled = np.asarray(maps).mean(axis=(1, 2))
    np.testing.assert_allclose(head.logits(pooled), np.asarray(network.model(faces)), atol=1e-5)


@pytest.mark.train
@pytest.mark.parametrize(
    "more",
    [
        {"between": "BatchNormalization"},
        {"between": "ReLU"},
        {"after": "BatchNormalization"},
        {"last": "softmax"},
    ],
    ids=["normalised maps", "rectified maps", "normalised embedding", "probabilities"],
)
def test_networks_that_end_otherwise_have_no_head(more):
    assert from_network(build(BuildOptions(size=24), **more)) is None


@pytest.mark.train
def test_normalisation_between_maps_and_pooling_leaves_a_network_without_a_head():
    from tests import toy_network

    assert from_network(toy_network.build(BuildOptions(size=24))) is None


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelCard:
    """A folder that holds Keras weights only."""
    from fer_core.training.export import round_to_half, save_weights

    monkeypatch.setitem(architectures.TABLE, "toy", __name__)
    options = BuildOptions(size=24)
    network = architectures.build("toy", options)
    card = make_toy_model(tmp_path, onnx=False, input=network.input, outputs=(), training={"build": asdict(options)})
    round_to_half(network.model)
    save_weights(network.model, card.directory / WEIGHTS_FILE)
    return write_card(card)


@pytest.mark.train
def test_export_writes_the_graph_and_a_head_that_belongs_to_it(trained, tmp_path, capsys):
    assert main(["export", "toy", "--models", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "toy: model.onnx and head.npz written from model.weights.h5\n"
    card = load_card(trained.directory, verify=True)
    assert card.outputs == OUTPUTS
    explainer = cam.explainer(load_classifier(card))
    first = (card.directory / HEAD_FILE).read_bytes()
    graph = card.files[ONNX_FILE]
    (card.directory / HEAD_FILE).unlink()
    write_card(card)
    assert main(["export", "toy", "--only", "head", "--models", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "toy: head.npz written from model.weights.h5\n"
    assert (card.directory / HEAD_FILE).read_bytes() == first
    card = load_card(trained.directory, verify=True)
    assert card.files[ONNX_FILE] == graph
    assert len(explainer.head.kernels) == len(read_head(card).kernels) == 1


@pytest.mark.train
def test_export_of_a_network_without_a_head_writes_none(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(architectures.TABLE, "toy", "tests.toy_network")
    from fer_core.training.export import save_weights

    save_weights(architectures.build("toy", BuildOptions(size=24)).model, trained.directory / WEIGHTS_FILE)
    write_card(replace(trained))
    assert main(["export", "toy", "--only", "head", "--models", str(tmp_path)]) == 0
    assert "nothing written" in capsys.readouterr().out
    assert not (trained.directory / HEAD_FILE).exists()


@pytest.mark.train
def test_export_needs_weights(card, tmp_path, capsys):
    assert main(["export", "toy", "--models", str(tmp_path)]) == 2
    assert "comes without model.weights.h5" in capsys.readouterr().err


def test_the_toys_head_is_for_the_classes_of_its_docstring():
    assert {EMOTIONS[k] for k in np.flatnonzero(KERNEL.any(axis=0))} == {"happy", "sad"}
