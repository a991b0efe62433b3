"""A recipe says everything that decides how a network is trained; it is saved beside the model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Final

from fer_core.architectures import TABLE, BuildOptions
from fer_core.errors import TrainingError
from fer_core.registry import WEIGHTS_FILE
from fer_core.settings import ROOT

LOSSES: Final = ("plain", "class_weighted", "logit_adjusted")

MAX_SEED: Final = 4_000_000_000
"""NumPy takes seeds below 2**32, and each random layer adds its number to it."""


@dataclass(frozen=True)
class Augmentation:
    """Random changes of a 48x48 training face. Zero (or one, for `scale`) switches a change off.

    Attributes
    ----------
    mirror, vertical_flip
        Probability of a flip, 0-1.
    rotation
        Largest angle in degrees, either way.
    scale
        Smallest and largest magnification.
    shift
        Largest shift as a fraction of the side, along each axis.
    shear
        Largest horizontal shear factor.
    contrast
        Largest relative change of contrast around the image mean, 0-1.
    brightness
        Largest added grey value, 0-255.
    patch_probability, patch
        How often a rectangle is painted over with a random grey, and the smallest and largest of its sides as a
        fraction of the face's (random erasing, Zhong et al. 2017, arXiv:1708.04896).
    """

    mirror: float = 0.0
    vertical_flip: float = 0.0
    rotation: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    shift: float = 0.0
    shear: float = 0.0
    contrast: float = 0.0
    brightness: float = 0.0
    patch_probability: float = 0.0
    patch: tuple[float, float] = (0.12, 0.30)


@dataclass(frozen=True)
class Recipe:
    """How one network is trained.

    Attributes
    ----------
    architecture, name
        Key in :data:`fer_core.architectures.TABLE` and the recipe's name; together they name the run.
    build
        Options of the architecture.
    protocol
        ``"finetune"`` trains every layer in the loop; ``"frozen"`` computes the features of a frozen backbone once
        and trains the head on them; ``"averaged"`` trains nothing and takes a mean of the weights of `members`.
    epochs, batch_size, learning_rate, weight_decay
        AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101); biases and normalisation are not decayed.
    schedule, warmup
        What becomes of the learning rate: ``"cosine"`` to zero at the end of all epochs, after `warmup`, the fraction
        of all steps with a linearly rising rate; or ``"constant"``.
    clip_norm
        Global norm that gradients are clipped to; 0 is off.
    label_smoothing
        Weight of the uniform distribution in the targets, 0-1.
    mixup, mixup_off
        Parameter of the beta distribution (Zhang et al. 2018, arXiv:1710.09412), and the last epochs without it.
    ema
        Decay of the running average of the weights, the weights that are evaluated and kept; 0 is off.
    loss
        ``"plain"``, ``"class_weighted"`` (inverse frequency, mean one) or ``"logit_adjusted"`` (Menon et al. 2021,
        arXiv:2007.07314, tau = 1).
    targets
        ``"labels"`` or ``"ferplus"`` (vote distributions over the seven classes).
    teachers, teacher_share
        With the targets ``"labels"``: ids of committed models, and the part of each training target, 0-1, that is what
        they and the votes of FER+ say of the label.
    posterior
        How that is computed: ``"regression"`` (:func:`fer_core.training.targets.by_regression`) or ``"pool"``
        (:func:`fer_core.training.targets.by_pool`), which fits fewer numbers to validation.
    patience
        Stop after this many epochs without a lower validation loss; 0 runs all epochs.
    feature_copies
        For the frozen protocol: how many augmented copies of the training set are turned into features.
    selection
        Which epoch is kept: ``"accuracy"`` (highest on validation, against the labels) or ``"loss"`` (lowest, against
        `targets`). Only epochs at the input size of the last one are compared.
    initial_weights
        Weights file of a whole network of this architecture to start from, at whatever input size it was trained:
        a stage after another one. Empty for none.
    refitted
        Whether the statistics of normalisation are those of the training images from the first step on
        (:func:`fer_core.training.refit.refit`): for weights that were published without any.
    members, shares
        Of the protocol ``"averaged"``: ids of committed models of this very network, at whatever input size they were
        trained, and how much of the mean is each one's; the shares add up to one.
    small_size, small_epochs
        The first so many epochs are trained at this input size (px), which is cheaper (progressive resizing, Tan and Le
        2021, arXiv:2104.00298); 0 is off. Validation is at the size of the epoch.
    precision
        ``"float32"``, or ``"mixed_bfloat16"``: layers compute in bfloat16, weights stay float32. It nearly halves a
        step of dense convolutions where the processor has it; the network that is exported computes in float32.
    ships
        ``"all"``, or ``"predictions"``: a model folder without weights and graph, for models that are only compared.
    adjusted
        Whether rare classes are helped after training: temperature times tau times the logarithm of each class's share
        of Training is taken off its last bias, with the temperature fitted to validation and the tau that then has the
        highest macro-F1 there (Menon et al. 2021, section 4.1).
    seed
        Of everything random.
    """

    architecture: str
    name: str
    build: BuildOptions = field(default_factory=BuildOptions)
    augmentation: Augmentation = field(default_factory=Augmentation)
    protocol: str = "finetune"
    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 1e-3
    schedule: str = "cosine"
    warmup: float = 0.1
    clip_norm: float = 1.0
    label_smoothing: float = 0.0
    mixup: float = 0.0
    mixup_off: int = 0
    ema: float = 0.0
    loss: str = "plain"
    targets: str = "labels"
    teachers: tuple[str, ...] = ()
    teacher_share: float = 0.0
    posterior: str = "regression"
    patience: int = 0
    feature_copies: int = 8
    selection: str = "accuracy"
    initial_weights: str = ""
    refitted: bool = False
    members: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()
    small_size: int = 0
    small_epochs: int = 0
    precision: str = "float32"
    ships: str = "all"
    adjusted: bool = False
    seed: int = 1

    def __post_init__(self) -> None:
        choices = {
            "protocol": ("finetune", "frozen", "averaged"),
            "schedule": ("cosine", "constant"),
            "loss": LOSSES,
            "targets": ("labels", "ferplus"),
            "posterior": ("regression", "pool"),
            "selection": ("accuracy", "loss"),
            "precision": ("float32", "mixed_bfloat16"),
            "ships": ("all", "predictions"),
        }
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise TrainingError(f"{name} is {getattr(self, name)!r}; it must be one of {', '.join(known)}.")
        if self.schedule == "constant" and self.warmup:
            raise TrainingError("A constant learning rate has no warm-up: set warmup to 0.")
        for name in ("epochs", "batch_size", "feature_copies"):
            if getattr(self, name) < 1:
                raise TrainingError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        if bool(self.teachers) != (self.teacher_share > 0) or (self.teachers and self.targets != "labels"):
            raise TrainingError("Teachers and a teacher_share belong together, with the targets labels.")
        if (len(self.members) > 1) != (self.protocol == "averaged"):
            raise TrainingError("Two members or more, and the protocol averaged, belong together.")
        if len(self.shares) != len(self.members) or (self.shares and not math.isclose(sum(self.shares), 1)):
            raise TrainingError("Every member needs a share, and the shares must add up to one.")
        if self.small_epochs and self.small_size < 1:
            raise TrainingError(f"small_epochs is {self.small_epochs}, so small_size must be a size in px.")
        if self.small_epochs >= self.epochs:
            raise TrainingError(f"small_epochs is {self.small_epochs} of {self.epochs}: the last must be at full size.")
        if not 0 <= self.seed <= MAX_SEED:
            raise TrainingError(f"seed is {self.seed}; it must be between 0 and {MAX_SEED:,}.")
        if self.protocol == "frozen":
            wrong = [f"{name} = {value!r}" for name, value in _FROZEN.items() if getattr(self, name) != value]
            if wrong:
                raise TrainingError(f"The frozen protocol trains the head alone, with {', '.join(wrong)}.")

    @property
    def run_id(self) -> str:
        """Id of the run and of the model it makes, for example ``mobilenet-report``."""
        return f"{self.architecture}-{self.name}".replace("_", "-")

    def size_in(self, epoch: int) -> int:
        """Return the side of the network input in px in an epoch, counted from 0."""
        return self.small_size if epoch < self.small_epochs else self.build.size

    def to_json(self) -> dict[str, Any]:
        """Return the recipe as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Recipe:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        TrainingError
            If a field is unknown or missing.
        """
        try:
            data = dict(values)
            data["build"] = BuildOptions(**data["build"])
            augmentation: dict[str, Any] = {
                k: tuple(v) if isinstance(v, list) else v for k, v in data["augmentation"].items()
            }
            data["augmentation"] = Augmentation(**augmentation)
            for name in ("teachers", "members", "shares"):
                data[name] = tuple(data.get(name, ()))
            return cls(**data)
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            raise TrainingError(f"This recipe cannot be read: {error}.") from error

    def lasting(self, epochs: int) -> Recipe:
        """Return a copy of so many epochs, in which the stage at the small input has the same part of them."""
        return replace(self, epochs=epochs, small_epochs=self.small_epochs * epochs // self.epochs)

    def with_overrides(self, **changes: Any) -> Recipe:
        """Return a copy with some fields changed; a name of :class:`BuildOptions` changes that part."""
        own = {f.name for f in fields(self)}
        build = {k: v for k, v in changes.items() if k not in own}
        rest = {k: v for k, v in changes.items() if k in own}
        return replace(self, build=replace(self.build, **build), **rest)


_FROZEN: Final[dict[str, Any]] = {
    "selection": "loss",
    "schedule": "constant",
    "weight_decay": 0.0,
    "clip_norm": 0.0,
    "mixup": 0.0,
    "ema": 0.0,
    "small_epochs": 0,
    "precision": "float32",
}
"""What :func:`fer_core.training.frozen.train_frozen` does, and nothing else."""

REPORT_AUGMENTATION: Final = Augmentation(mirror=0.5, vertical_flip=0.5, rotation=5, shift=0.2, shear=0.2)
"""The report's: shifts 20 %, rotation 5 degrees, shear 20 %, both flips."""

