"""Logits to scores: hand-computed answers."""

from __future__ import annotations

import numpy as np
import pytest

from fer_core.scores import log_softmax, softmax


def test_large_logits_do_not_overflow():
    logits = np.array([[1000, 1000, -1000]], np.float32)
    np.testing.assert_allclose(softmax(logits), [[0.5, 0.5, 0]])
    np.testing.assert_allclose(log_softmax(logits), [[-np.log(2), -np.log(2), -2000 - np.log(2)]], rtol=1e-6)


@pytest.mark.parametrize("axis", [0, 1])
def test_scores_add_up_to_one_along_the_axis(axis):
    logits = np.log(np.array([[1, 3], [3, 1]], np.float32))
    np.testing.assert_allclose(softmax(logits, axis=axis), [[0.25, 0.75], [0.75, 0.25]], rtol=1e-6)
    assert softmax(logits, axis=axis).dtype == np.float32
