"""What is drawn of a matrix: colours, specifications, the file that stands alone, thumbnails."""

from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from fer_core import confusion as cm
from fer_core import figures_confusion as figures
from fer_core import report_html, thumbnails, whatif
from fer_core.evaluation import calibration
from fer_core.labels import EMOTIONS, index_of

ANGRY, DISGUST, HAPPY = (index_of(name) for name in ("angry", "disgust", "happy"))
ORDER = tuple(range(7))


@pytest.fixture
def study() -> whatif.Study:
    """Return answers to 300 images, none of which is labelled or answered disgust."""
    generator = np.random.default_rng(0)
    labels = generator.choice([k for k in range(7) if k != DISGUST], 300)
    logits = generator.normal(size=(300, 7)) + 2 * np.eye(7)[labels]
    logits[:, DISGUST] = -9
    powers = np.exp(logits)
    return whatif.study(labels, (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32))


def curves(study: whatif.Study) -> dict:
    truths = [study.labels == k for k in range(7)]
    return {
        "roc": [cm.roc_curve(truth, study.scores[:, k]) for k, truth in enumerate(truths)],
        "precision_recall": [cm.precision_recall_curve(truth, study.scores[:, k]) for k, truth in enumerate(truths)],
    }


def build(study: whatif.Study, title: str = "Toy", **more) -> str:
    destinations = ([cm.destination("A & <b>", study.counts, ANGRY)], [])
    return report_html.build(
        title=title,
        setting="",
        view="Row %.",
        study=study,
        shown=cm.cells(study.counts, "row"),
        order=ORDER,
        reliability=calibration.reliability(study.labels, study.scores),
        risk=cm.risk_coverage(study.answers == study.labels, study.scores.max(axis=1)),
        destinations=destinations,
        **curves(study),
        **more,
    )