FACE_AUGMENTATION: Final = Augmentation(
    mirror=0.5,
    rotation=14,
    scale=(0.88, 1.18),
    shift=0.07,
    contrast=0.3,
    brightness=30,
    patch_probability=0.4,
    patch=(0.12, 0.33),
)
"""For 48x48 faces: a face may be mirrored, tilted and moved a little, never turned upside down."""


def _report(architecture: str, name: str = "report", *, protocol: str = "frozen", **changes: Any) -> Recipe:
    """Return the report's protocol: its head, Adam, at most 50 epochs, early stopping on the validation loss.

    The learning rate is Adam's default and stays, as the report names none.

    Networks without pretrained weights are trained whole (`protocol` ``"finetune"``).
    """
    return Recipe(
        architecture=architecture,
        name=name,
        build=BuildOptions(head="report"),
        augmentation=REPORT_AUGMENTATION,
        protocol=protocol,
        epochs=50,
        batch_size=32,
        learning_rate=1e-3,
        weight_decay=0.0,
        schedule="constant",
        warmup=0.0,
        clip_norm=0.0,
        patience=5,
        selection="loss",
    ).with_overrides(**changes)


def _ablated(loss: str) -> Recipe:
    """Return the report's protocol of MobileNet with another loss, and nothing else changed."""
    return _report("mobilenet", f"report_{loss}", size=96, backbone_weights="imagenet", loss=loss, ships="predictions")


