"""Titles of items written since the release, to complete to."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from shortlist.core.catalogue import Value
from shortlist.text.analyzer import Analyzer


class LiveTitles:
    """The first field of each written item.

    Args:
        field: what it is called.
        analyzer: what makes titles and queries comparable.
    """

    def __init__(self, field: str, analyzer: Analyzer) -> None:
        self._field, self._analyzer = field, analyzer
        self._titles: dict[int, tuple[str, str]] = {}

    def __contains__(self, row: int) -> bool:
        """Whether a row was written, so that what the release calls it no longer holds."""
        return row in self._titles

    def set(self, row: int, attributes: Mapping[str, Value]) -> None:
        """The item at a row; the newest comes first."""
        value = attributes.get(self._field)
        title = " ".join(value) if isinstance(value, list) else str(value or "")
        self._titles.pop(row, None)
        self._titles[row] = (" " + self._analyzer.normalise(title), title)

    def search(self, typed: str, k: int, allowed: Callable[[int], bool]) -> list[str]:
        """At most k titles of which a word, and what follows it, begins so; the newest first.

        Args:
            typed: the beginning, normalised.
            k: how many.
            allowed: whether the title of a row may be shown.
        """
        wanted, found = " " + typed, dict[str, None]()
        for row, (known, title) in reversed(self._titles.items()):
            if wanted in known and title and allowed(row):
                found[title] = None
                if len(found) == k:
                    break
        return list(found)
