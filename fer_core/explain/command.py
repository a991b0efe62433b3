"""``python -m fer_core explain``: heat maps of a photo, and what the page Saliency shows of a model."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fer_core.errors import FerError
from fer_core.labels import EMOTIONS
from fer_core.registry import (
    ATLAS_FILE,
    HEAD_FILE,
    LEDGER_FILE,
    PREDICTIONS_FILE,
    ModelCard,
    Registry,
    load_registry,
    write_card,
)
from fer_core.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fer_core.data.catalogue import Catalogue

SIDE: Final = 384
"""Side of a written picture, px."""
LANDMARKS_FILE: Final = "landmarks-test-1.npz"
"""In the cache folder; the number changes when :func:`fer_core.explain.regions.landmarks` does."""
ALIGNED_FACES: Final = 400
"""Validation faces on which an offset is measured."""
CONTROL_FACES: Final = 64
"""Faces on which the control with the whole network drawn anew is measured."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parsers = parser.add_subparsers(dest="what", required=True)
    photo = parsers.add_parser("photo", help="heat map and verdict for every face of a photo")
    photo.add_argument("photo", type=Path)
    photo.add_argument("--model", help="id of a model (default: the best)")
    photo.add_argument("--label", choices=EMOTIONS, help="class to explain (default: the one with the highest score)")
    photo.add_argument("--against", choices=EMOTIONS, help="explain why the class rather than this one")
    photo.add_argument("--output", type=Path, help="folder that receives one picture a face")
    for name, text in (
        ("atlas", "mean faces and heat maps of every cell of the confusion matrix, into the model's folder"),
        ("ledger", "why images are not answered with their label, into the model's folder"),
        ("align", "how far from its cells lies what the last maps show, into the model's head.npz; before an atlas"),
    ):
        part = parsers.add_parser(name, help=text)
        part.add_argument("model", nargs="*", help="ids of models (default: all that can answer)")
        part.add_argument("--data", type=Path, help="FER2013: folder, zip or csv (default: FER_DATA_DIR)")
    for part in parsers.choices.values():
        part.add_argument("--models", type=Path, help="folder of models (default: FER_MODELS_DIR)")


def run(args: argparse.Namespace) -> int:
    """Explain; return the exit code."""
    settings = Settings.from_environment()
    registry = load_registry(args.models or settings.models_dir)
    if args.what == "photo":
        return explain_photo(args, registry, settings)
    write, needed = {
        "align": (write_offset_of, HEAD_FILE),
        "atlas": (write_atlas_of, PREDICTIONS_FILE),
        "ledger": (write_ledger_of, PREDICTIONS_FILE),
    }[args.what]
    cards = [registry.get(model_id) for model_id in args.model] or [
        card for card in registry.cards if card.can_answer and needed in card.files
    ]
    material = _Images(args.data, settings)
    for card in cards:
        write(card, material)
    return 0


def explain_photo(args: argparse.Namespace, registry: Registry, settings: Settings) -> int:
    """Print what each face's scores rest on, and write pictures if asked to."""
    from fer_core import analysis, figures_explain, images
    from fer_core.classifier import open_classifier
    from fer_core.explain import cam, faithfulness, regions
    from fer_core.explain.heatmap import direction

    card = registry.get(args.model) if args.model else registry.default
    explainer = cam.explainer(open_classifier(card))
    try:
        data = args.photo.read_bytes()
    except OSError as error:
        raise FerError(f"{args.photo} cannot be read ({error.strerror}).") from error
    found = analysis.analyse(data, explainer.classifier, max_pixels=settings.max_pixels)
    if not found.faces:
        sys.stdout.write("No face was found in this picture.\n")
        return 1
    for part in found.faces:
        label = args.label or part.label
        if args.against == label:
            raise FerError(f"Face {part.number} is asked about {label} against {label}. Choose another class.")
        wanted = direction(label, args.against)
        looked = explainer.look(part.crop[None])
        heat = explainer.heat_map(looked.maps[0], wanted, signed=args.against is not None)
        measured, _ = faithfulness.evidence(explainer, part.crop, looked.maps[0], wanted, heat)
        verdict = faithfulness.verdict(measured)
        shares = regions.shares(heat.resized(48), regions.masks(regions.landmarks(part.crop)))
        question = f"{label} rather than {args.against}" if args.against else label
        sys.stdout.write(
            f"Face {part.number}: {part.score(label):.2f} for {label}. Map for {question}: {verdict.level}.\n"
        )
        sys.stdout.write("".join(f"  {reason}\n" for reason in verdict.reasons))
        if heat.values.max() > 0:  # not dead, nor all against
            parts = ", ".join(
                f"{name} {share.share:.0%} (of the area {share.area:.0%})" for name, share in shares.items()
            )
            sys.stdout.write(f"  On {parts}.\n")
        if args.output:
            args.output.mkdir(parents=True, exist_ok=True)
            picture = figures_explain.overlay(part.crop, heat, side=SIDE)
            (args.output / f"face-{part.number}.png").write_bytes(images.encode_png(picture))
    return 0


