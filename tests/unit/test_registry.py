from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fer_core.errors import ModelContractError, ModelNotFound
from fer_core.labels import EMOTIONS
from fer_core.registry import ModelCard, load_card, load_registry, write_card
from fer_core.settings import ROOT
from tests.toy import TOY_INPUT, make_toy_model


@pytest.fixture
def card(tmp_path: Path) -> ModelCard:
    return make_toy_model(tmp_path, "toy", accuracy=0.6, head=False, notice="Made for a test.", temperature=1.5)


def edit(card: ModelCard, **changes: Any) -> Path:
    """Change fields of a card on disk, as a damaged or hand-edited file would."""
    path = card.directory / "model.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**data, **changes}), encoding="utf-8")
    return card.directory


def test_a_card_is_read_as_it_was_written(card):
    read = load_card(card.directory)
    assert read == card
    assert (read.id, read.labels, read.input, read.temperature) == ("toy", EMOTIONS, TOY_INPUT, 1.5)
    assert read.outputs == ("logits", "embedding", "maps")
    assert read.val_accuracy == 0.6
    assert read.has_onnx


def test_the_card_lists_size_and_digest_of_its_files(card):
    # sha256 of the 30 bytes that tests.toy writes as history.csv, from sha256sum
    digest = "8e4439b69384347e85e447e31dd49fc4e37615c3fa831951ba9dbe536a2e2ac7"
    assert card.files["history.csv"] == {"sha256": digest, "bytes": 30}
    assert set(card.files) == {"model.onnx", "history.csv"}


def test_the_card_file_is_sorted_and_ends_with_a_newline(card):
    text = (card.directory / "model.json").read_bytes().decode()
    assert text == json.dumps(json.loads(text), sort_keys=True, indent=2, ensure_ascii=False) + "\n"


def test_writing_a_card_leaves_readme_and_hidden_files_out_of_it(card):
    (card.directory / "README.md").write_text("About it.")
    (card.directory / ".notes").write_text("Mine.")
    assert set(write_card(card).files) == {"model.onnx", "history.csv"}
    (card.directory / "README.md").write_text("Another text: the model stays usable.")
    load_card(card.directory, verify=True)


def test_writing_new_metrics_keeps_everything_else(card):
    metrics = {"val": {"accuracy": 0.7, "accuracy_interval": [0.68, 0.72], "auc": None}}
    written = write_card(replace(card, metrics=metrics))
    assert written == replace(card, metrics=metrics)
    assert load_card(card.directory).metrics["val"]["accuracy_interval"] == [0.68, 0.72]


def test_a_card_that_would_be_refused_is_not_written(card):
    before = (card.directory / "model.json").read_bytes()
    for wrong in (replace(card, temperature=0.0), replace(card, metrics={"val": {"accuracy": float("nan")}})):
        with pytest.raises(ModelContractError):
            write_card(wrong)
    assert (card.directory / "model.json").read_bytes() == before
    assert sorted(path.name for path in card.directory.iterdir()) == ["history.csv", "model.json", "model.onnx"]


def test_the_fingerprint_follows_the_files(card):
    (card.directory / "model.onnx").write_bytes(b"retrained")
    assert write_card(card).fingerprint != card.fingerprint
    assert load_card(card.directory).fingerprint == write_card(card).fingerprint


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("format", 2, "reads format 1"),
        ("format", None, "reads format 1"),
        ("id", "other", "not the folder's name"),
        ("id", "../toy", "lower-case letters"),
        ("id", 7, "must be a text"),
        ("name", "  ", "not empty"),
        ("summary", None, "must be a text"),
        ("architecture", "", "not empty"),
        ("labels", sorted(EMOTIONS, reverse=True), "in this order: angry, disgust"),
        ("labels", ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"], "in this order"),
        ("labels", "angry", "list of names"),
        ("input", {"height": 48}, "width is missing"),
        ("input", None, "in input"),
        ("outputs", ["logits"], "logits, embedding, maps"),
        ("outputs", [1], "list of names"),
        ("cam_layers", "conv", "list of names"),
        ("temperature", 0, "temperature is 0"),
        ("temperature", True, "temperature is true"),
        ("temperature", 10**400, "temperature is 1000"),
        ("files", {}, "at least one file"),
        ("files", {"../secret": {"sha256": "0" * 64, "bytes": 1}}, "not the name of a file"),
        ("files", {"/etc/hostname": {"sha256": "0" * 64, "bytes": 1}}, "not the name of a file"),
        ("files", {"a": {"sha256": "zz", "bytes": 1}}, "sha256 and bytes"),
        ("files", {"a": {"sha256": "0" * 64, "bytes": -1}}, "sha256 and bytes"),
        ("files", {"a": 5}, "sha256 and bytes"),
        ("metrics", {}, r"metrics\.val\.accuracy is null"),
        ("metrics", {"val": {"accuracy": 65.0}}, "from 0 to 1"),
        ("metrics", {"val": 0.5}, "figures of each split"),
        ("metrics", {"val": {"accuracy": 0.5}, "test": {"f1": {"happy": "good"}}}, r"metrics\.test\.f1\.happy"),
        ("metrics", [], "figures of each split"),
        ("training", {}, "recipe"),
        ("training", "quickly", "recipe"),
        ("parameters", 0, "parameters is 0"),
        ("parameters", 1.5, "parameters is 1.5"),
        ("license", "", "license is"),
        ("notice", None, "notice is null"),
    ],
)
def test_a_field_that_is_wrong_is_refused_by_folder_and_field(card, field, value, says):
    with pytest.raises(ModelContractError, match=says) as caught:
        load_card(edit(card, **{field: value}))
    assert str(caught.value).startswith("The model folder “toy” cannot be used: ")
    assert field in str(caught.value)


