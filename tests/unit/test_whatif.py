from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from fer_core import whatif
from fer_core.errors import FerError
from fer_core.labels import EMOTIONS, index_of
from fer_core.whatif import NO_ANSWER, WhatIf

ANGRY, DISGUST, HAPPY, SURPRISE = (index_of(name) for name in ("angry", "disgust", "happy", "surprise"))


def row(**scores: float) -> np.ndarray:
    """Return one row of probabilities; what is not named shares the rest evenly."""
    rest = (1 - sum(scores.values())) / (7 - len(scores))
    return np.array([[scores.get(emotion, rest) for emotion in EMOTIONS]], np.float32)


def sample(n: int = 400, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return labels with the classes' real imbalance and probabilities that know something of them."""
    generator = np.random.default_rng(seed)
    labels = generator.choice(7, n, p=whatif.training_priors())
    logits = generator.normal(size=(n, 7)) + 1.5 * np.eye(7)[labels] + np.log(whatif.training_priors())
    powers = np.exp(logits)
    return labels, (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def test_the_default_setting_leaves_a_model_as_it_is():
    _, proba = sample()
    setting = WhatIf()
    assert np.array_equal(whatif.adjust(proba, setting), proba)
    assert np.array_equal(whatif.decide(proba, setting), proba.argmax(axis=1))
    assert setting.in_words() == ""
    assert not setting.abstains


def test_tau_one_divides_scores_by_the_priors_of_the_training_set():
    proba = row(angry=0.4, disgust=0.1, happy=0.3)
    expected = proba[0] / (np.array(whatif.TRAINING_COUNTS) / 28_709)
    expected /= expected.sum()
    assert whatif.adjust(proba, WhatIf(tau=1.0))[0] == pytest.approx(expected, rel=1e-5)


def test_a_rare_class_wins_once_tau_outweighs_its_rarity():
    # 0.4 / 0.1 = 4 in favour of angry; the priors differ by 3995 / 436 = 9.16, so disgust wins above ln 4 / ln 9.16.
    proba = row(angry=0.4, disgust=0.1)
    turning = np.log(4) / np.log(3995 / 436)
    below, above = (whatif.adjust(proba, WhatIf(tau=turning + step))[0] for step in (-0.01, 0.01))
    assert below[ANGRY] > below[DISGUST]
    assert above[DISGUST] > above[ANGRY]


def test_temperature_changes_how_sure_but_never_the_answer():
    _, proba = sample()
    cold, hot = (whatif.adjust(proba, WhatIf(temperature=t)) for t in (0.5, 3.0))
    assert np.array_equal(cold.argmax(axis=1), hot.argmax(axis=1))
    assert (cold.max(axis=1) > hot.max(axis=1)).all()
    assert whatif.adjust(row(angry=0.4, happy=0.2), WhatIf(temperature=0.5))[0, ANGRY] == pytest.approx(
        0.4**2 / (0.4**2 + 0.2**2 + 5 * 0.08**2), rel=1e-5
    )


def test_a_class_below_its_threshold_is_passed_over_for_the_next_one():
    thresholds = tuple(0.5 if emotion == "angry" else 0.0 for emotion in EMOTIONS)
    proba = row(angry=0.4, happy=0.3)
    assert whatif.decide(proba, WhatIf(thresholds=thresholds)).tolist() == [HAPPY]


def test_there_is_no_answer_where_no_class_reaches_its_threshold_or_the_best_is_too_low():
    proba = row(angry=0.4, happy=0.3)
    assert whatif.decide(proba, WhatIf(thresholds=(0.5,) * 7)).tolist() == [NO_ANSWER]
    assert whatif.decide(proba, WhatIf(abstain_below=0.41)).tolist() == [NO_ANSWER]
    assert whatif.decide(proba, WhatIf(abstain_below=0.39)).tolist() == [ANGRY]


def test_costs_choose_the_answer_of_smallest_expected_cost():
    cost = 1 - np.eye(7)
    proba = row(angry=0.6, disgust=0.2)
    assert whatif.decide(proba, WhatIf(cost=tuple(map(tuple, cost)))).tolist() == [ANGRY]
    # Missing disgust costs 10: answering disgust costs 0.8, answering angry 0.2 * 10 + 5 * 0.04 = 2.2.
    cost[DISGUST] *= 10
    assert whatif.decide(proba, WhatIf(cost=tuple(map(tuple, cost)))).tolist() == [DISGUST]


def test_an_image_without_an_answer_counts_as_not_recognised():
    labels = np.array([ANGRY, ANGRY, HAPPY, HAPPY])
    answers = np.array([ANGRY, NO_ANSWER, HAPPY, ANGRY])
    figures = whatif.outcome(whatif.confusion(labels, answers))
    assert figures.accuracy == pytest.approx(2 / 4)
    assert figures.coverage == pytest.approx(3 / 4)
    assert figures.answered_accuracy == pytest.approx(2 / 3)
    assert figures.recall[[ANGRY, HAPPY]] == pytest.approx([1 / 2, 1 / 2])
    assert figures.precision[[ANGRY, HAPPY]] == pytest.approx([1 / 2, 1 / 1])
    assert np.isnan(figures.recall[DISGUST])
    assert figures.support[[ANGRY, HAPPY]].tolist() == [2, 2]


def test_figures_are_those_of_scikit_learn():
    labels, proba = sample()
    answers = whatif.decide(whatif.adjust(proba, WhatIf(tau=0.8, temperature=1.5)), WhatIf())
    counts = whatif.confusion(labels, answers)
    figures = whatif.outcome(counts)
    assert np.array_equal(counts[:, :7], sk.confusion_matrix(labels, answers, labels=range(7)))
    assert figures.accuracy == pytest.approx(sk.accuracy_score(labels, answers))
    assert figures.macro_f1 == pytest.approx(sk.f1_score(labels, answers, average="macro", labels=range(7)))
    assert figures.balanced_accuracy == pytest.approx(sk.balanced_accuracy_score(labels, answers))
    expected = sk.precision_recall_fscore_support(labels, answers, labels=range(7), zero_division=np.nan)
    assert figures.precision == pytest.approx(expected[0], nan_ok=True)
    assert figures.recall == pytest.approx(expected[1], nan_ok=True)


@pytest.mark.parametrize(
    "setting",
    [
        WhatIf(),
        WhatIf(temperature=2.0),
        WhatIf(thresholds=(0.3, 0.1, 0.2, 0.4, 0.3, 0.3, 0.2), abstain_below=0.25),
        WhatIf(cost=tuple(tuple(float(i != j) * (1 + i) for j in range(7)) for i in range(7))),
    ],
    ids=["plain", "temperature", "thresholds", "cost"],
)
def test_a_trade_off_curve_is_what_each_tau_gives_by_itself(setting):
    labels, proba = sample()
    curve = whatif.trade_off(labels, proba, setting, taus=(0.0, 0.7, 2.0))
    for index, tau in enumerate((0.0, 0.7, 2.0)):
        one = WhatIf(tau, setting.temperature, setting.thresholds, setting.abstain_below, setting.cost)
        single = whatif.outcome(whatif.confusion(labels, whatif.decide(whatif.adjust(proba, one), one)))
        assert curve.outcome.accuracy[index] == pytest.approx(single.accuracy)
        assert curve.outcome.macro_f1[index] == pytest.approx(single.macro_f1)
        assert curve.outcome.recall[index] == pytest.approx(single.recall, nan_ok=True)
        assert curve.outcome.coverage[index] == pytest.approx(single.coverage)


def test_the_best_tau_has_the_highest_objective_of_the_curve():
    labels, proba = sample(2000)
    curve = whatif.trade_off(labels, proba)
    chosen = whatif.best_tau(labels, proba, "balanced_accuracy")
    assert curve.outcome.balanced_accuracy[curve.at(chosen)] == curve.outcome.balanced_accuracy.max()
    assert chosen > 0


def test_a_rescue_stays_within_its_price_and_a_higher_price_never_buys_less():
    labels, proba = sample(3000)
    curve = whatif.trade_off(labels, proba)
    bought = []
    for price in (0.0, 0.02, 0.1):
        at = curve.at(whatif.rescue(labels, proba, DISGUST, price))
        assert curve.outcome.accuracy[0] - curve.outcome.accuracy[at] <= price + 1e-9
        bought.append(curve.outcome.recall[at, DISGUST])
    assert bought == sorted(bought)
    assert bought[-1] > curve.outcome.recall[0, DISGUST]


def test_nothing_is_rescued_where_the_class_has_no_images():
    _, proba = sample()
    assert whatif.rescue(np.full(len(proba), HAPPY), proba, DISGUST, 0.5) == 0.0


def test_a_mixture_is_the_weighted_mean():
    mixed = whatif.mix([row(angry=1.0), row(happy=1.0)], [3, 1])
    assert mixed[0, [ANGRY, HAPPY]] == pytest.approx([0.75, 0.25])
    assert mixed.dtype == np.float32


def test_mixture_weights_prefer_the_better_model_and_reach_the_smallest_log_loss():
    labels, good = sample(1500)
    noise = np.full_like(good, 1 / 7)
    weights = whatif.mixture_weights(labels, [good, noise])
    assert weights.sum() == pytest.approx(1)
    losses = {
        w: -np.log((w * good + (1 - w) * noise)[np.arange(len(labels)), labels]).mean()
        for w in (weights[0], weights[0] - 0.03, min(1.0, weights[0] + 0.03))
    }
    assert losses[weights[0]] <= min(losses.values()) + 1e-5


def test_the_score_to_answer_from_gives_the_wanted_accuracy_with_as_many_answers_as_possible():
    labels = np.array([HAPPY, HAPPY, HAPPY, ANGRY])
    proba = np.concatenate([row(happy=0.9), row(happy=0.8), row(angry=0.7), row(angry=0.6)])
    assert whatif.threshold_for_accuracy(labels, proba, 1.0) == pytest.approx(0.8)
    assert whatif.threshold_for_accuracy(labels, proba, 0.75) == pytest.approx(0.6)
    assert whatif.threshold_for_accuracy(np.full(4, SURPRISE), proba, 0.5) is None


@pytest.mark.parametrize(
    "values",
    [
        {"tau": 2.1},
        {"tau": -0.1},
        {"temperature": 0},
        {"thresholds": (0.1,)},
        {"thresholds": (1.1,) * 7},
        {"abstain_below": -1},
        {"cost": ((1.0,),)},
        {"cost": tuple((float("nan"),) * 7 for _ in range(7))},
    ],
)
def test_a_setting_out_of_range_gets_a_sentence(values):
    with pytest.raises(FerError):
        WhatIf(**values)


@pytest.mark.parametrize("weights", [[0, 0], [1, -1], [1]])
def test_weights_that_cannot_be_mixed_get_a_sentence(weights):
    with pytest.raises(FerError):
        whatif.mix([row(angry=1.0), row(happy=1.0)], weights)


@pytest.mark.data
def test_the_priors_are_the_training_images_of_fer2013():
    from fer_core.data.fer2013 import open_dataset
    from fer_core.settings import Settings

    if Settings.from_environment().data_dir is None:
        pytest.skip("FER_DATA_DIR is not set")
    dataset = open_dataset()
    counts = np.bincount(dataset.labels[dataset.usage == "Training"], minlength=7)
    assert tuple(counts.tolist()) == whatif.TRAINING_COUNTS
