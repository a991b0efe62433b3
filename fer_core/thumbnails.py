"""Many small faces at once: one block of HTML with the pictures inside.

A grid of ``data:`` addresses is one message to the browser; two hundred pictures shown one by one are two hundred
requests. Pillow is imported by :func:`fer_core.images.data_uri`, when there is a face to draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Final

from fer_core.images import data_uri

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZE: Final = 84
"""Side of a shown face, px: 48 pixels enlarged, four of them in a row on a phone."""


def grid_html(
    images: Sequence[NDArray[Any]] | NDArray[Any],
    captions: Sequence[str],
    alts: Sequence[str],
    hrefs: Sequence[str] | None = None,
    *,
    size: int = SIZE,
    most: int | None = None,
    name: str = "Faces",
) -> str:
    """Return faces as a list that fills the width it gets.

    Parameters
    ----------
    images : sequence of ndarray, (48, 48) or (H, W, 3), uint8
        Grey faces, or pictures in colour.
    captions, alts : sequence of str
        What stands below each face, and what is read out instead of it; plain text, escaped here.
    hrefs : sequence of str, optional
        Where a click on each face leads.
    size : int
        Side of a face, px; they grow to fill a row.
    most : int, optional
        Faces a row: fewer faces than would fit grow further.
    name : str
        For screen readers: which faces these are.

    Raises
    ------
    ValueError
        If there is not one caption, alternative text and (with `hrefs`) address a face.
    """
    if not len(images) == len(captions) == len(alts) == (len(images) if hrefs is None else len(hrefs)):
        raise ValueError(f"There are {len(images)} faces, {len(captions)} captions and {len(alts)} alternative texts.")
    items = []
    for index, (image, caption, alt) in enumerate(zip(images, captions, alts, strict=True)):
        uri = data_uri(image)
        picture = (
            f'<img src="{uri}" alt="{escape(alt)}" title="{escape(alt)}" width="{size}" height="{size}" '
            'style="display:block;width:100%;height:auto;aspect-ratio:1;border-radius:.4rem;image-rendering:auto">'
        )
        if hrefs is not None:
            picture = f'<a href="{escape(hrefs[index])}" target="_self" style="display:block">{picture}</a>'
        label = f'<div style="font-size:.75rem;line-height:1.3;margin-top:.2rem;opacity:.85">{escape(caption)}</div>'
        items.append(f'<li style="margin:0;padding:0;min-width:0">{picture}{label if caption else ""}</li>')
    least = f"{size}px" if most is None else f"max({size}px,(100% - {most - 1} * .6rem) / {most})"
    return (
        f'<ul aria-label="{escape(name)}" style="list-style:none;margin:0;padding:0;display:grid;gap:.6rem;'
        f'grid-template-columns:repeat(auto-fill,minmax({least},1fr))">{"".join(items)}</ul>'
    )
