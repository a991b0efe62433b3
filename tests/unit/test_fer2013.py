"""FER2013 from a folder, a zip and a csv, whole and damaged."""

from __future__ import annotations

import csv
import os
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fer_core.data import fer2013, splits
from fer_core.data.fer2013 import Fer2013, open_dataset
from fer_core.errors import DatasetError, DatasetMissing
from fer_core.labels import CSV_ORDER, EMOTIONS
from fer_core.settings import Settings

USAGE_FOLDER = {"Training": "train", "PublicTest": "test", "PrivateTest": "test"}


def make_faces() -> list[tuple[str, str, np.ndarray]]:
    """Four images of each class for each usage: (usage, emotion, image)."""
    rng = np.random.default_rng(0)
    return [
        (usage, emotion, rng.integers(0, 256, (48, 48), dtype=np.uint8))
        for usage in fer2013.USAGES
        for emotion in EMOTIONS
        for _ in range(4)
    ]


def write_folder(root: Path, faces: list[tuple[str, str, np.ndarray]]) -> Path:
    for number, (usage, emotion, image) in enumerate(faces):
        path = root / USAGE_FOLDER[usage] / emotion / f"{usage}_{number}.png"  # lossless, so that all forms agree
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), image)
    return root


def write_zip(folder: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(folder.rglob("*.png")):
            archive.write(path, path.relative_to(folder).as_posix())
    return target


def write_csv(target: Path, faces: list[tuple[str, str, np.ndarray]]) -> Path:
    with target.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["emotion", "pixels", "Usage"])
        for usage, emotion, image in faces:
            writer.writerow([CSV_ORDER.index(emotion), " ".join(map(str, image.ravel())), usage])
    return target


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(cache_dir=tmp_path / "cache")


def content(dataset: Fer2013) -> Counter[tuple[bytes, int, str]]:
    rows = zip(dataset.images, dataset.labels, dataset.usage, strict=True)
    return Counter((image.tobytes(), int(label), str(usage)) for image, label, usage in rows)


def test_folder_zip_and_csv_give_the_same_images_labels_and_splits(tmp_path: Path, settings: Settings) -> None:
    faces = make_faces()
    folder = write_folder(tmp_path / "kaggle", faces)
    sources = [folder, write_zip(folder, tmp_path / "any.zip"), write_csv(tmp_path / "fer2013.csv", faces)]
    opened = [open_dataset(source, settings=settings) for source in sources]
    expected = Counter((image.tobytes(), EMOTIONS.index(emotion), usage) for usage, emotion, image in faces)
    for dataset in opened:
        assert content(dataset) == expected
        assert dataset.problems == {}
    assert opened[0].names.tolist() == opened[1].names.tolist()
    assert "train/angry/Training_0.png" in opened[0].names
    of_pixels = [
        dict(zip(fer2013.pixel_hashes(d.images).tolist(), splits.assign(d).tolist(), strict=True)) for d in opened
    ]
    assert of_pixels[0] == of_pixels[1] == of_pixels[2]


