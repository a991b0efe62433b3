"""Repeats, near repeats, blanks and doubtful labels, each planted by hand."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fer_core.data import quality


def faces(count: int, seed: int = 0) -> np.ndarray:
    """Smooth random pictures: like photos, and unlike noise, they survive a shift and a smaller copy."""
    rng = np.random.default_rng(seed)
    rough = rng.normal(128, 60, (count, 12, 12)).clip(0, 255).astype(np.float32)
    return (
        np.stack([cv2.resize(face, (48, 48), interpolation=cv2.INTER_CUBIC) for face in rough])
        .clip(0, 255)
        .astype(np.uint8)
    )


def test_brightness_contrast_and_sharpness_of_pictures_worked_out_by_hand() -> None:
    flat = np.full((48, 48), 7, np.uint8)
    halves = np.zeros((48, 48), np.uint8)
    halves[:, 24:] = 100
    measured = quality.measure(np.stack([flat, halves]))
    assert measured.brightness.tolist() == [7, 50]
    assert measured.contrast.tolist() == [0, 50]
    # the Laplacian is +100 in one column and -100 in the next, 0 in the 46 others: sqrt(2 / 48) * 100
    assert measured.sharpness == pytest.approx([0, 100 * (2 / 48) ** 0.5])


def test_equal_pictures_belong_to_the_first_of_them() -> None:
    a, b, c = faces(3)
    assert quality.exact_groups(np.stack([a, b, a, c, b, a])).tolist() == [0, 1, 0, 3, 1, 0]


def test_only_twins_with_another_label_contradict() -> None:
    groups = np.array([0, 0, 2, 2, 4])
    labels = np.array([1, 5, 3, 3, 6])
    assert quality.contradicting(groups, labels).tolist() == [True, True, False, False, False]


def test_moved_brightened_marked_and_mirrored_copies_are_found_and_nothing_else() -> None:
    images = faces(40)
    moved = np.roll(images[3], (1, -1), (0, 1))
    paler = (images[8] * 0.5 + 90).astype(np.uint8)
    marked = images[12].copy()
    marked[30:34, 5:40] = 200
    mirrored = images[20][:, ::-1]
    pairs = quality.near_duplicates(np.concatenate([images, [moved, paler, marked, mirrored]]), candidate=0.6, chunk=7)
    found = {(int(a), int(b)): bool(m) for a, b, m in zip(pairs.first, pairs.second, pairs.mirrored, strict=True)}
    assert found == {(3, 40): False, (8, 41): False, (12, 42): False, (20, 43): True}
    assert (np.diff(pairs.similarity) <= 0).all()


def test_the_size_of_the_chunks_changes_nothing() -> None:
    images = faces(30)
    images = np.concatenate([images, np.roll(images, 1, axis=2)])
    one, other = (quality.near_duplicates(images, candidate=0.5, chunk=chunk) for chunk in (1000, 9))
    assert len(one.first) >= 30
    np.testing.assert_array_equal(one.first, other.first)
    np.testing.assert_array_equal(one.second, other.second)


def rows(*values: tuple[float, float]) -> np.ndarray:
    """Probabilities of the first two classes; the rest is shared by the other five."""
    p = np.empty((len(values), 7))
    for row, (a, b) in zip(p, values, strict=True):
        row[:2], row[2:] = (a, b), (1 - a - b) / 5
    return p


def test_a_label_is_suspect_where_another_class_reaches_that_classs_own_mean() -> None:
    labels = np.array([0, 0, 0, 1, 1])
    # thresholds: class 0: (.8 + .6 + .1) / 3 = .5; class 1: (.4 + .2) / 2 = .3
    proba = rows((0.8, 0.1), (0.6, 0.35), (0.1, 0.7), (0.3, 0.4), (0.55, 0.2))
    issues = quality.label_issues(labels, proba)
    assert issues.thresholds[:2] == pytest.approx([0.5, 0.3])
    assert np.isnan(issues.thresholds[2:]).all()
    # the second reaches both and is counted for its larger one; the last is labelled 1 and reaches only 0
    assert issues.suspect.tolist() == [False, False, True, False, True]
    assert issues.suggested.tolist() == [0, 0, 1, 1, 0]
    assert issues.self_confidence == pytest.approx([0.8, 0.6, 0.1, 0.4, 0.2])
    assert issues.margin == pytest.approx([0.7, 0.25, -0.6, 0.1, -0.35])


def test_an_image_that_reaches_no_threshold_is_not_called_suspect() -> None:
    issues = quality.label_issues(np.array([0, 1, 1]), rows((0.9, 0.0), (0.0, 0.9), (0.4, 0.3)))
    assert issues.suspect.tolist() == [False, False, False]


def test_probabilities_that_do_not_fit_the_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="is needed"):
        quality.label_issues(np.array([0, 1]), rows((0.9, 0.0)))


def test_a_label_that_the_model_itself_ranks_first_is_not_suspect() -> None:
    labels = np.array([0, 0, 1, 1])
    # thresholds: class 0: (.9 + .45) / 2 = .675, not reached by the second; class 1: (.1 + .3) / 2 = .2, reached by it
    issues = quality.label_issues(labels, rows((0.9, 0.05), (0.45, 0.35), (0.2, 0.1), (0.1, 0.3)))
    assert issues.suspect.tolist() == [False, False, False, False]
