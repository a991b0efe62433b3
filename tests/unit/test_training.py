"""Training on tiny networks: resuming after a kill, losses, recipes."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fer_core import architectures
from fer_core.architectures import BuildOptions
from fer_core.classifier import load_classifier
from fer_core.data.fer2013 import Fer2013
from fer_core.data.ferplus import SEVEN, VOTE_COLUMNS, read_votes, row_map
from fer_core.errors import DatasetMissing, TrainingError
from fer_core.labels import EMOTIONS
from fer_core.registry import load_card
from fer_core.settings import ROOT, Settings
from fer_core.training import command
from fer_core.training.augmentation import augment
from fer_core.training.recipe import FACE_AUGMENTATION, LOSSES, RECIPES, Augmentation, Recipe, get_recipe
from fer_core.training.targets import POSTERIORS, by_pool, by_regression, training_data, vote_targets
from tests.toy import make_toy_model
from tests.toy_network import toy_data

EPOCHS, SMALL_EPOCHS = 40, 20

SCRIPT = textwrap.dedent(
    f"""
    import sys
    from pathlib import Path
    import numpy as np
    from fer_core import architectures
    from fer_core.training.loop import train
    from fer_core.training.recipe import Augmentation, Recipe
    from tests.toy_network import toy_data

    architectures.TABLE["toy"] = "tests.toy_network"
    recipe = Recipe(
        "toy", "t", build=architectures.BuildOptions(size=24), epochs={EPOCHS}, batch_size=12, ema=0.9, mixup=0.2,
        label_smoothing=0.1, refitted=True, augmentation=Augmentation(mirror=0.5, rotation=10, contrast=0.2),
        small_size=16, small_epochs={SMALL_EPOCHS},
    )
    run = train(recipe, toy_data(), Path(sys.argv[1]), quiet=True)
    np.savez(Path(sys.argv[1]) / "result.npz", *[np.asarray(v.value) for v in run.network.model.variables])
    """
)


def start(directory: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(directory)], env=environment, cwd=ROOT)


def history_of(directory: Path) -> list[list[float]]:
    """Return the epochs of a run so far: number, training loss, validation loss, accuracy."""
    path = directory / "history.csv"
    lines = path.read_text().splitlines()[1:] if path.exists() else []
    return [[float(value) for value in line.split(",")[:4]] for line in lines]


@pytest.fixture(scope="module")
def unkilled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run that nobody disturbed: half of its epochs at 16 px, half at 24."""
    directory = tmp_path_factory.mktemp("runs") / "whole"
    assert start(directory).wait() == 0
    return directory


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """Return a recipe of one epoch for the toy network."""
    monkeypatch.setitem(architectures.TABLE, "toy", "tests.toy_network")
    return Recipe("toy", "t", build=BuildOptions(size=24), epochs=1, batch_size=12)


@pytest.mark.train
@pytest.mark.parametrize("epochs", [1, SMALL_EPOCHS + 1], ids=["before its input grows", "after its input grew"])
def test_a_killed_run_resumes_to_the_same_weights_and_history(unkilled: Path, tmp_path: Path, epochs: int) -> None:
    killed = tmp_path / "killed"
    process = start(killed)
    deadline = time.monotonic() + 120
    while len(history_of(killed)) < epochs and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (killed / "result.npz").exists(), "the run ended before it could be killed"
    assert (len(history_of(killed)) > SMALL_EPOCHS) == (epochs > SMALL_EPOCHS)
    assert start(killed).wait() == 0

    with np.load(unkilled / "result.npz") as a, np.load(killed / "result.npz") as b:
        assert a.files == b.files
        for name in a.files:
            np.testing.assert_allclose(a[name], b[name], rtol=1e-4, atol=1e-5)
    assert len(history_of(unkilled)) == EPOCHS
    np.testing.assert_allclose(history_of(killed), history_of(unkilled), rtol=1e-3)


