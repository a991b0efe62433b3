from __future__ import annotations

import numpy as np
import pytest

from fer_core.evaluation import report_deck
from fer_core.labels import index_of
from tests.pages.conftest import sentences_of, words_of
from tests.text import plain
from tests.toy import make_toy_model


def card_metrics(accuracy: float, **disgust: int) -> dict:
    """Return what a card says of a model that answers disgust like this and everything else rightly."""
    confusion = np.diag([10] * 7)
    confusion[index_of("disgust")] = 0
    for answer, count in disgust.items():
        confusion[index_of("disgust"), index_of(answer)] = count
    return {"val": {"accuracy": accuracy}, "all": {"accuracy": accuracy, "confusion": confusion.tolist()}}


@pytest.fixture
def story(models_dir):
    """Return the models folder with the report's network, trained again, and a better one."""
    rebuilt, best = card_metrics(0.4512, happy=30, angry=7), card_metrics(0.7031, disgust=20, angry=17)
    make_toy_model(models_dir, "mobilenet-report", metrics=rebuilt, name="Rebuilt")
    make_toy_model(models_dir, "best", metrics=best, name="Best")
    return models_dir


def figures(page) -> dict[str, str]:
    return {metric.label: plain(metric.value) for metric in page.metric}


def test_the_headline_stands_there_with_figures_from_the_report_and_the_cards(app, story):
    page = app()
    assert not page.exception
    assert not page.error
    assert figures(page) == {"Published": "43 % or 20 %", "Done again": "45.1 %", "Best model here": "70.3 %"}
    assert report_deck.CONCLUSION in sentences_of(page)


def test_where_disgust_goes_is_read_from_the_rebuilt_network_and_not_scripted(app, story):
    page = app()
    assert "“Rebuilt”: disgust goes most often to **happy** (30 of 37)." in sentences_of(page)
    assert "“Best”: disgust goes most often to **angry** (17 of 37)." in sentences_of(page)


def test_the_best_model_scores_a_sample_on_the_spot(app, story):
    page = app()
    assert "Model: Best." in sentences_of(page)
    assert len(page.image) == 1
    assert "Happy" in words_of(page)


def test_three_things_to_do_lead_to_pages_that_exist(app, story):
    titles = [link.value for link in app().main.get("page_link") if link.value.startswith("**")]
    assert len(titles) == 3
    assert titles[0] == "**Score a photo**"


def test_without_a_model_the_finding_still_stands(app, models_dir, monkeypatch):
    monkeypatch.setenv("FER_MODELS_DIR", str(models_dir / "nowhere"))
    page = app()
    assert not page.exception
    assert figures(page) == {"Published": "43 % or 20 %"}
    assert "no model" in page.error[0].value


def test_a_model_that_was_never_evaluated_on_the_test_images_does_not_break_the_page(app):
    page = app()  # the toys' cards hold validation figures only
    assert not page.exception
    assert not page.error
    assert "Published" in figures(page)
