"""`Languages`: what language the words of a text are in, script by script."""

from __future__ import annotations

from shortlist.text import boundaries, segment
from shortlist.text.languages import languages_of, vote, written_in
from shortlist.text.settings import AnalyzerSettings

_KANJI_ALONE = 6
"""Japanese has no longer stretch without kana than this; Chinese may be short too."""


def _by_characters(said: str) -> str:
    """Whose a text of Chinese characters alone is; empty where they are everybody's.

    The standards hold what each language writes with: a character that JIS X 0208 lacks is Chinese
    (们, 你), and characters that are neither all in GB 2312 nor all in Big5 are Japanese (駅, 公園
    after 国), and so is 々.
    """
    if not _within(said, "shift_jis"):
        return "zh"
    if "々" in said or not (_within(said, "gb2312") or _within(said, "big5")):
        return "ja"
    return ""


def _within(text: str, encoding: str) -> bool:
    """Whether an encoding has all characters of a text."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


class Languages(dict[str, str]):
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
            if len(candidates) > 1:
                said = "".join(dense)
                return _by_characters(said) or ("zh" if len(said) > _KANJI_ALONE else candidates[0])
        if len(candidates) < 2:
            return candidates[0] if candidates else ""
        return vote(self._pieces, candidates, self._settings.diacritics)
