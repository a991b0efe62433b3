"""Faces to scores with ONNX Runtime: one session a model, shared by all threads.

What the session is told follows from measurements (MobileNet at 96 px, 2 cores):

- A batch of 64 takes as long as eight of 8, but its intermediate maps take 170 MB more. So faces go through in chunks.
- Two requests at once gain nothing, since one already keeps all cores busy, and each needs its own intermediate maps.
  So one request runs at a time; a chunk takes a few milliseconds.
- Without the memory pattern planner, which keeps a plan for every batch size, memory stays where it is from the first
  full chunk on.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from fer_core.errors import ModelContractError
from fer_core.labels import N_CLASSES
from fer_core.preprocessing import check_faces, preprocess
from fer_core.registry import ONNX_FILE, OUTPUTS, SERVED, WEIGHTS_FILE, ModelCard
from fer_core.scores import log_softmax, softmax

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, RunOptions

INPUT: Final = "input"
"""Name of the graph's input, (N, height, width, channels) float32."""

CHUNK: Final = 8
MAX_THREADS: Final = 4  # networks of this size gain nothing from more

_RANKS: Final = {"logits": 2, "embedding": 2, "maps": 4}


def load_classifier(card: ModelCard) -> Classifier:
    """Open a model for serving.

    The digests of graph and weights are compared with the card, the graph's inputs and outputs with the contract, and
    one grey face is run through it, so that a model that cannot answer is refused here and not in front of a visitor.

    Parameters
    ----------
    card : ModelCard
        Of a model that has a ``model.onnx``.

    Raises
    ------
    ModelContractError
        If the model has no ``model.onnx``, or it is not what the card says.
    """
    for name in SERVED:
        if name in card.files or name == ONNX_FILE:
            card.verify(name)
    classifier = Classifier(card, _open_session(card))
    _return_freed_memory()
    classifier.check()
    return classifier


def open_classifier(card: ModelCard) -> Classifier:
    """Open a model by its ONNX graph, or by Keras (which imports TensorFlow) if it comes with weights only.

    Raises
    ------
    ModelContractError
        If it has neither, or they are not what the card says.
    """
    if card.has_onnx or WEIGHTS_FILE not in card.files:
        return load_classifier(card)
    from fer_core.keras_classifier import load_keras_classifier

    return load_keras_classifier(card)


