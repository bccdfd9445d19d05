"""Which items are fit to be shown: `[data.items.quality]`."""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from shortlist.config.schema import ItemsSection, QualitySection
from shortlist.core.errors import DataError
from shortlist.core.progress import Progress
from shortlist.offline.data.engine import counted, stored
from shortlist.offline.data.minhash import near_duplicates, signatures
from shortlist.text.analyzer import Analyzer
from shortlist.text.languages import STEMMERS
from shortlist.text.settings import AnalyzerSettings

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend

BATCH = 20_000
SHORT = "their text is too short"
LONG = "their text is too long"
LANGUAGE = "they are in another language"
BLOCKED = "they have a blocked word"
RULE = "the custom rule refuses them"
DUPLICATE = "an item before them says nearly the same"

Rule = Callable[[dict[str, Any]], bool]
"""Whether an item, all its columns by name, is fit to be shown."""


@dataclass(frozen=True)
class Verdict:
    """What the filter kept.

    Attributes:
        items: the items that stay.
        counts: reason → how many were left out for it; an item counts for its first reason.
    """

    items: ir.Table
    counts: dict[str, int]

    @property
    def lines(self) -> list[str]:
        """One line for each reason, to be read."""
        return [f"{n:,} items left out: {reason}" for reason, n in self.counts.items()]


def keep_good(
    con: Backend, items: ir.Table, section: ItemsSection, id: str, folder: Path, progress: Progress
) -> Verdict:
    """Leave out the items that `[data.items.quality]` does not want.

    Args:
        con: the engine.
        items: a stored table with the columns of the section.
        section: `[data.items]`, with a `quality`.
        id: the column of `items` with the ids.
        folder: the project folder, for lists of words and the custom rule.
        progress: advances by items.

    Raises:
        DataError: a list cannot be read, or the custom rule cannot be found or fails on an item.
    """
    assert section.quality is not None
    judge = _Judge(section.quality, section.text, folder)
    table = con.to_pyarrow(items)
    progress.step("quality of items", table.num_rows)
    reasons: list[str] = []
    prints = []
    for batch in table.to_batches(max_chunksize=BATCH):
        rows = batch.to_pylist()
        texts = [judge.text(row) for row in rows]
        reasons += [judge(row, text, str(row[id])) for row, text in zip(rows, texts, strict=True)]
        if section.quality.duplicates:
            prints.append(signatures(texts))
        progress.advance(len(rows))
    if prints:
        _mark_duplicates(reasons, np.concatenate(prints), section.quality.duplicates)
    counts: dict[str, int] = {}
    for reason in filter(None, reasons):
        counts[reason] = counts.get(reason, 0) + 1
    kept = pa.array([not reason for reason in reasons], pa.bool_())
    good = stored(con, table.filter(kept), "good_items")
    if table.num_rows and not counted(con, good):
        raise DataError(
            f"no item is left: {_commonest(counts)}.",
            remedy="Loosen [data.items.quality].",
            where=section.path,
        )
    return Verdict(good, counts)


def _mark_duplicates(
    reasons: list[str], prints: np.ndarray[Any, np.dtype[np.uint32]], threshold: float
) -> None:
    """Texts are compared with those that stay; items without a text are not."""
    staying = np.array([i for i, reason in enumerate(reasons) if not reason], np.int64)
    staying = staying[prints[staying].any(axis=1)]
    for i in staying[near_duplicates(prints[staying], threshold)].tolist():
        reasons[i] = DUPLICATE


def _commonest(counts: Mapping[str, int]) -> str:
    reason = max(counts, key=lambda r: counts[r])
    return f"of {counts[reason]:,} {reason}"


class _Judge:
    """The rules that look at one item."""

    def __init__(self, quality: QualitySection, columns: list[str], folder: Path) -> None:
        self._quality, self._columns = quality, columns
        # Ties go to the first: a language that is wanted.
        known = dict.fromkeys([*quality.languages, *STEMMERS, "ja", "ko", "zh"])
        self._analyzer = Analyzer(AnalyzerSettings(languages=tuple(known)))
        self._blocked = _pattern(quality, folder, self._analyzer)
        self._rule = _rule(quality.rule, folder) if quality.rule else None

    def text(self, row: Mapping[str, Any]) -> str:
        """An item's text, normalised, its spaces single."""
        values = (row[column] for column in self._columns)
        parts = (" ".join(map(str, v)) if isinstance(v, list) else str(v) for v in values if v)
        return " ".join(self._analyzer.normalise(" ".join(parts)).split())

    def __call__(self, row: dict[str, Any], text: str, id: str) -> str:
        """Why an item is left out; empty when it is not."""
        quality = self._quality
        if len(text) < quality.min_length:
            return SHORT
        if quality.max_length and len(text) > quality.max_length:
            return LONG
        if quality.languages and text and self._analyzer.detect(text) not in quality.languages:
            return LANGUAGE
        if self._blocked is not None and self._blocked.search(text):
            return BLOCKED
        if self._rule is not None and not self._asked(row, id):
            return RULE
        return ""

    def _asked(self, row: dict[str, Any], id: str) -> bool:
        assert self._rule is not None
        try:
            return bool(self._rule(row))
        except Exception as error:  # whatever the project's own code raises is its author's to see
            raise DataError(
                f"the rule fails on the item {id!r}: {type(error).__name__}: {error}.",
                remedy="Correct the function; it takes a dictionary of columns, None where empty.",
                where=f"data.items.quality.rule = {self._quality.rule!r}",
            ) from error


def _pattern(quality: QualitySection, folder: Path, analyzer: Analyzer) -> re.Pattern[str] | None:
    """Whole words where a script has spaces between them, anywhere in a text otherwise."""
    words = list(quality.blocked)
    for name in quality.blocklists:
        try:
            words += (folder / name).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(
                f"the list of blocked words cannot be read: {error}.",
                remedy="Name a UTF-8 file with a word or phrase on each line.",
                where=f"data.items.quality.blocklists: {name}",
            ) from error
    clean = {" ".join(analyzer.normalise(word).split()) for word in words} - {""}
    if not clean:
        return None
    parts = (rf"\b{re.escape(w)}\b" if w.isascii() else re.escape(w) for w in sorted(clean))
    return re.compile("|".join(parts))


def _rule(name: str, folder: Path) -> Rule:
    """The function that `module:function` names, beside `shortlist.toml` or installed."""
    where = f"data.items.quality.rule = {name!r}"
    module_name, _, function = name.partition(":")
    file = folder / f"{module_name.replace('.', '/')}.py"
    try:
        if file.is_file():
            spec = importlib.util.spec_from_file_location(module_name, file)
            assert spec is not None and spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        else:
            module = importlib.import_module(module_name)
    except (ImportError, SyntaxError) as error:
        raise DataError(
            f"the module {module_name!r} cannot be imported: {error}.",
            remedy=f"Put it into {file}, or install it.",
            where=where,
        ) from error
    found = getattr(module, function, None)
    if not callable(found):
        raise DataError(
            f"the module {module_name!r} has no function {function!r}.",
            remedy="Write it as module:function; it takes an item and says whether to keep it.",
            where=where,
        )
    rule: Rule = found
    return rule
