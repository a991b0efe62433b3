from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from fer_core.confusion import Rate, rate
from fer_core.data import tables
from fer_core.data.ferplus import VOTE_COLUMNS, Votes
from fer_core.errors import FerError, ModelContractError
from fer_core.evaluation import predictions
from fer_core.evaluation.bootstrap import wilson
from fer_core.evaluation.forensics import shuffled
from fer_core.evaluation.predictions import Predictions
from fer_core.explain import ledger as ld
from fer_core.explain.ledger import Embedded, Inputs, Ledger, Rescored, ledger
from fer_core.labels import EMOTIONS
from fer_core.registry import LEDGER_FILE, PREDICTIONS_FILE, ModelCard, load_registry, write_card
from fer_core.settings import ROOT
from tests.text import plain
from tests.toy_predictions import OTHER, make_evaluated_model, toy_predictions

SHA = "0" * 64
ANGRY, DISGUST, FEAR, HAPPY, NEUTRAL, SAD, SURPRISE = range(7)


def row(**scores: float) -> np.ndarray:
    """Return one row of probabilities; what is not named shares the rest evenly."""
    rest = (1 - sum(scores.values())) / (7 - len(scores))
    return np.array([scores.get(emotion, rest) for emotion in EMOTIONS], np.float32)


def part(split: str, rows: list[tuple[int, np.ndarray]], start: int = 0) -> Predictions:
    """Return predictions of images named as rows of fer2013.csv, from `start` on."""
    return Predictions(
        names=np.array([f"row/{start + i:05d}" for i in range(len(rows))]),
        split=np.full(len(rows), split),
        labels=np.array([label for label, _ in rows], np.int64),
        proba=np.array([proba for _, proba in rows], np.float32).reshape(len(rows), 7),
    )


SURE = row(angry=0.9, disgust=0.01)
CLOSE = row(angry=0.4, disgust=0.1)
"""4 in favour of angry; the priors differ by 9.16, so disgust wins from tau = ln 4 / ln 9.16 = 0.63 on."""

TEST = part(
    "private",
    [
        (DISGUST, row(disgust=0.9)),  # 0 found
        (DISGUST, row(disgust=0.5, angry=0.3)),  # 1 found
        (DISGUST, CLOSE),  # 2 lost, recovered by tau
        (DISGUST, SURE),  # 3 lost, the votes are tied, and recovered when larger
        (DISGUST, SURE),  # 4 lost, recovered when larger
        (DISGUST, row(happy=0.9, disgust=0.01)),  # 5 lost, unexplained
        (ANGRY, row(angry=0.9)),  # 6
        (ANGRY, CLOSE),  # 7 lost under tau
        (ANGRY, CLOSE),  # 8 lost under tau
        (HAPPY, row(happy=0.9)),  # 9
        (HAPPY, row(disgust=0.6)),  # 10
    ],
)
VALIDATION = part("val", [(DISGUST, CLOSE), (ANGRY, row(angry=0.9)), (HAPPY, row(happy=0.9))], start=100)


def votes(given: dict[int, dict[str, int]], n: int = 200) -> Votes:
    """Return votes of `n` rows of fer2013.csv, known for those given."""
    counts, known = np.zeros((n, len(VOTE_COLUMNS)), np.int64), np.zeros(n, bool)
    for index, by_column in given.items():
        known[index] = True
        for column, count in by_column.items():
            counts[index, VOTE_COLUMNS.index(column)] = count
    return Votes(counts, known)


VOTES = votes(
    {
        0: {"fear": 6, "disgust": 4},
        1: {"disgust": 10},
        2: {"disgust": 6, "anger": 4},
        3: {"anger": 5, "disgust": 5},  # of equals the first of the file: anger, which is the model's answer
        5: {"disgust": 7, "happiness": 3},
    }
)


def rescored(changed: dict[int, np.ndarray] | None = None, test: Predictions = TEST) -> Rescored:
    """Return scores of two variants, equal to the stored ones but for those changed in the second."""
    mine = np.flatnonzero(test.labels == DISGUST)
    as_is, larger = test.proba[mine], test.proba[mine].copy()
    for index, proba in (changed or {}).items():
        larger[mine.tolist().index(index)] = proba
    return Rescored((ld.AS_IS, "larger"), test.names[mine], np.stack([as_is, larger]))


LARGER = {1: row(angry=0.9), 3: row(disgust=0.99), 4: row(disgust=0.99)}
FULL = Inputs(TEST, VALIDATION, leaked={"row/00000", "row/00003"}, votes=VOTES, rescored=rescored(LARGER))


def adds_up(made: Ledger) -> bool:
    if made.lost.count != made.total - made.found or made.unexplained.n != made.lost.count:
        return False
    return sum(line.first for line in made.lines) + made.left == made.lost.count


def counts(made: Ledger) -> list[tuple[int | None, int, int]]:
    """Return how many images each line claims, is the first to claim, and alone claims."""
    return [(None if line.rate is None else line.rate.count, line.first, line.only) for line in made.lines]


