"""Every network of the table: a flat graph, seven logits, and the layers that serving and explanation name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fer_core import architectures
from fer_core.architectures import TABLE, BuildOptions, build
from fer_core.errors import TrainingError
from fer_core.training.recipe import RECIPES

CASES = [(a, n) for a, recipes in sorted(RECIPES.items()) for n in sorted(recipes)]


def test_every_recipe_has_a_network_and_every_network_with_recipes_both() -> None:
    assert set(RECIPES) <= set(TABLE)
    for recipes in RECIPES.values():
        assert {"report", "improved"} <= set(recipes)


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
