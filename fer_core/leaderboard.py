"""The table of models: what was trained here beside what others claim, publish or reach, never mixed up.

Every row says what kind of figure it holds and which images it is of. Figures of models trained here come from their
cards, those of everybody else from :mod:`fer_core.evaluation.report_deck`; times come from what
``python -m fer_core benchmark`` measured. What is not known is ``None``.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np

from fer_core.errors import FerError
from fer_core.evaluation import metrics, report_deck
from fer_core.labels import EMOTIONS
from fer_core.registry import HISTORY_FILE, MIRROR_FILE, SERVED, ModelCard
from fer_core.settings import ROOT
from fer_core.wording import PART_NAMES, percent, sentence_case

if TYPE_CHECKING:
    from fer_core.evaluation.predictions import Predictions

Kind = Literal["trained", "rebuilt", "claim", "measured", "published", "people"]
KINDS: Final[tuple[str, ...]] = get_args(Kind)

KIND_NAMES: Final = {
    "trained": "Trained here",
    "rebuilt": "Report rebuilt here",
    "claim": "Report’s claim",
    "measured": "Others, measured",
    "published": "Others, published",
    "people": "People",
}
KIND_MEANINGS: Final = {
    "trained": "trained in this project by a recipe of its own; figures recomputed from stored predictions",
    "rebuilt": "trained in this project by the protocol of the report; figures recomputed from stored predictions",
    "claim": "printed in the report, not recomputable, and contradicted where the remark says so",
    "measured": "somebody else’s package, run on the same images outside this project; further ones stayed below "
    f"{percent(report_deck.OTHER_PEERS_BELOW, 0)}",
    "published": "what authors write about their own network; not checked here",
    "people": "how well people agree with the labels of FER2013",
}

PARTS: Final = ("private", "all", "private_clean", "val")
"""Parts of the data that cards hold figures for, the one of the literature first."""

ENSEMBLE_LEAST: Final = 0.05
"""Smallest weight with which a model is kept in an ensemble."""

ENSEMBLE_MILLISECONDS: Final = 25.0
"""Most time a face may take an ensemble: all members, each with the mirror image too."""

LATENCY_FILE: Final = ROOT / "docs" / "latency.json"
"""Measured times of all models: what ``python -m fer_core benchmark --latency --write`` made."""


@dataclass(frozen=True)
class Row:
    """One line of the table. Shares are 0-1; ``None`` is not known.

    Attributes
    ----------
    name : str
    kind : str
        One of :data:`KINDS`.
    images : str
        Which images the figures are of.
    accuracy, low, high : float or None
        Accuracy and its interval: 95 % bootstrap for what was trained here, as published otherwise.
    macro_f1, disgust_recall, ece : float or None
    parameters : int or None
    milliseconds : float or None
        From a face crop to its scores, measured on one machine (see :class:`Latency`).
    megabytes : float or None
        Of the file that is needed to score a face.
    remark : str
        Source, or what stands against the figure.
    model_id : str
        Of a model trained here, else empty.
    voters, kl : float or None
        On how many PrivateTest images the majority of FER+ agrees with the model, and the mean KL divergence of its
        scores from the votes, nats.
    """

    name: str
    kind: Kind
    images: str
    accuracy: float | None = None
    low: float | None = None
    high: float | None = None
    macro_f1: float | None = None
    disgust_recall: float | None = None
    ece: float | None = None
    parameters: int | None = None
    milliseconds: float | None = None
    megabytes: float | None = None
    remark: str = ""
    model_id: str = ""
    voters: float | None = None
    kl: float | None = None

    @property
    def around(self) -> str:
        """The interval of the accuracy in brackets, as it stands behind it; empty where none is known."""
        return "" if self.low is None or self.high is None else f" ({percent(self.low)} to {percent(self.high)})"


@dataclass(frozen=True)
class Latency:
    """Median time from one face crop to its scores, ms, and where it was measured."""

    milliseconds: float
    machine: str
    date: str


@dataclass(frozen=True)
class DisagreementGroup:
    """Images to which A gives one answer and B another: who is right how often."""

    answer_a: str
    answer_b: str
    images: int
    a_right: int
    b_right: int

    @property
    def neither(self) -> int:
        """Images of which neither answer is the label."""
        return self.images - self.a_right - self.b_right


def is_rebuilt(card: ModelCard) -> bool:
    """Tell whether a model was trained by the report's own protocol."""
    return card.training.get("name") == "report"