# The whole


def test_each_lost_image_is_claimed_by_the_lines_that_explain_it():
    made = ledger(FULL, DISGUST)
    # class share claims image 2, labels image 3, framing images 3 and 4, and none image 5
    assert counts(made) == [(1, 1, 1), (1, 1, 0), (2, 1, 1), (None, 0, 0)]
    assert (made.left, made.unexplained.count, made.unexplained.n) == (1, 1, 4)
    assert adds_up(made)


def test_what_a_missing_line_would_claim_falls_to_the_others_or_to_none():
    made = ledger(replace(FULL, rescored=None))
    # image 3 is now claimed by labels alone, image 4 by none, like image 5
    assert counts(made) == [(1, 1, 1), (1, 1, 1), (None, 0, 0), (None, 0, 0)]
    assert made.left == 2
    without_votes = ledger(replace(FULL, votes=None))
    assert counts(without_votes) == [(1, 1, 1), (None, 0, 0), (2, 2, 2), (None, 0, 0)]
    assert without_votes.left == 1
    alone = ledger(Inputs(TEST))
    assert counts(alone) == [(None, 0, 0)] * 4
    assert (alone.lost.count, alone.left, alone.unexplained.count, alone.unexplained.n) == (4, 4, 4, 4)


def test_an_image_of_several_lines_is_first_claimed_by_one_and_alone_by_none():
    every = votes({index: {"fear": 10} for index in range(6)})
    larger = {index: row(disgust=0.99) for index in (2, 3)}
    made = ledger(replace(FULL, votes=every, rescored=rescored(larger)))
    # image 2 is claimed by all three lines, 3 by labels and framing, 4 and 5 by labels
    assert counts(made) == [(1, 1, 0), (4, 3, 2), (2, 0, 0), (None, 0, 0)]
    assert (made.left, made.lost.count) == (0, 4)


def test_the_summary_counts_what_is_found_and_where_the_rest_goes():
    made = ledger(FULL, DISGUST)
    assert (made.total, made.found, made.lost.count, made.lost.n) == (6, 2, 4, 6)
    assert (made.lost.low, made.lost.high) == pytest.approx(wilson(4, 6))
    assert made.answers == (3, 2, 0, 1, 0, 0, 0)
    assert "Of 6 test images labelled disgust, 2 are answered disgust; 4 are lost (66.7 %" in plain(made.summary)
    assert made.summary.endswith("answered: 3 angry, 1 happy.")
    assert plain(made.remainder).startswith("1 of 4 lost images is unexplained (25.0 %")
    assert made.remainder.endswith("Not measured: Features that do not tell the classes apart.")


def test_disgust_is_the_default_and_any_class_can_be_asked_for():
    assert ledger(FULL) == ledger(FULL, DISGUST)
    other = ledger(replace(FULL, rescored=None), HAPPY)
    assert (other.total, other.found, other.answers[DISGUST]) == (2, 1, 1)
    assert adds_up(other)
    with pytest.raises(FerError, match="no class 7"):
        ledger(FULL, 7)


def test_the_order_of_the_rows_does_not_matter():
    generator = np.random.default_rng(1)
    turned = replace(
        FULL,
        test=TEST.take(generator.permutation(len(TEST))),
        validation=VALIDATION.take(np.array([2, 0, 1])),
        rescored=Rescored(
            FULL.rescored.variants, FULL.rescored.images[::-1].copy(), FULL.rescored.proba[:, ::-1].copy()
        ),
    )
    assert ledger(turned).to_json() == ledger(FULL).to_json()


def test_validation_and_test_images_are_not_mixed_up():
    with pytest.raises(FerError, match="validation images among the test"):
        Inputs(VALIDATION)
    with pytest.raises(FerError, match="test images among the validation"):
        Inputs(TEST, TEST)


def test_what_is_not_given_is_not_measured_and_claims_nothing():
    made = ledger(Inputs(TEST))
    assert [line.measured for line in made.lines] == [False] * 4
    assert all(line.sentence.startswith("Not measured: ") and line.price is None for line in made.lines)
    assert made.unexplained.count == made.lost.count == 4
    assert adds_up(made)
    assert made.check("leaks").difference is None


# Class share


def test_tau_is_chosen_on_validation_and_its_price_counted_on_test():
    line = ledger(FULL).line("class_share")
    assert (line.rate.count, line.rate.n) == (1, 4)
    assert (line.rate.low, line.rate.high) == pytest.approx(wilson(1, 4))
    # 6 of 11 answers are right before; two of angry are lost and one of disgust is won.
    assert line.details["tau"] == 0.7
    assert line.details["accuracy"] == pytest.approx(6 / 11, abs=1e-6)
    assert line.details["accuracy_adjusted"] == pytest.approx(5 / 11, abs=1e-6)
    assert line.price.value == pytest.approx(-100 / 11, abs=1e-6)
    assert line.details["points_low"] < line.price.value < line.details["points_high"]
    assert (line.details["false_answers"], line.details["false_answers_adjusted"]) == (1, 3)
    assert "1 of 4 lost images gets the label disgust under logit adjustment with τ = 0.7" in line.sentence
    assert "changes by −9.1 points" in line.price.words
    assert "of the images with other labels, 3 are answered disgust and not 1 (+2)" in line.price.words


