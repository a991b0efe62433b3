"""The catalogue of all images, filters and orders, and what is said of one image."""

from __future__ import annotations

import numpy as np
import pytest

from fer_core.data import browse, catalogue, faults, tables
from fer_core.data.browse import Album, Query, Scores
from fer_core.data.catalogue import Catalogue
from fer_core.data.fer2013 import Fer2013
from fer_core.errors import FerError
from fer_core.evaluation.predictions import Predictions
from fer_core.labels import EMOTIONS, index_of
from fer_core.registry import load_registry
from fer_core.settings import Settings

NAMES = [
    "test/happy/PrivateTest_1.jpg",
    "test/sad/PublicTest_2.jpg",
    "train/angry/Training_3.jpg",
    "train/happy/Training_4.jpg",
]


@pytest.fixture
def four() -> Catalogue:
    return Catalogue(
        names=np.array(NAMES),
        labels=np.array([index_of(name.split("/")[1]) for name in NAMES]),
        split=np.array(["private", "public", "val", "train"]),
        brightness=np.array([10, 40, 30, 20], np.float32),
        contrast=np.array([1, 2, 3, 4], np.float32),
        sharpness=np.array([4, 3, 2, 1], np.float32),
        flags={flag: np.array([flag == "leaked", False, False, flag == "near"]) for flag in catalogue.FLAGS},
    )


@pytest.fixture
def scores(four: Catalogue) -> Scores:
    """The first is right by .6, the second wrong by .3, the third right by .1; the training image has no scores."""
    proba = np.zeros((3, 7), np.float32)
    proba[0, [index_of("happy"), index_of("sad")]] = 0.8, 0.2
    proba[1, [index_of("sad"), index_of("fear")]] = 0.35, 0.65
    proba[2, [index_of("angry"), index_of("sad")]] = 0.55, 0.45
    # in another order than the catalogue's
    at = [2, 0, 1]
    return browse.align(
        Predictions(names=four.names[at], split=four.split[at], labels=four.labels[at], proba=proba[at]),
        four,
    )


def test_scores_are_put_into_the_order_of_the_catalogue(scores: Scores) -> None:
    assert scores.predicted.tolist() == [index_of("happy"), index_of("fear"), index_of("angry"), -1]
    assert scores.margin[:3] == pytest.approx([0.6, -0.3, 0.1])
    assert np.isnan(scores.margin[3])
    assert np.isnan(scores.proba[3]).all()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query(), [0, 1, 2, 3]),
        (Query(part="test"), [0, 1]),
        (Query(part="training"), [2, 3]),
        (Query(part="val"), [2]),
        (Query(label="happy"), [0, 3]),
        (Query(label="happy", part="train"), [3]),
        (Query(flag="near"), [3]),
        (Query(flag="blank"), []),
        (Query(predicted="fear"), [1]),
        (Query(margin=(-1.0, 0.0)), [1]),
        (Query(margin=(0.0, 0.5)), [2]),
        (Query(sort="margin"), [1, 2, 0]),
        (Query(sort="-margin"), [0, 2, 1]),
        (Query(sort="brightness"), [0, 3, 2, 1]),
        (Query(sort="-brightness"), [1, 2, 3, 0]),
        (Query(sort="sharpness", part="test"), [1, 0]),
        (Query(agreement=(0.5, 1.0)), [0, 3]),
        (Query(sort="agreement"), [2, 3, 0]),
    ],
)
def test_filters_and_orders(four: Catalogue, scores: Scores, query: Query, expected: list[int]) -> None:
    agreed = np.array([0.9, np.nan, 0.1, 0.5])
    assert browse.select(four, query, scores=scores, agreed=agreed).tolist() == expected


def test_a_filter_that_needs_what_is_not_there_says_so(four: Catalogue) -> None:
    with pytest.raises(FerError, match="stored predictions"):
        browse.select(four, Query(predicted="happy"))
    with pytest.raises(FerError, match="FERPLUS_CSV"):
        browse.select(four, Query(sort="agreement"))
    with pytest.raises(FerError, match="no such part"):
        browse.select(four, Query(part="everything"))


def test_counts_per_split_and_class(four: Catalogue) -> None:
    expected = np.zeros((4, 7), int)
    for split, emotion in (("train", "happy"), ("val", "angry"), ("public", "sad"), ("private", "happy")):
        expected[catalogue.SPLITS.index(split), index_of(emotion)] = 1
    np.testing.assert_array_equal(four.counts(), expected)


