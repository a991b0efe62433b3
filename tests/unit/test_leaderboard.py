from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from fer_core import benchmark, figures_models, leaderboard
from fer_core.errors import FerError
from fer_core.evaluation import metrics
from fer_core.evaluation.predictions import Predictions
from fer_core.labels import index_of
from fer_core.leaderboard import DisagreementGroup, Ensemble, Latency
from fer_core.registry import HISTORY_FILE, write_card
from tests.text import plain
from tests.toy import make_toy_model
from tests.toy_predictions import MATRIX, OTHER, make_evaluated_model, toy_predictions

FIGURES = {
    "accuracy": 0.7,
    "macro_f1": 0.6,
    "ece": 0.02,
    "intervals": {"accuracy": [0.68, 0.72]},
    "per_class": {"disgust": {"recall": 0.5}},
}


def test_a_model_trained_here_is_shown_by_the_figures_of_its_card(tmp_path):
    card = make_toy_model(tmp_path, metrics={"val": {"accuracy": 0.8}, "private": FIGURES})
    row = leaderboard.own_row(card, "private", Latency(3.5, "a machine", "2026-01-01"))
    assert (row.accuracy, row.low, row.high, row.macro_f1, row.disgust_recall, row.ece) == (
        0.7,
        0.68,
        0.72,
        0.6,
        0.5,
        0.02,
    )
    assert (row.images, row.kind, row.parameters, row.milliseconds) == ("PrivateTest", "trained", 14, 3.5)
    assert row.megabytes == card.files["model.onnx"]["bytes"] / 1e6


def test_figures_that_a_card_lacks_are_unknown_and_stand_last(tmp_path):
    card = make_toy_model(tmp_path)  # knows its validation accuracy only
    table = leaderboard.rows([card], "private")
    assert table[-1].model_id == "toy"
    assert table[-1].accuracy is None
    assert leaderboard.in_words(table) == "No model trained here has been evaluated on these images yet."
    assert [row.accuracy for row in leaderboard.rows([card], "val") if row.model_id] == [0.5]


def test_kinds_of_figures_are_never_mixed_up(tmp_path):
    rebuilt = make_toy_model(tmp_path, "old", training={"name": "report"})
    own = make_toy_model(tmp_path, "new", training={"name": "flagship"})
    by_name = {(row.name, row.kind): row for row in leaderboard.rows([rebuilt, own])}
    assert by_name["Toy old", "rebuilt"].model_id == "old"
    assert by_name["Toy new", "trained"].model_id == "new"
    assert by_name["MobileNet", "claim"].accuracy == pytest.approx(0.4298)
    assert by_name["MobileNet", "claim"].images == "all 7,178 test images"
    assert by_name["VGGNet, one network", "published"].images == "PrivateTest"
    assert by_name["fer", "measured"].ece == 0.056
    assert by_name["One person", "people"].low == pytest.approx(0.60)


def test_every_claim_comes_with_what_contradicts_it():
    remarks = {row.name: row.remark for row in leaderboard.claims()}
    assert "answering happy to every image" in remarks["ResNet50"]
    assert "unrelated labels and predictions" in remarks["MobileNet, table by class"]
    assert all(remarks.values())


def test_the_best_accuracy_stands_first_and_words_name_the_images_where_they_differ(tmp_path):
    card = make_toy_model(tmp_path, metrics={"val": {"accuracy": 0.8}, "private": FIGURES})
    table = leaderboard.rows([card])
    known = [row.accuracy for row in table if row.accuracy is not None]
    assert known == sorted(known, reverse=True)
    said = plain(leaderboard.in_words(table))
    assert (
        "Of the models here **Toy toy** is right most often: 70.0 % of PrivateTest (95 % interval 68.0 to 72.0 %)."
        in said
    )
    assert "43.0 % (MobileNet, on all 7,178 test images)" in said
    assert "66.8 % (@vladmandic/human)" in said


def test_a_part_that_does_not_exist_is_refused():
    with pytest.raises(FerError, match="no part 'train'"):
        leaderboard.rows([], "train")


