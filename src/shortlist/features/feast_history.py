"""What a Feast repository's offline store said of items and users, as of requests."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shortlist.config.feast import FeastSection
from shortlist.core.errors import DataError
from shortlist.features.remote import Remote

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

SCRIPT = Path(__file__).with_name("feast_script.py")
INSTANT = "event_timestamp"


def history_of(
    features: Sequence[Remote],
    section: FeastSection,
    folder: Path,
    *,
    users: Sequence[str],
    times: NDArray[np.int64],
    request: NDArray[np.int64],
    item: NDArray[np.int32],
    items: Sequence[str],
) -> Mapping[str, ir.Table]:
    """`AsOf.remote`: the values strictly before each request.

    Args:
        features: those of Feast.
        section: `[feast]`.
        folder: the project folder, which `repository` is relative to.
        users: the user's id of each request.
        times: `int64[g]`, the instant of each request, microseconds.
        request, item: `int64[n]` and `int32[n]`, the candidates: places in `users`, and rows.
        items: the id of each row.

    Raises:
        DataError: Feast cannot be asked; what it said.
    """
    import ibis
    import pyarrow as pa

    made: dict[str, ir.Table] = {}
    lines: dict[str, tuple[dict[str, NDArray[np.int64] | NDArray[np.int32]], Sequence[str], str]]
    lines = {
        "item": (
            {"request": request, "item": item},
            [items[row] for row in item.tolist()],
            section.item,
        ),
        "user": ({"request": np.arange(len(users))}, users, section.user),
    }
    for who, (keys, ids, key) in lines.items():
        mine = [feature for feature in features if feature.who == who]
        if not mine:
            continue
        # Feast counts a value of the very instant; here as of means strictly before
        instants = pa.array(times[keys["request"]] - 1).cast(pa.timestamp("us", "UTC"))
        asked = pa.table({key: pa.array(ids, pa.string()), INSTANT: instants})
        told = ibis.memtable(_ask(asked, key, mine, section, folder))
        line = ibis.memtable(pa.table({**keys, key: asked[key], INSTANT: asked[INSTANT]}))
        joined = line.join(told, [key, INSTANT])
        for feature in mine:
            value = joined[_column(feature.ref)].cast("float64")
            made[feature.name] = joined.select(*keys, **{feature.name: value})
    return made


def _column(ref: str) -> str:
    return ref.replace(":", "__", 1)


def _ask(
    asked: pa.Table, key: str, features: Sequence[Remote], section: FeastSection, folder: Path
) -> pa.Table:
    """The features of each entity and instant once, by the interpreter that has Feast."""
    import pyarrow as pa
    from pyarrow.parquet import read_table, write_table

    refs = list(dict.fromkeys(feature.ref for feature in features))
    repository = folder / Path(section.repository).expanduser()
    if not (repository / "feature_store.yaml").is_file():
        raise DataError(
            f"there is no feature_store.yaml in {str(repository)!r}.",
            remedy="Name the folder of a Feast repository.",
            where="feast.repository",
        )
    with tempfile.TemporaryDirectory(prefix="shortlist-feast-") as scratch:
        entities, found = Path(scratch) / "entities.parquet", Path(scratch) / "features.parquet"
        write_table(asked.group_by([key, INSTANT]).aggregate([]), entities)
        python = section.python or sys.executable
        where = str(repository.resolve())
        # by its text: in a folder that it is run from, modules have names that others need
        command = [python, "-", where, str(entities), str(found), *refs]
        script = SCRIPT.read_text()
        try:
            done = subprocess.run(
                command, input=script, cwd=where, capture_output=True, text=True, check=False
            )
        except OSError as error:
            raise DataError(
                f"{python!r} cannot be run ({error.strerror}).",
                remedy="Name a Python that has `feast` installed.",
                where="feast.python",
            ) from error
        if done.returncode:
            raise DataError(
                f"Feast did not give features of the past: {_said(done.stderr)}",
                remedy="Check the repository and the names of features; the interpreter needs "
                "`pip install feast`, of an environment of its own if need be (feast.python).",
                where="feast",
            )
        table = read_table(found)
    instants = table[INSTANT].cast(pa.timestamp("us", "UTC"))
    columns = {_column(ref): table[_column(ref)] for ref in refs}
    return pa.table({key: table[key].cast(pa.string()), INSTANT: instants, **columns})


def _said(errors: str) -> str:
    """The last line of what a program said to its errors."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing."