class Classifier:
    """A model that answers. Safe to share between threads. Made by :func:`load_classifier`.

    Attributes
    ----------
    card : ModelCard
        Says how faces are preprocessed and what logits are divided by.
    """

    def __init__(self, card: ModelCard, session: InferenceSession) -> None:
        self.card = card
        self._session = session
        self._options = _run_options()
        self._lock = threading.Lock()

    def predict_proba(self, faces: NDArray[np.uint8], *, mirror: bool = False) -> NDArray[np.float32]:
        """Return the seven scores of each face.

        Parameters
        ----------
        faces : ndarray of shape (N, H, W), uint8
            Grey faces, framed as FER2013 frames them; any H and W.
        mirror : bool
            Average the probabilities of the face and of its mirror image (twice the work).

        Returns
        -------
        ndarray of shape (N, 7), float32
            ``softmax(logits / temperature)``, in the order of ``EMOTIONS``; each row adds up to 1.

        Raises
        ------
        ValueError
            If `faces` is not an array of that shape and type.
        """
        return softmax(self.logits(faces, mirror=mirror) / np.float32(self.card.temperature))

    def logits(self, faces: NDArray[np.uint8], *, mirror: bool = False) -> NDArray[np.float32]:
        """Return the logits of each face, before the temperature, (N, 7) float32.

        With `mirror` they are the logits that give the averaged probabilities, ``temperature * log(mean of both)``, so
        that ``predict_proba`` is ``softmax(logits / temperature)`` either way.
        """
        logits = self.outputs(faces, ("logits",))["logits"]
        if not mirror:
            return logits
        temperature = np.float32(self.card.temperature)
        seen = log_softmax(logits / temperature)
        mirrored = log_softmax(self.outputs(faces[:, :, ::-1], ("logits",))["logits"] / temperature)
        combined: NDArray[np.float32] = temperature * (np.logaddexp(seen, mirrored) - np.log(np.float32(2)))
        return combined

    def embedding(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the vector before the last dense layer for each face, (N, D) float32."""
        return self.outputs(faces, ("embedding",))["embedding"]

    def maps(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the last convolutional feature maps for each face, (N, h, w, C) float32."""
        return self.outputs(faces, ("maps",))["maps"]

    def outputs(self, faces: NDArray[np.uint8], names: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Return several outputs from one pass; only what they need is computed.

        Parameters
        ----------
        faces : ndarray of shape (N, H, W), uint8
            As for :meth:`predict_proba`.
        names : sequence of {"logits", "embedding", "maps"}
            At least one.

        Raises
        ------
        ValueError
            If `faces` is not an array of that shape and type, or a name is not an output.
        """
        check_faces(faces)
        wrong = [name for name in names if name not in OUTPUTS]
        if wrong or not names:
            raise ValueError(f"The outputs of a model are {', '.join(OUTPUTS)}; not {', '.join(names) or 'none'}.")
        if len(faces) == 0:  # not every graph can take an empty batch
            one = np.zeros((1, *faces.shape[1:]), np.uint8)
            return {name: value[:0] for name, value in self.outputs(one, names).items()}
        chunks = [faces[start : start + CHUNK] for start in range(0, len(faces), CHUNK)]
        answers = [self._run(preprocess(chunk, self.card.input), list(names)) for chunk in chunks]
        return {
            name: np.concatenate(parts) if len(parts) > 1 else parts[0]
            for name, parts in zip(names, zip(*answers, strict=True), strict=True)
        }

    def check(self) -> None:
        """Compare the graph with the contract and with the card.

        Raises
        ------
        ModelContractError
            If an input or output is missing or of another shape, or a grey face gives anything but finite numbers.
        """
        spec = self.card.input
        inputs = self._session.get_inputs()
        if [entry.name for entry in inputs] != [INPUT]:
            self._refuse(f"its inputs are {_names(inputs)}; it must have one, “{INPUT}”")
        entry = inputs[0]
        expected = [spec.height, spec.width, spec.channels]
        if entry.type != "tensor(float)" or len(entry.shape) != 4 or not _agree(entry.shape[1:], expected):
            sizes = ", ".join(map(str, expected))
            self._refuse(f"its input is {entry.type} {entry.shape}; its card says float (N, {sizes})")
        if isinstance(entry.shape[0], int):
            self._refuse(f"it takes batches of {entry.shape[0]} only; the first size of its input must be free")
        missing = [name for name in OUTPUTS if name not in {output.name for output in self._session.get_outputs()}]
        if missing:
            self._refuse(f"it has no output “{missing[0]}”; its outputs are {_names(self._session.get_outputs())}")
        try:
            answer = self.outputs(np.full((2, spec.height, spec.width), 128, np.uint8), OUTPUTS)
        except Exception as error:  # ONNX Runtime's own errors have no common base
            self._refuse(f"it cannot be run ({_first_line(error)})")
        for name, value in answer.items():
            if value.ndim != _RANKS[name] or len(value) != 2 or value.dtype != np.float32:
                self._refuse(f"its output “{name}” is {value.dtype} {value.shape} for two faces")
            if not np.isfinite(value).all():
                self._refuse(f"its output “{name}” is not finite for a plain grey face")
        if answer["logits"].shape[1] != N_CLASSES:
            self._refuse(f"it gives {answer['logits'].shape[1]} logits; there are {N_CLASSES} classes")

    def _run(self, batch: NDArray[np.float32], names: list[str]) -> list[NDArray[np.float32]]:
        with self._lock:
            answer: list[NDArray[np.float32]] = self._session.run(names, {INPUT: batch}, self._options)
        return answer

    def _refuse(self, what: str) -> NoReturn:
        _refuse(self.card, what)


def _open_session(card: ModelCard) -> InferenceSession:
    import onnxruntime as ort

    ort.disable_telemetry_events()
    options = ort.SessionOptions()
    options.intra_op_num_threads = min(MAX_THREADS, available_cores())
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False
    options.log_severity_level = 3  # errors: warnings about a graph are not for a visitor's terminal
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # spinning starves the page's own threads
    try:
        return ort.InferenceSession(card.path(ONNX_FILE), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own errors have no common base
        _refuse(card, f"ONNX Runtime {ort.__version__} cannot open it ({_first_line(error)})")


def _return_freed_memory() -> None:
    """Give back what opening a model freed: nearly twice the file's size, which glibc would keep for later."""
    with contextlib.suppress(OSError, AttributeError, TypeError):  # no glibc here
        ctypes.CDLL(None).malloc_trim(0)


def _run_options() -> RunOptions:
    import onnxruntime as ort

    options = ort.RunOptions()
    options.only_execute_path_to_fetches = True
    options.log_severity_level = 4  # what fails is raised
    return options


def available_cores() -> int:
    """Return how many cores this process may use: in a container that can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _refuse(card: ModelCard, what: str) -> NoReturn:
    raise ModelContractError(f"The model.onnx of “{card.id}” cannot be used: {what}. Export the model again.")


def _agree(shape: Sequence[Any], expected: Sequence[int]) -> bool:
    """Return whether a graph's sizes are the expected ones, where it states them at all."""
    return all(not isinstance(size, int) or size == wanted for size, wanted in zip(shape, expected, strict=True))


def _names(entries: Sequence[Any]) -> str:
    return ", ".join(f"“{entry.name}”" for entry in entries) or "none"


def _first_line(error: Exception) -> str:
    line = str(error).strip().split("\n", 1)[0]
    return line if len(line) <= 160 else f"{line[:159]}…"
