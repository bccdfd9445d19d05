"""`shortlist vectors`, as a person types it."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from shortlist.cli.app import app
from shortlist.stores.vectors import open_vectors

run = CliRunner().invoke
N = 2_500
VECTORS = np.random.default_rng(0).normal(size=(N, 8)).astype(np.float32)


def table(vectors: np.ndarray = VECTORS, first: int = 0) -> pa.Table:
    n = len(vectors)
    return pa.table(
        {
            "item_id": [f"i{first + i}" for i in range(n)],
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), 8),
            "lang": pa.array(["ko", None] * (n // 2)).dictionary_encode(),
            "year": pa.array([i % 30 for i in range(n)], pa.int16()),
            "price": np.linspace(0, 1, n),
            "sold": [True, False] * (n // 2),
            "added": pa.array([1_700_000_000_000_000] * n, pa.timestamp("us", "UTC")),
            "tags": [["a", "b"], []] * (n // 2),
            "raw": [b"left out"] * n,
        }
    )


@pytest.fixture
def items(tmp_path: Path) -> Path:
    path = tmp_path / "items.parquet"
    pq.write_table(table(), path)
    return path


def test_a_parquet_file_becomes_a_store_and_importing_it_again_writes_nothing(
    tmp_path: Path, items: Path
) -> None:
    store = str(tmp_path / "store")
    first = run(app, ["vectors", "import", store, str(items)])
    assert first.exit_code == 0, first.output
    assert "2,500 written, 0 there as they are" in first.stdout
    assert "left out: raw" in first.stderr
    again = run(app, ["vectors", "import", store, str(items)])
    assert "0 written, 2,500 there as they are" in again.stdout

    printed = run(app, ["vectors", "info", store]).stdout
    assert "Segments" in printed
    assert "{" not in printed
    told = json.loads(run(app, ["vectors", "info", store, "--json"]).stdout)
    assert told["records"] == N
    assert told["fields"] == [{"name": "vector", "dim": 8, "metric": "cosine", "encoder": ""}]
    assert told["attributes"] == {
        "lang": "keyword",
        "year": "integer",
        "price": "number",
        "sold": "boolean",
        "added": "time",
        "tags": "keywords",
    }


def test_only_rows_that_changed_are_written(tmp_path: Path, items: Path) -> None:
    store = str(tmp_path / "store")
    run(app, ["vectors", "import", store, str(items)])
    vectors = VECTORS.copy()
    vectors[7] = 1
    pq.write_table(pa.concat_tables([table(vectors), table(VECTORS[:10], N)]), items)
    done = run(app, ["vectors", "import", store, str(items)])
    assert "11 written, 2,499 there as they are" in done.stdout


def test_of_rows_with_the_same_id_the_last_counts(tmp_path: Path) -> None:
    path, store = tmp_path / "twice.parquet", tmp_path / "store"
    rows = {"id": ["a", "b", "a"], "vector": [[1.0, 0.0], [0.0, 1.0], [5.0, 5.0]]}
    pq.write_table(pa.table(rows), path)
    assert run(app, ["vectors", "import", str(store), str(path)]).exit_code == 0
    opened = open_vectors(store)
    np.testing.assert_array_equal(opened.get(["a"]).vectors["vector"], [[5, 5]])
    opened.close()


def test_the_nearest_of_a_record_or_of_a_vector_are_printed(tmp_path: Path, items: Path) -> None:
    store = str(tmp_path / "store")
    run(app, ["vectors", "import", store, str(items), "--metric", "dot"])
    by_hand = np.argsort(-(VECTORS @ VECTORS[3]))
    expected = [f"i{row}" for row in by_hand if row != 3][:3]
    found = run(app, ["vectors", "search", store, "--like", "i3", "-k", "3", "--json"])
    assert [one["id"] for one in json.loads(found.stdout)] == expected
    query = json.dumps(VECTORS[3].tolist())
    asked = ["vectors", "search", store, "--vector", query, "-k", "5", "--where", "year == 3"]
    printed = run(app, asked).stdout
    assert printed.split()[:8] == [
        "id", "score", "lang", "year", "price", "sold", "added", "tags",
    ]  # fmt: skip
    assert "2023-11-14T22:13:20Z" in printed


def test_a_store_is_made_by_hand(tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    arguments = ["vectors", "create", store, "--dim", "8", "--field", "image:4:l2"]
    arguments += ["--attribute", "year:integer", "--encoder", "e5@3"]
    assert run(app, arguments).exit_code == 0
    assert run(app, arguments).exit_code == 0  # it is there already
    opened = open_vectors(store)
    assert [(one.name, one.dim, one.metric, one.encoder) for one in opened.schema.fields] == [
        ("vector", 8, "cosine", "e5@3"),
        ("image", 4, "l2", "e5@3"),
    ]
    opened.close()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["create", "STORE"], "a store needs a vector field"),
        (["create", "STORE", "--field", "x"], "'x' is not a vector field. Write NAME:DIM"),
        (["create", "STORE", "--dim", "2", "--metric", "dott"], "Did you mean 'dot'?"),
        (["create", "STORE", "--dim", "2", "--attribute", "a:itneger"], "Did you mean 'integer'?"),
        (["info", "STORE"], "STORE"),
        (["info", "http://host"], "is not a vector store"),
        (["import", "STORE", "nothing.parquet"], "there is no such file"),
        (["import", "STORE", "ITEMS", "--id", "itemid"], "Did you mean 'item_id'?"),
        (["import", "STORE", "NAN"], "row 2,345 ('i2345'), vectors.vector"),
        (["import", "STORE", "SHORT"], "row 2,345, column vector: holds 1 numbers, and the field"),
        (["import", "STORE", "NAMELESS"], "row 2,345, column id: None is no id. An id is text"),
        (["import", "STORE", "TEXT"], "the file cannot be read as Parquet"),
        (["search", "MADE"], "Give --like or --vector"),
        (["search", "MADE", "--like", "nobody"], "no record has the id 'nobody'"),
        (["search", "MADE", "--like", "i3", "-k", "16384"], "1 to 16,383 with --like"),
        (["search", "MADE", "--vector", "[1, x]"], "not a list of numbers"),
        (["search", "MADE", "--vector", "[1, 2]"], "vectors of 8"),
        (["serve", "STORE"], "STORE"),
    ],
)
def test_faults_are_told_with_their_place(
    tmp_path: Path, items: Path, arguments: list[str], says: str
) -> None:
    wrong = VECTORS.copy()
    wrong[2_345, 1] = np.nan
    pq.write_table(table(wrong), tmp_path / "nan.parquet")
    lists = [*VECTORS.tolist()]
    lists[2_345] = [1.0]
    pq.write_table(
        pa.table({"id": map(str, range(N)), "vector": lists}), tmp_path / "short.parquet"
    )
    ids = [None if row == 2_345 else str(row) for row in range(N)]
    pq.write_table(pa.table({"id": ids, "vector": VECTORS.tolist()}), tmp_path / "nameless.parquet")
    (tmp_path / "text.parquet").write_text("this is not Parquet, and long enough to be looked at")
    if "MADE" in arguments:
        run(app, ["vectors", "import", str(tmp_path / "made"), str(items)])
    places = {
        "STORE": "store", "ITEMS": "items.parquet", "NAN": "nan.parquet", "SHORT": "short.parquet",
        "TEXT": "text.parquet", "NAMELESS": "nameless.parquet", "MADE": "made",
    }  # fmt: skip
    given = [str(tmp_path / places[one]) if one in places else one for one in arguments]
    done = run(app, ["vectors", *given])
    assert done.exit_code == 1, done.output
    assert says.replace("STORE", str(tmp_path / "store")) in done.stderr.replace("\n       ", " ")


def test_help_needs_nothing_heavy_and_names_every_command() -> None:
    told = run(app, ["vectors", "--help"]).stdout
    assert all(f" {name} " in told for name in ("create", "import", "info", "search", "serve"))