def test_a_table_for_showing_has_the_same_columns_in_every_row(tmp_path):
    card = make_toy_model(tmp_path, metrics={"val": {"accuracy": 0.8}, "private": FIGURES})
    records = leaderboard.to_records(leaderboard.rows([card]))
    assert len({tuple(record) for record in records}) == 1
    own = next(record for record in records if record["Model"] == "Toy toy")
    assert plain((own["Accuracy"], own["95 % interval"], own["Disgust recall"])) == (70.0, "68.0–72.0 %", 50.0)


def test_the_mirror_image_gets_a_row_of_its_own_with_recomputed_figures(tmp_path):
    card = make_evaluated_model(tmp_path, "toy")
    row = leaderboard.mirror_row(card, "private", lambda: toy_predictions(MATRIX, ("private",)), {})
    assert row.accuracy == pytest.approx(58 / 80)
    assert row.low < 58 / 80 < row.high
    assert row.disgust_recall == pytest.approx(0.2)
    assert row.name == "Toy toy + mirror image"
    assert row.milliseconds is None


def test_figures_with_the_mirror_image_that_a_card_holds_are_not_computed_again(tmp_path):
    held = {"accuracy": 0.6, "intervals": {"accuracy": [0.5, 0.7]}, "ece": 0.02}
    card = make_evaluated_model(tmp_path, "toy", metrics={"val": {"accuracy": 0.5}, "private_mirror": held})
    row = leaderboard.mirror_row(card, "private", lambda: pytest.fail("the predictions were read"), {})
    assert (row.accuracy, row.low, row.high, row.ece) == (0.6, 0.5, 0.7, 0.02)


def test_the_figures_of_a_line_are_those_of_the_metrics():
    rows = toy_predictions(MATRIX, ("private",))
    summary = metrics.summarise(rows.labels, rows.proba)
    made = leaderboard._figures(summary)
    assert set(made) == {"accuracy", "low", "high", "macro_f1", "disgust_recall", "ece"}
    assert made["accuracy"] == pytest.approx(58 / 80)
    assert [made["low"], made["high"]] == summary["intervals"]["accuracy"]
    assert made["disgust_recall"] == pytest.approx(2 / 10)
    assert made["ece"] == summary["ece"]
    # F1 = 2 hits / (labels + answers), in the order of MATRIX
    f1 = [16 / 24, 4 / 12, 10 / 15, 38 / 41, 16 / 23, 12 / 20, 20 / 25]
    assert made["macro_f1"] == pytest.approx(sum(f1) / 7, abs=1e-6)


def answers(split: str, *rows: tuple[str, dict[str, float]]) -> Predictions:
    """Return predictions: of each image its label, and the scores above 0."""
    proba = np.zeros((len(rows), 7), np.float32)
    for row, (_, scores) in zip(proba, rows, strict=True):
        for name, score in scores.items():
            row[index_of(name)] = score
    return Predictions(
        np.array([f"row/{k:05d}" for k in range(len(rows))]),
        np.full(len(rows), split),
        np.array([index_of(label) for label, _ in rows], np.int64),
        proba,
    )


def of_label(*scores: float) -> Predictions:
    """Return validation predictions for happy faces, with these scores for happy and the rest for sad."""
    return answers("val", *[("happy", {"happy": score, "sad": 1 - score}) for score in scores])


ONE, OTHER_ONE = of_label(0.9, 0.9, 0.9, 0.1, 0.1), of_label(0.1, 0.1, 0.1, 0.9, 0.9)
"""With weight w of the first, the log-loss is -3 ln(0.1 + 0.8 w) - 2 ln(0.9 - 0.8 w), least at w = 5 / 8."""
USELESS = of_label(0.05, 0.05, 0.05, 0.05, 0.05)
"""Below both at every image, and so below any mixture of them."""


def toys(tmp_path, *ids: str):
    return [make_toy_model(tmp_path, id, onnx=False) for id in ids]


