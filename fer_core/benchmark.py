"""``python -m fer_core benchmark``: how fast and how large the path from a photo to scores is on this machine.

What each figure means is said in :data:`INTRODUCTION`, which heads the file that ``--write`` makes. With ``--training``
the steps of training are measured instead, see :mod:`fer_core.training.speed`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fer_core import samples
from fer_core.errors import FerError
from fer_core.registry import HEAD_FILE, ModelCard, load_registry
from fer_core.settings import ROOT, Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fer_core.classifier import Classifier
    from fer_core.training.speed import Speed

BATCHES: Final = (1, 16, 64)
PREDICTIONS: Final = 1000
STARTS: Final = 5
REPEATS: Final = 50

BEGIN: Final = "<!-- benchmark: written by `python -m fer_core benchmark --write` -->"
BEGIN_TRAINING: Final = "<!-- benchmark: written by `python -m fer_core benchmark --training --write` -->"
END: Final = "<!-- benchmark: end -->"

TARGETS: Final = {
    "start_seconds": 1.0,
    "start_peak_mb": 200,
    "photo_to_scores": 40,
    "face_to_scores": 5,
    "face_to_map": 5,
    "what_if_face": 100,
    "what_if_matrix": 150,
    "page_again": 1000,
    "growth_mb": 20,
}
"""Upper limits that the project sets itself: seconds, MB, ms, MB."""

INTRODUCTION: Final = """# Performance

Measured by `python -m fer_core benchmark --write docs/performance.md`, on a machine that does nothing else meanwhile.

- **Fresh process**: wall time of `python -m fer_core predict PHOTO` in a new process until its scores are printed and
  it has ended, median of five, files in the disk cache; the operating system's figure for its peak of resident memory.
- **Stages**: medians over repeated calls on the bundled photo of 1280 x 720 pixels with one face, after a warm-up.
- **Heat map**: one pass for scores and feature maps, and the closed-form Grad-CAM of the highest score. *Put to the
  test* is the whole verdict: deletion, insertion, random orders, stability, random weights.
- **Pages**: server time of a run of a page's script, without a browser (Streamlit's AppTest on the committed models):
  opened once more, and after a slider was moved. Medians.
- **Throughput**: faces a second through `Classifier.predict_proba`. Larger batches gain little, since one face already
  keeps all cores busy; they go through the network in chunks of eight, which keeps memory small.
- **Growth**: resident memory of one process over predictions of mixed sizes (1 to 64 faces, each tenth a whole photo).
"""

INTRODUCTION_TRAINING: Final = """# Training

