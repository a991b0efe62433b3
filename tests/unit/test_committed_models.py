"""What is shipped in ``models/`` and said in the README: every figure follows from the stored predictions."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from fer_core.ablation import recipe_of
from fer_core.architectures import from_card
from fer_core.classifier import load_classifier
from fer_core.cli import COMMANDS, main
from fer_core.evaluation import compare
from fer_core.explain import atlas, cam, ledger
from fer_core.explain.heatmap import direction
from fer_core.registry import (
    HEAD_FILE,
    MIRROR_FILE,
    ONNX_FILE,
    PREDICTIONS_FILE,
    WEIGHTS_FILE,
    ModelCard,
    load_registry,
)
from fer_core.settings import ROOT
from fer_core.training.export import Words
from fer_core.training.recipe import RECIPES
from fer_core.training.words import words_for
from tests.toy import make_toy_model
from tests.toy_predictions import MATRIX, OTHER, make_evaluated_model, toy_predictions

MODELS = ROOT / "models"
CARDS = load_registry(MODELS).cards
README = (ROOT / "README.md").read_text()


def test_every_model_folder_loads_and_one_can_be_served() -> None:
    registry = load_registry(MODELS, verify=True)
    assert registry.problems == ()
    assert registry.servable


def test_cards_and_readme_say_what_the_stored_predictions_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FER_MODELS_DIR", raising=False)
    assert main(["evaluate", "--check"]) == 0


def test_a_figure_typed_into_a_card_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / CARDS[-1].id
    shutil.copytree(MODELS / CARDS[-1].id, folder)
    assert main(["evaluate", "--check", "--models", str(tmp_path)]) == 0
    card = json.loads((folder / "model.json").read_text())
    card["metrics"]["private"]["accuracy"] += 0.01
    (folder / "model.json").write_text(json.dumps(card))
    capsys.readouterr()
    assert main(["evaluate", "--check", "--models", str(tmp_path)]) == 1
    assert CARDS[-1].id in capsys.readouterr().err
    assert main(["evaluate", "--models", str(tmp_path)]) == 0
    assert main(["evaluate", "--check", "--models", str(tmp_path)]) == 0


def test_a_model_without_predictions_keeps_its_card_and_does_not_stop_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FERPLUS_CSV", raising=False)  # it knows the images of FER2013, not those of a toy
    make_toy_model(tmp_path, "elsewhere", accuracy=0.99)
    make_evaluated_model(tmp_path, "toy", mirror=OTHER)  # and of no recipe of this program
    assert main(["evaluate", "--models", str(tmp_path)]) == 0
    assert "elsewhere has no stored predictions" in capsys.readouterr().err
    assert main(["evaluate", "--check", "--models", str(tmp_path)]) == 0
    card = load_registry(tmp_path).get("toy")
    both = compare.with_mirror(toy_predictions(MATRIX), toy_predictions(OTHER)).select("private")
    expected = float((both.predicted == both.labels).mean())
    assert card.metrics["private_mirror"]["accuracy"] == pytest.approx(expected, abs=1e-6)
    text = (card.directory / "README.md").read_text()
    assert f"accuracy {expected:.4f} (" in text.partition("mirror image")[2]
    assert "Recipe" not in text


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.id)
def test_a_card_says_what_is_written_of_its_recipe(card: ModelCard) -> None:
    recipe = recipe_of(card)
    assert recipe is not None
    assert Words(card.name, card.summary, card.license, card.notice) == words_for(recipe)


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.id)
def test_what_is_improved_ships_weights_and_a_graph(card: ModelCard) -> None:
    recipe = recipe_of(card)
    assert recipe is not None
    compared_only = recipe.name.startswith("report") and card.id != "mobilenet-report"
    assert ({WEIGHTS_FILE, ONNX_FILE} <= set(card.files)) == (not compared_only)


def test_all_models_together_stay_below_150_megabytes() -> None:
    assert sum(path.stat().st_size for path in MODELS.rglob("*") if path.is_file()) < 150e6


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.id)
def test_stored_predictions_cover_every_test_and_validation_image_once(card: ModelCard) -> None:
    from fer_core.evaluation import predictions

    stored = predictions.read(card.path(PREDICTIONS_FILE))
    counts = {part: int(np.sum(stored.split == part)) for part in ("val", "public", "private")}
    assert counts == {"val": 2872, "public": 3589, "private": 3589}
    mirrored = predictions.read(card.path(MIRROR_FILE))
    np.testing.assert_array_equal(mirrored.names, stored.names)


@pytest.mark.train
@pytest.mark.parametrize("card", [card for card in CARDS if card.has_onnx], ids=lambda card: card.id)
def test_onnx_and_keras_give_the_same_logits(card: ModelCard) -> None:
    from fer_core.training.inference import predict_logits

    network = from_card(card)
    faces = np.random.default_rng(0).integers(0, 256, (16, 48, 48), dtype=np.uint8)
    np.testing.assert_allclose(load_classifier(card).logits(faces), predict_logits(network, faces), atol=1e-4)
    assert network.input == card.input


def various_faces() -> np.ndarray:
    """Return faces of noise, slopes and a real photo, (5, 48, 48) uint8."""
    from fer_core import faces, images, samples

    slope = np.linspace(0, 255, 48).astype(np.uint8)
    photo = images.decode(samples.load("grace-hopper"))
    return np.stack(
        [
            faces.crop(photo, faces.detect(photo).faces[0]),
            np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8),
            np.random.default_rng(1).integers(90, 160, (48, 48), dtype=np.uint8),
            np.tile(slope, (48, 1)),
            np.tile(slope[::-1], (48, 1)).T,
        ]
    )


@pytest.mark.train
@pytest.mark.parametrize(
    "card",
    [card for card in CARDS if card.has_onnx and {HEAD_FILE, WEIGHTS_FILE} <= set(card.files)],
    ids=lambda card: card.id,
)
def test_grad_cam_of_the_closed_form_is_that_of_gradients(card: ModelCard) -> None:
    from fer_core.explain import keras_vis
    from fer_core.preprocessing import preprocess

    network = from_card(card)
    assert network.maps_layer == card.cam_layers[0]
    explainer = cam.explainer(load_classifier(card))
    crops = various_faces()
    maps, alive = explainer.look(crops).maps, 0
    for asked in (direction("happy"), direction("fear"), direction("angry", "neutral")):
        for crop, own in zip(crops, maps, strict=True):
            heat = explainer.heat_map(own, asked)
            inputs = preprocess(crop[np.newaxis], card.input)
            other = keras_vis.explain(network.model, "grad_cam", inputs, asked, network.maps_layer)
            np.testing.assert_allclose(heat.values, other.values, atol=1e-4)
            alive += not heat.dead
    assert alive >= 8, "maps that are zero everywhere agree too easily"


@pytest.mark.parametrize("card", [card for card in CARDS if card.has_onnx], ids=lambda card: card.id)
def test_every_model_that_is_served_has_heat_maps_without_tensorflow(card: ModelCard) -> None:
    explainer = cam.explainer(load_classifier(card))
    looked = explainer.look(various_faces()[:1])
    assert not explainer.heat_map(looked.maps[0], np.eye(7, dtype=np.float32)[looked.proba[0].argmax()]).dead


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.id)
def test_atlas_and_ledgers_are_of_the_model_they_lie_with(card: ModelCard) -> None:
    made = atlas.read_atlas(card)
    if made is not None:
        assert (made.about.model, int(made.count.sum())) == (card.id, made.about.images)
    ledgers = ledger.read_ledgers(card)
    if ledgers is not None:
        assert list(ledgers) == list(range(7))
        assert sum(one.total for one in ledgers.values()) == 7178


def test_commands_recipes_and_links_of_the_readme_exist() -> None:
    commands = re.findall(r"python -m fer_core (\w+)", README)
    assert commands
    assert set(commands) <= set(COMMANDS)
    for network, recipe in re.findall(r"fer_core train (\w+) --recipe (\w+)", README):
        assert recipe in RECIPES[network]
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
