"""``python -m fer_core data``."""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_core.cli import main
from fer_core.data import download
from fer_core.data.fer2013 import open_dataset
from fer_core.settings import Settings
from tests.unit.test_fer2013 import make_faces, write_csv, write_folder


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("FER_DATA_DIR", raising=False)
    monkeypatch.delenv("FERPLUS_CSV", raising=False)
    monkeypatch.setenv("FER_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_check_counts_what_is_there_and_says_that_it_is_not_the_whole(tmp_path: Path, capsys) -> None:
    folder = write_folder(tmp_path / "copy", make_faces())
    (folder / "train" / "angry" / "notes.txt").write_text("hello")
    assert main(["data", "check", "--data", str(folder)]) == 1
    said = capsys.readouterr().out
    assert "PrivateTest" in said
    assert "files that are not pictures of FER2013: 1" in said
    assert "not exactly the 35,887 images" in said


def test_check_recognises_the_complete_set(tmp_path: Path, cache: Path, monkeypatch, capsys) -> None:
    folder = write_folder(tmp_path / "copy", make_faces())
    digest = download.image_set_digest(open_dataset(folder, settings=Settings(cache_dir=cache)))
    monkeypatch.setattr(download, "IMAGE_SET_SHA256", digest)
    assert main(["data", "check", "--data", str(folder)]) == 0
    assert "complete FER2013" in capsys.readouterr().out


def test_check_without_a_copy_says_what_to_do(capsys) -> None:
    assert main(["data", "check"]) == 2
    assert "python -m fer_core data download" in capsys.readouterr().err


def test_tables_of_images_are_written_where_asked(tmp_path: Path, capsys) -> None:
    # the pictures of write_folder are .png; the tables name what Kaggle has, so only those that need no such name
    folder = write_folder(tmp_path / "copy", make_faces())
    for path in folder.rglob("*.png"):
        path.rename(path.with_suffix(".jpg"))
    assert (
        main(["data", "tables", "--data", str(folder), "--only", "images", "people", "--to", str(tmp_path / "t")]) == 0
    )
    written = {path.name for path in (tmp_path / "t").iterdir()}
    assert written == {"images.npz", "faces.npz", "leaked.csv", "repeated.csv", "near.csv", "blank.csv"}
    assert "FERPLUS_CSV is not set" in capsys.readouterr().err


def test_tables_cannot_be_made_from_the_csv(tmp_path: Path, capsys) -> None:
    source = write_csv(tmp_path / "fer2013.csv", make_faces())
    assert main(["data", "tables", "--data", str(source), "--only", "images", "--to", str(tmp_path / "t")]) == 2
    assert "Use the folder or zip" in capsys.readouterr().err