Measured by `python -m fer_core benchmark --training`, on a machine that does nothing else meanwhile.
"""

BUSY: Final = 0.5
"""Load of the machine before measuring, in processes, above which the figures say so."""

PACKAGES: Final = ("numpy", "onnxruntime", "opencv-python-headless", "pillow")
PACKAGES_TRAINING: Final = ("numpy", "opencv-python-headless", "tensorflow", "keras")

_MEGABYTE: Final = 1024 * 1024
_MIXED_BATCHES: Final = (1, 1, 1, 2, 1, 5, 1, 16, 64)


@dataclass(frozen=True)
class Machine:
    """Where the figures were measured; ``None`` for what the platform does not tell."""

    cpu: str
    cores: int
    memory_gb: float | None
    os: str
    python: str
    versions: dict[str, str]


@dataclass(frozen=True)
class Start:
    """A fresh process from its start to its end, the scores printed: median and all times, s; largest peak, MB."""

    seconds: float
    runs: list[float]
    peak_mb: float | None


@dataclass(frozen=True)
class Memory:
    """Resident memory of this process before and after the predictions, MB."""

    predictions: int
    before_mb: float | None
    after_mb: float | None

    @property
    def growth_mb(self) -> float | None:
        """What the predictions added, MB."""
        return None if self.before_mb is None or self.after_mb is None else self.after_mb - self.before_mb


@dataclass(frozen=True)
class Report:
    """Everything one run measured. ``stages_ms`` and ``pages_ms`` hold medians, ``faces_per_second`` a figure for each
    batch size.
    """  # noqa: D205

    date: str
    machine: Machine
    load: float | None
    model: str
    model_input: str
    model_mb: float
    start: Start
    stages_ms: dict[str, float]
    faces_per_second: dict[int, float]
    memory: Memory
    pages_ms: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainingReport:
    """What one run with ``--training`` measured."""

    date: str
    machine: Machine
    load: float | None
    speeds: list[Speed]


@dataclass(frozen=True)
class LatencyReport:
    """What one run with ``--latency`` measured: the median time from one face crop to its scores, ms, by model id.

    ``by`` says which models were asked by ONNX Runtime and which, having no graph, by Keras.
    """

    date: str
    machine: Machine
    load: float | None
    milliseconds: dict[str, float]
    by: dict[str, str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--model", metavar="ID", help="model to measure (default: the best one)")
    what.add_argument("--training", action="store_true", help="measure the steps of training instead; takes minutes")
    what.add_argument(
        "--latency", action="store_true", help="measure a face crop to its scores, for every model; --write a JSON file"
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--write", metavar="FILE", type=Path, help="also put the table into this Markdown file")


def run(args: argparse.Namespace) -> int:
    """Measure, print, and write where asked to; return the exit code."""
    report: Report | TrainingReport
    if args.latency:
        text = json.dumps(
            to_json(measure_latency(load_registry(Settings.from_environment().models_dir).cards)), indent=2
        )
        sys.stdout.write(text + "\n")
        if args.write:
            _write(args.write, text + "\n")
        return 0
    if args.training:
        report = measure_training()
        text, begin, introduction = training_to_markdown(report), BEGIN_TRAINING, INTRODUCTION_TRAINING
    else:
        registry = load_registry(Settings.from_environment().models_dir)
        report = measure(registry.get(args.model) if args.model else registry.default)
        text, begin, introduction = to_markdown(report), BEGIN, INTRODUCTION
    sys.stdout.write((json.dumps(to_json(report), indent=2) if args.json else text) + "\n")
    if args.write:
        write_section(args.write, text, begin=begin, introduction=introduction)
    return 0


def measure(card: ModelCard, *, starts: int = STARTS, repeats: int = REPEATS, predictions: int = PREDICTIONS) -> Report:
    """Measure one model on this machine; takes about a minute.

    The fresh processes come first: a child's peak memory counts from that of its parent, which is still small then.

    Raises
    ------
    FerError
        If the model cannot be served, or a fresh process fails.
    """
    load = load_average()
    start = measure_start(card, starts)

    from fer_core.classifier import load_classifier
    from fer_core.leaderboard import megabytes

    classifier = load_classifier(card)
    photo = samples.load(samples.BENCHMARK_ID)
    spec = card.input
    return Report(
        date=today(),
        machine=machine(),
        load=load,
        model=card.id,
        model_input=f"{spec.height}x{spec.width}x{spec.channels}",
        model_mb=megabytes(card) or 0.0,
        start=start,
        stages_ms=measure_stages(classifier, photo, repeats),
        faces_per_second=measure_throughput(classifier, repeats),
        memory=measure_memory(classifier, photo, predictions),
        pages_ms=measure_pages(max(1, repeats // 5)),
    )


def measure_training() -> TrainingReport:
    """Measure the training steps of the project's recipes; takes about ten minutes."""
    from fer_core.training import speed

    load = load_average()
    return TrainingReport(today(), machine(PACKAGES_TRAINING), load, speed.measure())