def test_packing_keeps_names_labels_splits_and_three_digits(four: Catalogue) -> None:
    again = catalogue.unpack(catalogue.pack(four))
    assert again.names.tolist() == NAMES
    assert again.labels.tolist() == four.labels.tolist()
    assert again.split.tolist() == four.split.tolist()
    np.testing.assert_allclose(again.brightness, four.brightness, rtol=1e-3)


def shade(value: int) -> np.ndarray:
    return np.full((48, 48), value, np.uint8)


def test_a_face_is_found_by_name_in_a_copy_of_any_order_and_missing_ones_are_noticed(four: Catalogue) -> None:
    names = [NAMES[3], "test/angry/PublicTest_99.jpg", NAMES[0]]
    copy = Fer2013(
        np.stack([shade(4), shade(99), shade(1)]), np.zeros(3, np.int64), np.array(["Training"] * 3), np.array(names)
    )
    album = Album(copy, four)
    assert album.face(0)[0, 0] == 1
    assert album.face(3)[0, 0] == 4
    assert album.face(1) is None
    assert album.uri(1) is None
    html = browse.grid(four, [3, 1], album, address=lambda name: f"?image={name}")
    assert html.count("<img") == 2
    assert "PublicTest_2.jpg (not in this copy of FER2013)" in html
    assert 'href="?image=train/happy/Training_4.jpg"' in html


def test_a_face_of_the_original_csv_is_found_through_its_row() -> None:
    found = catalogue.load()
    from fer_core.data.ferplus import row_map

    name, row = next(iter(row_map().items()))
    copy = Fer2013(
        np.stack([shade(1), shade(2)]),
        np.zeros(2, np.int64),
        np.array(["Training"] * 2),
        np.array(["row/99999", f"row/{row:05d}"]),
    )
    assert Album(copy, found).face(int(found.index_of([name])[0]))[0, 0] == 2


def test_captions_and_descriptions_say_label_and_highest_score(four: Catalogue, scores: Scores) -> None:
    assert browse.caption(four, 0, scores) == "happy"
    assert browse.caption(four, 1, scores) == "sad → fear"
    assert browse.caption(four, 3, scores) == "happy"
    assert browse.describe(four, 1, scores) == "Face labelled sad, highest score 0.65 for fear, PublicTest_2.jpg"
    assert browse.describe(four, 3) == "Face labelled happy, Training_4.jpg"


def test_the_list_behind_a_grid(four: Catalogue, scores: Scores) -> None:
    listed = browse.table(four, [1, 3], scores=scores, agreed=np.array([0, 0.25, 0, np.nan]))
    assert listed["image"] == [NAMES[1], NAMES[3]]
    assert listed["predicted"] == ["fear", None]
    assert listed["margin"] == [-0.3, None]
    assert listed["votes for the label"] == [0.25, None]
    assert listed["flags"] == ["", "near"]


@pytest.mark.parametrize(("count", "size", "expected"), [(0, 200, 1), (200, 200, 1), (201, 200, 2)])
def test_pages(count: int, size: int, expected: int) -> None:
    assert browse.pages(count, size) == expected


def test_one_answer_to_equal_pictures_is_wrong_for_all_but_the_most_frequent_label() -> None:
    groups = [
        ["train/sad/Training_1.jpg", "test/sad/PublicTest_2.jpg", "train/fear/Training_3.jpg"],
        ["train/sad/Training_4.jpg", "train/fear/Training_5.jpg"],
    ]
    assert faults.unavoidable_errors(groups) == 2


# what is committed


def test_the_committed_catalogue_holds_the_whole_of_fer2013() -> None:
    found = catalogue.load()
    counts = found.counts()
    assert len(found) == 35_887
    assert counts[:2].sum() == 28_709
    assert counts[2:].sum(axis=0).tolist() == [958, 111, 1024, 1774, 1233, 1247, 831]
    assert (np.sort(found.names) == found.names).all()


def test_the_committed_tables_hold_the_known_faults() -> None:
    found = catalogue.load()
    repeats = faults.repeats()
    assert (len(repeats.groups), repeats.extra) == (1_516, 1_853)
    assert len(faults.contradictions().groups) == 57
    assert len(tables.leaked()) == 568
    assert faults.leaks().private == 288
    assert (faults.blanks().blank, faults.blanks().nearly) == (13, 2)
    assert found.flags["noface"].sum() == 177


def test_every_name_in_a_committed_table_is_an_image() -> None:
    found = catalogue.load()
    named = [
        *(row[key] for row in tables.rows("leaked") for key in ("image", "twin")),
        *(row[key] for row in tables.rows("near") for key in ("first", "second")),
        *(row["image"] for table in ("repeated", "blank", "suspects") for row in tables.rows(table)),
    ]
    assert (found.index_of(named) >= 0).all()


