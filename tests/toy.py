"""A tiny model whose every output can be computed by hand, in a folder like those of ``models/``.

With ``l`` and ``r`` the mean grey value (0-1) of a face's left and right half:

- ``maps`` (N, 6, 6, 2): mean grey value of each block; channel 0 holds the left half (columns 0-2) and zeros elsewhere,
  channel 1 the right half;
- ``embedding`` (N, 2) = ``maps`` averaged over the blocks = ``(l / 2, r / 2)``;
- ``logits`` (N, 7) = ``embedding @ KERNEL + bias``: 4 l for happy, 4 r for sad, 0 for the others;
- ``head.npz`` holds that kernel and bias, so that the Grad-CAM for happy is ``maps[..., 0] * 8 / 36``.

So a face with a white left half and a black right half has logit 4 for happy and 0 elsewhere, its mirror image 4 for
sad, a black face 0 everywhere (1/7 each).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from fer_core.explain.head import Head, write_head
from fer_core.labels import EMOTIONS, index_of
from fer_core.preprocessing import InputSpec
from fer_core.registry import HEAD_FILE, ONNX_FILE, OUTPUTS, ModelCard, write_card

BLOCKS = 6
KERNEL = np.zeros((2, 7), np.float32)
KERNEL[0, index_of("happy")] = 8
KERNEL[1, index_of("sad")] = 8

TOY_INPUT = InputSpec(height=48, width=48, channels=1, mean=(0.0,), std=(255.0,))


def make_toy_model(
    models_dir: Path,
    id: str = "toy",
    *,
    accuracy: float = 0.5,
    onnx: bool = True,
    graph_outputs: Sequence[str] = OUTPUTS,
    kernel: np.ndarray = KERNEL,
    bias: np.ndarray | None = None,
    head: bool = True,
    **overrides: Any,
) -> ModelCard:
    """Write the model folder ``models_dir/id`` and return its card.

    `accuracy` is the card's ``metrics.val.accuracy``; `onnx=False` leaves ``model.onnx`` away and with it ``head.npz``,
    `head=False` only the latter; `graph_outputs` are the outputs the graph really has (whatever the card says): there
    is no head where they are not all of them; `overrides` are fields of :class:`ModelCard`. The side of ``input`` must
    be a multiple of 6; with three channels the first one is looked at.
    """
    directory = models_dir / id
    directory.mkdir(parents=True)
    values: dict[str, Any] = {
        "id": id,
        "name": f"Toy {id}",
        "summary": "Says happy for a bright left half and sad for a bright right half.",
        "architecture": "toy",
        "input": TOY_INPUT,
        "metrics": {"val": {"accuracy": accuracy}},
        "training": {"recipe": "none"},
        "parameters": 14,
        "license": "Apache-2.0",
        "cam_layers": ("maps",),
        **overrides,
    }
    unknown = set(values) - {field.name for field in fields(ModelCard)}
    assert not unknown, unknown
    if onnx:
        write_toy_graph(directory / ONNX_FILE, values["input"], graph_outputs, kernel, bias)
        if head and tuple(graph_outputs) == OUTPUTS and kernel.shape[1] == len(EMOTIONS):
            write_head(toy_head(kernel, bias), directory / HEAD_FILE)
    (directory / "history.csv").write_bytes(b"epoch,loss,val_loss\n1,1.9,1.8\n")
    return write_card(ModelCard(directory=directory, **values))


def toy_head(kernel: np.ndarray = KERNEL, bias: np.ndarray | None = None) -> Head:
    """Return the toy's only dense layer."""
    given = np.zeros(kernel.shape[1], np.float32) if bias is None else np.asarray(bias, np.float32)
    return Head((np.asarray(kernel, np.float32),), (given,))


def half_faces(*halves: tuple[int, int]) -> np.ndarray:
    """Return 48x48 faces, (N, 48, 48) uint8: one for each pair of grey values of the left and the right half."""
    faces = np.empty((len(halves), 48, 48), np.uint8)
    for face, (left, right) in zip(faces, halves, strict=True):
        face[:, :24] = left
        face[:, 24:] = right
    return faces


def toy_logits(left: float, right: float) -> np.ndarray:
    """Return the toy's seven logits for a face with these grey values (0-255) in its halves."""
    logits = np.zeros(len(EMOTIONS))
    logits[index_of("happy")] = 4 * left / 255
    logits[index_of("sad")] = 4 * right / 255
    return logits


def write_toy_graph(
    path: Path,
    spec: InputSpec = TOY_INPUT,
    outputs: Sequence[str] = OUTPUTS,
    kernel: np.ndarray = KERNEL,
    bias: np.ndarray | None = None,
) -> None:
    """Write the toy's ONNX graph."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    assert spec.height % BLOCKS == 0
    assert spec.width % BLOCKS == 0
    mask = np.zeros((1, BLOCKS, BLOCKS, 2), np.float32)
    mask[:, :, :3, 0] = 1
    mask[:, :, 3:, 1] = 1
    constants = {
        "first": np.array([0], np.int64),
        "mask": mask,
        "kernel": np.asarray(kernel, np.float32),
        "bias": np.zeros(kernel.shape[1], np.float32) if bias is None else np.asarray(bias, np.float32),
    }
    block = [spec.height // BLOCKS, spec.width // BLOCKS]
    nodes = [
        helper.make_node("Transpose", ["input"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Gather", ["planes", "first"], ["plane"], axis=1),
        helper.make_node("AveragePool", ["plane"], ["pooled"], kernel_shape=block, strides=block),
        helper.make_node("Transpose", ["pooled"], ["blocks"], perm=[0, 2, 3, 1]),
        helper.make_node("Mul", ["blocks", "mask"], ["maps"]),
        helper.make_node("ReduceMean", ["maps"], ["embedding"], axes=[1, 2], keepdims=0),
        helper.make_node("MatMul", ["embedding", "kernel"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["logits"]),
    ]
    shapes = {"maps": ["N", BLOCKS, BLOCKS, 2], "embedding": ["N", 2], "logits": ["N", kernel.shape[1]]}
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", spec.height, spec.width, spec.channels])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name]) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
