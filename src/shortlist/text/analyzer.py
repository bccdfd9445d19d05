"""`Analyzer`: text to terms, the same when training, indexing and serving."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib import metadata
from itertools import accumulate, chain
from typing import Any, NamedTuple

from shortlist.core.errors import ReleaseError
from shortlist.text import boundaries, normalise, segment
from shortlist.text.languages import (
    STEMMERS,
    function_words,
    languages_of,
    vote,
    written_in,
)
from shortlist.text.memo import LONGEST, Memo
from shortlist.text.places import places
from shortlist.text.settings import AnalyzerSettings
from shortlist.text.stemmers import stemmers
from shortlist.text.telling import Languages

_CODE = 2
"""To be raised when anything in this file or in `languages` gives another result."""

_ELISION = re.compile(r"^(?:[cdjlmnst]|qu|jusqu|lorsqu|puisqu|quoiqu|un|de[il]l|ne[il]l|al|sul)l?'")
_DECADE = re.compile(r"[0-9]*0's")
_ELIDES = ("fr", "it", "ca")
_PLAIN = AnalyzerSettings()
_REMEMBERED = 1 << 16
_RUN = re.compile(r"\S+")
_SEVERAL = "several"
"""Stands for a script where a run has several, or Chinese characters, whose language is told by all
of a text."""


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
        # Most of a text is words that were met before, with what stands beside them.
        self._known_pieces = Memo(self._pieces_of)
        self._known = lru_cache(_REMEMBERED)(self._cut_piece)
        self._scripts = Memo(self._script_of_run)
        self._words = Memo(self._words_of_run)
        self._terms = {"": Memo(self._terms_of_run(""))}
        self._candidates: dict[str, tuple[str, ...]] = {}

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
        known = list(map(self._words.__getitem__, text.split()))
        if None not in known:
            return list(chain.from_iterable(filter(None, known)))
        return [word for cut in self._cut(text, language) for word in cut.words]

    def terms(self, text: str, language: str = "") -> list[str]:
        """What a text is indexed and searched by, in order.

        Words are stemmed and stop words left out, as the settings say; a text of nothing but
        stop words keeps them.
        """
        runs = text.split()
        told = self._language_of_all(text, runs, language)
        if told is not None:
            known = self._terms_in(told)
            if found := list(chain.from_iterable(map(known.__getitem__, runs))):
                return found
        cuts = self._cut(text, language)
        return [term for cut in cuts for term in cut.terms] or [
            word for cut in cuts for word in cut.words
        ]

    def matches(
        self, text: str, terms: Collection[str], language: str = ""
    ) -> list[tuple[int, int]]:
        """Where the words are that are indexed by some terms: their places in `tokens`, in order.

        Args:
            text: any text.
            terms: what the words should be indexed by.
            language: as in `tokens`.
        """
        wanted, runs = frozenset(terms), text.split()
        told = self._language_of_all(text, runs, language)
        if told is None:
            tokens = self.tokens(text, language)
            return [(t.start, t.end) for t in tokens if not wanted.isdisjoint(t.terms)]
        held = map(self._terms_in(told).__getitem__, runs)
        hits = [place for place, none in enumerate(map(wanted.isdisjoint, held)) if not none]
        if not hits:
            return []
        begins = [0, *accumulate(len(run) + 1 for run in runs)]  # where one space is between
        if " ".join(runs) != text:
            begins = [run.start() for run in _RUN.finditer(text)]
        found = []
        for place in hits:
            at, run = begins[place], runs[place]
            if run.isascii() and run.isalpha():
                found.append((at, at + len(run)))
                continue
            for token in self.tokens(run, told):
                if not wanted.isdisjoint(token.terms):
                    found.append((at + token.start, at + token.end))
        return found

    def detect(self, text: str) -> str:
        """The language of most of a text, by its script and function words; empty for none."""
        pieces = self._pieces(text)
        chosen = Languages(self.settings, pieces, "")
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
        return list(chain.from_iterable(map(self._known_pieces.__getitem__, text.split())))

    def _pieces_of(self, run: str) -> list[str]:
        if run.isascii() and run.isalpha():
            return [run.lower()]
        return boundaries.pieces(self.normalise(run))

    def _cut(self, text: str, language: str) -> list[_Cut]:
        """What each of the text's pieces is cut into."""
        pieces = self._pieces(text)
        chosen = Languages(self.settings, pieces, language)
        known, describe = self._known, boundaries.describe
        return [
            known(piece, chosen[describe(piece)[1]])
            if len(piece) <= LONGEST
            else self._cut_piece(piece, chosen[describe(piece)[1]])
            for piece in pieces
        ]

    def _language_of_all(self, text: str, runs: list[str], said: str) -> str | None:
        """The language that all words of a text are of; None where they may be of several.

        Where it is told, the terms of a text are those of its runs between spaces.
        """
        if text.isascii():
            script = "Latin"
        else:
            scripts = set(map(self._scripts.__getitem__, runs)) - {""}
            if len(scripts) > 1 or _SEVERAL in scripts:
                return None
            script = scripts.pop() if scripts else ""
        if not script or (said and written_in(said) == script):
            return said if script else ""
        candidates = self._candidates.get(script)
        if candidates is None:
            candidates = languages_of(script, self.settings.languages)
            self._candidates[script] = candidates
        if len(candidates) < 2:
            return candidates[0] if candidates else ""
        return vote(self._pieces(text), candidates, self.settings.diacritics)

    def _script_of_run(self, run: str) -> str:
        """The script that the words of a run are in; empty where their language is no matter."""
        scripts = {boundaries.describe(piece)[1] for piece in self._known_pieces[run]} - {""}
        if len(scripts) > 1 or "Han" in scripts:
            return _SEVERAL
        return scripts.pop() if scripts else ""

    def _words_of_run(self, run: str) -> tuple[str, ...] | None:
        """The words of a run; None where they hang on the language of the text."""
        described = [boundaries.describe(piece) for piece in self._known_pieces[run]]
        if any(kind == "dense" for kind, _, _ in described):
            return None
        return tuple(said for _, _, said in described)

    def _terms_in(self, language: str) -> Memo[tuple[str, ...]]:
        """The terms of runs whose words are of one language."""
        known = self._terms.get(language)
        if known is None:
            known = self._terms[language] = Memo(self._terms_of_run(language))
        return known

    def _terms_of_run(self, language: str) -> Callable[[str], tuple[str, ...]]:
        def terms(run: str) -> tuple[str, ...]:
            if run.isascii() and run.isalpha():
                return self._terms_of_word(run.lower(), language)
            cuts = [
                self._cut_piece(piece, language if boundaries.describe(piece)[1] else "")
                for piece in self._known_pieces[run]
            ]
            return tuple(term for cut in cuts for term in cut.terms)

        return terms

    def _cut_piece(self, piece: str, language: str) -> _Cut:
        kind, _, said = boundaries.describe(piece)
        if kind == "dense" and len(said) > 1:
            parts = self._dense(said, language)
        elif kind == "hangul":
            terms = tuple(chain.from_iterable(part.terms for part in self._dense(said, language)))
            parts = [_Part(said, 0, len(piece), terms or (said,))]
        elif kind == "run":
            parts = [_Part(said, 0, len(piece), tuple(pair for _, pair in segment.pairs(said)))]
        else:
            parts = [_Part(said, 0, len(piece), self._terms_of_word(said, language))]
        words = tuple(part.text for part in parts)
        return _Cut(parts, words, tuple(term for part in parts for term in part.terms))

    def _dense(self, run: str, language: str) -> list[_Part]:
        """The words of a run without spaces, or that may be cut further: segments, or pairs."""
        segmented = language in self._segmented
        words = segment.segmenter(language)(run) if segmented else segment.bigrams(run)
        terms = [word.base if self.settings.stemming else word.text for word in words]
        if language != "ko":  # whose particles are no terms
            terms = [term or word.text for term, word in zip(terms, words, strict=True)]
        held = segment.with_pairs(run, words, terms) if segmented else [(term,) for term in terms]
        none = [self.settings.stop_words and not word.base for word in words]
        return [
            _Part(w.text, w.start, w.end, () if stop or self._stops(w.text, language) else own)
            for w, own, stop in zip(words, held, none, strict=True)
        ]

    def _terms_of_word(self, word: str, language: str) -> tuple[str, ...]:
        if self._stops(word, language):
            return ()
        if "'" in word:
            if language in _ELIDES:
                word = _ELISION.sub("", word, count=1) or word
            elif word.endswith("'s") and not _DECADE.fullmatch(word):
                word = word[:-2]
            word = word.replace("'", "")
        if self.settings.stemming and language in STEMMERS:
            stem = stemmers.of(language).stemWord(word)
            word = stem if len(stem) > 1 else word  # one letter (क of का, के, को) is no stem
        return (word,)

    def _stops(self, word: str, language: str) -> bool:
        if not self.settings.stop_words:
            return False
        return word in function_words(language, self.settings.diacritics)
