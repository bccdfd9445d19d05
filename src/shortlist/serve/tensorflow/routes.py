"""The routes of TensorFlow Serving: status, metadata and `:predict`."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Any
from weakref import ref

import msgspec
from litestar import Response, get, post
from litestar.exceptions import HTTPException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath
from litestar.response.base import ASGIResponse
from litestar.types import ControllerRouterHandler

from shortlist.config.schema import ServeSection
from shortlist.core.errors import RequestError, ShortlistError, did_you_mean
from shortlist.online.snapshot import Snapshot
from shortlist.release.publish import Releases
from shortlist.serve.errors import JSON, NotFoundError, log_failure, status_of
from shortlist.serve.paths import Http
from shortlist.serve.service import Service
from shortlist.serve.tensorflow.servables import Servable, servables_of
from shortlist.serve.tensorflow.signature import metadata
from shortlist.serve.tensorflow.tensors import Tensors, read_call, write_outputs
from shortlist.serve.tensorflow.versions import ModelStatus, version_of, versions

TARGET = re.compile(
    r"/(?P<name>[^/:]+)(?:/versions/(?P<version>\d{1,18})|/labels/(?P<label>[^/:]+))?"
    r"(?P<verb>/metadata|:[a-z]+)?",
    re.IGNORECASE,
)
LARGE = 64
"""Calls of more rows than this leave the event loop, where others wait for their answers."""


class ModelError(msgspec.Struct):
    """The body of every answer that is not 2xx."""

    error: str


@dataclass(frozen=True, slots=True)
class Target:
    """What a path names.

    Attributes:
        name: the servable.
        version: which of its versions; None for the one that answers.
        verb: `metadata`, `predict` or another; empty for the status.
    """

    name: str
    version: int | None
    verb: str

    @classmethod
    def of(cls, path: str) -> Target:
        """The target of a path below `/v1/models`.

        Raises:
            RequestError: the path names no model, or has a form that there is not.
        """
        match = TARGET.fullmatch(f"/{path.strip('/')}")
        if match is None:
            raise RequestError(
                f"/v1/models/{path.strip('/')} is not a path of a model.",
                remedy="See the paths of TensorFlow Serving's REST API.",
            )
        if match["label"] is not None:
            raise RequestError(
                f"no version has the label {match['label']!r}.",
                remedy="Name a version by its number, or none for the one that answers.",
            )
        version = int(match["version"]) if match["version"] else None
        return cls(match["name"], version, (match["verb"] or "").lstrip("/:").lower())


class Models:
    """The servables of the release that answers.

    Args:
        service: the worker's.
        releases: the project's.
        serve: the section of the config.
    """

    def __init__(self, service: Service, releases: Releases, serve: ServeSection) -> None:
        self._service, self._releases, self._serve = service, releases, serve
        # weakly, so that a release that nobody answers from any more is not kept open by it
        self._of: tuple[ref[Snapshot], dict[str, Servable]] | None = None

    def status(self, target: Target) -> tuple[int, ModelStatus]:
        """The status of a servable's versions, and of the answer: 503 while none is available.

        Raises:
            NotFoundError: there is no such servable or version.
        """
        known = versions(self._service, self._releases)
        ready = any(status.state == "AVAILABLE" for status in known.values())
        if not known:
            raise NotFoundError(
                f"Could not find any versions of model {target.name}: nothing is published yet.",
                remedy="Train, or publish a release.",
            )
        if ready:
            self._servable(target.name)
        if target.version is not None:
            if target.version not in known:
                raise NotFoundError(
                    f"Could not find version {target.version} of model {target.name}.",
                    remedy=f"Known: {', '.join(map(str, known))}.",
                )
            known = {target.version: known[target.version]}
        return 200 if ready else 503, ModelStatus(list(known.values()))

    def metadata(self, target: Target) -> dict[str, Any]:
        """The signatures of a servable.

        Raises:
            NotFoundError: there is no such servable or version.
        """
        snapshot, servable = self._servable(target.name, target.version)
        return metadata(target.name, version_of(snapshot.id), servable.signatures)

    async def predict(self, target: Target, body: bytes) -> bytes:
        """The outputs of a call, as its body asks.

        Raises:
            NotFoundError: there is no such servable or version.
            RequestError: the body is wrong; names the field.
        """
        _, servable = self._servable(target.name, target.version)
        call = read_call(body, servable.signatures)
        if queries_in(call.inputs) > LARGE:
            outputs = await asyncio.to_thread(servable.predict, call.signature, call.inputs)
        else:
            outputs = servable.predict(call.signature, call.inputs)
        return write_outputs(outputs, rows=call.rows)

    def _servable(self, name: str, version: int | None = None) -> tuple[Snapshot, Servable]:
        snapshot = self._service.engine.pipeline.snapshot
        if self._of is None or self._of[0]() is not snapshot:
            self._of = ref(snapshot, self._forget), servables_of(snapshot, self._serve)
        servables = self._of[1]
        if name not in servables:
            raise NotFoundError(
                f"Could not find any versions of model {name}.",
                remedy=did_you_mean(name, servables),
            )
        if version not in {None, version_of(snapshot.id)}:
            raise NotFoundError(
                f"Servable not found for request: Specific({name}, {version}).",
                remedy=f"The version that answers is {version_of(snapshot.id)}.",
            )
        return snapshot, servables[name]

    def _forget(self, snapshot: ref[Snapshot]) -> None:
        if self._of is not None and self._of[0] is snapshot:
            self._of = None


def model_routes(
    service: Service, releases: Releases, serve: ServeSection
) -> list[ControllerRouterHandler]:
    """The handlers of `/v1/models`, bound to a worker's service."""
    models = Models(service, releases, serve)
    errors: dict[Any, Any] = {
        ShortlistError: model_error,
        HTTPException: http_error,
        UnicodeDecodeError: not_utf8,
        RecursionError: too_deep,
        Exception: failed,
    }
    bad = {
        400: ResponseSpec(ModelError, description="The body or the path is wrong."),
        404: ResponseSpec(ModelError, description="There is no such model or version."),
        503: ResponseSpec(ModelError, description="No release is open."),
    }

    @get(
        ["/v1/models", "/v1/models/{path:path}"],
        responses={200: ResponseSpec(ModelStatus, description="The state of each version."), **bad},
        exception_handlers=errors,
        tags=["TensorFlow Serving"],
    )
    async def look(path: FromPath[str] = "") -> ASGIResponse:
        """`{name}`, `{name}/versions/{version}`: status. With `/metadata` after it: signatures."""
        target = Target.of(path)
        if target.verb == "metadata":
            return _answer(200, models.metadata(target))
        if target.verb:
            raise RequestError(f"{target.verb!r} is asked with POST.", remedy="Send its body.")
        return _answer(*models.status(target))

    @post(
        "/v1/models/{path:path}",
        status_code=200,
        responses=bad,
        exception_handlers=errors,
        tags=["TensorFlow Serving"],
    )
    async def call(request: Http, path: FromPath[str]) -> ASGIResponse:
        """`{name}:predict`, `{name}/versions/{version}:predict`, by `inputs` or `instances`."""
        target = Target.of(path)
        if target.verb != "predict":
            raise RequestError(
                f"{target.verb!r} is not what a model can be asked to do.",
                remedy="Add :predict to the path.",
            )
        body = await models.predict(target, await request.body())
        return ASGIResponse(body=body, media_type=JSON)

    return [look, call]