def _improved(architecture: str, name: str = "improved", *, epochs: int, **changes: Any) -> Recipe:
    """Return the better recipe, which all networks share but for what `changes` names."""
    return Recipe(
        architecture=architecture,
        name=name,
        augmentation=FACE_AUGMENTATION,
        epochs=epochs,
        label_smoothing=0.1,
        mixup=0.2,
        mixup_off=3,
        ema=0.998,
    ).with_overrides(**changes)


def _after_flagship(name: str, **changes: Any) -> Recipe:
    """Return a stage that goes on from the weights of the flagship, at a lower rate."""
    return _improved(
        "mobilenet",
        name,
        epochs=8,
        cut="conv_pw_11_relu",
        input_stats="caffe",
        initial_weights=str(ROOT / "models" / "mobilenet-flagship" / WEIGHTS_FILE),
        learning_rate=4e-4,
        weight_decay=1e-2,
        mixup_off=2,
    ).with_overrides(**changes)


TEACHERS: Final = ("mobilenet-flagship", "mobilenet-flagship-128", "mobilenet-improved")
"""Who teaches where a recipe does not name its own."""

_TAUGHT: Final[dict[str, Any]] = {
    "weight_decay": 5e-2,
    "label_smoothing": 0.0,  # what teachers say is soft by itself
    "teachers": TEACHERS,
    "teacher_share": 0.7,
}
"""What recipes with teachers share."""

