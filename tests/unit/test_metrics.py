from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from fer_core.errors import FerError
from fer_core.evaluation import metrics
from fer_core.labels import EMOTIONS


def random_case(seed: int = 0, n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = generator.choice(7, size=n, p=[0.13, 0.02, 0.14, 0.25, 0.17, 0.17, 0.12])
    logits = generator.normal(size=(n, 7))
    logits[np.arange(n), labels] += 1.5
    logits[:, 1] -= 1
    proba = np.exp(logits)
    return labels, (proba / proba.sum(axis=1, keepdims=True)).astype(np.float32)


def by_hand() -> np.ndarray:
    """Ten images: angry 3 of 4 right, one as happy; happy 4 of 5 right, one as angry; disgust 1, as happy."""
    confusion = np.zeros((7, 7), dtype=np.int64)
    confusion[0, 0], confusion[0, 3] = 3, 1
    confusion[3, 3], confusion[3, 0] = 4, 1
    confusion[1, 3] = 1
    return confusion


def test_rows_of_the_confusion_matrix_are_true_classes():
    confusion = metrics.confusion_matrix(np.array([1, 1, 1, 3]), np.array([3, 3, 1, 3]))
    assert confusion[1, 3] == 2
    assert confusion[3, 1] == 0
    assert confusion.sum() == 4
    assert confusion.shape == (7, 7)


def test_labels_and_predictions_that_do_not_fit_are_refused():
    with pytest.raises(FerError, match="3 labels and 2 predictions"):
        metrics.confusion_matrix(np.array([0, 1, 2]), np.array([0, 1]))
    with pytest.raises(FerError, match="0 to 6"):
        metrics.confusion_matrix(np.array([0]), np.array([7]))


def test_scores_of_a_matrix_counted_by_hand():
    scores = metrics.class_scores(by_hand())
    assert metrics.accuracy(by_hand()) == pytest.approx(0.7)
    assert scores.precision[0] == pytest.approx(3 / 4)
    assert scores.recall[0] == pytest.approx(3 / 4)
    assert scores.precision[3] == pytest.approx(4 / 6)
    assert scores.recall[3] == pytest.approx(4 / 5)
    assert scores.f1[3] == pytest.approx(8 / 11)
    assert scores.support.tolist() == [4, 1, 0, 5, 0, 0, 0]
    assert scores.predicted.tolist() == [4, 0, 0, 6, 0, 0, 0]
    assert metrics.macro_f1(by_hand()) == pytest.approx((3 / 4 + 0 + 8 / 11) / 7)
    assert metrics.balanced_accuracy(by_hand()) == pytest.approx((3 / 4 + 0 + 4 / 5) / 3)


def test_a_class_that_is_never_predicted_has_no_precision_and_an_f1_of_zero():
    scores = metrics.class_scores(by_hand())
    assert np.isnan(scores.precision[1])
    assert scores.recall[1] == 0
    assert scores.f1[1] == 0
    assert np.isnan(scores.recall[2])
    assert np.isnan(scores.f1[2])


def test_a_stack_of_matrices_is_scored_like_each_of_them():
    stack = np.stack([by_hand(), np.eye(7, dtype=np.int64)])
    assert metrics.accuracy(stack).tolist() == pytest.approx([0.7, 1.0])
    assert metrics.macro_f1(stack).tolist() == pytest.approx([float(metrics.macro_f1(by_hand())), 1.0])
    np.testing.assert_array_equal(metrics.class_scores(stack).precision[0], metrics.class_scores(by_hand()).precision)


def test_everything_agrees_with_scikit_learn():
    from sklearn import metrics as reference

    labels, proba = random_case()
    predicted = proba.argmax(axis=1)
    confusion = metrics.confusion_matrix(labels, predicted)
    np.testing.assert_array_equal(confusion, reference.confusion_matrix(labels, predicted, labels=range(7)))
    precision, recall, f1, support = reference.precision_recall_fscore_support(labels, predicted, labels=range(7))
    scores = metrics.class_scores(confusion)
    np.testing.assert_allclose(scores.precision, precision)
    np.testing.assert_allclose(scores.recall, recall)
    np.testing.assert_allclose(scores.f1, f1)
    np.testing.assert_array_equal(scores.support, support)
    assert metrics.accuracy(confusion) == pytest.approx(reference.accuracy_score(labels, predicted))
    assert metrics.macro_f1(confusion) == pytest.approx(reference.f1_score(labels, predicted, average="macro"))
    assert metrics.balanced_accuracy(confusion) == pytest.approx(reference.balanced_accuracy_score(labels, predicted))
    exact = proba.astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)
    assert metrics.log_losses(labels, proba).mean() == pytest.approx(
        reference.log_loss(labels, exact, labels=list(range(7)))
    )
    assert metrics.brier_scores(labels, proba).mean() == pytest.approx(
        reference.brier_score_loss(labels, exact, labels=list(range(7)), scale_by_half=False)
    )


