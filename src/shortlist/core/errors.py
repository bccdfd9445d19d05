"""Errors that a person can act on.

Every error says what is wrong, names the thing (a file, row, column, key or field) and the
remedy. Raise the subclass of the place where the fault lies, not of the place that noticed it.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class ShortlistError(Exception):
    """A fault with a remedy.

    Args:
        problem: what is wrong, with the name and the value of the thing.
        remedy: what to do about it, a sentence; empty when nothing sensible can be said.
        where: the file, key or field that the problem lies in.
    """

    def __init__(self, problem: str, *, remedy: str = "", where: str = "") -> None:
        self.problem = problem
        self.remedy = remedy
        self.where = where
        prefix = f"{where}: " if where else ""
        suffix = f" {remedy}" if remedy else ""
        super().__init__(f"{prefix}{problem}{suffix}")


class ConfigError(ShortlistError):
    """`shortlist.toml` says something that cannot be right."""


class DataError(ShortlistError):
    """An events or items source cannot be read or used."""


class ReleaseError(ShortlistError):
    """A release is missing, damaged, from another version, or failed its own checks."""


class StoreError(ShortlistError):
    """A store (history, availability) cannot be reached or holds something unreadable."""


class FeatureError(StoreError):
    """A value that a request may not be answered without cannot be told; others may be answered."""


class RequestError(ShortlistError):
    """A request is malformed; `where` names its field. HTTP answers 4xx with it."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence that offers the nearest known names, or lists them when none is near."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"Known: {', '.join(names)}." if names else ""