def test_what_is_said_of_a_leaked_image() -> None:
    found = catalogue.load()
    row = next(row for row in tables.rows("leaked") if row["image"].split("/")[1] == row["twin"].split("/")[1])
    said = browse.findings(found, int(found.index_of([row["image"]])[0]))
    repeated = next(finding for finding in said if finding.flag == "repeated")
    assert row["twin"] in repeated.others
    assert row["image"] not in repeated.others
    assert "a copy of it is in Training" in repeated.sentence


def test_each_flag_of_an_image_is_explained() -> None:
    found = catalogue.load()
    for flag in ("repeated", "near", "blank", "suspect", "noface"):
        index = int(np.flatnonzero(found.flags[flag])[0])
        assert flag in [finding.flag for finding in browse.findings(found, index)]


def test_the_map_covers_validation_and_test_and_neighbours_are_others() -> None:
    found = catalogue.load()
    points = browse.map_points(found, "label")
    assert len(points.positions) == 10_050
    assert set(found.split[points.positions].tolist()) == {"val", "public", "private"}
    assert np.isfinite(points.xy).all()
    assert points.codes.tolist() == found.labels[points.positions].tolist()
    for index in (0, 20_000, 35_886):
        near = browse.neighbours(index)
        assert len(set(near.tolist())) == len(near) == 6
        assert index not in near


def test_the_map_tells_right_from_wrong_and_needs_scores_for_it() -> None:
    found = catalogue.load()
    at = browse.map_points(found, "label").positions[:2]
    proba = np.full((2, 7), 0.05, np.float32)
    proba[0, found.labels[at[0]]] = 0.7
    proba[1, (found.labels[at[1]] + 1) % 7] = 0.7
    stored = Predictions(found.names[at], found.split[at], found.labels[at], proba)
    points = browse.map_points(found, "error", scores=browse.align(stored, found))
    assert points.codes[:3].tolist() == [0, 1, 2]
    wrong = EMOTIONS[(found.labels[at[1]] + 1) % 7]
    assert points.texts[1] == f"{EMOTIONS[found.labels[at[1]]]} → {wrong}"
    with pytest.raises(FerError, match="coloured by"):
        browse.map_points(found, "error")


def test_no_committed_table_holds_votes_of_single_images() -> None:
    assert not {"votes", "majority", "agreement", "entropy"} & {
        column for path in tables.FOLDER.glob("*.csv") for column in path.open().readline().strip().split(",")
    }
    for path in tables.FOLDER.glob("*.npz"):
        with np.load(path) as stored:
            assert not {"votes", "counts", "majority"} & set(stored.files)


def test_faults_are_counted_in_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = {
        "leaked": ({"image": "test/sad/PrivateTest_1.jpg", "twin": "train/fear/Training_2.jpg"},
                   {"image": "test/sad/PublicTest_3.jpg", "twin": "train/sad/Training_4.jpg"}),
        "repeated": tuple({"group": g, "image": n} for g, n in (
            ("0", "train/sad/Training_5.jpg"), ("0", "train/sad/Training_6.jpg"),
            ("1", "train/sad/Training_7.jpg"), ("1", "train/fear/Training_8.jpg"),
            ("1", "test/fear/PublicTest_9.jpg"))),
        "near": ({"first": "test/sad/PublicTest_1.jpg", "second": "train/fear/Training_2.jpg", "mirrored": "1"},
                 {"first": "test/sad/PublicTest_1.jpg", "second": "test/sad/PrivateTest_3.jpg", "mirrored": "0"}),
    }  # fmt: skip
    monkeypatch.setattr(tables, "rows", stored.__getitem__)
    leaks, repeats, found = faults.leaks(), faults.repeats(), faults.contradictions()
    assert (len(leaks.pairs), leaks.private, leaks.differing) == (2, 1, 1)
    assert ([len(group) for group in repeats.groups], repeats.extra, repeats.largest) == ([3, 2], 3, 3)
    assert (len(found.groups), found.images, found.errors) == (1, 3, 1)
    near = faults.near_duplicates("across")
    assert (len(near.pairs), near.mirrored, near.differing, near.crossing) == (1, 1, 1, 1)
    assert len(faults.near_duplicates().pairs) == 2
    assert faults.near_duplicates("labels").pairs == near.pairs
    assert faults.near_leaks() == {"test/sad/PublicTest_1.jpg"}


def test_map_and_doubts_name_a_model_that_is_there() -> None:
    there = {card.id for card in load_registry(Settings.models_dir).cards}
    assert tables.document("map")["model"] in there
    assert tables.document("suspects")["model"] in there