def test_macro_f1_counts_a_class_that_is_never_predicted_like_scikit_learn():
    from sklearn.metrics import f1_score

    labels, proba = random_case()
    proba[:, 1] = 0
    predicted = proba.argmax(axis=1)
    expected = f1_score(labels, predicted, labels=range(7), average="macro", zero_division=0)
    assert metrics.macro_f1(metrics.confusion_matrix(labels, predicted)) == pytest.approx(expected)


def test_log_loss_of_a_sure_error_is_large_and_finite():
    proba = np.zeros((2, 7))
    proba[:, 0] = 1
    losses = metrics.log_losses(np.array([0, 3]), proba)
    assert losses[0] == pytest.approx(0, abs=1e-6)
    assert losses[1] == pytest.approx(15.942, abs=1e-3)


def test_the_cross_entropy_with_a_distribution_weighs_the_log_losses_of_the_classes():
    _, proba = random_case()
    of_class = np.column_stack([metrics.log_losses(np.full(len(proba), k), proba) for k in range(7)])
    targets = np.zeros((len(proba), 7))
    targets[:, 2], targets[:, 5] = 0.25, 0.75
    expected = 0.25 * of_class[:, 2] + 0.75 * of_class[:, 5]
    np.testing.assert_allclose(metrics.cross_entropies(targets, proba), expected)


def test_the_brier_score_goes_from_zero_to_two():
    proba = np.array([[1.0, 0, 0, 0, 0, 0, 0], [1.0, 0, 0, 0, 0, 0, 0], [0.5, 0.5, 0, 0, 0, 0, 0]])
    assert metrics.brier_scores(np.array([0, 3, 0]), proba).tolist() == pytest.approx([0, 2, 0.5])


def test_expected_cost_with_plain_errors_is_the_error_rate():
    plain = 1.0 - np.eye(7)
    assert metrics.expected_cost(by_hand(), plain) == pytest.approx(0.3)


def test_expected_cost_tells_which_error_costs_what():
    cost = np.zeros((7, 7))
    cost[1, 3] = 5
    cost[0, 3] = 1
    cells = metrics.cost_by_cell(by_hand(), cost)
    assert cells[1, 3] == pytest.approx(0.5)
    assert cells[0, 3] == pytest.approx(0.1)
    assert metrics.expected_cost(by_hand(), cost) == pytest.approx(0.6)


def test_a_cost_matrix_of_another_shape_is_refused():
    with pytest.raises(FerError, match="7 x 7"):
        metrics.expected_cost(by_hand(), np.ones((6, 6)))


def test_the_summary_holds_every_metric_with_an_interval_around_it():
    labels, proba = random_case()
    summary = metrics.summarise(labels, proba, resamples=200)
    for name in ("accuracy", "macro_f1", "balanced_accuracy", "log_loss", "brier"):
        low, high = summary["intervals"][name]
        assert low < summary[name] < high, name
    low, high = summary["intervals"]["ece"]
    assert low < high
    happy = summary["per_class"]["happy"]
    low, high = happy["intervals"]["recall"]
    assert low < happy["recall"] < high
    assert happy["support"] == int((labels == 3).sum())
    assert tuple(summary["per_class"]) == EMOTIONS
    assert np.sum(summary["confusion"]) == summary["n"] == 400


def test_a_score_without_a_denominator_is_none_and_the_summary_is_json():
    labels, proba = random_case()
    proba[:, 1] = 0
    proba /= proba.sum(axis=1, keepdims=True)
    summary = metrics.summarise(labels, proba, resamples=20)
    disgust = summary["per_class"]["disgust"]
    assert disgust["precision"] is None
    assert disgust["intervals"]["precision"] == [None, None]
    assert disgust["recall"] == 0
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_no_images_is_a_sentence():
    with pytest.raises(FerError, match="no images"):
        metrics.summarise(np.zeros(0, dtype=np.int64), np.zeros((0, 7), dtype=np.float32))


def test_what_pages_ask_for_does_not_load_scikit_learn():
    code = (
        "import sys, numpy as np; from fer_core.evaluation import metrics, forensics, compare, report_deck;"
        "p = np.full((9, 7), 1 / 7, dtype=np.float32);"
        "metrics.summarise(np.arange(9) % 7, p, resamples=5); report_deck.findings();"
        "print([m for m in ('sklearn', 'scipy', 'pandas', 'tensorflow', 'streamlit') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
