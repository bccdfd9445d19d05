"""Every fault of a `shortlist.toml` is one message: the file, the key, the value, the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from shortlist.config.load import load_config, parse_config
from shortlist.config.schema import ItemGraphRetriever, PopularRetriever
from shortlist.core.errors import ConfigError

PROJECT = '[project]\nname = "shop"\n'
EVENTS = '[data.events]\npath = "events.csv"\n'
ITEMS = '[data.items]\npath = "items.csv"\nattributes = ["category", "price"]\n'
BASE = PROJECT + EVENTS + ITEMS


def message(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, where="shop/shortlist.toml")
    assert caught.value.remedy
    return str(caught.value)


def test_the_shortest_file_has_every_default() -> None:
    config = parse_config(PROJECT + EVENTS)

    assert config.data.events.user == "user_id"
    assert config.data.items is None
    assert config.prepare.session_gap == "30m"
    assert config.retrievers == {}  # training chooses by the data


def test_the_name_of_a_retriever_is_its_kind_unless_it_says_otherwise() -> None:
    config = parse_config(
        BASE
        + "[retrievers.popular]\n"
        + '[retrievers.trending]\nkind = "popular"\nhalf_life = "1d"\n'
        + "[retrievers.item_graph]\ndim = 16\n"
    )

    assert config.retrievers == {
        "popular": PopularRetriever(),
        "trending": PopularRetriever(half_life="1d"),
        "item_graph": ItemGraphRetriever(dim=16),
    }


UNKNOWN_AND_WRONG = {
    "unknown table": (BASE + "[rankr]\nx = 1\n", ["rankr", "table", "'ranker'"]),
    "unknown key": (
        BASE + '[prepare]\nsession_gp = "30m"\n',
        ["prepare.session_gp", '"30m"', "'session_gap'"],
    ),
    "unknown key far down": (
        PROJECT + EVENTS + 'usr = "u"\n',
        ["data.events.usr", '"u"', "'user'"],
    ),
    "unknown key of a retriever": (
        BASE + "[retrievers.item_graph]\nwalk_lenght = 3\n",
        ["retrievers.item_graph.walk_lenght", "3", "'walk_length'"],
    ),
    "unknown key that looks like nothing": (
        BASE + "[releases]\nzzz = 1\n",
        ["releases.zzz", "Known: floor, keep"],
    ),
    "text for a whole number": (
        BASE + '[retrievers.item_graph]\ndim = "64"\n',
        ["retrievers.item_graph.dim", '"64"', "a whole number", "dim = 64"],
    ),
    "number for a whole number": (
        BASE + "[ranker]\ntrees = 1.5\n",
        ["ranker.trees", "1.5", "a whole number", "trees = 300"],
    ),
    "number for text": (
        BASE + "[prepare]\nsession_gap = 30\n",
        ["prepare.session_gap", "30", "text in quotes", 'session_gap = "30m"'],
    ),
    "text for true": (
        BASE + '[arrange]\nseen = "yes"\n',
        ["arrange.seen", '"yes"', "true or false, without quotes", "seen = false"],
    ),
    "text for a list": (
        PROJECT + EVENTS + '[data.items]\npath = "i.csv"\ntext = "title"\n',
        ["data.items.text", '"title"', "a list"],
    ),
    "number in a list of text": (
        PROJECT + EVENTS + '[data.items]\npath = "i.csv"\ntext = ["title", 3]\n',
        ["data.items.text[1] = 3", "text in quotes"],
    ),
    "text for a weight": (
        PROJECT + EVENTS + 'kind = "k"\nweights = { "add to cart" = "3" }\n',
        ['data.events.weights."add to cart" = "3"', "a number"],
    ),
    "list for a table": (
        BASE + "[arrange]\nmax_per = []\n",
        ["arrange.max_per = []", "a table"],
    ),
    "value for a section": ("serve = 3\n" + BASE, ["serve = 3", "not a table", "[serve]"]),
    "value for a retriever": (
        "retrievers.popular = true\n" + BASE,
        ["retrievers.popular = true", "not a table"],
    ),
    "choice that is not one": (
        BASE + '[ranker]\nkind = "bosted"\n',
        ["ranker.kind", '"bosted"', '"boosted", "cascade"', "Did you mean 'boosted'?"],
    ),
    "retriever of no kind": (
        BASE + "[retrievers.itemgraph]\n",
        ["retrievers.itemgraph", "'item_graph'", "`kind`"],
    ),
    "retriever of an unknown kind": (
        BASE + '[retrievers.mine]\nkind = "pupular"\n',
        ["retrievers.mine.kind", '"pupular"', "'popular'"],
    ),
    "no project": (EVENTS, ["[project]", "missing"]),
    "no events": (PROJECT, ["[data]", "missing", "[data.events]"]),
    "no path": (PROJECT + "[data.events]\n", ["data.events.path", "missing", "text in quotes"]),
}

RANGES_AND_REFERENCES = {
    "recall of nothing": (BASE + "[index]\nrecall = 0.0\n", ["index.recall = 0.0", "above 0"]),
    "recall above one": (BASE + "[index]\nrecall = 95\n", ["index.recall = 95.0", "at most 1"]),
    "recall that is no number": (BASE + "[index]\nrecall = nan\n", ["index.recall = nan"]),
    "no dimensions": (
        BASE + "[retrievers.item_graph]\ndim = 0\n",
        ["retrievers.item_graph.dim = 0", "from 1"],
    ),
    "one leaf": (BASE + "[ranker]\nleaves = 1\n", ["ranker.leaves = 1", "from 2 to 64"]),
    "65 leaves": (BASE + "[ranker]\nleaves = 65\n", ["ranker.leaves = 65", "from 2 to 64"]),
    "too many candidates": (
        BASE + "[ranker]\ncandidates = 10001\n",
        ["ranker.candidates = 10001", "from 1 to 10,000"],
    ),
    "no candidates": (BASE + "[ranker]\ncandidates = 0\n", ["ranker.candidates = 0"]),
    "empty batches": (BASE + "[serve]\nmax_batch = 0\n", ["serve.max_batch = 0", "from 1"]),
    "no releases kept": (BASE + "[releases]\nkeep = 0\n", ["releases.keep = 0", "1 or more"]),
    "negative seed": ('[project]\nname="x"\nseed = -1\n' + EVENTS, ["project.seed = -1"]),
    "nobody asked": (BASE + "[evaluate]\nusers = 0\n", ["evaluate.users = 0", "1 or more"]),
    "span without a unit": (
        BASE + '[prepare]\nsession_gap = "30"\n',
        ["prepare.session_gap", '"30"', "span of time", '"30m"'],
    ),
    "span that is auto where none is": (
        BASE + '[prepare]\nsession_gap = "auto"\n',
        ["prepare.session_gap", '"auto"'],
    ),
    "holdout in words": (
        BASE + '[prepare]\nholdout = "a week"\n',
        ["prepare.holdout", '"a week"', '"auto"'],
    ),
    "holdout of no length": (BASE + '[prepare]\nholdout = "0d"\n', ["prepare.holdout", '"0d"']),
    "half life of no length": (
        BASE + '[retrievers.popular]\nhalf_life = "0d"\n',
        ["retrievers.popular.half_life", '"0d"'],
    ),
    "lateness in words": (PROJECT + EVENTS + 'lateness = "late"\n', ["data.events.lateness"]),
    "at most none per value": (
        BASE + "[arrange]\nmax_per = { category = 0 }\n",
        ["arrange.max_per.category = 0", "1 or more"],
    ),
    "at most n of no attribute": (
        BASE + "[arrange]\nmax_per = { categori = 2 }\n",
        ["arrange.max_per.categori", "'category'", "data.items.attributes"],
    ),
    "at most n without a catalogue": (
        PROJECT + EVENTS + "[arrange]\nmax_per = { category = 2 }\n",
        ["arrange.max_per.category", "[data.items]"],
    ),
    "segment that is no attribute": (
        BASE + '[retrievers.popular]\nsegment = "brand"\n',
        ["retrievers.popular.segment", '"brand"', "add", "data.items.attributes"],
    ),
    "category that is no attribute": (
        PROJECT + EVENTS + '[data.items]\npath = "i.csv"\ncategory = "genre"\n',
        ["data.items.category", '"genre"', "data.items.attributes"],
    ),
    "price that is no attribute": (BASE + 'price = "cost"\n', ["data.items.price", '"cost"']),
    "text that is an attribute too": (
        BASE + 'text = ["category"]\n',
        ["data.items.text", "data.items.attributes", '"category"'],
    ),
    "attribute twice": (
        PROJECT + EVENTS + '[data.items]\npath = "i.csv"\nattributes = ["a", "a"]\n',
        ["data.items.attributes[1]", '"a"', "twice"],
    ),
    "one column for two roles": (
        PROJECT + EVENTS + 'user = "id"\nitem = "id"\n',
        ["data.events.user", "data.events.item", '"id"'],
    ),
    "negative weight": (
        PROJECT + EVENTS + 'kind = "k"\nweights = { view = 1, hide = -1 }\n',
        ["data.events.weights.hide = -1", "0 or more"],
    ),
    "weight of impressions": (
        PROJECT + EVENTS + 'kind = "k"\nweights = { impression = 1 }\n',
        ["data.events.weights.impression = 1", "data.events.impression"],
    ),
    "weights of nothing": (
        PROJECT + EVENTS + 'kind = "k"\nweights = { view = 0 }\n',
        ["data.events.weights", "view = 0"],
    ),
    "weights without kinds": (
        PROJECT + EVENTS + "weights = { view = 1 }\n",
        ["data.events.weights", "data.events.kind"],
    ),
    "floor of an unknown metric": (
        BASE + '[releases]\nfloor = { "ndcg@20" = 0.1 }\n',
        ['releases.floor."ndcg@20" = 0.1', "'ndcg@10'"],
    ),
    "floor above one": (BASE + "[releases]\nfloor = { mrr = 5 }\n", ["releases.floor.mrr = 5"]),
    "unknown history": (
        BASE + '[serve]\nhistory = "mysql://db"\n',
        ["serve.history", '"mysql://db"', "redis://"],
    ),
    "servable of a retriever that is not there": (
        BASE + '[retrievers.item_graph]\n[serve]\ntensorflow_index = "item_grph"\n',
        ["serve.tensorflow_index", '"item_grph"', "'item_graph'"],
    ),
    "port out of range": (
        BASE + "[serve]\ntensorflow_port = 99999\n",
        ["serve.tensorflow_port = 99999", "65,535"],
    ),
    "misspelt history": (
        BASE + '[serve]\nhistory = "sqllite"\n',
        ["serve.history", '"sqllite"', "'sqlite'"],
    ),
    "empty column": (PROJECT + EVENTS + 'user = ""\n', ['data.events.user = ""', "column"]),
    "empty name": ('[project]\nname = " "\n' + EVENTS, ["project.name"]),
    "retriever with a name that no folder has": (
        BASE + '[retrievers."../x"]\nkind = "popular"\n',
        ['retrievers."../x"', "letters"],
    ),
}


@pytest.mark.parametrize(
    ("text", "parts"), UNKNOWN_AND_WRONG.values(), ids=UNKNOWN_AND_WRONG.keys()
)
def test_unknown_keys_and_wrong_types_are_named(text: str, parts: list[str]) -> None:
    said = message(text)

    for part in ["shop/shortlist.toml: ", *parts]:
        assert part in said


@pytest.mark.parametrize(
    ("text", "parts"), RANGES_AND_REFERENCES.values(), ids=RANGES_AND_REFERENCES.keys()
)
def test_ranges_spans_and_references_are_checked(text: str, parts: list[str]) -> None:
    said = message(text)

    for part in ["shop/shortlist.toml: ", *parts]:
        assert part in said


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[project]\nname = \n", 2),
        ("[project]\nname = 'x'\nname = 'y'\n", 3),
        ("[project]\nname = 'x'\n[project]\n", 3),
        ("[project]\nname = 'x", 2),
    ],
    ids=["no value", "key twice", "table twice", "open quote"],
)
def test_a_syntax_error_has_its_line(text: str, line: int) -> None:
    assert f"shop/shortlist.toml:{line}: this is not TOML" in message(text)


def test_a_folder_without_a_file_offers_init(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="shortlist init") as caught:
        load_config(tmp_path)

    assert str(tmp_path) in str(caught.value)


def test_a_folder_that_is_not_there_offers_init(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="shortlist init"):
        load_config(tmp_path / "nowhere")


def test_a_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "shortlist.toml").write_bytes('[project]\nname = "café"\n'.encode("latin-1"))

    with pytest.raises(ConfigError, match="UTF-8") as caught:
        load_config(tmp_path)

    assert str(tmp_path / "shortlist.toml") in str(caught.value)


def test_a_folder_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "shortlist.toml").mkdir()

    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path)


def test_errors_of_a_file_name_its_path(tmp_path: Path) -> None:
    (tmp_path / "shortlist.toml").write_text(BASE + "[ranker]\nleaves = 1\n")

    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path)

    assert str(caught.value).startswith(str(tmp_path / "shortlist.toml"))


def test_a_place_must_be_an_attribute() -> None:
    assert "data.items.place" in message(BASE + 'place = "city"\n')


@pytest.mark.parametrize(("code", "says"), [("jp", '"ja"'), ("xx", "ISO 639-1"), ("EN", "lower")])
def test_a_language_that_is_none_is_refused(code: str, says: str) -> None:
    with pytest.raises(ConfigError, match=r"text.languages\[0\]") as refused:
        parse_config(f'{PROJECT}{EVENTS}[text]\nlanguages = ["{code}"]\n')
    assert says in refused.value.remedy
