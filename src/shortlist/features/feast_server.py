"""A client of Feast's feature server: `POST /get-online-features` of `feast serve`.

https://docs.feast.dev/reference/feature-servers/python-feature-server
"""

from __future__ import annotations

import http.client
from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec
import numpy as np
from numpy.typing import NDArray

from shortlist.core.errors import StoreError

PRESENT = "PRESENT"


class _Column(msgspec.Struct):
    values: list[float | int | bool | str | list[msgspec.Raw] | None]
    statuses: list[str]


class _Metadata(msgspec.Struct):
    feature_names: list[str]


class _Answer(msgspec.Struct):
    """One column per name, the join key among them, in an order of the server's own."""

    metadata: _Metadata
    results: list[_Column]


class FeastServer:
    """Asks one server over one connection, which is kept; not safe for several threads.

    Args:
        url: where it answers.
        timeout: seconds that an answer is waited for.
    """

    def __init__(self, url: str, timeout: float) -> None:
        self.url = url
        self._timeout = timeout
        parts = urlsplit(url)
        assert parts.hostname is not None  # `config.rules_features` has looked
        kind: type[http.client.HTTPConnection] = http.client.HTTPConnection
        if parts.scheme == "https":
            kind = http.client.HTTPSConnection
        self._connection = kind(parts.hostname, parts.port, timeout=timeout)
        self._path = parts.path.rstrip("/") + "/get-online-features"
        self._decode = msgspec.json.Decoder(_Answer).decode

    def ask(self, key: str, ids: Sequence[str], refs: Sequence[str]) -> NDArray[np.float32]:
        """Features of entities, in one request.

        Args:
            key: the join key.
            ids: its values.
            refs: `view:feature` of each feature.

        Returns:
            `float32[refs, ids]`; NaN where the server has no value, or one that is too old for it.

        Raises:
            StoreError: it does not answer in time, or not with these features as numbers.
        """
        body = {"features": list(refs), "entities": {key: list(ids)}, "full_feature_names": True}
        data = self._post(msgspec.json.encode(body))
        try:
            answer = self._decode(data)
        except msgspec.DecodeError as error:
            raise self._failed(f"its answer cannot be read ({error}).") from error
        columns = dict(zip(answer.metadata.feature_names, answer.results, strict=False))
        out = np.full((len(refs), len(ids)), np.nan, np.float32)
        for line, ref in zip(out, refs, strict=True):
            column = columns.get(ref.replace(":", "__", 1))
            if column is None or not len(column.values) == len(column.statuses) == len(ids):
                raise self._failed(f"its answer lacks {ref!r}.")
            for place, (value, status) in enumerate(
                zip(column.values, column.statuses, strict=True)
            ):
                if status == PRESENT and value is not None:
                    if not isinstance(value, float | int):
                        raise self._failed(f"{ref!r} of {ids[place]!r} is {value!r}, no number.")
                    line[place] = value
        return out

    def _post(self, body: bytes) -> bytes:
        for last in (False, True):
            try:
                self._connection.request(
                    "POST", self._path, body, {"content-type": "application/json"}
                )
                response = self._connection.getresponse()
                data = response.read()
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                # a server may close a connection that it has kept for long
                if not last and isinstance(error, http.client.RemoteDisconnected | BrokenPipeError):
                    continue
                told = "it does not answer in time" if isinstance(error, TimeoutError) else error
                raise self._failed(f"{told}.") from error
            if response.status == http.client.OK:
                return data
            told = data[:200].decode(errors="replace")
            raise self._failed(f"it answers {response.status}: {told}")
        raise AssertionError("the second attempt returns or raises")

    def _failed(self, problem: str) -> StoreError:
        return StoreError(
            problem, remedy="Start `feast serve`, or correct feast.url.", where=self.url
        )
