"""Gradient-based heat maps of any Keras model, by the library tf-keras-vis 0.8.7.

TensorFlow, Keras and tf-keras-vis are imported when a function is called, never by importing this module.

Two defaults of the library are switched off everywhere. It scales a map to 0..1, which hides that a map is zero
everywhere; and it quietly moves from the layer that was asked for to the next convolution before it. It looks layers up
by ``layer.output``, which is the output of a layer's *first* call: so models are made flat first (:func:`flatten`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fer_core.errors import ExplainError, TrainingError
from fer_core.explain.heatmap import HeatMap
from fer_core.registry import WEIGHTS_FILE, ModelCard

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Method:
    """A way of making a heat map.

    Attributes
    ----------
    name : str
        As it is written in papers.
    about : str
        One sentence for a reader who knows no calculus.
    paper : str
        Authors, year and where to find it.
    needs_layer : bool
        Whether it looks at a layer's feature maps (and has their grid) or at the input.
    """

    name: str
    about: str
    paper: str
    needs_layer: bool


METHODS: Final[dict[str, Method]] = {
    "grad_cam": Method(
        "Grad-CAM",
        "Adds up a layer's feature maps, each weighted by how strongly the score reacts to it, averaged over the face.",
        "Selvaraju et al. 2017, arXiv:1610.02391",
        needs_layer=True,
    ),
    "grad_cam_pp": Method(
        "Grad-CAM++",
        "Like Grad-CAM, but the reaction is averaged only over the places where it speaks for the class, so that "
        "several small regions count as much as one large one.",
        "Chattopadhyay et al. 2018, arXiv:1710.11063",
        needs_layer=True,
    ),
    "layer_cam": Method(
        "Layer-CAM",
        "Weighs every cell of a layer's feature maps by how strongly the score reacts to that very cell, which keeps "
        "finer detail in early layers.",
        "Jiang et al. 2021, IEEE Transactions on Image Processing 30 (not on arXiv), "
        "ieeexplore.ieee.org/document/9462463",
        needs_layer=True,
    ),
    "score_cam": Method(
        "Score-CAM",
        "Shows the network only what one feature map at a time lets through, and weighs the map by the probability "
        "that is left: no gradients.",
        "Wang et al. 2020, arXiv:1910.01279",
        needs_layer=True,
    ),
    "smooth_grad": Method(
        "SmoothGrad",
        "Measures for each pixel how strongly the score reacts to a small change of it, averaged over several slightly "
        "noisy copies of the face.",
        "Smilkov et al. 2017, arXiv:1706.03825",
        needs_layer=False,
    ),
}
"""Key of a method (as in :attr:`HeatMap.method`) -> what it is."""

FINE_GRID: Final = 6
"""Cells a side from which a map tells the eyes from the mouth; coarser layers give one blob."""

SMOOTH_NOISE: Final = 0.2
"""Standard deviation of SmoothGrad's noise as a share of the input's range: the paper's (and library's) choice."""

_SMOOTH_BATCH: Final = 5  # noisy copies at once: the gradient of a large network on all 25 would need a gigabyte
_BATCH: Final = 32
_NAMED: Final = 12  # layers that an error names: MobileNet has over eighty
_BUILD_FLAT: Final = (
    "Build it as one flat graph, keras.Model(backbone.input, head(backbone.output)), with every layer called once."
)


def load_network(card: ModelCard) -> Any:
    """Build the network of a model folder and load its weights.

    Returns
    -------
    keras.Model
        Flat and functional, ``(N, H, W, C)`` float32 to logits ``(N, 7)`` float32.

    Raises
    ------
    ExplainError
        If the folder has no Keras weights, its card does not say how the network is built, or the two do not fit.
    ModelContractError
        If the weights file is not the one the card was written for, or the card asks for what no network has.
    """
    from fer_core.architectures import from_card

    if WEIGHTS_FILE not in card.files:
        raise ExplainError(
            f"The model “{card.id}” comes without {WEIGHTS_FILE}, which gradient-based heat maps need. "
            "Choose another model, or a method that needs none."
        )
    if not isinstance(card.training.get("build"), dict):
        raise ExplainError(
            f"The card of “{card.id}” does not say how its network is built (training.build), as for models that were "
            "not trained here. Choose another model, or a method that needs no gradients."
        )
    try:
        network = from_card(card)
    except TrainingError as error:
        raise ExplainError(f"The network of “{card.id}” cannot be built as its card says. {error}") from error
    return flatten(network.model)


def flatten(model: Any) -> Any:
    """Return a functional model whose layers are all in its own graph: the only kind tf-keras-vis can look into.

    Parameters
    ----------
    model : keras.Model
        Flat and functional (returned as it is), Sequential (its own tensors and layers in a functional model), or a
        plain chain with models among its links, such as a backbone, to any depth.

    Returns
    -------
    keras.Model
        Same predictions and layer names. If `model` held models, its layers are copies with the same weights: a shared
        layer would be called a second time, but tf-keras-vis looks where it was called first, in the other graph.

    Raises
    ------
    ExplainError
        If it cannot be flattened: no graph, several inputs or outputs, branches around a nested model, arithmetic
        between layers, layers that are called more than once.
    """
    import keras

    if not getattr(model, "inputs", None) or not getattr(model, "outputs", None):
        raise ExplainError(
            f"The model “{getattr(model, 'name', model)}” has no graph to look into: it is a subclass of keras.Model, "
            f"or was never given an input shape. {_BUILD_FLAT}"
        )
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ExplainError(
            f"The model “{model.name}” has {len(model.inputs)} inputs and {len(model.outputs)} outputs; heat maps "
            "are made of models with one of each. Make one with keras.Model(image, logits)."
        )
    if isinstance(model, keras.Sequential):
        model = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    if not _nested(model):
        return model
    image = keras.Input(batch_shape=model.inputs[0].shape, dtype=model.inputs[0].dtype, name="flat_input")
    try:
        flat = keras.Model(image, _copied(model, image), name=model.name)
        # What walks the graph goes by layers alone, and cannot see every way of joining them: so it is tried out.
        same = _same_output(model, flat)
    except Exception as error:  # whatever Keras raises on a graph that is no chain
        raise ExplainError(f"The model “{model.name}” hides a model inside it. {_BUILD_FLAT}") from error
    if not same:
        raise ExplainError(f"The model “{model.name}” hides a model in a graph with branches. {_BUILD_FLAT}")
    return flat


def explain(
    model: Any,
    method: str,
    inputs: NDArray[np.float32],
    direction: NDArray[np.float32],
    layer: str = "",
    *,
    smooth_samples: int = 25,
    max_channels: int = 64,
    seed: int = 0,
) -> HeatMap:
    """Make the heat map of one face.

    With ``S = direction · logits`` and ``A`` the feature maps ``(h, w, C)`` of the layer, means and sums over cells:

    - ``grad_cam``: ``relu(sum_c mean(dS/dA_c) A_c)``, in logits.
    - ``grad_cam_pp``: the same with ``sum(alpha_c relu(dS/dA_c))`` in place of the mean; the weights ``alpha_c`` of
      the paper (eq. 19) are made to sum to 1 in each map. In logits: the paper's common factor ``exp(S)`` is left out.
    - ``layer_cam``: ``relu(sum_c relu(dS/dA_c) A_c)``, cell by cell, in logits.
    - ``score_cam``: ``relu(sum_c w_c A_c)`` with ``w_c = direction · probabilities`` of the input times ``A_c``
      enlarged and scaled to 0..1, in probability. Hidden pixels become 0 (mean grey in the usual scalings); the paper's
      baseline, the score of an all-zero input, is not subtracted. A contrast is one of *probabilities* here, so a face
      that stays nearer the second class whatever is hidden has a dead map.
    - ``smooth_grad``: ``max over channels of mean over noisy copies of |dS/dx|``, in logits for one unit of input. The
      paper averages signed gradients; averaging their magnitudes, as the library does, loses nothing to cancelling.

    Parameters
    ----------
    model : keras.Model
        Gives logits, not probabilities. Anything :func:`flatten` takes; never changed.
    method : str
        Key in :data:`METHODS`.
    inputs : ndarray of shape (1, H, W, C) or (H, W, C), float32
        One face, preprocessed for the model.
    direction : ndarray of shape (n_classes,), float32
        Weights of the logits: what is asked about. See :func:`fer_core.explain.heatmap.direction`.
    layer : str
        The layer to look at; ignored by methods that need none.
    smooth_samples : int
        Noisy copies for ``smooth_grad``, at least 1.
    max_channels : int
        Feature maps that ``score_cam`` tries, at least 1: those that vary most over the face.
    seed : int
        Of SmoothGrad's noise. The other methods have no chance in them.

    Returns
    -------
    HeatMap
        Unsigned. Cells of the layer's grid, or pixels of the input for ``smooth_grad``.

    Raises
    ------
    ExplainError
        If the method is unknown, the model has no such layer, its output is no feature maps, or the model is one that
        :func:`flatten` refuses.
    ValueError
        If an array does not have the right shape or a count is below 1.
    """
    if method not in METHODS:
        raise ExplainError(f"There is no method {method!r}. Methods: {', '.join(METHODS)}.")
    import keras
    import tensorflow as tf

    if smooth_samples < 1 or max_channels < 1:
        raise ValueError(f"smooth_samples ({smooth_samples}) and max_channels ({max_channels}) must be at least 1.")
    flat = flatten(model)
    face = _one_face(flat, inputs)
    weights = np.asarray(direction, np.float32)
    if weights.shape != tuple(flat.outputs[0].shape[1:]):
        raise ValueError(f"The direction has shape {weights.shape}, the logits {tuple(flat.outputs[0].shape[1:])}.")
    # The library hands inputs over in a list, and Keras warns unless the model was made for one.
    view = keras.Model(flat.inputs, flat.outputs, name=flat.name)

    def score(logits: Any) -> Any:
        return tf.linalg.matvec(logits, weights)

    if method == "smooth_grad":
        return HeatMap(_smooth_grad(view, score, face, smooth_samples, seed), method)
    channels = int(_maps_of(flat, layer).shape[-1])
    options = {
        "penultimate_layer": layer,
        "seek_penultimate_conv_layer": False,
        "expand_cam": False,
        "normalize_cam": False,
    }
    if method == "score_cam":
        cam = _score_cam(view, score, face, min(max_channels, channels), options)
    else:
        cam = _gradient_cam(view, method, score, face, options)
    return HeatMap(np.asarray(cam, np.float32)[0], method, layer)


def default_layer(model: Any, cam_layers: Sequence[str]) -> str:
    """Return the layer to look at unless somebody chooses another.

    Parameters
    ----------
    model : keras.Model
        Anything :func:`flatten` takes.
    cam_layers : sequence of str
        The card's, deepest first.

    Returns
    -------
    str
        The deepest whose grid is at least :data:`FINE_GRID` cells a side; failing that, the one with the finest grid.

    Raises
    ------
    ExplainError
        If there are none, or one of them is not in the model.
    """
    if not cam_layers:
        raise ExplainError("The model's card declares no layers for heat maps (cam_layers). Choose another model.")
    flat = flatten(model)
    sides = {name: min(grid_of(flat, name)) for name in cam_layers}
    fine = [name for name in cam_layers if sides[name] >= FINE_GRID]
    return fine[0] if fine else max(cam_layers, key=sides.__getitem__)


def grid_of(model: Any, layer: str) -> tuple[int, int]:
    """Return height and width of a layer's feature maps in cells.

    Raises
    ------
    ExplainError
        If the model has no such layer, or its output is no feature maps, or of no fixed size.
    """
    height, width = _maps_of(flatten(model), layer).shape[1:3]
    if height is None or width is None:
        raise ExplainError(f"The model takes pictures of any size, so the layer {layer} has no fixed grid.")
    return int(height), int(width)


def feature_maps(model: Any, inputs: NDArray[np.float32], layer: str) -> NDArray[np.float32]:
    """Return what a layer gives for faces.

    Parameters
    ----------
    model : keras.Model
        Anything :func:`flatten` takes.
    inputs : ndarray of shape (N, H, W, C), float32
        Faces, preprocessed for the model. N may be 0.
    layer : str
        A layer with feature maps.

    Returns
    -------
    ndarray of shape (N, h, w, C), float32

    Raises
    ------
    ExplainError
        If the model has no such layer, or its output is no feature maps.
    """
    import keras

    flat = flatten(model)
    tensor = _maps_of(flat, layer)
    if not len(inputs):
        return np.empty((0, *tensor.shape[1:]), np.float32)
    return _run(keras.Model(flat.inputs[0], tensor), inputs)


def random_twin(model: Any, seed: int) -> Any:
    """Return a network of the same architecture that has learned nothing: a control for heat maps.

    A method whose map of the twin looks like that of the model shows the picture, not what the model learned
    (Adebayo et al. 2018, arXiv:1810.03292).

    Parameters
    ----------
    model : keras.Model
        Anything :func:`flatten` takes; never changed.
    seed : int
        Of the weights.

    Returns
    -------
    keras.Model
        Flat. Every kernel is drawn from a normal distribution around 0 that is as wide as the kernel (root mean
        square). Around the kernel's own mean, wide dense layers with a mean below 0 would give nothing but zeros.
        Biases, scales and shifts, of one number a channel, stay. Batch normalisation is given the mean and variance of
        what it now receives; with the trained ones a signal dwindles from layer to layer, until the network gives
        nearly the same for every face and its maps are no control.

    Raises
    ------
    ExplainError
        If :func:`flatten` refuses the model.
    """
    import keras

    flat = flatten(model)
    generator = np.random.default_rng(seed)
    drawn = []
    for values in flat.get_weights():
        if values.ndim >= 2:
            width = float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))
            values = generator.normal(0, width, values.shape).astype(values.dtype)
        drawn.append(values)
    twin = keras.models.clone_model(flat)
    twin.set_weights(drawn)
    _renormalise(twin, flat, generator)
    return twin


@dataclass(frozen=True)
class _Predictor:
    """What Score-CAM asks of a model. Its ``predict`` would print a progress bar and keep a compiled function."""

    model: Any

    @property
    def inputs(self) -> Any:
        return self.model.inputs

    @property
    def outputs(self) -> Any:
        return self.model.outputs

    @property
    def layers(self) -> Any:
        return self.model.layers

    def predict(self, inputs: list[NDArray[np.float32]], batch_size: int) -> NDArray[np.float32]:
        return _run(self.model, inputs[0], batch_size)


def _gradient_cam(view: Any, method: str, score: Any, face: NDArray[np.float32], options: dict[str, Any]) -> Any:
    """Return the map (1, h, w) of one of the three methods that need one gradient."""
    import tensorflow as tf
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus
    from tf_keras_vis.layercam import Layercam

    if method == "grad_cam":
        return Gradcam(view)(score, face, **options)
    if method == "layer_cam":
        return Layercam(view)(score, face, **options)

    def from_zero(logits: Any) -> Any:
        # Grad-CAM++ multiplies its map by exp(score): with a score of -20 a good map would pass for a dead one, with
        # one of 90 it overflows. Counted from the face's own score the gradient is the same and the factor 1.
        value = score(logits)
        return value - tf.stop_gradient(value)

    return GradcamPlusPlus(view)(from_zero, face, **options)


def _score_cam(view: Any, score: Any, face: NDArray[np.float32], channels: int, options: dict[str, Any]) -> Any:
    """Return Score-CAM's map (1, h, w)."""
    from tf_keras_vis.scorecam import Scorecam

    # The library puts a softmax on the logits before it calls the score.
    return Scorecam(_Predictor(view))(score, face, max_N=channels, batch_size=_BATCH, **options)


