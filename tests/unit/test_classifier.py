from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fer_core.classifier import CHUNK, Classifier, load_classifier
from fer_core.errors import ModelContractError
from fer_core.labels import index_of
from fer_core.preprocessing import InputSpec
from fer_core.registry import ModelCard, write_card
from fer_core.scores import softmax
from tests.toy import KERNEL, half_faces, make_toy_model, toy_logits, write_toy_graph

E4 = np.exp(4)
HAPPY, SAD, ANGRY = index_of("happy"), index_of("sad"), index_of("angry")


@pytest.fixture
def toy(tmp_path: Path) -> Classifier:
    return load_classifier(make_toy_model(tmp_path))


def test_scores_are_those_computed_by_hand(toy):
    p = toy.predict_proba(half_faces((255, 0), (0, 0)))
    assert p.shape == (2, 7)
    assert p.dtype == np.float32
    assert p[0, HAPPY] == pytest.approx(E4 / (E4 + 6), rel=1e-5)
    assert p[0, SAD] == pytest.approx(1 / (E4 + 6), rel=1e-5)
    np.testing.assert_allclose(p[1], 1 / 7, rtol=1e-5)


def test_logits_come_before_the_temperature(tmp_path):
    classifier = load_classifier(make_toy_model(tmp_path, temperature=2.0))
    face = half_faces((255, 0))
    np.testing.assert_allclose(classifier.logits(face)[0], toy_logits(255, 0), atol=1e-5)
    e2 = np.exp(2)
    assert classifier.predict_proba(face)[0, HAPPY] == pytest.approx(e2 / (e2 + 6), rel=1e-5)


def test_mirror_averages_the_probabilities_of_face_and_mirror_image(toy):
    face = half_faces((255, 0))
    p = toy.predict_proba(face, mirror=True)[0]
    expected = (E4 + 1) / 2 / (E4 + 6)
    assert p[HAPPY] == pytest.approx(expected, rel=1e-5)
    assert p[SAD] == pytest.approx(expected, rel=1e-5)
    assert p[ANGRY] == pytest.approx(1 / (E4 + 6), rel=1e-5)


def test_mirrored_logits_give_the_averaged_probabilities_through_the_temperature(tmp_path):
    classifier = load_classifier(make_toy_model(tmp_path, temperature=0.5))
    face = half_faces((200, 30))
    mean = (classifier.predict_proba(face) + classifier.predict_proba(face[:, :, ::-1])) / 2
    np.testing.assert_allclose(softmax(classifier.logits(face, mirror=True) / np.float32(0.5)), mean, rtol=1e-4)


def test_mirroring_survives_probabilities_too_small_for_a_float(tmp_path):
    classifier = load_classifier(make_toy_model(tmp_path, kernel=KERNEL * 100))
    face = half_faces((255, 0))
    assert np.isfinite(classifier.logits(face, mirror=True)).all()
    assert classifier.predict_proba(face, mirror=True)[0, HAPPY] == pytest.approx(0.5)


def test_embedding_and_maps_are_those_computed_by_hand(toy):
    face = half_faces((255, 51))
    np.testing.assert_allclose(toy.embedding(face), [[0.5, 0.1]], rtol=1e-5)
    maps = toy.maps(face)
    assert maps.shape == (1, 6, 6, 2)
    np.testing.assert_allclose(maps[0, :, :, 0], np.tile([1, 1, 1, 0, 0, 0], (6, 1)), atol=1e-6)
    np.testing.assert_allclose(maps[0, :, :, 1], np.tile([0, 0, 0, 0.2, 0.2, 0.2], (6, 1)), atol=1e-6)


def test_several_outputs_of_one_pass_belong_to_the_same_faces(toy):
    faces = half_faces((10, 20), (30, 40), (250, 0))
    answer = toy.outputs(faces, ("maps", "logits"))
    assert list(answer) == ["maps", "logits"]
    np.testing.assert_array_equal(answer["logits"], toy.logits(faces))
    np.testing.assert_array_equal(answer["maps"], toy.maps(faces))


def test_many_faces_keep_their_order_across_chunks(toy):
    rng = np.random.default_rng(0)
    halves = rng.integers(0, 256, (5 * CHUNK + 3, 2))
    logits = toy.logits(half_faces(*map(tuple, halves)))
    np.testing.assert_allclose(logits, [toy_logits(left, right) for left, right in halves], atol=1e-4)


def test_no_faces_give_no_scores(toy):
    none = np.empty((0, 48, 48), np.uint8)
    assert toy.predict_proba(none).shape == (0, 7)
    assert toy.predict_proba(none, mirror=True).shape == (0, 7)
    assert toy.maps(none).shape == (0, 6, 6, 2)


def test_a_face_of_another_size_is_resized_to_the_input(toy):
    large = half_faces((255, 0)).repeat(4, 1).repeat(4, 2)
    np.testing.assert_allclose(toy.logits(large)[0], toy_logits(255, 0), atol=0.2)


