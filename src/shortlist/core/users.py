"""`UserTable`: what a project knows of its users, as columns; row `i` is the user at row `i`.

Columns are those of `core.catalogue`. The rows are this table's own: neither the user rows of
training nor stable between releases, so users are looked up by their ids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shortlist.core.catalogue import Column, ColumnKind, load_columns, save_columns
from shortlist.core.vocabulary import Vocabulary

USERS = "users"
"""Where a release holds them."""


@dataclass(frozen=True)
class UserTable:
    """The users of `[data.users]`.

    Attributes:
        vocabulary: ids and rows.
        columns: attributes by name.
    """

    vocabulary: Vocabulary
    columns: Mapping[str, Column]

    def __len__(self) -> int:
        return len(self.vocabulary)

    @property
    def kinds(self) -> dict[str, ColumnKind]:
        """The kind of each column."""
        return {name: column.kind for name, column in self.columns.items()}

    def rows(self, ids: Sequence[str]) -> NDArray[np.int32]:
        """The rows of users, `int32[n]`; -1 for those that are not in it."""
        return self.vocabulary.rows(ids)

    def save(self, folder: Path) -> None:
        """Write it into a folder, which is made."""
        folder.mkdir(parents=True, exist_ok=True)
        self.vocabulary.save(folder / "vocabulary")
        save_columns(self.columns, folder)

    @classmethod
    def load(cls, folder: Path) -> UserTable:
        """Open a saved table, memory-mapped."""
        return cls(Vocabulary.load(folder / "vocabulary"), load_columns(folder))
