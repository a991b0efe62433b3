"""How numbers are written for a reader."""

from __future__ import annotations

import math
from typing import Final

MISSING: Final = "–"
"""Stands where a figure has no denominator."""


def percent(share: float, digits: int = 1) -> str:
    """Return a share (0-1) in per cent, for example ``"43.0 %"`` with a space that does not break; a dash for NaN."""
    return MISSING if math.isnan(share) else f"{share * 100:.{digits}f}\N{NARROW NO-BREAK SPACE}%"
