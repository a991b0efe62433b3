"""A model is a folder with a card: ``models/<id>/model.json``, checked whenever it is read.

``model.json``, format 1, is one object with these fields:

================  ====================================================================================================
``format``        1
``id``            the folder's name: lower-case letters, digits, hyphens
``name``          for a reader
``summary``       one or two sentences
``architecture``  the entry in ``fer_core.architectures`` that builds the network
``labels``        the seven classes in the project's order
``input``         the fields of :class:`fer_core.preprocessing.InputSpec`
``outputs``       names of the outputs of ``model.onnx``: ``logits``, ``embedding``, ``maps``; may be empty without it
``cam_layers``    layers fit for a class activation map, the recommended one first
``temperature``   what logits are divided by before the softmax, chosen on validation; 1 when not calibrated
``files``         file name -> ``sha256`` and ``bytes``; every file of the folder but the card and its README
``metrics``       split -> figures; ``metrics.val.accuracy`` (0-1) orders the models
``training``      the recipe
``parameters``    number of weights
``license``       of the weights
``notice``        where they come from and what else applies to them; may be empty
================  ====================================================================================================
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn, TypedDict

from fer_core.errors import ModelContractError, ModelNotFound
from fer_core.files import replacing
from fer_core.labels import EMOTIONS
from fer_core.preprocessing import InputSpec, is_number

CARD_FILE: Final = "model.json"
ONNX_FILE: Final = "model.onnx"
WEIGHTS_FILE: Final = "model.weights.h5"
SERVED: Final = (ONNX_FILE, WEIGHTS_FILE)
"""What scores a face: the graph, which may read its kernels from the weights beside it."""
PREDICTIONS_FILE: Final = "predictions.parquet"
MIRROR_FILE: Final = "predictions_mirror.parquet"
"""As ``predictions.parquet``, for the mirrored image: the mean of both is the test-time mirror."""
HISTORY_FILE: Final = "history.csv"
HEAD_FILE: Final = "head.npz"
"""The dense layers between the pooled feature maps and the logits, see :mod:`fer_core.explain.head`."""
ATLAS_FILE: Final = "atlas.npz"
"""Mean faces and heat maps of the cells of the confusion matrix, see :mod:`fer_core.explain.atlas`."""
LEDGER_FILE: Final = "ledger.json"
"""Why images of a class are not answered with its label, see :mod:`fer_core.explain.ledger`."""
README_FILE: Final = "README.md"

FORMAT: Final = 1
OUTPUTS: Final = ("logits", "embedding", "maps")
"""What ``model.onnx`` must give: (N, 7), (N, D) before the last dense layer, (N, h, w, C) last convolution."""

_MAX_CARD_BYTES: Final = 1_000_000  # a card is a few kilobytes; anything else is another kind of file
_SLUG: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")  # no folder, no hidden file
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_CORRECT: Final = "Correct its model.json, or take the folder away."
_FETCH: Final = "Fetch the folder again, or export the model again."


class FileEntry(TypedDict):
    """Digest (64 hexadecimal digits) and size of one file of a model folder."""

    sha256: str
    bytes: int


@dataclass(frozen=True)
class ModelCard:
    """What is known about one model. Read with :func:`load_card`, write with :func:`write_card`."""

    directory: Path
    id: str
    name: str
    summary: str
    architecture: str
    input: InputSpec
    metrics: Mapping[str, Any]
    training: Mapping[str, Any]
    parameters: int
    license: str
    notice: str = ""
    temperature: float = 1.0
    outputs: tuple[str, ...] = OUTPUTS
    cam_layers: tuple[str, ...] = ()
    labels: tuple[str, ...] = EMOTIONS
    files: Mapping[str, FileEntry] = field(default_factory=dict)

    @property
    def has_onnx(self) -> bool:
        """Whether the model can be served: a card may also hold weights or predictions only."""
        return ONNX_FILE in self.files

    @property
    def can_answer(self) -> bool:
        """Whether the model can be asked about a face at all: by its graph, or in Keras by its weights."""
        return self.has_onnx or WEIGHTS_FILE in self.files

    @property
    def val_accuracy(self) -> float:
        """Accuracy on the validation images, 0-1: the figure models are ordered by."""
        return float(self.metrics["val"]["accuracy"])

    @property
    def fingerprint(self) -> str:
        """Digest of the whole card, and through ``files`` of the model: a key for caches of what the model said."""
        text = json.dumps(self.to_json(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def path(self, name: str) -> Path:
        """Return the path of one of the model's files.

        Raises
        ------
        ModelContractError
            If the card does not list a file of that name.
        """
        if name not in self.files:
            raise ModelContractError(f"The model “{self.id}” comes without {name}.")
        return self.directory / name

    def verify(self, name: str) -> None:
        """Compare one file with the card's digest.

        Raises
        ------
        ModelContractError
            If the file is not the one the card was written for.
        """
        path = self.path(name)
        try:
            digest = _sha256(path)
        except OSError as error:
            _refuse(self.directory, f"{name} cannot be read ({error.strerror}).", _FETCH)
        if digest != self.files[name]["sha256"]:
            _refuse(self.directory, f"{name} is not the file its card was written for (sha256 differs).", _FETCH)

    def to_json(self) -> dict[str, Any]:
        """Return the card as what stands in ``model.json``."""
        return {
            "format": FORMAT,
            "id": self.id,
            "name": self.name,
            "summary": self.summary,
            "architecture": self.architecture,
            "labels": list(self.labels),
            "input": self.input.to_json(),
            "outputs": list(self.outputs),
            "cam_layers": list(self.cam_layers),
            "temperature": self.temperature,
            "files": {name: dict(entry) for name, entry in self.files.items()},
            "metrics": dict(self.metrics),
            "training": dict(self.training),
            "parameters": self.parameters,
            "license": self.license,
            "notice": self.notice,
        }


@dataclass(frozen=True)
class Registry:
    """All models of a folder.

    Attributes
    ----------
    cards : tuple of ModelCard
        Best validation accuracy first; equal ones by id.
    problems : tuple of (str, str)
        Folder name and sentence for each folder that was refused.
    """

    cards: tuple[ModelCard, ...] = ()
    problems: tuple[tuple[str, str], ...] = ()

    @property
    def servable(self) -> tuple[ModelCard, ...]:
        """The models with a ``model.onnx``, best first."""
        return tuple(card for card in self.cards if card.has_onnx)

    @property
    def default(self) -> ModelCard:
        """The best model that can be served.

        Raises
        ------
        ModelNotFound
            If there is none.
        """
        if self.servable:
            return self.servable[0]
        why = f" {self.problems[0][1]}" if self.problems else ""
        raise ModelNotFound(f"There is no model to serve: no folder of the models folder holds a model.onnx.{why}")

    def get(self, model_id: str) -> ModelCard:
        """Return the card of a model.

        Raises
        ------
        ModelNotFound
            If there is no such model, or its folder was refused; the sentence says which, and names those there are.
        """
        for card in self.cards:
            if card.id == model_id:
                return card
        for folder, sentence in self.problems:
            if folder == model_id:
                raise ModelNotFound(sentence)
        there = ", ".join(card.id for card in self.cards) or "none"
        raise ModelNotFound(f"There is no model “{model_id}”. Models: {there}.")


def load_registry(models_dir: Path, *, verify: bool = False) -> Registry:
    """Read every model folder. A damaged one is listed with its sentence and does not keep the others from loading.

    Parameters
    ----------
    models_dir : Path
        Folder of model folders; those whose name begins with ``.`` or ``_`` are passed over.
    verify : bool
        Also compare the digest of every file (reads them whole; sizes are always compared).
    """
    try:
        folders = sorted(path for path in models_dir.iterdir() if path.is_dir() and path.name[0] not in "._")
    except OSError as error:
        sentence = f"The models folder cannot be read ({error.strerror}). FER_MODELS_DIR says where it is."
        return Registry(problems=((models_dir.name, sentence),))
    cards = []
    problems = []
    for folder in folders:
        try:
            cards.append(load_card(folder, verify=verify))
        except ModelContractError as error:
            problems.append((folder.name, str(error)))
    cards.sort(key=lambda card: (-card.val_accuracy, card.id))
    return Registry(tuple(cards), tuple(problems))


def load_card(directory: Path, *, verify: bool = False) -> ModelCard:
    """Read and check the card of one model folder.

    Parameters
    ----------
    directory : Path
        The model folder.
    verify : bool
        Also compare the digest of every file (reads them whole; sizes are always compared).

    Raises
    ------
    ModelContractError
        If anything about the folder is not as the format says. The sentence names folder, field and remedy.
    """
    path = directory / CARD_FILE
    try:
        size = path.stat().st_size
        if size > _MAX_CARD_BYTES:
            _refuse(directory, f"model.json has {size} bytes, which no card has.", _FETCH)
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        _refuse(directory, "it has no model.json.", "Put the card back, or take the folder away.")
    except OSError as error:
        _refuse(directory, f"model.json cannot be read ({error.strerror}).", _FETCH)
    except (ValueError, RecursionError):  # JSON and text decoding errors are ValueErrors
        _refuse(directory, "model.json is not valid JSON.", _FETCH)
    try:
        card = _parse(data, directory)
    except RecursionError:
        _refuse(directory, "its values are nested too deeply.", _FETCH)
    for name, entry in card.files.items():
        _check_size(card, name, entry["bytes"])
        if verify:
            card.verify(name)
    return card


def write_card(card: ModelCard) -> ModelCard:
    """Write ``model.json`` into the card's folder, with size and digest of the files that lie there.

    Parameters
    ----------
    card : ModelCard
        Its ``files`` are taken anew from the folder: every file but the card, its README and hidden ones.

    Returns
    -------
    ModelCard
        As :func:`load_card` reads it back.

    Raises
    ------
    ModelContractError
        If :func:`load_card` would refuse the result; nothing is written then.
    """
    directory = card.directory
    files = {}
    for path in sorted(directory.iterdir()):
        if path.is_file() and path.name not in (CARD_FILE, README_FILE) and not path.name.startswith("."):
            files[path.name] = {"sha256": _sha256(path), "bytes": path.stat().st_size}
    data = {**card.to_json(), "files": files}
    try:
        text = json.dumps(data, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        _refuse(directory, f"the card holds a value that JSON has no form for ({error}).", "Correct what wrote it.")
    _parse(json.loads(text), directory)
    with replacing(directory / CARD_FILE) as aside:
        aside.write_bytes(text.encode())
    return load_card(directory)


def _parse(data: object, directory: Path) -> ModelCard:
    """Check every field of a card and return it as an object."""
    if not isinstance(data, dict):
        _refuse(directory, f"model.json holds a {type(data).__name__}, not an object.")
    if data.get("format") != FORMAT:
        _refuse(
            directory,
            f"format is {_shown(data.get('format'))}; this version reads format {FORMAT}.",
            "Update the program, or export the model again.",
        )
    names = {"format", *(name for name in ModelCard.__dataclass_fields__ if name != "directory")}
    missing = sorted(names - set(data))
    if missing:
        _refuse(directory, f"the field {missing[0]} is missing.")
    foreign = sorted(set(data) - names)
    if foreign:
        _refuse(directory, f"{foreign[0]} is not a field of a card.")
    reader = _Reader(data, directory)
    card = ModelCard(
        directory=directory,
        id=reader.model_id(),
        name=reader.text("name"),
        summary=reader.text("summary"),
        architecture=reader.text("architecture"),
        labels=reader.labels(),
        input=reader.input(),
        outputs=reader.texts("outputs"),
        cam_layers=reader.texts("cam_layers"),
        temperature=reader.temperature(),
        files=reader.files(),
        metrics=reader.metrics(),
        training=reader.training(),
        parameters=reader.parameters(),
        license=reader.text("license"),
        notice=reader.text("notice", empty=True),
    )
    if card.has_onnx and set(card.outputs) != set(OUTPUTS):
        _refuse(directory, f"outputs is {_shown(list(card.outputs))}; a model.onnx gives {', '.join(OUTPUTS)}.")
    return card


@dataclass(frozen=True)
class _Reader:
    """Takes the fields out of a card's JSON object, refusing what the format does not allow."""

    data: dict[str, Any]
    directory: Path

    def text(self, name: str, *, empty: bool = False) -> str:
        value = self.data[name]
        if not isinstance(value, str) or not (empty or value.strip()):
            _refuse(self.directory, f"{name} is {_shown(value)}; it must be a text{'' if empty else ', not empty'}.")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        values = self.data[name]
        if not isinstance(values, list) or not all(isinstance(value, str) and value for value in values):
            _refuse(self.directory, f"{name} is {_shown(values)}; it must be a list of names.")
        return tuple(values)

    def model_id(self) -> str:
        value = self.text("id")
        if not _SLUG.fullmatch(value):
            _refuse(self.directory, f"id is {_shown(value)}; it must be lower-case letters, digits and hyphens.")
        if value != self.directory.absolute().name:
            _refuse(
                self.directory,
                f"id is {_shown(value)}, which is not the folder's name.",
                "Rename the folder, or correct its model.json.",
            )
        return value

    def labels(self) -> tuple[str, ...]:
        values = self.texts("labels")
        if values != EMOTIONS:
            _refuse(
                self.directory,
                f"labels is {_shown(list(values))}; it must be the seven classes in this order: {', '.join(EMOTIONS)}.",
                "Export the model again with its outputs in that order.",
            )
        return values

    def input(self) -> InputSpec:
        try:
            return InputSpec.from_json(self.data["input"])
        except ValueError as error:
            _refuse(self.directory, f"in input, {error}")

    def temperature(self) -> float:
        value = self.data["temperature"]
        if not is_number(value) or not 0.01 <= value <= 100:
            _refuse(self.directory, f"temperature is {_shown(value)}; it must be a number from 0.01 to 100.")
        return float(value)

    def files(self) -> dict[str, FileEntry]:
        value = self.data["files"]
        if not isinstance(value, dict) or not value:
            _refuse(self.directory, f"files is {_shown(value)}; it must name at least one file of the model.")
        for name, entry in value.items():
            if not _FILE_NAME.fullmatch(name):
                _refuse(self.directory, f"files names {_shown(name)}, which is not the name of a file in this folder.")
            if (
                not isinstance(entry, dict)
                or set(entry) != {"sha256", "bytes"}
                or not isinstance(entry["sha256"], str)
                or not _SHA256.fullmatch(entry["sha256"])
                or not _is_whole(entry["bytes"])
                or entry["bytes"] < 0
            ):
                _refuse(self.directory, f"files says {_shown(entry)} of {name}; it must give its sha256 and bytes.")
        return value

    def metrics(self) -> dict[str, Any]:
        value = self.data["metrics"]
        if not isinstance(value, dict) or not all(isinstance(part, dict) for part in value.values()):
            _refuse(self.directory, f"metrics is {_shown(value)}; it must hold the figures of each split.")
        wrong = _not_a_figure(value, "metrics")
        if wrong:
            _refuse(self.directory, f"{wrong} is not a number.")
        accuracy = value.get("val", {}).get("accuracy")
        if not is_number(accuracy) or not 0 <= accuracy <= 1:
            _refuse(self.directory, f"metrics.val.accuracy is {_shown(accuracy)}; it must be a number from 0 to 1.")
        return value

    def training(self) -> dict[str, Any]:
        value = self.data["training"]
        if not isinstance(value, dict) or not value:
            _refuse(self.directory, f"training is {_shown(value)}; it must hold the recipe the model was trained by.")
        return value

    def parameters(self) -> int:
        value = self.data["parameters"]
        if not _is_whole(value) or value <= 0:
            _refuse(self.directory, f"parameters is {_shown(value)}; it must be a whole number above 0.")
        return int(value)


