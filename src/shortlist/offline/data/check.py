"""Check: read the data and say what is wrong with it before anything is made from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.types as ir
from ibis import _

from shortlist.config.schema import Config, EventsSection, ItemsSection
from shortlist.core.context import COLUMN
from shortlist.core.errors import DataError, did_you_mean
from shortlist.core.times import now
from shortlist.core.vocabulary import Vocabulary
from shortlist.offline.data.check_features import check_features
from shortlist.offline.data.check_search import check_search
from shortlist.offline.data.collect import event_columns
from shortlist.offline.data.engine import engine, stored, viewed
from shortlist.offline.data.finding import Finding, Severity
from shortlist.offline.data.items import column_kinds, item_columns
from shortlist.offline.data.prepared import MOST_VALUES
from shortlist.offline.data.scan import format_of, read_raw, readable, require_keys
from shortlist.offline.data.source import locate, open_source
from shortlist.offline.data.staging import stage_rows
from shortlist.offline.data.text import check_encoding
from shortlist.offline.data.users import check_users
from shortlist.offline.data.values import as_id

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend

EXAMPLES = 3


@dataclass
class CheckReport:
    """What `check` found.

    Attributes:
        events, items: rows that were read.
        findings: errors first.
    """

    events: int = 0
    items: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return all(finding.severity != "error" for finding in self.findings)


def check(config: Config, folder: Path) -> CheckReport:
    """Read every source that training reads once, and count what is wrong.

    Args:
        config: the project's configuration.
        folder: the project folder.

    A source that cannot be read at all is a finding, like everything else.
    """
    report = CheckReport()
    with engine(folder / ".shortlist" / "check.scratch") as con:
        checks = _Checks(con, folder, report)
        items = checks.items(config.data.items) if config.data.items else None
        events = checks.events(config.data.events, items)
        if config.data.users is not None:
            report.findings += check_users(con, config.data.users, folder, events)
        known = checks.vocabulary(items) if items is not None else None
        report.findings += check_search(con, config, folder, known)
        if report.ok:
            report.findings += check_features(con, config, folder)
    report.findings.sort(key=lambda finding: finding.severity)
    return report


class _Checks:
    """The checks and what they have found so far."""

    def __init__(self, con: Backend, folder: Path, report: CheckReport) -> None:
        self.con, self.folder, self.report = con, folder, report

    def items(self, section: ItemsSection) -> ir.Table | None:
        """Check the items source; its distinct ids, or None when it cannot be read."""
        columns = item_columns(section)
        try:
            table = open_source(self.con, locate(section, self.folder), section.id)
        except DataError as error:
            self._unreadable("data.items.path", error)
            return None
        if not self._has(table.columns, columns, "data.items"):
            return None
        try:
            column_kinds(table, section)
            ids = table.select(id=as_id(table[section.id]))
            with readable(section.path):
                ids = stored(self.con, ids.group_by("id").aggregate(rows=_.count()), "item_ids")
        except DataError as error:
            self._unreadable("data.items.path", error)
            return None
        found = self._one(
            ids.aggregate(
                items=_.rows.sum(),
                null=_.rows.sum(where=_.id.isnull()),
                twice=_.count(where=_.id.notnull() & (_.rows > 1)),
                **_examples("twice", ids.id, ids.id.notnull() & (ids.rows > 1)),
            )
        )
        self.report.items = found["items"] or 0
        if not self.report.items:
            self._add("error", "data.items.path", 1, [section.path], "There is no item in it.")
        self._add(
            "warning",
            "data.items.id",
            found["null"],
            ["null"],
            "These rows have no item id and are left out; give them one.",
        )
        self._add(
            "error",
            "data.items.id",
            found["twice"],
            _shown(found, "twice"),
            "These item ids are on several rows; keep one row for each.",
        )
        return ids.filter(ids.id.notnull())

    def vocabulary(self, items: ir.Table) -> Vocabulary:
        """Their ids, to look others up in."""
        return Vocabulary.of(self.con.to_pyarrow(items.order_by("id"))["id"].to_pylist())

    def events(self, section: EventsSection, items: ir.Table | None) -> ir.Table | None:
        """Check the events source, against the item ids where they are known; its rows, or None
        when it cannot be read.
        """
        rows = self._event_rows(section)
        if rows is None:
            return None
        if items is None:
            rows = rows.mutate(unknown=False)
        else:
            known = rows.left_join(items.select(known="id"), [("item", "known")])
            rows = known.mutate(unknown=_.item.notnull() & _.known.isnull())
        wrong = {
            "user": rows.user.isnull(),
            "item": rows.item.isnull(),
            "time": rows.time.isnull(),
            "future": rows.time > now(),
            "unknown": rows.unknown,
        }
        counts = {name: rows.count(where=test) for name, test in wrong.items()}
        examples: dict[str, ir.Value] = {}
        for name, test in wrong.items():
            shown = rows.item if name == "unknown" else rows.example
            examples |= _examples(name, shown, test)
        by_kind = rows.group_by("kind").aggregate(rows=_.count(), **counts, **examples)
        try:
            with readable(section.path):
                kinds = self.con.to_pyarrow(by_kind.order_by("kind")).to_pylist()
        except DataError as error:
            self._unreadable("data.events.path", error)
            return None
        self.report.events = sum(kind["rows"] for kind in kinds)
        if not kinds:
            self._add("error", "data.events.path", 1, [section.path], "There is no event in it.")
        for name, key, remedy in _EVENT_FAULTS:
            total = sum(kind[name] for kind in kinds)
            shown_rows = [text for kind in kinds for text in _shown(kind, name)]
            self._add("warning", key, total, shown_rows, remedy)
        self._kinds(section, {kind["kind"]: kind["rows"] for kind in kinds})
        self._contexts(section, rows)
        return rows

    def _event_rows(self, section: EventsSection) -> ir.Table | None:
        columns = event_columns(section)
        try:
            source = locate(section, self.folder)
            if source.is_database:
                table = open_source(self.con, source)
                if not self._has(table.columns, columns, "data.events"):
                    return None
                return self._row(table, columns, source.table)
            tables = []
            for file in source.files:
                if format_of(file) != "parquet":
                    check_encoding(file)
                require_keys(self.con, file, columns, str(file))
                view = ibis.util.gen_name("events")
                table = viewed(self.con, read_raw(file, columns), view)
                tables.append(self._row(table, columns, file.name))
        except DataError as error:
            self._unreadable("data.events.path", error)
            return None
        return tables[0] if len(tables) == 1 else ibis.union(*tables)

    def _row(self, table: ir.Table, columns: dict[str, str], name: str) -> ir.Table:
        rows = stage_rows(table, columns, name, floor=None, since=None)
        contexts = [column for column in rows.columns if column.startswith(COLUMN)]
        return rows.select("user", "item", "time", "kind", "example", *contexts)

    def _kinds(self, section: EventsSection, rows: dict[str, int]) -> None:
        expected = {*section.weights, section.impression}
        silent = sorted(kind for kind in rows if section.weights and kind not in expected)
        self._add(
            "warning",
            "data.events.weights",
            sum(rows[kind] for kind in silent),
            silent,
            "Events of these kinds count 0: give the kinds a weight if they should count.",
        )
        absent = sorted(kind for kind in section.weights if kind not in rows)
        self._add(
            "warning",
            "data.events.weights",
            len(absent),
            absent,
            f"These kinds never occur. Kinds that do: {', '.join(sorted(rows)[:10])}.",
        )
        counting = sum(
            count
            for kind, count in rows.items()
            if kind != section.impression
            and section.weights.get(kind, 0.0 if section.weights else 1.0) > 0
        )
        if rows and not counting:
            self._add(
                "error",
                "data.events.weights",
                sum(rows.values()),
                sorted(rows),
                "No event counts: give at least one of the kinds that occur a weight above 0.",
            )

    def _contexts(self, section: EventsSection, rows: ir.Table) -> None:
        for name in section.context:
            values = rows.select(value=rows[COLUMN + name]).drop_null().distinct()
            told = self.con.to_pyarrow(values.limit(MOST_VALUES + 1))["value"].to_pylist()
            if len(told) > MOST_VALUES:
                self._add(
                    "warning",
                    "data.events.context",
                    len(told),
                    [name, *sorted(told)],
                    f"A context has at most {MOST_VALUES:,} different values, and all but the "
                    "commonest are taken for none. Take the column out, or write coarser ones.",
                )
            elif not told:
                remedy = "No event has a value in this column; take it out."
                self._add("warning", "data.events.context", 1, [name], remedy)

    def _has(self, known: tuple[str, ...], columns: dict[str, str], section: str) -> bool:
        absent = {key: name for key, name in columns.items() if name not in known}
        for key, name in absent.items():
            remedy = f"There is no such column. {did_you_mean(name, known)}"
            role, _, _ = key.partition(".")
            self._add("error", f"{section}.{role}", 1, [name], remedy)
        return not absent

    def _unreadable(self, key: str, error: DataError) -> None:
        self.report.findings.append(Finding.of(key, error))

    def _add(
        self, severity: Severity, key: str, count: int | None, examples: list[str], remedy: str
    ) -> None:
        if count:
            self.report.findings.append(Finding(severity, key, count, examples[:EXAMPLES], remedy))

    def _one(self, table: ir.Table) -> dict[str, Any]:
        row: dict[str, Any] = self.con.to_pyarrow(table).to_pylist()[0]
        return row


def _examples(name: str, shown: ir.Column, where: ir.BooleanValue) -> dict[str, ir.Value]:
    """Aggregates that pick two of the rows that a test holds for."""
    return {f"{name}_low": shown.min(where=where), f"{name}_high": shown.max(where=where)}


def _shown(row: dict[str, Any], name: str) -> list[str]:
    both = (row[f"{name}_low"], row[f"{name}_high"])
    return list(dict.fromkeys(text for text in both if text is not None))


_EVENT_FAULTS = (
    ("user", "data.events.user", "These events have no user id and are left out."),
    ("item", "data.events.item", "These events have no item id and are left out."),
    (
        "time",
        "data.events.time",
        "These events have no time that can be read and are left out. Write ISO 8601 text or"
        " numbers of seconds, milliseconds or microseconds since 1970.",
    ),
    (
        "future",
        "data.events.time",
        "These events are later than now. Correct their times: the newest events are what"
        " evaluation is on, and recency is counted from them.",
    ),
    (
        "unknown",
        "data.events.item",
        "The items source does not have the items of these events, which are left out. Add the"
        " items, or check that both sources write ids alike.",
    ),
)