_RETAUGHT: Final[dict[str, Any]] = _TAUGHT | {
    "size": 128,
    "mixup": 0.0,
    "mixup_off": 0,
    "adjusted": True,
    "teachers": (
        "mobilenet-flagship-128",
        "mobilenet-flagship-taught",
        "vgg16-improved",
        "inception-v3-improved",
        "custom-cnn-improved",
    ),
    "teacher_share": 0.8,
    "posterior": "pool",
}
"""A second generation: most of its teachers are taught themselves, and they are of four kinds of networks. Without
mixup: the loss of the first one on training was no lower than that on validation."""

_TAUGHT_AGAIN: Final[dict[str, Any]] = _RETAUGHT | {
    "teachers": (
        "mobilenet-flagship-whole",
        "mobilenet-flagship-128",
        "mobilenet-flagship-taught",
        "inception-v3-improved-128",
        "vgg16-improved",
    )
}
"""A third generation: its teachers are the best of the second and of the first."""

RECIPES: Final[dict[str, dict[str, Recipe]]] = {
    "custom_cnn": {
        "report": _report("custom_cnn", protocol="finetune", size=48, precision="mixed_bfloat16", ships="predictions"),
        # Taught: soft targets say more of an image than its label does, to a network from scratch above all.
        "improved": _improved(
            "custom_cnn",
            epochs=28,
            size=48,
            learning_rate=2e-3,
            small_size=32,
            small_epochs=14,
            precision="mixed_bfloat16",
            **_TAUGHT,
        ),
    },
    # Not one of the report's networks: a relative of none of the others, for what an ensemble gains by that.
    "face_resnet": {
        "taught": _improved(
            "face_resnet",
            "taught",
            epochs=22,
            refitted=True,
            small_size=96,
            small_epochs=15,
            precision="mixed_bfloat16",
            **_TAUGHT_AGAIN,
        ),
    },
    "inception_v3": {
        "report": _report(
            "inception_v3", size=96, cut="mixed5", backbone_weights="imagenet", feature_copies=4, ships="predictions"
        ),
        "improved": _improved(
            "inception_v3",
            epochs=12,
            size=96,
            cut="mixed5",
            backbone_weights="imagenet",
            mixup=0.0,
            mixup_off=0,
            small_size=75,
            small_epochs=7,
            precision="mixed_bfloat16",
            **_TAUGHT,
        ),
        "improved_128": _improved(
            "inception_v3",
            "improved_128",
            epochs=11,
            cut="mixed5",
            initial_weights=str(ROOT / "models" / "inception-v3-improved" / WEIGHTS_FILE),
            learning_rate=5e-4,
            precision="mixed_bfloat16",
            **_RETAUGHT,
        ),
    },
    "mobilenet": {
        "report": _report("mobilenet", size=96, backbone_weights="imagenet"),
        "report_class_weighted": _ablated("class_weighted"),
        "report_logit_adjusted": _ablated("logit_adjusted"),
        "improved": _improved(
            "mobilenet",
            epochs=18,
            size=96,
            cut="conv_pw_11_relu",
            backbone_weights="imagenet",
            small_size=64,
            small_epochs=10,
        ),
        "flagship": _improved("mobilenet", "flagship", epochs=26, size=96, cut="conv_pw_11_relu", input_stats="caffe"),
        "flagship_128": _after_flagship("flagship_128", size=128),
        "flagship_distilled": _after_flagship(
            "flagship_distilled",
            epochs=13,
            size=128,
            small_size=96,
            small_epochs=8,
            learning_rate=6e-4,
            mixup=0.4,
            adjusted=True,
            **_TAUGHT,
        ),
        "flagship_averaged": Recipe(
            architecture="mobilenet",
            name="flagship_averaged",
            build=BuildOptions(size=128, cut="conv_pw_11_relu", input_stats="caffe"),
            protocol="averaged",
            members=("mobilenet-flagship", "mobilenet-flagship-128", "mobilenet-flagship-distilled"),
            shares=(0.2, 0.4, 0.4),
            adjusted=True,
        ),
        # Taught from its first epoch on: what has learnt single labels by heart keeps them when it is taught later.
        "flagship_taught": _improved(
            "mobilenet",
            "flagship_taught",
            epochs=25,
            size=128,
            cut="conv_pw_11_relu",
            input_stats="caffe",
            small_size=96,
            small_epochs=16,
            adjusted=True,
            **_TAUGHT
            | {
                "teachers": (*TEACHERS, "mobilenet-flagship-distilled", "custom-cnn-improved"),
                "teacher_share": 0.8,
            },
        ),
        # With all of its blocks: twice the parameters, for an input of 128 px maps of 4x4 cells.
        "flagship_whole": _improved(
            "mobilenet",
            "flagship_whole",
            epochs=25,
            input_stats="caffe",
            small_size=96,
            small_epochs=15,
            **_RETAUGHT,
        ),
        # Taught by better ones than the network that it goes on from, which is one of them.
        "flagship_dense": _improved(
            "mobilenet",
            "flagship_dense",
            epochs=12,
            input_stats="caffe",
            output_stride=16,
            initial_weights=str(ROOT / "models" / "mobilenet-flagship-whole" / WEIGHTS_FILE),
            learning_rate=5e-4,
            small_size=96,
            small_epochs=4,
            **_TAUGHT_AGAIN,
        ),
        # Votes are soft by themselves, and the epoch to keep is the one that is nearest to them.
        "flagship_ferplus": _after_flagship(
            "flagship_ferplus", size=96, targets="ferplus", label_smoothing=0.0, selection="loss"
        ),
    },
    "resnet50": {
        "report": _report("resnet50", protocol="finetune", size=48, precision="mixed_bfloat16", ships="predictions"),
        # At 32 px its fourth stage has 2x2 cells: 8 such epochs came to .435 on validation, so there is no small stage.
        # Nor is there mixup: what is trained from scratch for so few epochs learns too little, not too much.
        "improved": _improved(
            "resnet50",
            epochs=30,
            size=48,
            cut="conv4_block6_out",
            mixup=0.0,
            mixup_off=0,
            precision="mixed_bfloat16",
            **_TAUGHT,
        ),
    },
    "vgg16": {
        "report": _report("vgg16", size=48, backbone_weights="imagenet", feature_copies=4, ships="predictions"),
        # Without mixup, as ResNet50: on labels alone and with mixup it still learnt when its 14 epochs were over.
        "improved": _improved(
            "vgg16",
            epochs=18,
            size=48,
            backbone_weights="imagenet",
            normalised=True,
            learning_rate=5e-4,
            mixup=0.0,
            mixup_off=0,
            small_size=32,
            small_epochs=6,
            precision="mixed_bfloat16",
            **_TAUGHT,
        ),
    },
}
"""Architecture -> recipe name -> recipe."""


def get_recipe(architecture: str, name: str) -> Recipe:
    """Return a recipe of :data:`RECIPES`.

    A network of :data:`fer_core.architectures.TABLE` that has none there is trained from scratch at 48 px, by a recipe
    ``report`` or ``improved``.

    Raises
    ------
    TrainingError
        If there is none of that name; the message lists what there is.
    """
    if architecture not in TABLE:
        raise TrainingError(f"There is no network {architecture!r}. Known: {', '.join(sorted(TABLE))}.")
    recipes = RECIPES.get(architecture) or {
        "report": _report(architecture, protocol="finetune", size=48),
        "improved": _improved(architecture, epochs=20, size=48),
    }
    if name not in recipes:
        raise TrainingError(f"{architecture} has no recipe {name!r}. Known: {', '.join(sorted(recipes))}.")
    return recipes[name]
