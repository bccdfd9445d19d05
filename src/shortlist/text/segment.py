"""Words of Chinese, Japanese and Korean: by a segmenter where one is installed, else bigrams.

The segmenters are the extra `cjk`: jieba's algorithm (rjieba), Sudachi with its core dictionary,
MeCab with the Korean dictionary. All see one run of the script at a time, so a word is cut the
same in a query and in a document.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from importlib import metadata
from typing import NamedTuple

import regex

from shortlist.core.errors import ConfigError
from shortlist.text.settings import CjkMode

VERSION = 1
"""Goes into `Analyzer.version`; to be raised when anything here gives another result."""

PACKAGES: dict[str, tuple[str, ...]] = {
    "zh": ("rjieba",),
    "ja": ("sudachipy", "sudachidict_core"),
    "ko": ("python-mecab-ko", "python-mecab-ko-dic"),
}
"""Language → the packages that its segmenter is made of."""

_LONGEST = 4_000
"""Characters that a segmenter is given at once; Sudachi takes at most 49,149 bytes."""
_CLUSTER = regex.compile(r"\X")
_PLAIN = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}ー가-힣]*")
"""Runs in which every code point is a cluster."""
_KANA = regex.compile(r"[\p{Hiragana}\p{Katakana}]")


class Part(NamedTuple):
    """A word within a run.

    Attributes:
        text: the word.
        start: where it begins in the run.
        end: where it ends, exclusive.
        base: its dictionary form; empty for a particle or an ending.
    """

    text: str
    start: int
    end: int
    base: str


Cut = Callable[[str], list[Part]]


def installed(language: str) -> dict[str, str]:
    """The versions of the packages of a language's segmenter; empty where one is missing."""
    found = {}
    for package in PACKAGES[language]:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            return {}
    return found


def segmenters(mode: CjkMode, wanted: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """Language → package versions of the segmenters that a mode uses.

    Args:
        mode: as in `AnalyzerSettings.cjk`.
        wanted: the languages that must have one under `segmenter`.

    Raises:
        ConfigError: the mode is `segmenter` and one is not installed.
    """
    if mode == "bigrams":
        return {}
    found = {language: installed(language) for language in PACKAGES}
    for language in wanted if mode == "segmenter" else ():
        if not found[language]:
            raise ConfigError(
                f'text.cjk = "segmenter", but the segmenter of {language!r} is not installed '
                f"({', '.join(PACKAGES[language])}).",
                remedy='Install it with `pip install "shortlist[cjk]"`, or set text.cjk to '
                '"auto" or "bigrams".',
            )
    return {language: packages for language, packages in found.items() if packages}


def pairs(run: str) -> list[tuple[int, str]]:
    """Overlapping pairs of characters as readers see them, each after where it begins.

    A single character is by itself.
    """
    if len(run) < 2:
        return [(0, run)] if run else []
    if _PLAIN.fullmatch(run):
        return [(start, run[start : start + 2]) for start in range(len(run) - 1)]
    ends = [match.end() for match in _CLUSTER.finditer(run)]
    if len(ends) < 2:
        return [(0, run)]
    starts = [0, *ends[:-1]]
    return [(start, run[start:end]) for start, end in zip(starts, ends[1:], strict=False)]


def bigrams(run: str) -> list[Part]:
    """`pairs` as words."""
    return [Part(pair, start, start + len(pair), pair) for start, pair in pairs(run)]


def with_pairs(run: str, words: Sequence[Part], terms: Sequence[str]) -> list[tuple[str, ...]]:
    """What each word of a run is found by: its term, and the pairs that begin in it.

    Segmenters cut a query otherwise than the sentence it is from, and then only pairs meet. They
    stand behind their word, so that the terms of a name are a stretch of those of a text.

    Args:
        run: the characters.
        words: what it is cut into, in order.
        terms: of each word; empty for none. A pair that is one already does not come again.
    """
    beside = {(word.start, term) for word, term in zip(words, terms, strict=True)}
    found, some, at = [], pairs(run), 0
    ends = [*(word.start for word in words[1:]), len(run)]
    for term, end in zip(terms, ends[: len(words)], strict=True):
        begin = at
        while at < len(some) and some[at][0] < end:
            at += 1
        more = tuple(pair[1] for pair in some[begin:at] if pair not in beside)
        found.append((term, *more) if term else more)
    return found


def has_kana(text: str) -> bool:
    """Whether a text has Japanese letters, so that its Chinese characters are Japanese too."""
    return _KANA.search(text) is not None


@lru_cache(maxsize=3)
def segmenter(language: str) -> Cut:
    """The segmenter of a language that `installed` knows; loaded at its first use."""
    cut = {"zh": _chinese, "ja": _japanese, "ko": _korean}[language]()
    lock = threading.Lock()  # none of the three may be called by two threads at once

    def guarded(run: str) -> list[Part]:
        with lock:
            return [part for piece in _bounded(run) for part in _moved(cut(piece[1]), piece[0])]

    return guarded


def _bounded(run: str) -> Iterator[tuple[int, str]]:
    for start in range(0, len(run), _LONGEST):
        yield start, run[start : start + _LONGEST]


def _moved(parts: list[Part], by: int) -> list[Part]:
    return [Part(part.text, part.start + by, part.end + by, part.base) for part in parts]


def _start(part: Part) -> tuple[int, int]:
    return part.start, part.end


def _chinese() -> Cut:
    import rjieba

    def cut(run: str) -> list[Part]:
        found = rjieba.tokenize(run, "search")
        return sorted((Part(word, start, end, word) for word, start, end in found), key=_start)

    return cut


def _japanese() -> Cut:
    from sudachipy import Dictionary, SplitMode

    tokenizer = Dictionary(dict="core").tokenizer(mode=SplitMode.A)
    endings = {"助詞", "助動詞", "補助記号", "空白"}

    def cut(run: str) -> list[Part]:
        return [
            Part(
                word.surface(),
                word.begin(),
                word.end(),
                "" if word.part_of_speech()[0] in endings else word.dictionary_form(),
            )
            for word in tokenizer.tokenize(run)
        ]

    return cut


def _korean() -> Cut:
    from mecab import MeCab

    tagger = MeCab()

    def base(surface: str, tags: str, expression: str | None) -> str:
        """The content morphemes of a word: an ending is none, an inflected verb is its stem."""
        if expression and "+" in tags:
            surface, tags, _ = (*expression.split("+", 1)[0].split("/"), "")[:3]
        return surface if tags.startswith(("N", "V", "M", "XR", "XPN", "IC", "SL", "SN")) else ""

    def cut(run: str) -> list[Part]:
        return [
            Part(
                word.surface,
                word.span.start,
                word.span.end,
                base(word.surface, word.feature.pos, word.feature.expression),
            )
            for word in tagger.parse(run)
        ]

    return cut