def measure_latency(cards: Sequence[ModelCard], repeats: int = 4 * REPEATS) -> LatencyReport:
    """Measure every model that can be asked, one after the other in one process, so that their times compare.

    Those with a graph come first: TensorFlow, which the others need, takes threads of its own.
    """
    from fer_core.classifier import open_classifier

    load = load_average()
    asked = sorted((card for card in cards if card.can_answer), key=lambda card: not card.has_onnx)
    times, by = {}, {}
    for card in asked:
        predict = partial(open_classifier(card).predict_proba, _faces(1))
        times[card.id] = round(median_ms(predict, repeats), 3)
        by[card.id] = "ONNX Runtime" if card.has_onnx else "Keras"
    packages = PACKAGES if all(card.has_onnx for card in asked) else (*PACKAGES, "tensorflow", "keras")
    return LatencyReport(today(), machine(packages), load, times, by)


def measure_start(card: ModelCard, runs: int) -> Start:
    """Start ``python -m fer_core predict`` several times.

    Raises
    ------
    FerError
        If it fails; the sentence is what it said itself.
    """
    photo = samples.get(samples.BENCHMARK_ID).path
    command = [sys.executable, "-m", "fer_core", "predict", str(photo), "--model", card.id]
    environment = {**os.environ, "FER_MODELS_DIR": str(card.directory.absolute().parent)}
    seconds = []
    for _ in range(runs):
        begin = time.perf_counter()
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        seconds.append(time.perf_counter() - begin)
        if done.returncode != 0:
            raise FerError(f"A fresh process gave no scores: {done.stderr.strip()[-500:]}")
    return Start(statistics.median(seconds), seconds, peak_of_children_mb())


def measure_stages(classifier: Classifier, photo: bytes, repeats: int) -> dict[str, float]:
    """Return the median time of each stage, ms. The stages of a photo overlap with its total, as does preprocessing."""
    from fer_core import faces, images
    from fer_core.analysis import analyse
    from fer_core.preprocessing import preprocess

    image = images.decode(photo)
    detection = faces.detect(image)
    if len(detection.faces) != 1:
        raise FerError(f"The photo for measuring must show one face; the detector finds {len(detection.faces)}.")
    crop = faces.crop(detection.image, detection.faces[0])[None]
    return {
        "decode": median_ms(lambda: images.decode(photo), repeats),
        "detect": median_ms(lambda: faces.detect(image), repeats),
        "crop": median_ms(lambda: faces.crop(detection.image, detection.faces[0]), repeats),
        "preprocess": median_ms(lambda: preprocess(crop, classifier.card.input), repeats),
        "face_to_scores": median_ms(lambda: classifier.predict_proba(crop), repeats),
        "photo_to_scores": median_ms(lambda: analyse(photo, classifier), repeats),
        **_measure_maps(classifier, crop, repeats),
    }


