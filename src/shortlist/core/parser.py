"""The parser of filter expressions: text to the tree of `core.expression`."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from shortlist.core.errors import RequestError
from shortlist.core.expression import (
    COMPARE,
    Compare,
    Contains,
    Expression,
    Junction,
    Like,
    Literal,
    Member,
    Missing,
    Not,
)

_DEPTH = 64
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>-?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?)
    | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<quoted>`[^`]+`)
    | (?P<word>[^\W\d]\w*)
    | (?P<symbol>==|!=|<=|>=|&&|\|\||[<>!()\[\],])
    )""",
    re.VERBOSE,
)
_MIRROR = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_KEYWORDS = {"and", "or", "not", "in", "like", "is", "null", "true", "false"}
_CONTAINS = ("array_contains", "array_contains_any", "array_contains_all")


@lru_cache(maxsize=1024)
def parse(text: str) -> Expression:
    """The tree of an expression.

    Raises:
        RequestError: the text is not one; names the position and what was expected there.
    """
    return _Parser(text).whole()


class _Parser:
    """Recursive descent; `at` is the index of the next token."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str, int]] = []
        end = 0
        while text[end:].strip():
            match = _TOKEN.match(text, end)
            if not match:
                start = end + len(text[end:]) - len(text[end:].lstrip())
                raise self._error(start, "a name, a value or an operator", text[start])
            kind = str(match.lastgroup)
            self.tokens.append((kind, match[kind], match.start(kind)))
            end = match.end()
        self.at = 0
        self.depth = 0

    def _error(self, position: int, expected: str, found: str) -> RequestError:
        seen = f"found {found!r}" if found else "the expression ended"
        return RequestError(
            f"at character {position + 1}: expected {expected}, {seen}.",
            remedy='Example: lang in ["ko", "en"] and not (price >= 100).',
            where="where",
        )

    def _peek(self) -> tuple[str, str, int]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "", len(self.text))

    def _place(self) -> int:
        return self._peek()[2]

    def _fail(self, expected: str) -> RequestError:
        _, found, position = self._peek()
        return self._error(position, expected, found)

    def _take(self, *words: str) -> str:
        """The next token when it is one of these words or symbols, lower-cased; else empty."""
        kind, text, _ = self._peek()
        if kind in ("word", "symbol") and text.lower() in words:
            self.at += 1
            return text.lower()
        return ""

    def _need(self, word: str) -> None:
        if not self._take(word):
            raise self._fail(f"{word!r}")

    def whole(self) -> Expression:
        expression = self._or()
        if self._peek()[0] != "end":
            raise self._fail("'and', 'or' or the end")
        return expression

    def _or(self) -> Expression:
        return self._junction(self._and, ("or", "||"), every=False)

    def _and(self) -> Expression:
        return self._junction(self._not, ("and", "&&"), every=True)

    def _junction(
        self, part: Callable[[], Expression], words: tuple[str, ...], *, every: bool
    ) -> Expression:
        parts = [part()]
        while self._take(*words):
            parts.append(part())
        return parts[0] if len(parts) == 1 else Junction(tuple(parts), every)

    def _not(self) -> Expression:
        self.depth += 1
        if self.depth > _DEPTH:
            raise self._fail(f"at most {_DEPTH} levels of nesting")
        if self._take("not", "!"):
            inner: Expression = Not(self._not())
        elif self._take("("):
            inner = self._or()
            self._need(")")
        else:
            inner = self._comparison()
        self.depth -= 1
        return inner

    def _comparison(self) -> Expression:
        kind, text, _ = self._peek()
        if kind in ("number", "string") or text.lower() in ("true", "false"):
            return self._value_first(self._place(), self._value())
        if kind == "word" and text.lower() in _CONTAINS:
            self.at += 1
            return self._array(text.lower())
        name = self._name()
        if self._take("in"):
            return Member(name, at=self._place(), values=self._list())
        if self._take("like"):
            return Like(name, at=self._place(), pattern=self._text())
        if self._take("is"):
            negated = self._take("not")
            self._need("null")
            return Not(Missing(name)) if negated else Missing(name)
        if self._take("not"):
            self._need("in")
            return Not(Member(name, at=self._place(), values=self._list()))
        op = self._take(*COMPARE)
        if not op:
            raise self._fail("a comparison (==, !=, <, <=, >, >=, in, like, is)")
        return Compare(name, op, at=self._place(), value=self._value())

    def _value_first(self, at: int, value: Literal) -> Expression:
        """`value op column`, `low <= column < high` and `value in column`."""
        if self._take("in"):
            return Contains(self._name(), (value,), every=True)
        op = self._take(*COMPARE)
        if not op:
            raise self._fail("a comparison (==, !=, <, <=, >, >=, in)")
        name = self._name()
        first = Compare(name, _MIRROR[op], value, at)
        second = self._take(*COMPARE)
        if not second:
            return first
        last = Compare(name, second, at=self._place(), value=self._value())
        return Junction((first, last), every=True)

    def _array(self, function: str) -> Expression:
        self._need("(")
        name = self._name()
        self._need(",")
        values = (self._value(),) if function == "array_contains" else self._list()
        self._need(")")
        return Contains(name, values, every=function != "array_contains_any")

    def _name(self) -> str:
        kind, text, _ = self._peek()
        if kind == "quoted" or (kind == "word" and text.lower() not in _KEYWORDS):
            self.at += 1
            return text.strip("`")
        raise self._fail("an attribute's name")

    def _text(self) -> str:
        value = self._value()
        if not isinstance(value, str):
            self.at -= 1
            raise self._fail("a quoted text")
        return value

    def _value(self) -> Literal:
        kind, text, _ = self._peek()
        if kind == "number":
            self.at += 1
            return float(text)
        if kind == "string":
            self.at += 1
            return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
        word = self._take("true", "false")
        if word:
            return word == "true"
        raise self._fail("a number, a quoted text, true or false")

    def _list(self) -> tuple[Literal, ...]:
        self._need("[")
        values = []
        while not self._take("]"):
            values.append(self._value())
            if not self._take(","):
                self._need("]")
                break
        if not values:
            self.at -= 1
            raise self._fail("at least one value")
        return tuple(values)
