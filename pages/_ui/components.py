"""Small parts that several pages show.

Self-contained HTML where Streamlit has nothing as light: seven bars for each of ten faces as charts would load a
charting library (0.8-4.7 MB) and draw ten canvases; as a table they are text that a screen reader can read.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, Final

import numpy as np
import pyarrow as pa
import streamlit as st

from fer_core.analysis import FaceAnalysis
from fer_core.labels import COLORS, EMOTIONS, display_name
from fer_core.registry import ModelCard
from pages._ui.loaders import Scored

_CELL: Final = "border:0;padding:.16rem 0;vertical-align:middle;line-height:1.25"
_TRACK: Final = "background:color-mix(in srgb,currentColor 10%,transparent);border-radius:.4rem;overflow:hidden"


def is_dark() -> bool:
    """Tell whether the visitor sees the dark theme."""
    return st.context.theme.type == "dark"


def chart(spec: dict[str, Any], records: list[dict[str, Any]], *, key: str, alt: str, **options: Any) -> Any:
    """Draw a chart whose data come apart from its specification, so that new numbers do not draw it anew."""
    return st.vega_lite_chart(pa.Table.from_pylist(records), spec, key=key, alt=alt, **options)


def ranking(probabilities: Sequence[float] | np.ndarray) -> list[str]:
    """Return the seven classes, highest score first; equal scores in the order of the classes."""
    return [EMOTIONS[k] for k in np.argsort(-np.asarray(probabilities), kind="stable")]


def score_bars(probabilities: Sequence[float] | np.ndarray, *, order: Sequence[str], name: str) -> str:
    """Return seven bars as an HTML table, one a class in the class's colour.

    Parameters
    ----------
    probabilities : sequence of 7 floats
        Scores in the order of the classes, 0-1.
    order : sequence of str
        Classes from top to bottom; the one with the highest score is set in bold.
    name : str
        For screen readers: whose scores these are.
    """
    scores = dict(zip(EMOTIONS, (float(value) for value in probabilities), strict=True))
    top = ranking(probabilities)[0]
    rows = []
    for emotion in order:
        weight = 650 if emotion == top else 400
        score = scores[emotion]
        head = f"{_CELL};font-weight:inherit;text-align:left;width:5.2rem"
        rows.append(
            f'<tr style="font-weight:{weight}">'
            f'<th scope="row" style="{head}">{display_name(emotion)}</th>'
            f'<td style="{_CELL}"><div style="{_TRACK}"><div style="width:{score:.1%};min-width:2px;height:.75rem;'
            f'background:{COLORS[emotion]};border-radius:.4rem"></div></div></td>'
            f'<td style="{_CELL};text-align:right;width:3rem;font-variant-numeric:tabular-nums">{score:.2f}</td></tr>'
        )
    return (
        f'<table aria-label="{escape(name)}" style="border-collapse:collapse;border:0;width:100%;margin:0;'
        f'font-size:.95rem;table-layout:fixed"><tbody>{"".join(rows)}</tbody></table>'
    )


def picture(uri: str, *, alt: str, caption: str, pixelated: bool = False) -> str:
    """Return a small square picture with a caption as HTML; `pixelated` enlarges by nearest neighbour."""
    rendering = "image-rendering:pixelated;" if pixelated else ""
    return (
        f'<figure style="margin:0;flex:1 1 0;max-width:6.75rem"><img src="{uri}" alt="{escape(alt)}" '
        f'style="{rendering}display:block;width:100%;aspect-ratio:1;object-fit:cover;border-radius:.5rem">'
        f'<figcaption style="font-size:.8rem;line-height:1.3;margin-top:.35rem;opacity:.8">{caption}</figcaption>'
        "</figure>"
    )


def number_tag(number: int, emotion: str) -> str:
    """Return the number of a face in the colour of its box on the photo, as HTML."""
    return (
        f'<span style="display:inline-block;min-width:1.6rem;padding:.05rem .4rem;border-radius:.4rem;'
        f'text-align:center;font-weight:650;color:#14171E;background:{COLORS[emotion]}">{number}</span>'
    )


def verdict(part: FaceAnalysis) -> str:
    """Return the highest score, worded as one for a label, and its lead over the runner-up, as HTML."""
    level = part.margin < 0.005  # reads as 0.00
    distance = f"level with {part.runner_up}" if level else f"{part.margin:.2f} ahead of {part.runner_up}"
    return f'{_strong(f"{part.score(part.label):.2f} for {part.label}")} <span style="opacity:.8">{distance}</span>'


def crops(index: int, answers: Sequence[tuple[ModelCard, Scored]]) -> str:
    """Return a face as it was cut out, in grey as the network gets it, resized for each model, and where each found its
    highest score, as HTML.
    """  # noqa: D205
    scored = answers[0][1]
    number = index + 1
    pictures = [
        picture(scored.colour[index], alt=f"Face {number}, cropped", caption="Cropped as in FER2013"),
        picture(scored.grey[index], alt=f"Face {number} in grey", caption="48 × 48 grey pixels", pixelated=True),
    ]
    resized = {f"{card.input.width} × {card.input.height}": scored.fed[index] for card, scored in answers}
    for size, uri in resized.items():
        if size != "48 × 48":
            pictures.append(
                picture(uri, alt=f"Face {number}, resized", caption=f"{size}, the network’s input", pixelated=True)
            )
    for card, scored in answers:
        if scored.heat:
            uri, says_something = scored.heat[index]
            label = scored.result.faces[index].label
            whose = f", {escape(card.name)}" if len(answers) > 1 else ""
            caption = f"Evidence for {label}{whose}" if says_something else f"No map for {label}{whose}"
            pictures.append(picture(uri, alt=f"Face {number} with its heat map for {label}{whose}", caption=caption))
    width = 7 * len(pictures)
    return f'<div style="display:flex;gap:.75rem;flex:1 1 16rem;max-width:{width}rem">{"".join(pictures)}</div>'


def face_panel(index: int, answers: Sequence[tuple[ModelCard, Scored]]) -> None:
    """Draw one face: what the network saw, and the scores of one or more models beside it.

    Parameters
    ----------
    index : int
        Of the face in the photo, from 0.
    answers : sequence of (ModelCard, Scored)
        The models and what they said about the same photo. All bars are in the order of the first one.
    """
    parts = [scored.result.faces[index] for _, scored in answers]
    number, order = parts[0].number, parts[0].ranking
    columns = []
    for (card, _), part in zip(answers, parts, strict=True):
        bars = score_bars(part.probabilities, order=order, name=f"Scores of face {number} by {card.name}")
        if len(answers) > 1:
            bars = f'<div style="font-size:.85rem;opacity:.8">{escape(card.name)}</div>{verdict(part)}{bars}'
        columns.append(growing(bars))
    if len(answers) == 1:
        says = verdict(parts[0])
    else:
        agree = len({part.label for part in parts}) == 1
        says = _strong(f"Both rank {order[0]} first" if agree else "The models disagree")
    scores = growing(row(*columns), at_least="24rem" if len(answers) == 1 else "31rem")
    heading = f'<div style="margin-bottom:.8rem">{number_tag(number, order[0])}&nbsp; {says}</div>'
    st.html(heading + row(crops(index, answers), scores))
    cautions = dict.fromkeys(caution.sentence for part in parts for caution in part.cautions)
    if cautions:
        st.markdown("  \n".join(f":small[:orange[:material/warning:] {sentence}]" for sentence in cautions))


def _strong(text: str) -> str:
    return f'<span style="font-size:1.15rem;font-weight:650">{text}</span>'


def row(*parts: str, gap: str = "1.25rem") -> str:
    """Return HTML parts side by side, wrapping where there is no room."""
    return f'<div style="display:flex;flex-wrap:wrap;gap:{gap};align-items:flex-start">{"".join(parts)}</div>'


def growing(part: str, *, at_least: str = "15rem") -> str:
    """Return an HTML part that takes the room there is in a :func:`row`."""
    return f'<div style="flex:1 1 {at_least};min-width:min({at_least},100%)">{part}</div>'
