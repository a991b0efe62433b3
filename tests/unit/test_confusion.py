from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from sklearn import metrics as sk

from fer_core import confusion as cm
from fer_core import figures_confusion
from fer_core.data.ferplus import VOTE_COLUMNS, Votes
from fer_core.errors import FerError
from fer_core.evaluation.bootstrap import wilson
from fer_core.evaluation.forensics import shuffled
from fer_core.labels import EMOTIONS, index_of
from fer_core.whatif import NO_ANSWER, confusion
from fer_core.wording import MISSING
from tests.text import plain

ANGRY, DISGUST, FEAR, HAPPY, SAD, SURPRISE = (
    index_of(name) for name in ("angry", "disgust", "fear", "happy", "sad", "surprise")
)


def matrix(**rows: dict[str, int]) -> np.ndarray:
    """Return a (7, 8) matrix from ``matrix(disgust={"angry": 3})``."""
    counts = np.zeros((7, 8), np.int64)
    for label, row in rows.items():
        for answer, count in row.items():
            counts[index_of(label), NO_ANSWER if answer == "none" else index_of(answer)] = count
    return counts


def words(*arguments) -> str:
    return plain(" ".join(cm.destinations_in_words(*arguments)))


EXAMPLE = matrix(disgust={"disgust": 2, "angry": 6, "none": 2}, angry={"angry": 12, "disgust": 3, "sad": 15})


def test_each_view_divides_by_what_it_says():
    counts = cm.cells(EXAMPLE, "counts")
    assert counts.value[DISGUST, ANGRY] == 6
    assert np.isnan(counts.low).all()
    row = cm.cells(EXAMPLE, "row")
    assert (row.value[DISGUST, ANGRY], row.n[DISGUST, ANGRY]) == (6 / 10, 10)
    assert row.value[DISGUST, NO_ANSWER] == 2 / 10
    assert (row.low[DISGUST, ANGRY], row.high[DISGUST, ANGRY]) == pytest.approx(wilson(6, 10))
    column = cm.cells(EXAMPLE, "column")
    assert (column.value[DISGUST, ANGRY], column.n[DISGUST, ANGRY]) == (6 / 18, 18)
    chance = cm.cells(EXAMPLE, "chance")
    assert chance.value[DISGUST, ANGRY] == pytest.approx(6 / 10 - 18 / 40)


def test_answers_that_do_not_depend_on_the_image_differ_nowhere_from_chance():
    counts = np.outer([10, 20, 30, 40, 50, 60, 70], [1, 2, 3, 4, 5, 6, 7, 0])
    assert cm.cells(counts, "chance").value == pytest.approx(np.zeros((7, 8)))


def test_a_rate_without_images_is_a_dash_and_not_zero():
    for view in ("row", "column", "chance"):
        shown = cm.cells(EXAMPLE, view)
        assert shown.text(HAPPY, HAPPY) == MISSING
        assert np.isnan(shown.value[HAPPY, HAPPY])
    assert plain(cm.cells(EXAMPLE, "row").text(ANGRY, HAPPY)) == "0 %"
    assert str(cm.rate(0, 0)) == "0 of 0"


def test_a_share_that_is_not_nothing_does_not_read_as_nothing():
    shown = cm.cells(matrix(happy={"happy": 999, "angry": 1}), "row")
    assert plain(shown.text(HAPPY, ANGRY)) == "<1 %"
    assert plain(shown.text(HAPPY, HAPPY)) == "100 %"


def test_the_difference_from_another_model_is_that_of_the_shares_with_a_paired_interval():
    labels = np.full(10, DISGUST)
    answers = np.array([ANGRY] * 6 + [DISGUST] * 4)
    others = np.array([ANGRY] * 2 + [DISGUST] * 7 + [ANGRY])
    shown = cm.cells(confusion(labels, answers), "model", other=cm.paired_counts(labels, answers, others))
    # 4 images are angry only here, 1 only there: (4 - 1) / 10.
    assert shown.value[DISGUST, ANGRY] == pytest.approx(0.3)
    half = 1.959964 * np.sqrt(4 + 1 - 9 / 10) / 10
    assert (shown.low[DISGUST, ANGRY], shown.high[DISGUST, ANGRY]) == pytest.approx((0.3 - half, 0.3 + half), rel=1e-5)
    assert shown.text(DISGUST, ANGRY) == "+30.0"
    assert shown.text(DISGUST, DISGUST) == "−30.0"
    assert shown.text(DISGUST, SAD) == "0.0"