@pytest.mark.train
@pytest.mark.parametrize("lost", ["history.csv", "best.npz"])
def test_what_a_kill_after_the_last_checkpoint_left_unwritten_is_written_again(
    tmp_path: Path, toy: Recipe, lost: str
) -> None:
    from fer_core.training.loop import train

    toy = replace(toy, epochs=2, selection="loss")
    whole = train(toy, toy_data(), tmp_path, quiet=True)
    lines = (tmp_path / "history.csv").read_text()
    (tmp_path / lost).unlink()
    again = train(toy, toy_data(), tmp_path, quiet=True)
    assert (tmp_path / "history.csv").read_text() == lines
    assert whole.kept_epoch == again.kept_epoch == 1, "the last epoch is the best, so that a checkpoint holds it"
    for a, b in zip(whole.network.model.variables, again.network.model.variables, strict=True):
        np.testing.assert_array_equal(a.value, b.value)


@pytest.mark.train
def test_a_run_without_the_weights_of_its_best_epoch_says_so(tmp_path: Path, toy: Recipe) -> None:
    from fer_core.training.loop import _save, saved_history, train

    toy = replace(toy, epochs=2)
    data = toy_data()
    train(toy, data, tmp_path, quiet=True)
    with np.load(tmp_path / "checkpoint.npz") as saved:
        arrays, meta = dict(saved), json.loads(str(saved["meta"]))
    del arrays["meta"]
    for row, accuracy in zip(meta["history"], (0.9, 0.1), strict=True):
        row["val_accuracy"] = accuracy  # the first epoch is the best, and the checkpoint is of the second
    _save(tmp_path / "checkpoint.npz", arrays, meta)
    _save(tmp_path / "best.npz", arrays, {"epoch": 1})
    with pytest.raises(TrainingError, match="it has those of epoch 2, not 1"):
        train(toy, data, tmp_path, quiet=True)
    (tmp_path / "best.npz").unlink()
    with pytest.raises(TrainingError, match=r"there is no best\.npz"):
        train(toy, data, tmp_path, quiet=True)
    for damaged in (b"", b"PK\x03\x04 half a checkpoint"):
        (tmp_path / "checkpoint.npz").write_bytes(damaged)
        with pytest.raises(TrainingError, match="not a checkpoint"):
            saved_history(tmp_path / "checkpoint.npz", {})


@pytest.mark.train
def test_a_run_goes_on_with_the_data_that_it_began_with_only(tmp_path: Path, toy: Recipe) -> None:
    from fer_core.training.loop import train

    data = toy_data()
    train(toy, data, tmp_path, quiet=True)
    train(toy, replace(data, train_targets=data.train_targets * (1 + 1e-7)), tmp_path, quiet=True)
    other_order = replace(data, train_images=data.train_images[::-1], train_labels=data.train_labels[::-1])
    other_teachers = replace(data, train_targets=0.9 * data.train_targets + 0.1 / 7)
    for other in (other_order, other_teachers):
        with pytest.raises(TrainingError, match="other images or targets"):
            train(toy, other, tmp_path, quiet=True)


@pytest.mark.train
def test_a_stage_starts_from_the_weights_of_the_one_before_at_any_size(tmp_path: Path, toy: Recipe) -> None:
    from fer_core.training.loop import build_network, train

    before = build_network(toy, 24)
    for index, variable in enumerate(before.model.weights):
        variable.assign(np.full(variable.shape, index + 0.5))
    path = tmp_path / "before.weights.h5"
    before.model.save_weights(path)
    after = build_network(replace(toy, initial_weights=str(path)), 16)
    for index, variable in enumerate(after.model.weights):
        np.testing.assert_array_equal(variable.numpy(), np.full(variable.shape, index + 0.5))
    absent = replace(toy, initial_weights=str(tmp_path / "absent.weights.h5"))
    with pytest.raises(TrainingError, match="no weights file"):
        train(absent, toy_data(), tmp_path / "run", quiet=True)


