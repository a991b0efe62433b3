"""What a network wants to be fed: data in its model card, executed by one function.

Serving, evaluation and explanation all call :func:`preprocess`. Training does the same in two places of its own: the
resize in the warp of :func:`fer_core.training.augmentation.augment`, the scaling in the graph of its step.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, TypeGuard, cast, get_args

import numpy as np
from numpy.typing import NDArray

Interpolation = Literal["linear", "area", "cubic", "nearest"]

MIN_SIDE: Final = 8
MAX_SIDE: Final = 1024
"""Sides (px) outside this range are a damaged card: no network of this project is fed with them."""

_INTERPOLATIONS: Final = get_args(Interpolation)


@dataclass(frozen=True)
class InputSpec:
    """Size and scaling of a network's input; the ``input`` object of a model card.

    Parameters
    ----------
    height, width : int
        Size in px that a face is resized to.
    channels : int
        1 for a grey network, 3 for one that was pretrained on colour: the grey values are repeated.
    mean, std : tuple of float
        One number a channel, in grey values (0-255): the network sees ``(value - mean) / std``.
    interpolation : {"linear", "area", "cubic", "nearest"}
        How a face is resized.

    Raises
    ------
    ValueError
        If a field does not make sense. The message is a sentence that names the field.
    """

    height: int
    width: int
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: Interpolation = "linear"

    def __post_init__(self) -> None:
        for name in ("height", "width"):
            side = getattr(self, name)
            if isinstance(side, bool) or not isinstance(side, int) or not MIN_SIDE <= side <= MAX_SIDE:
                raise ValueError(f"{name} is {side!r}; it must be a whole number from {MIN_SIDE} to {MAX_SIDE}.")
        if isinstance(self.channels, bool) or self.channels not in (1, 3):
            raise ValueError(f"channels is {self.channels!r}; it must be 1 (grey) or 3 (grey repeated).")
        for name in ("mean", "std"):
            values = getattr(self, name)
            if (
                not isinstance(values, tuple)
                or len(values) != self.channels
                or not all(is_number(value) for value in values)
            ):
                raise ValueError(f"{name} is {values!r}; it must be one finite number a channel ({self.channels}).")
        if not all(value > 0 for value in self.std):
            raise ValueError(f"std is {self.std!r}; each number must be above zero.")
        if self.interpolation not in _INTERPOLATIONS:
            raise ValueError(
                f"interpolation is {self.interpolation!r}; it must be one of {', '.join(_INTERPOLATIONS)}."
            )

    def to_json(self) -> dict[str, Any]:
        """Return the fields as what ``json.dump`` writes."""
        return {
            "height": self.height,
            "width": self.width,
            "channels": self.channels,
            "mean": list(self.mean),
            "std": list(self.std),
            "interpolation": self.interpolation,
        }

    @classmethod
    def from_json(cls, data: object) -> InputSpec:
        """Build from what :meth:`to_json` returned.

        Raises
        ------
        ValueError
            If a field is missing, unknown, or does not make sense.
        """
        if not isinstance(data, Mapping):
            raise ValueError(f"it is {type(data).__name__}, not an object with the fields of the input.")
        names = [field.name for field in fields(cls)]
        missing = [name for name in names if name not in data]
        if missing:
            raise ValueError(f"{missing[0]} is missing.")
        unknown = sorted(str(name) for name in data if name not in names)
        if unknown:
            raise ValueError(f"{unknown[0]} is not a field of an input.")
        return cls(
            height=data["height"],
            width=data["width"],
            channels=data["channels"],
            mean=_as_tuple(data["mean"]),
            std=_as_tuple(data["std"]),
            interpolation=data["interpolation"],
        )


def preprocess(faces: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.float32]:
    """Turn grey faces into a network's input: resize, repeat grey to the channels, scale.

    Parameters
    ----------
    faces : ndarray of shape (N, H, W), uint8
        Grey faces, 0-255; any H and W. N may be 0.
    spec : InputSpec
        From the model's card.

    Returns
    -------
    ndarray of shape (N, spec.height, spec.width, spec.channels), float32
        ``(value - mean) / std``, C-contiguous. Resizing is done in float32, so that no grey level is lost to rounding.

    Raises
    ------
    ValueError
        If `faces` is not a uint8 array of that shape.
    """
    check_faces(faces)
    resized = _resize(faces, spec)
    out = np.empty((*resized.shape, spec.channels), np.float32)
    for channel, (mean, std) in enumerate(zip(spec.mean, spec.std, strict=True)):
        plane = out[..., channel]
        np.subtract(resized, np.float32(mean), out=plane)
        np.divide(plane, np.float32(std), out=plane)
    return out


def check_faces(faces: NDArray[np.uint8]) -> None:
    """Raise ``ValueError`` with a sentence unless `faces` is a uint8 array of shape (N, H, W), H and W at least 1."""
    if not isinstance(faces, np.ndarray):
        raise ValueError(f"Faces must be a NumPy array of shape (N, height, width), not {type(faces).__name__}.")
    if faces.ndim != 3:
        hint = " For one face, add the first axis: face[np.newaxis]." if faces.ndim == 2 else ""
        raise ValueError(f"Faces must be grey and of shape (N, height, width); this array has {faces.shape}.{hint}")
    if faces.dtype != np.uint8:
        raise ValueError(f"Faces must be uint8 with values 0-255, not {faces.dtype}.")
    if 0 in faces.shape[1:]:
        raise ValueError(f"Faces must have at least one pixel; this array has shape {faces.shape}.")


def _resize(faces: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.float32]:
    """Return (N, spec.height, spec.width) float32, 0-255."""
    values = faces.astype(np.float32)
    if faces.shape[1:] == (spec.height, spec.width):
        return values
    import cv2  # here, so that reading a model card stays cheap

    out = np.empty((len(faces), spec.height, spec.width), np.float32)
    flag = getattr(cv2, f"INTER_{spec.interpolation.upper()}")
    for source, target in zip(values, out, strict=True):
        cv2.resize(source, (spec.width, spec.height), dst=target, interpolation=flag)
    if spec.interpolation == "cubic":
        np.clip(out, 0, 255, out=out)  # cubic weights overshoot at edges
    return out


def is_number(value: object) -> TypeGuard[int | float]:
    """Return whether a value read from JSON is a finite number (``True`` is none, nor is an integer no float holds)."""
    try:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        return False


def _as_tuple(values: object) -> tuple[float, ...]:
    """Return a JSON list of numbers as a tuple of floats; leave anything else for the check to name."""
    if isinstance(values, (list, tuple)) and all(is_number(value) for value in values):
        return tuple(float(value) for value in values)
    return cast("tuple[float, ...]", values)