def test_an_ensemble_weighs_models_by_what_they_get_right_on_validation(tmp_path):
    one, other = toys(tmp_path, "one", "other")
    made = leaderboard.choose_ensemble([one, other], [ONE, OTHER_ONE], {})
    assert made.cards == (one, other)
    assert made.weights == pytest.approx((5 / 8, 3 / 8), abs=1e-6)
    assert sum(made.weights) == pytest.approx(1)
    turned = leaderboard.choose_ensemble([other, one], [OTHER_ONE, ONE], {})
    assert turned.cards == (other, one)
    assert turned.weights == pytest.approx((3 / 8, 5 / 8), abs=1e-6)


def test_models_that_an_ensemble_does_not_need_are_left_out_and_the_others_weighed_again(tmp_path):
    one, useless, other, worse = toys(tmp_path, "one", "useless", "other", "worse")
    worst = of_label(0.01, 0.01, 0.01, 0.01, 0.01)
    made = leaderboard.choose_ensemble([one, useless, other, worse], [ONE, USELESS, OTHER_ONE, worst], {})
    assert [card.id for card in made.cards] == ["one", "other"]
    assert made.weights == pytest.approx((5 / 8, 3 / 8), abs=1e-6)
    assert sum(made.weights) == pytest.approx(1)


def test_a_model_is_kept_from_the_least_weight_on(tmp_path, monkeypatch):
    cards = toys(tmp_path, "one", "other")
    monkeypatch.setattr(leaderboard, "ENSEMBLE_LEAST", 0.37)
    assert leaderboard.choose_ensemble(cards, [ONE, OTHER_ONE], {}) is not None
    monkeypatch.setattr(leaderboard, "ENSEMBLE_LEAST", 0.38)
    assert leaderboard.choose_ensemble(cards, [ONE, OTHER_ONE], {}) is None


@pytest.mark.parametrize(
    ("times", "kept"),
    [
        ((4.0, 4.0, 4.4), ["one", "other", "third"]),  # 24.8 ms
        ((4.0, 4.0, 4.6), ["one", "other"]),  # 25.2 ms; the third weighs least for its time
        ((11.0, 1.0, 1.0), ["other", "third"]),  # the first weighs most, but not for its time
        ((30.0, None, 1.0), ["other", "third"]),  # what was not measured takes no time
        ((30.0, 30.0, 1.0), None),  # one alone is none
    ],
)
def test_an_ensemble_takes_no_longer_than_it_may(tmp_path, times, kept):
    experts = [of_label(*(0.9 if image in known else 0.1 for image in range(6))) for known in ((0, 1, 2), (3, 4), (5,))]
    names = ("one", "other", "third")
    measured = {n: Latency(time, "Some CPU", "") for n, time in zip(names, times, strict=True) if time is not None}
    made = leaderboard.choose_ensemble(toys(tmp_path, *names), experts, measured)
    assert (None if made is None else [card.id for card in made.cards]) == kept


def test_one_model_alone_is_no_ensemble(tmp_path):
    one, useless = toys(tmp_path, "one", "useless")
    assert leaderboard.choose_ensemble([], [], {}) is None
    assert leaderboard.choose_ensemble([one], [ONE], {}) is None
    assert leaderboard.choose_ensemble([one, useless], [ONE, USELESS], {}) is None
    with pytest.raises(ValueError, match="shorter"):
        leaderboard.choose_ensemble([one, useless], [ONE], {})


