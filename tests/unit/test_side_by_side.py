from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fer_core import figures_models, side_by_side
from fer_core.architectures import TABLE
from fer_core.evaluation import report_deck
from tests.text import plain
from tests.toy import make_toy_model


def figures(accuracy):
    return {"all": {"accuracy": accuracy, "intervals": {"accuracy": [accuracy - 0.01, accuracy + 0.01]}}}


@pytest.fixture
def cards(tmp_path):
    def add(id, architecture, recipe, accuracy):
        metrics = {"val": {"accuracy": accuracy}, **figures(accuracy)}
        return make_toy_model(tmp_path, id, architecture=architecture, training={"name": recipe}, metrics=metrics)

    return [
        add("best", "mobilenet", "flagship", 0.7),
        add("vgg-better", "vgg16", "improved", 0.65),
        add("mobile-better", "mobilenet", "improved", 0.6),
        add("mobile-report", "mobilenet", "report", 0.435),
        add("vgg-report", "vgg16", "report", 0.36),
        make_toy_model(tmp_path, "unmeasured", architecture="resnet50", training={"name": "report"}),
    ]


def test_each_network_of_the_report_stands_beside_its_rebuild_and_its_improvement(cards):
    table = side_by_side.networks(cards)
    ids = [(n.name, n.rebuilt and n.rebuilt.model_id, n.improved and n.improved.model_id) for n in table]
    assert ids == [
        ("Custom CNN", None, None),
        ("ResNet50", None, None),
        ("MobileNet", "mobile-report", "mobile-better"),
        ("VGG16", "vgg-report", "vgg-better"),
        ("Inception V3", None, None),
        ("Toy best", None, "best"),
    ]
    assert [n.claim.accuracy for n in table[:5]] == pytest.approx([0.2917, 0.2471, 0.4298, 0.3862, 0.3401])
    assert table[5].claim is None
    assert {row.images for n in table for row in (n.rebuilt, n.improved) if row} == {"all 7,178 test images"}
    assert [n.name for n in side_by_side.networks(cards[1:])][-1] == "Inception V3", "the best stands there already"


def test_gains_are_in_points_and_a_claim_is_held_against_the_interval(cards):
    table = side_by_side.networks(cards)
    assert side_by_side.gain_of(table[2]) == pytest.approx(16.5)
    assert side_by_side.gain_of(table[0]) is None
    said = side_by_side.in_words(table)
    assert said == (
        "By the better recipe all 2 networks that were trained by both are ahead of the report’s protocol: +16.5 to "
        "+29.0 points. Of 2 rebuilt networks, the report’s claim lies within the interval of MobileNet."
    )  # .4298 is in .425 to .445, .3862 not in .35 to .37
    line = side_by_side.to_records(table)[2]
    assert [plain(line[k]) for k in ("Report’s claim", "Report rebuilt here")] == [
        "43.0 %",
        "43.5 % (42.5 % to 44.5 %)",
    ]
    assert line["Gain, points"] == "+16.5"
    assert side_by_side.to_records(table)[5]["Report’s claim"] is None
    assert side_by_side.in_words(side_by_side.networks([])) == ""
    alone = side_by_side.in_words([table[2]])
    assert "the one network that was trained by both is ahead of the report’s protocol: +16.5 points." in alone
    swapped = replace(table[2], rebuilt=table[2].improved, improved=table[2].rebuilt)
    assert "trained by both is not ahead of the report’s protocol: -16.5 points." in side_by_side.in_words([swapped])


@pytest.mark.parametrize(
    ("architecture", "predicted", "said"),
    [
        ("resnet50", {3: 100}, "The rebuilt ResNet50 answers happy to every image, and the report’s figures are"),
        ("vgg16", {3: 100}, "The rebuilt VGG16 answers happy to every image."),
        ("resnet50", {3: 99, 4: 1}, ""),
    ],
)
def test_a_rebuilt_network_that_answers_one_label_only_is_named(tmp_path, architecture, predicted, said):
    confusion = np.zeros((7, 7), int)
    for answer, count in predicted.items():
        confusion[5, answer] = count
    metrics = {"val": {"accuracy": 0.25}, "all": figures(0.25)["all"] | {"confusion": confusion.tolist()}}
    card = make_toy_model(tmp_path, architecture=architecture, training={"name": "report"}, metrics=metrics)
    words = side_by_side.in_words(side_by_side.networks([card]))
    assert words.partition("interval of")[2].partition(". ")[2].startswith(said)
    assert ("answers" in words) == bool(said)


def test_every_figure_is_a_point_of_the_chart(cards):
    records = figures_models.networks_records(side_by_side.networks(cards))
    mobile = [(r["what"], r["accuracy"], r["low"]) for r in records if r["network"] == "MobileNet"]
    assert mobile == [
        ("Report’s claim", pytest.approx(0.4298), pytest.approx(0.4298)),
        ("Report rebuilt here", 0.435, pytest.approx(0.425)),
        ("Improved here", 0.6, pytest.approx(0.59)),
    ]
    assert len(records) == 5 + 2 + 3


def test_the_reports_networks_can_all_be_trained():
    assert {report_deck.ARCHITECTURES[name] for name in report_deck.OVERALL} <= set(TABLE)