@pytest.mark.train
def test_the_learning_rate_stays_or_rises_and_falls_to_zero(toy: Recipe) -> None:
    from fer_core.training.loop import learning_rate

    constant = replace(toy, schedule="constant", warmup=0.0, learning_rate=1e-3)
    assert learning_rate(constant, 10) == 1e-3
    rate = learning_rate(replace(toy, epochs=10, warmup=0.2, learning_rate=1e-3), 10)  # 20 of 100 steps rise
    assert [float(rate(step)) for step in (0, 10, 20, 60, 100)] == pytest.approx(
        [1e-5, 5.05e-4, 1e-3, 5e-4, 0], abs=1e-9
    )


@pytest.mark.train
def test_a_recipe_with_a_constant_rate_trains_at_it(tmp_path: Path, toy: Recipe) -> None:
    from fer_core.training.loop import train

    constant = replace(toy, epochs=2, schedule="constant", warmup=0.0, weight_decay=0.0, learning_rate=2e-3)
    run = train(constant, toy_data(), tmp_path, quiet=True)
    assert [row["learning_rate"] for row in run.history] == pytest.approx([2e-3, 2e-3])


@pytest.mark.train
def test_bfloat16_is_for_training_only(tmp_path: Path, toy: Recipe) -> None:
    import keras

    from fer_core.training.loop import build_network, train

    half = replace(toy, precision="mixed_bfloat16", small_size=16, small_epochs=1, epochs=2)
    assert build_network(half, 24).model.get_layer("maps").compute_dtype == "bfloat16"
    run = train(half, toy_data(), tmp_path, quiet=True)
    assert [layer.compute_dtype for layer in run.network.model.layers] == ["float32"] * len(run.network.model.layers)
    assert keras.mixed_precision.dtype_policy().name == "float32"
    assert all(np.isfinite(row["train_loss"]) for row in run.history)
    assert {variable.dtype for variable in run.network.model.weights} == {"float32"}


@pytest.mark.train
def test_only_epochs_at_the_input_size_of_the_last_one_compete(toy: Recipe) -> None:
    from fer_core.training.loop import _best, _stopped

    grows = replace(toy, epochs=9, small_size=16, small_epochs=2, patience=2)
    accuracies = (0.9, 0.8, 0.1, 0.2, 0.15)
    history = [{"val_accuracy": value, "val_loss": 1 - value} for value in accuracies]
    assert [_best(history[:count], grows) for count in range(1, 6)] == [0, 0, 2, 3, 3]
    assert not _stopped(history[:4], grows)
    assert _stopped([*history, history[-1]], grows)
    grows = replace(grows, small_epochs=6)
    assert not _stopped([*history, history[-1]], grows), "a run does not end before its input has grown"


def test_the_time_left_counts_larger_inputs_by_their_area(toy: Recipe) -> None:
    from fer_core.training.loop import time_left

    grows = replace(toy, epochs=5, small_size=12, small_epochs=2)  # then 24 px: four times as long
    assert time_left([], grows) == ""
    assert time_left([{"seconds": 300.0}], grows) == "1 h 05 min"  # one more of 5 minutes, three of 20
    assert time_left([{"seconds": 300.0}] * 4, grows) == "5 min"


def test_the_terms_of_a_loss_follow_from_how_often_each_class_is_there() -> None:
    from fer_core.training.losses import terms

    labels = np.array([0] * 6 + [1] * 2)  # shares 3/4 and 1/4; a class without images counts as one of the eight
    weights, adjustment = terms("class_weighted", labels)
    # inverse shares 4/3, 4 and 8; their mean over the eight images is (6 x 4/3 + 2 x 4) / 8 = 2
    np.testing.assert_allclose(weights, [2 / 3, 2, 4, 4, 4, 4, 4], rtol=1e-6)
    np.testing.assert_array_equal(adjustment, np.zeros(7))
    weights, adjustment = terms("logit_adjusted", labels)
    np.testing.assert_array_equal(weights, np.ones(7))
    np.testing.assert_allclose(adjustment, np.log([3 / 4, 1 / 4, *[1 / 8] * 5]), rtol=1e-6)