def _smooth_grad(view: Any, score: Any, face: NDArray[np.float32], samples: int, seed: int) -> NDArray[np.float32]:
    """Return SmoothGrad's map (H, W).

    The library's own loop draws from NumPy's one global generator, which visitors of a page would share, and takes a
    noisy copy at a time. So its plain saliency is given the noisy copies: the same noise, mean and maximum.
    """
    from tf_keras_vis.saliency import Saliency

    saliency = Saliency(view)
    sigma = SMOOTH_NOISE * (float(face.max()) - float(face.min()))
    noise = np.random.default_rng(seed).normal(0.0, sigma, (samples, *face.shape[1:]))
    noisy = (face + noise).astype(np.float32)
    total = np.zeros(face.shape[1:], np.float64)
    for start in range(0, samples, _SMOOTH_BATCH):
        copies = noisy[start : start + _SMOOTH_BATCH]
        total += np.asarray(saliency(score, copies, keepdims=True, normalize_map=False)).sum(axis=0, dtype=np.float64)
    return np.asarray((total / samples).max(axis=-1), np.float32)


def _renormalise(twin: Any, original: Any, generator: np.random.Generator) -> None:
    """Give batch normalisation the statistics of its own input, for pictures as strong as it was trained on.

    A twin is made of a model alone, so the pictures are clouds with the spectrum of natural images (amplitude falling
    with frequency, Field 1987), mean 0 as after the usual scalings. How strong they are follows from the first batch
    normalisation of the original: what reaches it must have the variance that it remembers of its training.
    """
    import keras

    layers = [layer for layer in twin.layers if isinstance(layer, keras.layers.BatchNormalization)]
    if not layers:
        return
    pictures = _clouds(original.inputs[0].shape[1:], generator)
    first = original.get_layer(layers[0].name)
    received = _run(keras.Model(original.inputs[0], first.input), pictures)
    remembered = float(np.sum(np.asarray(first.moving_variance)))
    pictures *= np.sqrt(remembered / max(float(received.reshape(-1, received.shape[-1]).var(axis=0).sum()), 1e-12))
    dropouts = [layer for layer in twin.layers if isinstance(layer, keras.layers.Dropout)]
    before = [(layer.momentum, layer.trainable) for layer in layers], [layer.rate for layer in dropouts]
    for layer in layers:
        layer.momentum, layer.trainable = 0.0, True  # forget everything; frozen ones would not listen
    for layer in dropouts:
        layer.rate = 0.0  # its seed is not ours, and the twin must be the same every time
    twin([pictures] if isinstance(twin.input, list) else pictures, training=True)
    for layer, (momentum, trainable) in zip(layers, before[0], strict=True):
        layer.momentum, layer.trainable = momentum, trainable
    for layer, rate in zip(dropouts, before[1], strict=True):
        layer.rate = rate


