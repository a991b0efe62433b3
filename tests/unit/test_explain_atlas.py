"""The atlas of the toy model: mean faces, maps, parts, tests and neighbours of every cell, and how it is stored."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from fer_core.classifier import load_classifier
from fer_core.errors import ModelContractError
from fer_core.explain import atlas, autopsy, cam
from fer_core.explain.atlas import MIN_FACES, NEAREST, SAMPLED, Atlas, Material, nearest_of, read_atlas, write_atlas
from fer_core.labels import EMOTIONS, index_of
from fer_core.registry import ATLAS_FILE, ONNX_FILE, ModelCard, load_card, write_card
from tests.toy import half_faces, make_toy_model, write_toy_graph

ANGRY, DISGUST, FEAR, HAPPY, NEUTRAL, SAD, SURPRISE = range(7)
LEFT = [(100 + 10 * k, 0) for k in range(MIN_FACES)]
"""Bright left halves, which the toy calls happy."""
RIGHT = [(0, 200), (0, 250)]
"""Bright right halves, which it calls sad."""
TRAIN_PLACE = np.arange(500, 512)


def material() -> Material:
    """Return twelve faces a label: ten happy and two sad; of fear nine, two, and a black face, which is called angry.

    Of surprise there are 19 happy ones: more than are put to the test. Training has six faces bright on the left,
    labelled neutral, and six bright on the right, labelled disgust.
    """
    halves, labels = [], []
    for label in range(7):
        mine = [*LEFT, *RIGHT]
        if label == FEAR:
            mine[0] = (0, 0)
        if label == SURPRISE:
            mine = [*LEFT, *LEFT[:9], *RIGHT]
        halves += mine
        labels += [label] * len(mine)
    faces = half_faces(*halves)
    answers = [HAPPY if left > right else SAD if right else ANGRY for left, right in halves]
    return Material(
        faces=faces,
        labels=np.array(labels),
        answers=np.array(answers),
        points=[None] * len(faces),
        train_faces=half_faces(*[(60 + 30 * k, 0) for k in range(6)], *[(0, 60 + 30 * k) for k in range(6)]),
        train_labels=np.array([NEUTRAL] * 6 + [DISGUST] * 6),
        train_place=TRAIN_PLACE,
    )


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> ModelCard:
    return make_toy_model(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def made(card: ModelCard) -> Atlas:
    explainer = cam.explainer(load_classifier(card))
    return atlas.build(explainer, material(), control=(0.123456, 64), say=lambda text: None)


def test_every_image_is_counted_in_its_cell(made):
    expected = np.zeros((7, 7), int)
    expected[:, HAPPY], expected[:, SAD] = 10, 2
    expected[FEAR, [ANGRY, HAPPY]], expected[SURPRISE, HAPPY] = (1, 9), 19
    np.testing.assert_array_equal(made.count, expected)
    assert (made.about.images, made.about.model, made.about.layer) == (93, "toy", "maps")
    assert (made.about.network_control, made.about.network_control_faces) == (0.1235, 64)


def test_maps_are_kept_by_cell_and_their_offset_beside_them(card, made):
    as_it_is = cam.explainer(load_classifier(card))
    moved = cam.Explainer(as_it_is.classifier, replace(as_it_is.head, offset=0.2))
    other = atlas.build(moved, material(), say=lambda text: None)
    assert (made.about.offset, other.about.offset) == (0, 0.2)
    np.testing.assert_array_equal(other.map_answer, made.map_answer)
    assert autopsy.cell(other, FEAR, HAPPY).map_answer.offset == 0.2
    assert np.abs(other.parts_answer - made.parts_answer).max() > 0.01, "parts are those the map is drawn over"


def test_a_mean_face_is_shown_of_enough_images_only(made):
    assert made.count[FEAR, HAPPY] == MIN_FACES - 1
    assert made.count[ANGRY, HAPPY] == MIN_FACES
    assert (made.face[FEAR, HAPPY] == 0).all()
    assert (made.face[:, SAD] == 0).all()
    mean = half_faces(*LEFT).mean(axis=0)
    np.testing.assert_array_equal(made.face[ANGRY, HAPPY], np.rint(mean))
    assert made.face[ANGRY, HAPPY].max() == 145
    assert made.face.dtype == np.uint8


def test_mean_maps_lie_where_the_toy_looks(made):
    left = np.zeros((6, 6))
    left[:, :3] = 2  # each face's map by its own mean: half of the cells hold all
    np.testing.assert_allclose(made.map_answer[ANGRY, HAPPY], left, rtol=1e-5)
    np.testing.assert_allclose(made.map_answer[FEAR, HAPPY], left, rtol=1e-5)
    np.testing.assert_allclose(made.map_answer[ANGRY, SAD], left[:, ::-1], rtol=1e-5)
    np.testing.assert_allclose(made.map_label[HAPPY, HAPPY], left, rtol=1e-5)
    assert (made.map_label[ANGRY, HAPPY] == 0).all(), "the toy has no map for angry"
    assert (made.map_answer[ANGRY, NEUTRAL] == 0).all(), "an empty cell"
    assert made.grid == (6, 6)


def test_the_contrast_is_in_logits_and_signed(made):
    bright = np.mean([left for left, _ in LEFT]) / 255
    expected = np.zeros((6, 6))
    expected[:, :3] = 8 / 36 * bright
    np.testing.assert_allclose(made.contrast[ANGRY, HAPPY], expected, rtol=1e-4)
    assert made.contrast[ANGRY, HAPPY].sum() == pytest.approx(4 * bright, rel=1e-4)
    # a happy face called sad: what is bright on the right speaks for the answer, nothing against
    np.testing.assert_allclose(made.contrast[HAPPY, SAD][:, 3:], 8 / 36 * 225 / 255, rtol=1e-4)
    np.testing.assert_allclose(made.contrast[SAD, HAPPY], expected, rtol=1e-4)
    assert (made.contrast[HAPPY, HAPPY] == 0).all(), "an answer is not contrasted with itself"


def test_what_speaks_against_an_answer_is_negative_in_the_contrast(card):
    given = material()
    chosen = np.flatnonzero((given.labels == HAPPY) & (given.answers == HAPPY))[:2]
    wrong = replace(
        given,
        faces=given.faces[chosen],
        labels=given.labels[chosen],
        answers=np.array([SAD, SAD]),  # as if the model had said so
        points=[None, None],
    )
    contrast = atlas.build(cam.explainer(load_classifier(card)), wrong, say=lambda text: None).contrast[HAPPY, SAD]
    assert (contrast[:, :3] < 0).all()
    assert (contrast[:, 3:] == 0).all()


def test_dead_maps_are_counted_and_left_out_of_the_mean(made):
    expected = np.zeros((7, 7), int)
    expected[FEAR, ANGRY] = 1
    np.testing.assert_array_equal(made.dead, expected)
    assert (made.parts_answer[FEAR, ANGRY] == 0).all()


def test_a_dead_map_does_not_thin_the_mean_of_the_others(card):
    given = replace(
        material(),
        faces=half_faces((0, 0), (200, 0)),
        labels=np.array([ANGRY, ANGRY]),
        answers=np.array([HAPPY, HAPPY]),  # as if the model had said so of the black face, too
        points=[None, None],
    )
    mixed = atlas.build(cam.explainer(load_classifier(card)), given, say=lambda text: None)
    assert (mixed.count[ANGRY, HAPPY], mixed.dead[ANGRY, HAPPY]) == (2, 1)
    np.testing.assert_allclose(mixed.map_answer[ANGRY, HAPPY][:, :3], 2, rtol=1e-5)
    np.testing.assert_allclose(mixed.parts_answer[ANGRY, HAPPY, :, 0].sum(), 1, rtol=1e-5)


def test_shares_of_the_parts_add_up_and_their_error_is_that_of_the_mean(made):
    filled = (made.count - made.dead) > 0
    np.testing.assert_allclose(made.parts_answer[filled][..., 0].sum(axis=-1), 1, rtol=1e-5)
    np.testing.assert_allclose(made.parts_label[HAPPY, HAPPY, :, 0].sum(), 1, rtol=1e-5)
    assert (made.parts_label[ANGRY] == 0).all()
    # all maps of the cell are one map, but for their scale
    np.testing.assert_allclose(made.parts_answer[ANGRY, HAPPY, :, 1], 0, atol=1e-4)
    np.testing.assert_allclose(made.area[made.count > 0].sum(axis=-1), 1, rtol=1e-5)
    # eyes, mouth and so on are symmetric, and so is half of a face
    np.testing.assert_allclose(made.parts_answer[ANGRY, HAPPY, :, 0], made.area[ANGRY, HAPPY], atol=0.02)


def test_the_standard_error_is_that_of_shares_that_differ(card):
    given = material()
    leaning = np.array([(0.2, 0.3), (0.6, 0.3), (0.4, 0.5), (0.25, 0.75), (0.55, 0.75)])
    few = replace(
        given,
        faces=given.faces[:3],
        labels=given.labels[:3],
        answers=given.answers[:3],
        points=[None, leaning, leaning - 0.1],
    )
    explainer = cam.explainer(load_classifier(card))
    parts = atlas.build(explainer, few, say=lambda text: None).parts_answer[ANGRY, HAPPY]
    alone = [
        atlas.build(
            explainer,
            replace(
                few, faces=few.faces[k : k + 1], labels=few.labels[:1], answers=few.answers[:1], points=[few.points[k]]
            ),
            say=lambda text: None,
        ).parts_answer[ANGRY, HAPPY, :, 0]
        for k in range(3)
    ]
    np.testing.assert_allclose(parts[:, 0], np.mean(alone, axis=0), atol=1e-5)
    np.testing.assert_allclose(parts[:, 1], np.std(alone, axis=0, ddof=1) / np.sqrt(3), atol=1e-4)
    assert parts[:, 1].max() > 0.02


def test_the_surest_faces_of_a_cell_are_put_to_the_test(made, card):
    np.testing.assert_array_equal(made.tested, np.minimum(made.count, SAMPLED))
    np.testing.assert_array_equal(made.levels.sum(axis=-1), made.tested)
    assert np.isnan(made.beats[made.count == 0]).all()
    assert ((made.beats >= 0) & (made.beats <= 1))[made.count > 0].all()
    scores = load_classifier(card).predict_proba(half_faces(*LEFT))[:, HAPPY]
    deletion, insertion, random_deletion, random_insertion = made.curves[ANGRY, HAPPY]
    for curve in (deletion, random_deletion):
        assert curve[0] == pytest.approx(scores.mean(), abs=1e-5)
    for curve in (insertion, random_insertion):
        assert curve[-1] == pytest.approx(scores.mean(), abs=1e-5)
    # of surprise there are 19, and of each brightness but the largest two: the three darkest are left out
    surest = np.sort(np.r_[scores, scores[:9]])[::-1][:SAMPLED]
    assert made.curves[SURPRISE, HAPPY, 0, 0] == pytest.approx(surest.mean(), abs=1e-5)
    assert (made.curves[ANGRY, NEUTRAL] == 0).all()
    # a black face: its map is dead
    assert made.levels[FEAR, ANGRY].tolist() == [0, 0, 1]


def test_the_nearest_rows_are_those_of_largest_cosine_nearest_first():
    angles = np.deg2rad([0, 10, 50, 90, 180])
    others = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    asked = np.deg2rad([4, 80, -170])
    features = np.stack([np.cos(asked), np.sin(asked)], axis=1).astype(np.float32)
    expected = [[0, 1, 2], [3, 2, 1], [4, 3, 2]]
    assert nearest_of(features, others, 3).tolist() == expected
    assert nearest_of(features, others, 3, chunk=2).tolist() == expected
    assert nearest_of(features, others, 5)[0].tolist() == [0, 1, 2, 3, 4]


def test_neighbours_are_counted_by_their_labels_and_kept_by_their_place(made):
    np.testing.assert_array_equal(made.neighbour_labels.sum(axis=-1), made.count * NEAREST)
    assert made.neighbour_labels[ANGRY, HAPPY, NEUTRAL] == 10 * NEAREST
    assert made.neighbour_labels[ANGRY, SAD, DISGUST] == 2 * NEAREST
    assert made.neighbours.shape == (93, NEAREST)
    assert made.neighbours.dtype == np.uint16
    bright_left = TRAIN_PLACE[:6]
    assert np.isin(made.neighbours[:10], bright_left).all()
    assert np.isin(made.neighbours[10:12], TRAIN_PLACE[6:]).all()
    assert all(len(set(row)) == NEAREST for row in made.neighbours.tolist())


def test_a_label_goes_to_its_most_frequent_error(made):
    assert made.goes_to(HAPPY) == SAD
    assert made.goes_to(SAD) == HAPPY
    assert made.goes_to(FEAR) == HAPPY
    count = np.zeros((7, 7), np.int64)
    count[DISGUST] = [4, 9, 0, 4, 0, 0, 0]
    tied = replace(made, count=count)
    assert tied.goes_to(DISGUST) == ANGRY, "the first of equals"
    assert tied.goes_to(ANGRY) != ANGRY, "also where there is no error"


# Storing


@pytest.fixture
def stored(tmp_path: Path, made: Atlas) -> ModelCard:
    card = make_toy_model(tmp_path)
    assert card.files[ONNX_FILE]["sha256"] == made.about.network
    write_atlas(made, card.directory / ATLAS_FILE)
    return write_card(card)


def test_an_atlas_is_read_as_it_was_written_within_half_precision(stored, made):
    read = read_atlas(stored)
    assert read is not None
    assert read.about == made.about
    for field in fields(Atlas):
        if field.name == "about":
            continue
        one, other = getattr(read, field.name), getattr(made, field.name)
        assert one.dtype == other.dtype, field.name
        if one.dtype == np.float32:
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-6, err_msg=field.name)
        else:
            np.testing.assert_array_equal(one, other, err_msg=field.name)


def test_the_same_material_gives_the_same_bytes(stored, made, tmp_path):
    again = atlas.build(
        cam.explainer(load_classifier(stored)), material(), control=(0.123456, 64), say=lambda text: None
    )
    write_atlas(again, tmp_path / ATLAS_FILE)
    assert (tmp_path / ATLAS_FILE).read_bytes() == (stored.directory / ATLAS_FILE).read_bytes()


def test_a_model_may_come_without_an_atlas(card):
    assert read_atlas(card) is None


def test_an_atlas_of_another_graph_is_refused_with_the_remedy(stored):
    write_toy_graph(stored.directory / ONNX_FILE, bias=np.ones(7))
    with pytest.raises(ModelContractError, match=r"another version of the model.*python -m fer_core explain atlas toy"):
        read_atlas(write_card(stored))
    (stored.directory / ONNX_FILE).unlink()
    with pytest.raises(ModelContractError, match="explain atlas toy"):
        read_atlas(write_card(replace(stored, outputs=())))


def test_a_damaged_atlas_is_refused(stored, tmp_path):
    path = stored.directory / ATLAS_FILE
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"x")
    with pytest.raises(ModelContractError, match="sha256 differs"):
        read_atlas(stored)
    np.savez(tmp_path / "other.npz", count=np.zeros((7, 7)))
    np.savez(tmp_path / "about.npz", about=np.array('{"model": "toy"}'))
    np.save(tmp_path / "array.npy", np.zeros(3))
    middle = len(whole) // 3
    for content in (
        b"",
        b"PK\x03\x04",
        whole[: len(whole) // 2],
        whole[:middle] + bytes(255 - byte for byte in whole[middle : middle + 40]) + whole[middle + 40 :],
        (tmp_path / "other.npz").read_bytes(),
        (tmp_path / "about.npz").read_bytes(),
        (tmp_path / "array.npy").read_bytes(),
    ):
        path.write_bytes(content)
        with pytest.raises(ModelContractError, match=r"cannot be read.*python -m fer_core explain atlas toy"):
            read_atlas(write_card(stored))


def test_the_stored_atlas_is_small_and_holds_no_single_face(stored):
    card = load_card(stored.directory, verify=True)
    assert card.files[ATLAS_FILE]["bytes"] < 200_000
    with np.load(card.path(ATLAS_FILE)) as content:
        assert content["about"].shape == ()
        pictures = [name for name in content.files if content[name].shape[-2:] == (48, 48)]
        assert pictures == ["face"]
        few = content["count"] < MIN_FACES
        assert (content["face"][few] == 0).all()


def test_classes_stand_in_the_order_of_the_project():
    assert [index_of(name) for name in EMOTIONS] == [ANGRY, DISGUST, FEAR, HAPPY, NEUTRAL, SAD, SURPRISE]