@pytest.mark.train
def test_the_loss_is_the_smoothed_cross_entropy_with_its_terms(toy: Recipe) -> None:
    from fer_core.training.losses import loss_of

    labels = np.array([0] * 6 + [1] * 2)
    targets, logits = np.eye(7, dtype=np.float32)[[1]], np.zeros((1, 7), np.float32)

    def value(**changes: object) -> float:
        return float(loss_of(replace(toy, **changes), labels)(targets, logits)[0])

    assert value() == pytest.approx(np.log(7), rel=1e-6)
    assert value(loss="class_weighted") == pytest.approx(2 * np.log(7), rel=1e-6)
    assert value(loss="logit_adjusted") == pytest.approx(-np.log((1 / 4) / (3 / 4 + 1 / 4 + 5 / 8)), rel=1e-6)
    confident = np.array([[0, 9, 0, 0, 0, 0, 0]], np.float32)
    smooth = float(loss_of(replace(toy, label_smoothing=0.7), labels)(targets, confident)[0])
    assert smooth == pytest.approx(np.log(6 + np.exp(9)) - 0.4 * 9, rel=1e-6)  # the target is 0.3 + 0.7 / 7


@pytest.mark.train
def test_frozen_runs_that_differ_in_loss_share_their_features_and_differ(tmp_path: Path, toy: Recipe) -> None:
    from fer_core.training.frozen import train_frozen

    report = get_recipe("mobilenet", "report")
    frozen = replace(report, architecture="toy", build=toy.build, epochs=6, feature_copies=2, learning_rate=0.05)
    few = toy_data()
    rare = (few.train_labels != 1) | (np.arange(84) < 7)
    data = replace(
        few,
        train_images=few.train_images[rare],
        train_targets=few.train_targets[rare],
        train_labels=few.train_labels[rare],
    )
    losses = {}
    for name in LOSSES:
        run = train_frozen(replace(frozen, name=name, loss=name), data, tmp_path / name, quiet=True)
        losses[name] = run.history[-1]["train_loss"]
    assert len(set(losses.values())) == 3
    stores = list(tmp_path.glob("features-*"))
    assert [sorted(path.name for path in store.iterdir()) for store in stores] == [
        ["train_0.npy", "train_1.npy", "val.npy"]
    ]
    train_frozen(replace(frozen, name="other", seed=2), data, tmp_path / "other", quiet=True)
    assert len(list(tmp_path.glob("features-*"))) == 2, "another seed augments otherwise"


@pytest.mark.train
def test_a_folder_with_another_recipe_is_refused(tmp_path: Path) -> None:
    from fer_core.training.loop import claim

    claim(tmp_path, get_recipe("mobilenet", "report"))
    claim(tmp_path, get_recipe("mobilenet", "report"))
    path = tmp_path / "recipe.json"
    older = json.loads(path.read_text())
    del older["ships"], older["precision"]
    path.write_text(json.dumps(older))
    claim(tmp_path, get_recipe("mobilenet", "report"))  # fields that recipes got since then have their defaults
    with pytest.raises(TrainingError, match="another recipe"):
        claim(tmp_path, get_recipe("mobilenet", "flagship"))
    for damaged in ("", "{}", '{"build": {}, "augmentation": "mirror"}'):
        path.write_text(damaged)
        with pytest.raises(TrainingError, match=r"holds no recipe|cannot be read"):
            claim(tmp_path, get_recipe("mobilenet", "report"))


def test_every_recipe_survives_json_and_stands_under_its_own_name() -> None:
    for architecture, recipes in RECIPES.items():
        for name, recipe in recipes.items():
            assert (recipe.architecture, recipe.name) == (architecture, name)
            assert Recipe.from_json(recipe.to_json()) == recipe


def test_overrides_reach_the_build_options_too() -> None:
    recipe = get_recipe("mobilenet", "report").with_overrides(epochs=3, backbone_weights="none")
    assert recipe.epochs == 3
    assert recipe.build.backbone_weights == "none"
    assert recipe.build.head == "report"


