"""`item_graph` with side information: what is shared, what it counts, and items nobody took."""

from dataclasses import replace

import numpy as np
import pytest

from shortlist.config.schema import ItemGraphRetriever
from shortlist.core.catalogue import Column
from shortlist.core.errors import ConfigError
from shortlist.core.times import DAY, MINUTE
from shortlist.offline.data.training import TrainingData
from shortlist.offline.retrieval import fit_retriever
from shortlist.offline.retrieval.side_information import SideInformation
from shortlist.release.artefacts import Artefact, ItemToItem, ItemVectors
from shortlist.testing.retrieval import RetrieverContract, assert_same, training_data, two_tastes

CATEGORIES = 4
EACH = 12
COLD = 3
ITEMS = CATEGORIES * (EACH + COLD)
"""Row `i` is of category `i % 4`; nobody took the last twelve rows."""
SMALL = ItemGraphRetriever(dim=16, walks=10, walk_length=8, epochs=2, neighbours=20)


class Notes:
    """A progress that keeps what is noted."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def step(self, name: str, total: int | None = None) -> None:
        pass

    def advance(self, amount: int = 1) -> None:
        pass

    def note(self, text: str) -> None:
        self.said.append(text)


def shop(users: int = 120, seed: int = 0, **columns: Column) -> TrainingData:
    """Sessions of eight items of one category; a fourth of the items are in no session."""
    random = np.random.default_rng([seed, users])
    events = []
    for user in range(users):
        taken = random.choice(EACH, 8, replace=False) * CATEGORIES + user % CATEGORIES
        events += [(user, int(item), DAY + n * MINUTE) for n, item in enumerate(taken)]
    return training_data(events, ITEMS, columns)


def category() -> Column:
    return Column.keyword([f"c{row % CATEGORIES}" for row in range(ITEMS)])


def noise(values: int = 4) -> Column:
    random = np.random.default_rng(5)
    return Column.keyword([f"n{value}" for value in random.integers(0, values, ITEMS)])


def fit(
    data: TrainingData, config: ItemGraphRetriever = SMALL
) -> tuple[ItemToItem, ItemVectors, list[str], dict[str, Artefact]]:
    notes = Notes()
    artefacts = fit_retriever(config, data, 0, notes)
    near, vectors = artefacts["item_to_item"], artefacts["vector"]
    assert isinstance(near, ItemToItem)
    assert isinstance(vectors, ItemVectors)
    return near, vectors, notes.said, artefacts


def alike(near: ItemToItem, rows: range, first: int) -> float:
    """The share of the first neighbours of some rows that are of the row's category."""
    lists = near.neighbours[list(rows), :first]
    return float((lists % CATEGORIES == np.array(rows)[:, None] % CATEGORIES).mean())


WARM, NEW = range(CATEGORIES * EACH), range(CATEGORIES * EACH, ITEMS)


class TestItemGraphWithAttributesContract(RetrieverContract):
    def config(self) -> ItemGraphRetriever:
        return SMALL

    def fit(self, data: TrainingData, seed: int = 0) -> dict[str, Artefact]:
        parity = Column.keyword([f"p{row % 2}" for row in range(data.items)])
        half = Column.number([float(row // 2) for row in range(data.items)])
        columns = {"parity": parity, "half": half}
        return super().fit(replace(data, catalogue=replace(data.catalogue, columns=columns)), seed)


def test_items_nobody_took_find_their_category() -> None:
    near, vectors, _, _ = fit(shop(category=category()))
    assert set(NEW) <= set(vectors.rows.tolist())
    assert alike(near, NEW, 5) == 1
    unit = vectors.vectors / np.linalg.norm(vectors.vectors, axis=1, keepdims=True)
    likeness = unit[list(NEW)] @ unit[list(WARM)].T
    nearest = np.argsort(-likeness, axis=1)[:, :5]
    assert (nearest % CATEGORIES == np.array(NEW)[:, None] % CATEGORIES).all()


def test_items_nobody_took_are_found_by_who_likes_their_category() -> None:
    _, vectors, _, _ = fit(shop(category=category()))
    for kind in range(CATEGORIES):
        user = vectors.vectors[kind : CATEGORIES * EACH : CATEGORIES][:5].mean(axis=0)
        order = np.argsort(-(vectors.vectors[list(NEW)] @ user))
        assert {int(NEW[place]) % CATEGORIES for place in order[:COLD]} == {kind}


def test_items_with_interactions_lose_nothing_by_attributes() -> None:
    plain, _, _, _ = fit(shop())
    mixed, _, _, _ = fit(shop(category=category(), noise=noise()))
    assert alike(mixed, WARM, 10) >= alike(plain, WARM, 10) - 0.02
    assert alike(mixed, WARM, 10) > 0.95


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"serial": Column.keyword([f"s{row}" for row in range(ITEMS)])},
        {"constant": Column.keyword(["all"] * ITEMS)},
        {"title": Column.text(["a lamp"] * ITEMS)},
        {"empty": Column.keyword([None] * ITEMS)},
    ],
    ids=["none", "one item each", "constant", "text", "empty"],
)
def test_attributes_that_tell_nothing_change_nothing(columns: dict[str, Column]) -> None:
    _, vectors, _, with_them = fit(shop(**columns))
    _, _, _, without = fit(shop(category=category()), replace_attributes([]))
    assert_same(with_them, without)
    assert vectors.rows.tolist() == list(WARM)


