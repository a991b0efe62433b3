"""``python -m fer_core export MODEL``: write what is served of a trained model anew, from its weights."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fer_core.registry import HEAD_FILE, ONNX_FILE, OUTPUTS, WEIGHTS_FILE, load_registry, write_card
from fer_core.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("model", nargs="+", help="id of a model: the name of its folder")
    parser.add_argument("--models", type=Path, help="folder of models (default: FER_MODELS_DIR)")
    parser.add_argument(
        "--only", choices=("onnx", "head"), help="the graph that is served, or the dense layers that heat maps need"
    )


def run(args: argparse.Namespace) -> int:
    """Write; return the exit code."""
    from dataclasses import replace

    from fer_core.architectures import from_card
    from fer_core.explain.head import from_network, write_head
    from fer_core.training.export import to_onnx

    registry = load_registry(args.models or Settings.from_environment().models_dir)
    for model_id in args.model:
        card = registry.get(model_id)
        network = from_card(card)
        written = []
        if args.only != "head":
            to_onnx(network, card.directory / ONNX_FILE)
            written.append(ONNX_FILE)
            card = replace(card, outputs=OUTPUTS)
        if args.only != "onnx":
            head = from_network(network)
            if head is not None:
                write_head(head, card.directory / HEAD_FILE)
                written.append(HEAD_FILE)
        write_card(card)
        sys.stdout.write(f"{card.id}: {' and '.join(written) or 'nothing'} written from {WEIGHTS_FILE}\n")
    return 0
