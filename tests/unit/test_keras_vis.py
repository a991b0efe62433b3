"""Heat maps by tf-keras-vis: they find what was planted, keep their units, and leave the model alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from fer_core.classifier import load_classifier
from fer_core.errors import ExplainError
from fer_core.explain import keras_vis
from fer_core.explain.heatmap import direction
from fer_core.explain.keras_vis import METHODS
from fer_core.preprocessing import preprocess
from fer_core.registry import WEIGHTS_FILE, ModelCard, load_card
from fer_core.settings import ROOT
from tests import toy_explain as toy

CAM_METHODS = [key for key, method in METHODS.items() if method.needs_layer]
FLAGSHIP = ROOT / "models" / "mobilenet-flagship"


@pytest.fixture
def card() -> ModelCard:
    return load_card(FLAGSHIP)


def test_reading_what_methods_there_are_imports_no_tensorflow() -> None:
    code = "import json, sys, fer_core.explain.keras_vis; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=os.environ, capture_output=True, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert not loaded & {"tensorflow", "keras", "tf_keras_vis", "scipy", "cv2", "onnxruntime", "streamlit"}


@pytest.mark.parametrize("key", METHODS)
def test_every_method_says_what_it_is_in_a_sentence_and_where_it_was_published(key: str) -> None:
    method = METHODS[key]
    assert method.about.endswith(".")
    assert "arXiv" in method.paper


@pytest.mark.train
@pytest.mark.parametrize("key", METHODS)
@pytest.mark.parametrize(
    ("asked", "square"),
    [
        (toy.CLASSES[0], toy.BRIGHT),
        (toy.CLASSES[1], toy.DARK),
        (toy.CLASSES[0] - toy.CLASSES[1], toy.BRIGHT),
        (toy.CLASSES[1] - toy.CLASSES[0], toy.DARK),
    ],
    ids=["bright", "dark", "bright rather than dark", "dark rather than bright"],
)
def test_map_lies_on_the_square_that_drives_the_class(key: str, asked: np.ndarray, square: tuple[slice, slice]) -> None:
    heat = keras_vis.explain(toy.flat(), key, toy.face(), asked, "maps")
    assert heat.method == key
    assert heat.values.dtype == np.float32
    assert heat.grid == ((toy.GRID, toy.GRID) if METHODS[key].needs_layer else (toy.SIDE, toy.SIDE))
    assert heat.layer == ("maps" if METHODS[key].needs_layer else "")
    assert not heat.signed
    assert not heat.dead
    assert heat.values.min() >= 0
    inside = toy.share_inside(heat.values, square)
    if key != "smooth_grad":
        assert inside > 0.9
    elif np.count_nonzero(asked) == 1:
        assert inside > 0.75  # the detector sees a pixel beyond the square's edge
        assert heat.values[square].max() == heat.values.max()
    else:  # both squares move a contrast, in opposite ways, which a magnitude cannot tell
        assert toy.share_inside(heat.values, toy.BRIGHT) + toy.share_inside(heat.values, toy.DARK) > 0.75
        assert min(heat.values[toy.BRIGHT].max(), heat.values[toy.DARK].max()) > 0.9 * heat.values.max()


@pytest.mark.train
def test_maps_are_in_the_units_of_the_formula() -> None:
    model, face, asked = toy.flat(), toy.face(), toy.CLASSES[0] - toy.CLASSES[1]
    maps = keras_vis.feature_maps(model, face, "maps")[0]
    assert maps.shape == (toy.GRID, toy.GRID, 2)
    gradient = np.array([400, -400]) / toy.GRID**2  # of the contrast, the same in each cell under average pooling
    positive = (maps * np.maximum(gradient, 0)).sum(axis=-1)
    expected = {
        "grad_cam": np.maximum((maps * gradient).sum(axis=-1), 0),
        "layer_cam": positive,
        "grad_cam_pp": positive,
    }
    for key, values in expected.items():
        heat = keras_vis.explain(model, key, face, asked, "maps")
        np.testing.assert_allclose(heat.values, values, rtol=1e-4, atol=1e-6)


@pytest.mark.train
def test_grad_cam_looks_at_the_layer_it_was_asked_for_and_not_at_the_convolution_before_it() -> None:
    grids = {
        layer: keras_vis.explain(toy.flat(), "grad_cam", toy.face(), toy.CLASSES[0], layer).grid
        for layer in ("detector", "maps")
    }
    assert grids == {"detector": (toy.SIDE, toy.SIDE), "maps": (toy.GRID, toy.GRID)}


@pytest.mark.train
def test_grad_cam_pp_is_alive_where_its_exponential_would_vanish_or_overflow() -> None:
    for bias in (-200, 200):
        model = toy.flat()
        plain = keras_vis.explain(model, "grad_cam_pp", toy.face(), toy.CLASSES[0], "maps")
        model.get_layer("logits").bias.assign([bias, 0, 0])
        shifted = keras_vis.explain(model, "grad_cam_pp", toy.face(), toy.CLASSES[0], "maps")
        assert not shifted.dead
        np.testing.assert_allclose(shifted.values, plain.values, rtol=1e-4, atol=1e-6)


@pytest.mark.train
@pytest.mark.parametrize("key", ["grad_cam", "grad_cam_pp", "layer_cam"])
def test_a_class_that_every_map_speaks_against_has_a_dead_map(key: str) -> None:
    heat = keras_vis.explain(toy.flat(), key, toy.face(), toy.CLASSES[2], "maps")
    assert heat.dead
    assert not heat.values.any()


@pytest.mark.train
@pytest.mark.parametrize("shape", ["sequential", "nested", "nested sequential", "nested deep"])
def test_any_shape_of_graph_gives_the_maps_of_the_flat_one(shape: str) -> None:
    kind, _, outer = shape.partition(" ")
    model = toy.sequential() if kind == "sequential" else toy.nested(outer or "functional")
    flat = keras_vis.flatten(model)
    faces = np.random.default_rng(0).normal(0, 1, (5, toy.SIDE, toy.SIDE, 1)).astype(np.float32)
    np.testing.assert_allclose(np.asarray(flat(faces)), np.asarray(model(faces)), atol=1e-5)
    assert {"detector", "maps", "pool", "logits"} <= {layer.name for layer in flat.layers}
    for key in METHODS:
        expected = keras_vis.explain(toy.flat(), key, toy.face(), toy.CLASSES[0], "maps")
        for given in (model, flat):
            heat = keras_vis.explain(given, key, toy.face(), toy.CLASSES[0], "maps")
            np.testing.assert_allclose(heat.values, expected.values, rtol=1e-4, atol=1e-5)


@pytest.mark.train
def test_a_flat_model_is_returned_as_it_is_and_a_sequential_one_shares_its_weights() -> None:
    model = toy.flat()
    assert keras_vis.flatten(model) is model
    sequential = toy.sequential()
    flat = keras_vis.flatten(sequential)
    assert flat.get_layer("detector") is sequential.get_layer("detector")


@pytest.mark.train
@pytest.mark.parametrize("shape", ["branched", "bypassed", "arithmetic", "subclassed"])
def test_what_cannot_be_flattened_is_refused_with_a_remedy(shape: str) -> None:
    model = getattr(toy, shape)()
    with pytest.raises(ExplainError, match=rf"“{shape}”.*keras\.Model\(backbone\.input, head\(backbone\.output\)\)"):
        keras_vis.flatten(model)


@pytest.mark.train
def test_a_model_with_two_inputs_is_refused() -> None:
    import keras

    a, b = keras.Input((8, 8, 1)), keras.Input((8, 8, 1))
    with pytest.raises(ExplainError, match="2 inputs"):
        keras_vis.flatten(keras.Model([a, b], keras.layers.Add()([a, b])))


@pytest.mark.train
@pytest.mark.parametrize("shape", ["flat", "sequential", "nested"])
def test_no_method_changes_the_model(shape: str, capfd: pytest.CaptureFixture[str]) -> None:
    model = getattr(toy, shape)()
    before, config = toy.weights_of(model), json.dumps(model.get_config(), default=str)
    calls = [len(layer._inbound_nodes) for layer in model.layers]
    for key in METHODS:
        keras_vis.explain(model, key, toy.face(), toy.CLASSES[0], "maps")
    keras_vis.random_twin(model, 1)
    for old, new in zip(before, toy.weights_of(model), strict=True):
        np.testing.assert_array_equal(old, new)
    assert json.dumps(model.get_config(), default=str) == config
    assert [len(layer._inbound_nodes) for layer in model.layers] == calls
    assert capfd.readouterr().out == ""


@pytest.mark.train
def test_smooth_grad_is_the_library_s_with_noise_that_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    import keras
    import tensorflow as tf
    from tf_keras_vis.saliency import Saliency

    model, face = toy.flat(), toy.face()

    def values(seed: int, samples: int = 7) -> np.ndarray:
        heat = keras_vis.explain(model, "smooth_grad", face, toy.CLASSES[0], smooth_samples=samples, seed=seed)
        return heat.values

    state = np.random.get_state()[1].copy()  # noqa: NPY002 - that the global generator is left alone is what is tested
    np.testing.assert_array_equal(values(3), values(3))
    np.testing.assert_array_equal(state, np.random.get_state()[1])  # noqa: NPY002
    assert np.abs(values(3) - values(4)).max() > 0
    monkeypatch.setattr(np.random, "normal", np.random.default_rng(3).normal)
    theirs = Saliency(keras.Model(model.inputs, model.outputs))(
        lambda logits: tf.reduce_sum(logits * toy.CLASSES[0], axis=-1),
        face,
        smooth_samples=7,
        smooth_noise=keras_vis.SMOOTH_NOISE,
        normalize_map=False,
    )
    np.testing.assert_allclose(values(3), np.asarray(theirs)[0], rtol=1e-4, atol=1e-6)


@pytest.mark.train
def test_score_cam_weighs_by_the_difference_of_probabilities_and_tries_only_the_channels_asked_for() -> None:
    model, face = toy.flat(), toy.face()
    asked = toy.CLASSES[0] - toy.CLASSES[1]
    maps = keras_vis.feature_maps(model, face, "maps")[0]
    one = keras_vis.explain(model, "score_cam", face, asked, "maps", max_channels=1).values
    seen = maps[..., 0] > 0
    weights = one[seen] / maps[seen, 0]  # the larger square's channel varies most, so it is the one that is kept
    np.testing.assert_allclose(weights, weights[0], rtol=1e-4)
    assert 0 < weights[0] <= 1
    assert not one[~seen].any()
    against = keras_vis.explain(model, "score_cam", face, -asked, "maps", max_channels=1)
    assert against.dead
    both = keras_vis.explain(model, "score_cam", face, -asked, "maps", max_channels=64)
    assert toy.share_inside(both.values, toy.DARK) > 0.9


@pytest.mark.train
def test_random_twin_has_learned_nothing_and_leaves_the_original_alone() -> None:
    model = toy.flat()
    before = toy.weights_of(model)
    twin, again, other = (keras_vis.random_twin(model, seed) for seed in (1, 1, 2))
    for old, now, drawn, repeated, different in zip(
        before, *(toy.weights_of(m) for m in (model, twin, again, other)), strict=True
    ):
        np.testing.assert_array_equal(old, now)
        np.testing.assert_array_equal(drawn, repeated)
        if old.ndim >= 2:
            assert not np.isin(drawn, old).any()  # redrawn, not shuffled
            assert not np.isin(drawn, different).any()
        else:
            np.testing.assert_array_equal(drawn, old)  # there is no batch normalisation in it
    assert [layer.name for layer in twin.layers] == [layer.name for layer in model.layers]
    assert np.abs(np.asarray(twin(toy.face())) - np.asarray(model(toy.face()))).max() > 0.1


@pytest.mark.train
def test_unknown_methods_and_layers_are_refused_with_what_there_is() -> None:
    model, face, asked = toy.flat(), toy.face(), toy.CLASSES[0]
    with pytest.raises(ExplainError, match=r"'lime'.*grad_cam, grad_cam_pp"):
        keras_vis.explain(model, "lime", face, asked, "maps")
    for layer in ("", "conv5_block3"):
        with pytest.raises(ExplainError, match=f"no layer '{layer}'.*: maps, detector"):
            keras_vis.explain(model, "grad_cam", face, asked, layer)
    with pytest.raises(ExplainError, match=r"'pool' gives no feature maps.*: maps, detector"):
        keras_vis.explain(model, "score_cam", face, asked, "pool")
    with pytest.raises(ExplainError, match="no layer 'absent'"):
        keras_vis.grid_of(model, "absent")
    with pytest.raises(ExplainError, match="no layer 'absent'"):
        keras_vis.feature_maps(model, face, "absent")


@pytest.mark.train
def test_arrays_that_do_not_fit_are_refused() -> None:
    model, face, asked = toy.flat(), toy.face(), toy.CLASSES[0]
    for wrong in (face[:, :12], np.repeat(face, 2, axis=0), face[0, :, :, 0]):
        with pytest.raises(ValueError, match="one face"):
            keras_vis.explain(model, "grad_cam", wrong, asked, "maps")
    with pytest.raises(ValueError, match="direction"):
        keras_vis.explain(model, "grad_cam", face, np.ones(7, np.float32), "maps")
    with pytest.raises(ValueError, match="at least 1"):
        keras_vis.explain(model, "smooth_grad", face, asked, smooth_samples=0)
    single = keras_vis.explain(model, "grad_cam", face[0], asked, "maps")
    assert single.grid == (toy.GRID, toy.GRID)
    assert keras_vis.feature_maps(model, face[:0], "maps").shape == (0, toy.GRID, toy.GRID, 2)
    with pytest.raises(ValueError, match="at least 1"):
        keras_vis.explain(model, "score_cam", face, asked, "maps", max_channels=0)


@pytest.mark.train
def test_default_layer_is_the_deepest_that_is_fine_enough() -> None:
    import keras

    image = keras.Input((32, 32, 1))
    x = image
    for name in ("sixteen", "eight", "four", "two"):
        x = keras.layers.Conv2D(2, 3, strides=2, padding="same", name=name)(x)
    model = keras.Model(image, keras.layers.Dense(7)(keras.layers.GlobalAveragePooling2D()(x)))
    assert keras_vis.grid_of(model, "eight") == (8, 8)
    assert keras_vis.default_layer(model, ("two", "four", "eight", "sixteen")) == "eight"
    assert keras_vis.default_layer(model, ("two", "four")) == "four"
    with pytest.raises(ExplainError, match="declares no layers"):
        keras_vis.default_layer(model, ())
    with pytest.raises(ExplainError, match="no layer 'thirty'"):
        keras_vis.default_layer(model, ("two", "thirty"))


@pytest.mark.train
def test_a_committed_model_says_in_keras_what_it_says_in_onnx_and_can_be_explained(card: ModelCard) -> None:
    network = keras_vis.load_network(card)
    faces = np.random.default_rng(0).integers(0, 256, (4, 48, 48), dtype=np.uint8)
    inputs = preprocess(faces, card.input)
    logits = np.asarray(network(inputs, training=False))
    np.testing.assert_allclose(load_classifier(card).logits(faces), logits, atol=1e-4)
    layer = keras_vis.default_layer(network, card.cam_layers)
    assert layer == "conv_pw_11_relu"
    assert keras_vis.grid_of(network, layer) == (6, 6)
    for key, method in METHODS.items():
        # Score-CAM of a contrast may be dead: it is one of probabilities, and these are of noise.
        asked = direction("disgust") if key == "score_cam" else direction("disgust", "angry")
        heat = keras_vis.explain(network, key, inputs[:1], asked, layer, smooth_samples=6, max_channels=8)
        assert heat.grid == ((6, 6) if method.needs_layer else (96, 96))
        assert np.isfinite(heat.values).all()
        assert not heat.dead


@pytest.mark.train
def test_random_twin_normalises_what_it_receives_and_is_the_same_every_time() -> None:
    model = toy.normalised()
    before = toy.weights_of(model)
    twin, again = keras_vis.random_twin(model, 5), keras_vis.random_twin(model, 5)
    for old, now in zip(before, toy.weights_of(model), strict=True):
        np.testing.assert_array_equal(old, now)
    for one, other in zip(toy.weights_of(twin), toy.weights_of(again), strict=True):
        np.testing.assert_array_equal(one, other)
    for name in ("normal_1", "normal_2"):
        own, drawn = model.get_layer(name), twin.get_layer(name)
        np.testing.assert_array_equal(drawn.gamma, own.gamma)
        np.testing.assert_array_equal(drawn.beta, own.beta)
        assert not np.isclose(drawn.moving_variance, own.moving_variance).any()
        assert (drawn.trainable, drawn.momentum) == (own.trainable, own.momentum)
    assert twin.get_layer("dropout").rate == 0.5
    # Pictures are as strong as what the original remembers, so the first layer receives about as much as it did.
    total = [float(np.sum(net.get_layer("normal_1").moving_variance)) for net in (model, twin)]
    assert 0.1 < total[1] / total[0] < 10


@pytest.mark.train
@pytest.mark.parametrize("model_id", ["mobilenet-flagship", "mobilenet-report"])
def test_random_twin_of_a_committed_model_still_tells_pictures_apart(model_id: str) -> None:
    card = load_card(ROOT / "models" / model_id)
    network = keras_vis.load_network(card)
    before = toy.weights_of(network)
    twin = keras_vis.random_twin(network, 0)
    for old, now in zip(before, toy.weights_of(network), strict=True):
        np.testing.assert_array_equal(old, now)
    coarse = np.random.default_rng(0).integers(0, 256, (8, 6, 6), dtype=np.uint8)
    inputs = preprocess(coarse, card.input)  # smooth pictures that differ, as faces do
    logits = np.asarray(twin(inputs, training=False))
    # With trained means and variances these differ by a thousandth of their size, or by nothing at all.
    assert logits.std(axis=0).mean() > 0.05 * np.abs(logits).mean()
    assert 0.1 < np.abs(logits).max() < 100
    layer = keras_vis.default_layer(twin, card.cam_layers)
    asked = direction("happy")
    maps = [keras_vis.explain(twin, "layer_cam", face, asked, layer) for face in inputs[:2]]
    assert not any(heat.dead for heat in maps)
    assert np.corrcoef(maps[0].values.ravel(), maps[1].values.ravel())[0, 1] < 0.99


def test_models_that_cannot_be_built_are_refused_with_a_sentence(card: ModelCard) -> None:
    bare = replace(card, files={name: entry for name, entry in card.files.items() if name != WEIGHTS_FILE})
    with pytest.raises(ExplainError, match=r"mobilenet-flagship.*without model\.weights\.h5"):
        keras_vis.load_network(bare)
    with pytest.raises(ExplainError, match=r"does not say how its network is built"):
        keras_vis.load_network(replace(card, training={"source": "elsewhere"}))
    with pytest.raises(ExplainError, match=r"cannot be built as its card says.*alexnet"):
        keras_vis.load_network(replace(card, architecture="alexnet"))


@pytest.mark.train
@pytest.mark.filterwarnings("ignore:Skipping nested container")
def test_weights_of_another_network_are_refused_with_a_sentence(card: ModelCard) -> None:
    whole = replace(card, training={"build": {**card.training["build"], "head": "report"}})
    with pytest.raises(ExplainError, match=r"cannot be built as its card says.*do not fit"):
        keras_vis.load_network(whole)
