from __future__ import annotations

import numpy as np
import pytest

from fer_core.errors import FerError
from fer_core.evaluation.predictions import COLUMNS, Predictions, read, write

NAMES = (
    "test/fear/PrivateTest_7.jpg",
    "test/angry/PrivateTest_30.jpg",
    "test/happy/PublicTest_4.jpg",
    "train/sad/Training_1.jpg",
)
SPLIT = ("private", "private", "public", "val")
LABELS = (2, 0, 3, 5)


def some(**changes) -> Predictions:
    proba = np.full((4, 7), 0.1, dtype=np.float32)
    proba[np.arange(4), [2, 6, 3, 0]] = 0.4
    fields = {
        "names": np.array(NAMES),
        "split": np.array(SPLIT),
        "labels": np.array(LABELS, dtype=np.int64),
        "proba": proba,
    }
    return Predictions(**(fields | changes))


def test_what_is_written_is_read_back_in_canonical_order(tmp_path):
    write(tmp_path / "predictions.parquet", some())
    stored = read(tmp_path / "predictions.parquet")
    assert stored.names.tolist() == [NAMES[3], NAMES[2], NAMES[1], NAMES[0]]
    assert stored.split.tolist() == ["val", "public", "private", "private"]
    assert stored.labels.tolist() == [5, 3, 0, 2]
    assert stored.labels.dtype == np.int64
    assert stored.proba.dtype == np.float32
    np.testing.assert_array_equal(stored.proba, some().proba[[3, 2, 1, 0]])


def test_the_file_has_the_documented_columns_and_class_names(tmp_path):
    import pyarrow.parquet as pq

    write(tmp_path / "predictions.parquet", some())
    table = pq.read_table(tmp_path / "predictions.parquet")
    assert tuple(table.column_names) == COLUMNS
    assert COLUMNS[3:5] == ("p_angry", "p_disgust")
    assert table.column("label").to_pylist() == ["sad", "happy", "angry", "fear"]


def test_equal_predictions_give_equal_bytes_whatever_order_they_come_in(tmp_path):
    write(tmp_path / "a.parquet", some())
    write(tmp_path / "b.parquet", some().take(np.array([2, 0, 3, 1])))
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.parquet", "b.parquet"]


def test_all_means_both_halves_of_the_test_set_and_not_validation():
    everything = some()
    assert everything.select("all").names.tolist() == list(NAMES[:3])
    assert everything.select("private").names.tolist() == list(NAMES[:2])
    assert everything.select("public").names.tolist() == [NAMES[2]]
    assert everything.select("val").names.tolist() == [NAMES[3]]


def test_the_clean_part_leaves_out_the_images_that_stand_in_training():
    clean = some().select("private_clean", leaked={NAMES[0], NAMES[2]})
    assert clean.names.tolist() == [NAMES[1]]


def test_the_clean_part_is_refused_without_a_list_of_leaks():
    with pytest.raises(FerError, match="needs the list"):
        some().select("private_clean")


def test_a_part_without_images_is_refused():
    with pytest.raises(FerError, match="no image of the part 'public'"):
        some().take(np.array([0, 1])).select("public")
    with pytest.raises(FerError, match="no part 'test'"):
        some().select("test")


def test_the_predicted_class_is_the_largest_score():
    assert some().predicted.tolist() == [2, 6, 3, 0]


def changed(row: int, column: int, value: float) -> np.ndarray:
    proba = some().proba.copy()
    proba[row, column] = value
    return proba


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"proba": changed(1, 0, 0.102)}, "sum to 1.0020"),
        ({"proba": changed(1, 0, np.nan)}, "1 images have probabilities that are not finite"),
        ({"proba": changed(1, 0, -0.1)}, "below 0"),
        ({"proba": some().proba[:, :6]}, "7 probabilities an image"),
        ({"proba": some().proba[:3]}, "7 probabilities an image"),
        ({"proba": some().proba.astype(np.float64)}, "float32"),
        ({"labels": np.array([2, 0, 3, 7], dtype=np.int64)}, "0 to 6"),
        ({"split": np.array(["private", "private", "public", "train"])}, "Unknown split 'train'"),
        ({"names": np.array([NAMES[0], NAMES[0], *NAMES[2:]])}, "stand more than once"),
        ({"names": np.array(NAMES[:3])}, "one name, split and label"),
    ],
)
def test_what_is_not_a_prediction_is_refused_with_a_sentence(changes, message):
    with pytest.raises(FerError, match=message):
        some(**changes)


def test_a_sum_within_a_thousandth_of_one_is_accepted():
    assert len(some(proba=changed(1, 0, 0.1009))) == 4


def test_labels_in_another_order_than_the_images_are_noticed_by_the_file_names():
    with pytest.raises(FerError, match="paired in different orders"):
        some(labels=np.array([0, 2, 3, 5], dtype=np.int64))


def test_a_split_that_contradicts_the_file_name_is_noticed():
    with pytest.raises(FerError, match="its name says 'public'"):
        some(split=np.array(["private", "private", "private", "val"]))


def test_images_of_the_original_csv_have_no_class_in_their_name():
    names = np.array([f"row/{row:05d}" for row in range(4)])
    assert some(names=names, labels=np.array([6, 6, 6, 6], dtype=np.int64)).labels.tolist() == [6] * 4


def test_a_missing_file_is_a_sentence(tmp_path):
    with pytest.raises(FerError, match="no stored predictions"):
        read(tmp_path / "predictions.parquet")


def test_a_file_that_is_not_parquet_is_a_sentence(tmp_path):
    path = tmp_path / "predictions.parquet"
    for content in (b"", b"image,split,label\n", b"PAR1" + bytes(100) + b"PAR1"):
        path.write_bytes(content)
        with pytest.raises(FerError, match="cannot be read as parquet"):
            read(path)


def test_missing_columns_and_unknown_labels_are_named(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "predictions.parquet"
    columns = {"image": ["a"], "split": ["val"], "label": ["contempt"]}
    pq.write_table(pa.table(columns), path)
    with pytest.raises(FerError, match="lacks the columns p_angry, p_disgust"):
        read(path)
    pq.write_table(pa.table(columns | {column: [1 / 7] for column in COLUMNS[3:]}), path)
    with pytest.raises(FerError, match="unknown labels: contempt"):
        read(path)
    pq.write_table(pa.table(columns | {"label": ["sad"]} | {column: ["x"] for column in COLUMNS[3:]}), path)
    with pytest.raises(FerError, match="not numbers"):
        read(path)
