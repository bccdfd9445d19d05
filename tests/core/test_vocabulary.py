"""A vocabulary binds ids of any kind to stable rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from xxhash import xxh64_intdigest

from shortlist.core.errors import DataError
from shortlist.core.keys import encode, item_key, item_keys
from shortlist.core.vocabulary import UNKNOWN, Vocabulary

ids = st.lists(st.text(max_size=80), unique=True, max_size=30)


@given(ids)
def test_keys_of_a_batch_are_xxh64_of_each_id(ids):
    expected = [xxh64_intdigest(encode(id)) for id in ids]
    assert item_keys(ids).tolist() == expected == [item_key(id) for id in ids]


@given(ids)
def test_every_id_finds_its_row_and_every_row_its_id(ids):
    vocabulary = Vocabulary.of(ids)
    assert vocabulary.rows(ids).tolist() == list(range(len(ids)))
    assert vocabulary.ids() == ids
    assert [vocabulary.id(row) for row in range(len(ids))] == ids


@given(ids, ids)
def test_known_ids_keep_their_rows_when_a_vocabulary_grows(old, new):
    grown = Vocabulary.of(old).extend(new)
    assert grown.rows(old).tolist() == list(range(len(old)))
    assert set(grown.ids()) == set(old) | set(new)


def test_ids_may_hold_emoji_quotes_newlines_and_nuls(tmp_path):
    odd = ["🍜", 'say "hi"', "two\nlines", "nul\0inside", "", " ", "한국어", "\ud800"]
    Vocabulary.of(odd).save(tmp_path)
    opened = Vocabulary.load(tmp_path)
    assert opened.ids() == odd
    assert opened.rows([*odd, "absent"]).tolist() == [*range(len(odd)), UNKNOWN]
    assert opened.ids(np.array([3, 0], np.int32)) == ["nul\0inside", "🍜"]


def test_ids_are_found_by_how_they_begin():
    vocabulary = Vocabulary.of(["tea", "team", "coffee", "te", "차", "차관", ""])
    assert vocabulary.ids(vocabulary.beginning("te", 9)) == ["tea", "team", "te"]
    assert vocabulary.ids(vocabulary.beginning("te", 2)) == ["tea", "team"]
    assert vocabulary.ids(vocabulary.beginning("차", 9)) == ["차", "차관"]
    assert len(vocabulary.beginning("", 9)) == 7
    assert not len(vocabulary.beginning("teams", 9))


def test_an_id_that_occurs_twice_is_named():
    with pytest.raises(DataError, match=r"'a' occurs twice.*one id of its own"):
        Vocabulary.of(["a", "b", "a"])
