from __future__ import annotations

import numpy as np
import pytest

from fer_core import report_check
from fer_core.errors import FerError
from fer_core.evaluation.forensics import format_report
from fer_core.evaluation.report_deck import MOBILENET, TEST_SUPPORT
from fer_core.labels import EMOTIONS, index_of
from tests.text import plain

LABELS = np.repeat(np.arange(7), list(TEST_SUPPORT.values()))


def honest_answers() -> np.ndarray:
    """Return answers of which about 45 % are right, the others by chance."""
    generator = np.random.default_rng(5)
    guessed = generator.choice(7, len(LABELS), p=[0.05, 0.05, 0.1, 0.4, 0.1, 0.2, 0.1])
    return np.where(generator.random(len(LABELS)) < 0.3, LABELS, guessed).astype(np.int64)


def test_perfect_answers_to_equal_classes_differ_as_much_as_rows_can():
    labels = np.repeat(np.arange(7), 10)
    shown = report_check.evaluate(labels, labels)
    assert shown.accuracy == 1
    assert shown.recall_sum == 7
    assert shown.guessing == pytest.approx(1 / 7)
    # each row is (1, 0, 0, …) where the average row is 1/7 everywhere: (6/7 + 6 x 1/7) / 2
    assert shown.rows_differ == pytest.approx(6 / 7)
    assert shown.precision_gap == pytest.approx(6 / 7)


def test_one_answer_to_everything_leaves_equal_rows_and_its_class_share_as_precision():
    shown = report_check.evaluate(LABELS, np.full(len(LABELS), index_of("happy")))
    assert shown.rows_differ == 0
    assert shown.recall_sum == 1
    assert shown.precision_gap == pytest.approx(0)
    assert shown.accuracy == shown.guessing == pytest.approx(1774 / 7178)


def test_shuffling_labels_collapses_rows_and_precisions_and_the_checker_notices():
    answers = honest_answers()
    paired, mixed = report_check.evaluate(LABELS, answers), report_check.evaluate(LABELS, answers, seed=1)
    assert paired.findings == ()
    assert [finding.code for finding in mixed.findings] == ["independent_pairing"]
    assert mixed.confusion.sum(axis=0).tolist() == paired.confusion.sum(axis=0).tolist()
    assert mixed.confusion.sum(axis=1).tolist() == paired.confusion.sum(axis=1).tolist()
    assert paired.rows_differ > 0.2 > 0.05 > mixed.rows_differ
    assert paired.recall_sum > 1.5
    assert mixed.recall_sum == pytest.approx(1, abs=0.1)
    assert mixed.accuracy == pytest.approx(mixed.guessing, abs=0.02)


def test_precision_stands_beside_class_share_and_recall_beside_share_of_answers():
    labels, answers = np.array([0, 0, 0, 3]), np.array([0, 3, 3, 3])
    angry, disgust, *_ = report_check.side_by_side(report_check.evaluate(labels, answers))
    assert angry == {
        "Class": "Angry",
        "Precision": 1.0,
        "Share of the images": 0.75,
        "Recall": 0.333,
        "Share of the answers": 0.25,
        "Images": 3,
        "Answers": 1,
    }
    assert disgust["Precision"] is None
    recalls = report_check.share_records(report_check.evaluate(labels, answers), "recall")
    assert (recalls[0]["value"], recalls[0]["chance"]) == (0.333, 0.25)


def matrix(disgust: dict[str, int], fear: dict[str, int]) -> np.ndarray:
    counts = np.zeros((7, 7), np.int64)
    for label, row in (("disgust", disgust), ("fear", fear)):
        for answer, count in row.items():
            counts[index_of(label), index_of(answer)] = count
    return counts


