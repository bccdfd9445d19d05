"""What an analyzer is made from: `[text]` of `shortlist.toml` as a value of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CjkMode = Literal["auto", "bigrams", "segmenter"]


@dataclass(frozen=True)
class AnalyzerSettings:
    """Settings of an `Analyzer`.

    Attributes:
        languages: ISO 639-1 codes of the languages that texts are in, the commonest first. The
            first that is written in a word's script stems it, unless the caller names another.
        stemming: whether terms are stemmed.
        stop_words: whether stop words are left out of terms.
        diacritics: whether accents are kept; folded away otherwise.
        cjk: how Chinese, Japanese and Korean are cut: by a `segmenter`, with pairs of
            characters as further terms, in such overlapping pairs alone (`bigrams`),
            or `auto` (a segmenter where one is installed).
    """

    languages: tuple[str, ...] = ("en",)
    stemming: bool = True
    stop_words: bool = False
    diacritics: bool = False
    cjk: CjkMode = "auto"
