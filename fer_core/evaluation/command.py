"""``python -m fer_core evaluate``: recompute every card and the README's table from the stored predictions."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from fer_core.errors import FerError
from fer_core.evaluation.bootstrap import OVERALL, PER_CLASS
from fer_core.labels import EMOTIONS, display_name
from fer_core.leaderboard import PARTS
from fer_core.registry import (
    MIRROR_FILE,
    PREDICTIONS_FILE,
    README_FILE,
    WEIGHTS_FILE,
    ModelCard,
    load_registry,
    write_card,
)
from fer_core.settings import ROOT, Settings
from fer_core.wording import PART_NAMES, sentence_case

if TYPE_CHECKING:
    from fer_core.evaluation.predictions import Predictions, Selection

_START, _END = "<!-- models: made by python -m fer_core evaluate -->", "<!-- end of models -->"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--models", type=Path, help="folder of models (default: FER_MODELS_DIR)")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail if a figure is not the recomputed one"
    )


def run(args: argparse.Namespace) -> int:
    """Recompute; return 0, or 1 if `--check` found a difference."""
    from fer_core.evaluation import compare, predictions

    settings = Settings.from_environment()
    registry = load_registry(args.models or settings.models_dir)
    for _, sentence in registry.problems:
        sys.stderr.write(sentence + "\n")
    different = [folder for folder, _ in registry.problems]
    cards = []
    mirrored: dict[str, Predictions] = {}
    for card in registry.cards:
        if PREDICTIONS_FILE not in card.files:
            sys.stderr.write(f"{card.id} has no stored predictions: its card stays as it is.\n")
            continue
        stored = predictions.read(card.path(PREDICTIONS_FILE))
        metrics = card_metrics(stored) | _ferplus(card, stored, settings.ferplus_csv)
        if MIRROR_FILE in card.files:
            mirrored[card.id] = compare.with_mirror(stored, predictions.read(card.path(MIRROR_FILE)))
            metrics["private_mirror"] = part_figures(mirrored[card.id], "private")
        fresh = replace(card, metrics=metrics)
        cards.append(fresh)
        readme = card.directory / README_FILE
        if args.check:
            if fresh.to_json() != card.to_json() or not readme.is_file() or readme.read_text() != card_text(fresh):
                different.append(card.id)
        else:
            write_card(fresh)
            readme.write_text(card_text(fresh))
            sys.stdout.write(f"{card.id}: {fresh.metrics['private']['accuracy']:.4f} on PrivateTest\n")
    page = ROOT / "README.md"
    if args.models is None and settings.models_dir == Settings.models_dir and page.is_file():
        text = page.read_text()
        wanted = with_table(text, cards, mirrored)
        if args.check and wanted != text:
            different.append("README.md")
        elif not args.check:
            page.write_text(wanted)
    if different:
        sys.stderr.write(
            f"Not as the stored predictions say: {', '.join(different)}. Run python -m fer_core evaluate.\n"
        )
    return 1 if different else 0


def card_metrics(stored: Predictions) -> dict[str, Any]:
    """Return the ``metrics`` of a card: the figures of these predictions on all :data:`PARTS`.

    Parameters
    ----------
    stored : Predictions
        Validation and test predictions of one model.

    Returns
    -------
    dict
        Part -> its figures, as :func:`fer_core.evaluation.metrics.summarise` returns them.
    """
    return {part: part_figures(stored, part) for part in PARTS}


def part_figures(stored: Predictions, part: str) -> dict[str, Any]:
    """Return the figures of these predictions on one of :data:`PARTS`, as they stand in a card."""
    from fer_core.data.tables import leaked
    from fer_core.evaluation import metrics

    rows = stored.select(cast("Selection", part), leaked=leaked())
    return metrics.summarise(rows.labels, rows.proba)


def _ferplus(card: ModelCard, stored: Any, votes_file: Path | None) -> dict[str, Any]:
    """Return the agreement with FER+ on PrivateTest; the card's own figures where the votes are not at hand."""
    from fer_core.data.ferplus import read_votes
    from fer_core.evaluation import agreement

    if votes_file is None:
        if "ferplus" not in card.metrics:
            return {}
        sys.stderr.write(f"{card.id}: its agreement with FER+ is not recomputed, for FERPLUS_CSV is not set.\n")
        return {"ferplus": card.metrics["ferplus"]}
    return {"ferplus": agreement.summarise(stored.select("private"), read_votes(votes_file))}


