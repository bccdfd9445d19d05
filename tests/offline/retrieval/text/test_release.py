"""A release with a text encoder: cold items are recommended, similar and found."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from shortlist.config.load import parse_config
from shortlist.config.schema import Config
from shortlist.core.errors import ConfigError
from shortlist.core.progress import Silent
from shortlist.core.request import Request
from shortlist.offline.pipeline import build
from shortlist.offline.replay import Replay
from shortlist.online.pipeline import RequestPipeline
from shortlist.online.search.ways import vector_ways
from shortlist.online.snapshot import Snapshot
from shortlist.release.publish import Releases
from shortlist.stores.memory import MemoryAvailability
from shortlist.testing.library import library

BOOKS = library(documents=600, users=300, subjects=15)
COLD = list(range(0, 600, 40))
KEPT = ~np.isin(BOOKS.data.item, COLD)
DATA = dataclasses.replace(
    BOOKS.data,
    **{
        name: getattr(BOOKS.data, name)[KEPT]
        for name in ("user", "item", "time", "weight", "session")
    },
)
"""What is read of the library; nobody reads what is cold."""
CONFIG = """
[project]
name = "library"
[data.events]
path = "events.csv"
[data.items]
path = "items.csv"
text = ["title", "body"]
attributes = ["language"]
[ranker]
kind = "none"
"""


def config(
    retriever: str = "[retrievers.text_encoder]\ndim = 64\nepochs = 3\nbatch = 128",
) -> Config:
    return parse_config(CONFIG + retriever)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("release")
    with Releases(folder).draft() as draft:
        id = build(config(), DATA, draft, Silent())
    return folder / id


@pytest.fixture(scope="module")
def pipeline(release: Path) -> RequestPipeline:
    users = [f"u{row}" for row in range(DATA.users)]
    history = Replay(DATA, users, 100)
    return RequestPipeline(Snapshot.open(release), config(), history, MemoryAvailability())


def subjects(ids: list[str]) -> list[int]:
    return [int(BOOKS.subject[int(id[1:])]) for id in ids]


def test_readers_get_more_about_what_they_read(pipeline: RequestPipeline) -> None:
    now = DATA.until
    right = []
    for user in range(0, 60):
        (answer,) = pipeline.recommend([Request(user=f"u{user}", now=now, k=10)])
        read = set(BOOKS.subject[DATA.item[DATA.user == user]].tolist())
        right += [subject in read for subject in subjects(answer.ids)]
    assert np.mean(right) > 0.6


def test_what_nobody_read_is_similar_to_its_likes_and_among_the_answers(
    pipeline: RequestPipeline,
) -> None:
    alike = []
    for row in COLD:
        (answer,) = pipeline.recommend([Request(item=f"d{row}", k=5)])
        alike += [subject == BOOKS.subject[row] for subject in subjects(answer.ids)]
    assert np.mean(alike) > 0.4  # by chance it would be 0.07
    users = [Request(user=f"u{user}", now=DATA.until, k=50) for user in range(300)]
    shown = {id for answer in pipeline.recommend(users) for id in answer.ids}
    assert len(shown & {f"d{row}" for row in COLD}) > len(COLD) / 2


def test_a_query_finds_what_it_is_about(release: Path, pipeline: RequestPipeline) -> None:
    (way,) = vector_ways(Snapshot.open(release))
    rng = np.random.default_rng(0)
    everything = np.full(75, 255, np.uint8)
    right = []
    for subject in range(15):
        (vector,) = way.encode([BOOKS.query(subject, "en", rng)])
        rows, _ = way.search(vector, 5, everything, np.empty(0, np.int32), filtered=False)
        right += (BOOKS.subject[rows] == subject).tolist()
    assert np.mean(right) > 0.5  # by chance it would be 0.07


@pytest.mark.parametrize(
    ("retriever", "problem"),
    [
        ('[retrievers.text_encoder]\ntext = ["titel"]', 'text[0] = "titel" is not one of'),
        ('[retrievers.text_encoder]\nmodel = " "', "is empty"),
        ("[retrievers.text_encoder]\nlength = 0", "length = 0 is out of range"),
        ('[retrievers.two_tower]\nquery = "text"', "needs queries to learn from"),
    ],
)
def test_what_a_table_cannot_say_is_refused(retriever: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(retriever)
    assert problem in str(caught.value)