def model_error(request: Http, error: ShortlistError) -> Response[bytes]:
    """An error of this package in TensorFlow Serving's form."""
    return _error(status_of(request, error), str(error))


def http_error(request: Http, error: HTTPException) -> Response[bytes]:
    """An error of the protocol, such as a body that is too large."""
    return _error(error.status_code, f"{error.detail}.")


def not_utf8(request: Http, error: UnicodeDecodeError) -> Response[bytes]:
    """A body that is not text."""
    return _error(400, "the body is not UTF-8. Encode it as UTF-8.")


def too_deep(request: Http, error: RecursionError) -> Response[bytes]:
    """A body of lists in lists in lists."""
    return _error(400, "the body is nested too deeply. Flatten it.")


def failed(request: Http, error: Exception) -> Response[bytes]:
    """A bug, in TensorFlow Serving's form."""
    log_failure(request, error)
    return _error(500, "the server failed. The server's log says why.")


def queries_in(inputs: Tensors) -> int:
    """How many queries, histories or texts inputs hold."""
    several = [t for t in inputs.values() if t.ndim > 1 or (t.ndim and t.dtype == object)]
    return max((len(tensor) for tensor in several), default=0)


def _answer(status: int, content: object) -> ASGIResponse:
    return ASGIResponse(body=msgspec.json.encode(content), status_code=status, media_type=JSON)


def _error(status: int, message: str) -> Response[bytes]:
    return Response(msgspec.json.encode(ModelError(message)), status_code=status, media_type=JSON)