def test_class_share_recovers_nothing_where_validation_has_nothing_to_buy():
    validation = part("val", [(DISGUST, row(disgust=0.9)), (ANGRY, row(angry=0.9))], start=100)
    line = ledger(replace(FULL, validation=validation)).line("class_share")
    assert (line.rate.count, line.details["tau"], line.price.value) == (0, 0, 0)
    assert line.sentence.startswith("None of 4 lost images is recovered")


def test_class_share_is_too_dear_where_tau_costs_more_than_two_points():
    # Recall of the one image of disgust would cost ten of twenty right answers.
    validation = part("val", [(DISGUST, CLOSE)] + [(ANGRY, CLOSE)] * 10 + [(HAPPY, row(happy=0.99))] * 9, start=100)
    assert ledger(replace(FULL, validation=validation)).line("class_share").details["tau"] == 0


def test_class_share_needs_validation_images_of_the_class():
    line = ledger(replace(FULL, validation=VALIDATION.take(np.array([1, 2])))).line("class_share")
    assert not line.measured
    assert "no predictions for validation images labelled disgust" in line.sentence


# Labels


def test_labels_claim_what_most_voters_do_not_call_so_and_count_images_without_votes_apart():
    line = ledger(FULL).line("labels")
    assert (line.rate.count, line.rate.n) == (1, 3)
    assert line.details == {
        "without_votes": 1,
        "majority_is_answer": 1,
        "no_class": 0,
        "ties": 1,
        "found": 2,
        "found_too": 1,
    }
    assert "For 1 of 3 lost images with FER+ votes, most voters did not vote disgust" in line.sentence
    assert "for 1 of these the majority voted what the model answers" in line.sentence
    assert "1 lost image without votes is not counted" in line.sentence
    assert line.price.words == "the same holds for 1 of 2 found images with votes."


def test_labels_claim_nothing_where_voters_agree_and_all_where_they_see_no_class():
    agreeing = votes({k: {"disgust": 10} for k in range(11)})
    assert ledger(replace(FULL, votes=agreeing)).line("labels").rate.count == 0
    contempt = votes({k: {"contempt": 9, "disgust": 1} for k in range(11)})
    line = ledger(replace(FULL, votes=contempt)).line("labels")
    assert (line.rate.count, line.details["no_class"], line.details["majority_is_answer"]) == (4, 4, 0)


def test_labels_are_not_measured_where_no_lost_image_has_votes():
    line = ledger(replace(FULL, votes=votes({0: {"disgust": 10}}))).line("labels")
    assert not line.measured
    assert "votes for none of the lost images" in line.sentence


# Framing


def test_framing_averages_the_variants_and_states_what_is_lost_by_it():
    line = ledger(FULL).line("framing")
    assert (line.rate.count, line.rate.n) == (2, 4)
    assert (line.price.value, line.details["net"]) == (1, 1)
    assert (line.details["alone: as is"], line.details["alone: larger"]) == (0, 2)
    assert "averaged over 2 variants of the face (as is, larger)" in line.sentence
    assert line.price.words == "1 of 2 found images is lost by the same averaging; +1 in all."


def test_framing_claims_nothing_where_every_variant_scores_alike():
    line = ledger(replace(FULL, rescored=rescored())).line("framing")
    assert (line.rate.count, line.price.value, line.details["net"]) == (0, 0, 0)


def test_scores_in_another_order_or_of_other_images_are_refused():
    given = FULL.rescored
    with pytest.raises(FerError, match="differ from the stored ones"):
        ledger(replace(FULL, rescored=Rescored(given.variants, given.images, given.proba[:, ::-1])))
    with pytest.raises(FerError, match="1 of 6 images have no scores of variants: row/00000"):
        ledger(replace(FULL, rescored=Rescored(given.variants, given.images[1:], given.proba[:, 1:])))
    with pytest.raises(FerError, match="stands twice"):
        ledger(replace(FULL, rescored=Rescored(given.variants, given.images[[0, 0, 1, 2, 3, 4]], given.proba)))


@pytest.mark.parametrize(
    ("names", "proba"),
    [
        ((), np.zeros((0, 2, 7))),
        (("a",), np.zeros((1, 3, 7))),
        (("a", "a"), np.zeros((2, 2, 7))),
        (("a",), np.full((1, 2, 7), np.nan)),
        (("a",), np.full((1, 2, 7), 2.0)),
    ],
)
def test_scores_of_variants_are_checked(names, proba):
    with pytest.raises(FerError):
        Rescored(names, np.array(["x", "y"]), proba)


