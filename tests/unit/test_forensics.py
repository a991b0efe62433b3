from __future__ import annotations

import os
import re
from dataclasses import replace

import numpy as np
import pytest

from fer_core.errors import FerError
from fer_core.evaluation import forensics, pairing, report_deck
from fer_core.evaluation.forensics import (
    Overall,
    Rounded,
    examine,
    examine_overall,
    format_report,
    pairing_test,
    parse_report,
    report_of,
    shuffled,
    totals_differ,
)
from tests.text import plain

SUPPORT = np.array(list(report_deck.TEST_SUPPORT.values()))
N = int(SUPPORT.sum())

DECK_TEXT = """
              precision    recall  f1-score   support

       angry       0.14      0.07      0.10       958
     disgust       1.00      0.00      0.00       111
        fear       0.12      0.04      0.06      1024
       happy       0.25      0.43      0.32      1774
     neutral       0.18      0.18      0.18      1233
         sad       0.20      0.22      0.21      1247
    surprise       0.12      0.10      0.11       831

    accuracy                           0.20      7178
"""


def codes(report, **keywords) -> list[str]:
    return [finding.code for finding in examine(report, **keywords)]


def honest_confusion(generator: np.random.Generator) -> np.ndarray:
    """Confusion of a model on the 7,178 test images with an accuracy of 30 to 95 % and any habits.

    Its answers are right with a chance that differs by class, else drawn from a habit that may favour few classes, be
    the same for all true classes or not, and never fall on some class.
    """
    while True:
        habit = generator.dirichlet(np.full(7, generator.choice([0.3, 1, 5])))
        likeness = generator.choice([0.3, 1, 10])
        wrong = np.stack([generator.dirichlet(7 * likeness * (0.9 * habit + 0.1 / 7)) for _ in range(7)])
        skill = generator.uniform() + generator.normal(0, generator.choice([0.05, 0.15, 0.3]), 7)
        skill = np.clip(skill, 0, 1)
        if generator.random() < 0.3:
            skill[generator.integers(7)] = 0
        chances = skill[:, None] * np.eye(7) + (1 - skill[:, None]) * wrong + 1e-12
        if generator.random() < 0.3:
            chances[:, generator.integers(7)] = 0
        confusion = generator.multinomial(SUPPORT, chances / chances.sum(axis=1, keepdims=True))
        if 0.30 <= np.trace(confusion) / N <= 0.95:
            return confusion


