"""New statistics of normalisation leave the scores as they were and are those of the images."""

from __future__ import annotations

import numpy as np
import pytest

from fer_core.architectures import BuildOptions
from fer_core.preprocessing import preprocess
from tests import toy_network


@pytest.mark.train
def test_refit_changes_the_statistics_and_not_the_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    from fer_core.training import refit as module

    monkeypatch.setattr(module, "FACES", 40)
    network = toy_network.build(BuildOptions(size=24))
    norm = next(layer for layer in network.model.layers if isinstance(layer, keras.layers.BatchNormalization))
    for values, numbers in ((norm.gamma, (3, -1, 0.5, 2)), (norm.beta, (0, 1, -2, 0.5))):
        values.assign(np.array(numbers, np.float32))
    norm.moving_mean.assign(np.array([0.2, 0, 0.1, -0.1], np.float32))
    images = toy_network.toy_data().train_images
    x = preprocess(images, network.input)
    before = np.asarray(network.model(x, training=False))
    module.refit(network, images, seed=3)
    np.testing.assert_allclose(network.model(x, training=False), before, rtol=1e-4, atol=1e-4)
    chosen = np.sort(np.random.default_rng(3).permutation(len(images))[:40])
    maps = np.asarray(keras.Model(network.model.input, norm.input)(x[chosen])).reshape(-1, 4)
    np.testing.assert_allclose(norm.moving_mean, maps.mean(axis=0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(norm.moving_variance, maps.var(axis=0), rtol=1e-3, atol=1e-5)
