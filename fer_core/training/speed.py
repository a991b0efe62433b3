"""How fast the networks train on this machine: ``python -m fer_core benchmark --training``.

A step is that of the project's own trainer, with its data pipeline, on random faces, so that no data set is needed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from fer_core.architectures import BuildOptions
from fer_core.labels import N_CLASSES
from fer_core.training.loop import PREFETCH, Trainer, TrainingData, build_network, one_hot
from fer_core.training.recipe import RECIPES, Recipe

STEPS: Final = 40
WARM_UP: Final = PREFETCH + 4
"""Steps that are not counted: the first ones trace the graph, and meanwhile the pipeline fills its queue."""

EPOCH: Final = 28_709
"""Images an epoch is counted with: all of Training, as in :data:`GUIDE`."""

TOLERANCE: Final = 1.2
"""A step may take this many times as long as the guide's."""


class Key(NamedTuple):
    """What decides how long a step takes, apart from the machine."""

    architecture: str
    cut: str
    size: int
    precision: str
    batch: int = 64
    output_stride: int = BuildOptions.output_stride


GUIDE: Final = {
    Key("mobilenet", "conv_pw_11_relu", 96, "float32"): 7.0,
    Key("mobilenet", "", 96, "float32"): 7.7,
    Key("mobilenet", "conv_pw_11_relu", 128, "float32"): 12.9,
    Key("inception_v3", "mixed5", 96, "float32"): 11.4,
    Key("inception_v3", "", 96, "float32"): 18.6,
    Key("resnet50", "", 48, "float32"): 12.1,
    Key("resnet50", "", 64, "float32"): 16.6,
    Key("vgg16", "", 48, "float32"): 26.6,
}
"""ms an image: the guide on training that this project started from, table "What trains how fast on two cores" (two
cores with AVX2, TensorFlow 2.21 with oneDNN, batch 64, forward + backward + update)."""


@dataclass(frozen=True)
class Speed:
    """One line of the table.

    Attributes
    ----------
    key
        What was measured.
    runs
        Ids of the runs that have such steps; empty for one that is measured beside the guide's figure only.
    train_ms, pipeline_ms
        ms an image: a step with its pipeline running beside it, and the pipeline by itself.
    """

    key: Key
    runs: tuple[str, ...]
    train_ms: float
    pipeline_ms: float

    @property
    def epoch_minutes(self) -> float:
        """Minutes an epoch of :data:`EPOCH` images takes, without validation."""
        return self.train_ms * EPOCH / 60_000

    @property
    def ratio(self) -> float | None:
        """Time as a multiple of the guide's; None where the guide has none."""
        return self.train_ms / GUIDE[self.key] if self.key in GUIDE else None


def plan(recipes: Sequence[Recipe]) -> dict[Key, tuple[Recipe, tuple[str, ...]]]:
    """Return what to measure for some recipes: one recipe of each kind of step, and the ids of all runs that have it.

    Everything the guide has a figure of, for the networks of these recipes, is measured as the guide measured, too.
    """
    found: dict[Key, tuple[Recipe, tuple[str, ...]]] = {}
    for recipe in recipes:
        for size in sorted({recipe.size_in(epoch) for epoch in range(recipe.epochs)}):
            build = recipe.build
            own = Key(recipe.architecture, build.cut, size, recipe.precision, recipe.batch_size, build.output_stride)
            example, runs = found.get(own, (recipe, ()))
            found[own] = (example, (*runs, recipe.run_id))
    examples = {recipe.architecture: recipe for recipe in recipes}
    for key in GUIDE:
        if key.architecture in examples:
            example = examples[key.architecture].with_overrides(cut=key.cut, output_stride=key.output_stride)
            found.setdefault(key, (example, ()))
    return dict(sorted(found.items()))


def measure(steps: int = STEPS) -> list[Speed]:
    """Measure every kind of step that the recipes of this project have, frozen backbones apart."""
    import keras

    recipes = [recipe for named in RECIPES.values() for recipe in named.values() if recipe.protocol == "finetune"]
    speeds = []
    for key, (recipe, runs) in plan(recipes).items():
        speeds.append(measure_one(key, recipe, runs, steps))
        keras.backend.clear_session()
    return speeds


def measure_one(key: Key, recipe: Recipe, runs: tuple[str, ...], steps: int = STEPS) -> Speed:
    """Measure `steps` steps of a recipe at the size and precision of `key`, from random weights."""
    recipe = recipe.with_overrides(
        precision=key.precision, batch_size=key.batch, backbone_weights="none", initial_weights=""
    )
    count = recipe.batch_size * (WARM_UP + steps)
    rng = np.random.default_rng(recipe.seed)
    faces = rng.integers(0, 256, (count, 48, 48), np.uint8)
    labels = rng.integers(0, N_CLASSES, count)
    data = TrainingData(faces, one_hot(labels), labels, faces[:0], one_hot(labels[:0]), labels[:0])
    trainer = Trainer(build_network(recipe, key.size), recipe, data)
    begin = 0.0
    for done, batch in enumerate(trainer.batches(0)):
        if done == WARM_UP:
            begin = time.perf_counter()
        float(trainer.step(batch, done))
    train = time.perf_counter() - begin
    begin = time.perf_counter()
    for _ in trainer.batches(0):
        pass
    pipeline = time.perf_counter() - begin
    return Speed(key, runs, train * 1000 / (steps * recipe.batch_size), pipeline * 1000 / count)


def table(speeds: Sequence[Speed]) -> list[str]:
    """Return the lines of a Markdown table of what was measured, beside the guide's figures."""
    lines = [
        "| network | input | precision | batch | train ms/img | pipeline alone ms/img | minutes an epoch "
        "| guide ms/img | ratio | runs |",
        "|---|---|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    for speed in speeds:
        key, ratio = speed.key, speed.ratio
        network = f"{key.architecture} to `{key.cut}`" if key.cut else key.architecture
        if key.output_stride != BuildOptions.output_stride:
            network += f", output stride {key.output_stride}"
        guide = "" if ratio is None else f"{GUIDE[key]:.1f}"
        shown = "" if ratio is None else f"{ratio:.2f}{' (slower)' if ratio > TOLERANCE else ''}"
        lines.append(
            f"| {network} | {key.size} | {key.precision.removeprefix('mixed_')} | {key.batch} | {speed.train_ms:.1f} "
            f"| {speed.pipeline_ms:.2f} | {speed.epoch_minutes:.1f} | {guide} | {shown} "
            f"| {', '.join(speed.runs) or 'none: for comparison'} |"
        )
    return lines