def test_the_second_opening_reads_the_memory_mapped_copy(tmp_path: Path, settings: Settings) -> None:
    source = write_csv(tmp_path / "fer2013.csv", make_faces())
    stamp = source.stat()
    first = open_dataset(source, settings=settings)
    source.write_bytes(b"x" * stamp.st_size)  # same size and time: only a reader of the source would notice
    os.utime(source, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    second = open_dataset(source, settings=settings)
    assert isinstance(second.images, np.memmap)
    np.testing.assert_array_equal(first.images, second.images)


def test_two_that_open_it_for_the_first_time_at_once_do_not_disturb_each_other(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_csv(tmp_path / "fer2013.csv", make_faces())
    save, opened = np.save, []

    def other_one_first(*args: Any) -> None:
        monkeypatch.setattr(np, "save", save)
        opened.append(open_dataset(source, settings=settings))
        save(*args)

    monkeypatch.setattr(np, "save", other_one_first)
    opened.append(open_dataset(source, settings=settings))
    np.testing.assert_array_equal(opened[0].images, opened[1].images)
    assert [path.suffix for path in settings.cache_dir.iterdir()] == [""]  # and nothing half-written stays


def test_a_changed_source_is_read_anew(tmp_path: Path, settings: Settings) -> None:
    faces = make_faces()
    source = write_csv(tmp_path / "fer2013.csv", faces)
    assert len(open_dataset(source, settings=settings)) == len(faces)
    write_csv(source, faces[:-1])
    assert len(open_dataset(source, settings=settings)) == len(faces) - 1


def test_what_is_wrong_with_a_folder_is_counted_and_the_rest_is_read(tmp_path: Path, settings: Settings) -> None:
    faces = make_faces()
    folder = write_folder(tmp_path / "kaggle", faces)
    for path in (folder / "test" / "disgust").iterdir():
        path.unlink()
    (folder / "train" / "angry" / "notes.txt").write_text("hello")
    (folder / "train" / "angry" / "Training_900.jpg").write_bytes(b"not a picture")
    (folder / "train" / "angry" / "Training_901.jpg").write_bytes(b"")
    cv2.imwrite(str(folder / "train" / "angry" / "Training_902.png"), np.zeros((50, 48), np.uint8))
    (folder / "train" / "contempt").mkdir()
    cv2.imwrite(str(folder / "train" / "contempt" / "Training_903.png"), np.zeros((48, 48), np.uint8))
    dataset = open_dataset(folder, settings=settings)
    assert len(dataset) == len(faces) - 8
    assert dataset.problems == {
        "files that are not pictures of FER2013": 1,
        "pictures in a folder that is not one of the seven classes": 1,
        "missing or empty class folder test/disgust": 1,
        "pictures that cannot be decoded (left out)": 2,
        "pictures that are not 48x48 (left out)": 1,
    }


def test_rows_of_the_csv_that_cannot_be_used_are_counted(tmp_path: Path, settings: Settings) -> None:
    source = write_csv(tmp_path / "fer2013.csv", make_faces())
    good = " ".join(["7"] * 2304)
    with source.open("a") as file:
        file.write(f"9,{good},Training\nangry,{good},Training\n0,1 2 3,Training\n0,{good},Holiday\n0,{good} \n")
    dataset = open_dataset(source, settings=settings)
    assert len(dataset) == 84
    assert dataset.problems == {
        "rows that cannot be read (left out)": 2,
        "rows that are not 48x48 grey values (left out)": 1,
        "rows with an unknown usage (left out)": 2,
    }


def test_a_damaged_zip_and_foreign_files_are_refused_with_a_sentence(tmp_path: Path, settings: Settings) -> None:
    broken = tmp_path / "fer2013.zip"
    broken.write_bytes(b"PK\x03\x04 and nothing more")
    with pytest.raises(DatasetError, match="not a zip archive, or it is damaged"):
        open_dataset(broken, settings=settings)
    foreign = tmp_path / "fer2013.csv"
    foreign.write_text("a,b\n1,2\n")
    with pytest.raises(DatasetError, match="columns must be emotion, pixels, Usage"):
        open_dataset(foreign, settings=settings)
    empty = tmp_path / "empty.zip"
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("readme.txt", "nothing here")
    with pytest.raises(DatasetError, match="no picture of FER2013"):
        open_dataset(empty, settings=settings)


def test_a_zip_with_one_damaged_picture_is_read_but_for_that_one(tmp_path: Path, settings: Settings) -> None:
    faces = make_faces()
    source = write_zip(write_folder(tmp_path / "kaggle", faces), tmp_path / "fer2013.zip")
    data = bytearray(source.read_bytes())
    at = data.index(b"IDAT") + 200  # inside the pixels of the first picture: its checksum no longer fits
    data[at] ^= 0xFF
    source.write_bytes(bytes(data))
    dataset = open_dataset(source, settings=settings)
    assert len(dataset) == len(faces) - 1
    assert dataset.problems == {"pictures that cannot be decoded (left out)": 1}


def test_nothing_configured_and_nothing_there_say_what_to_do(tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(DatasetMissing, match="FER_DATA_DIR"):
        open_dataset(settings=settings)
    with pytest.raises(DatasetMissing, match="nothing at"):
        open_dataset(tmp_path / "absent", settings=settings)
    (tmp_path / "bare").mkdir()
    with pytest.raises(DatasetMissing, match="expected the folders train and test"):
        open_dataset(tmp_path / "bare", settings=settings)


def dataset_of(images: np.ndarray, labels: list[int], usage: str = "Training") -> Fer2013:
    count = len(labels)
    names = np.array([f"n{i}" for i in range(count)])
    return Fer2013(images, np.array(labels, np.int64), np.array([usage] * count), names)


def test_identical_pictures_stay_on_one_side_and_each_class_gives_ten_per_cent() -> None:
    rng = np.random.default_rng(5)
    base = rng.integers(0, 256, (600, 48, 48), dtype=np.uint8)
    images = np.concatenate([base, base[:200]])  # every one of the first 200 stands twice
    labels = [i % 3 for i in range(600)] + [i % 3 for i in range(200)]
    dataset = dataset_of(images, labels)
    split = splits.assign(dataset)
    assert (split[:200] == split[600:]).all()
    assert set(split.tolist()) == {"train", "val"}
    for label in range(3):
        share = np.mean(split[dataset.labels == label] == "val")
        assert 0.10 <= share <= 0.11


def test_a_test_image_whose_pixels_stand_in_training_is_a_leak() -> None:
    rng = np.random.default_rng(6)
    images = rng.integers(0, 256, (4, 48, 48), dtype=np.uint8)
    images[3] = images[0]
    usage = np.array(["Training", "Training", "PublicTest", "PrivateTest"])
    dataset = Fer2013(images, np.zeros(4, np.int64), usage, np.array(["a", "b", "c", "d"]))
    assert splits.leaked_names(dataset) == {"d"}


@pytest.mark.data
@pytest.mark.skipif("FER_DATA_DIR" not in os.environ, reason="FER_DATA_DIR is not set")
def test_the_real_archive_has_the_known_counts(tmp_path: Path) -> None:
    dataset = open_dataset(settings=Settings(data_dir=Path(os.environ["FER_DATA_DIR"]), cache_dir=tmp_path))
    assert dataset.problems == {}
    assert Counter(dataset.usage.tolist()) == {"Training": 28709, "PublicTest": 3589, "PrivateTest": 3589}
    test = np.bincount(dataset.labels[dataset.usage != "Training"]).tolist()
    assert test == [958, 111, 1024, 1774, 1233, 1247, 831]
    assert len(splits.leaked_names(dataset)) == 568
    assert Counter(splits.assign(dataset).tolist())["val"] == 2872