def test_variants_move_enlarge_and_mirror_a_face():
    faces = np.random.default_rng(0).integers(0, 256, (3, 48, 48), dtype=np.uint8)
    made = ld.variants(faces)
    assert list(made) == ["as is", "larger", "looser", "left", "right", "up", "down", "mirror"]
    assert all(value.shape == faces.shape and value.dtype == np.uint8 for value in made.values())
    assert np.array_equal(made["as is"], faces)
    assert np.array_equal(made["mirror"], faces[:, :, ::-1])
    assert np.array_equal(made["left"][:, :, :-2], faces[:, :, 2:])
    assert np.array_equal(made["right"][:, :, 2:], faces[:, :, :-2])
    assert np.array_equal(made["up"][:, :-2], faces[:, 2:])
    assert np.array_equal(made["down"][:, 2:], faces[:, :-2])
    # beyond the edge the outermost pixels are repeated
    assert np.array_equal(made["right"][:, :, 0], faces[:, :, 0])
    assert np.array_equal(made["down"][:, 1], faces[:, 0])


def test_larger_and_looser_keep_the_middle_and_change_the_size():
    square = np.zeros((1, 48, 48), np.uint8)
    square[:, 14:34, 14:34] = 255  # a side of 20 px about the middle
    made = ld.variants(square)
    for name, zoom in (("larger", 1.15), ("looser", 0.87)):
        assert np.sqrt((made[name] / 255.0).sum()) == pytest.approx(20 * zoom, abs=0.3)
        assert np.abs(made[name] - made[name][:, ::-1, ::-1].astype(float)).max() <= 1
    assert len(ld.variants(square[:0])["mirror"]) == 0


def test_variants_are_of_grey_faces_of_48_pixels():
    with pytest.raises(ValueError, match="48 x 48"):
        ld.variants(np.zeros((1, 96, 96), np.uint8))
    with pytest.raises(ValueError, match="uint8"):
        ld.variants(np.zeros((1, 48, 48), np.float32))


# Features

MANY = part(
    "public",
    [(DISGUST, row(disgust=0.9))] * 6
    + [(DISGUST, SURE)] * 7
    + [(DISGUST, row(happy=0.9))]
    + [(ANGRY, row(angry=0.9))] * 20
    + [(HAPPY, row(happy=0.9))] * 5,
)
"""Disgust: 0-5 found, 6-12 lost to angry, 13 lost to happy; 14-33 angry."""
MANY_VALIDATION = part("val", [(DISGUST, SURE)] * 4 + [(ANGRY, row(angry=0.9))] * 6, start=100)


def embedded(places: np.ndarray) -> Embedded:
    """Return features of the images of disgust and angry: their place on two axes, and one that is the same for all."""
    names = ld.probe_images(MANY, MANY_VALIDATION, DISGUST)
    return Embedded(names, np.column_stack([places, -2 * places, np.full(len(names), 3)]).astype(np.float32))


def places() -> np.ndarray:
    """Return +1 for disgust and -1 for angry, validation first as in `probe_images`."""
    return np.concatenate([np.ones(4), -np.ones(6), np.ones(14), -np.ones(20)])


def features_line(given: Embedded, **more) -> ld.Line:
    return ledger(Inputs(MANY, MANY_VALIDATION, embedded=given, **more)).line("features")


def test_the_probe_is_between_the_class_and_the_answer_it_mostly_gets():
    assert ld.destination(MANY, DISGUST) == ANGRY
    names = ld.probe_images(MANY, MANY_VALIDATION, DISGUST)
    assert len(names) == 10 + 34
    assert names[0] == "row/00100"
    assert ld.class_images(MANY, DISGUST).tolist() == [f"row/{k:05d}" for k in range(14)]


def test_features_that_part_the_classes_leave_nothing_to_this_line():
    line = features_line(embedded(places()))
    assert (line.rate.count, line.rate.n) == (0, 8)
    assert (line.details["auc"], line.details["balanced_accuracy"], line.price.value) == (1, 1, 0)
    assert (line.details["held_out"], line.details["held_out_other"]) == (18, 26)


def test_equal_features_explain_every_lost_image():
    names = ld.probe_images(MANY, MANY_VALIDATION, DISGUST)
    line = features_line(Embedded(names, np.full((len(names), 4), 0.3, np.float32)))
    assert (line.rate.count, line.rate.n, line.first) == (8, 8, 8)
    assert (line.details["auc"], line.details["balanced_accuracy"]) == (0.5, 0.5)
    assert line.details["found_on_other_side"] == 6


def test_features_claim_the_lost_images_that_lie_among_the_other_class():
    where = places()
    where[[10 + 6, 10 + 7, 10 + 13]] = -1  # two lost to angry, one lost to happy
    where[10 + 0] = -1  # a found image
    where[10 + 14] = 1  # an image of angry
    made = ledger(Inputs(MANY, MANY_VALIDATION, embedded=embedded(where)))
    line = made.line("features")
    assert made.line("class_share").rate.count == 0, "features are the only line that claims anything"
    assert (line.rate.count, line.first, line.only, made.left) == (3, 3, 3, 5)
    assert (line.details["lost_to_other"], line.details["lost_to_other_on_other_side"]) == (7, 2)
    assert (line.details["found_on_other_side"], line.details["other_on_this_side"]) == (1, 1)
    assert line.price.value == pytest.approx(1 / 26, abs=1e-6)
    assert line.details["balanced_accuracy"] == pytest.approx((14 / 18 + 25 / 26) / 2, abs=1e-6)
    assert line.sentence.startswith("3 of 8 lost images are not separable by a linear probe")
    assert adds_up(made)


