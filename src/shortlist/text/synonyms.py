"""`Synonyms`: words that mean the same, or that mean something else too, from a file.

A line `sofa, couch, settee` makes each stand for all. A line `tv => television, television set`
makes who says the left side mean the right side too, and not the other way round; the left side
may be several, between commas. Sides may be of several words. `#` begins a comment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shortlist.core.errors import DataError
from shortlist.text.analyzer import Analyzer

_LONGEST_QUERY = 64
Terms = tuple[str, ...]


@dataclass(frozen=True)
class Synonym:
    """Something that a part of a query also means.

    Attributes:
        start: the first of the part's terms.
        end: the one after its last.
        terms: what it means too.
    """

    start: int
    end: int
    terms: Terms


class Synonyms:
    """Terms and what they mean too, found in a query the longest first."""

    def __init__(self, meanings: Mapping[Terms, Sequence[Terms]]) -> None:
        self._meanings = {said: tuple(meant) for said, meant in meanings.items()}
        self._longest = max(map(len, self._meanings), default=0)

    def __len__(self) -> int:
        return len(self._meanings)

    @classmethod
    def read(cls, files: Iterable[Path], analyzer: Analyzer) -> Synonyms:
        """The synonyms of some files.

        Raises:
            DataError: a file cannot be read, or a line is no synonyms; names file and line.
        """
        meanings: dict[Terms, dict[Terms, None]] = {}
        for file in files:
            for number, line in enumerate(_lines(file), 1):
                for said, meant in _pairs(line, analyzer, f"{file}:{number}"):
                    if said != meant:
                        meanings.setdefault(said, {})[meant] = None
        return cls({said: tuple(meant) for said, meant in meanings.items()})

    def find(self, terms: Sequence[str]) -> list[Synonym]:
        """What parts of a query mean too; of parts that overlap, the longest and then the first.

        Args:
            terms: `Analyzer.terms` of the query; those after the first 64 are not looked at.
        """
        n = min(len(terms), _LONGEST_QUERY)
        taken: set[int] = set()
        found = []
        for length in range(min(self._longest, n), 0, -1):
            for start in range(n - length + 1):
                part = range(start, start + length)
                meant = self._meanings.get(tuple(terms[start : start + length]), ())
                if meant and taken.isdisjoint(part):
                    taken.update(part)
                    found += [Synonym(start, start + length, other) for other in meant]
        return sorted(found, key=lambda synonym: synonym.start)

    def to_dict(self) -> dict[str, list[list[str]]]:
        """All of it, as JSON can hold it: terms between spaces → lists of terms."""
        return {
            " ".join(said): [list(terms) for terms in meant]
            for said, meant in self._meanings.items()
        }

    @classmethod
    def from_dict(cls, described: Mapping[str, Sequence[Sequence[str]]]) -> Synonyms:
        """What `to_dict` described."""
        return cls(
            {tuple(said.split(" ")): [tuple(t) for t in meant] for said, meant in described.items()}
        )


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise DataError(
            "the line is not UTF-8.", remedy="Save the file as UTF-8.", where=f"{file}:{line}"
        ) from None
    except OSError as error:
        raise DataError(
            f"the synonyms cannot be read: {error.strerror}.",
            remedy="Correct `synonyms` in [search].",
            where=str(file),
        ) from None


def _pairs(line: str, analyzer: Analyzer, where: str) -> list[tuple[Terms, Terms]]:
    text = line.partition("#")[0].strip()
    if not text:
        return []
    sides = text.split("=>")
    if len(sides) > 2:
        raise DataError(
            f"there are {len(sides) - 1} arrows in {text!r}.",
            remedy="Write one `=>` on a line, or none.",
            where=where,
        )
    sets = [_phrases(side, analyzer, where) for side in sides]
    if len(sets) == 2:
        return [(said, meant) for said in sets[0] for meant in sets[1]]
    if len(sets[0]) < 2:
        raise DataError(
            f"{text!r} is the only one of its line.",
            remedy="Write at least two between commas, or `a => b`.",
            where=where,
        )
    return [(said, meant) for said in sets[0] for meant in sets[0]]


def _phrases(side: str, analyzer: Analyzer, where: str) -> list[Terms]:
    phrases = []
    for phrase in side.split(","):
        terms = tuple(analyzer.terms(phrase))
        if not terms:
            raise DataError(
                f"{phrase.strip()!r} in {side.strip()!r} has no word.",
                remedy="Write words between commas, without a comma too many.",
                where=where,
            )
        phrases.append(terms)
    return phrases
