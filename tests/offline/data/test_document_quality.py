"""Which items are left out before anything sees them."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.config.load import parse_config
from shortlist.core.errors import ConfigError, DataError
from shortlist.core.progress import Silent
from shortlist.offline.data.collect import collect
from shortlist.offline.data.minhash import BINS, SHINGLE, near_duplicates, signatures
from shortlist.offline.data.prepare import prepare

STORY = "the quick brown fox jumps over the lazy dog near the old stone bridge by the river"
ITEMS = {
    "story": STORY,
    "again": STORY.replace("quick", "quiet"),
    "other": "a recipe for bread with seeds, baked slowly in a hot oven until it is golden",
    "tiny": "bread",
    "long": "bread and butter " * 40,
    "deutsch": "das ist ein Buch über die Geschichte der Stadt und das Leben der Leute dort",
    "korean": "이 책은 도시의 역사와 그곳에 사는 사람들의 삶에 대한 이야기입니다",
    "spam": "this is the best CASINO in the town and you should go there with all of us",
    "odd": "an ordinary text about the garden and what grows in it when it is summer",
}
CONFIG = """
[project]
name = "x"
[data.events]
path = "events.csv"
[data.items]
path = "items.csv"
text = ["title"]
attributes = ["price"]
[data.items.quality]
"""


class Notes(Silent):
    def __init__(self) -> None:
        self.kept: list[str] = []

    def note(self, text: str) -> None:
        self.kept.append(text)


def kept(folder: Path, quality: str) -> tuple[list[str], list[str]]:
    """The items that stay, and the notes."""
    rows = [f'{id},"{text}",{place}' for place, (id, text) in enumerate(ITEMS.items())]
    (folder / "items.csv").write_text("\n".join(["item_id,title,price", *rows]))
    (folder / "events.csv").write_text(
        "user_id,item_id,timestamp\n"
        + "".join(f"u,{id},2026-01-0{1 + n}\n" for n, id in enumerate(ITEMS))
    )
    config, notes = parse_config(CONFIG + quality), Notes()
    collect(config, folder, notes)
    prepared = prepare(config, folder, notes)
    shown = np.flatnonzero(prepared.catalogue.available)
    return prepared.catalogue.vocabulary.ids(shown.astype(np.int32)), notes.kept


@pytest.mark.parametrize(
    ("quality", "gone", "note"),
    [
        ("", [], ""),
        ("min_length = 10", ["tiny"], "1 items left out: their text is too short"),
        ("max_length = 200", ["long"], "1 items left out: their text is too long"),
        (
            'languages = ["en"]',
            ["deutsch", "korean"],
            "2 items left out: they are in another language",
        ),
        (
            "duplicates = 0.7",
            ["again"],
            "1 items left out: an item before them says nearly the same",
        ),
        ('blocked = ["casino"]', ["spam"], "1 items left out: they have a blocked word"),
        ('blocklists = ["bad.txt"]', ["korean", "spam"], "2 items left out: they have a blocked"),
        ('rule = "mine:keep"', ["odd"], "1 items left out: the custom rule refuses them"),
    ],
)
def test_what_is_not_wanted_is_left_out_and_counted(
    tmp_path: Path, quality: str, gone: list[str], note: str
) -> None:
    (tmp_path / "bad.txt").write_text("Casino\n도시\n\n")
    (tmp_path / "mine.py").write_text("def keep(item):\n    return item['price'] != 8\n")
    found, notes = kept(tmp_path, quality)
    assert found == sorted(set(ITEMS) - set(gone))
    assert any(note in line for line in notes)


def test_an_item_that_is_no_longer_fit_is_hidden_and_keeps_its_row(tmp_path: Path) -> None:
    before, _ = kept(tmp_path, "")
    after, _ = kept(tmp_path, "min_length = 10")
    assert set(before) - set(after) == {"tiny"}


@pytest.mark.parametrize(
    ("quality", "problem"),
    [
        ('blocklists = ["none.txt"]', "the list of blocked words cannot be read"),
        ('rule = "none:keep"', "the module 'none' cannot be imported"),
        ('rule = "mine:other"', "the module 'mine' has no function 'other'"),
        ('rule = "mine:fails"', "the rule fails on the item"),
        ("min_length = 9999", "no item is left: of 9 their text is too short"),
    ],
)
def test_a_filter_that_cannot_work_says_why(tmp_path: Path, quality: str, problem: str) -> None:
    (tmp_path / "mine.py").write_text("def fails(item):\n    return item['colour']\n")
    with pytest.raises(DataError, match=problem):
        kept(tmp_path, quality)


@pytest.mark.parametrize(
    ("quality", "problem"),
    [
        ("duplicates = 1.5", "data.items.quality.duplicates = 1.5 is out of range"),
        ("min_length = 5\nmax_length = 2", "max_length = 2 is less than"),
        ('rule = "nothing"', "names no function"),
        ('languages = ["english"]', "is not the code of a language"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(quality: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(CONFIG + quality)
    assert problem in str(caught.value)


def shingles(text: str) -> set[str]:
    return (
        {text[i : i + SHINGLE] for i in range(max(1, len(text) - SHINGLE + 1))} if text else set()
    )


@given(st.text("abcde가あ", min_size=30, max_size=300), st.integers(0, 200), st.text(max_size=100))
def test_signatures_estimate_how_many_pieces_two_texts_share(
    text: str, cut: int, more: str
) -> None:
    other = text[cut:] + more
    one, two = shingles(text), shingles(other)
    exact = len(one & two) / max(1, len(one | two))
    found = signatures([text, other])
    assert abs(float((found[0] == found[1]).mean()) - exact) < 6 * 0.5 / np.sqrt(BINS)


def test_of_alike_texts_the_first_stays() -> None:
    rng = np.random.default_rng(0)
    different = ["".join(map(chr, rng.integers(97, 123, 200))) for _ in range(200)]
    copies = [text[:190] + "0123456789" for text in different[:50]] * 3
    gone = near_duplicates(signatures(different + copies), 0.8)
    assert not gone[:200].any()
    assert gone[200:].all()


def test_no_texts_have_no_duplicates() -> None:
    assert not len(near_duplicates(signatures([]), 0.5))
