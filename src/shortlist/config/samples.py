"""What guessing looks at and what it answers: samples of columns, choices and doubts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

ChoiceValue = str | list[str] | dict[str, float]


@dataclass(frozen=True)
class ColumnSample:
    """A few values of one column.

    Attributes:
        dtype: the type as DuckDB names it: `VARCHAR`, `BIGINT`, `TIMESTAMP`, `VARCHAR[]`, …
        values: sampled values that are not null.
        distinct: how many different values are among them.
        nulls: the share of the sampled values that were null, 0 to 1.
    """

    dtype: str
    values: Sequence[object]
    distinct: int
    nulls: float = 0.0

    @property
    def ratio(self) -> float:
        """The share of different values, 0 to 1; 0 without values."""
        return self.distinct / len(self.values) if self.values else 0.0

    @property
    def is_list(self) -> bool:
        """Whether each value is a list."""
        return self.dtype.endswith("]")

    @property
    def is_text(self) -> bool:
        """Whether the values are text (or an enumeration of texts)."""
        return not self.is_list and self.dtype.startswith(("VARCHAR", "ENUM", "UUID"))

    @property
    def is_integer(self) -> bool:
        """Whether the values are whole numbers."""
        return bool(re.fullmatch(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?", self.dtype))

    @property
    def is_number(self) -> bool:
        """Whether the values are numbers of any kind."""
        return self.is_integer or self.dtype.startswith(("FLOAT", "DOUBLE", "DECIMAL"))

    @property
    def is_time(self) -> bool:
        """Whether the values are dates or timestamps."""
        return not self.is_list and self.dtype.startswith(("TIMESTAMP", "DATE"))

    @property
    def is_id(self) -> bool:
        """Whether the values could be ids: text or whole numbers."""
        return self.is_text or self.is_integer

    def texts(self) -> set[str]:
        """The different values as text, which is what ids become."""
        return {str(value) for value in self.values}


Columns = Mapping[str, ColumnSample]


def overlap(one: set[str], other: set[str]) -> float:
    """The share of the smaller set that is in the other, 0 to 1."""
    smaller = min(len(one), len(other))
    return len(one & other) / smaller if smaller else 0.0


@dataclass(frozen=True)
class Choice:
    """One guessed key.

    Attributes:
        key: its dotted name in `shortlist.toml`.
        value: what it is set to.
        why: the reason, half a sentence.
    """

    key: str
    value: ChoiceValue
    why: str


@dataclass(frozen=True)
class Doubt:
    """Something that could not be told, or was seen and left out.

    Attributes:
        key: the dotted name of the key that a person may want to set.
        why: what was seen and what to do, a sentence.
    """

    key: str
    why: str


@dataclass
class Guess:
    """What was guessed, with reasons, and what could not be.

    Attributes:
        choices: guessed keys in the order of the file.
        doubts: what is left to a person.
        has_items: whether there is a catalogue.
    """

    choices: list[Choice] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    has_items: bool = False

    def choose(self, key: str, value: ChoiceValue, why: str) -> None:
        """Add a choice."""
        self.choices.append(Choice(key, value, why))

    def doubt(self, key: str, why: str) -> None:
        """Add a doubt."""
        self.doubts.append(Doubt(key, why))

    def choice(self, key: str) -> Choice | None:
        """The choice for a key, if there is one."""
        return next((choice for choice in self.choices if choice.key == key), None)

    def column(self, key: str) -> str:
        """The column chosen for a key; empty when none was."""
        choice = self.choice(key)
        return choice.value if choice and isinstance(choice.value, str) else ""

    def listed(self, key: str) -> list[str]:
        """The columns chosen for a key that takes a list."""
        choice = self.choice(key)
        return choice.value if choice and isinstance(choice.value, list) else []