def test_images_with_equal_pixels_never_stand_on_both_sides_of_a_fold():
    # Each pair has a feature of its own, which tells its label to whoever saw the twin, and nothing about others.
    names = ld.probe_images(MANY, MANY_VALIDATION, DISGUST)
    pair = np.arange(len(names)) // 2  # 4, 6, 14 and 20 are even: no pair has two labels
    values = np.eye(pair.max() + 1, dtype=np.float32)[pair]
    repeated = {str(name): str(group) for name, group in zip(names, pair, strict=True)}
    assert features_line(Embedded(names, values)).details["auc"] > 0.8
    assert features_line(Embedded(names, values), repeated=repeated).details["auc"] == 0.5


def test_features_of_too_few_images_are_not_measured():
    few = MANY.take(np.array([0, 6, 7, 8, *range(14, 34)]))
    given = Embedded(few.names, np.zeros((len(few), 2), np.float32))
    line = ledger(Inputs(few, embedded=given)).line("features")
    assert not line.measured
    assert "4 held-out images labelled disgust and 20 labelled angry are too few for 5 folds" in line.sentence


def test_features_are_paired_by_name_and_checked():
    given = embedded(places())
    turned = Embedded(given.images[::-1], given.values[::-1])
    assert features_line(turned) == features_line(given)
    with pytest.raises(FerError, match="have no features"):
        features_line(Embedded(given.images[1:], given.values[1:]))
    with pytest.raises(FerError, match="not finite"):
        Embedded(given.images, given.values * np.nan)
    with pytest.raises(FerError, match="44 images and features of shape"):
        Embedded(given.images, given.values[1:])


# The evaluation


def test_leaks_compare_recall_with_and_without_them():
    check = ledger(FULL).check("leaks")
    assert check.recall == pytest.approx(2 / 6, abs=1e-6)
    assert check.other == pytest.approx(1 / 4)
    assert check.difference == pytest.approx(1 / 12, abs=1e-6)
    assert check.low < check.difference < check.high
    assert check.details == {"images": 6, "leaked": 2, "leaked_found": 1}
    assert "2 of 6 test images labelled disgust stand in Training too" in check.sentence
    assert "a difference of +8.3 points" in check.sentence


def test_leaks_of_other_classes_or_of_all_images_make_no_difference_to_measure():
    none = ledger(replace(FULL, leaked={"row/00006"})).check("leaks")
    assert (none.difference, none.low, none.high) == (0, 0, 0)
    every = ledger(replace(FULL, leaked={f"row/{k:05d}" for k in range(6)})).check("leaks")
    assert (every.other, every.difference) == (None, None)


def test_mispairing_shows_the_share_of_the_answer_as_recall():
    check = ledger(FULL).check("pairing")
    assert check.recall == pytest.approx(2 / 6, abs=1e-6)
    assert check.other == pytest.approx(3 / 11, abs=1e-6)
    assert check.difference == pytest.approx(2 / 6 - 3 / 11, abs=1e-6)
    assert "recall of disgust would be shown as 27.3 %" in plain(check.sentence)


def sample(n: int = 3_000) -> Predictions:
    """Return predictions that know the label of nine images in ten."""
    generator = np.random.default_rng(3)
    labels = generator.integers(0, 7, n)
    answers = np.where(generator.random(n) < 0.9, labels, generator.integers(0, 7, n))
    return part("private", [(int(k), row(**{EMOTIONS[a]: 0.8})) for k, a in zip(labels, answers, strict=True)])


def test_shuffled_labels_show_what_the_pairing_line_foretells():
    right = sample()
    foretold = ledger(Inputs(right)).check("pairing")
    assert foretold.low > 0.6
    mispaired = Predictions(right.names, right.split, shuffled(right.labels, seed=77), right.proba)
    check = ledger(Inputs(mispaired)).check("pairing")
    assert foretold.recall - foretold.high <= check.recall <= foretold.recall - foretold.low
    assert check.other == foretold.other
    assert check.low <= 0 <= check.high


# Nothing there


def test_a_model_that_never_gives_the_answer_loses_every_image():
    test = part("private", [(DISGUST, SURE)] * 3 + [(ANGRY, row(angry=0.9))])
    made = ledger(replace(FULL, test=test, rescored=rescored(test=test)))
    assert (made.found, made.lost.count, made.lost.value) == (0, 3, 1)
    assert made.line("framing").price.words == "there is no found image to lose."
    assert (made.check("pairing").recall, made.check("pairing").other, made.check("pairing").difference) == (0, 0, 0)
    assert adds_up(made)


