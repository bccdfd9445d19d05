"""Triples out of Neo4j: the real driver asks, over Bolt, a server that is played here."""

from __future__ import annotations

import socket
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from bolt import Server, serving
from typer.testing import CliRunner

from shortlist.cli.app import app
from shortlist.config.schema import KnowledgeSection
from shortlist.core.errors import DataError
from shortlist.offline.data.engine import engine
from shortlist.offline.data.knowledge import read_knowledge
from shortlist.offline.data.neo4j import CYPHER, import_triples

ROWS = [["kfc", "serves", "wings", 2], ["kfc", "alias", "켄터키 치킨", 0.5], [7, "in", "서울", 1.0]]


def test_triples_are_copied_to_a_file_that_the_project_can_read(tmp_path: Path) -> None:
    with serving(Server(rows=ROWS)) as server:
        count = import_triples(server.url, tmp_path / "graph.parquet")

    assert count == 3
    assert server.asked == [CYPHER]
    with engine(tmp_path / "scratch") as con:
        found = read_knowledge(
            con, KnowledgeSection(path="graph.parquet", weight="weight"), tmp_path
        )
    assert found.to_pylist() == [
        {"head": "7", "relation": "in", "tail": "서울", "weight": 1.0},
        {"head": "kfc", "relation": "alias", "tail": "켄터키 치킨", "weight": 0.5},
        {"head": "kfc", "relation": "serves", "tail": "wings", "weight": 2.0},
    ]


def test_a_long_answer_is_streamed_in_parts(tmp_path: Path) -> None:
    rows = [[f"item:{number}", "tagged", "x" * 100] for number in range(2_500)]
    with serving(Server(columns=("head", "relation", "tail"), rows=rows)) as server:
        import_triples(server.url, tmp_path / "graph.parquet", cypher="MATCH …")

    assert server.asked == ["MATCH …"]
    assert len(server.pulls) > 1
    table = pq.read_table(tmp_path / "graph.parquet")
    assert table.num_rows == 2_500
    assert set(table["weight"].to_pylist()) == {1.0}


def test_a_password_is_asked_for_and_given(tmp_path: Path) -> None:
    with serving(Server(rows=ROWS, password="open sesame")) as server:
        assert import_triples(server.url, tmp_path / "a.parquet", password="open sesame") == 3
        with pytest.raises(DataError, match=r"does not let 'neo4j' in.*NEO4J_PASSWORD"):
            import_triples(server.url, tmp_path / "b.parquet", password="wrong")


@pytest.mark.parametrize(
    ("server", "said"),
    [
        (Server(complaint="Invalid input 'MTCH'"), r"refuses the query: Invalid input 'MTCH'"),
        (Server(columns=("a", "b"), rows=[["x", "y"]]), r"no column 'head', but a, b"),
        (Server(rows=[["a", "r", None, 1]]), r"a triple has no tail"),
        (Server(rows=[["a", "r", "b", -1]]), r"weight of a triple is no number above 0"),
        (Server(rows=[["a", "r", "b", "x"]]), r"weight of a triple is no number above 0"),
        (Server(rows=[]), r"found no triple"),
        (Server(rows=ROWS, dies_after=1), r"the server cannot be asked"),
    ],
)
def test_what_goes_wrong_is_said_and_no_file_is_left(
    tmp_path: Path, server: Server, said: str
) -> None:
    out = tmp_path / "graph.parquet"
    out.write_bytes(b"what was there")
    with serving(server), pytest.raises(DataError, match=said):
        import_triples(server.url, out)

    assert out.read_bytes() == b"what was there"
    assert list(tmp_path.iterdir()) == [out]


def test_a_server_that_is_not_there_or_an_address_that_is_none_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"bolt://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(DataError, match=r"the server cannot be asked"):
        import_triples(url, tmp_path / "graph.parquet")
    with pytest.raises(DataError, match=r"no address of a Neo4j server"):
        import_triples("http://localhost", tmp_path / "graph.parquet")


def test_the_command_imports(tmp_path: Path) -> None:
    out = tmp_path / "graph.parquet"
    with serving(Server(rows=ROWS)) as server:
        run = CliRunner().invoke(app, ["knowledge", "import", server.url, "--out", str(out)])

    assert run.exit_code == 0, run.output
    assert "Wrote 3 triples" in run.output
    assert pq.read_metadata(out).num_rows == 3