def test_a_shorter_run_reaches_the_full_input_too() -> None:
    recipe = Recipe("mobilenet", "x", epochs=25, small_size=96, small_epochs=16)
    assert [(short.epochs, short.small_epochs) for short in map(recipe.lasting, (50, 5, 1))] == [
        (50, 32),
        (5, 3),
        (1, 0),
    ]


def test_unknown_names_are_answered_with_what_there_is() -> None:
    with pytest.raises(TrainingError, match="mobilenet"):
        get_recipe("alexnet", "report")
    with pytest.raises(TrainingError, match="flagship"):
        get_recipe("mobilenet", "magic")
    with pytest.raises(TrainingError, match="loss"):
        Recipe("mobilenet", "x", loss="hinge")
    with pytest.raises(TrainingError, match="small_size must be"):
        Recipe("mobilenet", "x", small_epochs=2)
    with pytest.raises(TrainingError, match="small_epochs is 2 of 2"):
        Recipe("mobilenet", "x", small_size=32, small_epochs=2, epochs=2)
    for seed in (-1, 2**32):
        with pytest.raises(TrainingError, match=f"seed is {seed}"):
            Recipe("mobilenet", "x", seed=seed)
    with pytest.raises(TrainingError, match="precision = 'float32'"):
        get_recipe("mobilenet", "report").with_overrides(precision="mixed_bfloat16", mixup=0.2)
    with pytest.raises(TrainingError, match="no warm-up"):
        Recipe("mobilenet", "x", schedule="constant")
    for nonsense in ({"protocol": "averaged", "members": ("one",)}, {"members": ("one", "other")}):
        with pytest.raises(TrainingError, match="members"):
            Recipe("mobilenet", "x", **nonsense)
    with pytest.raises(TrainingError, match="add up to one"):
        Recipe("mobilenet", "x", protocol="averaged", members=("one", "other"), shares=(0.5, 0.6))


def test_a_run_without_words_is_refused_before_it_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECIPES["mobilenet"], "unheard-of", Recipe("mobilenet", "unheard-of"))
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    with pytest.raises(TrainingError, match="add one"):
        command.run(parser.parse_args(["mobilenet", "--recipe", "unheard-of", "--data", "/absent"]))


