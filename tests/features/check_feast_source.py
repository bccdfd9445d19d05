"""Check features of an existing Feast repository with the real Feast: as of, served, compared.

Feast pins pandas below 3, which this package's environment is past, so it is in one of its own:

    python -m venv /tmp/feast && /tmp/feast/bin/pip install feast
    python tests/features/check_feast_source.py /tmp/feast/bin

A generated project is trained and its features are exported as a repository, which the real Feast
applies, materializes and serves. A second project reads some of them back: from the offline store
as of its training requests, and from `feast serve` when it answers.
"""

import socket
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from shortlist.config.feast import FeastSection
from shortlist.core.errors import StoreError
from shortlist.core.times import DAY
from shortlist.features.feast_history import history_of
from shortlist.features.remote import Remote
from shortlist.features.skew import read_log
from shortlist.offline.data.prepared import Prepared
from shortlist.offline.feature_skew import feature_skew
from shortlist.online.snapshot import Snapshot
from shortlist.project import Project
from shortlist.testing.marketplace import generate

SETTINGS = """
[project]
name = "shop"
[data.events]
path = "{events}"
time = "timestamp"
kind = "event"
weights = {{ view = 1, like = 3, chat = 4, purchase = 5 }}
[data.items]
path = "{items}"
attributes = ["category"]
[retrievers.popular]
[ranker]
trees = 5
requests = 200
[evaluate]
users = 20
[features.views]
kinds = ["view"]
window = "3d"
"""
READS = """
[serve]
log_features = 1.0
[feast]
url = "http://127.0.0.1:{port}"
repository = "{repository}"
python = "{python}"
timeout = 10.0
[features.feast_views]
value = "feast"
of = "item_features:views"
default = -1.0
missing = "{missing}"
[features.feast_activity]
value = "feast"
by = ["user"]
of = "user_features:user_count"
default = -1.0
freshness = "1h"
"""


def main(bin: Path, folder: Path) -> None:
    world = generate(folder / "world", users=150, items=100, days=12)
    settings = SETTINGS.format(events=world.events, items=world.items)
    source = project(folder / "source", settings)
    repository = folder / "repository"
    run(["shortlist", "features", str(source.folder), "--feast", str(repository)], folder)
    # Feast forgets what is older than a view's `ttl` of seven days, and the world is older
    text = (repository / "definitions.py").read_text()
    (repository / "definitions.py").write_text(text.replace("days=7", "days=7000"))
    run([str(bin / "feast"), "apply"], repository)
    until = datetime.now(UTC).isoformat()[:19]
    run([str(bin / "feast"), "materialize", "2000-01-01T00:00:00", until], repository)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    reads = {"port": port, "repository": repository, "python": bin / "python"}
    as_of(
        repository,
        FeastSection(url="http://x", repository=str(repository), python=str(bin / "python")),
        source,
    )
    reader = project(folder / "reader", settings + READS.format(missing="open", **reads))
    closed = project(folder / "closed", settings + READS.format(missing="closed", **reads))
    server = subprocess.Popen(
        [str(bin / "feast"), "serve", "-p", str(port)],
        cwd=repository,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait(port, server)
        served(reader, repository)
    finally:
        server.terminate()
        server.wait()
    engine = reader.open()
    told = [one["features"] for one in engine.recommend("nobody", k=5, explain=True).explain]
    engine.close()
    assert {one["feast_views"] for one in told} == {-1.0}
    engine = closed.open()
    try:
        engine.recommend("nobody", k=5)
    except StoreError as error:
        print(f"closed: {error}")
    else:
        raise AssertionError("a closed feature let the request pass")
    finally:
        engine.close()


def project(folder: Path, settings: str) -> Project:
    folder.mkdir()
    (folder / "shortlist.toml").write_text(settings)
    made = Project(folder)
    report = made.train()
    assert report.published, report
    print(f"{folder.name}: {[note for note in report.notes if note.startswith('Ranker')]}")
    return made


def as_of(repository: Path, section: FeastSection, source: Project) -> None:
    """What Feast says of random instants, beside what is in its files."""
    catalogue = Prepared.load(source.folder).catalogue
    ids, rng = catalogue.vocabulary.ids(), np.random.default_rng(0)
    table = pq.read_table(repository / "data" / "item.parquet")
    instants = table["event_timestamp"].cast("int64").to_numpy()
    places = pa.table({"id": table["item_id"], "at": instants, "views": table["views"]})
    known = by_key(places, "views", "id", "at")
    days = np.unique(instants)
    times = rng.integers(days[0] - DAY, days[-1] + DAY, 40)
    times[:5] = days[:5]  # a value of the very instant is not before it
    request = np.repeat(np.arange(40), 6)
    item = rng.integers(len(ids), size=240).astype(np.int32)
    made = history_of(
        [Remote("views", "item_features:views", "item")], section, source.folder,
        users=["nobody"] * 40, times=times, request=request, item=item, items=ids,
    )["views"].to_pyarrow()  # fmt: skip
    found = by_key(made, "views", "request", "item")
    told = 0
    for n, row in zip(request.tolist(), item.tolist(), strict=True):
        before = days[days < times[n]]
        expected = known[ids[row], int(before[-1])] if len(before) else None
        assert found.get((n, row)) == expected, (n, row)
        told += expected is not None
    print(f"offline: {told} values of {len(request)} pairs agree, the others have none")


def served(reader: Project, repository: Path) -> None:
    """What is answered, beside what is in Feast's files; then the skew."""
    tables = {
        who: pq.read_table(repository / "data" / f"{who}.parquet") for who in ("item", "user")
    }
    # files are in order of time
    names = {"item": "views", "user": "user_count"}
    last = {who: by_key(table, names[who], f"{who}_id") for who, table in tables.items()}
    prepared, engine = Prepared.load(reader.folder), reader.open()
    users = [*prepared.user_ids()[:20], "nobody"]
    try:
        for answer, user in zip(engine.recommend(users, k=30, explain=True), users, strict=True):
            for id, one in zip(answer.ids, answer.explain, strict=True):
                assert one["features"]["feast_views"] == last["item"].get(id, -1.0)
                assert one["features"]["feast_activity"] == last["user"].get(user, -1.0)
        started = time.perf_counter()
        engine.recommend(users[0], k=30)
        print(
            f"online: {len(users)} answers agree; one takes {time.perf_counter() - started:.3f} s"
        )
        snapshot = Snapshot.open(reader.releases.current_path())
    finally:
        engine.close()
    vectors = {name: index.vectors_of for name, index in snapshot.indexes.items()}
    logged = read_log(reader.folder / ".shortlist" / "features")
    told = feature_skew(prepared, snapshot.id, snapshot.features, logged, vectors, {})
    assert all(one.different == 0 for one in told.features if one.name.startswith("feast_"))


def wait(port: int, server: subprocess.Popen) -> None:
    for _ in range(240):
        try:
            urlopen(f"http://127.0.0.1:{port}/health").close()
        except (URLError, ConnectionError):
            assert server.poll() is None, "feast serve has ended"
            time.sleep(0.5)
        else:
            return
    raise AssertionError("feast serve does not answer")


def run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def by_key(table: pa.Table, value: str, *keys: str) -> dict:
    """The column `value` of a table by other columns; the last of each key stays."""
    columns = [table[name].to_pylist() for name in keys]
    told = columns[0] if len(keys) == 1 else zip(*columns, strict=True)
    return dict(zip(told, table[value].to_pylist(), strict=True))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        main(Path(sys.argv[1]).absolute(), Path(scratch))