def table(cards: list[ModelCard]) -> str:
    """Return the models as a Markdown table, best on validation first."""
    lines = [
        "| model | parameters | accuracy, all 7,178 | accuracy, PrivateTest | without leaks | macro-F1 | "
        "disgust recall | ECE | voters agree |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for card in cards:
        private, clean = card.metrics["private"], card.metrics["private_clean"]
        low, high = private["intervals"]["accuracy"]
        voters = card.metrics.get("ferplus", {}).get("model", {}).get("value")
        lines.append(
            f"| [{card.name}](models/{card.id}/README.md) | {card.parameters / 1e6:.1f} M "
            f"| {card.metrics['all']['accuracy']:.1%} | {private['accuracy']:.1%} ({low:.1%} to {high:.1%}) "
            f"| {clean['accuracy']:.1%} | {private['macro_f1']:.3f} "
            f"| {private['per_class']['disgust']['recall']:.2f} | {private['ece']:.3f} "
            f"| {'' if voters is None else f'{voters:.1%}'} |"
        )
    return "\n".join(lines)


def mixed(cards: Sequence[ModelCard], mirrored: Mapping[str, Predictions]) -> str:
    """Return in a sentence what the best model reaches with the mirror image, and an ensemble; empty without either.

    Parameters
    ----------
    cards : sequence of ModelCard
        Best on validation first.
    mirrored : mapping
        Model id -> the mean of its scores for faces and their mirror images.
    """
    from fer_core import leaderboard
    from fer_core.data.tables import leaked

    def predictions_of(card: ModelCard, part: Any) -> Predictions:
        return mirrored[card.id].select(part, leaked=leaked())

    times, rows = leaderboard.read_latency(), []
    if cards and cards[0].id in mirrored:
        rows.append(leaderboard.mirror_row(cards[0], "private", lambda: predictions_of(cards[0], "private"), times))
    members = [card for card in cards if card.id in mirrored and leaderboard.may_be_mixed(card)]
    ensemble = leaderboard.find_ensemble(members, predictions_of, times)
    if ensemble is not None:
        of_part = leaderboard.mixed(ensemble, "private", predictions_of)
        rows.append(leaderboard.ensemble_row(ensemble, "private", of_part, times))
    return " ".join(
        f"**{row.name}**: {row.accuracy:.1%} of PrivateTest ({row.low:.1%} to {row.high:.1%}), macro-F1 "
        f"{row.macro_f1:.3f}, disgust recall {row.disgust_recall:.2f}, ECE {row.ece:.3f}"
        + ("" if row.milliseconds is None else f", {row.milliseconds:.1f} ms a face")
        + f". {row.remark}"
        for row in rows
    )


def _voters(cards: Sequence[ModelCard]) -> str:
    """Return what the column *voters agree* means, with the share for the labels themselves; empty without votes."""
    votes = next((card.metrics["ferplus"] for card in cards if "ferplus" in card.metrics), None)
    if votes is None:
        return ""
    return (
        f"*Voters agree*: on how many of {votes['n']:,} PrivateTest images the majority of ten people (FER+) says what "
        f"the model says; what the label says they say on {votes['fer2013_labels']['value']:.1%}."
    )


def with_table(text: str, cards: list[ModelCard], mirrored: Mapping[str, Predictions]) -> str:
    """Return a page with the table of models, and what mirror images add, put between its two marks.

    Raises
    ------
    FerError
        If the marks are missing.
    """
    if _START not in text or _END not in text:
        raise FerError(f"README.md lacks the marks {_START} and {_END}; put them where the table belongs.")
    before, rest = text.split(_START, 1)
    made = "\n\n".join(part for part in (table(cards), _voters(cards), mixed(cards, mirrored)) if part)
    return f"{before}{_START}\n{made}\n{_END}{rest.split(_END, 1)[1]}"


_ADJUSTED: Final = (
    "- Logit adjustment tau {tau:.1f}, chosen on validation and part of the last bias: rare classes are answered more "
    "often than the loss alone would have it."
)


def card_text(card: ModelCard) -> str:
    """Return the README of a model folder, every figure from the card."""
    lines = [
        f"# {card.name}",
        "",
        card.summary,
        "",
        f"- Architecture `{card.architecture}`, {card.parameters:,} parameters; input {card.input.height}x"
        f"{card.input.width}, {card.input.channels} channel{'s' if card.input.channels > 1 else ''}.",
        *_course(card),
        f"- Temperature {card.temperature:.3f}, fitted on validation.",
        *(() if "tau" not in card.training else (_ADJUSTED.format(tau=card.training["tau"]),)),
        f"- Licence of the weights: {card.license}. {card.notice}",
        *(() if WEIGHTS_FILE in card.files else ("- Only its predictions are kept, not its weights.",)),
        "",
        "## Figures",
        "",
        "Recomputed from `predictions.parquet` by `python -m fer_core evaluate`; in brackets 95 % bootstrap intervals.",
        "",
        "| | " + " | ".join(sentence_case(PART_NAMES[part]) for part in PARTS) + " |",
        "|---|" + "---|" * len(PARTS),
    ]
    lines.append("| images | " + " | ".join(f"{card.metrics[part]['n']:,}" for part in PARTS) + " |")
    for name in OVERALL:
        cells = []
        for part in PARTS:
            low, high = card.metrics[part]["intervals"][name]
            cells.append(f"{card.metrics[part][name]:.4f} ({low:.4f} to {high:.4f})")
        lines.append(f"| {name.replace('_', ' ')} | " + " | ".join(cells) + " |")
    lines += [
        "",
        "The interval of the ECE lies high: drawing images anew adds noise to every bin, and an ECE near zero can lie "
        "below it.",
        "",
        "PrivateTest, class by class:",
        "",
        "| class | precision | recall | F1 | images |",
        "|---|---|---|---|---|",
    ]
    for emotion in EMOTIONS:
        scores = card.metrics["private"]["per_class"][emotion]
        shown = " | ".join(_figure(scores[name]) for name in PER_CLASS)
        lines.append(f"| {display_name(emotion)} | {shown} | {scores['support']} |")
    if "private_mirror" in card.metrics:
        lines += ["", _with_mirror(card.metrics["private_mirror"])]
    if "ferplus" in card.metrics:
        votes = card.metrics["ferplus"]
        low, high = (votes["model"].get(bound) for bound in ("low", "high"))
        around = "" if low is None or high is None else f" ({low:.1%} to {high:.1%})"
        lines += [
            "",
            f"Against the FER+ votes of {votes['n']:,} PrivateTest images: the majority agrees with the model on "
            f"{votes['model']['value']:.1%}{around} and with the FER2013 label on "
            f"{votes['fer2013_labels']['value']:.1%}; KL divergence from the votes {votes['kl']['value']:.3f} nats.",
        ]
    lines += [
        "",
        "## Use and limits",
        "",
        "For teaching and demonstration. A score says how well a picture fits a label of FER2013, not what somebody "
        "feels. Inferring emotions of people at work or in education is prohibited in the EU (AI Act, art. 5(1)(f)). "
        "FER2013 was collected by web search and its labels are disputed; expect worse on other pictures.",
        "",
    ]
    return "\n".join(lines)


def _course(card: ModelCard) -> list[str]:
    """Return the line on how a model came about; none if it was trained by another program."""
    from fer_core.ablation import recipe_of

    recipe, training = recipe_of(card), card.training
    if recipe is None:
        return []
    if recipe.members:
        parts = [f"{share:g} of `{name}`" for share, name in zip(recipe.shares, recipe.members, strict=True)]
        course = f"nothing is trained; a mean of weights, {', '.join(parts)}"
    else:
        kept = (
            f"kept epoch {training['kept_epoch']} of {training['epochs_run']}; "
            if {"kept_epoch", "epochs_run"} <= training.keys()
            else ""
        )
        course = kept + (
            f"goes on from the weights `{recipe.initial_weights}`"
            if recipe.initial_weights
            else f"backbone weights `{recipe.build.backbone_weights}`"
        )
    return [f"- Recipe `{recipe.name}` ({recipe.protocol}), seed {recipe.seed}: {course}."]


def _with_mirror(figures: Mapping[str, Any]) -> str:
    low, high = figures["intervals"]["accuracy"]
    return (
        f"With the mean of the scores for the face and for its mirror image, on PrivateTest: accuracy "
        f"{figures['accuracy']:.4f} ({low:.4f} to {high:.4f}), macro F1 {figures['macro_f1']:.4f}, disgust recall "
        f"{_figure(figures['per_class']['disgust']['recall'])}, ECE {figures['ece']:.4f}."
    )


def _figure(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"
