"""Releases as the integer versions that TensorFlow Serving counts in, and the state of each."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import msgspec

from shortlist.core.errors import ReleaseError
from shortlist.release.publish import Releases
from shortlist.serve.errors import NotReadyError
from shortlist.serve.service import Service

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Status(msgspec.Struct):
    """Whether a version is in its state because of an error."""

    error_code: str = "OK"
    error_message: str = ""


class VersionStatus(msgspec.Struct):
    """One version: `LOADING`, `AVAILABLE`, `UNLOADING` or `END`."""

    version: str
    state: str
    status: Status


class ModelStatus(msgspec.Struct):
    """The answer of `GET /v1/models/{name}`, newest version first."""

    model_version_status: list[VersionStatus]


def version_of(release: str) -> int:
    """The version of a release: the instant in its id, microseconds since the epoch.

    Later releases have larger versions, everywhere and for ever, and nothing needs to be counted;
    until the year 2255 a double holds them exactly.
    """
    made = datetime.strptime(release.partition("-")[0], "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)
    return (made - EPOCH) // timedelta(microseconds=1)


def versions(service: Service, releases: Releases) -> dict[int, VersionStatus]:
    """What is known of each version, newest first.

    The release that answers is `AVAILABLE`. The current one, as long as it does not answer, is
    `LOADING`, or `END` with the error that keeps it from being opened. Those that this worker
    answered from before are `UNLOADING` until their last request is done, and then `END`.
    """
    found: dict[str, tuple[str, Status]] = {
        id: ("UNLOADING" if open else "END", Status()) for id, open in service.held.items()
    }
    try:
        current = releases.current()
    except ReleaseError:
        current = None  # the pointer is damaged, and what answers goes on answering
    if current is not None:
        failed = Status("INTERNAL", service.problem)
        found[current] = ("END", failed) if service.problem else ("LOADING", Status())
    with suppress(NotReadyError):
        found[service.engine.release] = ("AVAILABLE", Status())
    listed = {
        version_of(id): VersionStatus(str(version_of(id)), state, status)
        for id, (state, status) in found.items()
    }
    return dict(sorted(listed.items(), reverse=True))
