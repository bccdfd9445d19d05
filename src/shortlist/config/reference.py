"""The reference of `shortlist.toml`, made from the docstrings of the schema."""

from __future__ import annotations

import inspect
import re
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import NODEFAULT
from msgspec.structs import FieldInfo

from shortlist.config.experiments import ExperimentSection, VariantSection
from shortlist.config.features import FeatureOrSwitch, FeatureSection
from shortlist.config.schema import Config, Retriever, Section
from shortlist.config.toml import value_text

_TYPES = {str: "text", int: "whole number", float: "number", bool: "true or false"}
_INTRODUCTION = """\
# shortlist.toml

Every table and key of a project's settings. `shortlist init` writes a file with all of them; a
key that is left out has the default given here. An unknown key, a wrong type or a value out of
range is an error that names the key, the value and the remedy. This page is made from the
schema's docstrings by `python -m shortlist.config.reference`.

**Spans** of time are a number and a unit: `30s`, `30m`, `1.5h`, `7d`, `2w`.
"""
_SWITCH = """\
`[features]` has one key of its own: with `defaults = false` rankers get the declared features only.
"""


def describe(section: type[Section]) -> dict[str, str]:
    """What each key of a table means, from the `Attributes:` of its docstring."""
    _, _, block = inspect.cleandoc(section.__doc__ or "").partition("Attributes:\n")
    meanings: dict[str, str] = {}
    name = ""
    for line in block.splitlines():
        key = re.match(r" {4}(\w+): (.*)", line)
        if key:
            name = key[1]
            meanings[name] = key[2]
        elif line.strip():
            meanings[name] += " " + line.strip()
    return meanings


def reference() -> str:
    """The page as Markdown."""
    parts = [_INTRODUCTION]
    _tables(Config, "", parts)
    return "\n".join(parts).rstrip() + "\n"


def _tables(section: type[Section], path: str, parts: list[str]) -> None:
    for field in msgspec.structs.fields(section):
        key = f"{path}{field.name}"
        kind = without_none(field.type)
        if isinstance(kind, type) and issubclass(kind, Section):
            inner = [without_none(f.type) for f in msgspec.structs.fields(kind)]
            if all(isinstance(t, type) and issubclass(t, Section) for t in inner):
                _tables(kind, f"{key}.", parts)
            else:
                parts += _table(f"[{key}]", kind)
                for name, part in _tables_in(kind):
                    parts += _table(f"[{key}.{name}]", part)
                for name, part in _lists_of_tables_in(kind):
                    parts += _table(f"[[{key}.{name}]]", part)
        elif get_args(kind)[1] is ExperimentSection:
            parts += _table(f"[{key}.NAME]", ExperimentSection)
            parts += _table(f"[{key}.NAME.variants.NAME]", VariantSection)
        elif get_args(kind)[1] == FeatureOrSwitch:
            parts += _table(f"[{key}.NAME]", FeatureSection)
            parts.append(_SWITCH)
        else:
            for retriever in get_args(Retriever):
                tag = retriever.__struct_config__.tag
                parts += _table(f"[{key}.{tag}]", retriever)


def _tables_in(section: type[Section]) -> list[tuple[str, type[Section]]]:
    """The keys of a table that are tables, with their types."""
    named = [(f.name, without_none(f.type)) for f in msgspec.structs.fields(section)]
    return [(name, t) for name, t in named if isinstance(t, type) and issubclass(t, Section)]


def _lists_of_tables_in(section: type[Section]) -> list[tuple[str, type[Section]]]:
    """The keys of a table that are lists of tables, with the type of one."""
    fields = msgspec.structs.fields(section)
    named = [(f.name, get_args(f.type)[0]) for f in fields if get_origin(f.type) is list]
    return [(name, t) for name, t in named if isinstance(t, type) and issubclass(t, Section)]


def _table(title: str, section: type[Section]) -> list[str]:
    summary = inspect.cleandoc(section.__doc__ or "").partition("Attributes:")[0]
    about = re.sub(r"^`[^`]*`:?\s*", "", " ".join(summary.split()))
    lines = [f"## `{title}`\n"]
    if about:
        lines.append(f"{about[:1].upper()}{about[1:]}\n")
    lines += ["| key | type | default | meaning |", "|---|---|---|---|"]
    meanings = describe(section)
    inner = {name for name, _ in _tables_in(section) + _lists_of_tables_in(section)}
    for field in msgspec.structs.fields(section):
        if field.name in inner:
            continue
        meaning = meanings[field.name].replace("|", "\\|")
        lines.append(f"| `{field.name}` | {_type(field.type)} | {_default(field)} | {meaning} |")
    return [*lines, ""]


def without_none(kind: Any) -> Any:
    """A type without its None."""
    if get_origin(kind) in (Union, UnionType) and NoneType in get_args(kind):
        (kind,) = (option for option in get_args(kind) if option is not NoneType)
    return kind


def _type(kind: Any) -> str:
    if get_origin(kind) in (Union, UnionType):
        return " or ".join(map(_type, get_args(kind)))
    if get_origin(kind) is Literal:
        return " or ".join(f"`{value_text(option)}`" for option in get_args(kind))
    if get_origin(kind) is list:
        return f"list of {_TYPES[get_args(kind)[0]]}{'' if get_args(kind)[0] is str else 's'}"
    if get_origin(kind) is dict and get_args(kind)[1] not in _TYPES:
        return "tables"
    if get_origin(kind) is dict:
        return f"table of {_TYPES[get_args(kind)[1]]}s"
    return _TYPES[kind]


def _default(field: FieldInfo) -> str:
    if field.default is not NODEFAULT:
        return f"`{value_text(field.default)}`"
    if callable(field.default_factory):
        return f"`{value_text(field.default_factory())}`"
    return "required"


if __name__ == "__main__":
    print(reference(), end="")