def test_a_model_does_not_differ_from_itself():
    labels, answers = np.array([0, 1, 2, 3]), np.array([0, 0, 2, NO_ANSWER])
    shown = cm.cells(confusion(labels, answers), "model", other=cm.paired_counts(labels, answers, answers))
    assert np.nanmax(np.abs(shown.value)) == 0


def test_a_difference_needs_the_other_model_and_an_unknown_view_a_sentence():
    with pytest.raises(FerError, match="needs that model"):
        cm.cells(EXAMPLE, "model")
    with pytest.raises(FerError, match="no view"):
        cm.cells(EXAMPLE, "sideways")


def test_the_clustered_order_puts_classes_that_are_taken_for_each_other_side_by_side():
    chain = [ANGRY, SURPRISE, DISGUST, SAD, FEAR, HAPPY, index_of("neutral")]
    counts = np.zeros((7, 8), np.int64)
    counts[range(7), range(7)] = 100
    for one, other in pairwise(chain):
        counts[one, other] = counts[other, one] = 30
    assert cm.order(counts, "clustered") in (tuple(chain), tuple(reversed(chain)))
    assert cm.order(counts, "fixed") == tuple(range(7))


def test_the_surest_error_is_the_first_of_a_cell():
    scores = np.zeros((4, 7), np.float32)
    scores[:, ANGRY] = [0.5, 0.9, 0.6, 0.2]
    scores[:, DISGUST] = [0.4, 0.05, 0.1, 0.8]
    labels = np.array([DISGUST] * 4)
    rows, margins = cm.members(labels, scores.argmax(axis=1), scores, DISGUST, ANGRY)
    assert rows.tolist() == [1, 2, 0]
    assert margins == pytest.approx([0.85, 0.5, 0.1], abs=1e-6)


def test_the_least_sure_hit_is_the_first_of_a_cell_on_the_diagonal():
    scores = np.zeros((3, 7), np.float32)
    scores[:, HAPPY] = [0.9, 0.4, 0.6]
    scores[:, SAD] = [0.1, 0.3, 0.2]
    rows, margins = cm.members(np.full(3, HAPPY), np.full(3, HAPPY), scores, HAPPY, HAPPY)
    assert rows.tolist() == [1, 2, 0]
    assert margins == pytest.approx([0.1, 0.4, 0.8], abs=1e-6)


def test_an_empty_cell_has_no_images():
    rows, margins = cm.members(np.array([0]), np.array([0]), np.eye(7, dtype=np.float32)[:1], DISGUST, ANGRY)
    assert len(rows) == len(margins) == 0


def test_overlap_counts_the_images_of_the_same_cell_in_another_model():
    labels = np.full(5, DISGUST)
    others = np.array([ANGRY, ANGRY, HAPPY, DISGUST, ANGRY])
    found = cm.overlap("other", np.array([0, 1, 2]), labels, others, DISGUST, ANGRY)
    assert (found.count, found.shared) == (3, 2)
    assert found.jaccard == pytest.approx(2 / 4)
    assert found.answers[[ANGRY, HAPPY]].tolist() == [2, 1]


def test_happy_is_named_only_where_it_is_decided():
    counts = matrix(disgust={"disgust": 20, "happy": 60, "angry": 20, "sad": 11})
    sentence = words([cm.destination("Flagship", counts, DISGUST)])
    assert sentence == "“Flagship”: disgust goes most often to **happy** (60 of 111)."


