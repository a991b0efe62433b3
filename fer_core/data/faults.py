"""The faults of FER2013, counted in the committed tables: what the page says in words, and which images it shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fer_core.data import tables

Group = list[str]
"""Names of images that belong together."""

NEAR: Final[Mapping[str, str]] = {
    "all": "All",
    "across": "One in the test set, one in Training",
    "labels": "With two labels",
}
"""Near duplicates that can be asked for -> in words."""


@dataclass(frozen=True)
class Leaks:
    """Test images that stand in Training too; `pairs` are (test image, one copy in Training).

    Attributes
    ----------
    private
        How many are in PrivateTest.
    differing
        How many carry another label than their copy.
    """

    pairs: list[Group]
    private: int
    differing: int


@dataclass(frozen=True)
class Repeats:
    """Pictures under several names, the largest groups first; `extra` is the number of names beyond the first."""

    groups: list[Group]
    extra: int
    largest: int


@dataclass(frozen=True)
class Contradictions:
    """Pictures with several labels; `images` are their copies, of which `errors` are wrong whatever a model answers."""

    groups: list[Group]
    images: int
    errors: int


@dataclass(frozen=True)
class NearDuplicates:
    """Pairs of one photo, most similar first.

    Attributes
    ----------
    mirrored, differing, crossing
        How many are mirrored, carry two labels, have one image in the test set and one in Training.
    """

    pairs: list[Group]
    mirrored: int
    differing: int
    crossing: int


@dataclass(frozen=True)
class Blanks:
    """Pictures that show nothing (`blank`) or nearly nothing (`nearly`)."""

    names: Group
    blank: int
    nearly: int


def label_of(name: str) -> str:
    """Return the class that a file name of the Kaggle archive says."""
    return name.split("/")[1]


def in_test(name: str) -> bool:
    """Tell whether an image belongs to the test set, by its file name."""
    return name.startswith("test/")


def leaks() -> Leaks:
    """Return the leaks between Training and the test set."""
    pairs = [[row["image"], row["twin"]] for row in tables.rows("leaked")]
    return Leaks(pairs, sum("/PrivateTest_" in image for image, _ in pairs), sum(map(_differ, pairs)))


def repeats() -> Repeats:
    """Return the pictures that are there under several names."""
    groups: dict[str, Group] = {}
    for row in tables.rows("repeated"):
        groups.setdefault(row["group"], []).append(row["image"])
    ordered = sorted(groups.values(), key=lambda group: (-len(group), group))
    return Repeats(ordered, sum(map(len, ordered)) - len(ordered), len(ordered[0]) if ordered else 0)


def contradictions() -> Contradictions:
    """Return the pictures that carry several labels."""
    groups = [group for group in repeats().groups if _differ(group)]
    return Contradictions(groups, sum(map(len, groups)), unavoidable_errors(groups))


def near_duplicates(which: str = "all") -> NearDuplicates:
    """Return the near duplicates; `pairs` are those of a key of :data:`NEAR`, the counts are of all."""
    rows = tables.rows("near")
    pairs = [[row["first"], row["second"]] for row in rows]
    chosen: dict[str, Callable[[Sequence[str]], bool]] = {"all": bool, "across": _crosses, "labels": _differ}
    return NearDuplicates(
        [pair for pair in pairs if chosen[which](pair)],
        sum(row["mirrored"] == "1" for row in rows),
        sum(map(_differ, pairs)),
        sum(map(_crosses, pairs)),
    )


def near_leaks() -> frozenset[str]:
    """Return the test images of which Training has a near duplicate, but no exact copy."""
    crossing = near_duplicates("across").pairs
    return frozenset(name for pair in crossing for name in pair if in_test(name)) - tables.leaked()


def blanks() -> Blanks:
    """Return the blank and nearly blank pictures."""
    rows = tables.rows("blank")
    blank = sum(row["kind"] == "blank" for row in rows)
    return Blanks([row["image"] for row in rows], blank, len(rows) - blank)


def unavoidable_errors(groups: Sequence[Sequence[str]]) -> int:
    """Return how many images any answer gets wrong, if each group of equal pictures gets one answer."""
    errors = 0
    for group in groups:
        labels = [label_of(name) for name in group]
        errors += len(labels) - max(labels.count(label) for label in set(labels))
    return errors


def _differ(group: Sequence[str]) -> bool:
    return len({label_of(name) for name in group}) > 1


def _crosses(group: Sequence[str]) -> bool:
    return len({in_test(name) for name in group}) > 1
