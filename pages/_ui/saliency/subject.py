"""The face that is asked about: from a sample, an upload, the camera, or FER2013 by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

import numpy as np
import streamlit as st

from fer_core import samples
from fer_core.data import catalogue
from fer_core.labels import EMOTIONS
from fer_core.registry import ModelCard
from pages._ui import loaders, pickers, url, visit

if TYPE_CHECKING:
    from numpy.typing import NDArray

FER2013: Final = "FER2013"
_MORE: Final = {FER2013: ":material/database: FER2013"}
_MOST_FACES: Final = 60


@dataclass(frozen=True)
class Subject:
    """One face.

    Attributes
    ----------
    id : str
        Of the picture: what is kept of it in the visit is forgotten with it.
    number : int
        Of the face in the picture, from 1.
    crop : ndarray of shape (48, 48), uint8
    title : str
        For captions.
    label : str
        What FER2013 says of it; empty for other pictures.
    """

    id: str
    number: int
    crop: NDArray[np.uint8]
    title: str
    label: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """Beginning of the key of whatever is computed of this face."""
        return (self.id, str(self.number))


def choose(card: ModelCard) -> Subject | None:
    """Draw the pickers and return the face; None with a sentence on the page where there is none."""
    if url.is_new("image"):
        st.session_state["source"] = FER2013
    elif url.is_gone("image"):  # the back button: to what was looked at before
        st.session_state["source"] = next(iter(pickers.SOURCES))
    picked = pickers.picture(card, _MORE)
    if picked == FER2013:
        return _of_fer2013()
    url.write(image=None)
    if isinstance(picked, str) or picked is None:
        st.caption("Until you give a picture, here is a sample.")
        picked = samples.list_samples()[0]
    return _of_photo(picked, card)


def _of_photo(picture: samples.Sample | visit.Photo, card: ModelCard) -> Subject | None:
    scored = loaders.scored(picture, card)
    found = scored.result.faces
    if not found:
        st.info(
            "No face was found in this picture. A face should be at least 40 pixels high and look towards the camera.",
            icon=":material/face_retouching_off:",
        )
        return None
    numbers = [str(part.number) for part in found[:_MOST_FACES]]
    url.adopt("face", numbers, numbers[0])
    number = numbers[0]
    if len(numbers) > 1:
        number = st.pills("Face", numbers, key="face", required=True, wrap=True, persist_state="session")
        st.image(scored.annotated, alt="The picture; each face has a numbered box.", width=360)
    url.write(face=number if number != numbers[0] else None)
    name = picture.title if isinstance(picture, samples.Sample) else picture.name
    part = found[numbers.index(number)]
    return Subject(picture.id, part.number, part.crop, f"{name}, face {part.number}" if len(numbers) > 1 else name)


def _of_fer2013() -> Subject | None:
    url.write(face=None, image=st.query_params.get("image"))  # seen, even where it cannot be shown
    found = loaders.fer2013()
    if found is None:
        st.info(
            "The faces of FER2013 are not part of this project. With them (see the page Dataset, or set "
            "`FER_DATA_DIR`), any image can be looked at by its name. Mean faces and maps of every confusion are here "
            "without them: choose “A confusion, taken apart” above.",
            icon=":material/image_not_supported:",
        )
        return None
    dataset, place = found
    if url.is_new("image"):
        st.session_state["image"] = st.query_params["image"]
    st.session_state.setdefault("image", _first(place))
    left, right = st.columns([7, 3], vertical_alignment="bottom")
    with left:
        text = st.text_input(
            "Name of an image, such as PrivateTest_10131363", key="image", persist_state="session"
        ).strip()
    with right:
        st.button("Another", icon=":material/shuffle:", on_click=_another, args=(place,), width="stretch")
    name = _full_name(text, place)
    if name is None:
        st.warning(f"There is no image “{text[:80]}” in this copy of FER2013.", icon=":material/search_off:")
        url.write(image=None)
        return None
    url.write(image=name)
    label = PurePosixPath(name).parent.name
    title = f"{PurePosixPath(name).stem}, labelled {label}"
    return Subject(f"fer2013:{name}", 1, np.asarray(dataset.images[place[name]]), title, label)


def _first(place: dict[str, int]) -> str:
    """Return a test image to begin with."""
    return next((name for name in place if "PrivateTest" in name), next(iter(place)))


def _another(place: dict[str, int]) -> None:
    """Choose a test image by chance: a model was trained on the others."""
    names = [name for name in place if name.startswith("test/")] or list(place)
    st.session_state["image"] = names[int(np.random.default_rng().integers(len(names)))]


def _full_name(text: str, place: dict[str, int]) -> str | None:
    """Return the name of an image from its name, or from the last part of it with or without ``.jpg``."""
    if text in place:
        return text
    stem = PurePosixPath(text).name.removesuffix(".jpg")
    usage = stem.partition("_")[0]
    if usage not in catalogue.USAGES:
        return None
    folder = "train" if usage == "Training" else "test"
    return next((name for emotion in EMOTIONS if (name := f"{folder}/{emotion}/{stem}.jpg") in place), None)
