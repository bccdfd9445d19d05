"""Values and keys as TOML text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def value_text(value: object) -> str:
    """A value as it would stand in a TOML file: `"30m"`, `0.95`, `["a", "b"]`, `{ view = 1 }`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{key_text(k)} = {value_text(v)}" for k, v in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(value_text(v) for v in value)}]"
    if isinstance(value, float) and value.is_integer():
        return f"{value:.1f}"
    return str(value)


def key_text(key: str) -> str:
    """A key as it would stand in a TOML file, in quotes where it needs them."""
    return key if _BARE.fullmatch(key) else _quoted(key)


def dotted(path: Iterable[str]) -> str:
    """The full name of a key: `data.events.weights."add to cart"`."""
    return ".".join(map(key_text, path))


def comment_text(text: str) -> str:
    """Text made fit for a comment: one line, no control characters."""
    return "".join(c if c.isprintable() else " " for c in text)


def _quoted(text: str) -> str:
    # JSON's escapes are TOML's, except that TOML also wants DEL escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
