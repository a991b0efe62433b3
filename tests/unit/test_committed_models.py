"""What is shipped in ``models/`` and said in the README: every figure follows from the stored predictions."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from fer_core.architectures import from_card
from fer_core.classifier import load_classifier
from fer_core.cli import COMMANDS, main
from fer_core.registry import MIRROR_FILE, PREDICTIONS_FILE, ModelCard, load_registry
from fer_core.settings import ROOT
from fer_core.training.recipe import RECIPES

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
    from fer_core.training.loop import predict_logits

    network = from_card(card)
    faces = np.random.default_rng(0).integers(0, 256, (16, 48, 48), dtype=np.uint8)
    np.testing.assert_allclose(load_classifier(card).logits(faces), predict_logits(network, faces), atol=1e-4)
    assert network.input == card.input


def test_commands_recipes_and_links_of_the_readme_exist() -> None:
    commands = re.findall(r"python -m fer_core (\w+)", README)
    assert commands
    assert set(commands) <= set(COMMANDS)
    for network, recipe in re.findall(r"fer_core train (\w+) --recipe (\w+)", README):
        assert recipe in RECIPES[network]
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
