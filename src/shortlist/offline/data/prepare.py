"""Prepare: the lake and the items source become what training reads.

Everything relational is an Ibis expression that DuckDB runs, spilling to disk past its memory
limit; Python sees item ids, once, to build the vocabulary, and counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow.parquet as pq
from ibis import _
from msgspec import structs

from shortlist.config.features import uncounted
from shortlist.config.schema import Config
from shortlist.core.catalogue import Catalogue
from shortlist.core.context import COLUMN
from shortlist.core.errors import DataError
from shortlist.core.progress import Progress
from shortlist.core.times import DAY, iso, parse_span
from shortlist.core.users import USERS
from shortlist.core.vocabulary import Vocabulary
from shortlist.offline.data.engine import counted, engine, quote, stored
from shortlist.offline.data.files import sync, sync_tree, write_json
from shortlist.offline.data.items import (
    ITEM_ID,
    ITEM_ROW,
    bare_catalogue,
    build_catalogue,
    item_rows,
    read_items,
)
from shortlist.offline.data.kinds import Kinds
from shortlist.offline.data.lake import Lake
from shortlist.offline.data.live import with_written, written_items
from shortlist.offline.data.prepared import MOST_VALUES, OTHERS, Counts, Prepared, Summary
from shortlist.offline.data.quality import keep_good
from shortlist.offline.data.queries import read_queries
from shortlist.offline.data.split import newest_days
from shortlist.offline.data.users import read_users

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend


def prepare(config: Config, folder: Path, progress: Progress) -> Prepared:
    """Make `.shortlist/prepared` from the lake and the items source.

    Args:
        config: the project's configuration.
        folder: the project folder.
        progress: told of steps and of what was left out.

    Raises:
        DataError: no event can be used, the items source cannot be read or names an item twice,
            or the holdout leaves nothing to train on. What was prepared before stays.
    """
    state = folder / ".shortlist"
    final, fresh, retired = (state / name for name in ("prepared", "prepared.tmp", "prepared.old"))
    _recover(final, fresh, retired)
    fresh.mkdir(parents=True)
    with engine(state / "prepare.scratch") as con:
        _Preparation(config, folder, con, progress, fresh).run()
    sync_tree(fresh)
    if final.exists():
        final.replace(retired)
    fresh.replace(final)
    sync(state)
    rmtree(retired, ignore_errors=True)
    return Prepared.load(folder)


def _recover(final: Path, fresh: Path, retired: Path) -> None:
    """Undo what a run that was killed left behind."""
    if retired.exists() and not final.exists():
        retired.replace(final)
    rmtree(retired, ignore_errors=True)
    rmtree(fresh, ignore_errors=True)


class _Preparation:
    """The steps of one run, in order."""

    def __init__(
        self, config: Config, folder: Path, con: Backend, progress: Progress, out: Path
    ) -> None:
        self.config, self.folder, self.con, self.progress = config, folder, con, progress
        self.out = out
        self.contexts = [COLUMN + name for name in config.data.events.context]

    def run(self) -> Summary:
        """All steps."""
        self.progress.step("prepare", 5)
        lake, events = self._lake()
        kinds = Kinds.of(self.con, lake, self.config.data.events)
        countable = [
            name for name, weight in zip(kinds.names, kinds.weights, strict=True) if weight
        ]
        section = self.config.data.events
        named = uncounted(self.config.features, section.weights, section.impression)
        kept = lake.filter(lake.kind.isin([*countable, kinds.impression, *named]))
        catalogue, without_id = self._catalogue(kept)
        catalogue.save(self.out / "catalogue")
        self._user_table()
        if self.config.data.queries is not None:
            queries = read_queries(self.config.data.queries, self.folder, catalogue.vocabulary)
            queries.save(self.out)
            self.progress.note(
                f"{len(queries):,} queries, {len(queries.clicked()):,} of them led to an item"
            )
        self.progress.advance(1)

        known = kept.inner_join(item_rows(self.con, catalogue.vocabulary), [("item", ITEM_ID)])
        users = self._users(known)
        self.progress.advance(1)
        coded = known.inner_join(users, [("user", "user_id")]).select(
            user="user_row",
            item=ITEM_ROW,
            time=_.time,
            kind=kinds.code(_.kind),
            position=_.position,
            request=_.request.fill_null(_.user + ":" + _.time.cast("string")),
            propensity=_.propensity,
            variants=_.variants,
            **{name: known[name] for name in self.contexts},
        )
        terms = self._terms(coded)
        interactions = self._interactions(coded, kinds)
        self.progress.advance(1)
        sessions = self._write_interactions(interactions, kinds)
        self.progress.advance(1)
        impressions = self._write_impressions(coded, kinds)
        others = self._write_others(coded, kinds, named)
        self.progress.advance(1)

        weightless = events - counted(self.con, kept)
        rows = counted(self.con, interactions)
        counts = Counts(
            events=events,
            interactions=rows,
            impressions=impressions,
            users=counted(self.con, users),
            items=len(catalogue),
            available=int(catalogue.available.sum()),
            sessions=sessions,
            unknown_items=events - weightless - rows - impressions - others,
            weightless=weightless,
            items_without_id=without_id,
            others=others,
        )
        self._note(counts)
        summary = structs.replace(self._summary(interactions, counts), contexts=terms)
        write_json(self.out / "summary.json", summary)
        return summary

    def _lake(self) -> tuple[ir.Table, int]:
        lake = Lake(self.folder)
        files = lake.manifest().files
        if not files:
            raise DataError(
                "the log is empty: no usable event has been collected.",
                remedy="Check the file, and what `shortlist check` says about it.",
                where="data.events",
            )
        paths = [str(lake.folder / file.path) for file in files]
        missing = [path for path in paths if not Path(path).exists()]
        if missing:
            raise DataError(
                "the lake's manifest names a file that is not there.",
                remedy=f"Remove {lake.folder} and collect again.",
                where=missing[0],
            )
        table = self.con.read_parquet(paths, hive_partitioning=False)
        return table, sum(file.rows for file in files)

    def _catalogue(self, kept: ir.Table) -> tuple[Catalogue, int]:
        section = self.config.data.items
        previous = _previous_vocabulary(self.folder)
        written = written_items(self.folder)
        taken = written[-1].sequence if written else 0
        if section is None:
            distinct = kept.select(id=kept.item).distinct().order_by("id")
            ids = self.con.to_pyarrow(distinct)["id"].to_pylist()
            ids += sorted({item.id for item in written} - set(ids))
            return replace(bare_catalogue(_extended(previous, ids)), taken=taken), 0
        items = read_items(self.con, section, self.folder)
        without_id = counted(self.con, items.filter(items[ITEM_ID].isnull()))
        items = items.drop_null(ITEM_ID)
        if written:
            items = with_written(self.con, items, section, self.folder, written)
            self.progress.note(f"{len(written):,} items were written while serving")
        if section.quality is not None:
            verdict = keep_good(self.con, items, section, ITEM_ID, self.folder, self.progress)
            items = verdict.items
            for line in verdict.lines:
                self.progress.note(line)
        distinct = items.select(ITEM_ID).order_by(ITEM_ID)
        ids = self.con.to_pyarrow(distinct)[ITEM_ID].to_pylist()
        if not ids:
            raise DataError("there is no item in it.", remedy="Check the file.", where=section.path)
        vocabulary = _extended(previous, ids)
        catalogue = build_catalogue(self.con, items, section, vocabulary)
        return replace(catalogue, taken=taken), without_id

    def _user_table(self) -> None:
        """Write what is known of users, where the configuration names it."""
        section = self.config.data.users
        if section is None or not section.attributes:
            return
        table, without_id = read_users(self.con, section, self.folder)
        table.save(self.out / USERS)
        left = f"; {without_id:,} rows left out: they have no id" if without_id else ""
        self.progress.note(f"attributes of {len(table):,} users{left}")

    def _users(self, known: ir.Table) -> ir.Table:
        """The users of known items, in the order of their ids; also written."""
        users = known.select(user_id="user").distinct()
        place = ibis.row_number().over(order_by=users.user_id).cast("int32")
        users = stored(self.con, users.mutate(user_row=place).order_by("user_row"), "users")
        self._write(users.select(row="user_row", id="user_id"), "users")
        return users

    def _terms(self, coded: ir.Table) -> dict[str, list[str]]:
        """The values of each context, in order; of one with too many the commonest.

        They come from whoever posts events too, so that many of them stop no training.
        """
        terms = {}
        for name, column in zip(self.config.data.events.context, self.contexts, strict=True):
            values = coded.select(value=coded[column]).drop_null()
            counted = values.group_by("value").aggregate(events=_.count())
            commonest = counted.order_by(_.events.desc(), _.value).limit(MOST_VALUES + 1)
            told = self.con.to_pyarrow(commonest)["value"].to_pylist()
            if len(told) > MOST_VALUES:
                self.progress.note(
                    f"the context {name!r} has more than {MOST_VALUES:,} different values: all but "
                    "the commonest are taken for none"
                )
            terms[name] = sorted(told[:MOST_VALUES])
        return terms

    def _interactions(self, coded: ir.Table, kinds: Kinds) -> ir.Table:
        """Interactions as a table in the order of user, time, item."""
        weighted = coded.mutate(weight=kinds.weight(coded.kind))
        columns = ("user", "item", "time", "weight", "kind", *self.contexts)
        chosen = weighted.filter(weighted.weight > 0).select(*columns)
        ordered = chosen.order_by("user", "time", "item", "kind")
        interactions = stored(self.con, ordered, "interactions")
        if not counted(self.con, interactions):
            raise DataError(
                "no event counts: none is of a known item and of a kind with a weight.",
                remedy="Compare the ids in events and items, and `weights` with the kinds that"
                " occur (`shortlist check` does both).",
                where="data.events",
            )
        return interactions

    def _write_interactions(self, interactions: ir.Table, kinds: Kinds) -> int:
        """Number the sessions and write; how many sessions there are."""
        # Windows without an order run over the table as it was stored, in one streaming pass.
        stored, gap = ibis.window(), parse_span(self.config.prepare.session_gap)
        user, time = interactions.user, interactions.time
        goes_on = (user == user.lag().over(stored)) & (time - time.lag().over(stored) <= gap)
        # Floats, because DuckDB sums integers to 128 bits, which Parquet has no type for.
        marked = interactions.mutate(starts=ibis.ifelse(goes_on, 0.0, 1.0))
        session = marked.starts.sum().over(ibis.cumulative_window()) - 1
        numbered = marked.mutate(kind=kinds.name(marked.kind), session=session.cast("int64"))
        self._write(numbered.drop("starts"), "interactions")
        written = self.con.read_parquet(self.out / "interactions.parquet")
        return int(self.con.to_pyarrow(written.session.max()).as_py()) + 1

    def _write_impressions(self, coded: ir.Table, kinds: Kinds) -> int:
        shown = coded.filter(coded.kind == kinds.impression_code)
        columns = ("user", "item", "time", "position", "request", "propensity", "variants")
        order = ("time", "request", "user", "position", "item")
        self._write(shown.select(*columns, *self.contexts).order_by(*order), "impressions")
        rows: int = pq.read_metadata(self.out / "impressions.parquet").num_rows
        return rows

    def _write_others(self, coded: ir.Table, kinds: Kinds, named: Sequence[str]) -> int:
        """Write what features count beside interactions; how many are no impressions."""
        if not named:
            return 0
        others = coded.mutate(kind=kinds.name(coded.kind)).filter(_.kind.isin(named))
        others = others.select("user", "item", "time", "kind", *self.contexts)
        self._write(others.order_by("time", "user", "item", "kind"), Path(OTHERS).stem)
        return counted(self.con, others.filter(_.kind != kinds.impression))

    def _summary(self, interactions: ir.Table, counts: Counts) -> Summary:
        span = self.config.prepare.holdout
        bounds = interactions.aggregate(oldest=_.time.min(), newest=_.time.max())
        oldest, newest = self.con.to_pyarrow(bounds).to_pylist()[0].values()
        age = ((newest - interactions.time) // DAY).cast("int64")
        per_day = self.con.to_pyarrow(interactions.group_by(age=age).aggregate(events=_.count()))
        events = np.zeros((newest - oldest) // DAY + 1, np.int64)
        events[per_day["age"].to_numpy()] = per_day["events"].to_numpy()
        if span == "auto":
            split = newest_days(events, oldest, newest)
        else:
            split = newest + 1 - parse_span(span)
        if split <= oldest:
            raise DataError(
                f"the holdout of {span} is all of the log, from {iso(oldest)} to {iso(newest)}.",
                remedy="Shorten it, or write `auto`.",
                where="prepare.holdout",
            )
        return Summary(
            counts=counts,
            watermark=newest,
            split=split,
            min_item_events=self.config.prepare.min_item_events,
            min_user_events=self.config.prepare.min_user_events,
        )

    def _note(self, counts: Counts) -> None:
        self.progress.note(
            f"{counts.interactions:,} interactions and {counts.impressions:,} impressions of"
            f" {counts.users:,} users with {counts.items:,} items in {counts.sessions:,} sessions"
        )
        for count, what in (
            (counts.unknown_items, "events left out: the items source does not have their item"),
            (counts.weightless, "events left out: their kind counts 0"),
            (counts.items_without_id, "items left out: they have no id"),
        ):
            if count:
                self.progress.note(f"{count:,} {what}")

    def _write(self, table: ir.Table, name: str) -> None:
        path = self.out / f"{name}.parquet"
        self.con.raw_sql(f"COPY ({self.con.compile(table)}) TO {quote(path)} (FORMAT parquet)")


def _extended(previous: Vocabulary | None, ids: list[str]) -> Vocabulary:
    return Vocabulary.of(ids) if previous is None else previous.extend(ids)


def _previous_vocabulary(folder: Path) -> Vocabulary | None:
    """The vocabulary whose rows must be kept: the last prepared one, else the current release's."""
    state = folder / ".shortlist"
    pointer = state / "releases" / "current"
    candidates = [state / "prepared"]
    if pointer.is_file():
        candidates.append(state / "releases" / pointer.read_text().strip())
    for candidate in candidates:
        path = candidate / "catalogue" / "vocabulary"
        if path.is_dir():
            return Vocabulary.load(path)
    return None
