"""What a fresh process loads: heavy packages belong behind the door that needs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from fer_core import samples
from fer_core.settings import ROOT
from tests.toy import make_toy_model

HEAVY = {
    "tensorflow",
    "keras",
    "torch",
    "pandas",
    "sklearn",
    "scipy",
    "plotly",
    "altair",
    "pyarrow",
    "streamlit",
    "h5py",
    "onnx",
}
SERVING = {"cv2", "onnxruntime", "PIL"}


def loaded_after(code: str, **environment: str) -> set[str]:
    """Return the top-level modules in a fresh process after it ran `code`."""
    report = "import json, sys; sys.stderr.write(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_the_package_itself_loads_nothing_heavy():
    assert not loaded_after("import fer_core, fer_core.labels, fer_core.settings") & (HEAVY | SERVING | {"numpy"})


def test_reading_the_models_needs_no_runtime():
    code = "from pathlib import Path; from fer_core.registry import load_registry; load_registry(Path('models'))"
    assert not loaded_after(code) & (HEAVY | SERVING)


def test_the_command_line_loads_nothing_before_it_knows_the_command():
    code = "from fer_core.cli import main; main(['--help'])"
    assert not loaded_after(code) & (HEAVY | SERVING | {"numpy"})


def test_a_photo_is_scored_with_opencv_pillow_and_onnxruntime_alone(tmp_path):
    make_toy_model(tmp_path)
    photo = samples.get(samples.BENCHMARK_ID).path
    code = f"from fer_core.cli import main; assert main(['predict', {str(photo)!r}]) == 0"
    loaded = loaded_after(code, FER_MODELS_DIR=str(tmp_path))
    assert loaded >= SERVING
    assert not loaded & HEAVY


def test_what_explains_a_model_loads_no_tensorflow_and_no_pages():
    modules = sorted(path.stem for path in (ROOT / "fer_core" / "explain").glob("*.py") if path.stem != "__init__")
    assert {"cam", "faithfulness", "regions", "atlas", "ledger", "keras_vis", "command"} <= set(modules)
    names = ", ".join(
        ["fer_core.figures_explain", "fer_core.export", *(f"fer_core.explain.{name}" for name in modules)]
    )
    assert not loaded_after(f"import {names}") & (HEAVY | {"tf_keras_vis"})


def test_a_photo_is_explained_with_opencv_pillow_and_onnxruntime_alone(tmp_path):
    make_toy_model(tmp_path / "models")
    photo, maps = samples.get(samples.BENCHMARK_ID).path, tmp_path / "maps"
    command = ["explain", "photo", str(photo), "--models", str(tmp_path / "models"), "--output", str(maps)]
    loaded = loaded_after(f"from fer_core.cli import main; assert main({command!r}) == 0")
    assert [path.name for path in maps.iterdir()] == ["face-1.png"]
    assert loaded >= SERVING
    assert not loaded & (HEAVY | {"tf_keras_vis"})


def test_stored_atlases_and_ledgers_are_read_without_a_runtime():
    code = (
        "from pathlib import Path; from fer_core.registry import load_registry; "
        "from fer_core.explain.atlas import read_atlas; from fer_core.explain.ledger import read_ledgers; "
        "[(read_atlas(card), read_ledgers(card)) for card in load_registry(Path('models')).cards]"
    )
    assert not loaded_after(code) & (HEAVY | {"onnxruntime"})


def test_the_core_knows_nothing_of_streamlit():
    paths = sorted((ROOT / "fer_core").rglob("*.py"))
    texts = {path.name: path.read_text(encoding="utf-8") for path in paths}
    assert [name for name, text in texts.items() if "import streamlit" in text or "from streamlit" in text] == []
    assert len(texts) > 10
