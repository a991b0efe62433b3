"""``python -m fer_core explain``, on the toy model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from fer_core import images, samples
from fer_core.classifier import load_classifier
from fer_core.cli import main
from fer_core.errors import ModelContractError
from fer_core.evaluation import predictions
from fer_core.explain import command
from fer_core.explain.atlas import read_atlas
from fer_core.explain.ledger import read_ledgers
from fer_core.labels import index_of
from fer_core.registry import ATLAS_FILE, LEDGER_FILE, PREDICTIONS_FILE, ModelCard, load_card, write_card
from fer_core.settings import Settings
from tests.toy import half_faces, make_toy_model
from tests.toy_predictions import toy_predictions


@pytest.fixture
def models(tmp_path: Path) -> Path:
    make_toy_model(tmp_path / "models")
    return tmp_path / "models"


@pytest.fixture
def explain(models, capsys):
    def call(*arguments: object) -> tuple[int, str, str]:
        code = main(["explain", "photo", *map(str, arguments), "--models", str(models)])
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def half(tmp_path: Path) -> Path:
    """A face crop, white on the left and black on the right: happy, says the toy."""
    path = tmp_path / "half.png"
    Image.fromarray(half_faces((255, 0))[0]).save(path)
    return path


# A photo


def test_a_photo_gets_a_verdict_with_its_reasons_and_a_picture(explain, tmp_path):
    code, out, err = explain(samples.get("grace-hopper").path, "--output", tmp_path / "new" / "maps")
    assert (code, err) == (0, "")
    first, *reasons = out.splitlines()
    assert first.startswith("Face 1: 0.")
    assert first.endswith((": trust.", ": weak.", ": do not trust."))
    assert any("random orders beaten" in reason for reason in reasons)
    assert any("6 × 6 cells" in reason for reason in reasons)
    assert reasons[-1].startswith("  On brows ")
    assert "(of the area " in reasons[-1]
    picture = images.decode((tmp_path / "new" / "maps" / "face-1.png").read_bytes())
    assert picture.shape == (command.SIDE, command.SIDE, 3)
    assert np.ptp(picture.astype(int), axis=-1).max() > 50, "no colour: the map is not there"


def test_every_face_of_a_photo_is_explained(explain, tmp_path):
    code, out, _ = explain(samples.get("group").path, "--output", tmp_path / "maps")
    count = out.count("\nFace ") + out.startswith("Face ")
    assert (code, count > 2) == (0, True)
    assert len(list((tmp_path / "maps").iterdir())) == count


def test_the_class_with_the_highest_score_is_explained_unless_another_is_named(explain, half):
    assert explain(half)[1].startswith("Face 1: 0.90 for happy. Map for happy: ")
    code, out, _ = explain(half, "--label", "fear")
    assert code == 0
    assert out.startswith("Face 1: 0.02 for fear. Map for fear: do not trust.")
    assert "zero everywhere" in out
    assert "  On " not in out


def test_a_contrast_asks_why_one_class_rather_than_another(explain, half):
    code, out, _ = explain(half, "--against", "sad")
    assert code == 0
    assert "Map for happy rather than sad: " in out


def test_a_map_that_only_speaks_against_has_no_shares(explain, half):
    code, out, _ = explain(half, "--label", "sad", "--against", "happy")
    assert code == 0
    assert "Map for sad rather than happy: " in out
    assert "nan" not in out
    assert "  On " not in out


def test_a_class_is_not_contrasted_with_itself(explain, half):
    for arguments in (["--label", "fear", "--against", "fear"], ["--against", "happy"]):
        code, out, err = explain(half, *arguments)
        assert (code, out) == (2, "")
        assert "Choose another class." in err


def test_a_photo_that_cannot_be_read_or_holds_no_face_is_told_in_a_sentence(explain, tmp_path):
    code, out, err = explain(tmp_path / "nowhere.jpg")
    assert (code, out) == (2, "")
    assert err.endswith("nowhere.jpg cannot be read (No such file or directory).\n")
    (tmp_path / "text.jpg").write_text("no picture")
    code, _, err = explain(tmp_path / "text.jpg")
    assert code == 2
    assert "Traceback" not in err
    Image.new("RGB", (640, 400), "white").save(tmp_path / "wall.png")
    code, out, _ = explain(tmp_path / "wall.png")
    assert (code, out) == (1, "No face was found in this picture.\n")


def test_a_model_without_a_head_is_told_in_a_sentence(explain, models, half):
    make_toy_model(models, "headless", accuracy=0.9, head=False)
    code, _, err = explain(half)
    assert code == 2
    assert "“Toy headless” comes without head.npz" in err
    assert explain(half, "--model", "toy")[0] == 0


def test_unknown_models_and_classes_are_refused(explain, half):
    code, _, err = explain(half, "--model", "nobody")
    assert code == 2
    assert "Models: toy." in err
    with pytest.raises(SystemExit):
        explain(half, "--label", "joy")


# A model's files

ROWS = toy_predictions({"happy": {"happy": 9, "sad": 6}, "sad": {"sad": 8, "happy": 7}})
"""45 images; the test ones are public and private."""


def shade(index: int) -> tuple[int, int]:
    """Return grey values of the halves of image number `index`, so that its answer is that of `ROWS`."""
    bright, dark = 200 + index % 50, 20 + index % 7
    return (bright, dark) if ROWS.predicted[index] == index_of("happy") else (dark, bright)


@pytest.fixture
def evaluated(models) -> ModelCard:
    """The toy, with predictions of faces that are really scored so."""
    card = load_card(models / "toy")
    proba = load_classifier(card).predict_proba(half_faces(*map(shade, range(len(ROWS)))))
    predictions.write(card.directory / PREDICTIONS_FILE, replace(ROWS, proba=proba))
    return write_card(card)


@pytest.fixture
def material() -> SimpleNamespace:
    """FER2013 as the command holds it, of the faces above and four training images."""
    order = np.argsort(ROWS.names)
    faces = half_faces(*map(shade, order.tolist()))
    names, labels = ROWS.names[order], ROWS.labels[order]
    val = ROWS.split[order] == "val"
    return SimpleNamespace(
        catalogue=SimpleNamespace(names=names, labels=labels),
        faces=faces,
        test=np.flatnonzero(~val),
        train=np.flatnonzero(val),
        settings=Settings(),
        points=lambda: [None] * int((~val).sum()),
        of=lambda wanted: faces[np.searchsorted(names, wanted)],
    )


def test_ledgers_of_all_classes_are_written_with_what_they_were_made_from(evaluated, material, capsys):
    command.write_ledger_of(evaluated, material)
    card = load_card(evaluated.directory, verify=True)
    ledgers = read_ledgers(card)
    assert list(ledgers) == list(range(7))
    assert (ledgers[index_of("happy")].total, ledgers[index_of("happy")].lost.count) == (30, 12)
    measured = {line.key for line in ledgers[index_of("sad")].lines if line.measured}
    assert measured == {"class_share", "framing", "features"}, "there are no votes"
    out = capsys.readouterr().out
    assert "without votes" in out
    assert "Of 30 test images labelled happy, 18 are answered happy" in out
    assert "test/happy" not in card.path(LEDGER_FILE).read_text()


def test_a_ledger_is_not_made_from_predictions_that_are_not_the_cards(evaluated, material):
    path = evaluated.directory / PREDICTIONS_FILE
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ModelContractError, match="sha256 differs"):
        command.write_ledger_of(evaluated, material)
    assert not (evaluated.directory / LEDGER_FILE).exists()


def test_an_atlas_is_written_for_the_test_images(evaluated, material, monkeypatch, capsys):
    asked: list[int] = []

    def network_control(card: ModelCard, explainer: object, faces: np.ndarray) -> tuple[float, int]:
        asked.append(len(faces))
        return 0.25, len(faces)

    monkeypatch.setattr(command, "network_control", network_control)
    command.write_atlas_of(evaluated, material)
    atlas = read_atlas(load_card(evaluated.directory, verify=True))
    happy, sad = index_of("happy"), index_of("sad")
    assert [atlas.count[happy, happy], atlas.count[happy, sad]] == [18, 12]
    assert [atlas.count[sad, sad], atlas.count[sad, happy]] == [16, 14]
    assert (atlas.about.images, atlas.about.network_control) == (60, 0.25)
    assert asked == [60]
    assert np.isin(atlas.neighbours, material.train).all()
    assert f"{ATLAS_FILE} written" in capsys.readouterr().out


def test_predictions_of_other_images_give_no_atlas(evaluated, material, monkeypatch):
    from fer_core.errors import FerError

    monkeypatch.setattr(command, "network_control", lambda *_: (0.25, 1))
    material.test = material.test[1:]
    with pytest.raises(FerError, match="not of the test images"):
        command.write_atlas_of(evaluated, material)


def test_a_model_that_cannot_be_served_has_neither(models, monkeypatch, capsys):
    monkeypatch.setattr(command, "_Images", lambda *_: None)
    make_toy_model(models, "slim", onnx=False, outputs=())
    for what in ("atlas", "ledger"):
        assert main(["explain", what, "slim", "--models", str(models)]) == 2
        assert "“slim” comes without model.onnx" in capsys.readouterr().err


def test_an_offset_is_measured_on_validation_faces_and_noted_in_the_head(tmp_path, monkeypatch, capsys):
    from fer_core.explain import alignment
    from fer_core.explain.head import read_head

    card = make_toy_model(tmp_path)
    before = read_head(card)
    faces = np.random.default_rng(0).integers(0, 256, (9, 48, 48), dtype=np.uint8)
    split = np.array(["train", "val", "public"] * 3)
    seen = []

    def measure(explainer, given):
        seen.append(given)
        return alignment.Alignment(0.11, 0.25, 0.875)

    material = SimpleNamespace(faces=faces, catalogue=SimpleNamespace(split=split))
    monkeypatch.setattr(command, "_Images", lambda *_: material)
    monkeypatch.setattr(alignment, "measure", measure)
    assert main(["explain", "align", "--models", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "toy: offset 0.11 of the face; maps of mirrored faces agree by 0.25 without it, 0.88" in said
    np.testing.assert_array_equal(seen[0], faces[split == "val"])
    after = read_head(load_card(card.directory, verify=True))
    assert (before.offset, after.offset) == (0, 0.11)
    np.testing.assert_array_equal(after.kernels[0], before.kernels[0])


@pytest.mark.train
def test_the_control_compares_with_a_network_whose_weights_are_all_drawn_anew(tmp_path, monkeypatch):
    from dataclasses import asdict

    from fer_core import architectures
    from fer_core.architectures import BuildOptions
    from fer_core.explain import cam
    from fer_core.registry import WEIGHTS_FILE
    from fer_core.training.export import round_to_half, save_weights
    from tests.unit import test_explain_cam

    monkeypatch.setitem(architectures.TABLE, "toy", test_explain_cam.__name__)
    network = architectures.build("toy", BuildOptions(size=24))
    training = {"build": asdict(BuildOptions(size=24))}
    card = make_toy_model(tmp_path, onnx=False, input=network.input, outputs=(), training=training)
    round_to_half(network.model)
    save_weights(network.model, card.directory / WEIGHTS_FILE)
    write_card(card)
    assert main(["export", "toy", "--models", str(tmp_path)]) == 0
    card = load_card(card.directory)
    faces = np.random.default_rng(0).integers(0, 256, (8, 48, 48), dtype=np.uint8)
    value, count = command.network_control(card, cam.explainer(load_classifier(card)), faces)
    assert 0 < count <= 8
    assert 0 <= value < 0.95
    assert (value, count) == command.network_control(card, cam.explainer(load_classifier(card)), faces)
