"""Experiments over a published release, with real stores."""

import json
from collections import Counter
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from shortlist.config.experiments import ExperimentSection, VariantSection
from shortlist.core.errors import ConfigError, ReleaseError
from shortlist.core.request import Request
from shortlist.core.times import DAY
from shortlist.features import FeatureSet
from shortlist.features.prices import LogPrice
from shortlist.online.engine import Engine
from shortlist.online.experiments import NONE, Experiments
from shortlist.online.pipeline import RequestPipeline
from shortlist.online.snapshot import Snapshot
from shortlist.release.publish import Releases
from shortlist.release.ranking.calibration import Calibration
from shortlist.release.ranking.models import Ranker
from shortlist.release.trees import Trees
from shortlist.serve.schema import Answer
from shortlist.stores.memory import MemoryAvailability, MemoryHistory
from shortlist.testing import shop

USERS = [f"user{n}" for n in range(4_000)]
HALVES = """
[experiments.caps.variants.control]
share = 0.5
[experiments.caps.variants.capped]
share = 0.5
[experiments.caps.variants.capped.arrange]
max_per = { category = 2 }
"""


def experiment(salt="", **shares):
    variants = {name: VariantSection(share=share) for name, share in shares.items()}
    return ExperimentSection(variants=variants, salt=salt)


def assigned(experiments, name="x"):
    return [experiments.of(Request(user)).variants.get(name) for user in USERS]


def test_users_are_dealt_by_the_shares_and_always_the_same():
    experiments = Experiments({"x": experiment(a=0.5, b=0.2)})
    counts = Counter(assigned(experiments))
    for variant, share in (("a", 0.5), ("b", 0.2), (None, 0.3)):
        assert abs(counts[variant] / len(USERS) - share) < 0.03
    assert assigned(experiments) == assigned(Experiments({"x": experiment(a=0.5, b=0.2)}))


def test_who_has_a_variant_keeps_it_when_the_last_one_grows():
    before = assigned(Experiments({"x": experiment(a=0.5, b=0.2)}))
    after = assigned(Experiments({"x": experiment(a=0.5, b=0.5)}))
    assert all(now == then for now, then in zip(after, before, strict=True) if then)


def test_experiments_of_different_salts_are_independent():
    both = Experiments({"x": experiment(a=0.5), "y": experiment(b=0.5)})
    counts = Counter(tuple(both.of(Request(user)).variants.items()) for user in USERS)
    assert len(counts) == 4
    assert all(abs(count / len(USERS) - 0.25) < 0.03 for count in counts.values())
    same = Experiments({"x": experiment("s", a=0.5), "y": experiment("s", b=0.5)})
    assert assigned(same) == [v and "a" for v in assigned(same, "y")]


