"""A file that is written aside: what a reader finds, whatever happens while it is written."""

from __future__ import annotations

import pytest

from fer_core.files import replacing


@pytest.mark.parametrize("shared", [False, True])
def test_the_old_file_stands_until_the_new_one_is_whole(tmp_path, shared):
    path = tmp_path / "history.csv"
    path.write_text("old")
    with replacing(path, shared=shared) as aside:
        aside.write_text("new, but not yet")
        assert path.read_text() == "old"
    assert path.read_text() == "new, but not yet"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("shared", [False, True])
def test_a_writer_that_fails_changes_nothing_and_leaves_nothing(tmp_path, shared):
    path = tmp_path / "history.csv"
    path.write_text("old")

    def fail() -> None:
        with replacing(path, shared=shared) as aside:
            aside.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_of_a_shared_file_do_not_write_into_one_another(tmp_path):
    path = tmp_path / "features.npy"
    with replacing(path, shared=True) as first, replacing(path, shared=True) as second:
        first.write_text("first")
        second.write_text("second")
        assert first.read_text() == "first"
    assert path.read_text() == "first"  # the outer block ends last


def test_what_a_killed_writer_left_is_written_over(tmp_path):
    path = tmp_path / "checkpoint.npz"
    with replacing(path) as aside:
        aside.write_text("new")
        left = aside.name
    (tmp_path / left).write_text("of a killed process")
    with replacing(path) as aside:
        aside.write_text("newer")
    assert path.read_text() == "newer"
    assert list(tmp_path.iterdir()) == [path]
