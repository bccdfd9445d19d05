"""The search part of a release: an inverted index, the words of every item, completions.

```
search/
  index/        index.lexical.TantivyIndex (where the backend is tantivy)
  forward/      index.lexical.Forward
  completions/  index.lexical.Completions
```
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist.config.schema import Config
from shortlist.core.catalogue import Catalogue
from shortlist.core.progress import Progress, stage
from shortlist.index.lexical import Document, TantivyIndex
from shortlist.index.lexical.completions import Completions, Phrase
from shortlist.index.lexical.forward_writer import ForwardWriter
from shortlist.index.lexical.milvus import MilvusIndex
from shortlist.offline.data.training import TrainingData
from shortlist.offline.search.documents import analyzer_of, search_fields, words_of
from shortlist.offline.search.understanding import learn_understanding
from shortlist.release.trees import Trees

FOLDER = "search"
STEP = 1_000


def build_search(
    config: Config,
    data: TrainingData,
    project: Path,
    release: Path,
    progress: Progress,
    ranker: Trees | None = None,
) -> dict[str, Any] | None:
    """Write the search part of a release.

    Args:
        config: what is searched and where.
        data: the items, the interactions they are popular by, and the query log, if there is one.
        project: the project's folder.
        release: the release's folder.
        progress: told of the step.
        ranker: trained on clicks; None without.

    Returns:
        What the manifest says of it; None for a catalogue without words.

    Raises:
        ConfigError: `search.fields` names what has no words.
        StoreError: Milvus, where it is the backend, cannot be reached.
    """
    catalogue = data.catalogue
    fields = search_fields(config, catalogue)
    if not fields:
        return None
    analyzer = analyzer_of(config.text)
    folder, writer = release / FOLDER, ForwardWriter(fields)

    def documents(told: Progress) -> Iterator[Document]:
        for row, words in enumerate(words_of(catalogue, fields, analyzer)):
            writer.add(words)
            yield Document(row, words)
            if row % STEP == STEP - 1:
                told.advance(STEP)

    backend = config.search.backend
    collection = ""
    with stage(progress, "words of the catalogue", len(catalogue)) as told:
        if backend == "tantivy":
            TantivyIndex.build(folder / "index", fields, documents(told)).close()
        else:
            collection = "shortlist_" + release.name.strip(".").replace("-", "_")
            index = MilvusIndex(backend, collection, fields)
            index.upsert(documents(told))
            index.close()
    forward = writer.finish()
    forward.save(folder / "forward")
    popularity = np.bincount(data.item, minlength=data.items).astype(np.float64)
    titles = _titles(catalogue, next(iter(fields)), popularity)
    queries = data.queries.counts() if data.queries is not None else []
    asked = (Phrase(text, float(np.log1p(count))) for text, count in queries)
    completions = Completions.of([*titles, *asked], analyzer.normalise)
    completions.save(folder / "completions")
    if ranker is not None:
        ranker.save(folder / "ranker")
    parts = learn_understanding(config, project, data, fields, analyzer, folder, progress)
    return {
        "understanding": parts,
        "ranker": ranker is not None,
        "fields": fields,
        "backend": backend,
        "collection": collection,
        "analyzer": analyzer.to_dict(),
        "terms": len(forward.terms),
        "completions": len(completions),
    }


def _titles(catalogue: Catalogue, field: str, popularity: NDArray[np.float64]) -> Iterator[Phrase]:
    """The first field of every item, to complete to, by the item's popularity."""
    column = catalogue.columns[field]
    weights = np.log1p(popularity) + 0.1
    for row, weight in enumerate(weights.tolist()):
        value = column.value(row)
        if isinstance(value, str) and value:
            yield Phrase(value, weight, row)
