"""Text as it is compared: one form for what a reader takes to be the same letters.

Unicode's NFKC_Casefold (UAX #31, UAX #44), with control characters as spaces, decimal digits of
any script as 0 to 9, one apostrophe, and accents folded away unless they are kept. With them go the
differences between spellings of one word in Devanagari (Larkey, Connell and Abduljaleel, "Hindi
CLIR in Thirty Days", TALIP 2003): a nasal before a consonant of its own place, written as a letter
or as a dot, half-moon or dot, and the dot below.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import regex

VERSION = 2
"""Goes into `Analyzer.version`; to be raised when anything here gives another result."""

_SPACES = dict.fromkeys([*range(0x20), 0x7F], " ")
# What Unicode does not decompose and readers take for a variant of the plain letter.
_LETTERS = str.maketrans(
    {
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ħ": "h",
        "ŧ": "t",
        "ı": "i",
        "æ": "ae",
        "œ": "oe",
        "þ": "th",
        "ð": "d",
        "ŋ": "n",
        "ё": "е",
    }
)
_APOSTROPHES = str.maketrans(dict.fromkeys("’‘ʼ`´′", "'"))
_IGNORABLE = regex.compile(r"[\p{Default_Ignorable_Code_Point}\u0640]+")
_UNUSABLE = regex.compile(r"[\p{Cc}\p{Cs}\u200b\p{Zs}\p{Zl}\p{Zp}]")
_DIGIT = regex.compile(r"[\p{Nd}--0-9]", regex.V1)
# A vowel sign of an Indic script is a letter to its readers, a dakuten to Japanese ones; a short
# й is no и. Latin and Greek accents are folded wherever they are, the others where they are not
# part of a letter.
_ACCENTS = regex.compile(r"(?<=[\p{Latin}\p{Greek}]\p{M}*)\p{Mn}+")
_POINTS = regex.compile(r"(?<=[\p{Arabic}\p{Hebrew}\p{Cyrillic}\p{Latin}\p{Greek}]\p{M}*)\p{Mn}+")
_NUKTA = "\u093c"
_HALF_MOON = "\u0901"
_DOT = "\u0902"
# A nasal without a vowel before a stop of its own place: हिन्दी is हिंदी, सम्बन्ध संबंध.
_NASALS = regex.compile(
    "(?:\u0919\u094d(?=[\u0915-\u0918])|\u091e\u094d(?=[\u091a-\u091d])"
    "|\u0923\u094d(?=[\u091f-\u0922])|\u0928\u094d(?=[\u0924-\u0927])"
    "|\u092e\u094d(?=[\u092a-\u092d]))"
)
_TRIES = 8
_LONG = 64
"""Longer runs are not remembered."""


def normalise(text: str, *, diacritics: bool = False) -> str:
    """The text in the form that is compared.

    Any string is taken, also one with lone surrogates. What stands between two spaces does not
    depend on what is beyond them. The result is a fixed point: `normalise(normalise(x)) ==
    normalise(x)`.

    Args:
        text: any text.
        diacritics: whether accents stay.
    """
    if text.isascii():
        return _ascii(text)
    return " ".join(
        [
            _remembered(run, diacritics) if len(run) <= _LONG else _settled(run, diacritics)
            for run in text.split(" ")
        ]
    )


def _ascii(text: str) -> str:
    text = text.lower().replace("`", "'")
    return text if text.isprintable() else text.translate(_SPACES)


def _settled(text: str, diacritics: bool) -> str:
    if text.isascii():
        return _ascii(text)
    for _ in range(_TRIES):  # folding may uncover what NFKC composes; it settles in two or three
        folded = _once(text, diacritics)
        if folded == text:
            break
        text = folded
    return text


_remembered = lru_cache(1 << 15)(_settled)


def _once(text: str, diacritics: bool) -> str:
    text = unicodedata.normalize("NFKC", text.translate(_APOSTROPHES))
    text = unicodedata.normalize("NFKC", text.casefold())
    text = _IGNORABLE.sub("", _UNUSABLE.sub(" ", text))
    text = _DIGIT.sub(lambda digit: str(unicodedata.digit(digit[0], digit[0])), text)
    if diacritics:
        return text
    text = _ACCENTS.sub("", unicodedata.normalize("NFD", text))
    text = text.replace(_NUKTA, "").replace(_HALF_MOON, _DOT)
    text = _NASALS.sub(_DOT, text)
    text = _POINTS.sub("", unicodedata.normalize("NFC", text))
    return text.translate(_LETTERS)
