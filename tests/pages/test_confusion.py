from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from fer_core.labels import EMOTIONS, index_of
from fer_core.settings import ROOT
from tests.pages.conftest import html_of, sentences_of
from tests.text import plain
from tests.toy_predictions import MATRIX, OTHER, make_evaluated_model, write_faces

ALL = 160  # both test splits of 80 images


@pytest.fixture
def models_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with `first` (the better one, with mirror) and `second`, which answers otherwise to disgust."""
    for name in ("FER_DATA_DIR", "FERPLUS_CSV"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "models"
    folder.mkdir()
    make_evaluated_model(folder, "first", MATRIX, accuracy=0.6, mirror=OTHER)
    make_evaluated_model(folder, "second", OTHER, accuracy=0.5, training={"name": "report"})
    monkeypatch.setenv("FER_MODELS_DIR", str(folder))
    return folder


@pytest.fixture
def faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set up a picture for each image."""
    folder = write_faces(tmp_path / "fer2013")
    monkeypatch.setenv("FER_DATA_DIR", str(folder))
    monkeypatch.setenv("FER_CACHE_DIR", str(tmp_path / "cache"))
    return folder


def cells(page: AppTest, what: str = "text") -> dict[tuple[str, str], str]:
    """Return what stands in each cell of the matrix on the page."""
    return {(cell["true"], cell["pred"]): plain(cell[what]) for cell in _records(page)}


def order(page: AppTest) -> list[str]:
    """Return the labels from top to bottom."""
    return list(dict.fromkeys(cell["true"] for cell in _records(page)))


def _records(page: AppTest) -> list[dict]:
    charts = [pa.ipc.open_stream(e.proto.data.data).read_all().to_pylist() for e in page.get("vega_lite_chart")]
    return next(records for records in charts if records and "open" in records[0])


def metrics(page: AppTest) -> dict[str, str]:
    return {metric.label: plain(metric.value) for metric in page.metric}


def click(page: AppTest, label: str) -> AppTest:
    return next(button for button in page.button if button.label.startswith(label)).click().run()


def tables(page: AppTest) -> dict[str, list[dict]]:
    """Return the tables on the page by the name of their first column."""
    found = [frame.value.to_dict("records") for frame in page.dataframe]
    return {next(iter(records[0])): records for records in found if records}


def assert_sound(page: AppTest) -> None:
    assert not page.exception
    assert not page.error


def test_the_page_opens_with_the_best_model_and_its_recalls(app):
    page = app("confusion")
    assert_sound(page)
    assert page.selectbox(key="model").value == "first"
    shown = cells(page)
    assert shown["disgust", "angry"] == "60 %"
    assert shown["happy", "happy"] == "95 %"
    assert metrics(page)["Accuracy"] == "72.5 %"
    assert order(page) == list(EMOTIONS)


def test_a_cell_carries_its_number_of_images_and_interval(app):
    page = app("confusion")
    assert cells(page, "images")["disgust", "angry"] == "12 of 20"
    assert cells(page, "interval")["disgust", "angry"] == "38.7 to 78.1 %"


@pytest.mark.parametrize(
    ("view", "disgust_angry"),
    [("counts", "12"), ("row", "60 %"), ("column", "43 %"), ("model", "+40.0"), ("chance", "+42.5")],
)
def test_every_view_shows_its_own_number(app, view, disgust_angry):
    page = app("confusion", view=view)
    assert_sound(page)
    # 12 of 20 labelled disgust, of 28 answered angry, of 160 images; the other model has 4 of 20
    assert cells(page)["disgust", "angry"] == disgust_angry


def test_choosing_a_view_changes_the_numbers_and_the_address(app):
    page = app("confusion")
    page.selectbox(key="view").set_value("counts").run()
    assert cells(page)["happy", "happy"] == "38"
    assert page.query_params["view"] == "counts"


@pytest.mark.parametrize(
    ("part", "images"), [("all", 160), ("public", 80), ("private", 80), ("private_clean", 80), ("val", 80)]
)
def test_every_part_of_the_data_can_be_looked_at(app, part, images):
    page = app("confusion", part=part, view="counts")
    assert_sound(page)
    assert sum(int(text) for text in cells(page).values()) == images


def test_another_model_can_be_chosen(app):
    page = app("confusion")
    page.selectbox(key="model").set_value("second").run()
    assert_sound(page)
    assert cells(page)["disgust", "angry"] == "20 %"
    assert page.query_params["model"] == "second"


