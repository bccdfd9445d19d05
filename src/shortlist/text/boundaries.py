"""Where words begin and end, in any script: Unicode's word boundaries, tailored for search.

UAX #29 (Unicode Text Segmentation, section 4) with these differences, which it invites
(section 4.2): a colon or an underscore separates words; a full stop does too, but in numbers and
in acronyms (`u.s.a.`), which lose theirs; `c++` and `c#` are words; a change between Hangul and
another script is a boundary; a run of Chinese characters and kana, or of a script of South East
Asia that has no spaces, is one piece, which `segment` cuts further; an emoji is a word.
"""

from __future__ import annotations

import re

import regex

from shortlist.text.languages import script_of
from shortlist.text.memo import Memo

VERSION = 1
"""Goes into `Analyzer.version`; to be raised when anything here gives another result."""

_WORD = r"""
    (?P<acronym> {L} (?: \.{L} )+ (?!{W}) )
  | (?P<sharp> {L} (?: \+\+ | \# ) (?!{W}) )
  | (?P<number> [0-9]+ (?: [.,][0-9]+ )+ {W}* )
  | (?P<word> {W}+ (?: '{L}{W}* )* )
"""
_HANGUL = r"\p{Hangul}"
_DENSE = r"\p{Han}\p{Hiragana}\p{Katakana}ー々"
_SOUTH_EAST = r"\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_MARK = r"[\p{WB=Extend}\p{WB=ZWJ}\p{M}]"
_NOT = _HANGUL + _DENSE + _SOUTH_EAST
_LETTER = rf"[[\p{{WB=ALetter}}\p{{WB=Hebrew_Letter}}]--[{_NOT}]]{_MARK}*"
_PIECE = rf"[[\p{{WB=ALetter}}\p{{WB=Hebrew_Letter}}\p{{Nd}}]--[{_NOT}]]{_MARK}*"
_SCRIPTS = rf"""
    (?P<dense> [[{_DENSE}]&&[\p{{L}}\p{{N}}]] (?: [[{_DENSE}]&&[\p{{L}}\p{{N}}]] | {_MARK} )* )
  | (?P<hangul> (?: [{_HANGUL}]{_MARK}* )+ )
  | (?P<run> [[{_SOUTH_EAST}]&&[\p{{L}}]] (?: [[{_SOUTH_EAST}]&&[\p{{L}}]] | {_MARK} )* )
  | (?P<emoji> (?: \p{{RI}}\p{{RI}} | [\p{{ExtPict}}--[©®]] ) ) \p{{EMod}}*
  | (?P<other> [\p{{L}}\p{{N}}]{_MARK}* )
"""
_ASCII_TEXT = _WORD.format(L="[a-z]", W="[a-z0-9]")
_ANY_TEXT = _WORD.format(L=_LETTER, W=f"(?:{_PIECE})") + "|" + _SCRIPTS
_NAME = re.compile(r"\?P<\w+>")
_ASCII = re.compile(_NAME.sub("?:", _ASCII_TEXT), re.VERBOSE)
_ANY = regex.compile(_NAME.sub("?:", _ANY_TEXT), regex.VERBOSE | regex.V1)
_KINDS = regex.compile(_ANY_TEXT, regex.VERBOSE | regex.V1)
_THOUSANDS = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?![0-9,.])")
_SCRIPT_OF_KIND = {"dense": "Han", "hangul": "Hangul", "run": "", "emoji": "", "other": ""}


def pieces(text: str) -> list[str]:
    """The pieces of a normalised text that are not spaces or punctuation, in order."""
    found: list[str] = (_ASCII if text.isascii() else _ANY).findall(text)
    return found


def spans(text: str) -> list[tuple[int, int]]:
    """Where each of `pieces` begins and ends, exclusive."""
    return [match.span() for match in (_ASCII if text.isascii() else _ANY).finditer(text)]


def describe(piece: str) -> tuple[str, str, str]:
    """What a piece is.

    Returns:
        Its kind: `word`, `dense` (Chinese characters and kana), `hangul`, `run` (of a script
        without spaces), `emoji` or `other`; its script, as in `languages`, empty where its
        language does not matter; and what it says: an acronym without its full stops, a number
        without thousands separators and with a decimal point, an emoji without its skin.
    """
    return _described[piece]


def _describe(piece: str) -> tuple[str, str, str]:
    if piece.isascii() and piece.isalpha():  # most are
        return "word", "Latin", piece
    match = _KINDS.fullmatch(piece)
    if match is None:  # no piece of a text, so nothing is known of it
        return "other", "", piece
    kind = match.lastgroup
    said: str = match[kind]
    if kind == "acronym":
        kind, said = "word", said.replace(".", "")
    elif kind == "number":
        thousands = _THOUSANDS.match(said)
        kind, said = "word", said.replace(",", "" if thousands else ".")
    elif kind == "sharp":
        kind = "word"
    script = _SCRIPT_OF_KIND.get(kind)
    return kind, script_of(said) if script is None else script, said


_described = Memo(_describe)
