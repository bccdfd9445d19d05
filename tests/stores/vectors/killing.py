"""Kills a process that writes, flushes and merges, again and again, and looks at what is left.

    python tests/stores/vectors/killing.py FOLDER --kills 300

Every child opens the store, compares it with an oracle, says so, and then writes without pause
until it is killed (SIGKILL) at a random instant. An operation is a function of its number; a
journal says which were begun and which had returned. What had returned must be there; the one
that was under way must be there wholly or not at all.
"""

import argparse
import os
import random
import select
import signal
import sys
import time
from pathlib import Path

import numpy as np

from shortlist.stores.vectors import StoreSchema, VectorField
from shortlist.stores.vectors.embedded import EmbeddedStore

DIM = 8
SCHEMA = StoreSchema(
    (VectorField("a", DIM, "cosine", "v1"), VectorField("b", 4, "l2")), {"step": "integer"}
)
WAITING = 48
IDS = 600
Oracle = dict[str, tuple[bytes, bytes, int]]


def operation(seed, step):
    """Ids, whether they are deleted, and the vectors of both fields."""
    chance = np.random.default_rng([seed, step])
    ids = [f"i{n}" for n in chance.choice(IDS, chance.integers(1, 40), replace=False)]
    rows = chance.standard_normal((len(ids), DIM + 4)).astype(np.float32)
    return ids, chance.random() < 0.25, rows[:, :DIM], rows[:, DIM:]


def apply(oracle, seed, step):
    ids, deletes, a, b = operation(seed, step)
    for n, id in enumerate(ids):
        if deletes:
            oracle.pop(id, None)
        else:
            oracle[id] = (a[n].tobytes(), b[n].tobytes(), step)


def replay(seed, journal):
    """The oracle of what had returned, the operation under way (or None), and the next."""
    begun, ended = -1, {}
    for line in journal.read_text().splitlines() if journal.exists() else []:
        word, step = line.split()
        if word == "begin":
            begun = max(begun, int(step))
        else:
            ended[int(step)] = word
    oracle: Oracle = {}
    for step in range(begun + 1):
        if ended.get(step) == "done":
            apply(oracle, seed, step)
    return oracle, None if begun in ended or begun < 0 else begun, begun + 1


def contents(store):
    found: Oracle = {}
    for records in store.iterate(97):
        for n, id in enumerate(records.ids):
            assert id not in found, f"{id} is there twice"
            a, b = (records.vectors[name][n].tobytes() for name in "ab")
            found[id] = (a, b, records.attributes["step"][n])
    return found


def check(store, oracle):
    """The store searches what the oracle holds."""
    assert store.count() == len(oracle), (store.count(), len(oracle))
    ids = list(oracle)
    if not ids:
        return
    a = np.stack([np.frombuffer(oracle[id][0], np.float32) for id in ids]).astype(np.float64)
    b = np.stack([np.frombuffer(oracle[id][1], np.float32) for id in ids]).astype(np.float64)
    steps = np.array([oracle[id][2] for id in ids])
    chance = np.random.default_rng(len(ids))
    queries = chance.standard_normal((4, DIM)).astype(np.float32)
    unit = a / np.linalg.norm(a, axis=1, keepdims=True)
    middle = int(np.median(steps))
    allowed = steps >= middle
    assert store.count(f"step >= {middle}") == allowed.sum()
    for query, hits, filtered in zip(
        queries,
        store.search(queries, 10, field="a"),
        store.search(queries, 10, f"step >= {middle}", "a"),
        strict=True,
    ):
        scores = unit @ query
        assert hits.ids == [ids[n] for n in np.argsort(-scores)[:10]]
        scores[~allowed] = -np.inf
        assert filtered.ids == [ids[n] for n in np.argsort(-scores)[: min(10, allowed.sum())]]
    near = queries[:, :4]
    for query, hits in zip(near, store.search(near, 5, field="b"), strict=True):
        assert hits.ids == [ids[n] for n in np.argsort(((b - query) ** 2).sum(1))[:5]]


def work(folder, seed, ready):
    """What a child does; it never ends by itself."""
    path = folder / "journal"
    journal = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    oracle, open_step, step = replay(seed, path)
    store = EmbeddedStore(folder / "store", SCHEMA, waiting=WAITING)
    found = contents(store)
    if open_step is not None:
        after = dict(oracle)
        apply(after, seed, open_step)
        assert found in (oracle, after), f"operation {open_step} is there in part"
        word = "done" if found == after else "undone"
        os.write(journal, f"{word} {open_step}\n".encode())
        oracle = found
    lost = {id for id, record in oracle.items() if found.get(id) != record}
    assert found == oracle, f"lost {sorted(lost)}, of {sorted(set(found) - set(oracle))} too many"
    check(store, oracle)
    assert not store.health().problems, store.health().problems
    os.write(ready, f"{len(oracle)}\n".encode())
    while True:
        ids, deletes, a, b = operation(seed, step)
        os.write(journal, f"begin {step}\n".encode())
        if deletes:
            store.delete(ids)
        else:
            store.upsert(ids, {"a": a, "b": b}, {"step": [step] * len(ids)})
        os.write(journal, f"done {step}\n".encode())
        step += 1


def kill_one(folder, seed, chance):
    """Start a child and kill it; the records it found, -1 where it was killed before it looked."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            work(folder, seed, writer)
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(1)
    os.close(writer)
    early = chance.random() < 0.2
    if not early:
        select.select([reader], [], [], 60)  # readable too when the child has died
    time.sleep(chance.random() * 0.3)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    said = os.read(reader, 100)
    os.close(reader)
    if not os.WIFSIGNALED(status):
        raise SystemExit("the store is not what it must be")
    if not said and not early:
        raise SystemExit("the child did not open the store within 60 seconds")
    return int(said or b"-1")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--kills", type=int, default=24)
    arguments.add_argument("--seed", type=int, default=0)
    options = arguments.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(options.seed)
    looked = 0
    for _ in range(options.kills):
        looked += kill_one(options.folder, options.seed, chance) >= 0
    _, _, operations = replay(options.seed, options.folder / "journal")
    print(f"{options.kills} kills, {looked} comparisons, {operations} operations, nothing lost")


if __name__ == "__main__":
    main()
