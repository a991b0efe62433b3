"""Models that differ in their loss only."""

from __future__ import annotations

import pytest

from fer_core import ablation
from fer_core.training.recipe import get_recipe
from tests.text import plain
from tests.toy import make_toy_model


def figures(accuracy, recall, precision):
    return {
        "accuracy": accuracy,
        "macro_f1": 0.3,
        "intervals": {"accuracy": [accuracy - 0.02, accuracy + 0.02], "macro_f1": [0.28, 0.32]},
        "per_class": {
            "disgust": {
                "recall": recall,
                "precision": precision,
                "intervals": {"recall": [0.0, recall + 0.1], "precision": [None, None]},
            }
        },
    }


def make(folder, name, values, **training):
    """Write a toy whose card holds a recipe of MobileNet as export writes it."""
    recipe = get_recipe("mobilenet", name).to_json() | {"kept_epoch": 3, "epochs_run": 8} | training
    metrics = {"val": {"accuracy": 0.4}, "private": values}
    return make_toy_model(folder, f"toy-{name.replace('_', '-')}", onnx=False, metrics=metrics, training=recipe)


@pytest.fixture
def cards(tmp_path):
    plain = make(tmp_path, "report", figures(0.44, 0.0, None))
    del plain.training["ships"], plain.training["precision"]  # a card from before these fields
    return [
        make(tmp_path, "report_logit_adjusted", figures(0.38, 0.5, 0.1)),
        make(tmp_path, "improved", figures(0.6, 0.4, 0.5)),
        plain,
        make(tmp_path, "report_class_weighted", figures(0.4, 0.25, 0.125)),
        make_toy_model(tmp_path, "foreign", training={"recipe": "none"}),
    ]


def test_only_models_that_differ_in_their_loss_alone_are_put_together(cards):
    [group] = ablation.groups(cards)
    assert [model.loss for model in group] == ["plain", "class_weighted", "logit_adjusted"]
    assert ablation.groups(cards, "all") == [], "cards without figures on a part"
    assert ablation.groups(cards[:2]) == [], "one loss is no comparison"


def test_another_setting_keeps_models_apart(tmp_path):
    plain = make(tmp_path, "report", figures(0.44, 0.0, None))
    other_seed = make(tmp_path, "report_class_weighted", figures(0.4, 0.25, 0.1), seed=2)
    assert ablation.groups([plain, other_seed]) == []


def test_every_figure_is_that_of_the_card_and_an_undefined_one_is_not_made_up(cards):
    [group] = ablation.groups(cards)
    assert plain(ablation.to_records(group)[:2]) == [
        {
            "Loss": "Plain",
            "Accuracy": "44.0 % (42.0 to 46.0)",
            "Macro-F1": "0.300 (0.280 to 0.320)",
            "Disgust recall": "0.0 % (0.0 to 10.0)",
            "Disgust precision": "–",
        },
        {
            "Loss": "Class-weighted",
            "Accuracy": "40.0 % (38.0 to 42.0)",
            "Macro-F1": "0.300 (0.280 to 0.320)",
            "Disgust recall": "25.0 % (0.0 to 35.0)",
            "Disgust precision": "12.5 %",
        },
    ]


def test_words_name_the_gain_and_its_price(cards):
    [group] = ablation.groups(cards)
    assert plain(ablation.in_words(group)) == (
        "With the plain loss, 0.0 % of the images labelled disgust are found, with the logit-adjusted one 50.0 %; "
        "accuracy goes from 44.0 % to 38.0 %."
    )
    assert ablation.in_words(group[:1]).endswith("no other loss finds more.")
