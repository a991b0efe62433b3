"""A cell of the confusion matrix in words: what is said follows from the numbers, and no more is said."""

from __future__ import annotations

import numpy as np
import pytest

from fer_core.data import catalogue
from fer_core.explain import autopsy
from fer_core.explain.atlas import NEAREST, About, Atlas
from fer_core.explain.regions import PARTS
from fer_core.labels import index_of

DISGUST, ANGRY, SAD = index_of("disgust"), index_of("angry"), index_of("sad")
BROWS, MOUTH = PARTS.index("brows"), PARTS.index("mouth")


def atlas(**changes: object) -> Atlas:
    """Return an atlas of 20 disgust → angry, 80 disgust → disgust, 100 angry → angry; maps lie evenly on all parts."""
    count = np.zeros((7, 7), np.int64)
    count[DISGUST, ANGRY], count[DISGUST, DISGUST], count[ANGRY, ANGRY] = 20, 80, 100
    parts = np.zeros((7, 7, 6, 2), np.float32)
    parts[..., 0], parts[..., 1] = 1 / 6, 0.01
    neighbours = np.zeros((7, 7, 7), np.int64)
    neighbours[DISGUST, ANGRY, ANGRY], neighbours[DISGUST, ANGRY, DISGUST] = 75, 25
    levels = np.zeros((7, 7, 3), np.int64)
    levels[DISGUST, ANGRY] = 12, 4, 0
    tested = levels.sum(axis=-1)
    values = {
        "count": count,
        "face": np.full((7, 7, 48, 48), 100, np.uint8),
        "map_answer": np.ones((7, 7, 6, 6), np.float32),
        "map_label": np.ones((7, 7, 6, 6), np.float32),
        "contrast": np.zeros((7, 7, 6, 6), np.float32),
        "dead": np.zeros((7, 7), np.int64),
        "parts_answer": parts,
        "parts_label": parts,
        "area": np.full((7, 7, 6), 1 / 6, np.float32),
        "tested": tested,
        "curves": np.full((7, 7, 4, 13), 0.5, np.float32),
        "beats": np.where(tested > 0, 0.8, np.nan).astype(np.float32),
        "levels": levels,
        "neighbour_labels": neighbours,
        "neighbours": np.tile(np.arange(NEAREST, dtype=np.uint16), (7178, 1)),
        **changes,
    }
    return Atlas(about=About("toy", "0" * 64, "maps", 200), **values)  # type: ignore[arg-type]


def test_a_cell_is_stated_with_its_share_of_the_label() -> None:
    made = atlas()
    found = autopsy.cell(made, DISGUST, ANGRY)
    said = autopsy.size_in_words(made, found)
    assert "labelled **disgust**" in said
    assert "20 of 100" in said
    assert "answered **angry**" in said


def test_a_mean_face_of_few_images_is_not_given() -> None:
    made = atlas()
    assert autopsy.cell(made, DISGUST, ANGRY).face is not None
    assert autopsy.cell(made, DISGUST, SAD).face is None


def test_parts_are_told_apart_only_where_their_intervals_are() -> None:
    even = atlas()
    right = autopsy.cell(even, ANGRY, ANGRY)
    assert "intervals of every part overlap" in autopsy.parts_in_words(autopsy.cell(even, DISGUST, ANGRY), right)
    parts = even.parts_answer.copy()
    parts[DISGUST, ANGRY, BROWS, 0] += 0.045  # more than 2 · 1.96 · 0.01
    parts[DISGUST, ANGRY, MOUTH, 0] -= 0.03  # less
    said = autopsy.parts_in_words(autopsy.cell(atlas(parts_answer=parts), DISGUST, ANGRY), right)
    assert "more on brows (21.2" in said
    assert "16.7" in said
    assert "less on" not in said
    assert "mouth" not in said


def test_too_few_faces_are_not_compared() -> None:
    dead = np.zeros((7, 7), np.int64)
    dead[DISGUST, ANGRY] = 11
    made = atlas(dead=dead)
    found = autopsy.cell(made, DISGUST, ANGRY)
    assert found.alive == 9
    assert "too few faces" in autopsy.parts_in_words(found, autopsy.cell(made, ANGRY, ANGRY))


def test_the_test_of_the_maps_is_told_with_its_numbers() -> None:
    made = atlas()
    said = autopsy.test_in_words(autopsy.cell(made, DISGUST, ANGRY))
    assert "16 of the cell’s" in said
    assert "80.0" in said
    assert "12 “trust”, 4 “weak”" in said
    assert "do not trust" not in said
    assert "put to the test" in autopsy.test_in_words(autopsy.cell(made, ANGRY, SAD))


def test_labels_of_the_nearest_training_faces_are_shares_of_all_of_them() -> None:
    found = autopsy.cell(atlas(), DISGUST, ANGRY)
    assert found.neighbour_shares[ANGRY] == pytest.approx(0.75)
    said = autopsy.neighbours_in_words(found)
    assert "100 training faces" in said
    assert "75.0" in said
    assert "25.0" in said.rsplit("share the label", 1)[0].rsplit(":", 1)[1]
    empty = autopsy.cell(atlas(), SAD, ANGRY)
    assert empty.neighbour_shares.sum() == 0
    assert "no face in this cell" in autopsy.neighbours_in_words(empty)


def test_the_nearest_training_images_are_found_by_the_name_of_a_test_image() -> None:
    known = catalogue.load()
    test = np.flatnonzero(np.isin(known.split, ("public", "private")))
    neighbours = np.zeros((len(test), NEAREST), np.uint16)
    neighbours[17] = [3, 1, 4, 5, 9]
    (near,) = autopsy.nearest(atlas(neighbours=neighbours), [str(known.names[test[17]])])
    assert [name for name, _ in near] == [str(known.names[i]) for i in (3, 1, 4, 5, 9)]
    assert all(f"/{label}/" in name for name, label in near)


def test_records_of_the_chart_hold_the_numbers_of_each_cell() -> None:
    made = atlas()
    records = autopsy.part_records({"here": autopsy.cell(made, DISGUST, ANGRY)})
    assert [record["part"] for record in records] == [part.capitalize() for part in PARTS]
    assert records[0]["low"] == pytest.approx(1 / 6 - 1.96 * 0.01, abs=1e-4)
    assert autopsy.part_records({"empty": autopsy.cell(made, SAD, ANGRY)}) == []
