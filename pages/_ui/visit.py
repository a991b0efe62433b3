"""The pictures of one visit: bytes in this visitor's session, so that they survive moving between pages.

A widget forgets its value when its page is left, and a global cache would keep one visitor's pictures for the next.
So uploads and camera pictures, and what was computed from them, live in ``st.session_state`` only: nobody else can
reach them, nothing is written to disk, and they are gone when the visitor removes them or the session ends.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import streamlit as st

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

MAX_PHOTOS: Final = 24
MOST_REMEMBERED: Final = 64
MAX_BYTES: Final = 80_000_000  # one visitor must not fill the memory of the others

_KEY: Final = "_visit"

Origin = Literal["upload", "camera"]
_T = TypeVar("_T")


@dataclass(frozen=True)
class Photo:
    """One picture of the visitor: its bytes as they came. `id` is the beginning of their sha256."""

    id: str
    name: str
    data: bytes = field(repr=False)
    origin: Origin


@dataclass
class Visit:
    """Everything that is kept for one visitor."""

    photos: dict[str, Photo] = field(default_factory=dict)
    problems: list[tuple[str, str]] = field(default_factory=list)
    """Name of a file and why it was refused, until the next upload."""
    computed: dict[tuple[str, ...], Any] = field(default_factory=dict)
    """(photo id, what it was computed with …) -> result; see ``loaders.scored``."""
    remembered: dict[tuple[str, ...], Any] = field(default_factory=dict)
    """The same for what is cheap to compute again, the latest last; see :func:`remember`."""
    selected: str | None = None
    round: int = 0
    """Part of the keys of the uploading widgets: a new round empties them once their pictures are taken over."""


def current() -> Visit:
    """Return this visitor's store."""
    if _KEY not in st.session_state:
        st.session_state[_KEY] = Visit()
    visit: Visit = st.session_state[_KEY]
    return visit


def take(files: Sequence[UploadedFile], origin: Origin) -> None:
    """Take over what an uploading widget holds, select the last picture, and start a new round."""
    visit = current()
    visit.problems = []
    for file in filter(None, files):  # a widget that was emptied gives None
        data = file.getvalue()
        photo_id = hashlib.sha256(data).hexdigest()[:16]
        if photo_id not in visit.photos:
            if len(visit.photos) >= MAX_PHOTOS:
                visit.problems.append((file.name, f"There is room for {MAX_PHOTOS} pictures. Remove one first."))
                continue
            if sum(len(photo.data) for photo in visit.photos.values()) + len(data) > MAX_BYTES:
                sentence = f"Together the pictures would exceed {MAX_BYTES // 1_000_000} MB. Remove one first."
                visit.problems.append((file.name, sentence))
                continue
            shots = sum(photo.origin == "camera" for photo in visit.photos.values())
            name = f"Camera {shots + 1}" if origin == "camera" else file.name
            visit.photos[photo_id] = Photo(photo_id, name, data, origin)
        visit.selected = photo_id
    visit.round += 1


def remember(key: tuple[str, ...], make: Callable[[], _T]) -> _T:
    """Return what was made for this key in this visit, or make it; the oldest of :data:`MOST_REMEMBERED` is forgotten.

    Parameters
    ----------
    key : tuple of str
        The picture's id first: what was made of a picture is forgotten with it.
    make
        Called without arguments.
    """
    kept = current().remembered
    value = kept.pop(key) if key in kept else make()
    kept[key] = value
    while len(kept) > MOST_REMEMBERED:
        kept.pop(next(iter(kept)))
    result: _T = value
    return result


def select(photo_id: str) -> None:
    """Look at one of the pictures."""
    current().selected = photo_id


def refuse(photo: Photo, sentence: str) -> None:
    """Drop a picture that cannot be read, and keep the sentence that says why."""
    remove(photo.id)
    current().problems.append((photo.name, sentence))


def remove(photo_id: str) -> None:
    """Forget one picture and all that was computed from it."""
    visit = current()
    visit.photos.pop(photo_id, None)
    visit.computed = {key: value for key, value in visit.computed.items() if key[0] != photo_id}
    visit.remembered = {key: value for key, value in visit.remembered.items() if key[0] != photo_id}
    if visit.selected == photo_id:
        visit.selected = next(reversed(visit.photos), None)


def clear() -> None:
    """Forget all pictures of this visitor."""
    visit = current()
    visit.photos, visit.problems, visit.selected = {}, [], None
    visit.computed, visit.remembered = {}, {}
