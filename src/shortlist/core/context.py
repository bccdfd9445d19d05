"""Contexts: what a request was made in and an event happened in: a device, a surface.

A context is `name → value`, both text; `data.events.context` says which names there are. Stores and
counters know a value by a code that is the same under every configuration, so that a value which no
training has met counts from its first event on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray
from xxhash import xxh32_intdigest

from shortlist.core.errors import RequestError, did_you_mean
from shortlist.core.keys import encode

Context = Mapping[str, str]

LONGEST = 1_000
"""Characters that a value may have; a longer one in a log is none."""
COLUMN = "context:"
"""What the columns of tables are called, before the name of the context."""


def value_code(value: str) -> int:
    """A stable 32-bit code of a value (XXH32); -1 for the empty text, which is none."""
    return xxh32_intdigest(encode(value)) if value else -1


def check_context(context: Context, known: Sequence[str], where: str) -> None:
    """Check what came with a request or an event.

    Raises:
        RequestError: a name is not one of `known`, or a value is no text or too long.
    """
    for name, value in context.items():
        if name not in known:
            named = f"data.events.context names {', '.join(known)}." if known else ""
            raise RequestError(
                f"{name!r} is not a context of this project.",
                remedy=f"{did_you_mean(name, known)} {named}".strip()
                or "Name its column in data.events.context.",
                where=where,
            )
        if not isinstance(value, str) or len(value) > LONGEST:
            raise RequestError(
                f"{repr(value)[:80]} is no context.",
                remedy=f"Give text of at most {LONGEST:,} characters.",
                where=f"{where}.{name}",
            )


def written(context: Context | None) -> str:
    """A context as one text, the same for equal ones; empty for none."""
    there = {name: value for name, value in (context or {}).items() if value}
    return msgspec.json.encode(there, order="sorted").decode() if there else ""


def read(text: str) -> dict[str, str]:
    """The inverse of `written`."""
    return msgspec.json.decode(text, type=dict[str, str]) if text else {}


@dataclass(frozen=True)
class Contexts:
    """The contexts of many events, as columns.

    Attributes:
        terms: name → its values, in order.
        places: name → `int32[n]`, the place of each event's value among them; -1 for none.
    """

    terms: Mapping[str, Sequence[str]]
    places: Mapping[str, NDArray[np.int32]]

    def __getitem__(self, lines: NDArray[np.bool_] | NDArray[np.integer] | slice) -> Contexts:
        """The contexts of some events."""
        return Contexts(self.terms, {name: of[lines] for name, of in self.places.items()})

    def at(self, line: int) -> dict[str, str]:
        """The context of one event."""
        told = {name: int(of[line]) for name, of in self.places.items()}
        return {name: self.terms[name][place] for name, place in told.items() if place >= 0}

    def codes(self, name: str) -> NDArray[np.int64]:
        """`value_code` of each event's value, `int64[n]`; -1 for none."""
        codes = [value_code(term) for term in self.terms[name]]
        return np.array([*codes, -1], np.int64)[self.places[name]]

    def codes_of(self, names: Iterable[str]) -> dict[str, NDArray[np.int64]]:
        """`codes` of several names."""
        return {name: self.codes(name) for name in names}

    def distinct(self, size: int) -> tuple[NDArray[np.int32], list[str]]:
        """The different contexts of `size` events, as text, and the place of each event's among
        them; -1 for an empty one."""
        key = np.zeros(size, np.int64)
        for name, places in self.places.items():
            _, key = np.unique(key * (len(self.terms[name]) + 1) + places + 1, return_inverse=True)
        _, first, key = np.unique(key, return_index=True, return_inverse=True)
        texts = [written(self.at(line)) for line in first.tolist()]
        told = [text for text in texts if text]
        place = np.array([told.index(text) if text else -1 for text in texts], np.int32)
        return place[key], told


NO_CONTEXTS = Contexts({}, {})
