"""Ids in paths."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from litestar import Request

from shortlist.core.errors import RequestError

Http = Request[Any, Any, Any]


def id_of(request: Http, path: str, prefix: str) -> str:
    """The id after a prefix, from the path as it was sent: slashes of its own count.

    Args:
        request: the request.
        path: what the router has made of it.
        prefix: what comes before the id.

    Raises:
        RequestError: what is percent-encoded is not UTF-8.
    """
    raw: bytes = request.scope.get("raw_path") or b""
    sent = raw.partition(b"?")[0].decode("latin-1")
    _, found, id = sent.partition(prefix)
    try:
        return unquote(id, errors="surrogatepass") if found else path.removeprefix("/")
    except UnicodeDecodeError:
        raise RequestError(
            f"{id[:80]!r} is not UTF-8.", remedy="Percent-encode the UTF-8 of the id.", where="id"
        ) from None
