"""The text of an item, as encoders are trained on it and encode it."""

from __future__ import annotations

from collections.abc import Iterable

from shortlist.core.catalogue import Value


def words(value: Value) -> str:
    """An attribute or a text as words; empty where it is missing."""
    return " ".join(value) if isinstance(value, list) else str(value or "")


def joined(parts: Iterable[str]) -> str:
    """One text of the parts that are not empty, a line each."""
    return "\n".join(filter(None, parts))
