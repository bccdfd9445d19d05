import subprocess
import sys

import numpy as np
import pytest

from shortlist.core.errors import ReleaseError
from shortlist.features import default_features, feature_set
from shortlist.testing.features import random_world

KINDS = {"genre": "keyword", "tags": "keywords", "price": "number", "made": "time"}


def test_the_default_set_has_every_family_in_a_stable_order() -> None:
    names = default_features("genre", "price", KINDS, ["vector", "popular"]).names
    assert names == (
        "item_count_1d",
        "item_count_7d",
        "item_count_30d",
        "item_count",
        "item_trend",
        "item_age",
        "user_count",
        "user_count_1d",
        "user_count_7d",
        "user_idle",
        "user_item_count",
        "affinity:genre",
        "affinity_idle:genre",
        "price:price",
        "price_relative:price",
        "score:vector",
        "score:popular",
        "rank:vector",
        "rank:popular",
        "sources",
        "fused",
        "fused_rank",
        "fused_gap",
        "hour",
        "weekday",
    )


@pytest.mark.parametrize("category, price", [("", ""), ("made", "genre"), ("gone", "gone")])
def test_what_the_catalogue_does_not_have_is_left_out(category: str, price: str) -> None:
    names = default_features(category, price, KINDS, []).names
    assert not any(":" in name for name in names)


def test_names_alone_bring_a_set_back() -> None:
    names = default_features("tags", "price", KINDS, ["a:b", "c"]).names
    again = feature_set(names, KINDS)
    assert again.names == names
    assert again.attributes == ["tags", "price"]
    assert all(np.isfinite(feature.default) for feature in again.features)


def test_an_unknown_feature_says_so_and_offers_the_nearest() -> None:
    with pytest.raises(ReleaseError, match=r"'item_cuont'.*Did you mean 'item_count'\?"):
        feature_set(["item_cuont"], KINDS)


@pytest.mark.parametrize("name", ["affinity:price", "price:genre", "price:gone"])
def test_a_feature_of_another_catalogue_says_what_it_needs(name: str) -> None:
    with pytest.raises(ReleaseError, match=r"needs the catalogue attribute '.*' as .*, but it is"):
        feature_set([name], KINDS)


def test_a_source_that_did_not_answer_counts_as_not_having_found_anything() -> None:
    world = random_world(0, users=5, items=9, events=30, asks=1)
    out = np.full((2, len(world.asks[0].candidates)), np.nan, np.float32)
    asked = feature_set(["score:gone", "rank:gone"], KINDS)
    asked.online(world.view(world.asks[0], until=world.asks[0].time), out)
    assert not out.any()


def test_serving_features_does_not_import_the_offline_engine() -> None:
    code = (
        "import sys, shortlist.features; print({'ibis', 'duckdb', 'lightgbm'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
