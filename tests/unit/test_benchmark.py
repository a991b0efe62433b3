from __future__ import annotations

import argparse
import json
import re
from dataclasses import replace

import pytest

from fer_core import architectures, benchmark, leaderboard
from fer_core.architectures import BuildOptions
from fer_core.benchmark import BEGIN, BEGIN_TRAINING, END, Machine, Memory, Report, Start, TrainingReport
from fer_core.errors import FerError, ModelNotFound
from fer_core.settings import ROOT
from fer_core.training import speed
from fer_core.training.recipe import Recipe, get_recipe
from fer_core.training.speed import Key, Speed
from tests.toy import make_toy_model


@pytest.fixture
def report() -> Report:
    return Report(
        date="2026-01-31",
        machine=Machine("Toy CPU", 2, 23.6, "Toy OS 1", "3.11.7", {"numpy": "2.0"}),
        load=0.0,
        model="toy",
        model_input="48x48x1",
        model_mb=1.25,
        start=Start(seconds=0.514, runs=[0.5, 0.514, 0.6], peak_mb=131.4),
        stages_ms={
            "decode": 4.26,
            "detect": 6.0,
            "crop": 0.111,
            "preprocess": 0.05,
            "face_to_scores": 1.5,
            "photo_to_scores": 12.34,
        },
        faces_per_second={1: 500.0, 16: 900.4, 64: 1000.0},
        memory=Memory(predictions=1000, before_mb=120.0, after_mb=123.25),
    )


def test_the_table_names_the_machine_and_sets_each_figure_beside_its_limit(report):
    text = benchmark.to_markdown(report)
    assert "Toy CPU, 2 cores, 24 GB, Toy OS 1, Python 3.11.7; numpy 2.0." in text
    assert "`toy` (input 48x48x1, 1.2 MB), 2026-01-31" in text
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    assert ["Fresh process to printed scores, median", "0.51 s", "1 s"] in rows
    assert ["Fresh process, peak memory", "131 MB", "200 MB"] in rows
    assert ["Photo to scores, all stages", "12.3 ms", "40 ms"] in rows
    assert ["Throughput, batch of 16", "900 faces/s", ""] in rows
    assert ["Growth over 1,000 predictions", "3.2 MB", "20 MB"] in rows


def test_what_a_platform_does_not_tell_is_not_made_up(report):
    silent = replace(
        report,
        machine=replace(report.machine, memory_gb=None),
        load=None,
        start=replace(report.start, peak_mb=None),
        memory=Memory(1000, None, None),
    )
    text = benchmark.to_markdown(silent)
    assert "| Fresh process, peak memory | n/a |" in text
    assert "| Growth over 1,000 predictions | n/a |" in text
    assert " GB" not in text


def test_a_busy_machine_is_admitted_beside_the_figures(report):
    assert "doing something else" not in benchmark.to_markdown(report)
    assert "doing something else (load 1.9)" in benchmark.to_markdown(replace(report, load=1.9))


def test_writing_replaces_the_section_and_keeps_the_rest(tmp_path):
    path = tmp_path / "performance.md"
    path.write_text(f"# Mine\n\n{BEGIN}\n\nold\n\n{END}\n\nAfter.\n", encoding="utf-8")
    benchmark.write_section(path, "new")
    assert path.read_text(encoding="utf-8") == f"# Mine\n\n{BEGIN}\n\nnew\n\n{END}\n\nAfter.\n"


def test_writing_to_a_new_file_explains_the_figures_once(tmp_path):
    path = tmp_path / "performance.md"
    benchmark.write_section(path, "first")
    benchmark.write_section(path, "second")
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# Performance\n")
    assert text.count(BEGIN) == text.count(END) == text.count("# Performance") == 1
    assert "second" in text
    assert "first" not in text


def test_a_file_that_cannot_be_written_is_a_sentence(tmp_path):
    with pytest.raises(FerError, match="cannot be written"):
        benchmark.write_section(tmp_path / "missing" / "performance.md", "text")


def test_the_median_ignores_one_slow_call(monkeypatch):
    ticks = iter([0.0, 0.001, 1.0, 1.002, 2.0, 7.0])
    monkeypatch.setattr(benchmark.time, "perf_counter", lambda: next(ticks))
    assert benchmark.median_ms(lambda: None, 3) == pytest.approx(2.0)