class Checker(HTMLParser):
    """Collects open tags and addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "path", "polyline", "br"):
            self.open.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]

    def handle_startendtag(self, tag, attrs):
        self.addresses += [value for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag):
        if tag not in ("path", "polyline"):
            assert self.open.pop() == tag


def test_the_report_is_well_formed_and_asks_for_nothing(study):
    html = build(study)
    checker = Checker()
    checker.feed(html)
    assert checker.open == []
    assert checker.addresses == []
    assert "<script" not in html
    assert "url(" not in html


def test_the_report_shows_undefined_scores_as_dashes_and_never_as_nan(study):
    html = build(study)
    assert "nan" not in re.sub(r"<[^>]*>", " ", html).lower().split()
    disgust = re.search(r'<tr><th scope="row">Disgust</th>(.*?)</tr>', html.split("<h2>Classes</h2>")[1])[1]
    assert re.findall(r"<td>(.*?)</td>", disgust)[:3] == ["–", "–", "–"]


def test_names_are_escaped_in_the_report(study):
    html = build(study, title="<img src=x>")
    assert "<img" not in html
    assert "A &amp; &lt;b&gt;" in html


def test_the_open_cell_is_listed_by_name_and_without_faces(study):
    rows, margins = cm.members(study.labels, study.answers, study.scores, ANGRY, HAPPY)
    names = [f"test/angry/PublicTest_{row}.jpg" for row in range(300)]
    html = build(study, members=(ANGRY, HAPPY, rows, margins), names=names)
    assert html.count("test/angry/PublicTest_") == len(rows)
    assert html.index(names[rows[0]]) < html.index(names[rows[-1]])


def test_csv_can_be_read_back_and_leaves_undefined_values_empty(study):
    text = report_html.csv_of(report_html.class_table(study, **curves(study)))
    rows = {row["class"]: row for row in csv.DictReader(io.StringIO(text))}
    assert list(rows) == list(EMOTIONS)
    assert rows["disgust"]["precision"] == rows["disgust"]["roc_auc"] == ""
    hits, support = int(study.counts[ANGRY, ANGRY]), int(study.counts[ANGRY].sum())
    assert float(rows["angry"]["recall"]) == pytest.approx(hits / support, abs=1e-6)
    assert float(rows["angry"]["recall_low"]) < hits / support < float(rows["angry"]["recall_high"])


def contrast(one: str, other: str) -> float:
    def luminance(color: str) -> float:
        channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("view", ["counts", "row", "column", "chance"])
def test_the_number_in_every_cell_can_be_read(view, dark):
    counts = np.hstack([np.arange(49).reshape(7, 7) ** 2, np.zeros((7, 1), int)])
    fills, inks = figures.paint(cm.cells(counts, view), dark=dark)
    for fill_row, ink_row in zip(fills, inks, strict=True):
        for fill, ink in zip(fill_row, ink_row, strict=True):
            assert contrast(fill, ink) >= 4.5


def test_a_larger_share_has_a_darker_colour_on_white():
    counts = np.zeros((7, 8), int)
    counts[0, :3] = [70, 25, 5]
    fills, _ = figures.paint(cm.cells(counts, "row"))
    lightness = [sum(int(color[i : i + 2], 16) for i in (1, 3, 5)) for color in fills[0][:3]]
    assert lightness == sorted(lightness)


def test_the_records_of_a_matrix_follow_its_order_and_mark_the_open_cell(study):
    order = (3, 1, 0, 2, 4, 5, 6)
    records = figures.matrix_records(cm.cells(study.counts, "counts"), order, opened=(ANGRY, HAPPY))
    assert [record["true"] for record in records[::7]] == [EMOTIONS[k] for k in order]
    assert [(record["true"], record["pred"]) for record in records if record["open"]] == [("angry", "happy")]
    assert len(figures.matrix_records(cm.cells(study.counts, "counts"), order, no_answer=True)) == 56


def test_the_specification_of_the_matrix_does_not_depend_on_what_is_in_it():
    """Else a click or a slider would draw it anew."""
    assert figures.matrix_spec(ORDER) == figures.matrix_spec(ORDER)
    assert "values" not in str(figures.matrix_spec(ORDER))


def test_the_picture_of_the_matrix_has_a_column_for_each_answer(study):
    shown = cm.cells(study.counts, "chance")
    plain, wider = (figures.matrix_png(shown, ORDER, "Toy", no_answer=extra) for extra in (False, True))
    sizes = [Image.open(io.BytesIO(data)).size for data in (plain, wider)]
    assert sizes[1][0] > sizes[0][0]
    assert sizes[1][1] == sizes[0][1]


def test_the_scores_of_a_cell_are_counted_in_ten_bins():
    scores = np.zeros((4, 7), np.float32)
    scores[:, ANGRY], scores[:, DISGUST] = [0.95, 0.91, 0.55, 1.0], 0.05
    records = figures.histogram_records(scores, DISGUST, ANGRY)
    counted = {(record["name"], record["bin"]): record["count"] for record in records if record["count"]}
    assert counted == {
        ("for disgust (the label)", "0.0"): 4,
        ("for angry (the answer)", "0.9"): 3,
        ("for angry (the answer)", "0.5"): 1,
    }


def test_a_class_without_images_has_no_line(study):
    drawn = figures.one_vs_rest(curves(study)["roc"], "roc")
    assert [series.name.split()[0].lower() for series in drawn.series] == [e for e in EMOTIONS if e != "disgust"]


def test_thumbnails_are_one_list_with_texts_escaped():
    faces = np.zeros((2, 48, 48), np.uint8)
    html = thumbnails.grid_html(faces, ["<1>", "2"], ['a "face"', "b"], ["dataset?image=x&y=1", "z"])
    assert html.count("<img") == html.count("<li") == html.count("<a ") == 2
    assert "&lt;1&gt;" in html
    assert 'alt="a &quot;face&quot;"' in html
    assert "dataset?image=x&amp;y=1" in html


def test_thumbnails_need_a_text_for_each_face():
    with pytest.raises(ValueError, match="2 faces"):
        thumbnails.grid_html(np.zeros((2, 48, 48), np.uint8), ["1"], ["a", "b"])
