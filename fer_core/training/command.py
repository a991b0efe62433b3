"""``python -m fer_core train NETWORK --recipe NAME``: train, then write the model folder."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fer_core.architectures import TABLE
from fer_core.settings import ROOT, Settings
from fer_core.training.recipe import get_recipe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("network", help=f"one of {', '.join(sorted(TABLE))}")
    parser.add_argument("--recipe", default="improved", help="recipe of the network (default: improved)")
    parser.add_argument("--data", type=Path, help="FER2013: folder, zip or csv (default: FER_DATA_DIR)")
    parser.add_argument(
        "--backbone-weights", metavar="imagenet|PATH|none", help="weights to start from (default: the recipe's)"
    )
    parser.add_argument(
        "--initial-weights",
        metavar="PATH",
        help="weights of a whole network to go on from (default: the recipe's)",
    )
    parser.add_argument("--epochs", type=int, help="train for this many epochs instead of the recipe's")
    parser.add_argument("--seed", type=int, help="seed of everything random")
    parser.add_argument("--run", type=Path, help="folder of checkpoints (default: runs/<id>); a run there is resumed")
    parser.add_argument("--models", type=Path, help="folder that receives the model (default: FER_MODELS_DIR)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(args: argparse.Namespace) -> int:
    """Train and export; return the exit code."""
    from fer_core.data import fer2013, splits
    from fer_core.training.average import average
    from fer_core.training.export import export
    from fer_core.training.frozen import train_frozen
    from fer_core.training.loop import train
    from fer_core.training.targets import training_data
    from fer_core.training.words import words_for

    recipe = get_recipe(args.network.replace("-", "_"), args.recipe)
    changes = {name: getattr(args, name) for name in ("backbone_weights", "initial_weights", "seed")}
    recipe = recipe.with_overrides(**{k: v for k, v in changes.items() if v is not None})
    if args.epochs is not None:
        recipe = recipe.lasting(args.epochs)
    words = words_for(recipe)  # before hours of training, not after
    settings = Settings.from_environment()
    dataset = fer2013.open_dataset(args.data, settings=settings)
    split = splits.assign(dataset)
    directory = args.run or ROOT / "runs" / recipe.run_id
    data = training_data(recipe, dataset, split, settings, directory.parent)
    history: Path | None = directory / "history.csv"
    if recipe.protocol == "averaged":
        result, history = average(recipe, settings.models_dir), None
    else:
        trainer = train_frozen if recipe.protocol == "frozen" else train
        result = trainer(recipe, data, directory, quiet=args.quiet)
    target = (args.models or settings.models_dir) / recipe.run_id
    card = export(result, dataset, split, data.val_targets, target, history, words)
    accuracy = card.metrics["val"]["accuracy"]
    sys.stdout.write(f"{card.id}: validation accuracy {accuracy:.4f}, written to {target.name}\n")
    return 0
