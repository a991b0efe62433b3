"""``python -m pages._ui.timing REPEATS``: server times of the pages, without a browser; prints JSON, in ms.

Called by ``python -m fer_core benchmark``, in a process of its own since the core knows nothing of Streamlit.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Final

from streamlit.testing.v1 import AppTest

from fer_core.benchmark import median_ms
from fer_core.settings import ROOT
from pages._ui.shell import PAGES

SLIDERS: Final = {"confusion": ("what_if_matrix", "tau", 2.0), "saliency": ("what_if_face", "edit_blur", 6.0)}
"""Page -> name of a measurement, the key of the slider that is moved for it, and the slider's largest value."""


def measure(repeats: int) -> dict[str, float]:
    """Return the median server time of each page opened again, by its slug, and of :data:`SLIDERS` moved, ms."""
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120)
    found = {}
    for page in PAGES:
        app.switch_page(page.file)
        app.run()
        if app.exception or app.error:
            raise SystemExit(f"The page {page.slug} shows an error.")
        found[page.slug] = median_ms(app.run, repeats)
        if page.slug in SLIDERS:
            name, key, largest = SLIDERS[page.slug]
            places = iter(range(1, 10_000))

            def move(key: str = key, largest: float = largest, places=places) -> None:
                app.slider(key=key).set_value(largest * (1 + next(places) % 4) / 4).run()

            found[name] = median_ms(move, repeats)
    return found


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # Streamlit's, about running without a browser
    sys.stdout.write(json.dumps(measure(int(sys.argv[1]))) + "\n")
