"""One network from several that were trained on from the same weights: a mean of their weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fer_core.registry import WEIGHTS_FILE
from fer_core.training.loop import Run, build_network
from fer_core.training.recipe import Recipe


def average(recipe: Recipe, models_dir: Path) -> Run:
    """Return a network whose every weight is a mean of its members', biases and running statistics included.

    Networks that went on from one start lie in one valley of the loss, and what is between them is often better than
    either; it costs nothing when it is used ("model soups", Wortsman et al. 2022, arXiv:2203.05482). A member that
    helps rare classes by its last bias brings its share of that along; a recipe that is `adjusted` itself adds to it.

    Parameters
    ----------
    recipe
        Of protocol ``averaged``, with its `members` and their `shares`.
    models_dir
        Folder of model folders.

    Raises
    ------
    TrainingError
        If the weights of a member are missing, or are those of another network.
    """
    members = [
        build_network(replace(recipe, initial_weights=str(models_dir / name / WEIGHTS_FILE)), recipe.build.size)
        for name in recipe.members
    ]
    network = members[0]
    for variables in zip(*(member.model.weights for member in members), strict=True):
        variables[0].assign(
            sum(share * variable.value for share, variable in zip(recipe.shares, variables, strict=True))
        )
    return Run(network, recipe, [], -1)