def _refuse(directory: Path, what: str, remedy: str = _CORRECT) -> NoReturn:
    raise ModelContractError(f"The model folder “{directory.name}” cannot be used: {what} {remedy}")


def _check_size(card: ModelCard, name: str, expected: int) -> None:
    path = card.directory / name
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        _refuse(card.directory, f"{name} is in its card but not in the folder.", _FETCH)
    except OSError as error:
        _refuse(card.directory, f"{name} cannot be read ({error.strerror}).", _FETCH)
    if not path.is_file():
        _refuse(card.directory, f"{name} is not a file.", _FETCH)
    if size != expected:
        _refuse(card.directory, f"{name} has {size} bytes, its card says {expected}.", _FETCH)


def _not_a_figure(value: object, where: str) -> str | None:
    """Return the place of the first leaf that is neither a finite number nor null (a figure that is undefined)."""
    if isinstance(value, dict):
        parts = [(part, f"{where}.{name}") for name, part in value.items()]
    elif isinstance(value, list):
        parts = [(part, f"{where}[{index}]") for index, part in enumerate(value)]
    else:
        return None if value is None or is_number(value) else where
    return next((wrong for part, place in parts if (wrong := _not_a_figure(part, place))), None)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _shown(value: object) -> str:
    """Return a value for a sentence, cut to a readable length."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}…"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
