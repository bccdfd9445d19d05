from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from shortlist.index.lexical.completions import Completions, Phrase

TITLES = [
    Phrase("The Matrix", 50, 0),
    Phrase("Mat weaving", 5, 1),
    Phrase("Matilda", 20, 2),
    Phrase("마우스", 3, 3),
    Phrase("matrix movies", 8),
]


def everything(row: int) -> bool:
    return True


def complete(typed: str, k: int = 5) -> list[str]:
    return Completions.of(TITLES, str.casefold).search(typed.casefold(), k, everything)


def test_the_weightiest_texts_that_begin_so_come_first() -> None:
    assert complete("mati") == ["Matilda"]
    assert complete("mat") == ["Matilda", "The Matrix", "matrix movies", "Mat weaving"]
    assert complete("mat", 2) == ["Matilda", "The Matrix"]
    assert complete("마우") == ["마우스"]


def test_a_text_is_found_by_its_later_words() -> None:
    assert complete("weav") == ["Mat weaving"]


def test_one_letter_may_be_wrong_missing_doubled_or_swapped() -> None:
    for typed in ("matelda", "mtilda", "mattilda", "maitlda"):
        assert complete(typed) == ["Matilda"], typed
    assert complete("metal") == []
    assert complete("xatilda") == []  # not the first


def test_what_may_not_be_shown_is_not_offered() -> None:
    made = Completions.of(TITLES, str.casefold)
    assert made.search("mat", 5, lambda row: row != 2)[0] == "The Matrix"


def test_nothing_typed_and_nothing_known_complete_to_nothing() -> None:
    assert complete("") == complete("   ") == complete("zzz") == []
    assert Completions.of([], str.casefold).search("mat", 5, everything) == []


def test_saved_completions_are_the_same(tmp_path: Path) -> None:
    Completions.of(TITLES, str.casefold).save(tmp_path / "c")
    assert Completions.load(tmp_path / "c").search("mat", 2, everything) == [
        "Matilda",
        "The Matrix",
    ]


@given(st.lists(st.text(max_size=12), max_size=6), st.text(max_size=6))
def test_every_text_that_begins_so_is_found(texts: list[str], typed: str) -> None:
    made = Completions.of([Phrase(text, 1.0) for text in texts], str)
    found = made.search(typed, 100, everything)
    shown = {text.encode("utf-8", "replace").decode() for text in texts if text.strip()}
    assert set(found) <= shown
    begun = typed.lstrip()
    if begun:
        assert {t for t in shown if t.strip().startswith(begun)} <= set(found) | {
            t for t in shown if t.strip() in {f.strip() for f in found}
        }
