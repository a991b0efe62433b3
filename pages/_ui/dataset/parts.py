"""What the tabs share: a chart with its table, faces that can be clicked, and what stands there without any."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

import streamlit as st

from fer_core.data import browse, download
from fer_core.errors import FerError
from fer_core.figures_dataset import Chart, Columns, to_csv
from pages._ui.dataset import store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

IMAGE: Final = "image"
"""Key of the address under which the opened image stands."""

_CONFIG: Final = {
    "displaylogo": False,
    "modeBarButtonsToRemove": ["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "autoScale2d", "resetScale2d"],
}

# A plain link would load the app anew; a click is handed to the script instead. The link stays one for the keyboard,
# for "open in a new tab" and for copying the address.
_SCRIPT: Final = """
export default function ({ parentElement, data, setTriggerValue }) {
  const box = parentElement.querySelector(".faces")
  if (box.shown !== data.html) {
    box.innerHTML = data.html
    box.shown = data.html
  }
  box.onclick = event => {
    const link = event.target.closest("a")
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return
    event.preventDefault()
    setTriggerValue("picked", link.getAttribute("href"))
  }
}
"""
_GRID: Final = st.components.v2.component(
    "face_grid",
    html='<div class="faces"></div>',
    css="a { color: inherit } a:focus-visible { outline: 3px solid currentColor; outline-offset: 2px }",
    js=_SCRIPT,
)


def show(chart: Chart, *, key: str | None = None) -> None:
    """Draw a chart with its table and download below it."""
    config = {**_CONFIG, "toImageButtonOptions": {"filename": chart.name, "scale": 2}}
    st.plotly_chart(chart.figure, key=key or chart.name, alt=chart.alt, config=config)
    table(chart.table, chart.name, key=key, hint="The camera in the corner of the chart saves it as a picture (PNG).")


def table(columns: Columns, name: str, *, label: str = "Numbers", key: str | None = None, hint: str = "") -> None:
    """Draw a table that is folded away, with its download."""
    with st.expander(label, icon=":material/table:"):
        st.dataframe(dict(columns), hide_index=True, alt=f"The numbers behind {name}")
        st.download_button(
            "CSV",
            lambda: to_csv(columns),
            file_name=f"{name}.csv",
            mime="text/csv",
            icon=":material/download:",
            key=f"csv-{key or name}",
            on_click="ignore",
        )
        if hint:
            st.caption(hint)


def address(name: str) -> str:
    """Return where a click on a face leads: this view, with that image opened."""
    kept = {key: value for key, value in st.query_params.items() if key != IMAGE}
    return f"?{urlencode({**kept, IMAGE: name})}"


def open_image(name: str | None) -> None:
    """Open an image, or close the one that is open."""
    if name is None:
        st.query_params.pop(IMAGE, None)
    else:
        st.query_params[IMAGE] = name


def faces(
    indices: Sequence[int] | NDArray[np.int64],
    *,
    key: str,
    name: str,
    scores: browse.Scores | None = None,
    captions: Sequence[str] | None = None,
    size: int = 84,
) -> bool:
    """Draw faces that open when they are clicked; return False, drawing nothing, when there are no images."""
    album = store.album()
    if album is None:
        return False
    html = browse.grid(
        store.images(), indices, album, scores=scores, captions=captions, address=address, size=size, name=name
    )
    clickable(html, key=key)
    return True


def clickable(html: str, *, key: str) -> None:
    """Draw HTML of ours in which every link opens the image it names."""

    def picked() -> None:
        result: Any = st.session_state[key]
        found = parse_qs(urlsplit(result["picked"] or "").query).get(IMAGE)
        if found:
            open_image(found[0])

    _GRID(key=key, data={"html": html}, on_picked_change=picked)


def no_images() -> None:
    """Say why there are no faces and what to do; draws nothing when there are."""
    if store.album() is not None:
        return
    with st.container(border=True):
        st.markdown(
            ":material/hide_image: **The faces are not shown: FER2013 is not on this machine.** It may not be passed "
            "on with this program. Every number and chart here comes from committed summaries and works without it."
        )
        get, own = st.columns(2, vertical_alignment="center", gap="medium")
        if get.button("Get FER2013 from Kaggle (about 60 MB)", icon=":material/download:", type="primary"):
            _get()
        own.caption(
            f"Or [get it yourself]({download.PAGE}), set `FER_DATA_DIR` to the zip, its unpacked folder or "
            "`fer2013.csv`, and start the explorer again."
        )


def _get() -> None:
    bar = st.progress(0.0, "Asking Kaggle …")

    def progress(done: int, total: int) -> None:
        megabytes = f"{done / 1e6:.0f} of about {total / 1e6:.0f} MB"
        bar.progress(done / total, "Unpacking and checking …" if done >= total else f"Downloading: {megabytes}")

    try:
        download.download(progress=progress)
    except FerError as error:
        bar.empty()
        st.error(str(error), icon=":material/cloud_off:")
        return
    st.rerun()