def test_the_other_model_is_chosen_where_a_difference_is_shown(app):
    page = app("confusion", view="model")
    assert page.selectbox(key="compare").value == "second"
    assert page.query_params["compare"] == "second"
    assert not [box for box in app("confusion").selectbox if box.key == "compare"]


def test_the_clustered_order_puts_confused_classes_side_by_side(app):
    page = app("confusion")
    page.selectbox(key="order").set_value("clustered").run()
    found = order(page)
    assert abs(found.index("fear") - found.index("surprise")) == 1
    assert abs(found.index("disgust") - found.index("angry")) == 1


def test_what_the_errors_cost_follows_the_costs_that_are_set(app):
    page = app("confusion", part="private")
    assert any("Expected cost of an answered face: 0.275" in text.value for text in page.markdown)  # 22 of 80 are wrong
    dearest = tables(page)["Error"][0]
    assert (dearest["Images"], dearest["Cost of one"]) == (6, 1.0)
    page = app("confusion", part="private", cost="disgust:1.5")
    assert any("by the costs set above" in text.value for text in page.markdown)
    assert tables(page)["Error"][0]["Cost of one"] == 1.5


def test_a_cell_opens_by_its_address(app):
    page = app("confusion", true="disgust", pred="angry")
    assert_sound(page)
    assert page.subheader[0].value == "disgust → angry"
    said = sentences_of(page)
    assert "Labelled **disgust**: 12 of 20, 60.0 % (39–78 %) got the answer **angry**" in said
    assert "Of the answers angry, 12 of 28, 42.9 % (27–61 %) are labelled disgust" in said
    assert cells(page, "open")["disgust", "angry"]
    assert sum(cells(page, "open").values()) == 1


@pytest.mark.parametrize("query", [{"true": "nonsense", "pred": "angry"}, {"true": "disgust"}, {"pred": "<script>"}])
def test_an_address_that_names_no_cell_opens_none(app, query):
    page = app("confusion", **query)
    assert_sound(page)
    assert not page.subheader
    assert "Click a cell" in sentences_of(page)


def test_an_address_with_nonsense_in_it_shows_the_page(app):
    page = app("confusion", model="x", part="y", view="z", tau="nan", temp="-5", least="abc", goes="joy")
    assert_sound(page)
    assert cells(page)["disgust", "angry"] == "60 %"


def test_an_error_is_opened_and_closed_by_buttons(app):
    page = app("confusion")
    click(page, "disgust → angry")
    assert page.subheader[0].value == "disgust → angry"
    assert (page.query_params["true"], page.query_params["pred"]) == ("disgust", "angry")
    click(page, "Close")
    assert not page.subheader
    assert "true" not in page.query_params


def test_without_the_images_an_explanation_stands_in_their_place(app):
    page = app("confusion", true="disgust", pred="angry")
    assert "FER_DATA_DIR" in "".join(info.value for info in page.info)
    assert "FERPLUS_CSV" in sentences_of(page)
    assert "Mean score 0.30 for disgust, 0.57 for angry." in sentences_of(page)


def test_the_faces_of_a_cell_stand_there_worst_first(app, faces):
    page = app("confusion", true="disgust", pred="angry")
    assert_sound(page)
    html = html_of(page)
    assert html.count("<img") == 12
    margins = [part.split("<")[0] for part in html.split('opacity:.85">')[1:]]
    assert margins[0] == "+0.30"
    assert margins == sorted(margins, reverse=True)
    assert "Face labelled disgust: scores 0.30 for disgust, 0.60 for angry" in html


def test_many_faces_are_paged(app, faces):
    page = app("confusion", true="happy", pred="happy")
    assert html_of(page).count("<img") == 16
    pagination = page.get("pagination")
    assert len(pagination) == 1


def test_an_empty_cell_says_so(app):
    page = app("confusion", true="happy", pred="angry")
    assert_sound(page)
    assert "No image is in this cell." in [info.value for info in page.info]