def test_a_model_that_answers_all_labels_has_an_empty_ledger():
    test = part("private", [(DISGUST, row(disgust=0.9)), (ANGRY, row(angry=0.9))])
    made = ledger(replace(FULL, test=test, rescored=None))
    assert (made.total, made.found, made.lost.count, made.left, made.remainder) == (1, 1, 0, 0, "")
    assert all(line.measured and line.rate.n == 0 and line.first == 0 for line in made.lines)
    assert made.unexplained.n == 0
    assert made.summary == "Every test image labelled disgust (1) is answered disgust: none is lost."
    assert ld.destination(test, DISGUST) is None
    assert len(ld.probe_images(test, VALIDATION, DISGUST)) == 0


def test_a_class_without_images_has_a_ledger_that_says_so():
    made = ledger(FULL, SURPRISE)
    assert (made.total, made.lost.n) == (0, 0)
    assert np.isnan(made.lost.value)
    assert made.summary == "There is no test image labelled surprise."
    assert all(check.recall is None for check in made.evaluation)
    assert Ledger.from_json(json.loads(json.dumps(made.to_json(), allow_nan=False))).to_json() == made.to_json()


# Storing


def test_a_stored_ledger_is_read_back_as_it_was(tmp_path):
    path = tmp_path / LEDGER_FILE
    made = [
        ledger(Inputs(MANY, MANY_VALIDATION, embedded=embedded(places()))),
        ledger(replace(FULL, rescored=None), HAPPY),
    ]
    ld.write(path, made[::-1], SHA)
    first = path.read_bytes()
    assert ld.read(path) == ({DISGUST: made[0], HAPPY: made[1]}, SHA)
    ld.write(path, made, SHA)
    assert path.read_bytes() == first
    assert [p.name for p in tmp_path.iterdir()] == [LEDGER_FILE]
    with pytest.raises(FerError, match="two ledgers of one class"):
        ld.write(path, [made[0], made[0]], SHA)
    with pytest.raises(FerError, match="cannot be written"):
        ld.write(tmp_path / "nowhere" / LEDGER_FILE, made, SHA)


def test_a_stored_ledger_names_no_image(tmp_path):
    path = tmp_path / LEDGER_FILE
    given = replace(FULL, rescored=None)
    ld.write(path, [ledger(FULL), *(ledger(given, k) for k in range(7) if k != DISGUST)], SHA)
    text = path.read_text()
    assert "disgust" in text
    for name in [*TEST.names.tolist(), *VALIDATION.names.tolist()]:
        assert name not in text
    assert "row/" not in text


def paths(data: object, *way: str) -> list[tuple[str, ...]]:
    """Return the keys that lead to each value of a JSON document; places of a list count as one."""
    if isinstance(data, dict):
        return [path for key, value in data.items() for path in paths(value, *way, key)]
    if isinstance(data, list):
        return [path for value in data for path in paths(value, *way, "*")]
    return [way]


def test_a_stored_ledger_does_not_break_claims_down():
    made = ledger(replace(FULL, embedded=None)).to_json()
    assert set(made) == {
        "class",
        "total",
        "found",
        "lost",
        "answers",
        "summary",
        "lines",
        "unexplained",
        "remainder",
        "evaluation",
    }
    by_answer = [path for path in paths(made) if set(path) & set(EMOTIONS)]
    assert by_answer == [("answers", emotion) for emotion in EMOTIONS], "nothing else is counted by answer"
    of_rate = {"count", "n", "value", "low", "high"}
    assert set(made["unexplained"]) == set(made["lost"]) == of_rate
    for line in made["lines"]:
        assert set(line) == {"key", "title", "rate", "first", "only", "price", "sentence", "details"}
        assert line["rate"] is None or set(line["rate"]) == of_rate
        assert not set(line["details"]) & {*ld.TITLES, *EMOTIONS}, "nor by another line"
        assert all(value is None or isinstance(value, int | float) for value in line["details"].values())


def test_votes_of_one_image_or_of_another_give_the_same_ledger():
    def made(claimed: int, **given):
        by_image = {index: {"fear": 10} if index == claimed else {"disgust": 10} for index in range(6)}
        return ledger(Inputs(TEST, votes=votes(by_image), **given)).to_json()

    # images 3 and 4 get the answer angry, 5 gets happy; no line but that of the votes claims any of them
    assert made(3) == made(4) == made(5)
    assert made(3, validation=VALIDATION) == made(4, validation=VALIDATION) == made(5, validation=VALIDATION)


@pytest.fixture
def card(tmp_path) -> ModelCard:
    """A model with predictions and a ledger made from them."""
    made = make_evaluated_model(tmp_path, "toy")
    stored = predictions.read(made.path(PREDICTIONS_FILE))
    entry = ledger(Inputs(stored.select("all"), stored.select("val")))
    ld.write(made.directory / LEDGER_FILE, [entry], made.files[PREDICTIONS_FILE]["sha256"])
    return write_card(made)


