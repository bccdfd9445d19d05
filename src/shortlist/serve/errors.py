"""What went wrong, as HTTP: a status and a body that names the field and the remedy."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from shortlist.core.errors import RequestError, ShortlistError, StoreError, did_you_mean

UNKNOWN_FIELD = re.compile(r"unknown field `(.*)`")
INSIDE = re.compile(r" - at `\$(.*)`$")
MISSING_FIELD = re.compile(r"missing required field `(.*)`")
JSON = "application/json"


class NotReadyError(ShortlistError):
    """No release is open yet."""


class AddressError(ShortlistError):
    """The server cannot listen where it should."""


class NotFoundError(ShortlistError):
    """There is nothing under that name."""


class Problem(msgspec.Struct):
    """What is wrong: the field it lies in (empty for none), a sentence, and what to do."""

    field: str
    problem: str
    remedy: str = ""


class ErrorBody(msgspec.Struct):
    """The body of every answer that is not 2xx."""

    error: Problem


STATUS: Mapping[type[ShortlistError], int] = {
    RequestError: 400,
    NotFoundError: 404,
    NotReadyError: 503,
    StoreError: 503,
}


def shortlist_error(request: Request[Any, Any, Any], error: ShortlistError) -> Response[bytes]:
    """An error of this package."""
    return _answer(status_of(request, error), Problem(error.where, error.problem, error.remedy))


def status_of(request: Request[Any, Any, Any], error: ShortlistError) -> int:
    """The status of an error; those that are the server's own are logged."""
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 500)
    if status >= 500 and not isinstance(error, NotReadyError):
        logging.getLogger(__name__).error("%s %s: %s", request.method, request.url.path, error)
    return status


def http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """A body that does not fit its schema, a path or a method that does not exist."""
    if isinstance(error, ValidationException) and isinstance(error.extra, list):
        return _answer(error.status_code, _misfit(request, error))
    remedy = "Send one JSON object." if error.status_code == 400 else ""
    return _answer(error.status_code, Problem("", f"{error.detail}.", remedy))


def not_utf8(request: Request[Any, Any, Any], error: UnicodeDecodeError) -> Response[bytes]:
    """A body that is not text."""
    return _answer(400, Problem("", "the body is not UTF-8.", "Encode it as UTF-8."))


def too_deep(request: Request[Any, Any, Any], error: RecursionError) -> Response[bytes]:
    """A body of lists in lists in lists."""
    return _answer(400, Problem("", "the body is nested too deeply.", "Flatten it."))


def unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """A bug: the log has the trace, the caller a plain sentence."""
    log_failure(request, error)
    return _answer(500, Problem("", "the server failed.", "The server's log says why."))


def log_failure(request: Request[Any, Any, Any], error: Exception) -> None:
    """The trace of a bug."""
    logging.getLogger(__name__).error(
        "%s %s failed", request.method, request.url.path, exc_info=error
    )


def _misfit(request: Request[Any, Any, Any], error: ValidationException) -> Problem:
    """The first thing about a body that does not fit."""
    assert isinstance(error.extra, list)
    message = error.extra[0]["message"]
    unknown = UNKNOWN_FIELD.search(message)
    if unknown:
        return Problem(unknown[1], f"{unknown[1]!r} is not a field.", _fields(request, unknown[1]))
    missing = MISSING_FIELD.search(message)
    if missing:
        return Problem(missing[1], f"{missing[1]!r} is required.", "Give it.")
    if message == "'data'":  # how Litestar says that there is none
        return Problem("", "the body is missing.", "Send a JSON object, {} at least.")
    if error.extra[0].get("source") == "query":
        return Problem(error.extra[0]["key"], f"{message}.")
    inside = INSIDE.search(str(error.__cause__))
    return Problem(inside[1].lstrip(".") if inside else "", f"{message}.")


def _fields(request: Request[Any, Any, Any], name: str) -> str:
    """The fields of the body that the route takes, or the one that was probably meant."""
    data = request.scope["route_handler"].parsed_data_field
    known: list[str] = []
    for kind in (
        (data.annotation, *(inner.annotation for inner in data.inner_types)) if data else ()
    ):
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            known += kind.__struct_fields__
    return did_you_mean(name, known)


def _answer(status: int, problem: Problem) -> Response[bytes]:
    return Response(msgspec.json.encode(ErrorBody(problem)), status_code=status, media_type=JSON)