def test_votes_of_the_cell_are_shown_where_there_are_any(app, tmp_path, monkeypatch):
    from fer_core.data import ferplus

    path = tmp_path / "votes.csv"
    path.write_text(
        "row,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n" + "5,0,0,0,0,8,2,0,0,0,0\n"
    )
    monkeypatch.setenv("FERPLUS_CSV", str(path))
    monkeypatch.setattr(ferplus, "row_map", lambda: {"test/disgust/PublicTest_000.jpg": 5})
    page = app("confusion", true="disgust", pred="angry")
    assert_sound(page)
    said = sentences_of(page)
    assert "agree with the label **disgust** on 0 of 1" in said
    assert "with the answer **angry** on 1 of 1" in said
    assert "11 images have no votes" in said
    assert tables(page)["Vote"][0] == {"Vote": "anger", "Mean share of ten votes": 0.8}


def test_the_same_cell_in_another_model_is_compared(app):
    page = app("confusion", true="disgust", pred="angry")
    # of the 12 images the other model also calls 4 angry; its cell holds just these
    said = sentences_of(page)
    assert "**Toy second**: 4 of these 12 are in its cell too (which holds 4, overlap 0.33)" in said
    assert "It answers disgust 8, angry 4." in said


def test_tau_changes_matrix_figures_and_address(app):
    page = app("confusion")
    before = cells(page, "images")["disgust", "disgust"]
    page.slider(key="tau").set_value(1.0).run()
    assert_sound(page)
    assert before == "4 of 20"
    # divided by the priors of angry or happy and of disgust, 0.6 and 0.3 change places
    assert cells(page, "images")["disgust", "disgust"] == "20 of 20"
    assert page.query_params["tau"] == "1"
    assert "logit adjustment τ = 1.00" in "".join(info.value for info in page.info)


def test_a_setting_comes_back_by_its_address(app):
    page = app("confusion", tau="1", temp="2", least="0.1")
    assert [page.slider(key=key).value for key in ("tau", "temp", "least")] == [1.0, 2.0, 0.1]
    assert cells(page, "images")["disgust", "disgust"] == "20 of 20"


def test_mixture_thresholds_and_costs_come_back_by_the_address_they_wrote(app):
    page = app("confusion")
    page.multiselect(key="ensemble").set_value(["second"]).run()
    page.slider(key="weight_second").set_value(0.5).run()
    page.slider(key="threshold_sad").set_value(0.2).run()
    page.selectbox(key="cost_kind").set_value("class").run()
    page.number_input(key="cost_times").set_value(3.0).run()
    page.selectbox(key="rescued").set_value("fear").run()
    assert_sound(page)
    query = dict(page.query_params)
    assert query == {"mix": "second:0.5", "least_sad": "0.2", "cost": "disgust:3", "rescue": "fear"}
    again = app("confusion", **query)
    assert_sound(again)
    assert cells(again) == cells(page)
    assert again.number_input(key="cost_times").value == 3.0
    assert app("confusion", mirror="1").toggle(key="mirror").value


def test_nonsense_about_a_setting_in_the_address_is_passed_over(app):
    page = app("confusion", mix="nobody:x,second:y", cost="joy:3", least_sad="x", rescue="y", mirror="?")
    assert_sound(page)
    assert page.slider(key="weight_second").value == 1.0
    assert page.selectbox(key="cost_kind").value == "score"


def test_temperature_leaves_the_matrix_and_changes_the_calibration(app):
    page = app("confusion")
    matrix, said = cells(page), sentences_of(page)
    page.slider(key="temp").set_value(2.0).run()
    assert cells(page) == matrix
    assert [line for line in said.splitlines() if "ECE" in line] != [
        line for line in sentences_of(page).splitlines() if "ECE" in line
    ]


def test_abstention_adds_a_column_and_the_share_of_answers(app):
    page = app("confusion")
    page.slider(key="least").set_value(0.7).run()
    assert_sound(page)
    assert cells(page, "images")["disgust", "no answer"] == "16 of 20"
    assert "Answered" in metrics(page)


def test_a_threshold_keeps_a_class_from_being_answered(app):
    page = app("confusion")
    page.slider(key="threshold_angry").set_value(0.95).run()
    assert cells(page, "images")["disgust", "angry"] == "0 of 20"
    assert cells(page, "images")["disgust", "disgust"] == "16 of 20"


def test_costs_change_the_answers(app):
    page = app("confusion")
    page.selectbox(key="cost_kind").set_value("class").run()
    assert_sound(page)
    assert page.selectbox(key="cost_class").value == "disgust"
    page.number_input(key="cost_times").set_value(10.0).run()
    # expected cost of angry 10 x 0.3 + …, of disgust 0.7
    assert cells(page, "images")["disgust", "disgust"] == "20 of 20"
    page.selectbox(key="cost_kind").set_value("table").run()
    assert_sound(page)
    assert cells(page, "images")["disgust", "angry"] == "12 of 20"


