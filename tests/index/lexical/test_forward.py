from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.core.bitmap import pack, rows_of
from shortlist.core.errors import StoreError
from shortlist.index.lexical import Document, TantivyIndex, Wanted
from shortlist.index.lexical.forward import Forward
from shortlist.index.lexical.forward_writer import ForwardWriter

WEIGHTS = {"title": 2, "text": 1}
ITEMS = [
    {"title": ["red", "wireless", "mouse"], "text": ["a", "small", "red", "mouse"]},
    {"title": ["keyboard"], "text": ["goes", "with", "a", "wireless", "mouse"]},
    {"title": ["wireless", "mouse"], "text": []},
]


def forward(items: list[dict[str, list[str]]]) -> Forward:
    writer = ForwardWriter(WEIGHTS)
    for item in items:
        writer.add(item)
    return writer.finish()


def measured(made: Forward, *words: str) -> dict[str, list[float]]:
    rows = np.arange(len(made), dtype=np.int32)
    values = made.measure(dict.fromkeys(words, 1.0), words, rows)
    return dict(zip(made.names, values.round(4).tolist(), strict=True))


def test_a_saved_one_measures_alike(tmp_path: Path) -> None:
    made = forward(ITEMS)
    made.save(tmp_path / "forward")
    assert measured(Forward.load(tmp_path / "forward"), "red", "mouse") == measured(
        made, "red", "mouse"
    )


def test_exact_and_phrase_matches_are_told_by_field() -> None:
    found = measured(forward(ITEMS), "wireless", "mouse")
    assert found["exact"] == [0, 0, 1]
    assert found["phrase:title"] == [1, 0, 1]
    assert found["phrase:text"] == [0, 1, 0]


def test_a_phrase_counts_by_its_longest_stretch() -> None:
    found = measured(forward(ITEMS), "small", "red", "mouse", "mat")
    assert found["phrase:text"] == [0.75, 0, 0]  # "wireless mouse" holds one word of it: no phrase


def test_coverage_is_the_share_of_the_rarity_that_is_found() -> None:
    found = measured(forward(ITEMS), "red", "keyboard")
    assert found["coverage"] == [0.5, 0.5, 0]  # each word is in one item
    assert measured(forward(ITEMS), "wireless", "red")["coverage"][1] < 0.5  # red is the rarer
    assert max(measured(forward(ITEMS), "mouse", "unheard")["coverage"]) < 0.2


def test_unknown_words_alone_match_nothing() -> None:
    assert not any(any(values) for values in measured(forward(ITEMS), "unheard").values())
    assert not any(any(values) for values in measured(forward(ITEMS)).values())


words = st.sampled_from("abcdefg")


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {"title": st.lists(words, max_size=5), "text": st.lists(words, max_size=9)}
        ),
        min_size=1,
        max_size=8,
    ),
    st.dictionaries(words, st.floats(0.1, 3), min_size=1),
)
def test_the_whole_is_what_the_index_ranks_by(
    tmp_path_factory: pytest.TempPathFactory,
    items: list[dict[str, list[str]]],
    query: dict[str, float],
) -> None:
    documents = [Document(row, item) for row, item in enumerate(items)]
    index = TantivyIndex.build(tmp_path_factory.mktemp("index"), WEIGHTS, documents)
    found, scores = index.search(Wanted(query), 100)
    ours = forward(items).measure(query, list(query), found.astype(np.int32))[0]
    np.testing.assert_allclose(ours, scores, rtol=1e-4)


SOME = st.lists(st.sampled_from(["red", "mouse", "keyboard", "a"]), max_size=6)


@given(
    st.lists(st.builds(lambda a, b: {"title": a, "text": b}, SOME, SOME), min_size=1, max_size=12),
    st.dictionaries(st.sampled_from(["red", "mouse", "a", "unheard"]), st.sampled_from([0.5, 1.0])),
    st.lists(st.booleans(), min_size=12, max_size=12),
)
@settings(max_examples=50)
def test_the_best_of_some_rows_are_those_that_measure_best(
    items: list[dict[str, list[str]]], terms: dict[str, float], allowed: list[bool]
) -> None:
    made = forward(items)
    rows = np.arange(len(made), dtype=np.int32)
    scores = made.measure(terms, list(terms), rows)[0]
    may = np.array(allowed[: len(made)])
    wanted = [row for row in np.lexsort((rows, -scores)).tolist() if may[row] and scores[row] > 0]

    found, told = made.best(terms, 5, pack(may))

    assert found.tolist() == wanted[:5] or np.allclose(told, scores[wanted[:5]], rtol=1e-5)
    np.testing.assert_allclose(told, scores[found], rtol=1e-5)
    assert rows_of(made.holding(terms, pack(may)), len(made)).tolist() == sorted(wanted)


def test_words_of_another_format_are_refused_with_a_remedy(tmp_path: Path) -> None:
    forward(ITEMS).save(tmp_path)
    (tmp_path / "forward.json").write_text('{"fields": ["title", "text"]}')
    with pytest.raises(StoreError, match=r"format 1.*Train again"):
        Forward.load(tmp_path)