def test_somebody_without_an_id_and_neighbours_of_an_item_are_in_no_experiment():
    experiments = Experiments({"x": experiment(a=1.0)})
    assert experiments.of(Request("")) == NONE
    assert experiments.of(Request("ann", item="fruit-1")) == NONE
    assert experiments.of(Request("ann")).variants == {"x": "a"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    shop.publish(folder)
    return folder


def opened(folder, text):
    return Engine.open(shop.config(text), folder)


def test_a_variant_has_its_own_rules_and_the_answer_and_the_log_tell_it(folder):
    engine = opened(folder, HALVES)
    answers = dict(zip(USERS[:40], engine.recommend(USERS[:40], 6), strict=True))
    for answer in answers.values():
        fruit = sum(id.startswith("fruit") for id in answer.ids)
        assert fruit == (2 if answer.variants == {"caps": "capped"} else 6)
        told = msgspec.to_builtins(Answer.of(answer))
        assert told["variants"] == answer.variants
    assert "variants" not in msgspec.to_builtins(Answer.of(engine.recommend("", 6)))
    assert {answer.variants["caps"] for answer in answers.values()} == {"control", "capped"}
    user, answer = next(iter(answers.items()))
    engine.log_impressions(user, answer)
    engine.close()
    lines = [
        json.loads(line)
        for file in (folder / ".shortlist" / "inbox").glob("*.jsonl")
        for line in file.read_text().splitlines()
    ]
    assert [line["variants"] for line in lines] == [dict(answer.variants)] * 6


def test_a_batch_of_several_variants_equals_its_singles(folder):
    engine = opened(folder, HALVES)
    requests = [Request(user, k=6, now=2 * DAY) for user in USERS[:20]]
    batch = [answer.ids for answer in engine.answer(requests)]
    assert batch == [engine.answer([request])[0].ids for request in requests]
    engine.close()


def test_a_variant_may_be_answered_by_another_release(folder):
    current = shop.publish(folder, searchable=False)
    other = next(
        m.id for m in Releases(folder / ".shortlist" / "releases").list() if m.id != current
    )
    engine = opened(
        folder,
        "[experiments.old.variants.now]\nshare = 0.5\n"
        f'[experiments.old.variants.before]\nshare = 0.5\nrelease = "{other}"\n',
    )
    answers = engine.recommend(USERS[:20], 3)
    releases = {answer.variants["old"]: answer.release for answer in answers}
    assert releases == {"now": current, "before": other}
    for answer in answers:
        assert answer.release == releases[answer.variants["old"]]
    engine.close()


def test_a_release_that_is_not_there_is_named(folder):
    with pytest.raises(ReleaseError, match="20200101"):
        opened(folder, '[experiments.x.variants.a]\nshare = 1\nrelease = "20200101"\n')


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[experiments.a]", "[experiments.a.variants.control]"),
        (
            "[experiments.a.variants.b]\nshare = 0.7\n[experiments.a.variants.c]\nshare = 0.7",
            "add up to 1.4",
        ),
        (
            "[experiments.a.variants.b]\nshare = 1\n"
            "[experiments.a.variants.b.arrange]\nmax_per = { categor = 1 }",
            "experiments.a.variants.b.arrange.max_per.categor",
        ),
        (
            '[experiments.a.variants.b]\nshare = 1\nranker = "none"\n'
            '[experiments.c.variants.b]\nshare = 1\nranker = "none"',
            "experiments.a and experiments.c both change `ranker`",
        ),
    ],
)
def test_faults_name_the_table(text, said):
    with pytest.raises(ConfigError) as caught:
        shop.config(text)
    assert said in str(caught.value)


def dear_first():
    """A tree that likes what costs more than 40."""
    whole = np.array([0, 1])
    tree = Trees(
        ("price:price",),
        whole,
        np.zeros(1, np.int32),
        np.log1p(np.array([40], np.float32)),
        np.zeros(1, np.uint8),
        np.ones(1, np.uint8),
        np.array([0, 2]),
        np.array([0.0, 1.0]),
        np.ones(2, np.float32),
    )
    return Ranker(tree, Calibration(method="platt", slope=1.0, shift=0.0))


def test_a_variant_may_do_without_the_ranker(folder):
    config = shop.config(
        "[experiments.x.variants.ranked]\nshare = 0.5\n"
        '[experiments.x.variants.plain]\nshare = 0.5\nranker = "none"\n'
    )
    opened = Snapshot.open(Releases(folder / ".shortlist" / "releases").current_path())
    snapshot = replace(opened, ranker=dear_first(), features=FeatureSet([LogPrice("price")]))
    pipeline = RequestPipeline(
        snapshot,
        config,
        MemoryHistory(),
        MemoryAvailability(),
        experiments=Experiments(config.experiments),
    )
    requests = [Request(user, k=5, explain=True) for user in USERS[:20]]
    for answer in pipeline.recommend(requests):
        ranked = answer.variants == {"x": "ranked"}
        assert all(id.startswith("books" if ranked else "fruit") for id in answer.ids)
        assert all(("contributions" in why) == ranked for why in answer.explain)