def test_the_line_of_an_ensemble_has_the_figures_of_the_mixed_scores(tmp_path):
    one = make_toy_model(tmp_path, "one", parameters=14)
    other = make_toy_model(tmp_path, "other", parameters=100, bias=np.ones(7, np.float32))
    labels = ["angry", "happy", "happy", "disgust", "angry"]
    # angry by the first and by the second; 5/8 and 3/8 of them make .550, .4125, .581, 0, .550, the rest is happy
    first, second = (0.85, 0.6, 0.9, 0, 0.85), (0.05, 0.1, 0.05, 0, 0.05)

    def part(angry):
        rows = [
            (label, {"disgust": 1.0} if label == "disgust" else {"angry": score, "happy": 1 - score})
            for label, score in zip(labels, angry, strict=True)
        ]
        return answers("private", *rows)

    # alone, the first answers 3 of 5 rightly and the second 3; equal weights, which make .45 of .550, would, too
    truth, equal = part(first).labels, (part(first).proba + part(second).proba) / 2
    for proba in (part(first).proba, part(second).proba, equal):
        assert metrics.summarise(truth, proba)["accuracy"] == pytest.approx(3 / 5)
    ensemble = Ensemble((one, other), (5 / 8, 3 / 8))
    stored = {one.id: part(first), other.id: part(second)}
    rows = leaderboard.mixed(ensemble, "private", lambda card, _: stored[card.id])
    row = leaderboard.ensemble_row(ensemble, "private", rows, {})
    assert row.accuracy == pytest.approx(4 / 5)
    assert row.low <= 4 / 5 <= row.high
    assert row.disgust_recall == 1
    assert (row.name, row.kind, row.images) == ("Ensemble of 2 + mirror images", "trained", "PrivateTest")
    assert row.model_id == ""
    assert row.parameters == 114
    assert row.megabytes == pytest.approx((one.files["model.onnx"]["bytes"] + other.files["model.onnx"]["bytes"]) / 1e6)
    assert row.remark.endswith("weights chosen on validation: Toy one 0.62, Toy other 0.38.")


def test_with_mirror_images_a_face_takes_twice_the_time_of_all_models_together(tmp_path):
    cards = toys(tmp_path, "one", "other")

    def time(*known: tuple[str, float]) -> float | None:
        return leaderboard.mirrored_time(cards, {id: Latency(ms, "a machine", "2026-01-01") for id, ms in known})

    assert time(("one", 2.5), ("other", 4.0), ("third", 9.0)) == 2 * (2.5 + 4.0)
    assert time(("one", 2.5), ("third", 9.0)) is None
    assert time() is None
    assert leaderboard.mirrored_time([], {}) is None


def test_only_models_of_our_own_with_a_graph_that_were_mirrored_are_mixed(tmp_path):
    own = make_evaluated_model(tmp_path, "own", mirror=MATRIX, onnx=True)
    assert leaderboard.may_be_mixed(own)
    assert not leaderboard.may_be_mixed(make_evaluated_model(tmp_path, "unmirrored", onnx=True))
    assert not leaderboard.may_be_mixed(make_evaluated_model(tmp_path, "graphless", mirror=MATRIX))
    rebuilt = make_evaluated_model(tmp_path, "rebuilt", mirror=MATRIX, onnx=True, training={"name": "report"})
    assert not leaderboard.may_be_mixed(rebuilt)


def test_the_ensemble_of_models_is_chosen_on_validation_and_shown_on_the_part(tmp_path):
    cards = toys(tmp_path, "one", "other")
    stored = {"one": {"val": ONE}, "other": {"val": OTHER_ONE}}
    happy = answers("private", ("happy", {"happy": 1.0}), ("sad", {"happy": 1.0}))
    sad = answers("private", ("happy", {"happy": 0.4, "sad": 0.6}), ("sad", {"sad": 1.0}))
    stored["one"]["private"], stored["other"]["private"] = happy, sad
    times = {"one": Latency(2.0, "Some CPU", ""), "other": Latency(1.5, "Some CPU", "")}

    def predictions_of(card, part):
        return stored[card.id][part]

    ensemble = leaderboard.find_ensemble(cards, predictions_of, times)
    row = leaderboard.ensemble_row(ensemble, "private", leaderboard.mixed(ensemble, "private", predictions_of), times)
    assert row.name == "Ensemble of 2 + mirror images"
    assert row.accuracy == 0.5  # 5/8 of the first: happy .775 and .625
    assert row.milliseconds == 7.0  # each member twice
    assert leaderboard.find_ensemble([], predictions_of, {}) is None


