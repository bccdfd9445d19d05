"""What becomes of errors: one message and an exit status."""

from __future__ import annotations

import inspect
import sys
import traceback
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

from shortlist.core.errors import ShortlistError

_VERBOSE = inspect.Parameter(
    "verbose",
    inspect.Parameter.KEYWORD_ONLY,
    default=False,
    annotation=Annotated[
        bool, typer.Option("--verbose", "-v", help="Show where in the code an error arose.")
    ],
)


def guarded(function: Callable[..., None]) -> Callable[..., None]:
    """A command that also takes `-v` and turns faults into a message and an exit status.

    A `ShortlistError` becomes `error:` with the problem and the remedy, status 1; Ctrl-C one
    line, status 130. Anything else is a fault of the program and keeps its traceback.
    """
    signature = inspect.signature(function, eval_str=True)

    @wraps(function)
    def command(*, verbose: bool, **arguments: Any) -> None:
        try:
            function(**arguments)
        except ShortlistError as error:
            if verbose:
                traceback.print_exc(file=sys.stderr)
            _print_error(error)
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            typer.secho("interrupted", fg="yellow", err=True)
            raise typer.Exit(130) from None

    parameters = [*signature.parameters.values(), _VERBOSE]
    # Typer reads options off the signature.
    vars(command)["__signature__"] = signature.replace(parameters=parameters)
    return command


def _print_error(error: ShortlistError) -> None:
    typer.secho("error: ", fg="red", bold=True, nl=False, err=True)
    typer.echo(f"{error.where}: {error.problem}" if error.where else error.problem, err=True)
    if error.remedy:
        typer.echo(f"       {error.remedy}", err=True)
