"""``python -m fer_core data``: check the copy of FER2013, download it, and write the committed tables anew."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from fer_core.errors import FerError
from fer_core.settings import Settings

ACTIONS = {
    "check": "say what was found in the copy of FER2013",
    "download": "get FER2013 from Kaggle, or go on with a download that was broken off",
    "tables": "write the committed tables and statistics anew",
    "framing": "measure how FER2013 frames a face",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "\n".join(["actions:", *(f"  {name:<9} {what}" for name, what in ACTIONS.items())])
    parser.add_argument("action", choices=ACTIONS)
    parser.add_argument("--data", type=Path, help="folder, zip or csv of FER2013 (default: FER_DATA_DIR)")
    parser.add_argument(
        "--model", help="tables: the model that is asked for doubtful labels and the map (default: the best)"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=("images", "people", "suspects", "map"),
        default=("images", "people", "suspects", "map"),
        help="tables: write these only",
    )
    parser.add_argument("--to", type=Path, help="tables: folder to write to (default: the package's)")


def run(args: argparse.Namespace) -> int:
    """Do one action; return 0, or 1 if the copy is not the complete set."""
    settings = Settings.from_environment()
    if args.action == "check":
        return _check(args.data, settings)
    if args.action == "download":
        return _download(settings)
    if args.action == "tables":
        return _tables(args, settings)
    if find_spec("fer_core.framing") is None:
        raise FerError("This version has no measurement of the framing.")
    return int(import_module("fer_core.framing").run(args))


def _check(source: Path | None, settings: Settings) -> int:
    from fer_core.data import download
    from fer_core.data.catalogue import SPLIT_NAMES
    from fer_core.data.fer2013 import open_dataset
    from fer_core.data.splits import assign
    from fer_core.labels import EMOTIONS

    dataset = open_dataset(source, settings=settings, progress=_percent("reading"))
    split = assign(dataset)
    sys.stdout.write(f"{'':12}" + "".join(f"{emotion:>10}" for emotion in EMOTIONS) + f"{'total':>10}\n")
    for key, name in SPLIT_NAMES.items():
        counts = [int(((split == key) & (dataset.labels == k)).sum()) for k in range(len(EMOTIONS))]
        sys.stdout.write(f"{name:12}" + "".join(f"{count:>10,}" for count in [*counts, sum(counts)]) + "\n")
    found = download.check(dataset)
    for what, count in found.problems.items():
        sys.stdout.write(f"{what}: {count}\n")
    sys.stdout.write(f"sha256 of the image set: {found.digest}\n")
    if found.complete:
        sys.stdout.write("This is the complete FER2013 of the Kaggle archive.\n")
        return 0
    sys.stdout.write(
        f"This is not exactly the {35_887:,} images of the Kaggle archive {download.HANDLE} "
        "(a copy from fer2013.csv never is: it has no file names). It can be used.\n"
    )
    return 1


def _download(settings: Settings) -> int:
    from fer_core.data.download import download

    folder = download(settings)  # kagglehub draws its own progress bar
    sys.stdout.write(f"FER2013 is in {folder} and complete. It is found there without any setting.\n")
    return 0


def _tables(args: argparse.Namespace, settings: Settings) -> int:
    from fer_core.data import build, catalogue, ferplus, tables
    from fer_core.data.fer2013 import open_dataset
    from fer_core.evaluation import predictions
    from fer_core.registry import PREDICTIONS_FILE, load_registry

    folder = args.to or tables.FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    if "images" in args.only:
        build.from_images(open_dataset(args.data, settings=settings, progress=_percent("reading")), folder, _say)
        tables.forget()
        catalogue.load.cache_clear()
    votes = ferplus.open_votes(settings=settings) if settings.ferplus_csv else None
    if "people" in args.only:
        if votes is None:
            _say("people.json is left as it is: FERPLUS_CSV is not set")
        else:
            build.from_votes(catalogue.load(), votes, folder, _say)
    if {"suspects", "map"} & set(args.only):
        registry = load_registry(settings.models_dir)
        card = registry.get(args.model) if args.model else registry.default
        if "suspects" in args.only:
            build.from_predictions(card, predictions.read(card.path(PREDICTIONS_FILE)), votes, folder, _say)
        if "map" in args.only:
            build.from_features(card, open_dataset(args.data, settings=settings), folder, _say)
    tables.forget()
    _say(f"written to {folder}")
    return 0


def _say(sentence: str) -> None:
    sys.stderr.write(sentence + "\n")


def _percent(what: str):  # type: ignore[no-untyped-def]
    """Return a progress function that writes one line, over and over, where somebody watches."""
    shown = -1

    def progress(done: int, total: int) -> None:
        nonlocal shown
        percent = 100 * done // max(total, 1)
        if percent != shown and sys.stderr.isatty():
            shown = percent
            sys.stderr.write(f"\r{what}: {percent} %" + ("\n" if done >= total else ""))
            sys.stderr.flush()

    return progress
