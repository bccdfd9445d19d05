"""`Analyzer`: text to terms, the same when training, indexing and serving."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import threading
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib import metadata
from typing import Any, NamedTuple

import Stemmer

from shortlist.core.errors import ReleaseError
from shortlist.text import boundaries, normalise, segment
from shortlist.text.languages import (
    STEMMERS,
    function_words,
    languages_of,
    vote,
    written_in,
)
from shortlist.text.places import places
from shortlist.text.settings import AnalyzerSettings

_CODE = 1
"""To be raised when anything in this file or in `languages` gives another result."""

_ELISION = re.compile(r"^(?:[cdjlmnst]|qu|jusqu|lorsqu|puisqu|quoiqu|un|de[il]l|ne[il]l|al|sul)l?'")
_ELIDES = ("fr", "it", "ca")
_PLAIN = AnalyzerSettings()
_REMEMBERED = 1 << 16
_LONG = 64
"""Longer pieces are not remembered: few come again, and they would take the memory."""
_KANJI_ALONE = 6
"""Japanese has no longer stretch without kana than this; Chinese may be short too."""


@dataclass(frozen=True, slots=True)
class Token:
    """One word of a text.

    Attributes:
        text: the word, normalised and segmented, not stemmed.
        start: where it begins in the original text, in code points.
        end: where it ends, exclusive.
        terms: what the word is indexed by: none for a stop word, several for a compound.
    """

    text: str
    start: int
    end: int
    terms: tuple[str, ...]


class _Part(NamedTuple):
    """A word and where it is in its piece."""

    text: str
    start: int
    end: int
    terms: tuple[str, ...]


class _Cut(NamedTuple):
    """What a piece is cut into: its words with their places, and the words and terms alone."""

    parts: list[_Part]
    words: tuple[str, ...]
    terms: tuple[str, ...]


class Analyzer:
    """Turns text into words and terms.

    It is a function of its settings, of this code and of the versions of the libraries below it,
    all of which are in `version`; it keeps no state and can be shared by threads. Any string is
    taken, whatever is in it.

    Attributes:
        settings: what it was made from.
        parts: what else its results depend on: name → version.
        version: 16 hexadecimal digits over both. Two analyzers of one version give equal results.

    Raises:
        ConfigError: `cjk` is `segmenter` and that of a language is not installed.
    """

    def __init__(self, settings: AnalyzerSettings = _PLAIN) -> None:
        self.settings = settings
        cjk = tuple(code for code in settings.languages if code in segment.PACKAGES)
        used = segment.segmenters(settings.cjk, cjk or tuple(segment.PACKAGES))
        self._segmented = frozenset(used)
        self.parts = {
            "analyzer": f"{_CODE}.{normalise.VERSION}.{boundaries.VERSION}.{segment.VERSION}",
            "unicode": unicodedata.unidata_version,
            "regex": metadata.version("regex"),
        }
        if settings.stemming:
            self.parts["PyStemmer"] = metadata.version("PyStemmer")
        for packages in used.values():
            self.parts |= packages
        described = json.dumps([asdict(settings), self.parts], sort_keys=True)
        self.version = hashlib.sha256(described.encode()).hexdigest()[:16]
        # Most of a text is words that were met before.
        self._known_pieces = lru_cache(_REMEMBERED)(self._pieces_of)
        self._known = lru_cache(_REMEMBERED)(self._cut_piece)

    def normalise(self, text: str) -> str:
        """The text as it is compared: NFKC, case, width, digits and accents folded.

        A fixed point, and `tokens` of it says the same words as `tokens` of the text.
        """
        return normalise.normalise(text, diacritics=self.settings.diacritics)

    def tokens(self, text: str, language: str = "") -> list[Token]:
        """The words of a text, in order, with their places in the original, for highlights.

        Args:
            text: any text.
            language: ISO 639-1 code of the text's language; empty to tell it by the text.
        """
        normalised = self.normalise(text)
        begins = [start for start, _ in boundaries.spans(normalised)]
        found = [
            (begin + part.start, begin + part.end, part)
            for begin, cut in zip(begins, self._cut(text, language), strict=True)
            for part in cut.parts
        ]
        spans = places(text, normalised, self.normalise, [(s, e) for s, e, _ in found])
        return [
            Token(part.text, start, end, part.terms)
            for (start, end), (_, _, part) in zip(spans, found, strict=True)
        ]

    def words(self, text: str, language: str = "") -> list[str]:
        """The words of a text, normalised and segmented, not stemmed, stop words included."""
        return [word for cut in self._cut(text, language) for word in cut.words]

    def terms(self, text: str, language: str = "") -> list[str]:
        """What a text is indexed and searched by, in order.

        Words are stemmed and stop words left out, as the settings say; a text of nothing but
        stop words keeps them.
        """
        cuts = self._cut(text, language)
        return [term for cut in cuts for term in cut.terms] or [
            word for cut in cuts for word in cut.words
        ]

    def detect(self, text: str) -> str:
        """The language of most of a text, by its script and function words; empty for none."""
        pieces = self._pieces(text)
        chosen = _Languages(self.settings, pieces, "")
        counts: dict[str, int] = {}
        for piece in pieces:
            language = chosen[boundaries.describe(piece)[1]]
            counts[language] = counts.get(language, 0) + len(piece)
        counts.pop("", None)
        return max(counts, key=lambda code: counts[code]) if counts else ""

    def variants(self, word: str) -> list[str]:
        """The term of a normalised word in each language it may be of, the likeliest first.

        A query of a word or two does not tell its language. Only words in letters have variants.
        """
        kind, script, _ = boundaries.describe(word)
        if kind != "word":
            return []
        candidates = languages_of(script, self.settings.languages) or ("",)
        found = [self._terms_of_word(word, language) for language in candidates]
        return list(dict.fromkeys(terms[0] for terms in found if terms))

    def to_dict(self) -> dict[str, Any]:
        """The settings, the version and what it is made of, for a manifest."""
        return {
            "version": self.version,
            "settings": asdict(self.settings) | {"languages": list(self.settings.languages)},
            "parts": dict(self.parts),
        }

    @classmethod
    def from_dict(cls, described: Mapping[str, Any]) -> Analyzer:
        """The analyzer that `to_dict` described.

        Raises:
            ReleaseError: what is installed here makes another analyzer of these settings.
        """
        settings = dict(described["settings"])
        settings["languages"] = tuple(settings["languages"])
        analyzer = cls(AnalyzerSettings(**settings))
        analyzer.check_version(described)
        return analyzer

    def check_version(self, manifest_version: str | Mapping[str, Any]) -> None:
        """Refuse to work on what another analyzer made.

        Args:
            manifest_version: the version in a manifest, or all of what `to_dict` said, from
                which the message can tell what differs.

        Raises:
            ReleaseError: it is not this analyzer's version.
        """
        told: Mapping[str, Any] = (
            {"version": manifest_version} if isinstance(manifest_version, str) else manifest_version
        )
        if told["version"] == self.version:
            return
        theirs, ours = told.get("parts", {}), self.parts
        differ = [
            f"{name} {theirs.get(name, 'none')} there and {ours.get(name, 'none')} here"
            for name in sorted({*theirs, *ours})
            if theirs.get(name) != ours.get(name)
        ]
        because = f" ({'; '.join(differ)})" if theirs and differ else ""
        raise ReleaseError(
            f"the release was made by the text analyzer {told['version']}, and this is "
            f"{self.version}{because}.",
            remedy="Install the versions that it was made with "
            f"(this is Python {platform.python_version()}), or train again.",
            where="analyzer",
        )

    def _pieces(self, text: str) -> list[str]:
        """`boundaries.pieces` of the text normalised; most of its runs were met before."""
        known, fresh = self._known_pieces, self._pieces_of
        return [
            piece
            for run in text.split()
            for piece in (known(run) if len(run) <= _LONG else fresh(run))
        ]

    def _pieces_of(self, run: str) -> list[str]:
        return boundaries.pieces(self.normalise(run))

    def _cut(self, text: str, language: str) -> list[_Cut]:
        """What each of the text's pieces is cut into."""
        pieces = self._pieces(text)
        chosen = _Languages(self.settings, pieces, language)
        known, describe = self._known, boundaries.describe
        return [
            known(piece, chosen[describe(piece)[1]])
            if len(piece) <= _LONG
            else self._cut_piece(piece, chosen[describe(piece)[1]])
            for piece in pieces
        ]

    def _cut_piece(self, piece: str, language: str) -> _Cut:
        kind, _, said = boundaries.describe(piece)
        if kind == "dense" and len(said) > 1:
            parts = self._dense(said, language)
        elif kind == "hangul":
            parts = [_Part(said, 0, len(piece), self._korean(said, language))]
        elif kind == "run":
            terms = tuple(part.base for part in segment.bigrams(said))
            parts = [_Part(said, 0, len(piece), terms)]
        else:
            parts = [_Part(said, 0, len(piece), self._terms_of_word(said, language))]
        words = tuple(part.text for part in parts)
        return _Cut(parts, words, tuple(term for part in parts for term in part.terms))

    def _dense(self, run: str, language: str) -> list[_Part]:
        segmented = language in self._segmented
        cut = segment.segmenter(language) if segmented else segment.bigrams
        parts = []
        for part in cut(run):
            term = (self.settings.stemming and part.base) or part.text
            stop = self._stops(part.text, language) or (not part.base and self.settings.stop_words)
            parts.append(_Part(part.text, part.start, part.end, () if stop else (term,)))
        return parts

    def _korean(self, run: str, language: str) -> tuple[str, ...]:
        if language not in self._segmented:
            return tuple(part.base for part in segment.bigrams(run))
        parts = segment.segmenter("ko")(run)
        terms = (part.base if self.settings.stemming else part.text for part in parts)
        return tuple(filter(None, terms)) or (run,)

    def _terms_of_word(self, word: str, language: str) -> tuple[str, ...]:
        if self._stops(word, language):
            return ()
        if "'" in word:
            if language in _ELIDES:
                word = _ELISION.sub("", word, count=1) or word
            elif word.endswith("'s"):
                word = word[:-2]
            word = word.replace("'", "")
        if self.settings.stemming and language in STEMMERS:
            word = _stemmers.of(language).stemWord(word) or word
        return (word,)

    def _stops(self, word: str, language: str) -> bool:
        if not self.settings.stop_words:
            return False
        return word in function_words(language, self.settings.diacritics)