def test_resident_memory_sees_an_allocation():
    before = benchmark.resident_mb()
    if before is None:
        pytest.skip("this platform does not tell")
    block = bytearray(b"x") * 100 * 1024 * 1024
    after = benchmark.resident_mb()
    assert after is not None
    assert after - before == pytest.approx(100, abs=20)
    del block


def test_a_fresh_process_that_fails_is_reported_in_its_own_words(tmp_path):
    card = make_toy_model(tmp_path)
    (card.directory / "model.onnx").unlink()
    with pytest.raises(FerError, match=r"model\.onnx is in its card but not in the folder"):
        benchmark.measure_start(card, 1)


def test_the_command_measures_everything_and_writes_it_down(tmp_path, monkeypatch, capsys):
    make_toy_model(tmp_path / "models")
    monkeypatch.setenv("FER_MODELS_DIR", str(tmp_path / "models"))
    measure = benchmark.measure
    monkeypatch.setattr(benchmark, "measure", lambda card: measure(card, starts=1, repeats=1, predictions=10))
    monkeypatch.setattr(benchmark, "measure_pages", lambda repeats: {"what_if_face": 12.3})  # of the committed models
    target = tmp_path / "performance.md"
    assert benchmark.run(argparse.Namespace(latency=False, training=False, model=None, json=True, write=target)) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["model"] == "toy"
    assert len(figures["start"]["runs"]) == 1
    assert set(figures["faces_per_second"]) == {"1", "16", "64"}
    assert all(value > 0 for value in figures["stages_ms"].values())
    assert figures["machine"]["versions"]["onnxruntime"]
    assert re.search(r"\| Photo to scores, all stages \| [\d.]+ ms \| 40 ms \|", target.read_text(encoding="utf-8"))
    assert "| Saliency: a what-if slider moved | 12 ms | 100 ms |" in target.read_text(encoding="utf-8")


def test_every_model_that_can_be_asked_is_timed_and_the_file_is_what_the_leaderboard_reads(
    tmp_path, monkeypatch, capsys
):
    make_toy_model(tmp_path / "models")
    make_toy_model(tmp_path / "models", "mute", onnx=False)
    monkeypatch.setenv("FER_MODELS_DIR", str(tmp_path / "models"))
    target = tmp_path / "latency.json"
    assert benchmark.run(argparse.Namespace(latency=True, training=False, model=None, json=False, write=target)) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(target.read_text(encoding="utf-8"))
    times = leaderboard.read_latency(target)
    assert set(times) == {"toy"}
    assert times["toy"].milliseconds > 0
    assert json.loads(target.read_text(encoding="utf-8"))["by"] == {"toy": "ONNX Runtime"}


def test_every_page_and_both_what_ifs_are_timed_on_the_committed_models(monkeypatch):
    monkeypatch.delenv("FER_MODELS_DIR", raising=False)
    from pages._ui.shell import PAGES
    from pages._ui.timing import SLIDERS

    found = benchmark.measure_pages(1)
    assert set(found) == {page.slug for page in PAGES} | {name for name, _, _ in SLIDERS.values()}
    assert all(value > 0 for value in found.values())


def test_a_page_that_shows_an_error_is_not_timed(tmp_path, monkeypatch):
    monkeypatch.setenv("FER_MODELS_DIR", str(tmp_path))
    with pytest.raises(FerError, match="shows an error"):
        benchmark.measure_pages(1)


def test_an_unknown_model_is_not_measured(tmp_path, monkeypatch):
    make_toy_model(tmp_path)
    monkeypatch.setenv("FER_MODELS_DIR", str(tmp_path))
    with pytest.raises(ModelNotFound, match="toy"):
        benchmark.run(argparse.Namespace(latency=False, training=False, model="other", json=False, write=None))


# ---------------------------------------------------------------------------------------------------------------------
# --training


@pytest.fixture
def trained(report) -> TrainingReport:
    speeds = [
        Speed(Key("mobilenet", "cut", 96, "float32"), ("mobilenet-a", "mobilenet-b"), 7.7, 0.5),
        Speed(Key("mobilenet", "", 96, "float32"), ("mobilenet-c",), 8.47, 0.5),
        Speed(Key("resnet50", "", 48, "float32"), (), 24.2, 0.25),
        Speed(Key("resnet50", "", 48, "mixed_bfloat16"), ("resnet50-improved",), 6.0, 0.25),
    ]
    return TrainingReport("2026-01-31", report.machine, 0.0, speeds)