def test_times_are_read_from_what_the_benchmark_writes(tmp_path):
    machine = benchmark.Machine("Some CPU, fast", 2, 8.0, "Linux", "3.12", {"numpy": "2.0"})
    report = benchmark.LatencyReport("2026-01-01", machine, 0.0, {"toy": 2.5}, {"toy": "Keras"})
    path = tmp_path / "latency.json"
    path.write_text(json.dumps(benchmark.to_json(report)))
    assert leaderboard.read_latency(path) == {"toy": Latency(2.5, "Some CPU, fast, 2 cores", "2026-01-01")}


@pytest.mark.parametrize("content", ["", "not json", "3", '{"date": "x"}', '{"machine": null}', "[" * 100_000])
def test_without_a_measurement_no_time_is_shown(tmp_path, content):
    path = tmp_path / "latency.json"
    path.write_text(content)
    assert leaderboard.read_latency(path) == {}
    assert leaderboard.read_latency(tmp_path / "missing.json") == {}


def test_the_size_is_that_of_the_file_that_scores_a_face(tmp_path):
    card = make_toy_model(tmp_path, onnx=False)
    assert leaderboard.megabytes(card) is None
    (card.directory / "model.weights.h5").write_bytes(b"x" * 2_000_000)
    assert leaderboard.megabytes(write_card(replace(card))) == 2.0


