"""The report's five networks: what it claims, what its protocol gives here, and what a better recipe makes of them.

All figures are accuracies on the 7,178 test images, which are those of the report. Ours are those of the cards, hence
of stored predictions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fer_core.evaluation import report_deck
from fer_core.labels import EMOTIONS, N_CLASSES
from fer_core.leaderboard import KIND_NAMES, Row, is_rebuilt, own_row
from fer_core.wording import PART_NAMES, percent

if TYPE_CHECKING:
    from fer_core.registry import ModelCard

PART: Final = "all"

IMPROVED: Final = "Improved here"
"""What a network by the recipe ``improved`` is called beside :data:`fer_core.leaderboard.KIND_NAMES`."""


@dataclass(frozen=True)
class Network:
    """A network three times; None where there is no such model, or nothing was claimed.

    Attributes
    ----------
    name : str
    claim, rebuilt, improved : Row or None
    constant : str or None
        The answer that the rebuilt network gives to every image, if it gives one to all.
    claims_constant : bool
        Whether the claimed figures are those of such answers.
    """

    name: str
    claim: Row | None
    rebuilt: Row | None
    improved: Row | None
    constant: str | None = None
    claims_constant: bool = False


def networks(cards: Sequence[ModelCard]) -> list[Network]:
    """Return the report's networks in its order, then the best model here if it is none of them.

    Parameters
    ----------
    cards : sequence of ModelCard
        All models, the best on validation first. Those without figures on the test images are left out.
    """
    known = [card for card in cards if card.metrics.get(PART, {}).get("accuracy") is not None]
    found = []
    for name, line in report_deck.OVERALL.items():
        here = [card for card in known if card.architecture == report_deck.ARCHITECTURES[name]]
        rebuilt = next((card for card in here if is_rebuilt(card)), None)
        improved = next((own_row(card, PART) for card in here if card.training.get("name") == "improved"), None)
        claim = Row(name, "claim", PART_NAMES[PART], accuracy=line.accuracy.value)
        found.append(
            Network(
                name,
                claim,
                None if rebuilt is None else own_row(rebuilt, PART),
                improved,
                None if rebuilt is None else _constant(rebuilt),
                any(finding.code == "constant_answer" for finding in report_deck.findings()[name]),
            )
        )
    taken = {row.model_id for network in found for row in (network.rebuilt, network.improved) if row is not None}
    if known and known[0].id not in taken:
        found.append(Network(known[0].name, None, None, own_row(known[0], PART)))
    return found


def in_words(table: Sequence[Network]) -> str:
    """Return what the three figures of each network say together."""
    parts = []
    gains = [gain for gain in map(gain_of, table) if gain is not None]
    if gains:
        ahead = sum(gain > 0 for gain in gains)
        who = f"all {ahead}" if ahead == len(gains) else f"{ahead} of {len(gains)}"
        who += " networks that were trained by both are"
        points = f"{min(gains):+.1f} to {max(gains):+.1f}"
        if len(gains) == 1:
            who = f"the one network that was trained by both is{'' if ahead else ' not'}"
            points = f"{gains[0]:+.1f}"
        parts.append(f"By the better recipe {who} ahead of the report’s protocol: {points} points.")
    rebuilt = [(network, network.rebuilt) for network in table if network.rebuilt is not None]
    if rebuilt:
        inside = [network.name for network, row in rebuilt if _covers(row, network.claim)]
        parts.append(
            f"Of {len(rebuilt)} rebuilt networks, the report’s claim lies within the interval of "
            f"{', '.join(inside) if inside else 'none'}."
        )
    parts += [
        f"The rebuilt {network.name} answers {network.constant} to every image"
        + (", and the report’s figures are those of a model that does." if network.claims_constant else ".")
        for network in table
        if network.constant is not None
    ]
    return " ".join(parts)


def _constant(card: ModelCard) -> str | None:
    predicted = np.sum(card.metrics[PART].get("confusion", np.zeros((N_CLASSES, N_CLASSES))), axis=0)
    (given,) = np.nonzero(predicted)
    return EMOTIONS[given[0]] if len(given) == 1 else None


def gain_of(network: Network) -> float | None:
    """Return by how many points of a hundred the better recipe is ahead of the report's; None without both."""
    better, report = network.improved, network.rebuilt
    if better is None or report is None or better.accuracy is None or report.accuracy is None:
        return None
    return 100 * (better.accuracy - report.accuracy)


def to_records(table: Sequence[Network]) -> list[dict[str, Any]]:
    """Return one line a network for a reader; None where there is nothing."""
    return [
        {
            "Network": network.name,
            KIND_NAMES["claim"]: _shown(network.claim),
            KIND_NAMES["rebuilt"]: _shown(network.rebuilt),
            IMPROVED: _shown(network.improved),
            "Gain, points": None if gain_of(network) is None else f"{gain_of(network):+.1f}",
        }
        for network in table
    ]


def _shown(row: Row | None) -> str | None:
    return None if row is None or row.accuracy is None else percent(row.accuracy) + row.around


def _covers(row: Row, claim: Row | None) -> bool:
    value = None if claim is None else claim.accuracy
    return value is not None and row.low is not None and row.high is not None and row.low <= value <= row.high
