from __future__ import annotations

import numpy as np
import pytest

from fer_core.errors import FerError
from fer_core.evaluation import calibration


def with_top_score(scores: list[float], right: list[bool]) -> tuple[np.ndarray, np.ndarray]:
    """One image a score: class 3 gets it; the label is 3 where `right`, else 0."""
    proba = np.repeat((1 - np.array(scores))[:, None] / 6, 7, axis=1)
    proba[:, 3] = scores
    return np.where(right, 3, 0), proba


def test_ece_of_four_images_counted_by_hand():
    # Bin (0.8, 0.867]: scores 0.82 and 0.84, one right: |0.5 - 0.83| = 0.33. Bin (0.4, 0.467]: 0.45, right: 0.55.
    # Bin (0.933, 1]: 1.0, right: 0.
    labels, proba = with_top_score([0.82, 0.84, 0.45, 1.0], [True, False, True, True])
    ece = calibration.reliability(labels, proba).ece
    assert ece == pytest.approx((2 * 0.33 + 1 * 0.55 + 0) / 4)


def test_a_score_on_an_edge_belongs_to_the_lower_bin():
    labels, proba = with_top_score([0.6, 0.61], [True, True])
    diagram = calibration.reliability(labels, proba, bins=5)
    assert diagram.count.tolist() == [0, 0, 1, 1, 0]


def test_the_diagram_gives_confidence_accuracy_and_its_interval():
    labels, proba = with_top_score([0.82, 0.84, 0.45], [True, False, True])
    diagram = calibration.reliability(labels, proba)
    assert diagram.edges[[0, -1]].tolist() == [0, 1]
    assert len(diagram.count) == calibration.BINS
    assert diagram.count[12] == 2
    assert diagram.confidence[12] == pytest.approx(0.83)
    assert diagram.accuracy[12] == pytest.approx(0.5)
    assert diagram.low[12] == pytest.approx(0.0945, abs=1e-4)
    assert diagram.high[12] == pytest.approx(0.9055, abs=1e-4)
    assert np.isnan(diagram.accuracy[0])


def test_the_diagram_of_one_class_judges_its_score_on_every_image():
    proba = np.full((4, 7), 0.1)
    proba[:, 1] = [0.4, 0.1, 0.1, 0.1]
    diagram = calibration.reliability(np.array([1, 1, 0, 0]), proba, bins=5, klass=1)
    assert diagram.count.tolist() == [3, 1, 0, 0, 0]
    assert diagram.accuracy[:2].tolist() == pytest.approx([1 / 3, 1.0])


def test_no_images_is_a_sentence():
    with pytest.raises(FerError, match="no images"):
        calibration.reliability(np.zeros(0, dtype=np.int64), np.zeros((0, 7)))
    with pytest.raises(FerError, match="no images"):
        calibration.fit_temperature(np.zeros(0, dtype=np.int64), np.zeros((0, 7)))


def drawn_from(logits: np.ndarray, seed: int = 0) -> np.ndarray:
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return (p.cumsum(axis=1) > np.random.default_rng(seed).random(len(p))[:, None]).argmax(axis=1)


def test_the_temperature_undoes_an_overconfidence_that_was_put_in():
    logits = np.random.default_rng(1).normal(scale=1.5, size=(20_000, 7))
    labels = drawn_from(logits)
    assert calibration.fit_temperature(labels, logits) == pytest.approx(1.0, abs=0.03)
    assert calibration.fit_temperature(labels, 3 * logits) == pytest.approx(3.0, abs=0.09)


def test_a_temperature_can_be_fitted_to_votes():
    logits = np.random.default_rng(1).normal(scale=1.5, size=(500, 7))
    votes = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert calibration.fit_temperature(votes, 3 * logits) == pytest.approx(3.0, abs=1e-6)
    labels = drawn_from(logits)
    assert calibration.fit_temperature(np.eye(7)[labels], logits) == calibration.fit_temperature(labels, logits)


def test_log_probabilities_do_as_well_as_logits():
    logits = np.random.default_rng(1).normal(size=(500, 7))
    labels = drawn_from(logits)
    log_proba = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    assert calibration.fit_temperature(labels, log_proba) == pytest.approx(calibration.fit_temperature(labels, logits))


def test_no_other_temperature_has_a_smaller_loss():
    logits = 2.5 * np.random.default_rng(2).normal(size=(300, 7))
    labels = drawn_from(logits / 2.5)
    best = calibration.fit_temperature(labels, logits)

    def loss(temperature: float) -> float:
        z = logits / temperature
        return float((np.log(np.exp(z).sum(axis=1)) - z[np.arange(300), labels]).mean())

    assert loss(best) < min(loss(best * 0.98), loss(best * 1.02))


def test_labels_that_have_no_best_temperature_get_the_ends_of_the_range():
    logits = np.eye(7)
    assert calibration.fit_temperature(np.arange(7), logits) == calibration.TEMPERATURE_RANGE[0]
    assert calibration.fit_temperature((np.arange(7) + 1) % 7, logits) == calibration.TEMPERATURE_RANGE[1]


def test_logits_that_are_not_finite_are_refused():
    with pytest.raises(FerError, match="not finite"):
        calibration.fit_temperature(np.array([0]), np.array([[np.inf, 0, 0, 0, 0, 0, 0]]))
