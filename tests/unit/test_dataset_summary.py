"""Statistics of the votes, what leaks do, the tables that are built, and the charts: hand-computed."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_core import figures_dataset
from fer_core.data import build, catalogue, effects, facts, people, tables
from fer_core.data.fer2013 import Fer2013, open_dataset
from fer_core.data.ferplus import VOTE_COLUMNS
from fer_core.errors import DatasetError
from fer_core.evaluation.predictions import Predictions
from fer_core.labels import EMOTIONS, index_of
from fer_core.settings import Settings
from tests.text import plain
from tests.toy import make_toy_model

ANGRY, HAPPY = index_of("angry"), index_of("happy")


def votes(**given: int) -> list[int]:
    return [given.get(column, 0) for column in VOTE_COLUMNS]


def column(name: str) -> int:
    return VOTE_COLUMNS.index(name)


def test_every_image_weighs_the_same_in_the_mean_votes() -> None:
    counts = np.array([votes(anger=10), votes(anger=1, neutral=1), votes(happiness=4, NF=1)])
    mean = people.mean_votes(np.array([ANGRY, ANGRY, HAPPY]), counts)
    assert mean[ANGRY, column("anger")] == pytest.approx(0.75)  # (1 + 1/2) / 2, not 11/12
    assert mean[ANGRY, column("neutral")] == pytest.approx(0.25)
    assert mean[HAPPY, column("NF")] == pytest.approx(0.2)
    assert np.isnan(mean[index_of("fear")]).all()


def test_votes_for_the_label() -> None:
    counts = np.array([votes(anger=3, fear=1), votes(fear=2), votes()])
    share = people.votes_for_label(np.array([ANGRY, HAPPY, HAPPY]), counts)
    assert share[:2].tolist() == [0.75, 0]
    assert np.isnan(share[2])


def test_what_a_second_person_says() -> None:
    # three people: two say anger, one disgust. Of the two others of an anger voter one says anger, one disgust;
    # both others of the disgust voter say anger. The image with a single vote has no second person.
    second = people.second_opinions(np.array([votes(anger=2, disgust=1), votes(disgust=1)]))
    assert second[column("anger"), [column("anger"), column("disgust")]].tolist() == [0.5, 0.5]
    assert second[column("disgust"), column("anger")] == 1
    assert np.isnan(second[column("fear")]).all()


def test_the_summary_of_votes_counts_majorities_and_agreement() -> None:
    labels = np.array([ANGRY, ANGRY, HAPPY])
    counts = np.array([votes(anger=6, neutral=4), votes(neutral=9, anger=1), votes(happiness=10)])
    summary = people.summarise(labels, np.array(["private", "private", "train"]), counts)
    assert summary["votes"] == 30
    assert summary["agreement"]["all"]["value"] == pytest.approx(2 / 3, abs=1e-4)
    assert summary["agreement"]["private"] == {
        "n": 2,
        "value": 0.5,
        "strict": 0.5,
        "lenient": 0.5,
        "one_person": 0.35,  # (0.6 + 0.1) / 2
        "per_class": [0.5, None, None, None, None, None, None],
        "support": [2, 0, 0, 0, 0, 0, 0],
    }
    assert summary["majority"][ANGRY][column("neutral")] == 1
    assert sum(summary["entropy"]["counts"][ANGRY]) == 2
    assert summary["entropy"]["mean"][HAPPY] == 0


def test_the_answers_beside_an_emotion_are_sorted_and_without_itself() -> None:
    rows = [[0.0] * 10 for _ in VOTE_COLUMNS]
    rows[column("disgust")][column("disgust")] = 0.5
    rows[column("disgust")][column("anger")] = 0.2
    rows[column("disgust")][column("fear")] = 0.3
    same, others = people.beside({"columns": list(VOTE_COLUMNS), "second_opinions": rows}, "disgust")
    assert same == 0.5
    assert others[:2] == [("fear", 0.3), ("anger", 0.2)]
    assert "disgust" not in dict(others)


def test_people_witness_for_and_against_doubted_labels_as_a_whole() -> None:
    labels = np.array([ANGRY, ANGRY, ANGRY, HAPPY])
    suspect = np.array([True, True, False, False])
    suggested = np.array([HAPPY, HAPPY, ANGRY, HAPPY])
    counts = np.array([votes(happiness=9, anger=1), votes(contempt=10), votes(anger=10), votes(neutral=10)])
    assert people.witness(labels, suspect, suggested, counts) == {
        "suspect": {"n": 2, "label": 0.0, "against_label": 1.0, "suggested": 0.5},
        "other": {"n": 2, "label": 0.5, "against_label": 0.5},
    }


def test_the_effect_of_leaks_is_measured_on_private_test_only() -> None:
    names = np.array([f"test/happy/PrivateTest_{k}.jpg" for k in range(4)] + ["test/happy/PublicTest_9.jpg"])
    proba = np.full((5, 7), 0.05, np.float32)
    for row, said in enumerate((HAPPY, HAPPY, ANGRY, ANGRY, ANGRY)):
        proba[row, said] = 0.7
    stored = Predictions(names, np.array(["private"] * 4 + ["public"]), np.full(5, HAPPY), proba)
    effect = effects.leak_effect(stored, {names[0], names[4]})
    assert (effect.everything, effect.leaked) == (0.5, 1.0)
    assert effect.clean == pytest.approx(1 / 3)
    assert (effect.n_clean, effect.n_leaked) == (3, 1)
    assert np.isnan(effects.leak_effect(stored, set()).leaked)
    # without the second image, too, of which Training has a near duplicate: both others are wrong
    cleanest = effects.leak_effect(stored, {names[0]}, {names[1]})
    assert (cleanest.cleanest, cleanest.n_cleanest) == (0, 2)


def small_set() -> Fer2013:
    """Six faces: a test image that stands in Training too, twins with two labels, a blank."""
    rng = np.random.default_rng(3)
    rough = rng.normal(128, 60, (6, 12, 12)).clip(0, 255).astype(np.float32)
    faces = np.stack([cv2.resize(face, (48, 48), interpolation=cv2.INTER_CUBIC) for face in rough]).clip(0, 255)
    faces = faces.astype(np.uint8)
    faces[1] = faces[0]
    faces[5] = 0
    names = [
        "train/sad/Training_11.jpg",
        "test/happy/PrivateTest_12.jpg",
        "train/happy/Training_13.jpg",
        "train/fear/Training_14.jpg",
        "test/fear/PublicTest_15.jpg",
        "train/angry/Training_16.jpg",
    ]
    labels = np.array([index_of(name.split("/")[1]) for name in names])
    usage = np.array([name.split("/")[2].split("_")[0] for name in names])
    return Fer2013(faces, labels, usage, np.array(names))


def read(path: Path) -> list[list[str]]:
    return [line.split(",") for line in path.read_text().splitlines()]


def test_tables_of_a_small_set(tmp_path: Path) -> None:
    build.from_images(small_set(), tmp_path, lambda sentence: None)
    assert read(tmp_path / "leaked.csv")[1:] == [["test/happy/PrivateTest_12.jpg", "train/sad/Training_11.jpg"]]
    assert read(tmp_path / "repeated.csv")[1:] == [
        ["0", "test/happy/PrivateTest_12.jpg"],
        ["0", "train/sad/Training_11.jpg"],
    ]
    assert read(tmp_path / "blank.csv")[1:] == [["train/angry/Training_16.jpg", "blank", "0.0", "0.0"]]
    with np.load(tmp_path / "images.npz") as stored:
        found = catalogue.unpack(dict(stored))
    assert found.names.tolist() == sorted(small_set().names.tolist())
    with np.load(tmp_path / "faces.npz") as stored:
        np.testing.assert_allclose(stored["mean"][HAPPY], small_set().images[[1, 2]].mean(axis=0), atol=0.1)
        assert np.isnan(stored["mean"][ANGRY]).all()  # its only image is blank


def test_tables_do_not_depend_on_the_order_of_the_images_or_the_time(tmp_path: Path) -> None:
    faces = small_set()
    turned = Fer2013(faces.images[::-1], faces.labels[::-1], faces.usage[::-1], faces.names[::-1])
    for folder, dataset in (("a", faces), ("b", turned)):
        (tmp_path / folder).mkdir()
        build.from_images(dataset, tmp_path / folder, lambda sentence: None)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_a_set_without_file_names_cannot_make_tables(tmp_path: Path) -> None:
    faces = small_set()
    nameless = Fer2013(faces.images, faces.labels, faces.usage, np.array([f"row/{k:05d}" for k in range(6)]))
    with pytest.raises(DatasetError, match="has none"):
        build.from_images(nameless, tmp_path, lambda sentence: None)


def test_neighbours_are_ordered_and_repeats_of_an_image_are_none_of_its_own() -> None:
    angles = np.radians([0, 0, 10, 30, 80])
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    groups = np.array([0, 0, 2, 3, 4])
    for chunk in (2, 100):
        near = build.nearest(features, groups, 2, chunk=chunk)
        assert near[0].tolist() == [2, 3]
        assert near[1].tolist() == [2, 3]
        assert set(near[2].tolist()) == {0, 1}
        assert near[4].tolist() == [3, 2]


def test_the_map_of_a_model_holds_validation_and_test_images(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    count = 40
    faces = rng.integers(0, 256, (count, 48, 48), dtype=np.uint8)
    names = np.array(
        [f"test/happy/PublicTest_{k}.jpg" for k in range(20)] + [f"train/sad/Training_{k}.jpg" for k in range(20)]
    )
    labels = np.array([HAPPY] * 20 + [index_of("sad")] * 20)
    usage = np.array(["PublicTest"] * 20 + ["Training"] * 20)
    card = make_toy_model(tmp_path / "models")
    build.from_features(card, Fer2013(faces, labels, usage, names), tmp_path, lambda sentence: None)
    with np.load(tmp_path / "map.npz") as stored:
        assert len(stored["image"]) == 22  # 20 and ten per cent of Training
        assert stored["xy"].shape == (22, 2)
        assert stored["neighbours"].shape == (count, build.NEIGHBOURS)


def test_imbalance_and_what_the_test_images_allow() -> None:
    uneven = figures_dataset.imbalance(np.array([10, 5, 20, 80, 40, 40, 30]), np.array([0, 100, 25, 400, 1, 1, 1]))
    assert uneven.ratio == 16
    assert (uneven.largest, uneven.smallest) == ("happy", "disgust")
    assert uneven.missing.tolist() == [70, 75, 60, 0, 40, 40, 50]
    assert np.isnan(uneven.half_width[0])
    assert uneven.half_width[1:4] == pytest.approx([0.098, 0.196, 0.049])


def test_the_table_of_classes_stands_beside_the_counts_of_a_report() -> None:
    counts = np.zeros((4, 7), np.int64)
    counts[:, HAPPY] = [800, 100, 60, 40]
    counts[0] += 1
    table = figures_dataset.class_table(counts, dict.fromkeys(EMOTIONS, 100))
    assert table["All"][HAPPY] == 1001
    assert table["Test, here"][HAPPY] == 100
    assert table["Test, the report"][HAPPY] == 100
    assert table["More test images for ± 5 points"][HAPPY] == 285
    assert table["Missing to equal the largest"][ANGRY] == 1000


def test_a_table_becomes_csv_with_every_row() -> None:
    assert figures_dataset.to_csv({"a": [1, 2], "b": ["x,y", None]}) == b'a,b\n1,"x,y"\n2,\n'


def charts() -> list[figures_dataset.Chart]:
    found = catalogue.load()
    told = tables.document("people")
    counts = found.counts()
    return [
        figures_dataset.classes(counts),
        figures_dataset.classes(counts, shares=True, log=True),
        *(figures_dataset.measure(found, name) for name in ("brightness", "contrast", "sharpness")),
        figures_dataset.votes_matrix(told),
        figures_dataset.votes_matrix(told, majority=True),
        figures_dataset.label_agreement(told),
        figures_dataset.vote_entropy(told),
        *(figures_dataset.neighbours(told, emotion) for emotion in EMOTIONS),
        figures_dataset.ceilings(told, {"A model": 0.7}),
        figures_dataset.suspects(tables.document("suspects")),
        figures_dataset.leak_effect([("A model", effects.LeakEffect(0.7, 0.69, 0.8, 0.68, 3301, 288, 2966))]),
    ]


def test_every_chart_has_words_and_a_full_table() -> None:
    for chart in charts():
        assert len(chart.alt) > 40
        assert len({len(values) for values in chart.table.values()}) == 1
        assert chart.figure.data
        assert figures_dataset.to_csv(chart.table).count(b"\n") > 1


def test_charts_show_the_numbers_of_their_tables() -> None:
    counts = np.arange(28).reshape(4, 7) + 1
    chart = figures_dataset.classes(counts)
    shown = [bar for bar in chart.figure.data if len(bar.y) == 7]
    assert [bar.y.tolist() for bar in shown] == [chart.table[k] for k in ("Training", "PublicTest", "PrivateTest")]
    assert chart.table["Training"] == (counts[0] + counts[1]).tolist()
    people_table = figures_dataset.votes_matrix(tables.document("people")).table
    assert sum(values[HAPPY] for key, values in people_table.items() if key != "Label") == pytest.approx(100, abs=0.5)


def test_a_standard_deviation_face_is_stretched_to_the_full_range() -> None:
    face = np.linspace(10, 20, 48 * 48).reshape(48, 48)
    picture = figures_dataset.class_face(face, stretch=True)
    assert picture.shape == (144, 144)
    assert (picture.min(), picture.max()) == (0, 255)
    assert not figures_dataset.class_face(np.full((48, 48), 7.0), stretch=True).any()


def test_the_headline_figures_are_the_known_ones() -> None:
    told = {fact.label: plain(fact.value) for fact in facts.summarise(catalogue.load())}
    assert told["Images"] == "35,887"
    assert told["Happy : disgust"] == "16.4 : 1"
    assert told["People agree"] == "62.6 %"
    assert told["Leaked test images"] == "568 (7.9 %)"
    assert told["Repeats"] == "1,853"
    assert told["Two labels at once"] == "57"
    assert told["Blank images"] == "13"


def test_committed_agreement_is_the_known_one() -> None:
    per_class = dict(zip(EMOTIONS, tables.document("people")["agreement"]["all"]["per_class"], strict=True))
    rounded = {emotion: round(value, 2) for emotion, value in per_class.items()}
    assert rounded == {
        "angry": 0.47, "disgust": 0.31, "fear": 0.13, "happy": 0.92, "neutral": 0.87, "sad": 0.40, "surprise": 0.80,
    }  # fmt: skip


@pytest.mark.data
@pytest.mark.skipif("FER_DATA_DIR" not in os.environ, reason="FER_DATA_DIR is not set")
def test_the_committed_tables_are_those_of_the_real_archive(tmp_path: Path) -> None:
    from fer_core.data import download

    dataset = open_dataset(settings=Settings(data_dir=Path(os.environ["FER_DATA_DIR"]), cache_dir=tmp_path / "cache"))
    assert download.check(dataset).complete
    faces = build.in_order(dataset)
    committed = catalogue.load()
    np.testing.assert_array_equal(faces.names, committed.names)
    np.testing.assert_array_equal(faces.split, committed.split)
    from fer_core.data import quality

    groups = quality.exact_groups(faces.images)
    assert {name for name, _ in build.leaks(faces, groups)} == tables.leaked()
    assert np.array_equal(quality.contradicting(groups, faces.labels), committed.flags["contradicting"])


@pytest.mark.data
@pytest.mark.skipif("FERPLUS_CSV" not in os.environ, reason="FERPLUS_CSV is not set")
def test_the_committed_statistics_are_those_of_the_real_votes(tmp_path: Path) -> None:
    import json

    from fer_core.data.ferplus import read_votes

    build.from_votes(catalogue.load(), read_votes(Path(os.environ["FERPLUS_CSV"])), tmp_path, lambda sentence: None)
    assert json.loads((tmp_path / "people.json").read_text()) == tables.document("people")
