"""Reads `shortlist.toml` into a `Config`, or says exactly which key of it is wrong."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Literal, NoReturn, Union, get_args, get_origin

import msgspec
from msgspec import NODEFAULT
from msgspec.structs import FieldInfo

from shortlist.config.features import DEFAULTS, FeatureOrSwitch, FeatureSection
from shortlist.config.reference import without_none
from shortlist.config.retrievers import TextEncoderRetriever
from shortlist.config.rules import check_rules
from shortlist.config.schema import Config, Retriever, Section
from shortlist.config.toml import key_text, value_text
from shortlist.core.errors import ConfigError, did_you_mean

FILE = "shortlist.toml"
RETRIEVERS: dict[str, type[Section]] = {
    str(kind.__struct_config__.tag): kind for kind in get_args(Retriever)
}
_EXPECTED = {
    str: "text in quotes",
    int: "a whole number",
    float: "a number",
    bool: "true or false, without quotes",
    list[str]: "a list of text",
    list[int]: "a list of whole numbers",
    list[float]: "a list of numbers",
    dict[str, float]: "a table of numbers",
}
KeyPath = tuple[str, ...]


def load_config(folder: Path) -> Config:
    """The config of a project folder.

    Raises:
        ConfigError: there is no `shortlist.toml`, it is not TOML, or a key of it is unknown, of
            the wrong type, out of range, or refers to something that the file does not define.
            The message names the file, the key, the value and the remedy.
    """
    path = folder / FILE
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigError(
            f"there is no {FILE} in {str(folder.absolute())!r}.",
            remedy="Name the project folder, or make one with "
            "`shortlist init --events EVENTS --items ITEMS FOLDER`.",
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"byte {error.start} is not UTF-8.", remedy="Save the file as UTF-8.", where=str(path)
        ) from None
    except OSError as error:
        raise ConfigError(
            f"the file cannot be read: {error.strerror}.",
            remedy="Check that it is a file and that you may read it.",
            where=str(path),
        ) from None
    return _placed(parse_config(text, where=str(path)), folder)


def _placed(config: Config, folder: Path) -> Config:
    """The config with models' folders (`./model`) found from the project folder."""
    retrievers = {
        name: msgspec.structs.replace(retriever, model=str((folder / retriever.model).resolve()))
        if isinstance(retriever, TextEncoderRetriever) and retriever.model.startswith(".")
        else retriever
        for name, retriever in config.retrievers.items()
    }
    return msgspec.structs.replace(config, retrievers=retrievers)


def parse_config(text: str, where: str = FILE) -> Config:
    """The config that a TOML text says; `where` is what errors call the text.

    Raises:
        ConfigError: as `load_config`.
    """
    try:
        document: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r" \(at line (\d+), column (\d+)\)$", str(error))
        line = f":{at[1]}" if at else f":{len(text.splitlines()) or 1}"
        what = str(error)[: at.start()] if at else str(error)
        raise ConfigError(
            f"this is not TOML: {what[:1].lower()}{what[1:]}"
            + (f" (column {at[2]})." if at else "."),
            remedy="Text needs quotes, a table stands once, and a key stands once in its table.",
            where=where + line,
        ) from None
    try:
        _check_table(Config, document, ())
        _name_kinds(document)
        config = msgspec.convert(document, Config)
        check_rules(config)
    except ConfigError as error:
        raise ConfigError(error.problem, remedy=error.remedy, where=where) from None
    return config


def _name_kinds(document: dict[str, Any]) -> None:
    for name, table in document.get("retrievers", {}).items():
        table.setdefault("kind", name)


def _check_table(kind: type[Section], table: object, path: KeyPath) -> None:
    """Check the keys of a table and the types of its values, in the order of the schema."""
    if not isinstance(table, Mapping):
        raise ConfigError(
            f"{_dotted(path)} = {value_text(table)} is not a table.",
            remedy=f"Write its keys under [{_dotted(path)}].",
        )
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    tag = kind.__struct_config__.tag_field
    for name in table:
        if name not in fields and name != tag:
            _unknown(name, kind, fields, table[name], path)
    for name, field in fields.items():
        if name in table:
            _check_value(field.type, table[name], (*path, name), field)
        elif field.required:
            _missing(name, field, path)


def _check_value(kind: Any, value: object, path: KeyPath, field: FieldInfo) -> None:
    kind = without_none(kind)
    if isinstance(kind, type) and issubclass(kind, Section):
        _check_table(kind, value, path)
    elif kind == Retriever:
        _check_retriever(value, path)
    elif kind == FeatureOrSwitch:
        _check_feature(value, path, field)
    elif get_origin(kind) in (dict, list):
        _check_parts(kind, value, path, field)
    elif get_origin(kind) is Literal:
        options = get_args(kind)
        if value not in options:
            _wrong(value, "one of " + ", ".join(map(value_text, options)), path, field, options)
    elif get_origin(kind) in (Union, UnionType):
        _check_either(kind, value, path, field)
    else:
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError:
            _wrong(value, _EXPECTED[kind], path, field)


