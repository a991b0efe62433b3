from __future__ import annotations

import numpy as np
import pytest

from fer_core.errors import FerError
from fer_core.evaluation import bootstrap, metrics


def answers(right: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """`n` images of happy and sad in turn, of which the first `right` are answered rightly with probability 0.76."""
    labels = np.where(np.arange(n) % 2 == 0, 3, 5)
    predicted = np.where(np.arange(n) < right, labels, 0)
    proba = np.full((n, 7), 0.04, dtype=np.float32)
    proba[np.arange(n), predicted] = 0.76
    return labels, proba


def test_each_resample_draws_as_many_images_as_there_are():
    counts = np.concatenate(list(bootstrap.draws(50, resamples=230, seed=1)))
    assert counts.shape == (230, 50)
    assert (counts.sum(axis=1) == 50).all()
    assert (counts > 1).any()
    assert not np.array_equal(counts[0], counts[1])


def test_equal_seeds_give_equal_intervals_and_other_seeds_others():
    labels, proba = answers(70, 100)
    first, again, other = (bootstrap.metric_intervals(labels, proba, resamples=200, seed=s) for s in (1, 1, 2))
    assert first["accuracy"].as_dict() == again["accuracy"].as_dict()
    assert first["log_loss"].as_dict() != other["log_loss"].as_dict()


def test_the_interval_of_the_accuracy_is_that_of_a_binomial_share():
    labels, proba = answers(700, 1000)
    accuracy = bootstrap.metric_intervals(labels, proba)["accuracy"]
    half = 1.96 * (0.7 * 0.3 / 1000) ** 0.5
    assert float(accuracy.value) == pytest.approx(0.7)
    assert float(accuracy.low) == pytest.approx(0.7 - half, abs=0.003)
    assert float(accuracy.high) == pytest.approx(0.7 + half, abs=0.003)


def test_every_metric_of_a_resample_is_the_metric_of_the_drawn_images():
    generator = np.random.default_rng(3)
    labels = generator.integers(0, 7, size=60)
    proba = generator.dirichlet(np.ones(7), size=60).astype(np.float32)
    drawn = np.concatenate([np.repeat(np.arange(60), c.astype(int)) for c in next(bootstrap.draws(60, resamples=1))])
    only = bootstrap.metric_intervals(labels, proba, resamples=1)
    plain = bootstrap.metric_intervals(labels[drawn], proba[drawn], resamples=1)
    for name in (*bootstrap.OVERALL, *bootstrap.PER_CLASS):
        np.testing.assert_allclose(only[name].low, plain[name].value, rtol=1e-9)
        np.testing.assert_allclose(only[name].high, plain[name].value, rtol=1e-9)


def test_the_values_are_those_of_the_metrics_themselves():
    labels, proba = answers(70, 100)
    estimates = bootstrap.metric_intervals(labels, proba, resamples=10)
    confusion = metrics.confusion_matrix(labels, proba.argmax(axis=1))
    assert float(estimates["macro_f1"].value) == pytest.approx(float(metrics.macro_f1(confusion)))
    assert float(estimates["log_loss"].value) == pytest.approx(metrics.log_losses(labels, proba).mean())
    assert float(estimates["brier"].value) == pytest.approx(metrics.brier_scores(labels, proba).mean())
    # Of 100 images that get 0.76, 70 are right.
    assert float(estimates["ece"].value) == pytest.approx(0.06, abs=1e-6)


def test_an_undefined_score_has_no_interval_and_others_keep_theirs():
    labels, proba = answers(100, 100)
    precision = bootstrap.metric_intervals(labels, proba, resamples=50)["precision"]
    assert np.isnan([precision.value[1], precision.low[1], precision.high[1]]).all()
    assert precision.at(3).as_dict() == {"value": 1.0, "low": 1.0, "high": 1.0}


def test_percentiles_leave_out_resamples_without_a_value():
    samples = np.array([[np.nan, np.nan], [1.0, np.nan], [2.0, np.nan], [3.0, np.nan]])
    low, high = bootstrap.percentile_interval(samples, level=0.5)
    assert low[0] == pytest.approx(1.5)
    assert high[0] == pytest.approx(2.5)
    assert np.isnan(low[1])


def test_nothing_to_draw_is_a_sentence():
    with pytest.raises(FerError, match="at least one image"):
        next(bootstrap.draws(0))


def test_wilson_interval_of_a_published_example():
    # 81 of 263, from R. G. Newcombe, Statistics in Medicine 17 (1998), table I.
    low, high = bootstrap.wilson(81, 263)
    assert low == pytest.approx(0.2553, abs=1e-4)
    assert high == pytest.approx(0.3662, abs=1e-4)


def test_wilson_interval_stays_within_zero_and_one():
    assert bootstrap.wilson(0, 5)[0] == 0
    assert bootstrap.wilson(0, 5)[1] == pytest.approx(0.4345, abs=1e-4)
    assert bootstrap.wilson(5, 5)[1] == 1


@pytest.mark.parametrize(("successes", "n"), [(1, 0), (-1, 5), (6, 5)])
def test_what_is_not_a_proportion_is_refused(successes, n):
    with pytest.raises(FerError, match="not a proportion"):
        bootstrap.wilson(successes, n)