def rows(
    cards: Sequence[ModelCard],
    part: str = "private",
    latency: dict[str, Latency] | None = None,
    further: Sequence[Row] = (),
) -> list[Row]:
    """Return the whole table, highest accuracy first; equal ones in the order of :data:`KINDS`.

    Parameters
    ----------
    cards : sequence of ModelCard
    part : str
        One of :data:`PARTS`: what the figures of models trained here are of. The others' figures exist for one
        part only and stay what they are.
    latency : dict, optional
        Model id -> time, from :func:`read_latency`.
    further : sequence of Row
        More lines for the table, see :func:`mirror_row`.

    Raises
    ------
    FerError
        If there is no such part.
    """
    if part not in PARTS:
        raise FerError(f"There is no part {part!r} of the data; there are {', '.join(PARTS)}.")
    table = [own_row(card, part, (latency or {}).get(card.id)) for card in cards]
    table += [*further, *claims(), *peers(), *people()]
    rank = {kind: place for place, kind in enumerate(KINDS)}
    return sorted(table, key=lambda row: (-(row.accuracy if row.accuracy is not None else -1.0), rank[row.kind]))


def own_row(card: ModelCard, part: str, latency: Latency | None = None) -> Row:
    """Return the line of a model trained here; figures that its card lacks stay unknown."""
    votes = card.metrics.get("ferplus", {}) if part == "private" else {}
    return Row(
        name=card.name,
        kind="rebuilt" if is_rebuilt(card) else "trained",
        images=PART_NAMES[part],
        parameters=card.parameters,
        milliseconds=latency.milliseconds if latency else None,
        megabytes=megabytes(card),
        remark=card.summary,
        model_id=card.id,
        voters=votes.get("model", {}).get("value"),
        kl=votes.get("kl", {}).get("value"),
        **_figures(card.metrics.get(part, {})),
    )