def after_shuffling(confusion: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    labels = np.repeat(np.arange(7), confusion.sum(axis=1))
    predicted = np.repeat(np.arange(7), confusion.sum(axis=0))
    pairs = shuffled(labels, seed=int(generator.integers(2**31))) * 7 + predicted
    return np.bincount(pairs, minlength=49).reshape(7, 7)


def alarms_of(confusion: np.ndarray) -> list[str]:
    """Return what is found in the report of an evaluation, with its own accuracy as claim, and in its overall line."""
    line = overall_of(confusion)
    findings = examine_overall(line, report_deck.TEST_SUPPORT)
    claim = {"claimed_accuracy": line.accuracy, "known_support": report_deck.TEST_SUPPORT}
    return codes(report_of(confusion), **claim) + [finding.code for finding in findings]


def overall_of(confusion: np.ndarray) -> Overall:
    """Return the overall line of an evaluation, weighted over the classes, printed as the deck prints it."""
    hits, support, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    weights = support / support.sum()
    figures = (
        hits.sum() / support.sum(),
        weights @ (hits / np.maximum(predicted, 1)),
        weights @ (hits / support),
        weights @ (2 * hits / (support + predicted)),
    )
    return Overall(*(Rounded.parse(f"{figure * 100:.2f} %") for figure in figures), average="weighted")


# Honest and shuffled reports


def test_ten_thousand_honest_reports_raise_no_false_alarm():
    generator = np.random.default_rng(2013)
    alarms = [
        (confusion, found)
        for confusion in (honest_confusion(generator) for _ in range(10_000))
        if (found := alarms_of(confusion))
    ]
    assert alarms == []


def test_shuffled_reports_are_found():
    generator = np.random.default_rng(7)
    found = [
        codes(report_of(after_shuffling(honest_confusion(generator), generator))) == ["independent_pairing"]
        for _ in range(1_000)
    ]
    assert np.mean(found) >= 0.99


def test_a_weak_model_that_looks_at_the_images_is_not_accused():
    generator = np.random.default_rng(1)
    for _ in range(300):
        habit = generator.dirichlet(np.ones(7))
        skill = generator.uniform(0.05, 0.1)
        confusion = generator.multinomial(SUPPORT, skill * np.eye(7) + (1 - skill) * habit)
        assert codes(report_of(confusion)) == []


def test_a_model_that_guesses_is_called_that_and_not_a_shuffle():
    generator = np.random.default_rng(1)
    habit = np.array([0.1, 0.05, 0.1, 0.4, 0.15, 0.1, 0.1])
    (finding,) = examine(report_of(generator.multinomial(SUPPORT, np.tile(habit, (7, 1)))))
    assert finding.code == "independent_pairing"
    assert "or the model is no better than independent guessing" in finding.verdict
    assert "leave the same table" in finding.limits


def test_classes_named_in_another_order_are_a_relation():
    confusion = np.roll(np.diag(SUPPORT), 1, axis=1)
    assert "independent_pairing" not in codes(report_of(confusion))


def test_a_small_report_is_not_enough_to_accuse():
    generator = np.random.default_rng(3)
    confusion = generator.multinomial(SUPPORT // 50, np.full((7, 7), 1 / 7))
    result = pairing_test(report_of(confusion))
    assert result.p_independent > pairing.INDEPENDENCE_LEVEL
    assert result.p_skilled > pairing.USELESS_LEVEL
    assert not result.independent


def test_the_bounds_hold_the_counts_the_report_was_made_of():
    generator = np.random.default_rng(11)
    for _ in range(400):
        k, digits = int(generator.integers(2, 10)), int(generator.integers(1, 5))
        support = generator.integers(1, generator.choice([3, 40, 3000]), k)
        chances = generator.uniform() * np.eye(k) + np.stack([generator.dirichlet(np.full(k, 0.3)) for _ in range(k)])
        confusion = generator.multinomial(support, chances / chances.sum(axis=1, keepdims=True))
        report = report_of(confusion, names=[f"class {i}" for i in range(k)], digits=digits)
        counts = forensics.counts_of(report)
        hits, predicted = np.diag(confusion), confusion.sum(axis=0)
        assert counts.possible.all()
        assert counts.adds_up
        assert (counts.hits_low <= hits).all()
        assert (hits <= counts.hits_high).all()
        assert (counts.predicted_low <= predicted).all()
        assert (predicted <= counts.predicted_high).all()
        result = pairing_test(report, counts)
        if result is not None:
            guessing = float((support * predicted).sum()) / support.sum() ** 2
            kappa = (hits.sum() / support.sum() - guessing) / (1 - guessing)
            assert result.guessing[0] - 1e-9 <= guessing <= result.guessing[1] + 1e-9
            assert result.kappa[0] - 1e-9 <= kappa <= result.kappa[1] + 1e-9


# The deck


def test_the_decks_table_is_that_of_unrelated_pairs():
    finding = examine(report_deck.MOBILENET)[0]
    assert finding.code == "independent_pairing"
    assert finding.p_value < 1e-7
    result = pairing_test(report_deck.MOBILENET)
    assert result.p_independent > 0.1
    assert -0.02 < result.kappa[0] < result.kappa[1] < 0.02
    assert any("add up to 1.04" in step for step in finding.steps)
    assert any("Sum of share x recall = 0.202" in step for step in finding.steps)
    # By hand: 1,774 x 5,404 x 3,039 x 4,139 / (7,178^2 x 7,177) = 326.1, root 18.06.
    assert any("= 18.1: 0.6 standard deviations" in step for step in finding.steps)
    assert any("(0.202 - 0.195) / (1 - 0.195) = 0.009" in step for step in finding.steps)
    happy = dict(zip(finding.evidence.columns, finding.evidence.rows[3], strict=True))
    assert (happy["share"], happy["precision"]) == (0.2471, 0.25)


def test_disgusts_precision_of_one_is_a_division_by_zero():
    (finding,) = [f for f in examine(report_deck.MOBILENET) if f.code == "undefined_precision"]
    assert finding.exact
    assert "disgust" in finding.verdict
    assert "0/0" in finding.verdict


def test_the_decks_two_accuracies_contradict_and_the_higher_one_excludes_guessing():
    (finding,) = [
        f
        for f in examine(report_deck.MOBILENET, claimed_accuracy=Rounded.parse("42.98 %"))
        if f.code == "accuracies_contradict"
    ]
    assert finding.exact, "no rounding brings the two together"
    (samples,) = [step for step in finding.steps if "separate samples of 7,178 images differ so much" in step]
    # By hand: 42.975 and 20.5 %, their middle p = .317375; 2 p (1 - p) / 7,178 = 6.0363e-5, root .0077694;
    # (.42975 - .205) / .0077694 = 28.93.
    assert "p = 0.3174" in samples
    assert "= 0.00777: 28.9 of them" in samples
    assert float(samples.partition("probability ")[2].rstrip(".")) < 1e-100
    assert any("always answering happy: 24.7 %" in plain(step) for step in finding.steps)
    # By hand: recall .425 to .435 of 1774 are 754 to 771 right answers; .065 to .075 of 958 would be 63 to 71, but with
    # fewer than 68 an F1 of .095 would need a precision above .145.
    assert "Added up: 1,423 to 1,483 of 7,178" in finding.steps[0]
    assert "0.20, stands for 19.5 % to 20.5 %; both together: 19.8 % to 20.5 %" in plain(finding.steps[1])
    hits = {row[0]: row[1:3] for row in finding.evidence.rows}
    assert (hits["angry"], hits["happy"], hits["all rows"]) == ((68, 71), (754, 771), (1423, 1483))
    fewest, most = zip(*(hits[name] for name in report_deck.TEST_SUPPORT), strict=True)
    assert (sum(fewest), sum(most)) == hits["all rows"]
    assert (replace(finding, p_value=0.0).chance, replace(finding, p_value=None).chance) == ("less than 1e-300", "")
    assert "wrong pairing" in finding.limits


def test_everything_that_follows_from_the_deck():
    found = {subject: [f.code for f in findings] for subject, findings in report_deck.findings().items()}
    assert found == {
        "MobileNet by class": ["independent_pairing", "accuracies_contradict", "undefined_precision"],
        "Custom CNN": ["accuracy_not_recall"],
        "ResNet50": ["constant_answer", "average_below_least"],
        "MobileNet": ["accuracy_not_recall"],
        "VGG16": ["accuracy_not_recall"],
        "Inception V3": ["accuracy_not_recall"],
        "data set": ["totals_differ"],
    }


def test_resnet_answered_happy_and_its_precision_is_lower_than_any_answers_have():
    constant, low = report_deck.findings()["ResNet50"]
    equal = {row[0]: row[3] for row in constant.evidence.rows}
    assert equal == {"accuracy": "yes", "weighted recall": "yes", "weighted F1": "yes", "weighted precision": "no"}
    assert constant.exact
    # By hand: .24705 x 7,178 is 1,773.3, so 1,774 are right; 7,178 + 1,774 - 2 x 1,774^2 / (7,178 x .09805) = 8.9.
    # Parted at .5, 1,774 - 17 to 1,774 + 17 images are left, which angry and surprise with 1,789 have as well; parted
    # at .6 it is 1,774 - 22 to 1,774 + 14.
    assert "answering happy to every image, or to 7,156 of 7,178 at least" in constant.verdict
    assert "weighted precision does not fit" in constant.limits
    assert low.exact
    assert any("0.24705 x 0.24705 = 0.0610, and printed as 6.00 %." in plain(step) for step in low.steps)


def test_the_decks_f1_is_lower_than_its_accuracies_allow():
    (finding,) = report_deck.findings()["MobileNet"]
    # By hand: .42975^2 = .18469; 2 x .18469 / 1.42975 = .25834.
    assert any("= 0.1847, and printed as 18.23 %" in plain(step) for step in finding.steps)
    assert any("= 0.2583, and printed as 18.23 %" in plain(step) for step in finding.steps)
    assert finding.limits.endswith("and so must precision and F1.")
    vgg = report_deck.findings()["VGG16"][0]
    assert not any("weighted precision is at least 0" in step for step in vgg.steps), ".1491 is less than .1810"


def test_no_answers_have_lower_averages_than_is_said():
    generator, counted = np.random.default_rng(4), 0
    for _ in range(2_000):
        support = generator.integers(1, 300, 3)
        chances = generator.dirichlet(np.full(3, generator.choice([0.05, 0.3, 2])), 3)
        if generator.random() < 0.5:
            chances = 0.998 * np.eye(3)[0] + 0.002 * chances  # nearly constant
        confusion = np.stack([generator.multinomial(n, p) for n, p in zip(support, chances, strict=True)])
        found = examine_overall(overall_of(confusion), dict(zip("abc", support.tolist(), strict=True)))
        answers = dict(zip("abc", confusion.sum(axis=0).tolist(), strict=True))
        for finding in found:
            assert finding.code == "constant_answer"
            name, said = re.search(r"answering (\w) to every image(?:, or to ([\d,]+) of)?", finding.verdict).groups()
            least = int(said.replace(",", "")) if said else confusion.sum()
            assert answers[name] >= least
            counted += 1
    assert counted > 200


def test_the_deck_counts_1731_images_too_few():
    (finding,) = report_deck.findings()["data set"]
    assert finding.verdict == "The report counts 34,156 images; there are 35,887."
    assert finding.evidence.rows[-1] == ("difference", -1731)
    assert totals_differ(35_887, 35_887) == ()


def test_the_deck_as_text_is_the_deck_as_data():
    parsed = parse_report(DECK_TEXT)
    assert parsed.rows == report_deck.MOBILENET.rows
    assert codes(parsed) == codes(report_deck.MOBILENET)


# Single findings


@pytest.mark.parametrize("digits", [2, 3, 4])
def test_a_constant_answer_is_recognised_by_class(digits):
    confusion = np.zeros((7, 7), dtype=int)
    confusion[:, 3] = SUPPORT
    (finding,) = examine(report_of(confusion, digits=digits))
    assert finding.code == "constant_answer"
    assert "happy" in finding.verdict
    assert finding.exact
    assert ("at least" in finding.verdict) == (digits < 4)


def test_a_near_constant_answer_is_called_constant_only_as_far_as_the_digits_say():
    confusion = np.zeros((7, 7), dtype=int)
    confusion[:, 3] = SUPPORT
    confusion[0, 3] -= 2
    confusion[0, 5] = 2
    (finding,) = [f for f in examine(report_of(confusion)) if f.code == "constant_answer"]
    assert "at least" in finding.verdict
    assert "Rounding leaves room" in finding.limits


def test_a_constant_answer_is_recognised_by_overall_figures():
    share = 1247 / N
    line = Overall(
        accuracy=Rounded.parse(f"{100 * share:.2f} %"),
        precision=Rounded.parse(f"{100 * share**2:.2f} %"),
        recall=Rounded.parse(f"{100 * share:.2f} %"),
        f1=Rounded.parse(f"{100 * 2 * share**2 / (1 + share):.2f} %"),
        average="weighted",
    )
    (finding,) = examine_overall(line, report_deck.TEST_SUPPORT)
    assert "sad" in finding.verdict
    assert finding.exact
    assert examine_overall(replace(line, average=None), report_deck.TEST_SUPPORT) == ()


def test_an_f1_that_prints_as_zero_says_nothing_of_a_constant_answer():
    line = Overall(accuracy=Rounded.parse("0.02"), f1=Rounded.parse("0.00"), average="weighted")
    assert examine_overall(line, report_deck.TEST_SUPPORT) == ()


def test_an_accuracy_that_happens_to_be_a_share_is_not_enough():
    line = Overall(accuracy=Rounded.parse("24.71 %"), f1=Rounded.parse("0.22"))
    assert examine_overall(line, report_deck.TEST_SUPPORT) == ()
    assert examine_overall(Overall(accuracy=Rounded.parse("24.71 %")), report_deck.TEST_SUPPORT) == ()


def test_a_recall_of_unknown_average_may_differ_from_the_accuracy():
    line = Overall(accuracy=Rounded.parse("42.98 %"), recall=Rounded.parse("20.51 %"))
    assert examine_overall(line, report_deck.TEST_SUPPORT) == ()


def test_a_precision_of_one_from_a_few_right_answers_is_left_alone():
    # 4 of 1,000 right and nothing else predicted as the class: printed 1.00 and 0.00 as well.
    confusion = np.array([[4, 996], [0, 1000]])
    assert codes(report_of(confusion, names=["rare", "common"])) == []


def test_an_f1_that_is_not_the_harmonic_mean_is_found():
    text = DECK_TEXT.replace("0.20      0.22      0.21", "0.20      0.22      0.25")
    (finding,) = [f for f in examine(parse_report(text)) if f.code == "f1_not_harmonic"]
    assert finding.verdict.startswith("The F1 of sad, 0.25,")
    assert finding.exact


def test_a_row_that_no_whole_numbers_give_is_found():
    # One half of three images cannot be right.
    text = "cat 0.75 0.50 0.60 3\ndog 0.90 0.90 0.90 50"
    assert codes(parse_report(text)) == ["row_impossible"]


def test_an_accuracy_that_the_rows_do_not_give_is_found():
    (finding,) = [
        f for f in examine(parse_report(DECK_TEXT.replace("0.20      7178", "0.43      7178"))) if "accuracy" in f.code
    ]
    assert finding.code == "accuracy_not_from_rows"


def test_supports_that_do_not_add_up_are_found():
    (finding,) = [
        f for f in examine(parse_report(DECK_TEXT.replace("0.20      7178", "0.20      7187"))) if "totals" in f.code
    ]
    assert finding.verdict == "The supports add up to 7,178; the line 'accuracy' says 7,187."


def test_predictions_that_are_more_than_the_images_are_found():
    # 90 right of 100 at a precision of 0.50 are 180 predictions; twice that is more than 200 images.
    text = "cat 0.50 0.90 0.64 100\ndog 0.50 0.90 0.64 100\naccuracy 0.90 200"
    (finding,) = examine(parse_report(text))
    assert finding.code == "predictions_do_not_add_up"


def test_more_predictions_of_a_class_than_images_are_impossible():
    assert "row_impossible" in codes(parse_report("cat 0.30 0.90 0.45 100\ndog 0.90 0.90 0.90 100\naccuracy 0.90 200"))


def test_averages_that_are_not_those_of_the_rows_are_found():
    honest = report_of(np.array([[70, 30], [10, 190]]), names=["cat", "dog"])
    assert codes(honest) == []
    text = format_report(honest)
    assert "macro avg       0.87 " in text
    wrong = text.replace("macro avg       0.87 ", "macro avg       0.78 ")
    assert codes(parse_report(wrong)) == ["average_not_from_rows"]


def test_an_average_may_leave_out_undefined_scores_or_count_them_as_zero():
    rows = "cat nan 0.00 0.00 100\ndog 0.67 1.00 0.80 200\naccuracy 0.67 300\n"
    for macro in ("0.67 0.50 0.40", "0.33 0.50 0.40"):
        assert codes(parse_report(f"{rows}macro avg {macro} 300")) == ["constant_answer"]


def test_another_test_set_is_noticed_by_its_supports():
    known = report_deck.TEST_SUPPORT
    assert supports_verdict(report_deck.MOBILENET, known) is None
    assert "and 1 class differs." in supports_verdict(report_deck.MOBILENET, known | {"happy": 1700})
    assert "and 2 classes differ." in supports_verdict(report_deck.MOBILENET, known | {"happy": 1700, "sad": 1})


def supports_verdict(report: forensics.Report, known: dict[str, int]) -> str | None:
    """Return what is said of the numbers of images of the classes, if anything."""
    found = [f.verdict for f in examine(report, known_support=known) if f.code == "supports_differ"]
    return found[0] if found else None


SMALL = report_of(np.array([[70, 20, 10], [10, 190, 0], [5, 5, 20]]), names=["cat", "dog", "cow"])


def test_a_class_that_is_missing_from_a_report_has_no_images_in_it():
    whole = {"cat": 100, "dog": 200, "cow": 30, "hen": 7}
    assert "it has 330 images, the test set 337, and 1 class differs." in supports_verdict(SMALL, whole)
    assert supports_verdict(replace(SMALL, complete=False), whole) is None, "it does not say that the rows are all"


def test_classes_under_other_names_are_compared_by_their_numbers():
    assert supports_verdict(SMALL, {"0": 30, "1": 100, "2": 200}) is None
    assert "3 classes and 330 images, the test set 3 and 331" in supports_verdict(SMALL, {"0": 30, "1": 100, "2": 201})
    assert "as many images, but classes of other sizes" in supports_verdict(SMALL, {"0": 31, "1": 99, "2": 200})


def test_two_names_in_another_order_are_called_that():
    said = supports_verdict(SMALL, {"cat": 200, "dog": 100, "cow": 30})
    assert "under other names (2 classes differ): the names are in another order" in said
    assert "not made on" not in said


def test_a_claim_that_the_rows_bear_out_is_not_accused_for_the_line_of_accuracy():
    rows = "cat 0.45 0.43 0.44 100\ndog 0.45 0.47 0.46 100\n"
    wrong_line = parse_report(f"{rows}accuracy 0.20 200\n")
    assert codes(wrong_line, claimed_accuracy=Rounded.parse("45.0 %")) == ["accuracy_not_from_rows"]
    assert "accuracies_contradict" in codes(wrong_line, claimed_accuracy=Rounded.parse("60.0 %"))


def test_a_small_contradiction_is_exact_too_and_no_probability_is_said_that_means_nothing():
    few = report_of(np.array([[5, 5], [4, 6]]), names=["cat", "dog"])
    (finding,) = examine(few, claimed_accuracy=Rounded.parse("60.0 %"))
    assert (finding.code, finding.exact) == ("accuracies_contradict", True)
    assert not any("probability" in step for step in finding.steps)


def test_a_table_that_a_little_skill_explains_as_well_is_called_nearly_that_of_unrelated_pairs():
    weak = report_of(np.array([[12651, 12349], [12257, 12743]]), names=["cat", "dog"])
    (finding,) = examine(weak)
    assert "nearly the table" in finding.verdict
    assert "hardly better than independent guessing (kappa below 0.05)" in finding.verdict
    assert "nearly" not in examine(report_deck.MOBILENET)[0].verdict


def test_the_step_on_precision_is_of_a_class_that_is_predicted():
    rng = np.random.default_rng(0)
    labels, predicted = rng.choice(3, 30_000, p=(0.5, 0.3, 0.2)), rng.choice([1, 2], 30_000)
    confusion = np.bincount(labels * 3 + predicted, minlength=9).reshape(3, 3)
    finding = examine(report_of(confusion, names=["a", "b", "c"]))[0]
    assert finding.code == "independent_pairing"
    assert finding.steps[0].startswith("Share of b: ")


def test_figures_that_two_constant_answers_would_give_are_no_finding():
    support = {"cat": 300, "dog": 301, "cow": 999}
    overall = Overall(accuracy=Rounded.parse("0.19"), f1=Rounded.parse("0.06"), average="weighted")
    assert examine_overall(overall, support) == ()
    of_cow = Overall(accuracy=Rounded.parse("62.44 %"), f1=Rounded.parse("48.00 %"), average="weighted")
    assert [finding.code for finding in examine_overall(of_cow, support)] == ["constant_answer"]
    assert examine_overall(replace(of_cow, average="macro"), support) == ()


def test_accuracies_that_agree_within_rounding_do_not_contradict():
    assert "accuracies_contradict" not in codes(report_deck.MOBILENET, claimed_accuracy=Rounded.parse("20.1 %"))


def test_a_class_without_images_and_predictions_is_possible_whatever_its_scores_are_set_to():
    from sklearn.metrics import classification_report

    labels, predicted = [1, 1, 1, 2, 2], [1, 1, 2, 2, 2]
    for custom in (0, 1, np.nan):
        text = classification_report(labels, predicted, labels=range(3), zero_division=custom)
        assert codes(parse_report(text)) == [], custom


# Reading reports


def test_the_average_of_old_scikit_learn_is_the_weighted_one():
    rows = "cat 0.89 0.40 0.55 100\ndog 0.61 0.95 0.75 100\n"
    old = parse_report(f"{rows}avg / total 0.75 0.68 0.65 200\n")
    assert (old.averages[0].name, old.complete, old.n) == ("weighted avg", True, 200)
    assert codes(old) == []
    assert codes(parse_report(f"{rows}avg / total 0.95 0.68 0.65 200\n")) == ["average_not_from_rows"]
    assert parse_report(f"{rows}Macro average 0.75 0.68 0.65 200\n").averages[0].name == "macro avg"
    with pytest.raises(FerError, match="'average' is a summary"):
        parse_report(f"{rows}average 0.75 0.68 0.65 200\n")


def test_shares_may_be_per_cent_and_a_header_may_stand_behind_words():
    text = "Report:    precision    recall  f1-score   support\ncat 89% 40.0 % 55% 100\ndog 61% 95% 75% 100\n"
    report = parse_report(text)
    assert str(report.rows[0].precision) == "0.89"
    assert (report.rows[0].recall.value, report.rows[0].recall.digits) == (0.4, 3)
    read = [str(Rounded.parse(text)) for text in ("43 %", "43%", "42,98 %", "0,20")]
    assert read == ["0.43", "0.43", "0.4298", "0.20"]
    with pytest.raises(FerError, match="not a proportion"):
        Rounded.parse("43")


def test_the_accuracy_of_a_data_frame_is_no_class():
    frame = "cat 1.0 1.0 1.0 100.0\ndog 1.0 1.0 1.0 100.0\naccuracy 1.0 1.0 1.0 1.0\nmacro avg 1.0 1.0 1.0 200.0\n"
    report = parse_report(frame)
    assert (len(report.rows), report.accuracy.value, report.total) == (2, 1.0, None)
    assert codes(report) == []


@pytest.mark.parametrize("digits", [1, 2, 4])
def test_what_scikit_learn_prints_is_read_back(digits):
    from sklearn.metrics import classification_report

    generator = np.random.default_rng(5)
    labels = generator.integers(0, 4, 500)
    predicted = np.where(generator.random(500) < 0.6, labels, generator.integers(0, 3, 500))
    names = ["very happy", "0", "not-a-face", "sad"]
    text = classification_report(labels, predicted, target_names=names, digits=digits)
    confusion = np.bincount(labels * 4 + predicted, minlength=16).reshape(4, 4)
    ours = report_of(confusion, names=names, digits=digits)
    assert parse_report(text) == ours
    assert parse_report(format_report(ours)) == ours
    assert examine(parse_report(text)) == ()


def test_the_layout_is_that_of_scikit_learn():
    from sklearn.metrics import classification_report

    labels, predicted = np.repeat(np.arange(7), 3), np.arange(21) % 7
    confusion = np.bincount(labels * 7 + predicted, minlength=49).reshape(7, 7)
    expected = classification_report(labels, predicted, target_names=list(report_deck.TEST_SUPPORT))
    assert format_report(report_of(confusion)) == expected


def test_scikit_learns_reports_with_undefined_scores_are_read():
    from sklearn.metrics import classification_report

    labels, predicted = np.array([0] * 60 + [1] * 40), np.zeros(100, dtype=int)
    for custom in (0.0, 1.0, np.nan):
        text = classification_report(labels, predicted, zero_division=custom)
        found = codes(parse_report(text))
        assert found[0] == "constant_answer"
        assert ("undefined_precision" in found) == (custom == 1.0)
        assert set(found) <= {"constant_answer", "undefined_precision"}


def test_a_report_on_some_of_the_classes_is_not_judged_by_totals():
    from sklearn.metrics import classification_report

    generator = np.random.default_rng(5)
    labels, predicted = generator.integers(0, 5, 3000), generator.integers(0, 5, 3000)
    report = parse_report(classification_report(labels, predicted, labels=[0, 1, 2]))
    assert not report.complete
    assert pairing_test(report) is None
    assert examine(report) == ()


def test_rows_alone_may_be_some_of_the_classes_and_are_not_judged_by_totals():
    # Images of other classes are predicted as cat and dog here, more than there are cats and dogs.
    rows = "cat 0.40 0.50 0.44 100\ndog 0.40 0.50 0.44 100\n"
    report = parse_report(rows)
    assert not report.closed
    assert examine(report, claimed_accuracy=Rounded.parse("0.90")) == ()
    assert codes(parse_report(rows + "accuracy 0.50 200")) == ["predictions_do_not_add_up"]
    assert codes(parse_report(rows + "accuracy 0.60 300")) == ["totals_differ"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a classification report"),
        ("The model reached good results.", "not a classification report"),
        ("precision recall f1-score support\n", "not a classification report"),
        ("cat 0.5 0.5 0.5 10", "2 to 200 classes"),
        ("cat 0.50 0.50 0.50 10\ncat 0.50 0.50 0.50 10", "'cat' stands in the report twice"),
        ("cat 50.0 0.50 0.50 10\ndog 0.50 0.50 0.50 10", "not between 0 and 1"),
        ("cat 0.50 0.50 0.50 10\ndog 0.50 0.50 10", "not understood: 'dog 0.50 0.50 10'"),
        ("cat 1 1 1 10\ndog 0.50 0.50 0.50 10", "not understood: 'cat 1 1 1 10'"),
        ("cat 0.50 0.50 0.50 0\ndog 0.50 0.50 0.50 0", "can be 1 to"),
        ("cat 0.50 0.50 0.50 9999999999\ndog 0.50 0.50 0.50 10", "can be 1 to"),
        ("x" * 200_000, "too long"),
        ("cat" + " 0.50" * 300, "too long"),
    ],
)
def test_what_is_not_a_report_is_refused_with_a_sentence(text, message):
    with pytest.raises(FerError, match=message):
        parse_report(text)


def test_a_printed_number_stands_for_all_that_round_to_it():
    score = Rounded.parse("0.20")
    assert (score.low, score.high) == (pytest.approx(0.195), pytest.approx(0.205))
    assert Rounded.parse("42.98 %").low == pytest.approx(0.42975)
    assert (Rounded.parse("1.00").high, Rounded.parse(".00").low) == (1, 0)
    assert str(Rounded.parse("0.20")) == "0.20"
    with pytest.raises(FerError, match="not a proportion"):
        Rounded.parse("twenty")


# The arithmetic behind the p-values


def test_tails_agree_with_scipy():
    from scipy.stats import binom, chi2, hypergeom

    for degrees in range(1, 9):
        for x in (0.1, 3.0, 24.3, 90.0):
            assert pairing._chi_square_tail(x, degrees) == pytest.approx(chi2.sf(x, degrees), rel=1e-9)
    for k, n, p in ((1400, 7178, 0.23), (0, 50, 0.1), (49, 50, 0.9), (-1, 5, 0.5), (5, 5, 0.5)):
        assert pairing.binomial_cdf(k, n, p) == pytest.approx(binom.cdf(k, n, p), rel=1e-7)
    for k, n, marked, drawn in ((1, 7178, 111, 20), (3, 7178, 111, 150), (2, 10, 9, 5), (6, 10, 9, 5)):
        assert pairing._hypergeometric_tail(k, n, marked, drawn) == pytest.approx(
            hypergeom.sf(k - 1, n, marked, drawn), rel=1e-7
        )


def test_the_smallest_form_over_a_box_is_the_smallest():
    generator = np.random.default_rng(0)
    for _ in range(20):
        factor = generator.normal(size=(4, 4))
        covariance = factor @ factor.T + 0.1 * np.eye(4)
        low = generator.normal(size=4)
        high = low + generator.uniform(0, 2, 4)
        smallest, degrees = pairing._smallest_form(covariance, low, high)
        points = generator.uniform(low, high, size=(2000, 4))
        forms = np.einsum("ij,jk,ik->i", points, np.linalg.inv(covariance), points)
        assert degrees == 4
        assert smallest <= forms.min() + 1e-9


def test_the_chi_square_of_a_shuffle_is_chi_square():
    # With six digits nothing is lost to rounding: p-values of true shuffles must then be evenly spread.
    generator = np.random.default_rng(5)
    confusion = honest_confusion(generator)
    while confusion.sum(axis=0).min() < 500:
        confusion = honest_confusion(generator)
    results = [pairing_test(report_of(after_shuffling(confusion, generator), digits=6)) for _ in range(400)]
    statistics = np.array([result.statistic for result in results])
    degrees = results[0].degrees
    assert {result.degrees for result in results} == {degrees}
    assert statistics.mean() == pytest.approx(degrees, abs=5 * (2 * degrees / 400) ** 0.5)
    p_values = [pairing._chi_square_tail(statistic, degrees) for statistic in statistics]
    assert np.mean(np.array(p_values) < 0.1) == pytest.approx(0.1, abs=0.06)


# Figures of others


def test_the_constants_about_the_test_set_add_up():
    assert sum(report_deck.TEST_SUPPORT.values()) == 7178
    assert report_deck.MOBILENET.n == 7178


@pytest.mark.data
@pytest.mark.skipif(not os.environ.get("FERPLUS_CSV"), reason="FERPLUS_CSV is not set")
def test_the_human_figures_are_those_of_the_votes():
    from fer_core.data import ferplus
    from fer_core.evaluation.agreement import agreement
    from fer_core.labels import EMOTIONS, index_of

    names = list(ferplus.row_map())
    labels = np.array([index_of(name.split("/")[1]) for name in names])
    counts, known = ferplus.open_votes().of(names)
    people = agreement(labels[known], labels[known], counts[known])
    stated = report_deck.HUMANS[1]
    assert people.n == 35_710
    assert people.value == pytest.approx(stated.accuracy, abs=5e-5)
    for k, emotion in enumerate(EMOTIONS):
        assert people.per_class[k] == pytest.approx(stated.per_class[emotion], abs=5e-5)


@pytest.mark.parametrize(
    ("printed", "in_percent"),
    [("0.20", "20\u202f%"), ("42.98 %", "42.98\u202f%"), ("0.4", "40\u202f%"), ("0.125", "12.5\u202f%")],
)
def test_a_printed_figure_in_per_cent_has_no_digit_that_was_not_printed(printed: str, in_percent: str) -> None:
    assert Rounded.parse(printed).in_percent == in_percent