def cells_of(text):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"][2:]


def test_a_step_stands_beside_the_guides_figure_where_it_has_one(trained):
    text = benchmark.training_to_markdown(trained)
    # 7.7 ms x 28,709 images = 3.7 minutes; 8.47 of 7.7 ms is 1.10, 24.2 of 12.1 ms is 2
    assert cells_of(text) == [
        ["mobilenet to `cut`", "96", "float32", "64", "7.7", "0.50", "3.7", "", "", "mobilenet-a, mobilenet-b"],
        ["mobilenet", "96", "float32", "64", "8.5", "0.50", "4.1", "7.7", "1.10", "mobilenet-c"],
        ["resnet50", "48", "float32", "64", "24.2", "0.25", "11.6", "12.1", "2.00 (slower)", "none: for comparison"],
        ["resnet50", "48", "bfloat16", "64", "6.0", "0.25", "2.9", "", "", "resnet50-improved"],
    ]
    assert "Toy CPU, 2 cores" in text
    assert "doing something else" not in text
    assert "doing something else (load 2.0)" in benchmark.training_to_markdown(replace(trained, load=2.0))


def test_each_kind_of_step_is_measured_once_and_beside_the_guide_in_float32_too():
    build = BuildOptions(size=48)
    recipes = [
        Recipe("resnet50", "a", build=build, small_size=32, small_epochs=2, precision="mixed_bfloat16"),
        Recipe("resnet50", "b", build=build, precision="mixed_bfloat16"),
        Recipe("mobilenet", "c", build=build),
        Recipe("vgg16", "d", build=build, batch_size=32),
    ]
    half, full = Key("resnet50", "", 48, "mixed_bfloat16"), Key("resnet50", "", 48, "float32")
    planned = speed.plan(recipes)
    assert all(recipe.build.cut == key.cut for key, (recipe, _) in planned.items())
    assert {key: runs for key, (_, runs) in planned.items()} == {
        half._replace(size=32): ("resnet50-a",),
        half: ("resnet50-a", "resnet50-b"),
        full: (),
        full._replace(size=64): (),  # of the guide, and of no recipe
        Key("mobilenet", "", 48, "float32"): ("mobilenet-c",),
        Key("mobilenet", "", 96, "float32"): (),
        Key("mobilenet", "conv_pw_11_relu", 96, "float32"): (),
        Key("mobilenet", "conv_pw_11_relu", 128, "float32"): (),
        Key("vgg16", "", 48, "float32", 32): ("vgg16-d",),
        Key("vgg16", "", 48, "float32"): (),  # as the guide measured
    }


@pytest.mark.train
def test_a_step_of_any_network_can_be_measured_without_data(monkeypatch):
    monkeypatch.setitem(architectures.TABLE, "toy", "tests.toy_network")
    recipe = Recipe("toy", "t", build=BuildOptions(size=24), batch_size=4, ema=0.9, initial_weights="/absent")
    recipe = replace(recipe, precision="mixed_bfloat16", small_size=16, small_epochs=1)
    frozen = get_recipe("mobilenet", "report")
    monkeypatch.setattr(speed, "RECIPES", {"toy": {"t": recipe}, "mobilenet": {"report": frozen}})
    measured = speed.measure(steps=2)
    assert [one.key for one in measured] == [Key("toy", "", size, "mixed_bfloat16", 4) for size in (16, 24)]
    assert all((one.runs, one.ratio) == (("toy-t",), None) for one in measured)
    assert all(one.train_ms > 0 and one.pipeline_ms > 0 for one in measured)


def test_the_command_writes_the_steps_into_the_page_on_training(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(benchmark, "measure_training", lambda: trained)
    page = tmp_path / "training.md"
    page.write_text((ROOT / "docs" / "training.md").read_text(encoding="utf-8"), encoding="utf-8")
    assert benchmark.run(argparse.Namespace(latency=False, training=True, model=None, json=True, write=page)) == 0
    assert json.loads(capsys.readouterr().out)["speeds"][0]["train_ms"] == 7.7
    text = page.read_text(encoding="utf-8")
    assert text.count(BEGIN_TRAINING) == text.count(END) == text.count("# Training\n") == 1
    assert cells_of(text.partition(BEGIN_TRAINING)[2])[2][0] == "resnet50"
