"""What the tables of the retriever families accept."""

from pathlib import Path

import pytest

from shortlist.config.load import load_config, parse_config
from shortlist.config.retrievers import TextEncoderRetriever
from shortlist.config.schema import ItemGraphRetriever, TransitionsRetriever
from shortlist.core.errors import ConfigError

START = """
[project]
name = "x"
[data.events]
path = "events.csv"
"""


def retriever(table: str) -> object:
    return next(iter(parse_config(START + table).retrievers.values()))


def test_attributes_are_a_list_or_left_to_be_chosen() -> None:
    named = retriever("[retrievers.item_graph]\nattributes = []")
    assert named == ItemGraphRetriever(attributes=[])
    assert retriever("[retrievers.item_graph]") == ItemGraphRetriever(attributes="auto")


def test_a_number_may_be_left_to_be_chosen() -> None:
    found = retriever('[retrievers.transitions]\nreach = 5\nback = 1\ndecay = "auto"')
    assert found == TransitionsRetriever(reach=5, back=1, decay="auto")


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        (
            '[retrievers.transitions]\nreach = "far"',
            'retrievers.transitions.reach = "far" is not a whole number or "auto".',
        ),
        (
            "[retrievers.transitions]\ndecay = 1.5",
            "retrievers.transitions.decay = 1.5 is out of range.",
        ),
        (
            '[retrievers.transitions]\nhalf_life = "soon"',
            'retrievers.transitions.half_life = "soon" is not a span of time.',
        ),
        (
            "[retrievers.factors]\ndim = 256",
            "retrievers.factors.dim = 256 is out of range.",
        ),
        (
            "[retrievers.item_graph]\nneighbours = 0",
            "retrievers.item_graph.neighbours = 0 is out of range.",
        ),
        (
            "[retrievers.item_graph]\nattributes = 3",
            'retrievers.item_graph.attributes = 3 is not a list of text or "auto".',
        ),
        (
            '[retrievers.item_graph]\nattributes = ["colour"]',
            'retrievers.item_graph.attributes = "colour" names an attribute, but there is no',
        ),
    ],
)
def test_what_a_key_cannot_be_is_said(table: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        retriever(table)
    assert problem in str(caught.value)


def test_the_folder_of_a_model_is_found_from_the_project_folder(tmp_path: Path) -> None:
    text = (
        '[project]\nname = "shop"\n[data.events]\npath = "events.csv"\n'
        '[data.items]\npath = "items.csv"\ntext = ["title"]\n'
        "[retrievers.text_encoder]\nmodel = "
    )
    for model, found in (
        ("./model", str(tmp_path / "model")),
        ("../model", str(tmp_path.parent / "model")),
        ("/data/model", "/data/model"),
        ("static", "static"),
        ("owner/name", "owner/name"),
    ):
        (tmp_path / "shortlist.toml").write_text(f'{text}"{model}"\n')
        retriever = load_config(tmp_path).retrievers["text_encoder"]
        assert isinstance(retriever, TextEncoderRetriever)
        assert retriever.model == found
