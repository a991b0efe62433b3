from __future__ import annotations

import tomllib

import pytest

from fer_core.labels import COLORS
from fer_core.settings import ROOT

CONFIG = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())


def luminance(colour: str) -> float:
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of WCAG 2, 1 to 21."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_charts_use_the_one_colour_of_each_class():
    assert tuple(CONFIG["theme"]["chartCategoricalColors"]) == tuple(COLORS.values())


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_text_and_links_can_be_read_on_every_surface(mode):
    theme = CONFIG["theme"][mode]
    surfaces = {theme["backgroundColor"], theme["secondaryBackgroundColor"], theme["sidebar"]["backgroundColor"]}
    for surface in surfaces:
        assert contrast(theme["textColor"], surface) >= 7
        assert contrast(theme["linkColor"], surface) >= 4.5


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("emotion", COLORS)
def test_the_colour_of_a_class_stands_out_from_the_page(mode, emotion):
    assert contrast(COLORS[emotion], CONFIG["theme"][mode]["backgroundColor"]) >= 2


def test_visitors_are_neither_counted_nor_shown_details_of_errors():
    assert CONFIG["browser"]["gatherUsageStats"] is False
    assert CONFIG["client"]["showErrorDetails"] == "none"


def test_nothing_is_fetched_for_the_theme():
    assert "http" not in str(CONFIG["theme"])