def _clouds(shape: Sequence[int | None], generator: np.random.Generator) -> NDArray[np.float32]:
    """Return grey random pictures (N, H, W, C), mean 0 and standard deviation 1, smooth as natural images are."""
    height, width, channels = (side or 64 for side in shape)
    frequency = np.hypot(np.fft.fftfreq(height)[:, np.newaxis], np.fft.fftfreq(width))
    amplitude = 1 / np.maximum(frequency, 1 / max(height, width))
    grey = np.fft.ifft2(np.fft.fft2(generator.normal(size=(_BATCH, height, width))) * amplitude).real
    grey = (grey - grey.mean()) / grey.std()
    return np.repeat(grey[..., np.newaxis], channels, axis=-1).astype(np.float32)


def _one_face(flat: Any, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return one face as (1, H, W, C) float32, or raise ``ValueError`` if it is not one that fits the model."""
    face = np.asarray(inputs, np.float32)
    if face.ndim == 3:
        face = face[np.newaxis]
    wanted = tuple(flat.inputs[0].shape[1:])
    fits = len(face.shape) == len(wanted) + 1 and all(
        side in (None, given) for side, given in zip(wanted, face.shape[1:], strict=True)
    )
    if not fits or len(face) != 1:
        raise ValueError(f"Inputs have shape {np.shape(inputs)}; one face for this model has {(1, *wanted)}.")
    return face


def _maps_of(flat: Any, name: str) -> Any:
    """Return the output tensor (N, h, w, C) of a layer; raise ExplainError that says which layers have one."""
    found = {layer.name: layer.output for layer in flat.layers}
    if name in found and _is_maps(found[name]):
        return found[name]
    usable = [layer.name for layer in flat.layers[:0:-1] if _is_maps(layer.output)]
    more = f" and {len(usable) - _NAMED} more" if len(usable) > _NAMED else ""
    hint = f"Layers that can be used, deepest first: {', '.join(usable[:_NAMED])}{more}." if usable else "It has none."
    if name in found:
        raise ExplainError(f"The layer {name!r} gives no feature maps of height, width and channels. {hint}")
    raise ExplainError(f"The model has no layer {name!r}. {hint}")


def _is_maps(tensor: Any) -> bool:
    return not isinstance(tensor, (list, tuple, dict)) and len(tensor.shape) == 4


def _nested(graph: Any) -> bool:
    import keras

    return any(isinstance(layer, keras.Model) for layer in graph.layers)


def _copied(graph: Any, x: Any) -> Any:
    """Call copies of all layers of a graph on a tensor; return the output tensor. Raises if the graph is not simple."""
    import keras

    if isinstance(graph, keras.Sequential):
        graph = keras.Model(graph.inputs, graph.outputs)
    steps = [step for step in graph.operations if not isinstance(step, keras.layers.InputLayer)]
    if _nested(graph):
        # Where a nested model was called cannot be asked of it: only that each link follows the one before.
        for step in steps:
            x = _copied(step, x) if isinstance(step, keras.Model) else _copied_layer(step, x)
        return x
    tensors = {id(graph.inputs[0]): x}
    for step in steps:
        given = step.input
        taken = [tensors[id(t)] for t in given] if isinstance(given, list) else tensors[id(given)]
        tensors[id(step.output)] = _copied_layer(step, taken)
    return tensors[id(graph.outputs[0])]


def _copied_layer(layer: Any, x: Any) -> Any:
    import keras

    if not isinstance(layer, keras.layers.Layer):
        raise TypeError(f"{layer} is arithmetic between layers, which cannot be copied from its configuration.")
    copy = type(layer).from_config(layer.get_config())
    y = copy(x)
    copy.set_weights(layer.get_weights())
    return y


def _same_output(model: Any, other: Any) -> bool:
    """Return whether two models give the same on a random input."""
    shape = [2, *(side or 64 for side in model.inputs[0].shape[1:])]
    probe = np.random.default_rng(0).normal(0, 50, shape).astype(np.float32)
    return np.allclose(_run(model, probe), _run(other, probe), rtol=1e-4, atol=1e-4)


def _run(model: Any, inputs: NDArray[np.float32], batch: int = _BATCH) -> NDArray[np.float32]:
    """Return the one output of a model for N inputs, in batches, with nothing printed and nothing kept."""
    listed = isinstance(model.input, list)  # Keras warns of a plain array where the model was made for a list of one
    parts = []
    for start in range(0, len(inputs), batch):
        some = inputs[start : start + batch]
        parts.append(model([some] if listed else some, training=False))
    return np.concatenate([np.asarray(part, np.float32) for part in parts])
