"""Redis as the stores use it: a connection by URL whose errors name the URL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from shortlist.core.errors import StoreError

PATIENCE = 5.0
"""Seconds that a connection or an answer may take."""


class Server:
    """A Redis that answers.

    Args:
        url: `redis://host:port/db`, `rediss://…` or `unix:///path?db=0`.

    Raises:
        StoreError: the client is not installed, or nobody answers at the URL.
    """

    def __init__(self, url: str) -> None:
        try:
            import redis
        except ImportError as error:
            raise StoreError(
                "the Redis client is not installed.",
                remedy="Install shortlist[redis].",
                where=without_password(url),
            ) from error
        self.where = without_password(url)
        self._error = redis.RedisError
        with self.errors():
            # its types allow for answers as text, which this client never gives
            self.client: Any = redis.Redis.from_url(
                url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE
            )
            self.client.ping()

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Errors of Redis as errors of the store."""
        try:
            yield
        except (self._error, ValueError) as error:
            raise StoreError(
                f"Redis says: {error}",
                remedy="Check that the server runs and that serve.history names it.",
                where=self.where,
            ) from error

    def close(self) -> None:
        """Close the connections."""
        self.client.close()


def without_password(url: str) -> str:
    """A URL fit for messages and logs."""
    secret = urlsplit(url).password
    return url.replace(f":{secret}@", ":***@") if secret else url