def test_a_missing_field_is_named(card):
    path = card.directory / "model.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    del data["license"]
    path.write_text(json.dumps(data))
    with pytest.raises(ModelContractError, match="license is missing"):
        load_card(card.directory)


def test_an_unknown_field_is_refused(card):
    with pytest.raises(ModelContractError, match="licence is not a field"):
        load_card(edit(card, licence="MIT"))


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff\xfe\x00", b"PK\x03\x04", b"[" * 100_000, b" " * 1_000_001, b'{"format": 1}'],
    ids=["empty", "cut", "list", "null", "not text", "zip", "deep", "huge", "bare"],
)
def test_a_file_that_is_no_card_is_refused(card, content):
    (card.directory / "model.json").write_bytes(content)
    with pytest.raises(ModelContractError, match="“toy” cannot be used"):
        load_card(card.directory)


def test_metrics_nested_beyond_reason_are_refused(card):
    value: Any = 0.5
    for _ in range(700):
        value = {"a": value}
    with pytest.raises(ModelContractError, match="toy"):
        load_card(edit(card, metrics={"val": {"accuracy": 0.5}, "deep": value, "bad": {"a": "x"}}))


def test_a_cut_file_is_refused_on_load(card):
    path = card.directory / "model.onnx"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelContractError, match=r"model\.onnx has .* bytes, its card says"):
        load_card(card.directory)


def test_a_missing_file_is_refused_on_load(card):
    (card.directory / "history.csv").unlink()
    with pytest.raises(ModelContractError, match=r"history\.csv is in its card but not in the folder"):
        load_card(card.directory)


def test_a_folder_in_the_place_of_a_file_is_refused(card):
    (card.directory / "history.csv").unlink()
    (card.directory / "history.csv").mkdir()
    with pytest.raises(ModelContractError, match=r"history\.csv"):
        load_card(card.directory)


def test_a_changed_byte_is_found_by_the_full_check(card):
    path = card.directory / "model.onnx"
    data = bytearray(path.read_bytes())
    data[10] ^= 1
    path.write_bytes(data)
    load_card(card.directory)
    with pytest.raises(ModelContractError, match=r"model\.onnx is not the file"):
        load_card(card.directory, verify=True)


def test_a_copied_folder_does_not_pass_for_another_model(card):
    copy = card.directory.parent / "copy"
    shutil.copytree(card.directory, copy)
    with pytest.raises(ModelContractError, match="not the folder's name"):
        load_card(copy)


def test_asking_for_a_file_the_model_lacks_says_so(card):
    with pytest.raises(ModelContractError, match=r"“toy” comes without weights\.h5"):
        card.path("weights.h5")


def test_models_are_ordered_by_validation_accuracy_then_id(tmp_path):
    for name, accuracy in [("b", 0.7), ("c", 0.9), ("a", 0.7)]:
        make_toy_model(tmp_path, name, accuracy=accuracy)
    assert [card.id for card in load_registry(tmp_path).cards] == ["c", "a", "b"]


def test_the_default_is_the_best_model_that_can_be_served(tmp_path):
    make_toy_model(tmp_path, "weights-only", accuracy=0.9, onnx=False, outputs=())
    make_toy_model(tmp_path, "served", accuracy=0.4)
    registry = load_registry(tmp_path)
    assert registry.cards[0].id == "weights-only"
    assert registry.default.id == "served"
    assert [card.id for card in registry.servable] == ["served"]
    assert not registry.get("weights-only").has_onnx


def test_a_damaged_folder_is_listed_and_the_others_load(tmp_path):
    make_toy_model(tmp_path, "good")
    edit(make_toy_model(tmp_path, "bad"), temperature=-1)
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "saved_model.pb").write_bytes(b"x")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "README.md").write_text("Models.")
    registry = load_registry(tmp_path)
    assert [card.id for card in registry.cards] == ["good"]
    assert [folder for folder, _ in registry.problems] == ["bad", "foreign"]
    with pytest.raises(ModelNotFound, match="temperature is -1"):
        registry.get("bad")


def test_an_unknown_model_is_answered_with_those_there_are(tmp_path):
    make_toy_model(tmp_path, "one")
    make_toy_model(tmp_path, "two")
    with pytest.raises(ModelNotFound, match=r"no model “three”. Models: one, two\."):
        load_registry(tmp_path).get("three")


def test_a_models_folder_that_is_not_there_is_a_problem_not_a_crash(tmp_path):
    registry = load_registry(tmp_path / "models")
    assert registry.cards == ()
    assert registry.problems[0][0] == "models"
    with pytest.raises(ModelNotFound, match="FER_MODELS_DIR"):
        _ = registry.default


def test_an_empty_models_folder_has_no_default(tmp_path):
    with pytest.raises(ModelNotFound, match="no model to serve"):
        _ = load_registry(tmp_path).default


def test_every_model_of_the_project_is_intact():
    registry = load_registry(ROOT / "models", verify=True)
    assert registry.problems == ()