class _Images:
    """FER2013 in the order of the catalogue, opened once for all models; landmarks found once."""

    def __init__(self, data: Path | None, settings: Settings) -> None:
        import numpy as np

        from fer_core.data import catalogue
        from fer_core.data.fer2013 import open_dataset

        self.catalogue: Catalogue = catalogue.load()
        dataset = open_dataset(data, settings=settings)
        rows = self.catalogue.rows_in(dataset)
        if (rows < 0).any():
            raise FerError(
                f"{int((rows < 0).sum())} images are missing from this copy of FER2013. Use the Kaggle folder or zip."
            )
        self.faces: NDArray[np.uint8] = np.asarray(dataset.images[rows])
        self.test = np.flatnonzero(np.isin(self.catalogue.split, ("public", "private")))
        self.train = np.flatnonzero(self.catalogue.split == "train")
        self.settings = settings
        self._points: list[NDArray[np.float64] | None] = []

    def points(self) -> list[NDArray[np.float64] | None]:
        """Return the landmarks of the test images; kept in the cache folder, since finding them takes minutes."""
        import numpy as np

        from fer_core.arrays import write_arrays
        from fer_core.explain.regions import landmarks

        if self._points:
            return self._points
        kept = self.settings.cache_dir / LANDMARKS_FILE
        if kept.is_file():
            with np.load(kept) as stored:
                found = stored["points"]
        else:
            say(f"looking for eyes, nose and mouth in {len(self.test)} images")
            nowhere = np.full((5, 2), np.nan)
            points = [landmarks(face) for face in self.faces[self.test]]
            found = np.array([nowhere if each is None else each for each in points])
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_arrays(kept, {"points": found})
        self._points = [None if np.isnan(each).any() else each for each in found]
        say(f"found in {sum(each is not None for each in self._points)}; the template serves for the others")
        return self._points

    def of(self, names: NDArray[np.str_]) -> NDArray[np.uint8]:
        """Return the faces of these names, (N, 48, 48) uint8."""
        return self.faces[self.catalogue.index_of(names)]


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def spread(faces: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """Return at most so many of some faces, evenly from first to last."""
    return faces[:: max(1, len(faces) // count)][:count]


def write_offset_of(card: ModelCard, material: _Images) -> None:
    """Measure how far from its cells lies what a model's maps show, on validation faces, and note it in its head."""
    import numpy as np

    from fer_core.classifier import open_classifier
    from fer_core.explain import alignment, cam
    from fer_core.explain.head import write_head

    explainer = cam.explainer(open_classifier(card))
    faces = material.faces[np.flatnonzero(material.catalogue.split == "val")]
    found = alignment.measure(explainer, spread(faces, ALIGNED_FACES))
    if found.offset != explainer.head.offset:
        write_head(replace(explainer.head, offset=found.offset), card.path(HEAD_FILE))
        write_card(card)
    say(
        f"{card.id}: offset {found.offset:.2f} of the face; maps of mirrored faces agree by {found.before:.2f} without "
        f"it, {found.after:.2f} with it"
    )


def write_atlas_of(card: ModelCard, material: _Images) -> None:
    """Make the atlas of a model and write it into its folder."""
    import numpy as np

    from fer_core.classifier import open_classifier
    from fer_core.evaluation import predictions
    from fer_core.explain import atlas, cam

    explainer = cam.explainer(open_classifier(card))
    stored = predictions.read(card.path(PREDICTIONS_FILE)).select("all")
    order = np.argsort(stored.names)
    stored = stored.take(order)
    if not np.array_equal(stored.names, material.catalogue.names[material.test]):
        raise FerError(f"The stored predictions of “{card.id}” are not of the test images of FER2013.")
    faces = material.faces[material.test]
    say(f"{card.id}: comparing with a network whose weights are drawn anew")
    made = atlas.build(
        explainer,
        atlas.Material(
            faces=faces,
            labels=stored.labels,
            answers=stored.predicted,
            points=material.points(),
            train_faces=material.faces[material.train],
            train_labels=material.catalogue.labels[material.train],
            train_place=material.train,
        ),
        control=network_control(card, explainer, spread(faces, CONTROL_FACES)),
        say=say,
    )
    atlas.write_atlas(made, card.directory / ATLAS_FILE)
    write_card(card)
    say(f"{card.id}: {ATLAS_FILE} written")


def network_control(card: ModelCard, explainer: Any, faces: NDArray[np.uint8]) -> tuple[float, int]:
    """Return how alike Grad-CAMs are to those of the network with all weights drawn anew, and of how many faces.

    The mean absolute correlation of each face's map for the model's answer. Needs TensorFlow.
    """
    import numpy as np

    from fer_core.architectures import from_card
    from fer_core.explain import keras_vis
    from fer_core.explain.cam import weigh
    from fer_core.explain.faithfulness import SEED, likeness
    from fer_core.explain.head import Head
    from fer_core.explain.heatmap import DEAD
    from fer_core.labels import N_CLASSES
    from fer_core.preprocessing import preprocess

    network = from_card(card)
    twin = keras_vis.random_twin(network.model, SEED)
    maps = keras_vis.feature_maps(twin, preprocess(faces, card.input), network.maps_layer)
    dense = [layer.get_weights() for layer in twin.layers if type(layer).__name__ == "Dense"]
    head = Head(tuple(kernel for kernel, _ in dense), tuple(bias for _, bias in dense))
    looked = explainer.look(faces)
    wanted = np.eye(N_CLASSES, dtype=np.float32)[looked.proba.argmax(axis=1)]
    own, other = weigh(looked.maps, explainer.head, wanted), weigh(maps, head, wanted, rectify=False)
    alike = [likeness(a, b) for a, b in zip(own, other, strict=True) if a.max() > DEAD]
    return float(np.mean(alike)), len(alike)


def write_ledger_of(card: ModelCard, material: _Images) -> None:
    """Make the ledgers of a model, one a class, and write them into its folder."""
    import numpy as np

    from fer_core.classifier import open_classifier
    from fer_core.data import tables
    from fer_core.data.ferplus import open_votes
    from fer_core.errors import DatasetMissing
    from fer_core.evaluation import predictions
    from fer_core.explain import ledger

    classifier = open_classifier(card)
    card.verify(PREDICTIONS_FILE)
    stored = predictions.read(card.path(PREDICTIONS_FILE))
    test, validation = stored.select("all"), stored.select("val")
    try:
        votes = open_votes(settings=material.settings)
    except DatasetMissing as error:
        say(f"{card.id}: without votes. {error}")
        votes = None
    ledgers = []
    for klass in range(len(EMOTIONS)):
        images = ledger.class_images(test, klass)
        made = ledger.variants(material.of(images))
        held_out = ledger.probe_images(test, validation, klass)
        inputs = ledger.Inputs(
            test,
            validation,
            tables.leaked(),
            votes,
            ledger.Rescored(tuple(made), images, np.stack([classifier.predict_proba(f) for f in made.values()])),
            ledger.Embedded(held_out, classifier.embedding(material.of(held_out))),
            {row["image"]: row["group"] for row in tables.rows("repeated")},
        )
        ledgers.append(ledger.ledger(inputs, klass))
        say(f"{card.id}: {ledgers[-1].summary} {ledgers[-1].remainder}")
    ledger.write(card.directory / LEDGER_FILE, ledgers, card.files[PREDICTIONS_FILE]["sha256"])
    write_card(card)
