"""The page "Models" as a visitor has it, on toys whose figures can be counted by hand."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from fer_core import leaderboard
from fer_core.settings import ROOT
from fer_core.training.recipe import get_recipe
from tests.pages.conftest import html_of, sentences_of
from tests.text import plain
from tests.toy_predictions import MATRIX, OTHER, make_evaluated_model, write_faces

PRIVATE = {
    "accuracy": 0.725,
    "macro_f1": 0.6,
    "ece": 0.02,
    "intervals": {"accuracy": [0.62, 0.81]},
    "per_class": {"disgust": {"recall": 0.2}},
}
RECIPE = {"name": "report", "kept_epoch": 1, "epochs": 9, "patience": 3, "selection": "loss"}


@pytest.fixture
def evaluated(models_dir):
    """Put a model with stored predictions, mirrored ones too, in place of the toys."""
    for folder in models_dir.iterdir():
        shutil.rmtree(folder)
    make_evaluated_model(
        models_dir,
        "first",
        MATRIX,
        mirror=OTHER,
        metrics={"val": {"accuracy": 0.725}, "private": PRIVATE},
        training=RECIPE,
    )
    return models_dir


def table(page, *columns: str):
    """Return the first table with these columns."""
    return next(frame.value for frame in page.dataframe if set(columns) <= set(frame.value.columns))


def test_every_row_of_the_leaderboard_says_what_kind_of_figure_it_holds(evaluated, app):
    page = app("models")
    assert not page.exception
    assert not page.error
    shown = table(page, "Model", "Kind").set_index("Model")
    assert shown.loc["Toy first", "Accuracy"] == 72.5
    assert list(shown.loc["Toy first", "Kind"]) == ["Report rebuilt here"]
    assert plain(shown.loc["Toy first", "95 % interval"]) == "62.0–81.0 %"
    assert list(shown.loc["ResNet50", "Kind"]) == ["Report’s claim"]
    assert list(shown.loc["fer", "Kind"]) == ["Others, measured"]
    assert "Of the models here **Toy first** is right most often: 72.5 % of PrivateTest" in sentences_of(page)


def test_kinds_can_be_left_out(evaluated, app):
    page = app("models")
    page.pills(key="kinds").set_value(["People"]).run()
    assert set(table(page, "Model", "Kind")["Model"]) == {"One person", "Majority of ten people"}


def test_a_kind_without_rows_is_said_to_have_none(models_dir, app):
    for folder in models_dir.iterdir():
        shutil.rmtree(folder)
    page = app("models")
    page.pills(key="kinds").set_value(["Trained here"]).run()
    assert not page.exception
    assert "No row is of the kinds that are chosen." in [caption.value for caption in page.caption]


def test_the_reports_networks_stand_beside_their_rebuilds(evaluated, app):
    metrics = {"val": {"accuracy": 0.5}, "all": {**PRIVATE, "accuracy": 0.4}}
    make_evaluated_model(evaluated, "vgg", OTHER, metrics=metrics, architecture="vgg16", training={"name": "report"})
    page = app("models")
    assert "Report, rebuild and improvement" in [heading.value for heading in page.subheader]
    shown = table(page, "Network", "Gain, points").set_index("Network")
    assert plain(shown.loc["VGG16", "Report’s claim"]) == "38.6 %"
    assert plain(shown.loc["VGG16", "Report rebuilt here"]).startswith("40.0 %")


def test_models_that_differ_in_their_loss_alone_are_compared_for_disgust(evaluated, app):
    def add(id, **changes):
        metrics = {"val": {"accuracy": 0.5}, "private": PRIVATE}
        recipe = get_recipe("mobilenet", "report").to_json() | {"kept_epoch": 1, "epochs_run": 1} | changes
        make_evaluated_model(evaluated, id, OTHER, metrics=metrics, training=recipe)

    add("plain")
    assert "What a loss does for disgust" not in [heading.value for heading in app("models").subheader]
    add("weighted", name="report_class_weighted", loss="class_weighted", ships="predictions")
    page = app("models")
    assert not page.exception
    assert "What a loss does for disgust" in [heading.value for heading in page.subheader]
    assert table(page, "Loss", "Disgust precision")["Loss"].tolist() == ["Plain", "Class-weighted"]
    # neither has weights or a graph: a line of the leaderboard, but no size
    shown = table(page, "Model", "Kind").set_index("Model")
    assert list(shown.loc["Toy weighted", "Kind"]) == ["Trained here"]
    assert list(shown.loc["Toy plain", "Kind"]) == ["Report rebuilt here"]
    assert not app("models", show="card", model="weighted").exception


def test_the_mirror_image_is_evaluated_when_it_is_asked_for(evaluated, app):
    page = app("models")
    assert "Toy first + mirror image" not in set(table(page, "Model", "Kind")["Model"])
    page.toggle(key="with_mirror").set_value(True).run()
    assert "Toy first + mirror image" in set(table(page, "Model", "Kind")["Model"])
    assert not page.error


TURNED = {
    "angry": {"sad": 2, "angry": 8},
    "disgust": {"disgust": 10},
    "fear": {"surprise": 5, "fear": 5},
    "happy": {"neutral": 9, "happy": 11},
    "neutral": {"sad": 2, "neutral": 8},
    "sad": {"neutral": 4, "sad": 6},
    "surprise": {"fear": 3, "surprise": 7},
}
"""Right at all 22 images of each split at which MATRIX is wrong, and wrong at 25 others."""
PERFECT = {label: {label: sum(said.values())} for label, said in MATRIX.items()}
WRONG = {label: {"sad" if label == "happy" else "happy": sum(said.values())} for label, said in MATRIX.items()}

OWN = {"training": {"name": "flagship"}, "metrics": {"val": {"accuracy": 0.725}, "private": PRIVATE}}
ENSEMBLE = "Ensemble of 2 + mirror images"


def with_further_rows(app):
    """Open the leaderboard with the toggle on; return the page and the table by model."""
    page = app("models")
    assert not any(name.startswith("Ensemble") for name in table(page, "Model", "Kind")["Model"])
    page.toggle(key="with_mirror").set_value(True).run()
    assert not page.exception
    assert not page.error
    return page, table(page, "Model", "Kind").set_index("Model")


def test_an_ensemble_of_models_trained_here_is_evaluated_when_it_is_asked_for(evaluated, app):
    make_evaluated_model(evaluated, "second", MATRIX, mirror=MATRIX, onnx=True, **OWN)
    make_evaluated_model(evaluated, "third", TURNED, mirror=TURNED, onnx=True, **OWN)
    page, shown = with_further_rows(app)
    assert {"Toy first + mirror image", "Toy second + mirror image", "Toy third + mirror image"} <= set(shown.index)
    row = shown.loc[ENSEMBLE]
    assert list(row["Kind"]) == ["Trained here"]
    assert row["Images"] == "PrivateTest"
    # At every image one of the two is right, and surer of it than the other is of its error; their weights are alike.
    assert row["Accuracy"] == 100
    assert "Toy second 0." in row["Remark"]
    assert "Toy third 0." in row["Remark"]
    assert "first" not in row["Remark"], "it was rebuilt, and cannot answer"
    assert f"Of the models here **{ENSEMBLE}** is right most often" in sentences_of(page)


def test_a_model_without_validation_does_not_keep_others_from_being_mixed(evaluated, app):
    make_evaluated_model(evaluated, "second", MATRIX, mirror=MATRIX, onnx=True, **OWN)
    make_evaluated_model(evaluated, "third", TURNED, mirror=TURNED, onnx=True, **OWN)
    make_evaluated_model(evaluated, "fourth", PERFECT, mirror=PERFECT, onnx=True, splits=("private",), **OWN)
    _, shown = with_further_rows(app)
    assert "fourth" not in shown.loc[ENSEMBLE]["Remark"]


def test_an_ensemble_that_did_not_answer_a_part_is_a_sentence(evaluated, app):
    for name, rows in (("second", MATRIX), ("third", TURNED)):
        make_evaluated_model(evaluated, name, rows, mirror=rows, onnx=True, splits=("val", "public"), **OWN)
    page = app("models", show="compare", a="second", b="ensemble")
    assert not page.exception
    assert page.error or page.warning


def test_an_ensemble_is_compared_with_a_member_by_the_mixed_scores(evaluated, app):
    make_evaluated_model(evaluated, "second", MATRIX, mirror=MATRIX, onnx=True, **OWN)
    make_evaluated_model(evaluated, "third", TURNED, mirror=TURNED, onnx=True, **OWN)
    page = app("models", show="compare", a="second", b="ensemble")
    assert not page.error
    assert page.selectbox(key="b").value == "ensemble"
    right = table(page, "B right", "B wrong")
    # The ensemble is right about every image, as above.
    assert right["B wrong"].tolist() == [0, 0]
    assert right["B right"].sum() == 80


@pytest.mark.parametrize(
    "third",
    [
        None,
        {"mirror": None, "onnx": True},
        {"onnx": False},
        {"onnx": True, "training": RECIPE},
        {"onnx": True, "splits": ("private",)},
    ],
    ids=["nothing else", "no mirror images", "cannot answer", "rebuilt", "no validation"],
)
def test_one_model_and_what_cannot_be_mixed_with_it_make_no_ensemble(evaluated, app, third):
    make_evaluated_model(evaluated, "second", MATRIX, mirror=MATRIX, onnx=True, **OWN)
    if third is not None:
        make_evaluated_model(evaluated, "third", TURNED, **{"mirror": TURNED, **OWN, **third})
    _, shown = with_further_rows(app)
    assert "Toy second + mirror image" in shown.index
    assert not any(name.startswith("Ensemble") for name in shown.index)


def test_a_model_that_is_worse_at_every_image_makes_no_ensemble(evaluated, app):
    make_evaluated_model(evaluated, "second", PERFECT, mirror=PERFECT, onnx=True, **OWN)
    make_evaluated_model(evaluated, "third", WRONG, mirror=WRONG, onnx=True, **OWN)
    _, shown = with_further_rows(app)
    assert "Toy third + mirror image" in shown.index
    assert not any(name.startswith("Ensemble") for name in shown.index)


def test_a_time_stands_in_the_table_only_if_it_was_measured(evaluated, app, monkeypatch, tmp_path_factory):
    missing = tmp_path_factory.mktemp("docs") / "latency.json"
    monkeypatch.setattr(leaderboard, "LATENCY_FILE", missing)
    page = app("models")
    assert "milliseconds" not in page.segmented_control(key="against").options
    assert "ms a face:" not in sentences_of(page)
    assert "Not drawn" not in sentences_of(page)
    missing.write_text(
        '{"date": "2026-01-01", "machine": {"cpu": "Some CPU", "cores": 2}, "milliseconds": {"first": 2.5}}'
    )
    page = app("models")
    assert table(page, "Model", "Kind").set_index("Model").loc["Toy first", "ms a face"] == 2.5
    assert "measured on Some CPU, 2 cores, 2026-01-01" in sentences_of(page)
    make_evaluated_model(evaluated, "second", OTHER, metrics={"val": {"accuracy": 0.5}, "private": PRIVATE})
    assert "Not drawn, because this figure is not known: Toy second." in sentences_of(app("models"))


@pytest.mark.parametrize("view", ["table", "training", "compare", "card"])
def test_models_without_any_stored_prediction_break_no_view(models_dir, app, view):
    page = app("models", show=view)
    assert not page.exception
    assert not page.error


@pytest.mark.parametrize("view", ["table", "training", "compare", "card"])
def test_no_model_at_all_gets_a_sentence(models_dir, app, view):
    for folder in models_dir.iterdir():
        shutil.rmtree(folder)
    page = app("models", show=view)
    assert not page.exception
    assert "Something went wrong" not in sentences_of(page)


def test_training_curves_say_which_epoch_was_kept(evaluated, app):
    page = app("models", show="training")
    assert "Epoch **1** of 1 was kept, the best validation loss." in sentences_of(page)
    assert table(page, "epoch")["val_loss"].tolist() == [1.8]


def test_two_models_are_compared_image_by_image(evaluated, app):
    make_evaluated_model(evaluated, "second", OTHER, metrics={"val": {"accuracy": 0.5}})
    page = app("models", show="compare", a="first", b="second")
    # of each 80 images: 2 disgust only A gets right, 4 disgust and 5 fear only B
    assert table(page, "B right", "B wrong")["B right"].tolist() == [56, 9]
    assert table(page, "B right", "B wrong")["B wrong"].tolist() == [2, 13]
    # two-sided sign test of 2 in 11: 2 x (1 + 11 + 55) / 2048
    assert "McNemar’s test p = 0.065" in sentences_of(page)
    assert "They give different answers to **11** of 80 images" in sentences_of(page)
    assert table(page, "A says", "Neither").iloc[0].tolist() == ["Surprise", "Fear", 5, 0, 5, 0]
    surest = table(page, "Image", "Score of B").iloc[0]
    # disgust 0.90 and happy 0.02 by A, happy 0.60 and disgust 0.30 by B: margins 0.88 and 0.30, no other mean is larger
    assert surest.tolist() == ["test/disgust/PrivateTest_006.jpg", "Disgust", "Disgust", 0.9, "Happy", 0.6]


def test_with_the_images_the_surest_disagreements_are_shown_as_faces(evaluated, app, monkeypatch, tmp_path):
    monkeypatch.setenv("FER_DATA_DIR", str(write_faces(tmp_path / "faces")))
    monkeypatch.setenv("FER_CACHE_DIR", str(tmp_path / "cache"))
    make_evaluated_model(evaluated, "second", OTHER, metrics={"val": {"accuracy": 0.5}})
    page = app("models", show="compare", a="first", b="second")
    assert not page.error
    assert html_of(page).count("<img") == 11
    assert "fear: A surprise, B fear" in html_of(page)


def test_one_model_alone_is_compared_with_its_mirror_image(evaluated, app):
    page = app("models", show="compare")
    assert page.selectbox(key="b").value == "first+mirror"
    assert not page.error


def test_a_model_without_figures_of_its_own_still_shows_its_card(evaluated, app):
    page = app("models", show="card")
    assert "Says happy for a bright left half" in sentences_of(page)
    (evaluated / "first" / "README.md").write_text("# Toy first\n\nWhat it is.\n\n## Figures\n\nMany.\n")
    assert "What it is." in sentences_of(app("models", show="card"))


def test_the_view_and_the_images_stand_in_the_address(evaluated, app):
    page = app("models", show="compare", on="all")
    assert page.segmented_control(key="show").value == "compare"
    assert page.selectbox(key="on").value == "all"
    page.selectbox(key="on").set_value("private").run()
    assert "on" not in page.query_params


def test_both_pages_run_without_tensorflow_and_scikit_learn(evaluated):
    code = (
        "import sys\n"
        "from streamlit.testing.v1 import AppTest\n"
        "for page in ('models', 'report_check'):\n"
        "    app = AppTest.from_file('streamlit_app.py', default_timeout=60)\n"
        "    app.switch_page(f'pages/{page}.py')\n"
        "    assert not app.run().exception\n"
        "heavy = {'tensorflow', 'keras', 'sklearn', 'scipy', 'onnxruntime'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    environment = {"FER_MODELS_DIR": str(evaluated), "PATH": ""}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