def test_an_attribute_that_is_noise_comes_to_count_less_than_one_that_matters() -> None:
    _, _, said, _ = fit(shop(users=400, category=category(), noise=noise()))
    (told,) = [text for text in said if "made of" in text]
    words = told.split()
    count = {
        name: float(words[words.index(name) + 1].rstrip(",%")) for name in ("category", "noise")
    }
    assert count["noise"] < 0.75 * count["category"]


def test_lists_and_numbers_place_items_nobody_took_too() -> None:
    data = shop(
        tags=Column.keywords([[f"c{row % CATEGORIES}", "all"] for row in range(ITEMS)]),
        price=Column.number([float(row % CATEGORIES) for row in range(ITEMS)]),
    )
    near, _, said, _ = fit(data)
    assert alike(near, NEW, 5) == 1
    assert any("tags" in text and "price" in text for text in said)


def test_items_that_may_not_be_shown_get_no_vector() -> None:
    data = shop(category=category())
    gone = data.catalogue.available.copy()
    gone[ITEMS - 1] = False
    ended = data.catalogue.expires.copy()
    ended[ITEMS - 2] = DAY
    catalogue = replace(data.catalogue, available=gone, expires=ended)
    _, vectors, _, _ = fit(replace(data, catalogue=catalogue))
    assert {ITEMS - 1, ITEMS - 2} & set(vectors.rows.tolist()) == set()


def replace_attributes(names: list[str]) -> ItemGraphRetriever:
    return ItemGraphRetriever(
        dim=16, walks=10, walk_length=8, epochs=2, neighbours=20, attributes=names
    )


def test_named_attributes_are_the_ones_that_count() -> None:
    data = shop(category=category(), noise=noise())
    _, _, said, _ = fit(data, replace_attributes(["category"]))
    assert not any("noise" in text for text in said)
    with pytest.raises(ConfigError, match=r"'categry' is not in the catalogue. Did you mean 'cat"):
        fit(data, replace_attributes(["categry"]))


def test_what_only_one_item_has_and_what_all_have_gets_no_code() -> None:
    tags = [["all", "odd" if row % 2 else "even", f"own{row}"] for row in range(20)]
    data = two_tastes()
    catalogue = replace(data.catalogue, columns={"tags": Column.keywords(tags)})
    side = SideInformation.of(catalogue, "auto", np.ones(20, np.bool_))
    assert side.size == 2
    assert np.diff(side.offsets).tolist() == [1] * 20
    assert (side.codes[0::2] == side.codes[0]).all()
    assert side.codes[0] != side.codes[1]


def test_buckets_and_values_are_of_the_items_that_training_knows() -> None:
    data = two_tastes(items=60)
    brands = ["old"] * 20 + ["other"] * 30 + ["new"] * 10
    columns = {
        "price": Column.number([float(row) for row in range(59)] + [1e9]),
        "brand": Column.keyword(brands),
    }
    catalogue = replace(data.catalogue, columns=columns)
    side = SideInformation.of(catalogue, "auto", np.arange(60) < 30)
    assert side.names == ("price", "brand")
    price = [int(side.codes[side.offsets[2 * row]]) for row in range(60)]
    assert len(set(price)) == 10
    assert price[29] == price[40] == price[59]  # at or above all that is known
    assert side.present()[49, 1]
    assert not side.present()[50:, 1].any()  # no known item is of the new brand
