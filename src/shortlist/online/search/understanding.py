"""`Understanding`: what a release knows to make sense of queries."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from shortlist.text.intent import IntentClassifier
from shortlist.text.knowledge import KnowledgeGraph
from shortlist.text.spelling import Speller
from shortlist.text.synonyms import Synonyms


@dataclass(frozen=True)
class Understanding:
    """The parts that a release has; None for those that it lacks.

    Attributes:
        speller: corrects words.
        synonyms: what words mean too.
        classifier: tells categories.
        graph: entities that queries name, and what is near them.
    """

    speller: Speller | None = None
    synonyms: Synonyms | None = None
    classifier: IntentClassifier | None = None
    graph: KnowledgeGraph | None = None

    @classmethod
    def open(cls, folder: Path, parts: Collection[str]) -> Understanding:
        """Open the parts of a release's search folder."""
        described = folder / "synonyms.json"
        return cls(
            speller=Speller.load(folder / "spelling") if "spelling" in parts else None,
            synonyms=(
                Synonyms.from_dict(json.loads(described.read_text(encoding="utf-8")))
                if "synonyms" in parts
                else None
            ),
            classifier=IntentClassifier.load(folder / "intent") if "intent" in parts else None,
            graph=KnowledgeGraph.load(folder / "graph") if "graph" in parts else None,
        )
