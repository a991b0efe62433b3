from __future__ import annotations

import argparse
import sys
import types
from collections.abc import Callable

import pytest

from fer_core import __version__
from fer_core.cli import COMMANDS, Command, main
from fer_core.errors import DatasetMissing

TABLE = {"greet": Command("toy_command_greet", "say hello to a name")}


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[argparse.Namespace], int]], None]:
    def install(run: Callable[[argparse.Namespace], int]) -> None:
        module = types.ModuleType("toy_command_greet")
        module.add_arguments = lambda parser: parser.add_argument("name", nargs="?")  # type: ignore[attr-defined]
        module.run = run  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "toy_command_greet", module)

    return install


def failing(error: BaseException) -> Callable[[argparse.Namespace], int]:
    def run(args: argparse.Namespace) -> int:
        raise error

    return run


def test_a_command_gets_its_arguments_and_gives_the_exit_code(command):
    seen = []
    command(lambda args: seen.append(args.name) or 7)
    assert main(["greet", "world"], TABLE) == 7
    assert seen == ["world"]


def test_only_the_chosen_command_is_imported(command):
    command(lambda args: 0)
    table = {**TABLE, "broken": Command("fer_core.no_such_module", "never")}
    assert main(["greet"], table) == 0


def test_help_lists_every_command(capsys):
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(name in out and entry.help in out for name, entry in COMMANDS.items())


def test_no_command_is_a_mistake_answered_with_the_overview(capsys):
    assert main([]) == 2
    captured = capsys.readouterr()
    assert "commands:" in captured.err
    assert captured.out == ""


def test_an_unknown_command_is_answered_with_those_there_are(capsys):
    assert main(["draw"], TABLE) == 2
    assert capsys.readouterr().err == "There is no command “draw”. Commands: greet.\n"


def test_the_version_is_that_of_the_package(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == __version__


def test_an_error_meant_for_people_is_one_line_without_a_traceback(command, capsys):
    command(failing(DatasetMissing("FER2013 is not here. Set FER_DATA_DIR.")))
    assert main(["greet"], TABLE) == 2
    assert capsys.readouterr().err == "FER2013 is not here. Set FER_DATA_DIR.\n"


def test_a_package_that_is_not_installed_is_named_with_the_remedy(command, capsys):
    command(failing(ModuleNotFoundError("No module named 'tensorflow.keras'", name="tensorflow.keras")))
    assert main(["greet"], TABLE) == 2
    err = capsys.readouterr().err
    assert "needs the package tensorflow" in err
    assert "requirements-train.txt" in err


def test_a_mistake_of_the_program_itself_is_not_hidden(command):
    command(failing(ModuleNotFoundError("No module named 'fer_core.x'", name="fer_core.x")))
    with pytest.raises(ModuleNotFoundError):
        main(["greet"], TABLE)
    command(failing(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        main(["greet"], TABLE)


def test_an_interrupt_ends_quietly_with_130(command, capsys):
    command(failing(KeyboardInterrupt()))
    assert main(["greet"], TABLE) == 130
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_of_the_table_explains_itself(name, capsys):
    with pytest.raises(SystemExit) as caught:
        main([name, "--help"])
    assert caught.value.code == 0
    assert f"python -m fer_core {name}" in capsys.readouterr().out
