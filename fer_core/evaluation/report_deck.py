"""Published figures beside which this project's own are shown; none of them is computed here.

Three kinds, never to be mixed up:

- **the report**: a student deck on the same data, from which this project started. Its two tables are given as printed;
  :func:`findings` says what follows from them.
- **peers**: packages and papers. ``"published"`` is what the authors report for PrivateTest (3,589 images);
  ``"measured"`` was had by running the package on the same images, outside this project.
- **people**: how well humans agree with the labels of FER2013.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from fer_core.evaluation.forensics import Finding, Overall, examine, examine_overall, totals_differ
from fer_core.evaluation.report import Report, Rounded, Row

TEST_SUPPORT: Final = {
    "angry": 958,
    "disgust": 111,
    "fear": 1024,
    "happy": 1774,
    "neutral": 1233,
    "sad": 1247,
    "surprise": 831,
}
"""Images of each class in PublicTest and PrivateTest together, the folder ``test`` of the Kaggle archive: 7,178."""

N_IMAGES: Final = 35_887
"""Images of FER2013."""

N_IMAGES_COUNTED: Final = 34_156
"""Images of FER2013 as the report counts them."""

CONCLUSION: Final = "disgust fails; most of it is taken for happy"
"""What the report concludes from the confusion matrix of its MobileNet."""


AVERAGING: Final = (
    "The report does not say how it averages precision, recall and F1 over the classes. Two of its lines do: the "
    "recall of ResNet50, 24.71 %, is its accuracy, as a weighted average must be (the plain mean of a constant answer "
    "is 1/7, 14.29 %), and the 20.51 % of MobileNet is near the weighted average of its table by class (20.2 %), far "
    "from the plain mean (14.9 %). The lines of one table are taken to be averaged alike."
)
"""Why the first table is read as weighted averages; to be shown where that matters."""


def _overall(accuracy: str, f1: str, precision: str, recall: str) -> Overall:
    return Overall(
        accuracy=Rounded.parse(accuracy),
        precision=Rounded.parse(precision),
        recall=Rounded.parse(recall),
        f1=Rounded.parse(f1),
        average="weighted",
    )


OVERALL: Final = {
    "Custom CNN": _overall(accuracy="29.17 %", f1="10.88 %", precision="7.42 %", recall="22.51 %"),
    "ResNet50": _overall(accuracy="24.71 %", f1="9.80 %", precision="6.00 %", recall="24.71 %"),
    "MobileNet": _overall(accuracy="42.98 %", f1="18.23 %", precision="18.23 %", recall="20.51 %"),
    "VGG16": _overall(accuracy="38.62 %", f1="17.99 %", precision="18.10 %", recall="20.03 %"),
    "Inception V3": _overall(accuracy="34.01 %", f1="17.24 %", precision="17.63 %", recall="20.35 %"),
}
"""The report's first table: test accuracy, F1, precision, recall of its five models."""

ARCHITECTURES: Final = {
    "Custom CNN": "custom_cnn",
    "ResNet50": "resnet50",
    "MobileNet": "mobilenet",
    "VGG16": "vgg16",
    "Inception V3": "inception_v3",
}
"""Model of the report -> its network in :data:`fer_core.architectures.TABLE`."""


def _row(name: str, precision: str, recall: str, f1: str) -> Row:
    return Row(name, Rounded.parse(precision), Rounded.parse(recall), Rounded.parse(f1), TEST_SUPPORT[name])


MOBILENET: Final = Report(
    rows=(
        _row("angry", "0.14", "0.07", "0.10"),
        _row("disgust", "1.00", "0.00", "0.00"),
        _row("fear", "0.12", "0.04", "0.06"),
        _row("happy", "0.25", "0.43", "0.32"),
        _row("neutral", "0.18", "0.18", "0.18"),
        _row("sad", "0.20", "0.22", "0.21"),
        _row("surprise", "0.12", "0.10", "0.11"),
    ),
    accuracy=Rounded.parse("0.20"),
)
"""The report's second table: its MobileNet by class.

It is not of the evaluation behind MobileNet's line in the first table, nor can it be: 20.51 % would be printed as 0.21.
"""


@dataclass(frozen=True)
class Peer:
    """Accuracy of somebody else on PrivateTest, 3,589 images.

    Attributes
    ----------
    name : str
    kind : {"published", "measured"}
        ``published``: by its authors, not checked here. ``measured``: the package was run on these images.
    accuracy : float
        0-1.
    ece : float or None
        Expected calibration error, where it was measured.
    source : str
    """

    name: str
    kind: Literal["published", "measured"]
    accuracy: float
    source: str
    ece: float | None = None


PEERS: Final = (
    Peer(
        "Residual masking networks, ensemble",
        "published",
        0.7682,
        "L. Pham, T. H. Vu, T. A. Tran, Facial Expression Recognition Using Residual Masking Network, ICPR 2020",
    ),
    Peer(
        "Residual masking network",
        "published",
        0.7414,
        "L. Pham, T. H. Vu, T. A. Tran, Facial Expression Recognition Using Residual Masking Network, ICPR 2020",
    ),
    Peer(
        "VGGNet, one network",
        "published",
        0.7328,
        "Y. Khaireddin, Z. Chen, Facial Emotion Recognition: State of the Art Performance on FER2013, arXiv:2105.03588",
    ),
    Peer("@vladmandic/human", "measured", 0.668, "package of npm, run on the same images", ece=0.099),
    Peer("fer", "measured", 0.659, "package of PyPI, run on the same images", ece=0.056),
)
"""Best first. Further packages that were measured on the same images stay below :data:`OTHER_PEERS_BELOW`."""

OTHER_PEERS_BELOW: Final = 0.59


@dataclass(frozen=True)
class Human:
    """How well people agree with the labels of FER2013.

    Attributes
    ----------
    name : str
    accuracy : float
        0-1.
    plus_minus : float or None
        As published.
    per_class : dict of str to float
        By FER2013 label; empty if not known.
    source : str
    """

    name: str
    accuracy: float
    plus_minus: float | None
    per_class: dict[str, float]
    source: str


HUMANS: Final = (
    Human(
        "One person",
        0.65,
        0.05,
        {},
        "published: I. J. Goodfellow et al., Challenges in Representation Learning, ICONIP 2013",
    ),
    Human(
        "Majority of ten people",
        0.6261,
        None,
        {
            "angry": 0.4718,
            "disgust": 0.3059,
            "fear": 0.1260,
            "happy": 0.9211,
            "neutral": 0.8701,
            "sad": 0.4047,
            "surprise": 0.7959,
        },
        "computed from the votes of FER+ (Barsoum et al., ICMI 2016), 35,710 images, by fer_core.evaluation.agreement",
    ),
)


def findings() -> dict[str, tuple[Finding, ...]]:
    """Return what follows from the report's own numbers.

    Returns
    -------
    dict
        ``"MobileNet by class"``: from its second table and the accuracy claimed in the first; the name of each of the
        five models: from its line in the first table; ``"data set"``: from its count of images. Subjects without a
        finding have an empty tuple.
    """
    found = {
        "MobileNet by class": examine(
            MOBILENET, claimed_accuracy=OVERALL["MobileNet"].accuracy, known_support=TEST_SUPPORT
        )
    }
    found |= {name: examine_overall(line, TEST_SUPPORT) for name, line in OVERALL.items()}
    found["data set"] = totals_differ(N_IMAGES_COUNTED, N_IMAGES)
    return found
