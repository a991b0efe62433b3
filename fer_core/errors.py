"""Errors whose message is written for the person who caused them: what happened, and what to do."""

from __future__ import annotations


class FerError(Exception):
    """Base of all errors of this project. ``str(error)`` is one or two sentences fit to be shown on a page."""


class ImageDecodeError(FerError):
    """The bytes are not a picture that can be read: empty, truncated, too large, or another kind of file."""


class DatasetMissing(FerError):
    """FER2013 or FER+ is needed and was not found where the settings point."""


class DatasetError(FerError):
    """A data set was found but cannot be used as it is."""


class ModelContractError(FerError):
    """A model folder is damaged, foreign, or does not do what its card says."""


class ModelNotFound(FerError):
    """No model of that id is in the models folder."""


class TrainingError(FerError):
    """A training run cannot start or go on: wrong recipe, foreign checkpoint, missing weights."""


class ExplainError(FerError):
    """An explanation was asked for that this model cannot give: no such layer, no weights, a nested graph."""
