"""Every network of the table: a flat graph, seven logits, and the layers that serving and explanation name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fer_core import architectures
from fer_core.architectures import TABLE, BuildOptions, build
from fer_core.architectures.face_resnet import read_manifest
from fer_core.errors import TrainingError
from fer_core.evaluation import report_deck
from fer_core.training.recipe import RECIPES

CASES = [(a, n) for a, recipes in sorted(RECIPES.items()) for n in sorted(recipes)]


def test_every_recipe_has_a_network_and_every_network_of_the_report_both_recipes() -> None:
    assert set(RECIPES) <= set(TABLE)
    for architecture in report_deck.ARCHITECTURES.values():
        assert {"report", "improved"} <= set(RECIPES[architecture])


@pytest.mark.train
@pytest.mark.parametrize(("architecture", "recipe"), CASES)
def test_network_is_flat_and_gives_seven_logits(architecture: str, recipe: str) -> None:
    import keras

    options = RECIPES[architecture][recipe].with_overrides(backbone_weights="none").build
    network = build(architecture, options)
    spec = network.input
    assert network.model.input_shape == (None, spec.height, spec.width, spec.channels)
    assert network.model.output_shape == (None, 7)
    assert not any(isinstance(layer, keras.Model) for layer in network.model.layers)
    assert len(network.model.get_layer(network.maps_layer).output.shape) == 4
    assert len(network.model.get_layer(network.embedding_layer).output.shape) == 2
    assert network.cam_layers[0] == network.maps_layer
    for layer in network.cam_layers:
        assert len(network.model.get_layer(layer).output.shape) == 4


@pytest.mark.train
def test_custom_cnn_stays_within_two_million_parameters() -> None:
    network = build("custom_cnn", RECIPES["custom_cnn"]["improved"].build)
    assert network.model.count_params() <= 2_000_000


@pytest.mark.train
def test_normalised_vgg16_keeps_the_backbone_weights_and_the_names_of_layers(tmp_path: Path) -> None:
    import keras

    backbone = keras.applications.VGG16(weights=None, include_top=False, input_shape=(32, 32, 3))
    path = tmp_path / "backbone.weights.h5"
    backbone.save_weights(path)
    options = BuildOptions(size=32, backbone_weights=str(path))
    plain, normalised = build("vgg16", options), build("vgg16", replace(options, normalised=True))
    assert (normalised.maps_layer, normalised.cam_layers) == (plain.maps_layer, plain.cam_layers)
    for name in ("block1_conv1", "block5_conv3"):
        kernel = normalised.model.get_layer(f"{name}_linear").kernel
        np.testing.assert_array_equal(kernel, backbone.get_layer(name).kernel)
        assert plain.model.get_layer(name).output.shape == normalised.model.get_layer(name).output.shape
    norms = [layer for layer in normalised.model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert len(norms) == 13


def test_unknown_network_is_refused() -> None:
    with pytest.raises(TrainingError, match="alexnet"):
        build("alexnet", BuildOptions())


@pytest.mark.train
def test_wrong_weights_are_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no weights file"):
        build("mobilenet", BuildOptions(size=32, backbone_weights=str(tmp_path / "absent.weights.h5")))
    foreign = tmp_path / "foreign.weights.h5"
    foreign.write_bytes(b"nothing")
    with pytest.raises(TrainingError, match="do not fit"):
        build("mobilenet", BuildOptions(size=32, backbone_weights=str(foreign)))
    with pytest.raises(TrainingError, match="no layer 'block9'"):
        build("mobilenet", BuildOptions(size=32, cut="block9"))
    with pytest.raises(TrainingError, match="from scratch"):
        build("custom_cnn", BuildOptions(size=48, backbone_weights="imagenet"))


@pytest.mark.train
def test_a_network_is_added_by_one_file_and_one_table_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(architectures.TABLE, "toy", "tests.toy_network")
    network = build("toy", BuildOptions(size=24))
    logits = network.model(np.zeros((2, 24, 24, 1), np.float32))
    assert logits.shape == (2, 7)


@pytest.mark.train
def test_mobilenet_of_output_stride_16_sees_what_it_saw_and_between(tmp_path: Path) -> None:
    import keras

    options = BuildOptions(size=64)
    plain, dense = build("mobilenet", options), build("mobilenet", replace(options, output_stride=16))
    plain.model.save_weights(tmp_path / "plain.weights.h5")
    dense.model.load_weights(tmp_path / "plain.weights.h5")
    image = np.random.default_rng(0).uniform(-1, 1, (1, 64, 64, 3)).astype(np.float32)
    coarse, fine = (
        np.asarray(keras.Model(n.model.input, n.model.get_layer(n.maps_layer).output)(image)) for n in (plain, dense)
    )
    assert (coarse.shape, fine.shape) == ((1, 2, 2, 1024), (1, 4, 4, 1024))
    # The published network pads a stride to the right and below: its first cell is the second one of the finer grid.
    np.testing.assert_allclose(fine[:, 1, 1], coarse[:, 0, 0], rtol=1e-4, atol=1e-5)
    with pytest.raises(TrainingError, match="output stride of MobileNet is 8"):
        build("mobilenet", replace(options, output_stride=8))


def write_manifest(folder: Path, tensors: dict[str, np.ndarray], *, cut_short: int = 0) -> Path:
    """Write a TensorFlow.js manifest and its bytes: tensors of uint8 mean half of their value less one."""
    weights, data = [], b""
    for name, values in tensors.items():
        entry: dict[str, object] = {"name": name, "shape": list(values.shape), "dtype": "float32"}
        if values.dtype == np.uint8:
            entry["quantization"] = {"dtype": "uint8", "scale": 0.5, "min": -1.0}
        weights.append(entry)
        data += values.tobytes()
    (folder / "weights.bin").write_bytes(data[: len(data) - cut_short])
    path = folder / "manifest.json"
    path.write_text(json.dumps([{"paths": ["weights.bin"], "weights": weights}]))
    return path


def test_a_manifest_is_read_with_and_without_quantization(tmp_path: Path) -> None:
    tensors = {"a": np.array([[0, 1], [2, 255]], np.uint8), "b": np.array([0.25, -3], np.float32)}
    read = read_manifest(write_manifest(tmp_path, tensors))
    np.testing.assert_array_equal(read["a"], [[-1, -0.5], [0, 126.5]])
    np.testing.assert_array_equal(read["b"], [0.25, -3])
    assert read["a"].dtype == read["b"].dtype == np.float32
    with pytest.raises(ValueError, match="buffer"):
        read_manifest(write_manifest(tmp_path, tensors, cut_short=1))


@pytest.fixture(scope="module")
def published() -> dict[str, np.ndarray]:
    """Return tensors of the names and shapes of the published face ResNet, with its last block."""
    rng = np.random.default_rng(0)
    shapes = {"conv32_down": (7, 3, 32)}
    for before, filters, blocks in ((32, 32, "123"), (32, 64, "d123"), (64, 128, "d12"), (128, 256, "d12")):
        for block in blocks:
            name = f"conv{filters}_{'down' if block == 'd' else block}"
            shapes[f"{name}/conv1"] = (3, before if block == "d" else filters, filters)
            shapes[f"{name}/conv2"] = (3, filters, filters)
    tensors: dict[str, np.ndarray] = {"fc": np.zeros((256, 128), np.float32)}
    for name, (side, channels, filters) in shapes.items():
        scale = (side * side * channels) ** -0.5
        tensors[f"{name}/conv/filters"] = rng.normal(0, scale, (side, side, channels, filters)).astype(np.float32)
        for part, centre in (("conv/bias", 0), ("scale/weights", 1), ("scale/biases", 0)):
            tensors[f"{name}/{part}"] = rng.normal(centre, 0.3, filters).astype(np.float32)
    return tensors


@pytest.mark.train
def test_face_resnet_computes_what_was_published(published: dict[str, np.ndarray], tmp_path: Path) -> None:
    import keras
    import tensorflow as tf

    network = build("face_resnet", BuildOptions(size=64, backbone_weights=str(write_manifest(tmp_path, published))))
    image = np.random.default_rng(1).uniform(-0.5, 0.5, (2, 64, 64, 3)).astype(np.float32)

    def convolved(x: tf.Tensor, name: str, stride: int = 1, dilation: int = 1) -> tf.Tensor:
        x = tf.nn.conv2d(x, published[f"{name}/conv/filters"], stride, "SAME", dilations=dilation)
        return (x + published[f"{name}/conv/bias"]) * published[f"{name}/scale/weights"] + published[
            f"{name}/scale/biases"
        ]

    def block(x: tf.Tensor, name: str, stride: int = 1, dilations: tuple[int, int] = (1, 1)) -> tf.Tensor:
        inner = tf.nn.relu(convolved(x, f"{name}/conv1", stride, dilations[0]))
        inner = convolved(inner, f"{name}/conv2", 1, dilations[1])
        pooled = tf.nn.avg_pool2d(x, 2, 2, "VALID") if stride == 2 else x
        missing = inner.shape[-1] - x.shape[-1]
        return tf.nn.relu(inner + tf.pad(pooled, [[0, 0]] * 3 + [[0, missing]]))

    x = tf.nn.max_pool2d(tf.nn.relu(convolved(image, "conv32_down", 2)), 3, 2, "SAME")
    for name in ("conv32_1", "conv32_2", "conv32_3"):
        x = block(x, name)
    for filters, count in ((64, 3), (128, 2)):
        x = block(x, f"conv{filters}_down", 2)
        for number in range(count):
            x = block(x, f"conv{filters}_{number + 1}")
    x = block(x, "conv256_down", 1, (1, 2))
    for name in ("conv256_1", "conv256_2"):
        x = block(x, name, 1, (2, 2))
    maps = keras.Model(network.model.input, network.model.get_layer(network.maps_layer).output)(image)
    assert maps.shape == (2, 4, 4, 256)
    assert float(tf.reduce_max(x)) > 1
    np.testing.assert_allclose(maps, x, rtol=1e-3, atol=1e-3)


@pytest.mark.train
def test_face_resnet_refuses_other_weights_with_a_sentence(published: dict[str, np.ndarray], tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="@vladmandic/face-api"):
        build("face_resnet", BuildOptions(size=32, backbone_weights="imagenet"))
    whole = write_manifest(tmp_path, published).read_text()
    for damaged in ("[", whole.replace("weights.bin", "absent.bin"), whole.replace("conv64_2/conv1", "conv64_9/conv1")):
        path = tmp_path / "damaged.json"
        path.write_text(damaged)
        with pytest.raises(TrainingError, match="do not fit"):
            build("face_resnet", BuildOptions(size=32, backbone_weights=str(path)))
    with pytest.raises(TrainingError, match="no cut"):
        build("face_resnet", BuildOptions(size=32, cut="conv64_3"))
