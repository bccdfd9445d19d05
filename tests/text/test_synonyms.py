"""Synonyms: both ways, one way, of several words, and what a broken file is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shortlist.core.errors import DataError
from shortlist.text.analyzer import Analyzer
from shortlist.text.synonyms import Synonyms

ANALYZER = Analyzer()


def read(folder: Path, text: str) -> Synonyms:
    file = folder / "synonyms.txt"
    file.write_text(text, encoding="utf-8")
    return Synonyms.read([file], ANALYZER)


def also(synonyms: Synonyms, query: str) -> set[str]:
    return {" ".join(found.terms) for found in synonyms.find(ANALYZER.terms(query))}


def test_words_between_commas_stand_for_each_other(tmp_path: Path) -> None:
    synonyms = read(tmp_path, "# furniture\n\nSofa, couches , settee\n")

    assert also(synonyms, "couch") == {"sofa", "sette"}
    assert also(synonyms, "red SOFA") == {"couch", "sette"}
    assert also(synonyms, "chair") == set()


def test_an_arrow_goes_one_way(tmp_path: Path) -> None:
    synonyms = read(tmp_path, "tv, telly => television\npop => soda, soft drink  # drinks\n")

    assert also(synonyms, "telly") == {"televis"}
    assert also(synonyms, "television") == set()
    assert also(synonyms, "pop") == {"soda", "soft drink"}


def test_the_longest_of_several_words_is_found(tmp_path: Path) -> None:
    synonyms = read(tmp_path, "new york, nyc\nyork => ebor\nnew york city => big apple\n")

    assert also(synonyms, "hotels in New York City") == {"big appl"}
    (found,) = synonyms.find(ANALYZER.terms("cheap new york hotels"))
    assert (found.start, found.end, found.terms) == (1, 3, ("nyc",))


def test_lines_of_several_files_add_up(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("sofa => couch\n")
    (tmp_path / "b").write_text("sofa => settee\nsofa => couch\n")

    synonyms = Synonyms.read([tmp_path / "a", tmp_path / "b"], ANALYZER)

    assert also(synonyms, "sofa") == {"couch", "sette"}


def test_they_survive_being_written_as_json(tmp_path: Path) -> None:
    synonyms = read(tmp_path, "new york, nyc\ntv => television\n")

    opened = Synonyms.from_dict(json.loads(json.dumps(synonyms.to_dict())))

    for query in ("nyc tv", "new york", "none"):
        assert opened.find(ANALYZER.terms(query)) == synonyms.find(ANALYZER.terms(query))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sofa, couch\nalone\n", r"synonyms\.txt:2: 'alone' is the only one"),
        ("a => b => c\n", r"synonyms\.txt:1: there are 2 arrows"),
        ("sofa,,couch\n", r"synonyms\.txt:1: '' in 'sofa,,couch' has no word"),
        ("\n\nsofa =>\n", r"synonyms\.txt:3: '' in '' has no word"),
        ("!!, couch\n", r"'!!' in .* has no word"),
    ],
)
def test_a_line_that_is_none_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read(tmp_path, text)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.txt: the synonyms cannot be read"):
        Synonyms.read([tmp_path / "none.txt"], ANALYZER)
    (tmp_path / "latin.txt").write_bytes(b"sofa, couch\ncaf\xe9, bar\n")
    with pytest.raises(DataError, match=r"latin\.txt:2: the line is not UTF-8"):
        Synonyms.read([tmp_path / "latin.txt"], ANALYZER)
