"""Help, errors and exit statuses."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from shortlist.cli.app import COMMANDS, app
from shortlist.cli.guard import guarded
from shortlist.core.errors import DataError

NAMES = [command.__name__ for command in COMMANDS]
run = CliRunner().invoke


def failing(error: BaseException | None) -> typer.Typer:
    """A program of one command, which raises."""
    program = typer.Typer(pretty_exceptions_enable=False)

    @program.command()
    @guarded
    def work(name: Annotated[str, typer.Option()] = "nobody") -> None:
        """Work."""
        if error is not None:
            raise error
        typer.echo(f"hello {name}")

    return program


def test_help_lists_every_command() -> None:
    result = run(app, ["--help"])

    assert result.exit_code == 0
    for name in NAMES:
        assert f" {name} " in result.stdout


@pytest.mark.parametrize("name", NAMES)
def test_every_command_explains_itself(name: str) -> None:
    result = run(app, [name, "--help"])

    assert result.exit_code == 0
    assert "--verbose" in result.stdout
    assert "FOLDER" in result.stdout


def test_help_needs_nothing_heavy() -> None:
    heavy = "numpy numba duckdb ibis pyarrow faiss litestar uvicorn lightgbm msgspec"
    program = (
        "import sys, typer.testing, shortlist.cli.app as a;"
        "assert typer.testing.CliRunner().invoke(a.app, ['--help']).exit_code == 0;"
        f"print([name for name in {heavy.split()} if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert result.stdout.strip() == "[]", result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--nonsense"],
        ["nonsense"],
        ["similar"],
        ["init"],
        ["hide"],
        ["publish"],
        ["recommend", "-k", "0"],
        ["recommend", "-k", "many"],
        ["serve", "--port", "99999"],
        ["serve", "--workers", "0"],
    ],
    ids=" ".join,
)
def test_misuse_exits_with_2(arguments: list[str]) -> None:
    assert run(app, arguments).exit_code == 2


def test_a_fault_is_told_with_its_remedy_and_exits_with_1() -> None:
    fault = DataError("row 3 has no item.", remedy="Add one.", where="events.csv")
    result = run(failing(fault), [])

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == "error: events.csv: row 3 has no item.\n       Add one.\n"


@pytest.mark.parametrize("flag", ["-v", "--verbose"])
def test_verbose_shows_where_a_fault_arose(flag: str) -> None:
    result = run(failing(DataError("row 3 has no item.")), [flag])

    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    assert "raise error" in result.stderr
    assert result.stderr.endswith("error: row 3 has no item.\n")


def test_interruption_is_one_line_and_exits_with_130() -> None:
    result = run(failing(KeyboardInterrupt()), [])

    assert result.exit_code == 130
    assert result.output == "interrupted\n"


def test_other_errors_keep_their_traceback() -> None:
    result = run(failing(ZeroDivisionError("x")), [])

    assert isinstance(result.exception, ZeroDivisionError)


def test_a_guarded_command_keeps_its_own_options() -> None:
    result = run(failing(None), ["--name", "Ann"])

    assert (result.exit_code, result.stdout) == (0, "hello Ann\n")
