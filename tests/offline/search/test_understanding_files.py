"""The files that queries are understood by are read before anything is collected or fitted."""

from pathlib import Path

import pytest

from shortlist.core.errors import DataError
from shortlist.project import Project

BASE = """
[project]
name = "shop"
[data.events]
path = "events.csv"
[data.items]
path = "items.csv"
text = ["title"]
"""


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ('[search]\nsynonyms = ["synonyms.txt"]\n', r"synonyms.txt: the synonyms cannot be read"),
        ('[search]\nwords = ["words.txt"]\n', r"words.txt: the word list cannot be read"),
        ('[data.knowledge]\npath = "graph.csv"\n', r"there is no file .*graph.csv"),
    ],
)
def test_training_stops_at_once_where_such_a_file_is_not_there(
    tmp_path: Path, section: str, says: str
) -> None:
    (tmp_path / "shortlist.toml").write_text(BASE + section)
    (tmp_path / "events.csv").write_text("user_id,item_id,timestamp\nu,a,2026-01-01\n")
    (tmp_path / "items.csv").write_text("item_id,title\na,Red shoe\n")
    with pytest.raises(DataError, match=says):
        Project(tmp_path).train()
    assert not (tmp_path / ".shortlist" / "lake").exists()
