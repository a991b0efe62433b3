"""A model that comes with weights and no graph gives the same answers through Keras."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fer_core.classifier import open_classifier
from fer_core.errors import ModelContractError
from fer_core.explain import cam
from fer_core.explain.heatmap import direction
from fer_core.registry import ONNX_FILE, WEIGHTS_FILE, load_registry, write_card
from fer_core.settings import ROOT

FLAGSHIP = load_registry(ROOT / "models").get("mobilenet-flagship")


@pytest.fixture
def without_graph(tmp_path: Path):
    """Return the flagship as it would be if it were too large for a graph."""
    folder = tmp_path / FLAGSHIP.id
    folder.mkdir()
    for name in FLAGSHIP.files:
        if name != ONNX_FILE:
            (folder / name).symlink_to(FLAGSHIP.path(name))
    return write_card(replace(FLAGSHIP, directory=folder, outputs=()))


@pytest.mark.train
def test_scores_maps_and_heat_maps_are_those_of_the_graph(without_graph) -> None:
    assert without_graph.can_answer
    assert not without_graph.has_onnx
    faces = np.random.default_rng(0).integers(0, 256, (11, 48, 48), dtype=np.uint8)  # more than one chunk
    served, by_keras = cam.explainer(open_classifier(FLAGSHIP)), cam.explainer(open_classifier(without_graph))
    a, b = served.look(faces), by_keras.look(faces)
    np.testing.assert_allclose(a.proba, b.proba, atol=1e-4)
    np.testing.assert_allclose(a.maps, b.maps, atol=1e-3)
    np.testing.assert_allclose(
        served.heat_map(a.maps[0], direction("happy")).values,
        by_keras.heat_map(b.maps[0], direction("happy")).values,
        atol=1e-4,
    )


def test_a_model_with_predictions_only_cannot_be_opened(without_graph) -> None:
    (without_graph.directory / WEIGHTS_FILE).unlink()
    card = write_card(without_graph)
    assert not card.can_answer
    with pytest.raises(ModelContractError, match=r"comes without model\.onnx"):
        open_classifier(card)