def test_the_sentence_names_the_class_that_is_true():
    counts = matrix(disgust={"disgust": 20, "happy": 5, "angry": 60, "sad": 26})
    sentence = words([cm.destination("Flagship", counts, DISGUST)])
    assert "**angry** (60 of 111)" in sentence
    assert "happy" not in sentence


def test_the_sentence_says_undecided_where_two_answers_cannot_be_told_apart():
    counts = matrix(disgust={"disgust": 60, "angry": 22, "happy": 20, "fear": 2})
    entry = cm.destination("Flagship", counts, DISGUST)
    assert entry.leader is None
    assert entry.leaders == (ANGRY, HAPPY)
    sentence = words([entry])
    assert "undecided" in sentence
    assert "angry (22) or happy (20)" in sentence
    assert "**" not in sentence


def test_models_that_agree_share_a_sentence():
    entries = [
        cm.destination(name, matrix(disgust={"angry": count, "disgust": 40}), DISGUST)
        for name, count in (("A", 30), ("B", 25))
    ]
    assert words(entries) == ("Both models: disgust goes most often to **angry** (30 of 70 and 25 of 65).")


def test_of_more_than_three_models_it_is_said_how_many_they_are_and_from_where_to_where():
    entries = [
        cm.destination(name, matrix(disgust={"angry": count, "disgust": 80 - count}), DISGUST)
        for name, count in zip("ABCD", (20, 40, 30, 16), strict=True)
    ]
    said = "disgust goes most often to **angry** (20.0 % to 50.0 % of the images with that label)."
    assert words(entries) == f"All 4 models: {said}"
    happy = cm.destination("E", matrix(disgust={"happy": 60, "disgust": 20}), DISGUST)
    assert words([*entries, happy]).startswith(f"4 of 5 models: {said} “E”: ")


def test_a_favourite_answer_is_said_to_say_little_about_the_label():
    often = {"happy": 50, "sad": 50}
    counts = matrix(disgust={"happy": 30, "sad": 5}, happy={"happy": 90}, angry=often, fear=often)
    entry = cm.destination("Lazy", counts, DISGUST)
    assert entry.leader == HAPPY
    # of 200 images that are neither disgust nor happy 100 are answered happy; the interval of 30 of 35 lies above
    assert entry.elsewhere[HAPPY] == 0.5
    assert "says little" not in words([entry])
    counts = matrix(disgust={"happy": 18, "sad": 5, "disgust": 12}, happy={"happy": 90}, angry=often, fear=often)
    assert "of the images with neither label, 50.0 % are answered happy too" in words(
        [cm.destination("Lazy", counts, DISGUST)]
    )


def test_a_mis_paired_matrix_is_said_to_show_nothing_of_the_label():
    generator = np.random.default_rng(0)
    labels = generator.choice(7, 7000, p=[0.13, 0.02, 0.14, 0.25, 0.17, 0.17, 0.12])
    answers = np.where(generator.random(7000) < 0.6, labels, generator.choice([HAPPY, SAD], 7000, p=[0.8, 0.2]))
    mixed = cm.destination("Mis-paired", confusion(shuffled(labels, seed=1), answers), DISGUST)
    assert mixed.rates[HAPPY].value == pytest.approx(mixed.overall[HAPPY], abs=0.12)
    sentence = words([], [mixed])
    assert "says nothing about disgust" in sentence
    assert "goes most often" not in sentence


def test_mis_paired_matrices_with_the_same_favourite_share_a_sentence():
    entries = [
        cm.destination(name, matrix(disgust={"happy": count, "sad": 6 - count}, fear={"happy": 30, "sad": 70}), DISGUST)
        for name, count in (("A", 4), ("B", 3))
    ]
    assert words([], entries) == (
        "“A” and “B”: 4 and 3 of 6 stand under happy, but so do 30.0 % and 30.0 % of all other images: paired wrongly, "
        "every row looks alike and says nothing about disgust."
    )


