"""The pages "Models" and "Report check" in a real browser, each opened first on a fresh server."""

from __future__ import annotations

import re

import pytest


@pytest.fixture
def fresh(start_server):
    """Return a server that has not shown any page yet."""
    server = start_server()
    yield server
    server.stop()


def test_the_leaderboard_the_curves_and_a_comparison_are_drawn(fresh, visit):
    with visit(server=fresh) as visitor:
        visitor.open("/models")
        assert "is right most often" in visitor.text
        assert visitor.page.locator("[data-testid='stDataFrame'] canvas").count() > 0
        visitor.page.wait_for_selector("[data-testid='stVegaLiteChart'] svg, [data-testid='stVegaLiteChart'] canvas")
        for view, said in (("Training", "was kept"), ("Compare two", "McNemar’s test"), ("Model cards", "Licence")):
            visitor.page.get_by_role("radio", name=view).or_(visitor.page.get_by_role("button", name=view)).click()
            visitor.page.wait_for_selector(f"text={said}")
            visitor.settle()
            assert said in visitor.text
        assert "show=card" in visitor.page.url
        visitor.assert_sound()


def rows_differ(visitor) -> float:
    visitor.page.get_by_text("Rows differ by").wait_for()  # widgets are loaded in parts, some after the script has run
    found = re.search(r"Rows differ by\s+([\d.]+) points", visitor.text)
    assert found, visitor.text
    return float(found[1])


def test_the_switch_collapses_the_matrix_and_a_pasted_report_is_checked(fresh, visit):
    with visit(server=fresh, width=390, height=844) as visitor:
        visitor.open("/report_check")
        paired = rows_differ(visitor)
        visitor.page.get_by_text("Shuffle the labels").click()
        visitor.page.wait_for_selector("text=Every row is the same")
        visitor.settle()
        assert rows_differ(visitor) < paired / 4
        assert "shuffled=yes" in visitor.page.url

        box = visitor.page.get_by_label("Classification report")
        box.fill("This is not a report, only 1 line.")
        visitor.page.get_by_role("button", name="Check it").click()
        visitor.page.wait_for_selector("text=This line is not understood")
        visitor.page.get_by_role("button", name="Example: the report’s table").click()
        visitor.page.wait_for_selector("text=3 findings follow")
        visitor.settle()
        assert "precision" in box.input_value()
        visitor.page.get_by_role("button", name="Example: our own report").click()
        visitor.page.wait_for_selector("text=No finding.")
        visitor.assert_sound()