@pytest.mark.train
def test_a_network_that_is_in_the_table_can_be_trained_and_served_without_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cv2

    monkeypatch.setitem(architectures.TABLE, "toy", "tests.toy_network")
    monkeypatch.setenv("FER_CACHE_DIR", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for usage, part, count in (("Training", "train", 10), ("PublicTest", "test", 2), ("PrivateTest", "test", 2)):
        for emotion in EMOTIONS:
            (tmp_path / part / emotion).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                face = rng.integers(0, 256, (48, 48), dtype=np.uint8)
                cv2.imwrite(str(tmp_path / part / emotion / f"{usage}_{emotion}{number}.png"), face)
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    folders = ["--data", str(tmp_path), "--run", str(tmp_path / "run"), "--models", str(tmp_path / "models")]
    assert command.run(parser.parse_args(["toy", "--epochs", "1", "--quiet", *folders])) == 0
    card = load_card(tmp_path / "models" / "toy-improved", verify=True)
    assert (card.name, card.architecture, card.input.height) == ("toy, improved", "toy", 48)
    assert load_classifier(card).predict_proba(np.zeros((1, 48, 48), np.uint8)).shape == (1, 7)
    assert get_recipe("toy", "report").build.head == "report"
    with pytest.raises(TrainingError, match="Known: improved, report"):
        get_recipe("toy", "magic")


def test_the_losses_that_are_compared_are_the_reports_protocol_but_for_the_loss() -> None:
    plain = get_recipe("mobilenet", "report")
    for loss in LOSSES[1:]:
        other = get_recipe("mobilenet", f"report_{loss}")
        assert (other.loss, other.ships) == (loss, "predictions")
        assert replace(other, name="report", loss="plain", ships="all") == plain


def test_augmentation_that_changes_nothing_is_the_resize_that_serving_does() -> None:
    from fer_core.preprocessing import InputSpec, preprocess

    faces = np.random.default_rng(1).integers(0, 256, (3, 48, 48), dtype=np.uint8)
    spec = InputSpec(height=96, width=96, channels=1, mean=(0.0,), std=(1.0,))
    plain = augment(faces, 96, Augmentation(), np.random.default_rng(0))
    assert np.abs(plain.astype(float) - preprocess(faces, spec)[..., 0]).max() <= 1


def test_a_certain_mirror_is_the_image_from_right_to_left() -> None:
    faces = np.random.default_rng(2).integers(0, 256, (2, 48, 48), dtype=np.uint8)
    mirrored = augment(faces, 48, Augmentation(mirror=1.0), np.random.default_rng(0))
    np.testing.assert_array_equal(mirrored, faces[:, :, ::-1])


def test_augmentation_is_decided_by_its_generator_alone() -> None:
    faces = np.random.default_rng(3).integers(0, 256, (4, 48, 48), dtype=np.uint8)
    first = augment(faces, 64, FACE_AUGMENTATION, np.random.default_rng(7))
    again = augment(faces, 64, FACE_AUGMENTATION, np.random.default_rng(7))
    other = augment(faces, 64, FACE_AUGMENTATION, np.random.default_rng(8))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_votes_become_targets_and_an_image_without_votes_keeps_its_label() -> None:
    counts = np.array([[1, 0, 0, 0, 3, 4, 0, 1, 1, 0], [0] * 10, [0] * 9 + [10]])  # the last: ten times "not a face"
    soft = vote_targets(counts, np.array([True, False, True]), np.array([0, 2, 3]))
    assert soft.dtype == np.float32
    np.testing.assert_allclose(soft[0], [3 / 8, 4 / 8, 0, 0, 1 / 8, 0, 0])
    np.testing.assert_array_equal(soft[1:], np.eye(7)[[2, 3]])


def test_targets_of_votes_need_the_votes() -> None:
    recipe = get_recipe("mobilenet", "flagship_ferplus")
    with pytest.raises(DatasetMissing, match="FERPLUS_CSV"):
        training_data(recipe, few_images(), np.array(["train", "val"] * 10), Settings(), Path())


def test_the_label_posterior_is_the_share_of_labels_among_images_with_such_scores_and_votes() -> None:
    # Of a thousand images that people call angry and teachers cannot tell, 700 are labelled angry, 200 disgust and 100
    # sad. Of a thousand that nobody voted on, teachers say happy of half and neutral of the other: 480 of the first are
    # labelled happy and 20 neutral, of the second 500 neutral. Then a few of each class, that there is one.
    few = np.arange(7)
    labels = np.concatenate([np.repeat([0, 1, 5, 3, 4], [700, 200, 100, 480, 520]), few])
    counts = np.zeros((2007, 10), np.int64)
    counts[:1000, VOTE_COLUMNS.index("anger")] = 10
    scores = np.full((2007, 7), 1 / 7, np.float32)
    scores[1000:1500] = [0.01, 0.01, 0.01, 0.94, 0.01, 0.01, 0.01]
    scores[1500:2000] = [0.01, 0.01, 0.01, 0.01, 0.94, 0.01, 0.01]
    posterior = by_regression(scores, counts, labels, np.arange(2007) < 2007)
    assert posterior.dtype == np.float32
    np.testing.assert_allclose(posterior[0, [0, 1, 5]], [0.7, 0.2, 0.1], atol=0.02)
    np.testing.assert_allclose(posterior[1000, [3, 4]], [0.96, 0.04], atol=0.02)
    np.testing.assert_allclose(posterior[1999, 4], 1, atol=0.02)
    np.testing.assert_allclose(posterior.sum(axis=1), 1, atol=1e-6)
    for compute in POSTERIORS.values():
        with pytest.raises(TrainingError, match="Every class"):
            compute(scores, counts, labels, np.arange(2007) < 2000)


def test_a_pool_weighs_teachers_and_voters_of_each_class_by_how_far_they_are_right() -> None:
    # Happy and sad, and a few of the others. Teachers say .8 to .2; they are right in eight of ten of those, as they
    # say. People never vote for sad and always for happy: they know nothing. So the pool says what the teachers say.
    labels = np.concatenate([np.repeat([3, 5, 3, 5], [800, 200, 200, 800]), np.arange(7)])
    scores = np.full((2007, 7), 1e-3, np.float32)
    scores[:1000, [3, 5]], scores[1000:2000, [3, 5]] = [0.8, 0.2], [0.2, 0.8]
    scores[2000:] = np.eye(7)
    counts = np.zeros((2007, 10), np.int64)
    counts[:, VOTE_COLUMNS.index("happiness")] = 10
    fitted = np.arange(2007) < 2007
    posterior = by_pool(scores, counts, labels, fitted)
    assert posterior.dtype == np.float32
    np.testing.assert_allclose(posterior[[0, 1999]][:, [3, 5]], [[0.8, 0.2], [0.2, 0.8]], atol=0.01)
    np.testing.assert_allclose(posterior.sum(axis=1), 1, atol=1e-6)
    # Now the teachers say the same of all, and voters are right in nine of ten.
    scores[:2000], counts[:2000] = 1 / 7, 0
    voted = np.where(np.arange(2000) % 10, labels[:2000], 8 - labels[:2000])  # 3 and 5 exchanged in one of ten
    for image, emotion in enumerate(voted):
        counts[image, SEVEN[emotion]] = 10
    posterior = by_pool(scores, counts, labels, fitted)
    np.testing.assert_allclose(posterior[[0, 1]][:, [3, 5]], [[0.1, 0.9], [0.9, 0.1]], atol=0.01)


def few_images() -> Fer2013:
    """Return twenty noise faces, every third with a dark half, by the names of images that FER+ has."""
    names = np.array(list(row_map())[:20])
    faces = np.random.default_rng(3).integers(0, 256, (20, 48, 48), np.uint8)
    faces[::3, :, :24] //= 8
    return Fer2013(faces, np.arange(20) % 7, np.array(["Training"] * 20), names)


def test_teachers_soften_training_labels_and_leave_validation_as_it_is(tmp_path: Path) -> None:
    dataset, splits = few_images(), np.array(["train", "val"] * 10)
    votes = tmp_path / "votes.csv"
    header = "row,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
    rows = "\n".join(f"{row_map()[name]},{i % 3},1,0,0,0,0,0,0,0,0" for i, name in enumerate(dataset.names))
    votes.write_text(f"{header}\n{rows}\n")
    settings = Settings(ferplus_csv=votes, models_dir=tmp_path / "models")
    make_toy_model(settings.models_dir, "teacher")
    recipe = get_recipe("mobilenet", "improved").with_overrides(teachers=("teacher",), teacher_share=0.7)
    data = training_data(recipe, dataset, splits, settings, tmp_path)
    train, val = splits == "train", splits == "val"
    np.testing.assert_array_equal(data.val_targets, np.eye(7, dtype=np.float32)[dataset.labels[val]])
    # By hand: the teacher's scores with mirror, the votes, and the regression fitted on validation.
    teacher = load_classifier(load_card(settings.models_dir / "teacher"))
    scores = teacher.predict_proba(dataset.images, mirror=True)
    counts, _ = read_votes(votes).of(dataset.names.tolist())
    for name, compute in POSTERIORS.items():
        expected = 0.3 * np.eye(7)[dataset.labels[train]] + 0.7 * compute(scores, counts, dataset.labels, val)[train]
        made = training_data(replace(recipe, posterior=name), dataset, splits, settings, tmp_path)
        np.testing.assert_allclose(made.train_targets, expected, atol=1e-3)
    # Scores are kept: a second call reads them.
    (kept,) = tmp_path.glob("scores-teacher-*.npy")
    np.save(kept, np.load(kept)[::-1])
    again = training_data(recipe, dataset, splits, settings, tmp_path)
    assert not np.allclose(again.train_targets, data.train_targets, atol=1e-3)
    with pytest.raises(TrainingError, match="belong together"):
        recipe.with_overrides(targets="ferplus")