def test_the_row_of_a_label_is_drawn_for_every_matrix_and_mis_paired_ones_in_grey():
    real, mixed, empty = (
        cm.destination(name, matrix(**rows), DISGUST)
        for name, rows in (
            ("Real", {"disgust": {"angry": 1, "disgust": 299}}),
            ("Mixed", {"disgust": {"angry": 1, "disgust": 299}}),
            ("Empty", {"happy": {"happy": 5}}),
        )
    )
    spec, records = figures_confusion.destinations_spec([real, mixed, empty], ["Mixed"])
    assert [(r["model"], r["answer"]) for r in records] == [(m, a) for m in ("Real", "Mixed") for a in EMOTIONS]
    first = records[0]
    assert plain((first["text"], first["images"], first["interval"])) == ("<1 %", "1 of 300", "0–2 %")
    assert plain([r["text"] for r in records[1:7]]) == ["100 %", "0 %", "0 %", "0 %", "0 %", "0 %"]

    def colourful(fill: str) -> int:
        channels = [int(fill[i : i + 2], 16) for i in (1, 3, 5)]
        return max(channels) - min(channels)

    assert colourful(records[1]["fill"]) > 50 > 20 > colourful(records[8]["fill"])
    assert spec["encoding"]["y"]["sort"] == ["Real", "Mixed", "Empty"]


def test_rows_without_errors_or_without_images_are_said_to_be_so():
    perfect = cm.destination("Perfect", matrix(disgust={"disgust": 5}), DISGUST)
    empty = cm.destination("Empty", matrix(happy={"happy": 5}), DISGUST)
    sentence = words([perfect, empty])
    assert "“Perfect”: no image labelled disgust is answered with another label." in sentence
    assert "“Empty”: there is no image labelled disgust." in sentence


def test_the_dearest_kind_of_error_is_first_and_faces_without_an_answer_do_not_count():
    counts = np.zeros((7, 8), dtype=np.int64)
    counts[0, [0, 3, 7]] = 4, 3, 50  # angry: 4 right, 3 answered happy, 50 without an answer
    counts[1, [1, 0]] = 2, 1  # disgust: 2 right, 1 answered angry
    total, kinds = cm.error_costs(counts)
    assert total == pytest.approx(4 / 10)
    assert [(kind.label, kind.answer, kind.images, kind.each) for kind in kinds] == [(0, 3, 3, 1), (1, 0, 1, 1)]
    cost = 1.0 - np.eye(7)
    cost[1] *= 5  # missing disgust costs five times as much: 3 x 1 + 1 x 5 over 10 faces
    total, kinds = cm.error_costs(counts, cost)
    assert total == pytest.approx(8 / 10)
    assert [(kind.label, kind.mean, kind.share) for kind in kinds] == [
        (1, pytest.approx(0.5), pytest.approx(5 / 8)),
        (0, pytest.approx(0.3), pytest.approx(3 / 8)),
    ]
    assert cm.error_costs(np.zeros((7, 8), dtype=np.int64))[1] == ()


def test_the_hardest_pair_counts_both_directions():
    counts = matrix(fear={"fear": 10, "sad": 10}, sad={"sad": 15, "fear": 5}, happy={"happy": 40, "sad": 1})
    first, second, *rest = cm.hardest_pairs(counts)
    assert (first.a, first.b, first.a_as_b, first.b_as_a) == (FEAR, SAD, 10, 5)
    assert (first.rate.count, first.rate.n) == (15, 40)
    assert {second.a, second.b} == {HAPPY, SAD}
    assert len(rest) == 19


@pytest.fixture
def ranked() -> tuple[np.ndarray, np.ndarray]:
    """Return truth and scores with many equal scores."""
    generator = np.random.default_rng(3)
    truth = generator.random(500) < 0.2
    return truth, np.round(generator.normal(size=500) + truth, 1).astype(np.float32)


def test_the_roc_curve_is_that_of_scikit_learn(ranked):
    truth, scores = ranked
    curve = cm.roc_curve(truth, scores)
    x, y, _ = sk.roc_curve(truth, scores, drop_intermediate=False)
    assert curve.x == pytest.approx(x)
    assert curve.y == pytest.approx(y)
    assert curve.area == pytest.approx(sk.roc_auc_score(truth, scores))