def _check_either(kind: Any, value: object, path: KeyPath, field: FieldInfo) -> None:
    """Check a value that is a number (or a list) or one of some words."""
    number, words = get_args(kind)
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        said = " or ".join([_EXPECTED[number], *map(value_text, get_args(words))])
        _wrong(value, said, path, field, get_args(words))


def _check_parts(kind: Any, value: object, path: KeyPath, field: FieldInfo) -> None:
    """Check each part of a list or of a table with free keys."""
    options = get_args(kind)
    if get_origin(kind) is dict:
        if not isinstance(value, Mapping):
            _wrong(value, "a table", path, field)
        for name, part in value.items():
            _check_value(options[1], part, (*path, name), field)
    else:
        if not isinstance(value, list):
            _wrong(value, "a list", path, field)
        for number, part in enumerate(value):
            _check_value(options[0], part, (*path[:-1], f"{path[-1]}[{number}]"), field)


def _check_retriever(table: object, path: KeyPath) -> None:
    """`[retrievers.NAME]`: NAME is the kind unless `kind` says otherwise."""
    if not isinstance(table, Mapping):
        _check_table(Section, table, path)
        return
    kind = table.get("kind", path[-1])
    if not isinstance(kind, str) or kind not in RETRIEVERS:
        said = f"{_dotted(path)}.kind = {value_text(kind)}" if "kind" in table else _dotted(path)
        hint = did_you_mean(str(kind), RETRIEVERS)
        known = ", ".join(map(value_text, sorted(RETRIEVERS)))
        raise ConfigError(
            f"{said} is not a kind of retriever.",
            remedy=f"{hint} The table's name is the kind unless it has a key `kind`, "
            f"which is one of {known}.",
        )
    _check_table(RETRIEVERS[kind], table, path)


def _check_feature(value: object, path: KeyPath, field: FieldInfo) -> None:
    """`[features.NAME]`, or `features.defaults`."""
    if path[-1] != DEFAULTS:
        _check_table(FeatureSection, value, path)
    elif not isinstance(value, bool):
        _wrong(value, _EXPECTED[bool], path, field)


def _unknown(
    name: str, kind: type[Section], fields: Mapping[str, FieldInfo], value: object, path: KeyPath
) -> NoReturn:
    table = f"[{_dotted(path)}]" if path else "the file"
    noun = "table" if isinstance(value, Mapping) and not path else "key"
    known = [*fields, *([kind.__struct_config__.tag_field] if kind in RETRIEVERS.values() else [])]
    raise ConfigError(
        f"{_dotted((*path, name))} is not a {noun} that {table} knows "
        f"(its value is {value_text(value)}).",
        remedy=did_you_mean(name, [str(k) for k in known]),
    )


def _missing(name: str, field: FieldInfo, path: KeyPath) -> NoReturn:
    full = (*path, name)
    if isinstance(field.type, type) and issubclass(field.type, Section):
        raise ConfigError(f"the table [{_dotted(full)}] is missing.", remedy=_about_table(full))
    raise ConfigError(
        f"{_dotted(full)} is missing.",
        remedy=f"Write {key_text(name)} = … ({_EXPECTED[field.type]}) under [{_dotted(path)}].",
    )


def _about_table(path: KeyPath) -> str:
    if path == ("project",):
        return 'Write [project] with name = "…".'
    return 'Write [data.events] with path = "…" and the columns of user, item and time.'


def _wrong(
    value: object,
    expected: str,
    path: KeyPath,
    field: FieldInfo,
    options: tuple[Any, ...] = (),
) -> NoReturn:
    hint = ""
    if options and isinstance(value, str):
        near = did_you_mean(value, map(str, options))
        hint = f" {near}" if near.startswith("Did") else ""
    elif field.default is not NODEFAULT and field.default != "" and path[-1] == field.name:
        hint = f" For example: {field.name} = {value_text(field.default)}."
    raise ConfigError(
        f"{_dotted(path)} = {value_text(value)} is not {expected}.",
        remedy=f"Write {expected}.{hint}",
    )


def _dotted(path: KeyPath) -> str:
    """A dotted name whose parts may carry a list position, which is not quoted."""
    parts = [re.fullmatch(r"(.+)(\[\d+\])", part, re.DOTALL) for part in path]
    return ".".join(
        f"{key_text(indexed[1])}{indexed[2]}" if indexed else key_text(part)
        for part, indexed in zip(path, parts, strict=True)
    )