def test_the_ledgers_of_a_model_are_read_by_class(card):
    ledgers = ld.read_ledgers(card)
    assert list(ledgers) == [DISGUST]
    # of each split two of ten are answered rightly, six angry and two happy; two splits are for testing
    assert ledgers[DISGUST].answers == (12, 4, 0, 4, 0, 0, 0)


def test_a_model_may_come_without_ledgers(card):
    (card.directory / LEDGER_FILE).unlink()
    assert ld.read_ledgers(write_card(card)) is None


def test_a_ledger_of_other_predictions_is_refused_with_the_remedy(card):
    predictions.write(card.directory / PREDICTIONS_FILE, toy_predictions(OTHER))
    with pytest.raises(ModelContractError, match=r"other predictions\. .*python -m fer_core explain ledger toy"):
        ld.read_ledgers(write_card(card))
    (card.directory / PREDICTIONS_FILE).unlink()
    with pytest.raises(ModelContractError, match="explain ledger toy"):
        ld.read_ledgers(write_card(card))


def test_a_damaged_ledger_of_a_model_is_refused_with_the_remedy(card):
    path = card.directory / LEDGER_FILE
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"found": 4', b'"found": 5'))
    with pytest.raises(ModelContractError, match="sha256 differs"):
        ld.read_ledgers(card)
    with pytest.raises(ModelContractError, match=r"“toy”.*damaged.*python -m fer_core explain ledger toy"):
        ld.read_ledgers(write_card(card))
    path.write_bytes(whole[:-20])
    with pytest.raises(ModelContractError, match=r"not valid JSON.*python -m fer_core explain ledger toy"):
        ld.read_ledgers(write_card(card))


def test_a_missing_or_foreign_file_is_told_from_a_ledger(tmp_path):
    path = tmp_path / LEDGER_FILE
    with pytest.raises(FerError, match="cannot be read"):
        ld.read(path)
    for content in (
        b"",
        b"\xff\xfe",
        b"{",
        b"[" * 100_000,
        b"null",
        b"[]",
        b'{"format": 1}',
        b'{"format":1,"ledgers":3}',
        b'{"format":1,"ledgers":[]}',
        b'{"format":1,"ledgers":[],"predictions":3}',
    ):
        path.write_bytes(content)
        with pytest.raises(FerError, match=LEDGER_FILE):
            ld.read(path)
    path.write_text(json.dumps({"format": 2, "predictions": SHA, "ledgers": []}))
    with pytest.raises(FerError, match="format 2"):
        ld.read(path)


def damage(data, *place, value):
    *way, last = place
    for step in way:
        data = data[step]
    data[last] = value


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("class",), "joy"),
        (("class",), None),
        (("total",), 7),
        (("found",), 3),
        (("lost", "low"), 0.0),
        (("answers", "angry"), 4),
        (("answers", "angry"), "3"),
        (("answers", "angry"), -3),
        (("answers", "angry"), True),
        (("answers",), [3, 2]),
        (("summary",), "all is well"),
        (("lines",), []),
        (("lines",), None),
        (("lines", 0, "key"), "labels"),
        (("lines", 0, "rate", "count"), 2),
        (("lines", 0, "rate", "count"), 99),
        (("lines", 0, "rate", "n"), 99),
        (("lines", 0, "rate", "high"), 0.5),
        (("lines", 0, "rate"), None),
        (("lines", 0, "first"), 2),
        (("lines", 0, "only"), 0),
        (("lines", 0, "price", "value"), "much"),
        (("lines", 0, "price"), 5),
        (("lines", 0, "sentence"), None),
        (("lines", 0, "details", "tau"), float("nan")),
        (("lines", 0, "details"), None),
        (("lines", 0, "surplus"), 1),
        (("lines", 0, "first"), -1),
        (("lines", 0, "first"), "1"),
        (("lines", 1, "first"), 0),
        (("lines", 1, "only"), 1),
        (("lines", 2, "rate", "count"), 1),
        (("lines", 2, "rate", "count"), 3),
        (("lines", 2, "rate", "n"), 1),
        (("lines", 2, "only"), 0),
        (("lines", 2, "only"), 2),
        (("lines", 3, "first"), 1),
        (("unexplained",), None),
        (("unexplained", "count"), 0),
        (("unexplained", "count"), 2),
        (("unexplained", "count"), -1),
        (("unexplained", "count"), True),
        (("unexplained", "n"), 5),
        (("evaluation",), []),
        (("evaluation", 0, "recall"), "high"),
        (("evaluation", 0, "surplus"), 1),
        (("claims",), []),
        (("image",), "row/00003"),
    ],
)
def test_a_damaged_ledger_is_refused(tmp_path, place, value):
    path = tmp_path / LEDGER_FILE
    data = {"format": ld.FORMAT, "predictions": SHA, "ledgers": [ledger(FULL).to_json()]}
    damage(data, "ledgers", 0, *place, value=value)
    path.write_text(json.dumps(data))
    with pytest.raises(FerError, match="damaged"):
        ld.read(path)


