"""The page "Report check" as a visitor has it, on a toy whose matrix is known."""

from __future__ import annotations

import shutil

import pytest

from tests.pages.conftest import sentences_of
from tests.toy_predictions import MATRIX, OTHER, make_evaluated_model


@pytest.fixture
def evaluated(models_dir):
    """Put one model with stored predictions in place of the toys."""
    for folder in models_dir.iterdir():
        shutil.rmtree(folder)
    make_evaluated_model(models_dir, "first", MATRIX, name="First")
    return models_dir


def metric(page, label: str) -> str:
    return next(entry.value for entry in page.metric if entry.label == label)


def table(page, *columns: str):
    """Return the first table with these columns."""
    return next(frame.value for frame in page.dataframe if set(columns) <= set(frame.value.columns))


def press(page, label: str):
    return next(button for button in page.button if label in button.label).click().run()


def test_the_conclusion_is_tested_on_the_stored_predictions_of_every_model(evaluated, app):
    page = app("report_check")
    assert not page.exception
    assert not page.error
    # both test parts together: 20 images of disgust, 4 found, 4 taken for happy; 12 taken for angry
    assert "First finds 4 of 20, 20.0 % (8–42 %)" in sentences_of(page)
    assert "disgust goes most often to **angry** (12 of 20)" in sentences_of(page)
    make_evaluated_model(evaluated, "second", OTHER, name="Second")
    assert table(app("report_check"), "Most of it?")["Model"].tolist() == ["First", "Second"]


def test_every_finding_about_the_report_has_its_steps(evaluated, app):
    page = app("report_check")
    said = sentences_of(page)
    assert "1,774 / 7,178 = 0.247; its precision is 0.25" in said
    assert "The recalls add up to 1.04." in said
    assert "34,156 - 35,887 = -1,731" in said
    verdicts = " ".join(fold.label for fold in page.expander)
    assert "unrelated labels and predictions" in verdicts
    assert "**ResNet50.** These are the figures of answering happy to every image" in verdicts


def test_the_switch_collapses_the_rows_and_brings_the_recalls_to_one(evaluated, app):
    page = app("report_check")
    # 0.8 + 0.2 + 0.5 + 0.95 + 0.8 + 0.6 + 1.0
    assert metric(page, "Sum of the recalls") == "4.85"
    assert metric(page, "Accuracy").startswith("72.5")
    before = float(metric(page, "Rows differ by").split()[0])
    precision = table(page, "Share of the answers")["Precision"].tolist()
    page.toggle(key="shuffled").set_value(True).run()
    assert not page.error
    assert float(metric(page, "Rows differ by").split()[0]) < before / 2
    assert abs(float(metric(page, "Sum of the recalls")) - 1) < 0.5
    after = table(page, "Share of the answers")
    assert after["Precision"].tolist() != precision
    assert after["Share of the answers"].sum() == pytest.approx(1, abs=0.01)
    assert page.query_params["shuffled"] == "yes"
    order = after["Recall"].tolist()
    press(page, "Another order")
    assert table(page, "Share of the answers")["Recall"].tolist() != order
    page.toggle(key="shuffled").set_value(False).run()
    assert metric(page, "Sum of the recalls") == "4.85"


def test_rows_are_said_to_differ_only_if_they_do(evaluated, app):
    assert "Rows differ: what the model answers depends on the face." in sentences_of(app("report_check"))
    constant = {label: {"happy": sum(said.values())} for label, said in MATRIX.items()}
    make_evaluated_model(evaluated, "second", constant)
    page = app("report_check", model="second")
    assert metric(page, "Rows differ by") == "0.0 points"
    assert "this model gives one answer to every face" in sentences_of(page)


def test_the_switch_can_be_given_in_the_address(evaluated, app):
    assert app("report_check", shuffled="yes").toggle(key="shuffled").value is True


def test_the_example_of_the_report_is_found_out(evaluated, app):
    page = press(app("report_check"), "the report’s table")
    assert "**3 findings follow**" in page.warning[0].value
    assert page.text_input(key="claimed").value == "42.98 %"


def test_our_own_report_passes_on_its_own_terms(evaluated, app):
    page = press(app("report_check"), "our own report")
    page.checkbox(key="on_fer2013").set_value(False)
    press(page, "Check it")
    assert not page.warning
    assert any("**No finding.**" in message.value for message in page.success)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("", "Paste a classification report first"), ("my **report** 3", "This line is not understood")],
)
def test_what_is_no_report_gets_a_sentence(evaluated, app, text, sentence):
    page = app("report_check")
    page.text_area(key="pasted").set_value(text)
    press(page, "Check it")
    assert not page.exception
    assert sentence in page.error[0].value
    assert "**report**" not in page.error[0].value  # shown as pasted, not as bold


def test_rows_without_totals_are_judged_by_totals_only_on_request(evaluated, app):
    page = app("report_check")
    page.text_area(key="pasted").set_value("cat 0.10 0.50 0.17 10\ndog 0.10 0.50 0.17 10")
    press(page, "Check it")
    assert not page.warning
    assert "does not say whether these rows are all classes" in sentences_of(page)
    page.checkbox(key="all_classes").set_value(True)
    press(page, "Check it")
    assert page.warning
    assert "does not say whether" not in sentences_of(page)


def test_without_any_model_the_report_can_still_be_checked(models_dir, app):
    page = app("report_check")  # the toys have no stored predictions
    assert not page.exception
    assert not page.error
    assert "nothing to test the claim on" in sentences_of(page)
    assert press(page, "the report’s table").warning
