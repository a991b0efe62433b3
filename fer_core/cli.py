"""The command line: a table of commands, each a module that is imported only when it is the one asked for.

A command's module provides ``add_arguments(parser)`` and ``run(args) -> int``, the exit code. Of all commands: 0 done,
1 done in part, 2 not done (wrong arguments, or an error whose sentence goes to stderr), 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from fer_core import __version__
from fer_core.errors import FerError
from fer_core.wording import sentence_case

PROGRAM: Final = "python -m fer_core"


class Command(NamedTuple):
    """An entry of the table: where the command lives, and one line about it."""

    module: str
    help: str


COMMANDS: Final[Mapping[str, Command]] = {
    "predict": Command("fer_core.predict", "score the faces in photos"),
    "data": Command("fer_core.data.command", "check, download and describe FER2013"),
    "train": Command("fer_core.training.command", "train a network by a recipe and write its model folder"),
    "evaluate": Command("fer_core.evaluation.command", "recompute cards and the README from stored predictions"),
    "export": Command("fer_core.export", "write a model's served files anew from its weights"),
    "explain": Command("fer_core.explain.command", "explain a photo, or write the atlas and ledger of a model"),
    "benchmark": Command("fer_core.benchmark", "measure start, stages, throughput and memory on this machine"),
}


def main(arguments: Sequence[str] | None = None, commands: Mapping[str, Command] = COMMANDS) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str
        Command name and its arguments; those of the process by default.
    commands : mapping of str to Command
        The table.

    Returns
    -------
    int
        Exit code, see the module.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a console of eight-bit characters shows ? instead of ending the program
            stream.reconfigure(errors="replace")
    argv = list(sys.argv[1:] if arguments is None else arguments)
    if not argv or argv[0] in ("-h", "--help"):
        print(_overview(commands), file=sys.stdout if argv else sys.stderr)
        return 0 if argv else 2
    if argv[0] == "--version":
        print(__version__)
        return 0
    name, rest = argv[0], argv[1:]
    if name not in commands:
        print(f"There is no command “{name}”. Commands: {', '.join(commands)}.", file=sys.stderr)
        return 2
    try:
        module = importlib.import_module(commands[name].module)
        parser = argparse.ArgumentParser(prog=f"{PROGRAM} {name}", description=_sentence(commands[name].help))
        module.add_arguments(parser)
        code = int(module.run(parser.parse_args(rest)))
        sys.stdout.flush()
        return code
    except FerError as error:
        print(error, file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "fer_core":
            raise
        print(
            f"“{name}” needs the package {error.name.partition('.')[0]}, which is not installed. "
            "Packages for training are in requirements-train.txt, all others in requirements.txt.",
            file=sys.stderr,
        )
        return 2
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130


def _overview(commands: Mapping[str, Command]) -> str:
    width = max(len(name) for name in commands)
    lines = [f"  {name:<{width}}  {command.help}" for name, command in commands.items()]
    return "\n".join(
        [
            f"usage: {PROGRAM} COMMAND ...",
            "",
            "Understanding a facial-expression classifier.",
            "",
            "commands:",
            *lines,
            "",
            f"Arguments of a command: {PROGRAM} COMMAND --help",
        ]
    )


def _sentence(text: str) -> str:
    return f"{sentence_case(text)}."
