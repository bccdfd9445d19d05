"""What a release holds for search, opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shortlist.index.lexical import LexicalIndex, TantivyIndex
from shortlist.index.lexical.completions import Completions
from shortlist.index.lexical.forward import Forward
from shortlist.index.lexical.milvus import MilvusIndex
from shortlist.online.search.understanding import Understanding
from shortlist.release.trees import Trees
from shortlist.text.analyzer import Analyzer

FOLDER = "search"


@dataclass(frozen=True)
class SearchParts:
    """The search part of a release.

    Attributes:
        analyzer: what its words were made by.
        fields: what is searched, and how often its words count.
        index: who holds which words; keys are catalogue rows.
        forward: which words everybody holds.
        completions: texts to complete to.
        understanding: what queries are made sense of by.
        ranker: trained on clicks; None without.
    """

    analyzer: Analyzer
    fields: Mapping[str, int]
    index: LexicalIndex
    forward: Forward
    completions: Completions
    understanding: Understanding
    ranker: Trees | None

    @classmethod
    def open(cls, release: Path, described: Mapping[str, Any]) -> SearchParts:
        """Open the search part of a release's folder.

        Args:
            release: the folder.
            described: what the manifest says of it.

        Raises:
            ReleaseError: it was made by another version of the analyzer.
            StoreError: its index is damaged, or Milvus cannot be reached.
        """
        analyzer = Analyzer.from_dict(described["analyzer"])
        folder, fields = release / FOLDER, described["fields"]
        index: LexicalIndex
        if described["backend"] == "tantivy":
            index = TantivyIndex.open(folder / "index")
        else:
            index = MilvusIndex(described["backend"], described["collection"], fields)
        return cls(
            analyzer,
            fields,
            index,
            Forward.load(folder / "forward"),
            Completions.load(folder / "completions"),
            Understanding.open(folder, described["understanding"]),
            Trees.load(folder / "ranker") if described.get("ranker") else None,
        )
