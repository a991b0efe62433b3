"""Photos in the public domain that come with the package: to try the explorer, to test and to measure it.

``assets/samples/credits.json`` is the list: title, description, and where each photo comes from. Some are composed of
the others by this module; ``python -m fer_core.samples`` writes those anew.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from fer_core import images
from fer_core.errors import FerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from PIL import Image

FOLDER: Final = Path(__file__).resolve().parent / "assets" / "samples"

BENCHMARK_ID: Final = "benchmark"
"""A photo of exactly 1280 x 720 pixels with one face, for measuring; not among those offered to a visitor."""


@dataclass(frozen=True)
class Sample:
    """One bundled photo.

    Attributes
    ----------
    id
        Name in code and in a URL, for example ``"grace-hopper"``.
    title
        A few words for a button or a caption.
    credit
        One sentence: who made it, and why it is in the public domain.
    path
        The JPEG file.
    alt
        What is to be seen, for those who do not see it. Describes the picture, not what somebody feels.
    note
        What the photo shows about the explorer, one sentence.
    """

    id: str
    title: str
    credit: str
    path: Path
    alt: str
    note: str


def list_samples() -> tuple[Sample, ...]:
    """Return the photos offered to a visitor, the simplest first."""
    return tuple(sample for sample in _all() if sample.id != BENCHMARK_ID)


def get(sample_id: str) -> Sample:
    """Return one photo's description, also the one for the benchmark.

    Raises
    ------
    FerError
        If there is no sample of that id.
    """
    for sample in _all():
        if sample.id == sample_id:
            return sample
    known = ", ".join(sample.id for sample in _all())
    raise FerError(f"There is no sample photo {sample_id!r}. There are: {known}.")


def load(sample_id: str) -> bytes:
    """Return the content of one photo's file, as an upload of it would come.

    Raises
    ------
    FerError
        If there is no sample of that id.
    """
    return get(sample_id).path.read_bytes()


@cache
def _all() -> tuple[Sample, ...]:
    entries = json.loads((FOLDER / "credits.json").read_text(encoding="utf-8"))["samples"]
    return tuple(
        Sample(
            id=entry["id"],
            title=entry["title"],
            credit=entry["credit"],
            path=FOLDER / entry["file"],
            alt=entry["alt"],
            note=entry["note"],
        )
        for entry in entries
    )


def compose() -> dict[str, NDArray[np.uint8]]:
    """Make the composed samples from the original ones.

    Returns
    -------
    dict
        Sample id to RGB picture of shape (H, W, 3), uint8.
    """
    makers: dict[str, Callable[[], Image.Image]] = {
        "group": _group,
        "sideways": _sideways,
        "far-and-blurred": _far_and_blurred,
        BENCHMARK_ID: _benchmark,
    }
    return {sample_id: np.array(make(), dtype=np.uint8) for sample_id, make in makers.items()}


def _open(sample_id: str) -> Image.Image:
    from PIL import Image as image_module

    return image_module.fromarray(images.decode(load(sample_id)))


def _group() -> Image.Image:
    """Hang five portraits of different sizes on one wall; faces are from about 80 to 190 pixels high."""
    from PIL import Image as image_module

    wall = image_module.new("RGB", (1280, 620), (222, 217, 207))
    # sample, part taken (left, top, right, bottom), place (left, top), size (width, height)
    for sample_id, part, place, size in (
        ("marie-curie", (0, 0, 160, 200), (40, 60), (240, 300)),
        ("astronaut", (76, 0, 396, 400), (320, 80), (380, 475)),
        ("albert-einstein", (0, 0, 160, 200), (742, 50), (160, 200)),
        ("wolfgang-pauli", (0, 0, 160, 180), (732, 330), (200, 225)),
        ("grace-hopper", (90, 0, 430, 425), (955, 60), (300, 375)),
    ):
        portrait = _open(sample_id).crop(part).resize(size, image_module.Resampling.LANCZOS)
        frame = image_module.new("RGB", (size[0] + 16, size[1] + 16), (74, 58, 46))
        frame.paste(portrait, (8, 8))
        wall.paste(frame, (place[0] - 8, place[1] - 8))
    return wall


def _sideways() -> Image.Image:
    """Turn a portrait by a quarter, as a phone does that writes no orientation into the file."""
    from PIL import Image as image_module

    return _open("grace-hopper").transpose(image_module.Transpose.ROTATE_90)


def _far_and_blurred() -> Image.Image:
    """Shrink a portrait until its face is about 35 pixels high, and lose its focus."""
    from PIL import Image as image_module
    from PIL import ImageFilter

    small = _open("astronaut").resize((176, 176), image_module.Resampling.LANCZOS)
    scene = image_module.new("RGB", (480, 320), (196, 188, 178))
    scene.paste(small, (152, 144))
    return scene.filter(ImageFilter.GaussianBlur(1.6))


def _benchmark() -> Image.Image:
    """Enlarge the upper part of the astronaut's portrait to the size of an HD video frame."""
    from PIL import Image as image_module

    return _open("astronaut").crop((0, 30, 512, 318)).resize((1280, 720), image_module.Resampling.LANCZOS)


def main() -> None:
    """Write the composed samples into the folder of samples."""
    for sample_id, picture in compose().items():
        get(sample_id).path.write_bytes(images.encode_jpeg(picture, quality=90))


if __name__ == "__main__":
    main()