@pytest.mark.parametrize(
    ("numbers", "left", "message"),
    [
        ([(1, 1, 1), (1, 1, 0), (2, 1, 1), (0, 0, 0)], 0, "none claims"),
        ([(1, 1, 1), (1, 1, 0), (2, 1, 1), (0, 0, 0)], 2, "none claims"),
        ([(2, 2, 2), (2, 2, 2), (1, 1, 1), (0, 0, 0)], -1, "none claims"),
        ([(1, 1, 1), (0, 1, 0), (2, 1, 1), (0, 0, 0)], 1, "labels alone claims more"),
        ([(1, 1, 1), (2, 1, 2), (1, 1, 1), (0, 0, 0)], 1, "labels alone claims more"),
        ([(1, 1, 1), (1, 1, -1), (2, 1, 1), (0, 0, 0)], 1, "labels alone claims more"),
        ([(1, 1, 1), (1, 1, 0), (5, 1, 1), (0, 0, 0)], 1, "framing is measured on more"),
        # no line stands before the first: whatever it claims, it is the first to claim
        ([(2, 1, 1), (1, 1, 0), (2, 1, 1), (0, 0, 0)], 1, "class_share claims more images again"),
        ([(2, 1, 0), (2, 1, 1), (1, 1, 1), (0, 0, 0)], 1, "class_share claims more images again"),
        ([(1, 1, 1), (1, 1, 0), (3, 1, 1), (0, 0, 0)], 1, "framing claims more images again"),
        # no line stands after the last: whatever it is the first to claim, it alone claims
        ([(1, 1, 1), (1, 1, 1), (0, 0, 0), (1, 1, 0)], 1, "and later lines share"),
        ([(1, 1, 0), (0, 0, 0), (2, 1, 1), (2, 1, 0)], 1, "features and later lines share"),
        ([(1, 1, 0), (1, 1, 0), (2, 1, 1), (0, 0, 0)], 1, "and later lines share"),
    ],
)
def test_counts_that_no_images_can_have_are_refused(numbers, left, message):
    made = ledger(FULL)
    assert made.lost.count == 4
    lines = tuple(
        replace(line, rate=Rate(count, max(count, 4), 0, 0, 0), first=first, only=only)
        for line, (count, first, only) in zip(made.lines, numbers, strict=True)
    )
    with pytest.raises(FerError, match=message):
        replace(made, lines=lines, left=left)


def test_all_counts_that_images_can_have_are_accepted():
    made = ledger(FULL)
    every = list(itertools.product([False, True], repeat=4))
    for claims in itertools.combinations_with_replacement(every, 4):  # of four lost images, by four lines
        of_line = list(zip(*claims, strict=True))
        lines = tuple(
            replace(
                line,
                rate=rate(sum(mine), 4),
                first=sum(one[k] and not any(one[:k]) for one in claims),
                only=sum(one[k] and sum(one) == 1 for one in claims),
            )
            for k, (line, mine) in enumerate(zip(made.lines, of_line, strict=True))
        )
        assert adds_up(replace(made, lines=lines, left=sum(not any(one) for one in claims)))


@pytest.mark.parametrize("field", list(ledger(FULL).to_json()))
def test_a_ledger_without_one_of_its_fields_is_refused(field):
    data = ledger(FULL).to_json()
    del data[field]
    with pytest.raises(FerError, match="damaged"):
        Ledger.from_json(data)


def test_two_ledgers_of_one_class_in_a_file_are_refused(tmp_path):
    path = tmp_path / LEDGER_FILE
    entry = ledger(FULL).to_json()
    path.write_text(json.dumps({"format": ld.FORMAT, "predictions": SHA, "ledgers": [entry, entry]}))
    with pytest.raises(FerError, match="two ledgers of disgust"):
        ld.read(path)


def test_a_stored_ledger_is_read_without_anything_heavy(tmp_path):
    path = tmp_path / LEDGER_FILE
    ld.write(path, [ledger(FULL)], SHA)
    code = (
        "import sys, pathlib; from fer_core.explain import ledger; "
        f"assert ledger.read(pathlib.Path({str(path)!r})); "
        "print(sorted({'cv2', 'sklearn', 'onnxruntime', 'tensorflow', 'pyarrow', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


# The shipped models

CARDS = [card for card in load_registry(ROOT / "models").cards if PREDICTIONS_FILE in card.files]


@pytest.mark.parametrize("card", CARDS, ids=[card.id for card in CARDS])
def test_the_ledger_of_a_shipped_model_adds_up(card):
    stored = predictions.read(card.path(PREDICTIONS_FILE))
    test = stored.select("all")
    made = ledger(Inputs(test, stored.select("val"), leaked=tables.leaked()))
    assert made.total == 111
    assert made.found == int(((test.labels == DISGUST) & (test.predicted == DISGUST)).sum())
    assert made.line("class_share").measured
    assert made.check("leaks").difference is not None
    assert adds_up(made)
    assert Ledger.from_json(json.loads(json.dumps(made.to_json()))) == made
