from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from fer_core import benchmark, figures_models, leaderboard
from fer_core.errors import FerError
from fer_core.evaluation.predictions import Predictions
from fer_core.leaderboard import DisagreementGroup, Latency
from fer_core.registry import write_card
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
    assert by_name["MobileNet", "claim"].images == "All test images"
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
    said = leaderboard.in_words(table)
    assert "**Toy toy** is the best model here: 70.0 % of PrivateTest (95 % interval 68.0 to 72.0 %)." in said
    assert "43.0 % (MobileNet, on all test images)" in said
    assert "66.8 % (@vladmandic/human)" in said


def test_a_part_that_does_not_exist_is_refused():
    with pytest.raises(FerError, match="no part 'train'"):
        leaderboard.rows([], "train")


def test_a_table_for_showing_has_the_same_columns_in_every_row(tmp_path):
    card = make_toy_model(tmp_path, metrics={"val": {"accuracy": 0.8}, "private": FIGURES})
    records = leaderboard.to_records(leaderboard.rows([card]))
    assert len({tuple(record) for record in records}) == 1
    own = next(record for record in records if record["Model"] == "Toy toy")
    assert (own["Accuracy"], own["95 % interval"], own["Disgust recall"]) == (70.0, "68.0–72.0 %", 50.0)


def test_the_mirror_image_gets_a_row_of_its_own_with_recomputed_figures(tmp_path):
    card = make_evaluated_model(tmp_path, "toy")
    row = leaderboard.mirror_row(card, "private", toy_predictions(MATRIX, ("private",)))
    assert row.accuracy == pytest.approx(58 / 80)
    assert row.low < 58 / 80 < row.high
    assert row.disgust_recall == pytest.approx(0.2)
    assert row.name == "Toy toy + mirror image"
    assert row.milliseconds is None


def measured(model: str, time: float) -> benchmark.Report:
    stages = dict.fromkeys(("decode", "detect", "crop", "preprocess", "photo_to_scores"), 9.0)
    return benchmark.Report(
        date="2026-01-01",
        machine=benchmark.Machine("Some CPU, fast", 2, 8.0, "Linux", "3.12", {"numpy": "2.0"}),
        load=0.0,
        model=model,
        model_input="96x96x3",
        model_mb=5.0,
        start=benchmark.Start(0.5, [0.5], 100.0),
        stages_ms={**stages, "face_to_scores": time},
        faces_per_second={1: 400.0},
        memory=benchmark.Memory(10, 100.0, 101.0),
    )


def test_times_are_read_from_what_the_benchmark_writes(tmp_path):
    page, path = tmp_path / "performance.md", tmp_path / "performance.json"
    benchmark.write_section(page, benchmark.to_markdown(measured("toy", 2.5)))
    toy = Latency(2.5, "Some CPU, fast, 2 cores", "2026-01-01")
    assert leaderboard.read_latency(page, path) == {"toy": toy}
    path.write_text(json.dumps(benchmark.to_json(measured("other", 4.0))))
    assert leaderboard.read_latency(page, path) == {"toy": toy, "other": replace(toy, milliseconds=4.0)}
    path.write_text(json.dumps([benchmark.to_json(measured(name, 3.0)) for name in ("toy", "third")]))
    assert {name: time.milliseconds for name, time in leaderboard.read_latency(page, path).items()} == {
        "toy": 3.0,
        "third": 3.0,
    }


@pytest.mark.parametrize(
    "content", ["", "not json", "3", '{"model": "toy"}', '[{"stages_ms": null}]', "Not measured yet"]
)
def test_without_a_measurement_no_time_is_shown(tmp_path, content):
    for name in ("performance.json", "performance.md"):
        (tmp_path / name).write_text(content)
        assert leaderboard.read_latency(tmp_path / name) == {}
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
    assert "does not say" in leaderboard.stopping(make_toy_model(tmp_path, "silent"), 3)


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


def test_the_kept_epoch_is_marked_on_every_curve():
    history = {"epoch": [1.0, 2.0], "train_loss": [1.5, 1.2], "val_loss": [1.4, None], "val_accuracy": [0.3, 0.4]}
    losses = figures_models.history_records(history, "loss", kept=2)
    assert [(r["name"], r["epoch"], r["value"], r["kept"]) for r in losses] == [
        ("Training loss", 1, 1.5, False),
        ("Training loss", 2, 1.2, True),
        ("Validation loss", 1, 1.4, False),
    ]
    assert figures_models.history_series(history, "score") == ["val_accuracy"]