def _measure_maps(classifier: Classifier, crop: NDArray[np.uint8], repeats: int) -> dict[str, float]:
    """Return the median time of scores and heat map of a face (1, 48, 48), and of putting the map to the test, ms.

    Empty for a model whose heat maps need TensorFlow.
    """
    from fer_core.explain import cam, side_by_side
    from fer_core.explain.heatmap import direction
    from fer_core.labels import EMOTIONS

    if HEAD_FILE not in classifier.card.files:
        return {}
    explainer = cam.explainer(classifier)
    looked = explainer.look(crop)
    wanted = direction(EMOTIONS[int(looked.proba[0].argmax())])
    return {
        "face_to_map": median_ms(lambda: explainer.heat_map(explainer.look(crop).maps[0], wanted), repeats),
        "map_tested": median_ms(
            lambda: side_by_side.closed_form(explainer, crop[0], looked.maps[0], wanted), max(1, repeats // 10)
        ),
    }


def measure_pages(repeats: int) -> dict[str, float]:
    """Return the median server time of each page opened again and of a what-if slider moved, ms; in its own process.

    Raises
    ------
    FerError
        If a page shows an error.
    """
    command = [sys.executable, "-m", "pages._ui.timing", str(repeats)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise FerError(f"The pages could not be measured: {done.stderr.strip()[-500:]}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def measure_throughput(classifier: Classifier, repeats: int) -> dict[int, float]:
    """Return faces a second for each batch size, from the median time of a batch."""
    result = {}
    for size in BATCHES:
        predict = partial(classifier.predict_proba, _faces(size))
        result[size] = size * 1000 / median_ms(predict, max(1, repeats // 5) if size > 1 else repeats)
    return result


def measure_memory(classifier: Classifier, photo: bytes, predictions: int) -> Memory:
    """Return the memory before and after so many predictions."""
    from fer_core.analysis import analyse

    analyse(photo, classifier)
    before = resident_mb()
    for index in range(predictions):
        kind = index % (len(_MIXED_BATCHES) + 1)
        if kind < len(_MIXED_BATCHES):
            classifier.predict_proba(_faces(_MIXED_BATCHES[kind]))
        else:
            analyse(photo, classifier)
    return Memory(predictions, before, resident_mb())


def median_ms(call: Callable[[], object], repeats: int) -> float:
    """Return the median time of a call in ms, after three calls that are not counted."""
    for _ in range(3):
        call()
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds) * 1000


def resident_mb() -> float | None:
    """Return this process's resident memory, MB; its peak where only that can be had; ``None`` on Windows."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / _MEGABYTE
    except OSError:
        return _peak_mb("RUSAGE_SELF")


def peak_of_children_mb() -> float | None:
    """Return the largest peak of resident memory among the processes started and ended so far, MB."""
    return _peak_mb("RUSAGE_CHILDREN")


def load_average() -> float | None:
    """Return how many processes wanted to run over the last minute; None where the platform does not tell."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def today() -> str:
    """Return the date, UTC, as ``2026-01-31``."""
    return datetime.now(UTC).date().isoformat()


def machine(packages: Sequence[str] = PACKAGES) -> Machine:
    """Describe this machine, as far as the platform tells without extra packages, and the versions of `packages`."""
    from importlib.metadata import version

    from fer_core.classifier import available_cores

    return Machine(
        cpu=_cpu(),
        cores=available_cores(),
        memory_gb=_memory_gb(),
        os=_os(),
        python=platform.python_version(),
        versions={name: version(name) for name in packages},
    )


def to_json(report: Report | TrainingReport | LatencyReport) -> dict[str, object]:
    """Return the report as what ``json.dump`` writes."""
    return asdict(report)


def to_markdown(report: Report) -> str:
    """Return the report as Markdown tables, each figure beside the limit that the project sets itself."""
    start, memory = report.start, report.memory
    rows = [
        ("Fresh process to printed scores, median", start.seconds, "s", 2, TARGETS["start_seconds"]),
        ("Fresh process, peak memory", start.peak_mb, "MB", 0, TARGETS["start_peak_mb"]),
        ("Photo of 1280 x 720, one face: decode", report.stages_ms["decode"], "ms", 1, None),
        ("… detect", report.stages_ms["detect"], "ms", 1, None),
        ("… crop to 48 x 48", report.stages_ms["crop"], "ms", 2, None),
        ("… preprocess", report.stages_ms["preprocess"], "ms", 2, None),
        (
            "Crop to scores (preprocess and network)",
            report.stages_ms["face_to_scores"],
            "ms",
            1,
            TARGETS["face_to_scores"],
        ),
        ("Photo to scores, all stages", report.stages_ms["photo_to_scores"], "ms", 1, TARGETS["photo_to_scores"]),
        *(
            (what, report.stages_ms[name], "ms", digits, TARGETS.get(name))
            for what, name, digits in (
                ("Crop to scores and heat map", "face_to_map", 1),
                ("Heat map put to the test", "map_tested", 0),
            )
            if name in report.stages_ms
        ),
        *(
            (_page_in_words(name), value, "ms", 0, TARGETS.get(name, TARGETS["page_again"]))
            for name, value in report.pages_ms.items()
        ),
        *((f"Throughput, batch of {size}", rate, "faces/s", 0, None) for size, rate in report.faces_per_second.items()),
        (f"Memory before {memory.predictions:,} predictions", memory.before_mb, "MB", 0, None),
        (f"Growth over {memory.predictions:,} predictions", memory.growth_mb, "MB", 1, TARGETS["growth_mb"]),
    ]
    lines = [
        f"Model `{report.model}` (input {report.model_input}, {report.model_mb:.1f} MB), {report.date}.",
        "",
        _machine_in_words(report.machine),
        "",
        "| what | measured | limit |",
        "|---|---:|---:|",
    ]
    for what, value, unit, digits, limit in rows:
        shown = "n/a" if value is None else f"{value:.{digits}f} {unit}"
        lines.append(f"| {what} | {shown} | {'' if limit is None else f'{limit:g} {unit}'} |")
    return "\n".join([*lines, *_busy(report.load)])


def _page_in_words(name: str) -> str:
    changes = {
        "what_if_matrix": "Confusion matrix: a what-if slider moved",
        "what_if_face": "Saliency: a what-if slider moved",
    }
    return changes.get(name) or f"Page {name.replace('_', ' ')}, opened again"


def training_to_markdown(report: TrainingReport) -> str:
    """Return the training steps as a Markdown table, each beside the figure it is held against."""
    from fer_core.training import speed

    lines = [
        f"{report.date}. An epoch is counted as {speed.EPOCH:,} images, without validation. The "
        f"rule: no step takes more than {speed.TOLERANCE:g} times as long as the guide's.",
        "",
        _machine_in_words(report.machine),
        "",
        *speed.table(report.speeds),
    ]
    return "\n".join([*lines, *_busy(report.load)])


def _machine_in_words(where: Machine) -> str:
    ram = "" if where.memory_gb is None else f", {where.memory_gb:.0f} GB"
    versions = ", ".join(f"{name} {version}" for name, version in where.versions.items())
    return f"Machine: {where.cpu}, {where.cores} cores{ram}, {where.os}, Python {where.python}; {versions}."


def _busy(load: float | None) -> list[str]:
    if load is None or load <= BUSY:
        return []
    return ["", f"The machine was doing something else (load {load:.1f}): the times may be too long."]


def write_section(path: Path, text: str, *, begin: str = BEGIN, introduction: str = INTRODUCTION) -> None:
    """Put `text` between the markers of a Markdown file, leaving the rest.

    A file without markers gets them at its end; a new file gets the introduction first.

    Raises
    ------
    FerError
        If the file cannot be read or written.
    """
    section = f"{begin}\n\n{text}\n\n{END}"
    try:
        old = path.read_text(encoding="utf-8") if path.exists() else introduction
        if begin in old and END in old.partition(begin)[2]:
            before, _, rest = old.partition(begin)
            new = before + section + rest.partition(END)[2]
        else:
            new = f"{old.rstrip()}\n\n{section}\n"
    except OSError as error:
        raise FerError(f"{path} cannot be written ({error.strerror}).") from None
    _write(path, new)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise FerError(f"{path} cannot be written ({error.strerror}).") from None


def _faces(count: int) -> NDArray[np.uint8]:
    import numpy as np

    return np.random.default_rng(count).integers(0, 256, (count, 48, 48), np.uint8)


def _peak_mb(who: str) -> float | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = float(resource.getrusage(getattr(resource, who)).ru_maxrss)
    return peak / _MEGABYTE if sys.platform == "darwin" else peak / 1024  # bytes there, kilobytes elsewhere


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    if sys.platform == "darwin":
        command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.stdout.strip():
            return done.stdout.strip()
    return platform.processor() or platform.machine()


def _memory_gb() -> float | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1024 * _MEGABYTE)
    except (AttributeError, ValueError, OSError):
        return None


def _os() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return f"{platform.system()} {platform.release()}"
