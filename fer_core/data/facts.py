"""The data set in eight figures."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fer_core.data import faults, tables
from fer_core.data.catalogue import SPLITS, Catalogue
from fer_core.labels import EMOTIONS
from fer_core.wording import percent


class Fact(NamedTuple):
    """One figure: what it is, its value, and what exactly is counted."""

    label: str
    value: str
    detail: str


def summarise(catalogue: Catalogue) -> tuple[Fact, ...]:
    """Return what a reader should take away about the data set, counted in the committed tables.

    Raises
    ------
    DatasetError
        If a table is missing.
    """
    counts = catalogue.counts()
    total = counts.sum(axis=0)
    test = int(counts[SPLITS.index("public") :].sum())
    agreement = tables.document("people")["agreement"]["all"]
    repeats, blanks = faults.repeats(), faults.blanks()
    leaked = int(catalogue.flags["leaked"].sum())
    facts = [
        Fact("Images", f"{len(catalogue):,}", f"{len(catalogue) - test:,} for training, {test:,} to test"),
        Fact(
            f"{EMOTIONS[int(np.argmax(total))].capitalize()} : {EMOTIONS[int(np.argmin(total))]}",
            f"{total.max() / max(total.min(), 1):.1f} : 1",
            f"{total.max():,} images of the largest class, {total.min():,} of the smallest",
        ),
        Fact(
            "People agree",
            percent(agreement["value"]),
            f"The majority of ten people (FER+) sees what the label says, on {agreement['n']:,} images",
        ),
        Fact(
            "Leaked test images",
            f"{leaked} ({percent(leaked / max(test, 1))})",
            "They stand in Training too, with the same pixels",
        ),
        Fact("Repeats", f"{repeats.extra:,}", f"{len(repeats.groups):,} pictures are there under more than one name"),
        Fact(
            "Two labels at once",
            f"{len(faults.contradictions().groups)}",
            "The same pixels, exactly, under different labels",
        ),
        Fact("Blank images", f"{blanks.blank}", f"And {blanks.nearly} nearly blank"),
    ]
    if tables.has("suspects.json"):
        summary = tables.document("suspects")
        judged, doubted = sum(summary["judged"]), len(tables.rows("suspects"))
        facts.append(
            Fact(
                "Labels a model doubts",
                percent(doubted / max(judged, 1), 0),
                f"{doubted:,} of {judged:,} validation and test images, by {summary['name']}",
            )
        )
    return tuple(facts)