class _Stemmers(threading.local):
    """A stemmer per language and thread: one must not be shared, and making one is slow."""

    def __init__(self) -> None:
        self._made: dict[str, Stemmer.Stemmer] = {}

    def of(self, language: str) -> Stemmer.Stemmer:
        if language not in self._made:
            self._made[language] = Stemmer.Stemmer(STEMMERS[language], 0)
        return self._made[language]


_stemmers = _Stemmers()


class _Languages(dict[str, str]):
    """Script → the language of a text's words in it, found out when it is asked for."""

    def __init__(self, settings: AnalyzerSettings, pieces: list[str], said: str) -> None:
        super().__init__({"": ""})
        self._settings, self._pieces, self._said = settings, pieces, said

    def __missing__(self, script: str) -> str:
        self[script] = language = self._choose(script)
        return language

    def _choose(self, script: str) -> str:
        if self._said and written_in(self._said) == script:
            return self._said
        candidates = languages_of(script, self._settings.languages)
        if script == "Han":
            dense = [p for p in self._pieces if boundaries.describe(p)[1] == "Han"]
            if any(map(segment.has_kana, dense)):
                return "ja"
            if "zh" in candidates and sum(map(len, dense)) > _KANJI_ALONE:
                return "zh"
        if len(candidates) < 2:
            return candidates[0] if candidates else ""
        return vote(self._pieces, candidates, self._settings.diacritics)