def test_the_mirror_can_be_chosen_where_its_predictions_are_stored(app):
    page = app("confusion")
    page.toggle(key="mirror").set_value(True).run()
    assert_sound(page)
    # the mean of 0.6 / 0.3 and 0.3 / 0.9 …: the mirrored answers to disgust are other ones
    assert cells(page)["disgust", "angry"] != "60 %"
    other = app("confusion", model="second")
    assert other.toggle(key="mirror").disabled


def test_models_are_mixed_with_weights(app):
    page = app("confusion")
    page.multiselect(key="ensemble").set_value(["second"]).run()
    assert_sound(page)
    page.slider(key="weight_second").set_value(4.0).run()
    assert cells(page)["disgust", "angry"] == "20 %"
    page.slider(key="weight_second").set_value(0.0).run()
    assert cells(page)["disgust", "angry"] == "60 %"
    click(page, "Weights of the mixture")
    assert_sound(page)
    assert page.slider(key="weight_second").value > 1  # it is right more often on validation


def test_rescue_chooses_tau_on_validation_and_shows_the_price(app):
    page = app("confusion")
    click(page, "Rescue disgust")
    assert_sound(page)
    assert page.slider(key="tau").value > 0
    said = sentences_of(page)
    assert "of disgust instead of 20.0 %" in said
    assert "The price: accuracy changes by" in said


def test_another_class_can_be_rescued_at_another_price(app):
    page = app("confusion")
    page.selectbox(key="rescued").set_value("fear").run()
    page.number_input(key="price").set_value(0.0).run()
    click(page, "Rescue fear")
    assert_sound(page)
    assert "Recall of fear" in metrics(page)


@pytest.mark.parametrize(
    ("button", "slider"), [("τ for macro-F1", "tau"), ("Calibrate T", "temp"), ("Answer where 90 % are right", "least")]
)
def test_a_setting_is_chosen_on_validation_by_a_button_and_set_back(app, button, slider):
    page = app("confusion")
    default = page.slider(key=slider).value
    click(page, button)
    assert_sound(page)
    assert page.slider(key=slider).value != default
    click(page, "Back to the model as it is")
    assert page.slider(key=slider).value == default
    assert slider not in page.query_params


def test_the_page_says_where_settings_are_chosen_and_where_they_are_shown(app):
    said = sentences_of(app("confusion", part="private"))
    assert "choose on the **validation** images" in said
    assert "the figures are of **PrivateTest**" in said
    assert "too good" in sentences_of(app("confusion", part="val"))


def test_without_validation_predictions_nothing_can_be_chosen(app, models_dir):
    make_evaluated_model(models_dir, "test-only", accuracy=0.9, splits=("public", "private"))
    page = app("confusion", model="test-only")
    assert_sound(page)
    assert "no stored predictions for validation" in sentences_of(page)
    assert all(button.disabled for button in page.button if button.label.startswith(("Rescue", "Calibrate")))
    page.slider(key="tau").set_value(1.0).run()
    assert_sound(page)


def test_where_disgust_goes_is_said_from_the_numbers_for_every_model(app):
    said = sentences_of(app("confusion"))
    assert "“Toy first”: disgust goes most often to **angry** (12 of 20)" in said
    assert "“Toy second”: undecided; of 20 images labelled disgust" in said
    assert "“Toy second, mis-paired”" in said
    assert "says nothing about disgust" in said
    assert "**happy**" not in said


def test_where_another_class_goes_can_be_asked(app):
    page = app("confusion")
    page.segmented_control(key="goes").set_value("fear").run()
    assert_sound(page)
    assert page.query_params["goes"] == "fear"
    assert "fear goes most often to **surprise** (10 of 20)" in sentences_of(page)


def test_the_classes_have_their_scores_with_intervals_and_dashes(app):
    (disgust,) = [row for row in tables(app("confusion"))["Class"] if row["Class"] == "Disgust"]
    assert plain(disgust["Precision"]) == "100.0 % (51–100 %)"
    assert plain(disgust["Recall"]) == "20.0 % (8–42 %)"
    assert disgust["F1"] == f"{2 * 4 / (20 + 4):.3f}"
    assert (disgust["Support"], disgust["Answered"]) == (20, 4)


