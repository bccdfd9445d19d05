"""Snowball stemmers, each made once per thread."""

from __future__ import annotations

import threading

import Stemmer

from shortlist.text.languages import STEMMERS


class Stemmers(threading.local):
    """A stemmer per language and thread: one must not be shared, and making one is slow."""

    def __init__(self) -> None:
        self._made: dict[str, Stemmer.Stemmer] = {}

    def of(self, language: str) -> Stemmer.Stemmer:
        """The stemmer of a language that `STEMMERS` has, for this thread alone."""
        if language not in self._made:
            self._made[language] = Stemmer.Stemmer(STEMMERS[language], 0)
        return self._made[language]


stemmers = Stemmers()
