from __future__ import annotations

import numpy as np
import pytest

from fer_core.errors import FerError
from fer_core.evaluation import compare as compare_module
from fer_core.evaluation.compare import aligned, compare, difference_intervals, disagreements, mcnemar
from fer_core.evaluation.predictions import Predictions


def predictions(labels: list[int], predicted: list[int], top: float = 0.7) -> Predictions:
    n = len(labels)
    proba = np.full((n, 7), (1 - top) / 6, dtype=np.float32)
    proba[np.arange(n), predicted] = top
    return Predictions(
        names=np.array([f"row/{i:05d}" for i in range(n)]),
        split=np.full(n, "private"),
        labels=np.array(labels, dtype=np.int64),
        proba=proba,
    )


@pytest.mark.parametrize(
    ("only_a", "only_b", "p_value"),
    [(0, 0, 1.0), (1, 1, 1.0), (0, 5, 2 / 32), (2, 8, 2 * (1 + 10 + 45) / 1024), (8, 2, 2 * (1 + 10 + 45) / 1024)],
)
def test_mcnemar_is_a_fair_coin_for_each_image_that_one_model_alone_gets_right(only_a, only_b, p_value):
    result = mcnemar(only_a, only_b)
    assert result.p_value == pytest.approx(p_value)
    assert result.method == "exact binomial"
    assert result.statistic is None


def test_mcnemar_of_many_images_is_chi_square_with_continuity_correction():
    result = mcnemar(450, 560)
    assert result.method == "chi-square"
    assert result.statistic == pytest.approx(109**2 / 1010)
    assert result.p_value == pytest.approx(0.000604, abs=1e-6)


@pytest.mark.parametrize(("only_a", "only_b"), [(500, 501), (490, 530), (612, 688), (450, 551), (410, 591)])
def test_both_methods_agree_where_one_takes_over(monkeypatch, only_a, only_b):
    by_chi_square = mcnemar(only_a, only_b)
    assert by_chi_square.method == "chi-square"
    monkeypatch.setattr(compare_module, "EXACT_UP_TO", only_a + only_b)
    exact = mcnemar(only_a, only_b)
    assert exact.method == "exact binomial"
    assert by_chi_square.p_value == pytest.approx(exact.p_value, rel=0.1)


def test_differences_are_the_second_model_minus_the_first():
    a = predictions([0, 0, 3, 3, 5], [0, 3, 3, 3, 3])
    b = predictions([0, 0, 3, 3, 5], [0, 0, 3, 0, 5])
    result = compare(a, b, resamples=50)
    assert result.n == 5
    assert float(result.accuracy.value) == pytest.approx(1 / 5)
    assert float(result.accuracy.low) <= 1 / 5 <= float(result.accuracy.high)
    assert result.recall.value[5] == 1
    assert result.recall.value[3] == pytest.approx(-1 / 2)
    assert np.isnan(result.recall.value[1])
    assert (result.mcnemar.only_a, result.mcnemar.only_b) == (1, 2)
    assert result.only_b.tolist() == [1, 0, 0, 0, 0, 1, 0]
    assert result.only_a.tolist() == [0, 0, 0, 1, 0, 0, 0]


@pytest.mark.parametrize(
    ("only_a", "only_b", "better"),
    [(5, 40, "B"), (40, 5, "A"), (10, 10, "not"), (5, 14, "hardly")],  # 5 against 14 of a fair coin: p = .064
)
def test_a_model_is_better_if_interval_and_test_both_say_so(only_a, only_b, better):
    n = 3589
    labels, first, second = np.zeros(n, int), np.zeros(n, int), np.zeros(n, int)
    second[:only_a] = 3
    first[only_a : only_a + only_b] = 3
    a, b = (predictions(labels.tolist(), answers.tolist()) for answers in (first, second))
    assert compare(a, b).better == better


def test_answers_are_counted_by_first_model_then_second():
    a = predictions([0, 0, 3], [0, 3, 3])
    b = predictions([0, 0, 3], [0, 0, 6])
    result = compare(a, b, resamples=5)
    assert result.answers[3, 0] == 1
    assert result.answers[0, 3] == 0
    assert result.answers[3, 6] == 1


def test_a_model_does_not_differ_from_itself():
    a = predictions([0, 1, 2, 3] * 10, [0, 1, 2, 2] * 10)
    result = compare(a, a, resamples=50)
    assert result.accuracy.as_dict() == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert result.macro_f1.as_dict() == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert result.mcnemar.p_value == 1
    assert len(disagreements(a, a)) == 0


def test_pairing_sees_a_difference_that_separate_intervals_would_miss():
    # A is right on 500 of 1,000; B on the same and 15 more: each interval is +-3 points, the difference 1.5 +- 0.8.
    labels = np.zeros(1000, dtype=np.int64)
    difference = difference_intervals(labels, np.repeat([0, 1], 500), np.repeat([0, 1], [515, 485]))["accuracy"]
    assert float(difference.value) == pytest.approx(0.015)
    assert 0.005 < float(difference.low) < 0.015 < float(difference.high) < 0.025


def test_files_in_another_order_are_compared_image_by_image():
    a = predictions([0, 3, 5], [0, 3, 0])
    b = predictions([0, 3, 5], [0, 0, 5]).take(np.array([2, 0, 1]))
    _, reordered = aligned(a, b)
    assert reordered.names.tolist() == a.names.tolist()
    assert (compare(a, b, resamples=5).mcnemar.only_a, compare(a, b, resamples=5).mcnemar.only_b) == (1, 1)


def test_models_on_other_images_or_labels_are_not_compared():
    a = predictions([0, 3, 5], [0, 3, 0])
    with pytest.raises(FerError, match="not evaluated on the same images"):
        compare(a, a.take(np.array([0, 1])))
    with pytest.raises(FerError, match="different labels to 1 images"):
        compare(a, predictions([0, 3, 6], [0, 3, 0]))


def test_the_surest_disagreement_comes_first():
    a = predictions([0, 3, 5], [0, 3, 5], top=0.9)
    proba = a.proba.copy()
    proba[0] = [0.3, 0.4, 0.06, 0.06, 0.06, 0.06, 0.06]
    proba[1] = [0.94, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01]
    b = Predictions(a.names, a.split, a.labels, proba)
    found = disagreements(a, b)
    assert found.names.tolist() == ["row/00001", "row/00000"]
    assert found.predicted_a.tolist() == [3, 0]
    assert found.predicted_b.tolist() == [0, 1]
    assert found.labels.tolist() == [3, 0]
    margin_a = 0.9 - 0.1 / 6
    assert found.strength.tolist() == pytest.approx([(margin_a + 0.93) / 2, (margin_a + 0.1) / 2], abs=1e-6)