def test_preprocessing_comes_from_the_card(tmp_path):
    spec = InputSpec(96, 96, 3, (255.0, 0.0, 0.0), (255.0, 1.0, 1.0), "nearest")
    classifier = load_classifier(make_toy_model(tmp_path, input=spec))
    # The left half is white: (255 - 255) / 255 = 0; the right half is black: (0 - 255) / 255 = -1.
    np.testing.assert_allclose(classifier.logits(half_faces((255, 0)))[0, [HAPPY, SAD]], [0, -4], atol=1e-5)


def test_wrong_faces_are_refused_with_a_sentence(toy):
    with pytest.raises(ValueError, match="uint8"):
        toy.predict_proba(np.zeros((1, 48, 48), np.float32))
    with pytest.raises(ValueError, match=r"face\[np\.newaxis\]"):
        toy.predict_proba(np.zeros((48, 48), np.uint8), mirror=True)


def test_an_unknown_output_is_refused(toy):
    with pytest.raises(ValueError, match="not features"):
        toy.outputs(half_faces((0, 0)), ("features",))
    with pytest.raises(ValueError, match="not none"):
        toy.outputs(half_faces((0, 0)), ())


def test_threads_sharing_one_session_get_their_own_answers(toy):
    wrong: list[int] = []

    def ask(seed: int) -> None:
        halves = np.random.default_rng(seed).integers(0, 256, (1 + seed % 11, 2))
        faces = half_faces(*map(tuple, halves))
        for _ in range(20):
            if not np.allclose(toy.logits(faces), [toy_logits(*pair) for pair in halves], atol=1e-4):
                wrong.append(seed)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_model_without_onnx_is_refused(tmp_path):
    card = make_toy_model(tmp_path, onnx=False, outputs=())
    with pytest.raises(ModelContractError, match=r"comes without model\.onnx"):
        load_classifier(card)


def test_a_changed_onnx_file_is_refused(tmp_path):
    card = make_toy_model(tmp_path)
    write_toy_graph(card.directory / "model.onnx", kernel=KERNEL * 2)
    with pytest.raises(ModelContractError, match="sha256 differs"):
        load_classifier(card)


@pytest.mark.parametrize("content", [b"", b"not a graph", b"\x08\x08"], ids=["empty", "text", "bare"])
def test_a_file_that_is_no_graph_is_refused(tmp_path, content):
    card = make_toy_model(tmp_path)
    (card.directory / "model.onnx").write_bytes(content)
    with pytest.raises(ModelContractError, match=r"model\.onnx of “toy” cannot be used: .*Export the model again"):
        load_classifier(write_card(card))


@pytest.mark.parametrize("missing", ["logits", "embedding", "maps"])
def test_a_graph_without_a_named_output_is_refused(tmp_path, missing):
    there = [name for name in ("logits", "embedding", "maps") if name != missing]
    card = make_toy_model(tmp_path, graph_outputs=there)
    with pytest.raises(ModelContractError, match=f"no output “{missing}”; its outputs are “{there[0]}”, “{there[1]}”"):
        load_classifier(card)


def test_a_graph_of_another_input_size_than_its_card_is_refused(tmp_path):
    card = make_toy_model(tmp_path)
    other = write_card(replace(card, input=InputSpec(96, 96, 1, (0.0,), (1.0,))))
    with pytest.raises(ModelContractError, match=r"its card says float \(N, 96, 96, 1\)"):
        load_classifier(other)


def test_a_graph_of_six_classes_is_refused(tmp_path):
    card = make_toy_model(tmp_path, kernel=KERNEL[:, :6])
    with pytest.raises(ModelContractError, match="6 logits; there are 7"):
        load_classifier(card)


def test_a_network_of_broken_weights_is_refused(tmp_path):
    card = make_toy_model(tmp_path, kernel=np.full_like(KERNEL, np.nan))
    with pytest.raises(ModelContractError, match="“logits” is not finite"):
        load_classifier(card)


def test_a_graph_for_single_faces_only_is_refused(tmp_path):
    import onnx

    card: ModelCard = make_toy_model(tmp_path)
    path = card.directory / "model.onnx"
    graph = onnx.load(path)
    graph.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(graph, path)
    with pytest.raises(ModelContractError, match="batches of 1 only"):
        load_classifier(write_card(card))


def test_a_weights_file_that_is_not_the_cards_is_refused_since_the_graph_may_read_it(tmp_path):
    card = make_toy_model(tmp_path)
    weights = card.directory / "model.weights.h5"
    weights.write_bytes(b"kernels")
    card = write_card(card)
    load_classifier(card)
    weights.write_bytes(b"kernelz")
    with pytest.raises(ModelContractError, match=r"model\.weights\.h5 is not the file"):
        load_classifier(card)
