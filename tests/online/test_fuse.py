"""Learned fusion while serving: the order that the release's weights say, over what was merged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shortlist.core.event import Event
from shortlist.core.request import Request
from shortlist.core.times import DAY
from shortlist.online.engine import Engine
from shortlist.online.pipeline import RequestPipeline
from shortlist.online.snapshot import Snapshot
from shortlist.release.fusion import Fusion
from shortlist.release.publish import Releases
from shortlist.stores.memory import MemoryAvailability, MemoryHistory
from shortlist.testing import shop

SOURCES = ("popular", "popular.segment", "item_graph.item_to_item", "item_graph.vector")


def pipeline(folder: Path, fusion: Fusion) -> RequestPipeline:
    """The shop with a fusion; `ana` looked at three tools."""
    shop.publish(folder, fusion=fusion)
    release = Releases(folder / ".shortlist" / "releases").current_path()
    history = MemoryHistory(500)
    seen = shop.events([f"tools-{row}" for row in (20, 21, 22)])
    history.append(["ana"] * len(seen), seen)
    return RequestPipeline(Snapshot.open(release), shop.config(), history, MemoryAvailability())


def test_one_source_alone_keeps_its_own_order(tmp_path: Path) -> None:
    for number, source in enumerate(SOURCES):
        alone = Fusion(
            method="single",
            source=source,
            weights={f"place:{source}": -1.0, "consensus": 1e-3},
        )
        asked = pipeline(tmp_path / str(number), alone)
        found = asked.retrieve([Request(user="ana", k=5)])[0]
        ranks = found.ranks[found.sources.index(source)]
        returned = int((ranks > 0).sum())
        assert returned >= 15
        assert (np.diff(ranks[:returned]) < 0).all()
        assert (ranks[returned:] == 0).all()


def test_the_score_of_an_answer_is_the_weighed_evidence(tmp_path: Path) -> None:
    weights = {"score:item_graph.vector": 0.7, "place:popular": -0.4, "link:newest": 2.0}
    asked = pipeline(tmp_path, Fusion(method="weights", weights=weights))
    request = Request(user="ana", k=10)
    weighed = asked.weigh([request])[0]
    lines = [weighed.names.index(name) for name in weights]
    expected = np.array(list(weights.values()), np.float32) @ weighed.values[lines]
    said = dict(zip(weighed.candidates.rows.tolist(), expected.tolist(), strict=True))
    answer = asked.recommend([request])[0]
    np.testing.assert_allclose(answer.scores, [said[row] for row in answer.rows], rtol=1e-4)
    assert answer.rows[0] == max(said, key=lambda row: said[row])


def test_without_a_history_weights_are_left_out(tmp_path: Path) -> None:
    upside_down = Fusion(method="weights", weights={"place:popular": 5.0})
    answer = pipeline(tmp_path, upside_down).recommend([Request(user="nobody", k=3)])[0]
    assert answer.ids == ["fruit-0", "fruit-1", "fruit-2"]


def test_neighbours_of_an_item_stay_merged_by_reciprocal_rank(tmp_path: Path) -> None:
    request = Request(item="books-41", k=8)
    weights = {"place:item_graph.vector": 5.0}
    learned = pipeline(tmp_path / "a", Fusion(method="weights", weights=weights))
    plain = pipeline(tmp_path / "b", Fusion())
    assert learned.recommend([request])[0].ids == plain.recommend([request])[0].ids


def test_a_batch_equals_its_singles(tmp_path: Path) -> None:
    weights = {"score:item_graph.vector": 0.3, "consensus": 9.0, "history": 1.0}
    asked = pipeline(tmp_path, Fusion(method="weights", weights=weights))
    requests = [Request(user="ana", k=7), Request(user="nobody"), Request(user="ana", k=30)]
    for request, together in zip(requests, asked.recommend(requests), strict=True):
        alone = asked.recommend([request])[0]
        assert alone.ids == together.ids
        np.testing.assert_array_equal(alone.scores, together.scores)


def test_links_count_the_seeds_that_lead_to_a_candidate(tmp_path: Path) -> None:
    weighed = pipeline(tmp_path, Fusion()).weigh([Request(user="ana", k=5)])[0]
    tool = weighed.candidates.rows.tolist().index(23)
    fruit = weighed.candidates.rows.tolist().index(0)
    links = dict(zip(weighed.names, weighed.values, strict=True))
    assert links["link:count"][tool] == 3  # all three tools lead to the next
    assert links["link:nearest"][tool] == 1
    assert links["link:newest"][tool] == pytest.approx(1.0)  # 22 → 23 is the first neighbour
    assert links["link:second"][tool] == pytest.approx(np.sqrt(0.5))
    assert links["link:back"][tool] == pytest.approx(np.sqrt(1 / 19))  # 22 is the last of 23's
    assert links["link:count"][fruit] == 0
    assert links["link:nearest"][fruit] == 4


def test_an_engine_serves_a_learned_fusion(tmp_path: Path) -> None:
    weights = {"place:item_graph.item_to_item": -1.0, "consensus": 1e-3}
    single = Fusion(method="single", source="item_graph.item_to_item", weights=weights)
    shop.publish(tmp_path, fusion=single)
    engine = Engine.open(shop.config(), tmp_path)
    engine.post([Event("ben", "books-50", DAY, "view")])
    assert engine.recommend("ben", 3).ids == ["books-51", "books-52", "books-53"]
    engine.close()
