"""The app as a visitor has it, without a browser: Streamlit's AppTest on toys whose scores can be computed by hand.

`app` opens a page; `photo` and `half_face` make uploads. ``html_of`` gives all self-drawn components as text.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from fer_core import samples
from fer_core.labels import index_of
from fer_core.settings import ROOT
from tests.text import plain
from tests.toy import half_faces, make_toy_model

Open = Callable[..., AppTest]


@pytest.fixture
def models_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with two toys: `toy` (the better one, the default) and `surprised`, which adds 3 for surprise."""
    st.cache_data.clear()  # toys of two tests have the same fingerprint
    st.cache_resource.clear()
    bias = np.zeros(7, np.float32)
    bias[index_of("surprise")] = 3
    make_toy_model(tmp_path, "toy", accuracy=0.6)
    make_toy_model(tmp_path, "surprised", accuracy=0.4, bias=bias)
    monkeypatch.setenv("FER_MODELS_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def app(models_dir: Path) -> Open:
    """Return a function that opens a page: ``app("predict", sample="group")`` is ``/predict?sample=group``."""

    def start(slug: str = "home", **query: str) -> AppTest:
        running = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)
        for name, value in query.items():
            running.query_params[name] = value
        if slug != "home":
            running.switch_page(f"pages/{slug}.py")
        return running.run()

    return start


@pytest.fixture(scope="session")
def photo() -> bytes:
    """Return a photo of one face."""
    return samples.load(samples.list_samples()[0].id)


@pytest.fixture(scope="session")
def half_face() -> bytes:
    """Return a 48x48 crop, white on the left and black on the right: the toy's logits are 4 for happy, 0 elsewhere."""
    return png(half_faces((255, 0))[0])


def png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def html_of(app: AppTest) -> str:
    return "\n".join(element.value for element in app.html)


def words_of(app: AppTest) -> str:
    """Return the text of the self-drawn components, without tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html_of(app))).strip()


def sentences_of(app: AppTest) -> str:
    """Return everything that is said on the page."""
    kinds = (app.title, app.markdown, app.caption, app.error, app.warning, app.info, app.success)
    return plain("\n".join(str(element.value) for kind in kinds for element in kind))
