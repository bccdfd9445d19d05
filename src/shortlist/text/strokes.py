"""Words as the keys that type them.

A Hangul syllable is typed letter by letter (jamo), and each jamo has a key of the Latin keyboard
on the standard Korean layout (KS X 5002, dubeolsik). Written as those keys, `한글` is `gksrmf`: a
slip within a syllable is a slip of one key, and a word typed while the other layout was on is the
same word.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

# The jamo of a syllable in the order of Unicode (section 3.12), as keys; capitals need Shift.
_INITIALS: tuple[str, ...] = tuple("rRseEfaqQtTdwWczxvg")
_VOWELS: tuple[str, ...] = (
    *"koiOjpuPh",
    "hk",
    "ho",
    "hl",
    *"yn",
    "nj",
    "np",
    "nl",
    *"bm",
    "ml",
    "l",
)
_FINALS: tuple[str, ...] = (
    *("", "r", "R", "rt", "s", "sw", "sg", "e", "f", "fr", "fa", "fq", "ft", "fx"),
    *("fv", "fg", "a", "q", "qt", "t", "T", "d", "w", "c", "z", "x", "v", "g"),
)
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_CYRILLIC = ("йцукенгшщзхъ", "фывапролджэ", "ячсмитьбю")
_STAGGER = (0.0, 0.25, 0.75)
_FIRST, _LAST = 0xAC00, 0xD7A3
_JAMO = {
    chr(first + place): keys
    for first, letters in ((0x1100, _INITIALS), (0x1161, _VOWELS), (0x11A7, _FINALS))
    for place, keys in enumerate(letters)
}
"""Letters that stand alone, as they do where a Latin word was typed on the Korean layout."""

TABLE = 0x500
"""Code points from here on have no place on a keyboard that is known."""


def strokes(word: str) -> str:
    """The keys that type a normalised word; letters of other scripts stand for themselves."""
    if word.isascii():
        return word
    return "".join(_of_letter(letter) for letter in word)


@lru_cache(1 << 12)
def _of_letter(letter: str) -> str:
    code = ord(letter)
    if letter in _JAMO:
        return _JAMO[letter]
    if not _FIRST <= code <= _LAST:
        return letter
    initial, rest = divmod(code - _FIRST, 588)
    vowel, final = divmod(rest, 28)
    return _INITIALS[initial] + _VOWELS[vowel] + _FINALS[final]


def codes(keys: str) -> NDArray[np.int32]:
    """Keys as code points, `int32[n]`."""
    return np.frombuffer(keys.encode("utf-32-le", "surrogatepass"), np.int32)


def is_hangul(word: str) -> bool:
    """Whether a word begins with Hangul."""
    return bool(word) and (_FIRST <= ord(word[0]) <= _LAST or word[0] in _JAMO)


def keyboard() -> NDArray[np.float32]:
    """Where keys are, `float32[TABLE, 2]`: columns and rows; NaN for no place."""
    places = np.full((TABLE, 2), np.nan, np.float32)
    for rows in (_ROWS, _CYRILLIC):
        for row, letters in enumerate(rows):
            for column, letter in enumerate(letters):
                for variant in (letter, letter.upper()):
                    places[ord(variant)] = column + _STAGGER[row], row
    return places