def test_a_claim_holds_where_the_interval_is_clear_of_one_half():
    true = report_check.claim("A", matrix({"disgust": 10, "happy": 80, "sad": 20}, {"fear": 90, "happy": 10}))
    assert (true.fails, true.most, true.more_than_others) == ("yes", "yes", "yes")
    assert (true.found.count, true.taken.count, true.found.n) == (10, 80, 110)
    assert (true.others.count, true.others.n) == (10, 100)
    false = report_check.claim("B", matrix({"disgust": 90, "happy": 5, "sad": 15}, {"fear": 50, "happy": 50}))
    assert (false.fails, false.most, false.more_than_others) == ("no", "no", "no")
    open_ = report_check.claim("C", matrix({"disgust": 50, "happy": 50}, {"fear": 50, "happy": 50}))
    assert (open_.fails, open_.most, open_.more_than_others) == ("undecided", "undecided", "undecided")


def test_the_sentences_on_the_claim_count_the_models_it_holds_for():
    a = report_check.claim("A", matrix({"disgust": 10, "happy": 80, "sad": 20}, {"fear": 90, "happy": 10}))
    b = report_check.claim("B", matrix({"disgust": 90, "happy": 5, "sad": 15}, {"fear": 50, "happy": 50}))
    fails, most, more, less = plain(report_check.claims_in_words([a, b]))
    assert fails.startswith(
        "**“Disgust fails”** (fewer than half are found) holds for 1 of 2 models: A finds 10 of 110"
    )
    assert "holds for 1 of 2 models: A does so with 80 of 110" in most
    assert (
        "**more often than other faces** (those labelled neither disgust nor happy) by A (72.7 % against 10.0 %)"
        in more
    )
    assert less.endswith("by B (4.5 % against 50.0 %).")
    assert report_check.claims_in_words([a, b, b, b, b])[3].endswith(") by 4 of 5 models.")
    assert "holds for the one model here" in report_check.claims_in_words([a])[0]
    assert "holds for none of the models" in report_check.claims_in_words([b, b])[0]
    assert "nothing to test" in report_check.claims_in_words([])[0]
    assert "nothing to test" in report_check.claims_in_words([report_check.claim("D", np.zeros((7, 7), np.int64))])[0]


def test_the_pasted_table_of_the_report_is_found_out_and_an_honest_one_is_not():
    deck = report_check.check_text(format_report(MOBILENET), claimed_accuracy="42.98 %", known_support=TEST_SUPPORT)
    assert [finding.code for finding in deck.findings] == [
        "independent_pairing",
        "accuracies_contradict",
        "undefined_precision",
    ]
    honest = report_check.check_text(format_report(report_check.evaluate(LABELS, honest_answers()).report))
    assert honest.findings == ()
    assert [row.name for row in honest.report.rows] == list(EMOTIONS)


def test_totals_are_judged_only_where_the_rows_are_said_to_be_all_classes():
    # 10 + 10 images, but recall / precision stands for 5 / .1 = 50 predictions of each class
    text = "precision recall f1-score support\ncat 0.10 0.50 0.17 10\ndog 0.10 0.50 0.17 10\n"
    assert report_check.check_text(text).findings == ()
    assert report_check.check_text(text, all_classes=True).findings != ()


@pytest.mark.parametrize(
    ("text", "claimed", "sentence"),
    [
        ("  \n", "", "Paste a classification report first"),
        ("Dear teacher, here is my report.", "", "not a classification report"),
        ("cat 0.9 0.9", "", "This line is not understood"),
        ("cat 0.10 0.50 0.17 10\ndog 0.10 0.50 0.17 10", "forty", "'forty' is not a proportion"),
    ],
)
def test_what_is_not_understood_is_said_in_a_sentence(text, claimed, sentence):
    with pytest.raises(FerError, match=sentence):
        report_check.check_text(text, claimed_accuracy=claimed)


def test_the_tables_of_the_report_are_shown_as_printed():
    assert plain(report_check.overall_records()[1]) == {
        "Model": "ResNet50",
        "Accuracy": "24.71 %",
        "F1": "9.80 %",
        "Precision": "6.00 %",
        "Recall": "24.71 %",
    }
    happy = report_check.deck_records()[3]
    assert (happy["Class"], happy["Precision"], happy["Share of the images"]) == ("Happy", "0.25", "0.247")
