"""What check finds in the files that search learns from."""

from pathlib import Path

import pytest

from shortlist.config.load import parse_config
from shortlist.core.errors import ConfigError
from shortlist.offline.data.check import check
from shortlist.offline.search.understanding import check_files

BASE = """
[project]
name = "shop"
[data.events]
path = "events.csv"
[data.items]
path = "items.csv"
text = ["title"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "events.csv").write_text("user_id,item_id,timestamp\nu,a,2026-01-01\n")
    (tmp_path / "items.csv").write_text("item_id,title\na,Red shoe\n")
    return tmp_path


def told(folder: Path, section: str, **files: str) -> list[tuple[str, str, str]]:
    """Severity, key and remedy of everything that is found."""
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)
    findings = check(parse_config(BASE + section), folder).findings
    return [(finding.severity, finding.key, finding.remedy) for finding in findings]


def test_good_files_have_no_findings(folder: Path) -> None:
    section = """
[data.queries]
path = "log.csv"
[data.knowledge]
path = "graph.csv"
relations = ["~serves"]
[search]
words = ["words.csv"]
synonyms = ["synonyms.csv"]
"""
    graph = "head,relation,tail\nitem:a,serves,tag:wings\n"
    files = {"log": "query,item_id\nshoe,a\n", "graph": graph}
    assert told(folder, section, **files, words="shoe 3\n", synonyms="shoe, boot\n") == []


@pytest.mark.parametrize(
    ("log", "severity", "key", "says"),
    [
        ("q,item_id\nshoe,a\n", "error", "data.queries.path", "there is no column 'query'"),
        ("query,item_id\n", "warning", "data.queries.path", "There is no query in it."),
        ("query,item_id\nshoe,b\n", "warning", "data.queries.item", "None of these queries led"),
    ],
)
def test_a_query_log_that_teaches_nothing(
    folder: Path, log: str, severity: str, key: str, says: str
) -> None:
    ((found, named, remedy),) = told(folder, '[data.queries]\npath = "log.csv"\n', log=log)
    assert (found, named) == (severity, key)
    assert says in remedy


@pytest.mark.parametrize(
    ("graph", "more", "key", "says"),
    [
        ("head,tail\na,b\n", "", "path", "there is no column 'relation'"),
        ("head,relation,tail\n", "", "path", "There is no triple in it."),
        ("head,relation,tail\nitem:a,serves,b\n", 'relations = ["~serve"]', "relations", "serves"),
        ("head,relation,tail\na,serves,b\n", "", "items", "'item:'"),
        ("head,relation,tail,w\nitem:a,r,b,much\n", 'weight = "w"', "path", "weight 'much'"),
    ],
)
def test_a_knowledge_graph_that_leads_nowhere(
    folder: Path, graph: str, more: str, key: str, says: str
) -> None:
    section = f'[data.knowledge]\npath = "graph.csv"\n{more}\n'
    ((_, named, remedy),) = told(folder, section, graph=graph)
    assert named == f"data.knowledge.{key}"
    assert says in remedy


def test_training_refuses_a_relation_that_is_not_there_before_it_begins(folder: Path) -> None:
    (folder / "graph.csv").write_text("head,relation,tail\nitem:a,serves,tag:wings\n")
    section = '[data.knowledge]\npath = "graph.csv"\nrelations = ["~serve"]\n'
    with pytest.raises(ConfigError, match=r"'~serve'.*graph.csv") as refused:
        check_files(parse_config(BASE + section), folder)
    assert "serves" in refused.value.remedy


def test_languages_without_a_stemmer_are_told(folder: Path) -> None:
    assert told(folder, '[text]\nlanguages = ["de", "ko", "vi"]\n') == []
    ((severity, key, remedy),) = told(folder, '[text]\nlanguages = ["en", "sw"]\n')
    assert (severity, key) == ("warning", "text.languages")
    assert "no stemmer" in remedy and "fi, fr" in remedy


def test_every_word_list_and_synonym_file_that_cannot_be_read_is_named(folder: Path) -> None:
    section = '[search]\nwords = ["no.txt"]\nsynonyms = ["none.txt", "synonyms.csv"]\n'
    found = told(folder, section, synonyms="shoe, boot\nlonely\n")
    assert [key for _, key, _ in found] == ["search.words", "search.synonyms", "search.synonyms"]
    assert "cannot be read: No such file or directory." in found[0][2]
    assert "'lonely' is the only one of its line" in found[2][2]
