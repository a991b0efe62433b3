from __future__ import annotations

import numpy as np
import pytest

from fer_core.arrays import write_arrays

GRID = np.arange(12, dtype=np.float32).reshape(3, 4)


@pytest.mark.parametrize(
    "array",
    [np.array("a text"), np.array(1.5), np.zeros(0, np.uint8), np.zeros((0, 3)), GRID, GRID.T, GRID[::2, ::-1]],
    ids=["text", "number", "empty", "no row", "grid", "turned", "cut"],
)
def test_an_array_is_read_back_as_it_was(tmp_path, array):
    path = tmp_path / "arrays.npz"
    write_arrays(path, {"one": array, "other": GRID})
    with np.load(path) as stored:
        assert stored.files == ["one", "other"]
        assert (stored["one"].shape, stored["one"].dtype) == (array.shape, array.dtype)
        np.testing.assert_array_equal(stored["one"], array)
    assert [file.name for file in tmp_path.iterdir()] == ["arrays.npz"]


def test_equal_arrays_give_equal_bytes_however_they_lie_in_memory(tmp_path):
    one, other = tmp_path / "one.npz", tmp_path / "other.npz"
    write_arrays(one, {"grid": GRID})
    write_arrays(other, {"grid": np.asfortranarray(GRID)})
    assert one.read_bytes() == other.read_bytes()