def test_a_history_is_read_by_column_and_an_empty_cell_is_unknown(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text("epoch,train_loss,val_loss\n1,1.5,\n2,1.25,1.0\n")
    assert leaderboard.read_history(path) == {"epoch": [1, 2], "train_loss": [1.5, 1.25], "val_loss": [None, 1.0]}


@pytest.mark.parametrize("content", ["", "epoch,val_loss\n", "step,val_loss\n1,2\n", "epoch,val_loss\n1,good\n"])
def test_a_history_that_is_none_gets_a_sentence(tmp_path, content):
    path = tmp_path / "toy" / "history.csv"
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(FerError, match="training history of “toy”"):
        leaderboard.read_history(path)


def test_the_kept_epoch_and_the_reason_for_stopping_are_said(tmp_path):
    recipe = {"kept_epoch": 11, "epochs": 50, "patience": 5, "selection": "loss"}
    stopped = make_toy_model(tmp_path, "stopped", training=recipe)
    assert leaderboard.stopping(stopped, 16) == (
        "Epoch **11** of 16 was kept, the best validation loss. Early stopping ended the training after 5 epochs "
        "without a better one (at most 50)."
    )
    whole = make_toy_model(tmp_path, "whole", training={**recipe, "patience": 0, "epochs": 16})
    assert leaderboard.stopping(whole, 16).endswith("All 16 epochs of the recipe were run.")
    sizes = {**recipe, "small_epochs": 9, "small_size": 24, "selection": "accuracy"}
    assert leaderboard.stopping(make_toy_model(tmp_path, "grown", training=sizes), 16).startswith(
        "Epoch **11** of 16 was kept, the best validation accuracy of the 7 epochs at the full input of 48 px."
    )
    assert "does not say" in leaderboard.stopping(make_toy_model(tmp_path, "silent"), 3)


def test_the_last_member_stands_for_an_averaged_model_that_was_not_trained_itself(tmp_path):
    one, other = (make_toy_model(tmp_path, name) for name in ("one", "other"))
    mean = make_toy_model(tmp_path, "mean", training={"members": ["one", "other"]})
    (mean.directory / HISTORY_FILE).unlink()
    mean = write_card(mean)
    assert leaderboard.with_history(one, [one, other, mean]) == (one, "")
    shown, why = leaderboard.with_history(mean, [one, other, mean])
    assert shown == other
    assert why == (
        "“Toy mean” was not trained itself: its weights are a mean of those of “Toy one”, “Toy other”. Shown is “Toy "
        "other”."
    )
    assert leaderboard.with_history(mean, [mean]) == (None, "“Toy mean” comes without a training history.")


def test_disagreements_are_grouped_by_both_answers_with_who_is_right():
    a, b = toy_predictions(MATRIX, ("private",)), toy_predictions(OTHER, ("private",))
    # disgust, image by image: A says 6 x angry, 2 x disgust, 2 x happy; B 2 x angry, 4 x disgust, 4 x happy
    assert leaderboard.disagreement_groups(a, b) == [
        DisagreementGroup("surprise", "fear", 5, 0, 5),
        DisagreementGroup("angry", "disgust", 4, 0, 4),
        DisagreementGroup("disgust", "happy", 2, 2, 0),
    ]
    assert leaderboard.disagreement_groups(a, a) == []
    backwards = Predictions(*(np.ascontiguousarray(part[::-1]) for part in (b.names, b.split, b.labels, b.proba)))
    with pytest.raises(FerError, match="same order"):
        leaderboard.disagreement_groups(a, backwards)


def test_only_models_trained_here_are_points_and_each_other_kind_is_one_line(tmp_path):
    card = make_toy_model(tmp_path, metrics={"val": {"accuracy": 0.8}, "private": FIGURES}, parameters=2_000_000)
    table = leaderboard.rows([card])
    records = figures_models.plane_records(table, "parameters")
    assert [(record["name"], record["x"]) for record in records if record["what"] == "model"] == [("Toy toy", 2.0)]
    lines = {record["kind"]: record["accuracy"] for record in records if record["what"] == "line"}
    assert lines == pytest.approx(
        {"Report’s claim": 0.4298, "People": 0.65, "Others, measured": 0.668, "Others, published": 0.7682}
    )
    assert figures_models.axes_of(table) == ["parameters", "megabytes"]
    timed = leaderboard.rows([card], latency={"toy": Latency(2.0, "", "")})
    assert figures_models.axes_of(timed) == ["milliseconds", "parameters", "megabytes"]


def test_points_are_numbered_from_the_most_accurate_on_and_a_key_says_which_is_which(tmp_path):
    worse = {**FIGURES, "accuracy": FIGURES["accuracy"] - 0.1}
    good = make_toy_model(
        tmp_path, "good", metrics={"val": {"accuracy": 0.8}, "private": FIGURES}, parameters=2_000_000
    )
    bad = make_toy_model(tmp_path, "bad", metrics={"val": {"accuracy": 0.9}, "private": worse}, parameters=1_000_000)
    records = figures_models.plane_records(leaderboard.rows([bad, good]), "parameters")
    assert [(r["number"], r["name"], r["x"]) for r in records if r["what"] == "model"] == [
        (1, "Toy good", 2.0),
        (2, "Toy bad", 1.0),
    ]
    assert figures_models.plane_key(records) == "**1** Toy good · **2** Toy bad"


def test_the_kept_epoch_is_marked_on_every_curve():
    history = {"epoch": [1.0, 2.0], "train_loss": [1.5, 1.2], "val_loss": [1.4, None], "val_accuracy": [0.3, 0.4]}
    losses = figures_models.history_records(history, "loss", kept=2)
    assert [(r["name"], r["epoch"], r["value"], r["kept"]) for r in losses] == [
        ("Training loss", 1, 1.5, False),
        ("Training loss", 2, 1.2, True),
        ("Validation loss", 1, 1.4, False),
    ]
    assert figures_models.history_series(history, "score") == ["val_accuracy"]


def test_the_first_epoch_after_the_input_grew_is_marked(tmp_path):
    history = {"epoch": [1.0, 2.0, 3.0], "train_loss": [1.5, 1.2, 1.1]}
    records = figures_models.history_records(history, "loss", kept=3, small_epochs=1)
    assert [record["grown"] for record in records] == [False, True, False]
    assert not any(record["grown"] for record in figures_models.history_records(history, "loss", kept=3))
    grown = make_toy_model(tmp_path, "grown", training={"small_epochs": 1, "small_size": 24})
    assert leaderboard.grown_from(grown) == (1, 24, grown.input.height)
    assert leaderboard.grown_from(make_toy_model(tmp_path, "same", training={"small_epochs": 0})) is None
