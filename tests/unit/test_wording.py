from __future__ import annotations

import math

from fer_core.wording import MISSING, percent


def test_a_number_and_its_per_cent_sign_stay_on_one_line():
    assert percent(0.4298) == "43.0\N{NARROW NO-BREAK SPACE}%"
    assert percent(0.4298, 2) == "42.98\N{NARROW NO-BREAK SPACE}%"
    assert percent(1, 0) == "100\N{NARROW NO-BREAK SPACE}%"


def test_a_share_of_nothing_is_a_dash():
    assert percent(math.nan) == MISSING
