"""Writes a guess as a commented `shortlist.toml`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from shortlist.config.load import RETRIEVERS
from shortlist.config.reference import describe
from shortlist.config.samples import Guess
from shortlist.config.schema import (
    ArrangeSection,
    EvaluateSection,
    EventsSection,
    IndexSection,
    ItemsSection,
    KnowledgeSection,
    PrepareSection,
    QueriesSection,
    RankerSection,
    ReleasesSection,
    SearchSection,
    Section,
    ServeSection,
    TextSection,
    UsersSection,
)
from shortlist.config.toml import comment_text, value_text

_OPTIONAL: list[tuple[str, type[Section]]] = [
    ("prepare", PrepareSection),
    ("index", IndexSection),
    ("text", TextSection),
    ("search", SearchSection),
    ("ranker", RankerSection),
    ("arrange", ArrangeSection),
    ("serve", ServeSection),
    ("evaluate", EvaluateSection),
    ("releases", ReleasesSection),
]

_SOURCES: list[tuple[str, str, type[Section]]] = [
    ("data.users", "users.parquet", UsersSection),
    ("data.queries", "queries.parquet", QueriesSection),
    ("data.knowledge", "knowledge.parquet", KnowledgeSection),
]
_BESIDES = [
    "# What else there may be. Attributes of users are for features to read. A log of what people",
    "# searched for and clicked teaches search to rank, to spell and to complete. A graph of what",
    "# is known (head, relation, tail) leads searches from what they name to items near it.",
]

_RETRIEVERS = [
    "# Retrievers. Without any of these tables, training chooses a few that fit the data and says",
    "# why. With any, it fits exactly those. A table's name is the kind of the retriever unless",
    "# `kind` says otherwise.",
]


def write_toml(
    guess: Guess, *, name: str, folder: Path, events: str, items: str | None = None
) -> str:
    """The text of a `shortlist.toml` that says what was guessed and why.

    Args:
        guess: the columns.
        name: the project's name.
        folder: the project folder; paths are written relative to it where the file is below it
            or beside it, else absolute.
        events: the event log as the person named it: a path, a glob or a database URL.
        items: the catalogue likewise; None without one.

    Returns:
        TOML that `config.load` accepts. Every guess carries its reason, what could not be told
        stands where it would go, and every optional key is there, commented out.
    """
    lines = [
        "# The project's settings. Lines that start with `#` and a key show the default.",
        "",
        "[project]",
        f"name = {value_text(name)}",
        "# seed = 0",
        "",
        "[data.events]",
        f"path = {value_text(project_path(events, folder))}",
        *_guessed("data.events", EventsSection, guess),
    ]
    if items is not None:
        lines += [
            "",
            "[data.items]",
            f"path = {value_text(project_path(items, folder))}",
            *_guessed("data.items", ItemsSection, guess),
        ]
    lines += ["", *_BESIDES]
    for table, path, section in _SOURCES:
        lines += [f"# [{table}]", f"# path = {value_text(path)}", *_defaults(section), ""]
    lines.pop()
    for table, section in _OPTIONAL[:4]:
        lines += ["", f"[{table}]", *_defaults(section)]
    lines += ["", *_RETRIEVERS]
    for kind, section in RETRIEVERS.items():
        lines += [f"# [retrievers.{kind}]", *_defaults(section), ""]
    for table, section in _OPTIONAL[4:]:
        lines += [f"[{table}]", *_defaults(section), ""]
    return "\n".join(lines).rstrip() + "\n"


def project_path(path: str, folder: Path) -> str:
    """A path as it is best written in the project: relative to it where it is near.

    Relative paths are taken from the current folder. URLs stay as they are.
    """
    if "://" in path:
        return path
    file, home = Path(os.path.abspath(path)), Path(os.path.abspath(folder))  # noqa: PTH100
    if file.is_relative_to(home):
        return file.relative_to(home).as_posix()
    if home.parent != Path(home.anchor) and file.is_relative_to(home.parent):
        return "../" + file.relative_to(home.parent).as_posix()
    return str(file)


def _guessed(table: str, section: type[Section], guess: Guess) -> Iterator[str]:
    meanings = describe(section)
    for field in msgspec.structs.fields(section):
        if field.name == "path" or field.default is None:  # a table of its own
            continue
        key = f"{table}.{field.name}"
        for doubt in guess.doubts:
            if doubt.key == key:
                yield f"# ? {field.name}: {comment_text(doubt.why)}."
        choice = guess.choice(key)
        if choice:
            yield f"{field.name} = {value_text(choice.value)}  # {comment_text(choice.why)}"
        else:
            yield _default(field.name, field.default, field.default_factory, meanings)


def _defaults(section: type[Section]) -> Iterator[str]:
    meanings = describe(section)
    for field in msgspec.structs.fields(section):
        if field.default is None or field.required:  # a table of its own, or what has no default
            continue
        yield _default(field.name, field.default, field.default_factory, meanings)


def _default(name: str, default: object, factory: object, meanings: dict[str, str]) -> str:
    if callable(factory):
        default = factory()
    meaning = comment_text(_short(meanings[name]))
    return f"# {name} = {value_text(default)}  # {meaning}"


def _short(meaning: str) -> str:
    """The first clause of what a key means, without what stands in parentheses."""
    meaning = re.sub(r" \([^)]*\)", "", meaning)
    for stop in (";", ": ", ". "):
        meaning = meaning.partition(stop)[0]
    return meaning.rstrip(".")
