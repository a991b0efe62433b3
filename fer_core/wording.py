"""How numbers and parts of the data are written for a reader."""

from __future__ import annotations

import math
from typing import Final

MISSING: Final = "–"
"""Stands where a figure has no denominator."""


PART_NAMES: Final = {
    "all": "all 7,178 test images",
    "public": "PublicTest",
    "private": "PrivateTest",
    "private_clean": "PrivateTest without leaks",
    "val": "validation",
}
"""How the parts of the data that figures are of are called within a sentence."""


def sentence_case(text: str) -> str:
    """Return a text with its first letter as at the start of a sentence."""
    return f"{text[:1].upper()}{text[1:]}"


def percent(share: float, digits: int = 1) -> str:
    """Return a share (0-1) in per cent, for example ``"43.0 %"`` with a space that does not break; a dash for NaN."""
    return MISSING if math.isnan(share) else f"{share * 100:.{digits}f}\N{NARROW NO-BREAK SPACE}%"
