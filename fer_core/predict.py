"""``python -m fer_core predict``: score the faces in photos and in folders of photos."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from fer_core.analysis import PhotoAnalysis, analyse, records_to_csv
from fer_core.classifier import load_classifier
from fer_core.errors import FerError, ImageDecodeError
from fer_core.images import SUPPORTED_EXTENSIONS
from fer_core.registry import load_registry
from fer_core.settings import Settings

MAX_BYTES: Final = 200_000_000
"""Larger files are not read at all: no photo within the limit of pixels comes near."""

NOTE: Final = "Scores are for labels, as the model learnt them from FER2013; they do not say what a person feels."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("photos", metavar="PHOTO", nargs="+", type=Path, help="a picture, or a folder of pictures")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON document")
    form.add_argument("--csv", action="store_true", help="print a table with one line a face")
    parser.add_argument("--model", metavar="ID", help="model to ask (default: the best one)")
    parser.add_argument("--mirror", action="store_true", help="average with the mirrored face: twice the work")


def run(args: argparse.Namespace) -> int:
    """Score and print; return 0, or 1 if a photo could not be scored (its sentence is on stderr).

    Raises
    ------
    FerError
        If there is no photo to score, or no such model.
    """
    settings = Settings.from_environment()
    registry = load_registry(settings.models_dir)
    card = registry.get(args.model) if args.model else registry.default
    photos, skipped = list_photos(args.photos)
    classifier = load_classifier(card)
    entries: list[dict[str, Any]] = []
    for path in photos:
        entry: dict[str, Any] = {"photo": str(path)}
        entries.append(entry)
        try:
            result = analyse(_read(path), classifier, mirror=args.mirror, max_pixels=settings.max_pixels)
        except FerError as error:
            entry["error"] = str(error)
            sys.stderr.write(f"{path}: {error}\n")
        else:
            entry["faces"] = result.to_records()
            if not (args.json or args.csv):
                sys.stdout.write(_as_text(path, result))
    if args.json:
        document = {"model": card.id, "mirror": args.mirror, "photos": entries}
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    elif args.csv:
        rows = [
            {"photo": entry["photo"], "model": card.id, **face} for entry in entries for face in entry.get("faces", ())
        ]
        sys.stdout.write(records_to_csv(rows))
    elif any(entry.get("faces") for entry in entries):
        sys.stdout.write(f"\nModel: {card.id}. {NOTE}\n")
    if skipped:
        sys.stderr.write(f"Passed over in folders, no pictures by their names: {skipped}.\n")
    return 1 if any("error" in entry for entry in entries) else 0


def list_photos(paths: Sequence[Path]) -> tuple[list[Path], int]:
    """Return the files to score, and how many files of folders were passed over.

    A file is taken as it is named. Of a folder, the pictures directly in it are taken, by name; which file is a picture
    is told by its extension, and hidden files do not count.

    Raises
    ------
    FerError
        If nothing is left to score, or a folder cannot be read.
    """
    photos = []
    skipped = 0
    for path in paths:
        if not path.is_dir():
            photos.append(path)
            continue
        try:
            entries = sorted(entry for entry in path.iterdir() if entry.is_file() and not entry.name.startswith("."))
        except OSError as error:
            raise FerError(f"The folder {path} cannot be read ({error.strerror}).") from None
        pictures = [entry for entry in entries if entry.suffix[1:].lower() in SUPPORTED_EXTENSIONS]
        photos += pictures
        skipped += len(entries) - len(pictures)
    if not photos:
        raise FerError(f"There is no picture in {', '.join(map(str, paths))}.")
    return photos, skipped


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ImageDecodeError(f"The file has {size / 1e6:.0f} MB; {MAX_BYTES / 1e6:.0f} MB is the limit.")
        return path.read_bytes()
    except OSError as error:
        raise ImageDecodeError(f"The file cannot be read ({error.strerror}).") from None


def _as_text(path: Path, result: PhotoAnalysis) -> str:
    count = {0: "no face found", 1: "1 face"}.get(len(result.faces), f"{len(result.faces)} faces")
    lines = [f"{path}: {count}"]
    for part in result.faces:
        lines.append(f"{part.number:>4}  " + "  ".join(f"{part.score(name):.2f} {name}" for name in part.ranking))
        lines += [f"      – {caution.sentence}" for caution in part.cautions]
    return "\n".join(lines) + "\n"