def test_a_class_without_answers_or_images_gets_a_dash_and_no_crash(app, models_dir):
    rows = {emotion: {"happy": 10} for emotion in EMOTIONS if emotion != "disgust"}
    make_evaluated_model(models_dir, "constant", rows, accuracy=0.99)
    for view in ("row", "column", "counts", "chance"):
        page = app("confusion", model="constant", view=view)
        assert_sound(page)
    assert cells(app("confusion", model="constant"))["disgust", "happy"] == "–"
    assert cells(app("confusion", model="constant", view="column"))["angry", "angry"] == "–"
    (disgust,) = [row for row in tables(app("confusion", model="constant"))["Class"] if row["Class"] == "Disgust"]
    assert (disgust["Precision"], disgust["Recall"], disgust["F1"], disgust["ROC-AUC"]) == ("–",) * 4


def test_models_of_other_images_get_a_sentence_and_the_matrix_stays(app, models_dir):
    make_evaluated_model(models_dir, "elsewhere", {"happy": {"happy": 3}, "sad": {"sad": 2}}, accuracy=0.1)
    page = app("confusion", true="disgust", pred="angry")
    assert_sound(page)
    page.multiselect(key="ensemble").set_value(["elsewhere"]).run()
    assert not page.exception
    assert "not evaluated on the same images" in page.error[0].value


def test_without_any_predictions_the_page_says_what_is_missing(app, tmp_path, monkeypatch):
    monkeypatch.setenv("FER_MODELS_DIR", str(tmp_path / "nothing"))
    page = app("confusion")
    assert not page.exception
    assert "stored predictions" in page.error[0].value


def test_two_visitors_do_not_disturb_each_other(app):
    one, other = app("confusion"), app("confusion")
    one.slider(key="tau").set_value(2.0).run()
    click(one, "angry → sad") if any(b.label.startswith("angry → sad") for b in one.button) else None
    other.run()
    assert other.slider(key="tau").value == 0
    assert cells(other)["disgust", "angry"] == "60 %"
    assert not other.subheader


def test_a_chart_is_the_same_chart_after_a_cell_was_opened(app):
    page = app("confusion")
    before = {e.proto.id or e.proto.alt: e.proto.spec for e in page.get("vega_lite_chart")}
    click(page, "disgust → angry")
    after = {e.proto.id or e.proto.alt: e.proto.spec for e in page.get("vega_lite_chart")}
    common = set(before) & set(after)
    assert len(common) >= 6
    assert all(before[key] == after[key] for key in common)


def test_every_chart_has_a_text_in_its_place(app):
    page = app("confusion", true="disgust", pred="angry")
    assert all(chart.proto.alt for chart in page.get("vega_lite_chart"))


def test_files_can_be_taken_along(app):
    labels = [button.label for button in app("confusion", true="disgust", pred="angry").get("download_button")]
    assert labels == [
        "Images and scores as CSV",
        "This page as HTML",
        "Matrix as CSV",
        "Matrix as PNG",
        "Classes as CSV",
    ]


def test_the_page_needs_neither_tensorflow_nor_scikit_learn(models_dir):
    script = (
        "import sys\n"
        "from streamlit.testing.v1 import AppTest\n"
        "page = AppTest.from_file('streamlit_app.py', default_timeout=60)\n"
        "page.query_params['true'], page.query_params['pred'] = 'disgust', 'angry'\n"
        "page.switch_page('pages/confusion.py').run()\n"
        "assert not page.exception and not page.error, page.error\n"
        "assert page.subheader\n"
        "print([name for name in ('tensorflow', 'keras', 'sklearn', 'scipy', 'altair') if name in sys.modules])\n"
    )
    found = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip().splitlines()[-1] == "[]"


def test_toy_scores_are_what_the_tests_here_count_on():
    from tests.toy_predictions import toy_predictions

    found = toy_predictions(MATRIX).select("all")
    assert len(found) == ALL
    assert int((found.predicted == found.labels).sum()) == 116
    first = found.take(
        np.flatnonzero((found.labels == index_of("disgust")) & (found.predicted == index_of("angry")))[:1]
    )
    assert first.proba[0, [index_of("angry"), index_of("disgust")]] == pytest.approx([0.6, 0.3])
