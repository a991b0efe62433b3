"""Training on tiny networks: resuming after a kill, losses, recipes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from fer_core.errors import TrainingError
from fer_core.settings import ROOT
from fer_core.training.augmentation import augment
from fer_core.training.recipe import FACE_AUGMENTATION, RECIPES, Augmentation, Recipe, get_recipe

SCRIPT = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    import numpy as np
    from fer_core import architectures
    from fer_core.training.loop import TrainingData, one_hot, train
    from fer_core.training.recipe import Augmentation, Recipe

    architectures.TABLE["toy"] = "tests.toy_network"
    rng = np.random.default_rng(0)
    labels = np.arange(84) % 7
    images = (rng.integers(0, 60, (84, 48, 48)) + labels[:, None, None] * 25).astype(np.uint8)
    data = TrainingData(images, one_hot(labels), labels, images[:21], labels[:21])
    recipe = Recipe(
        "toy", "t", epochs=int(sys.argv[2]), batch_size=12, ema=0.9, mixup=0.2, label_smoothing=0.1,
        augmentation=Augmentation(mirror=0.5, rotation=10, contrast=0.2),
    )
    run = train(recipe, data, Path(sys.argv[1]), quiet=True)
    np.savez(Path(sys.argv[1]) / "result.npz", *[np.asarray(v.value) for v in run.network.model.variables])
    """
)


def start(directory: Path, epochs: int) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(directory), str(epochs)], env=environment, cwd=ROOT)


@pytest.mark.train
def test_a_killed_run_resumes_to_the_same_weights_and_history(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert start(whole, 40).wait() == 0

    process = start(killed, 40)
    deadline = time.monotonic() + 120
    while not (killed / "checkpoint.npz").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (killed / "result.npz").exists(), "the run ended before it could be killed"
    assert start(killed, 40).wait() == 0

    with np.load(whole / "result.npz") as a, np.load(killed / "result.npz") as b:
        assert a.files == b.files
        for name in a.files:
            np.testing.assert_allclose(a[name], b[name], rtol=1e-4, atol=1e-5)
    columns = [[line.split(",")[:4] for line in (d / "history.csv").read_text().splitlines()] for d in (whole, killed)]
    assert len(columns[0]) == 41
    for one, other in zip(columns[0][1:], columns[1][1:], strict=True):
        np.testing.assert_allclose([float(x) for x in one], [float(x) for x in other], rtol=1e-3)


@pytest.mark.train
def test_a_folder_with_another_recipe_is_refused(tmp_path: Path) -> None:
    from fer_core.training.loop import claim

    claim(tmp_path, get_recipe("mobilenet", "report"))
    claim(tmp_path, get_recipe("mobilenet", "report"))
    with pytest.raises(TrainingError, match="another recipe"):
        claim(tmp_path, get_recipe("mobilenet", "flagship"))


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


def test_unknown_names_are_answered_with_what_there_is() -> None:
    with pytest.raises(TrainingError, match="mobilenet"):
        get_recipe("alexnet", "report")
    with pytest.raises(TrainingError, match="flagship"):
        get_recipe("mobilenet", "magic")
    with pytest.raises(TrainingError, match="loss"):
        Recipe("mobilenet", "x", loss="hinge")


def test_augmentation_that_changes_nothing_is_the_resize_that_serving_does() -> None:
    from fer_core.preprocessing import InputSpec, preprocess

    faces = np.random.default_rng(1).integers(0, 256, (3, 48, 48), dtype=np.uint8)
    spec = InputSpec(height=96, width=96, channels=1, mean=(0.0,), std=(1.0,))
    plain = augment(faces, 96, Augmentation(), np.random.default_rng(0))
    assert np.abs(plain.astype(float) - preprocess(faces, spec)[..., 0]).max() <= 8


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


def test_votes_become_targets_and_an_image_without_votes_keeps_its_label(tmp_path: Path) -> None:
    from fer_core.data.ferplus import row_map
    from fer_core.errors import DatasetMissing
    from fer_core.settings import Settings
    from fer_core.training.command import targets

    name = next(iter(row_map()))
    votes = tmp_path / "votes.csv"
    columns = "neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
    votes.write_text(f"row,{columns}\n{row_map()[name]},1,0,0,0,3,4,0,1,1,0\n")
    names, labels = np.array([name, "train/fear/Training_0.jpg"]), np.array([0, 2])
    recipe = get_recipe("mobilenet", "improved").with_overrides(targets="ferplus")
    soft = targets(recipe, names, labels, Settings(ferplus_csv=votes))
    np.testing.assert_allclose(soft[0], [3 / 8, 4 / 8, 0, 0, 1 / 8, 0, 0])
    np.testing.assert_array_equal(soft[1], [0, 0, 1, 0, 0, 0, 0])
    with pytest.raises(DatasetMissing, match="FERPLUS_CSV"):
        targets(recipe, names, labels, Settings())
