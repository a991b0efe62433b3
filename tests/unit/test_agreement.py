from __future__ import annotations

import csv

import numpy as np
import pytest

from fer_core.data import ferplus
from fer_core.errors import DatasetError, DatasetMissing, FerError
from fer_core.evaluation import agreement as agree
from fer_core.evaluation.predictions import Predictions
from fer_core.labels import EMOTIONS
from fer_core.settings import Settings

ANGRY, DISGUST, FEAR, HAPPY, NEUTRAL, SAD, SURPRISE = range(7)


def votes(**counts: int) -> list[int]:
    return [counts.get(column, 0) for column in ferplus.VOTE_COLUMNS]


def table(*rows: list[int]) -> np.ndarray:
    return np.array(rows, dtype=np.int64)


def official_file(path, given: dict[int, list[int]]):
    """A file laid out as the FER+ project's fer2013new.csv; rows that are not given have no image name."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Usage", "Image name", *ferplus.VOTE_COLUMNS])
        for row in range(ferplus.N_ROWS):
            name = f"fer{row:07d}.png" if row in given else ""
            writer.writerow(["Training", name, *given.get(row, votes(NF=10))])
    return path


def row_file(path, given: dict[int, list[int]]):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "usage", "row", *ferplus.VOTE_COLUMNS])
        for row, counts in given.items():
            writer.writerow([f"image {row}", "Training", row, *counts])
    return path


# The majority


def test_the_majority_is_over_all_ten_columns():
    counts = table(votes(happiness=6, neutral=4), votes(contempt=5, anger=3, fear=2), votes(NF=9, sadness=1))
    assert agree.majority(counts).tolist() == [HAPPY, agree.NO_CLASS, agree.NO_CLASS]


def test_every_column_is_its_class():
    for column, emotion in ferplus.EMOTION_OF_VOTE.items():
        assert EMOTIONS[agree.majority(table(votes(**{column: 10})))[0]] == emotion


def test_of_equal_columns_the_first_of_the_file_is_the_majority():
    assert agree.majority(table(votes(anger=5, sadness=5))).tolist() == [SAD]


def test_agreement_counted_by_hand():
    counts = table(
        votes(anger=8, neutral=2),  # answered angry: agrees
        votes(anger=5, sadness=5),  # a tie whose first is sad; answered angry: agrees only if ties count
        votes(anger=5, sadness=5),  # answered sad: agrees, but not strictly
        votes(unknown=6, fear=4),  # no class: nobody agrees
        votes(happiness=10),  # answered sad: never agrees
    )
    answers = np.array([ANGRY, ANGRY, SAD, FEAR, SAD])
    labels = np.array([ANGRY, ANGRY, ANGRY, FEAR, HAPPY])
    result = agree.agreement(answers, labels, counts)
    assert (result.n, result.ties, result.without_class) == (5, 2, 1)
    assert result.value == pytest.approx(2 / 5)
    assert result.strict == pytest.approx(1 / 5)
    assert result.lenient == pytest.approx(3 / 5)
    assert result.per_class[ANGRY] == pytest.approx(2 / 3)
    assert result.per_class[HAPPY] == 0
    assert np.isnan(result.per_class[DISGUST])
    assert result.support.tolist() == [3, 0, 1, 1, 0, 0, 0]


def test_agreement_needs_votes():
    with pytest.raises(FerError, match="images that have votes"):
        agree.agreement(np.array([0]), np.array([0]), table(votes()))


# The distribution


def test_the_distribution_leaves_out_contempt_unknown_and_not_a_face():
    shares = agree.distribution(table(votes(anger=3, fear=1, contempt=4, unknown=1, NF=1), votes(NF=10)))
    assert shares[0].tolist() == [0.75, 0, 0.25, 0, 0, 0, 0]
    assert np.isnan(shares[1]).all()


def test_entropy_is_zero_for_agreement_and_greatest_for_equal_shares():
    shares = np.array([[1, 0, 0, 0, 0, 0, 0], [0.5, 0.5, 0, 0, 0, 0, 0], [1 / 7] * 7, [np.nan] * 7])
    assert agree.entropy(shares)[:3].tolist() == pytest.approx([0, np.log(2), np.log(7)])
    assert np.isnan(agree.entropy(shares)[3])


def test_divergence_counted_by_hand():
    counts = table(votes(anger=5, happiness=5), votes(anger=10), votes(NF=10))
    proba = np.zeros((3, 7), dtype=np.float32)
    proba[0, [ANGRY, HAPPY]] = [0.25, 0.75]
    proba[1, ANGRY] = 1
    result = agree.divergence(counts, proba)
    assert result[0] == pytest.approx(0.5 * np.log(2) + 0.5 * np.log(2 / 3))
    assert result[1] == 0
    assert np.isnan(result[2])


def test_divergence_is_finite_where_the_model_is_sure_and_people_are_not():
    proba = np.zeros((1, 7), dtype=np.float32)
    proba[0, SAD] = 1
    assert agree.divergence(table(votes(anger=10)), proba)[0] == pytest.approx(15.942, abs=1e-3)


# Reading votes


def test_both_layouts_give_the_same_votes(tmp_path):
    given = {0: votes(anger=10), 12: votes(sadness=6, fear=4), 35_886: votes(contempt=10)}
    official = ferplus.read_votes(official_file(tmp_path / "fer2013new.csv", given))
    by_row = ferplus.read_votes(row_file(tmp_path / "votes.csv", given))
    np.testing.assert_array_equal(official.counts, by_row.counts)
    np.testing.assert_array_equal(official.known, by_row.known)
    assert np.flatnonzero(official.known).tolist() == [0, 12, 35_886]


def test_votes_are_found_by_kaggle_name_and_by_csv_row(tmp_path):
    name = "train/angry/Training_1426440.jpg"  # row 0 of fer2013.csv
    stored = ferplus.read_votes(row_file(tmp_path / "votes.csv", {0: votes(anger=9, sadness=1)}))
    counts, known = stored.of([name, "row/00000", "row/00001", "row/99999", "test/sad/PrivateTest_1.jpg", "me.png"])
    assert known.tolist() == [True, True, False, False, False, False]
    assert counts[0].tolist() == counts[1].tolist() == votes(anger=9, sadness=1)
    assert counts[2:].sum() == 0


def test_the_committed_map_covers_the_images_that_ferplus_has():
    table_of_rows = ferplus.row_map()
    assert len(table_of_rows) == 35_710
    assert len(set(table_of_rows.values())) == 35_710
    for name, row in table_of_rows.items():
        usage = "Training" if row < 28_709 else "PublicTest" if row < 32_298 else "PrivateTest"
        folder = "train" if usage == "Training" else "test"
        assert name.startswith(f"{folder}/")
        assert f"/{usage}_" in name


def test_the_map_is_built_from_a_table_of_names_and_rows(tmp_path, monkeypatch):
    source = tmp_path / "votes.csv"
    source.write_text("image,row\ntrain/sad/Training_9.jpg,4\ntest/fear/PrivateTest_2.jpg,35000\n")
    assert ferplus.build_row_map(source, tmp_path / "map.npz") == 2
    monkeypatch.setattr(ferplus, "ROW_MAP", tmp_path / "map.npz")
    ferplus.row_map.cache_clear()
    try:
        assert ferplus.row_map() == {"train/sad/Training_9.jpg": 4, "test/fear/PrivateTest_2.jpg": 35000}
    finally:
        ferplus.row_map.cache_clear()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("train/sad/Training_9.jpg,35000", "belongs to PrivateTest"),
        ("train/bored/Training_9.jpg,3", "not an image of FER2013"),
        ("train/sad/Training_8.jpg,4\ntrain/sad/Training_9.jpg,4", "stands twice"),
    ],
)
def test_a_map_that_contradicts_itself_is_refused(tmp_path, line, message):
    source = tmp_path / "votes.csv"
    source.write_text(f"image,row\n{line}\n")
    with pytest.raises(DatasetError, match=message):
        ferplus.build_row_map(source, tmp_path / "map.npz")


OFFICIAL_HEADER = "Usage,Image name," + ",".join(ferplus.VOTE_COLUMNS)
HEADER = "image,usage,row," + ",".join(ferplus.VOTE_COLUMNS)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not a file of FER\\+ votes"),
        ("emotion,pixels\n0,1 2 3\n", "not a file of FER\\+ votes"),
        (f"{HEADER}\na,Training,0,1,2\n", "Line 2"),
        (f"{HEADER}\na,Training,0,x,0,0,0,0,0,0,0,0,0\n", "Line 2"),
        (f"{HEADER}\na,Training,99999,1,0,0,0,0,0,0,0,0,0\n", "row 99999"),
        (f"{HEADER}\n" + 2 * "a,Training,7,1,0,0,0,0,0,0,0,0,0\n", "row 7 twice"),
        (f"{HEADER}\na,Training,7,-1,0,0,0,0,0,0,0,0,0\n", "negative"),
        (f"{HEADER}\n", "holds no votes"),
        (
            "Usage,Image name," + ",".join(ferplus.VOTE_COLUMNS) + "\nTraining,a.png,1,0,0,0,0,0,0,0,0,0\n",
            "has 1 lines",
        ),
    ],
)
def test_what_is_not_a_file_of_votes_is_refused_with_a_sentence(tmp_path, content, message):
    path = tmp_path / "votes.csv"
    path.write_text(content)
    with pytest.raises(DatasetError, match=message):
        ferplus.read_votes(path)


def test_a_binary_file_is_refused_with_a_sentence(tmp_path):
    path = tmp_path / "votes.csv"
    path.write_bytes(b"\xff\xfe\x00\x01" * 50)
    with pytest.raises(DatasetError):
        ferplus.read_votes(path)


def test_missing_votes_say_where_to_point(tmp_path):
    with pytest.raises(DatasetMissing, match="FERPLUS_CSV"):
        ferplus.open_votes(settings=Settings())
    with pytest.raises(DatasetMissing, match="no file"):
        ferplus.open_votes(settings=Settings(ferplus_csv=tmp_path / "nowhere.csv"))


# A model


def test_a_models_summary_counts_only_images_with_votes(tmp_path):
    given = {0: votes(anger=10), 1: votes(sadness=6, fear=4), 2: votes(NF=10)}
    stored = ferplus.read_votes(row_file(tmp_path / "votes.csv", given))
    proba = np.zeros((4, 7), dtype=np.float32)
    proba[[0, 1, 2, 3], [ANGRY, FEAR, HAPPY, HAPPY]] = 1
    model = Predictions(
        names=np.array(["row/00000", "row/00001", "row/00002", "row/00003"]),
        split=np.full(4, "private"),
        labels=np.array([ANGRY, SAD, HAPPY, HAPPY], dtype=np.int64),
        proba=proba,
    )
    summary = agree.summarise(model, stored)
    assert (summary["n"], summary["ties"], summary["without_class"]) == (3, 0, 1)
    assert summary["model"]["value"] == pytest.approx(1 / 3, abs=1e-6)
    assert summary["fer2013_labels"]["value"] == pytest.approx(2 / 3, abs=1e-6)
    assert summary["model"]["per_class"]["disgust"] is None
    assert (summary["model"]["low"], summary["model"]["high"]) == (0, 1)  # one of three: a resample has any share
    assert summary["fer2013_labels"]["low"] == 0
    assert summary["kl"]["n"] == 2
    assert summary["kl"]["low"] <= summary["kl"]["value"] <= summary["kl"]["high"]
    assert summary["entropy"] == pytest.approx(-(0.6 * np.log(0.6) + 0.4 * np.log(0.4)) / 2, abs=1e-6)
    assert summary["model_entropy"] == 0


def test_a_model_without_any_image_of_ferplus_is_a_sentence(tmp_path):
    stored = ferplus.read_votes(row_file(tmp_path / "votes.csv", {0: votes(anger=10)}))
    model = Predictions(np.array(["me.png"]), np.array(["val"]), np.array([0]), np.eye(7, dtype=np.float32)[:1])
    with pytest.raises(FerError, match="none of these images"):
        agree.summarise(model, stored)
