"""Spelling: what was meant, how sure that is, and what is left alone."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.core.errors import DataError
from shortlist.text.analyzer import Analyzer
from shortlist.text.lexicon import read_words
from shortlist.text.settings import AnalyzerSettings
from shortlist.text.spelling import Speller
from shortlist.text.strokes import strokes

ANALYZER = Analyzer(AnalyzerSettings(("en", "ko")))
TITLES = [
    "wireless mouse for laptop",
    "wireless keyboard with numbers",
    "gaming mouse pad large",
    "fried chicken wings",
    "grilled chicken sandwich",
    "leather notebook cover",
    "house plant in a pot",
    "mouse trap for the house",
    "무선 마우스 노트북",
    "무선 키보드 안녕하세요",
    "자전거 헬멧",
]
SPELLER = Speller.learn([ANALYZER.words(title) for title in TITLES * 4])


def corrected(query: str, speller: Speller = SPELLER) -> str:
    return " ".join(speller.correct(ANALYZER.words(query)).words)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("wirless mouse", "wireless mouse"),
        ("mosue", "mouse"),
        ("chickken", "chicken"),
        ("keybaord", "keyboard"),
        ("notebppk", "notebook"),
        ("wirelessmouse", "wireless mouse"),
        ("key board", "keyboard"),
        ("마우쓰", "마우스"),
        ("자즌거", "자전거"),
        ("무선마우스", "무선 마우스"),
        ("dkssudgktpdy", "안녕하세요"),
        ("ㅡㅐㅕㄴㄷ", "mouse"),
    ],
)
def test_slips_of_every_kind_are_corrected(typed: str, meant: str) -> None:
    assert corrected(typed) == meant


def test_it_says_what_it_changed_and_how_sure_it_is() -> None:
    correction = SPELLER.correct(["gaming", "mosue", "pad"])

    (change,) = correction.changes
    assert (change.start, change.end) == (1, 2)
    assert (change.typed, change.meant) == (("mosue",), ("mouse",))
    assert 0.9 < change.confidence <= 1
    assert correction.confidence == change.confidence


def test_what_the_catalogue_knows_well_is_left_alone() -> None:
    speller = Speller.learn([["house"]] * 10_000 + [["hours"]] * 10_000 + [["hous"]] * 3)

    assert corrected("hous", speller) == "hous"
    assert speller.correct(["hous"]).confidence == 1.0


def test_a_word_met_once_beside_a_common_one_is_taken_for_a_slip() -> None:
    speller = Speller.learn([["house", "plant"]] * 10_000 + [["huose", "plant"]])

    assert corrected("huose", speller) == "house"


def test_a_mistake_that_many_make_is_still_one() -> None:
    queries = [(("chikcen",), 200), (("chicken",), 2_000)]
    texts = [ANALYZER.words(title) for title in TITLES * 10]

    assert corrected("chikcen", Speller.learn(texts, queries)) == "chicken"


def test_the_words_around_decide_between_likely_ones() -> None:
    texts = [["house", "plant"]] * 50 + [["mouse", "pad"]] * 50
    speller = Speller.learn(texts)

    assert corrected("oouse plant", speller) == "house plant"
    assert corrected("oouse pad", speller) == "mouse pad"


def test_what_looks_like_a_word_to_come_or_like_a_code_is_left_alone() -> None:
    for query in ("b00x4whp5e", "s24", "kfc", "12", "tv", "清华大学", "👍", "c++"):
        assert corrected(query) == " ".join(ANALYZER.words(query))


def test_an_edit_to_a_neighbouring_key_is_likelier() -> None:
    speller = Speller.learn([["cat"]] * 10 + [["cut"]] * 10 + [["cot"]] * 10)

    assert corrected("ciat", speller) == "cat"
    assert speller.correct(["cyt"]).words == ("cut",)  # y is beside u, and far from a


def test_hangul_is_typed_letter_by_letter() -> None:
    assert strokes("한글") == "gksrmf"
    assert strokes("닭") == "ekfr"
    assert strokes("뷁") == "qnpfr"
    assert strokes("mouse") == "mouse"


def test_most_slips_in_a_catalogue_are_corrected_and_no_title_is() -> None:
    rng = random.Random(7)
    letters = "abcdefghijklmnopqrstuvwxyz"
    roots = ["".join(rng.choices(letters, k=rng.randint(5, 9))) for _ in range(400)]
    titles = [rng.sample(roots, 4) for _ in range(1_500)]
    speller = Speller.learn(titles)
    fixed = 0
    for title in titles[:200]:
        assert speller.correct(title).words == tuple(title)
        place = rng.randrange(len(title[0]))
        typed = title[0][:place] + rng.choice(letters) + title[0][place + 1 :]
        fixed += speller.correct([typed, *title[1:]]).words == tuple(title)

    assert fixed >= 180


def test_a_saved_speller_says_the_same(tmp_path: Path) -> None:
    SPELLER.save(tmp_path)

    opened = Speller.load(tmp_path)

    for query in ("wirless mosue", "무선마우스", "dkssudgktpdy", "nothing like it"):
        words = ANALYZER.words(query)
        assert opened.correct(words) == SPELLER.correct(words)


@given(st.lists(st.text(st.characters(codec=None), max_size=12), max_size=40))
def test_any_words_are_taken_and_every_change_is_accounted_for(words: list[str]) -> None:
    correction = SPELLER.correct(words)

    rebuilt, at = [], 0
    for change in correction.changes:
        rebuilt += [*words[at : change.start], *change.meant]
        assert change.typed == tuple(words[change.start : change.end])
        at = change.end
    assert tuple(rebuilt + words[at:]) == correction.words
    assert 0 < correction.confidence <= 1


def test_a_catalogue_without_words_corrects_nothing() -> None:
    assert corrected("mosue", Speller.learn([])) == "mosue"


def test_a_word_list_makes_words_right(tmp_path: Path) -> None:
    file = tmp_path / "words.txt"
    file.write_text("# names\nMoncler 5\nprosecco\n")

    words = read_words(file)
    speller = Speller.learn([ANALYZER.words(title) for title in TITLES], lists=words)

    assert words == {"moncler": 5.0, "prosecco": 1.0}
    assert speller.knows("moncler")
    assert corrected("proseco", speller) == "prosecco"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"good 1\ntwo words here\n", r"words\.txt:2: 'two words here' is no word"),
        (b"good\n\xff\n", r"words\.txt:\d: the line is not UTF-8"),
    ],
)
def test_a_broken_word_list_names_the_line(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "words.txt"
    file.write_bytes(content)

    with pytest.raises(DataError, match=said):
        read_words(file)


def test_a_missing_word_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.txt: the word list cannot be read"):
        read_words(tmp_path / "none.txt")