def _figures(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a line shows of the figures of one part (those that are known), by the names of :class:`Row`."""
    low, high = figures.get("intervals", {}).get("accuracy", (None, None))
    return {
        "accuracy": figures.get("accuracy"),
        "low": low,
        "high": high,
        "macro_f1": figures.get("macro_f1"),
        "disgust_recall": figures.get("per_class", {}).get("disgust", {}).get("recall"),
        "ece": figures.get("ece"),
    }


def mirrored_time(cards: Sequence[ModelCard], latency: Mapping[str, Latency]) -> float | None:
    """Return the ms a face takes these models together, each with its mirror image too; None if one was not measured.

    That is twice the sum of their times: nothing is shared between the passes.
    """
    times = [latency.get(card.id) for card in cards]
    known = [time.milliseconds for time in times if time is not None]
    return 2 * sum(known) if known and len(known) == len(times) else None


def mirror_row(
    card: ModelCard, part: str, predictions_of: Callable[[], Predictions], latency: Mapping[str, Latency]
) -> Row:
    """Return the line of a model whose scores are the mean of face and mirror image.

    Parameters
    ----------
    card : ModelCard
    part : str
        One of :data:`PARTS`.
    predictions_of : callable
        Gives the mean probabilities for that part; asked only where the card does not hold their figures.
    latency : mapping
        Model id -> its time.
    """
    figures = card.metrics.get(f"{part}_mirror")
    if figures is None:
        rows = predictions_of()
        figures = metrics.summarise(rows.labels, rows.proba)
    return replace(
        own_row(card, part),
        name=f"{card.name} + mirror image",
        voters=None,  # of the face alone
        kl=None,
        milliseconds=mirrored_time([card], latency),
        remark="Mean of the scores for the face and for its mirror image: every face is scored twice.",
        **_figures(figures),
    )


def may_be_mixed(card: ModelCard) -> bool:
    """Tell whether a model may be a member of an ensemble: of a recipe of our own, with a graph, and mirrored.

    Without a graph (``model.onnx``) a model needs TensorFlow and much longer; an ensemble is held to a time a face.
    """
    return card.has_onnx and MIRROR_FILE in card.files and not is_rebuilt(card)


@dataclass(frozen=True)
class Ensemble:
    """Models whose scores, each the mean of face and mirror image, are mixed; the weights add up to one."""

    cards: tuple[ModelCard, ...]
    weights: tuple[float, ...]

    @property
    def name(self) -> str:
        """For a reader."""
        return f"Ensemble of {len(self.cards)} + mirror images"


def choose_ensemble(
    cards: Sequence[ModelCard], validation: Sequence[Predictions], latency: Mapping[str, Latency]
) -> Ensemble | None:
    """Return the mixture of models with the smallest log-loss on validation; None if one of them alone is best.

    Models that would weigh less than :data:`ENSEMBLE_LEAST` are left out, the lightest first. While the others take
    more than :data:`ENSEMBLE_MILLISECONDS` a face, the one that weighs least for its time is left out, too.

    Parameters
    ----------
    cards : sequence of ModelCard
    validation : sequence of Predictions
        Of each model, for the same validation images in the same order.
    latency : mapping
        Model id -> its time. A model whose time was not measured counts as one that takes none.
    """
    from fer_core.whatif import mixture_weights

    members = list(zip(cards, validation, strict=True))
    while len(members) > 1:
        weights = mixture_weights(members[0][1].labels, [rows.proba for _, rows in members])
        times = [latency[card.id].milliseconds if card.id in latency else 0.0 for card, _ in members]
        worth = [weight / time if time else math.inf for weight, time in zip(weights, times, strict=True)]
        if weights.min() < ENSEMBLE_LEAST:
            members.pop(int(weights.argmin()))
        elif 2 * sum(times) > ENSEMBLE_MILLISECONDS:
            members.pop(int(np.argmin(worth)))
        else:
            return Ensemble(tuple(card for card, _ in members), tuple(float(weight) for weight in weights))
    return None


def find_ensemble(
    cards: Sequence[ModelCard],
    predictions_of: Callable[[ModelCard, Any], Predictions],
    latency: Mapping[str, Latency],
) -> Ensemble | None:
    """Return the ensemble of some models by :func:`choose_ensemble`; None if one alone is best.

    Parameters
    ----------
    cards : sequence of ModelCard
        See :func:`may_be_mixed`.
    predictions_of : callable
        Gives the predictions (mean of face and mirror image) of a model for a part; asked for ``"val"``.
    latency : mapping
        Model id -> its time.

    Raises
    ------
    FerError
        If they have not answered the same images.
    """
    return choose_ensemble(cards, _aligned(cards, "val", predictions_of), latency) if cards else None


def mixed(ensemble: Ensemble, part: str, predictions_of: Callable[[ModelCard, Any], Predictions]) -> Predictions:
    """Return an ensemble's predictions for one of :data:`PARTS`; parameters and errors of :func:`find_ensemble`."""
    from fer_core.whatif import mix

    rows = _aligned(ensemble.cards, part, predictions_of)
    return replace(rows[0], proba=mix([one.proba for one in rows], ensemble.weights))


def _aligned(
    cards: Sequence[ModelCard], part: str, predictions_of: Callable[[ModelCard, Any], Predictions]
) -> list[Predictions]:
    from fer_core.evaluation import compare

    first, *others = (predictions_of(card, part) for card in cards)
    return [first, *(compare.aligned(first, other)[1] for other in others)]


def ensemble_row(ensemble: Ensemble, part: str, predictions: Predictions, latency: Mapping[str, Latency]) -> Row:
    """Return the line of an ensemble.

    Parameters
    ----------
    ensemble : Ensemble
    part : str
        One of :data:`PARTS`.
    predictions : Predictions
        Its own (:func:`mixed`) for that part.
    latency : mapping
        Model id -> its time.
    """
    sizes = [megabytes(card) for card in ensemble.cards]
    said = ", ".join(f"{card.name} {weight:.2f}" for card, weight in zip(ensemble.cards, ensemble.weights, strict=True))
    return Row(
        name=ensemble.name,
        kind="trained",
        images=PART_NAMES[part],
        parameters=sum(card.parameters for card in ensemble.cards),
        milliseconds=mirrored_time(ensemble.cards, latency),
        megabytes=sum(size for size in sizes if size is not None),
        remark=f"Mean of the scores for face and mirror image, mixed with weights chosen on validation: {said}.",
        **_figures(metrics.summarise(predictions.labels, predictions.proba)),
    )


def claims() -> list[Row]:
    """Return the report's own lines: five models, and its MobileNet once more from its table by class."""
    found = report_deck.findings()
    table = [
        Row(
            name=name,
            kind="claim",
            images=PART_NAMES["all"],
            accuracy=line.accuracy.value,
            remark=" ".join(finding.verdict for finding in found[name]),
        )
        for name, line in report_deck.OVERALL.items()
    ]
    by_class = report_deck.MOBILENET
    recall = next(row.recall for row in by_class.rows if row.name == "disgust")
    table.append(
        Row(
            name="MobileNet, table by class",
            kind="claim",
            images=PART_NAMES["all"],
            accuracy=by_class.accuracy.value if by_class.accuracy else None,
            disgust_recall=recall.value if recall else None,
            remark=" ".join(finding.verdict for finding in found["MobileNet by class"]),
        )
    )
    return table


def peers() -> list[Row]:
    """Return the figures of other people's networks."""
    return [
        Row(
            name=peer.name,
            kind=peer.kind,
            images=PART_NAMES["private"],
            accuracy=peer.accuracy,
            ece=peer.ece,
            remark=peer.source,
        )
        for peer in report_deck.PEERS
    ]


def people() -> list[Row]:
    """Return how well people agree with the labels."""
    table = []
    for human in report_deck.HUMANS:
        around = human.plus_minus
        table.append(
            Row(
                name=human.name,
                kind="people",
                images="FER2013",
                accuracy=human.accuracy,
                low=None if around is None else human.accuracy - around,
                high=None if around is None else human.accuracy + around,
                disgust_recall=human.per_class.get("disgust"),
                remark=human.source,
            )
        )
    return table


def megabytes(card: ModelCard) -> float | None:
    """Return the size of what scores a face, 10^6 bytes: of the ONNX graph and of the weights; None without either."""
    sizes = [card.files[name]["bytes"] for name in SERVED if name in card.files]
    return sum(sizes) / 1e6 if sizes else None


def read_latency(path: Path | None = None) -> dict[str, Latency]:
    """Read measured times by model id from :data:`LATENCY_FILE` or another file like it.

    Empty where nothing was measured, or the file is missing or something else.
    """
    try:
        content = json.loads((path or LATENCY_FILE).read_text(encoding="utf-8"))
        machine = f"{content['machine']['cpu']}, {content['machine']['cores']} cores"
        return {
            str(name): Latency(float(time), machine, str(content["date"]))
            for name, time in content["milliseconds"].items()
        }
    except (OSError, KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return {}


def read_history(path: Path) -> dict[str, list[float | None]]:
    """Read a model's ``history.csv``: column -> one value an epoch, ``None`` where a cell is empty.

    Raises
    ------
    FerError
        If the file is missing, has no column ``epoch`` or no row, or holds something that is not a number.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            records = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error):
        raise FerError(f"The training history of “{path.parent.name}” cannot be read.") from None
    if not records or "epoch" not in records[0]:
        raise FerError(f"The training history of “{path.parent.name}” has no epochs.")
    try:
        return {
            column: [float(record[column]) if record[column] else None for record in records]
            for column in records[0]
            if column
        }
    except (TypeError, ValueError):
        raise FerError(f"The training history of “{path.parent.name}” holds something that is not a number.") from None


def with_history(card: ModelCard, cards: Sequence[ModelCard]) -> tuple[ModelCard | None, str]:
    """Return the model whose training history to show for a model, and why it is another one or there is none.

    A model of averaged weights was not trained itself: of its members, the last one with a history stands for it.

    Parameters
    ----------
    card : ModelCard
    cards : sequence of ModelCard
        All models there are.
    """
    if HISTORY_FILE in card.files:
        return card, ""
    known = {other.id: other for other in cards}
    members = [known[name] for name in card.training.get("members", ()) if name in known]
    trained = [member for member in members if HISTORY_FILE in member.files]
    if not trained:
        return None, f"“{card.name}” comes without a training history."
    names = ", ".join(f"“{member.name}”" for member in members)
    shown = trained[-1]
    return shown, (
        f"“{card.name}” was not trained itself: its weights are a mean of those of {names}. Shown is “{shown.name}”."
    )


def grown_from(card: ModelCard) -> tuple[int, int, int] | None:
    """Return how many epochs a model was trained at a smaller input first, that size, and the full one; None if none.

    Epochs at a smaller input are not compared with the others (:func:`fer_core.training.loop.train`).
    """
    small = int(card.training.get("small_epochs") or 0)
    return (small, int(card.training["small_size"]), card.input.height) if small else None


def stopping(card: ModelCard, epochs: int) -> str:
    """Return in a sentence which epoch was kept, and why training ended where it did.

    Parameters
    ----------
    card : ModelCard
    epochs : int
        Epochs in its history.
    """
    recipe = card.training
    kept, most, patience = recipe.get("kept_epoch"), recipe.get("epochs"), recipe.get("patience") or 0
    if kept is None:
        return f"{epochs} epochs were run; the card does not say which one was kept."
    judged = {"loss": "loss", "accuracy": "accuracy"}.get(str(recipe.get("selection")), "figures")
    grown = grown_from(card)
    among = f" of the {epochs - grown[0]} epochs at the full input of {grown[2]} px" if grown else ""
    said = f"Epoch **{kept}** of {epochs} was kept, the best validation {judged}{among}."
    if patience and most and epochs < most:
        said += f" Early stopping ended the training after {patience} epochs without a better one (at most {most})."
    elif most and epochs >= most:
        said += f" All {most} epochs of the recipe were run."
    return said


def disagreement_groups(a: Predictions, b: Predictions) -> list[DisagreementGroup]:
    """Group the images to which two systems give different answers by the two answers, the largest group first.

    Parameters
    ----------
    a, b : Predictions
        Of the same images in the same order (see ``compare.aligned``).

    Raises
    ------
    FerError
        If they are not of the same images in the same order.
    """
    if not np.array_equal(a.names, b.names):
        raise FerError("Disagreements need predictions of the same images in the same order.")
    said_a, said_b, labels = a.predicted, b.predicted, a.labels
    groups = []
    for i, j in np.argwhere(~np.eye(len(EMOTIONS), dtype=bool)):
        here = (said_a == i) & (said_b == j)
        if here.any():
            right = labels[here]
            counts = int(here.sum()), int((right == i).sum()), int((right == j).sum())
            groups.append(DisagreementGroup(EMOTIONS[i], EMOTIONS[j], *counts))
    return sorted(groups, key=lambda group: (-group.images, group.answer_a, group.answer_b))


def best(table: Sequence[Row], *kinds: str) -> Row | None:
    """Return the row of these kinds with the highest accuracy, None if there is none."""
    known: list[tuple[float, Row]] = [(row.accuracy, row) for row in table if row.accuracy is not None]
    found = [(accuracy, row) for accuracy, row in known if row.kind in kinds]
    return max(found, key=lambda entry: entry[0])[1] if found else None


def in_words(table: Sequence[Row]) -> str:
    """Return what the table comes to: the best model here beside the other kinds, in one or two sentences."""
    own = best(table, "trained", "rebuilt")
    if own is None or own.accuracy is None:
        return "No model trained here has been evaluated on these images yet."
    right = f"{percent(own.accuracy)} of {own.images}{_interval(own)}"
    sentences = [f"Of the models here **{own.name}** is right most often: {right}."]
    others = [best(table, kind) for kind in ("claim", "measured", "published")]
    parts: list[str] = []
    for other, what in zip(
        others, ("the report’s best claim", "the best package measured", "the best figure published"), strict=True
    ):
        if other is not None and other.accuracy is not None:
            parts.append(f"{what} is {percent(other.accuracy)} ({other.name}{_elsewhere(other, own)})")
    if parts:
        listed = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])}, and {parts[-1]}"
        sentences.append(f"{sentence_case(listed)}.")
    return " ".join(sentences)


def _elsewhere(row: Row, own: Row) -> str:
    return "" if row.images == own.images else f", on {row.images}"


def _interval(row: Row) -> str:
    return "" if row.low is None or row.high is None else f" (95 % interval {row.low * 100:.1f} to {percent(row.high)})"


def to_records(table: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the table as records for showing or a csv file: shares in per cent, every record with the same keys."""

    def points(value: float | None) -> float | None:
        return None if value is None else round(value * 100, 4)

    return [
        {
            "Model": row.name,
            "Accuracy": points(row.accuracy),
            "Kind": KIND_NAMES[row.kind],
            "95 % interval": "" if row.low is None or row.high is None else f"{row.low * 100:.1f}–{percent(row.high)}",
            "Images": sentence_case(row.images),
            "Macro-F1": None if row.macro_f1 is None else round(row.macro_f1, 4),
            "Disgust recall": points(row.disgust_recall),
            "ECE": None if row.ece is None else round(row.ece, 4),
            "Voters agree": points(row.voters),
            "KL from votes": None if row.kl is None else round(row.kl, 3),
            "Parameters": None if row.parameters is None else round(row.parameters / 1e6, 2),
            "ms a face": None if row.milliseconds is None else round(row.milliseconds, 2),
            "MB": None if row.megabytes is None else round(row.megabytes, 1),
            "Remark": row.remark,
        }
        for row in table
    ]