def test_the_precision_recall_curve_is_that_of_scikit_learn(ranked):
    truth, scores = ranked
    curve = cm.precision_recall_curve(truth, scores)
    precision, recall, _ = sk.precision_recall_curve(truth, scores)
    # scikit-learn goes from recall 1 to 0 and ends with a made-up point of precision 1
    assert curve.x[1:] == pytest.approx(recall[:-1][::-1])
    assert curve.y[1:] == pytest.approx(precision[:-1][::-1])
    assert curve.area == pytest.approx(sk.average_precision_score(truth, scores))


def test_a_class_without_images_has_no_curves():
    nobody = np.zeros(5, bool)
    assert cm.roc_curve(nobody, np.arange(5.0)) is None
    assert cm.roc_curve(~nobody, np.arange(5.0)) is None
    assert cm.precision_recall_curve(nobody, np.arange(5.0)) is None


def test_risk_falls_with_coverage_as_computed_by_hand():
    right = np.array([True, True, False, True])
    curve = cm.risk_coverage(right, np.array([0.9, 0.8, 0.7, 0.6]))
    assert curve.x == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert curve.y == pytest.approx([0, 0, 1 / 3, 1 / 4])
    assert curve.area == pytest.approx((0 + 0 + 1 / 3 + 1 / 4) / 4)


def test_images_of_equal_confidence_are_answered_together():
    curve = cm.risk_coverage(np.array([True, False]), np.array([0.5, 0.5]))
    assert curve.x.tolist() == [1.0]
    assert curve.y.tolist() == [0.5]


def test_a_thinned_curve_keeps_its_ends_and_its_area(ranked):
    generator = np.random.default_rng(0)
    truth = generator.random(5000) < 0.3
    curve = cm.roc_curve(truth, generator.normal(size=5000) + truth)
    thin = cm.thinned(curve, 100)
    assert len(thin.x) <= 100
    assert (thin.x[0], thin.y[0], thin.x[-1], thin.y[-1]) == (0, 0, 1, 1)
    assert thin.area == curve.area
    assert np.abs(np.interp(curve.x, thin.x, thin.y) - curve.y).max() < 0.05


def test_votes_of_a_cell_are_summed_over_its_images():
    counts = np.zeros((3, 10), np.int64)
    counts[0, VOTE_COLUMNS.index("anger")] = 10
    counts[1, VOTE_COLUMNS.index("disgust")] = 4
    counts[1, VOTE_COLUMNS.index("contempt")] = 6
    votes = Votes(counts, np.array([True, True, False]))
    found = cm.cell_votes(["row/00000", "row/00001", "row/00002"], votes)
    assert (found.n, found.without) == (2, 1)
    assert found.shares[VOTE_COLUMNS.index("anger")] == pytest.approx(0.5)
    assert found.shares[VOTE_COLUMNS.index("contempt")] == pytest.approx(0.3)
    assert found.majority.tolist() == [1, 0, 0, 0, 0, 0, 0, 1]


def test_the_tables_hold_every_cell_and_plain_numbers():
    table = cm.matrix_table(cm.cells(EXAMPLE, "row"))
    assert len(table) == 7 * 8
    entry = next(r for r in table if (r["label"], r["answer"]) == ("disgust", "angry"))
    assert (entry["count"], entry["n"], entry["value"]) == (6, 10, 0.6)
    assert next(r for r in table if r["label"] == "happy")["value"] is None
    assert {r["answer"] for r in table} == {*EMOTIONS, "no answer"}


def test_unpaired_answers_split_every_row_by_the_same_shares():
    counts = cm.unpaired([10, 3, 0, 0, 0, 0, 7], [0.5, 0.5, 0, 0, 0, 0, 0])
    assert counts[0, :2].tolist() == [5, 5]
    assert counts[1].sum() == 3
    assert sorted(counts[1, :2].tolist()) == [1, 2]
    assert counts.sum(axis=1).tolist() == [10, 3, 0, 0, 0, 0, 7]
