"""What `[arrange.diversity]` means over one release."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from shortlist.config.arrange import DiversitySection
from shortlist.core.catalogue import Catalogue, Value
from shortlist.core.errors import ConfigError, did_you_mean
from shortlist.features.contract import VectorsOf
from shortlist.online.arrange.diversity import DPP, MMR, NEITHER, Likeness, with_angles
from shortlist.online.arrange.fill import TAKEN, Slate
from shortlist.online.arrange.lists import Lists

_NO_VECTORS = np.empty((0, 0), np.float32)
_NOBODY = np.empty(0, np.int64)


class Alike:
    """Tells how alike the best candidates of a list are.

    Args:
        catalogue: the items.
        section: what is alike and how much it counts; None where diversity does not.
        vectors: retriever → its item vectors.

    Raises:
        ConfigError: the release has no such vectors or attribute.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        section: DiversitySection | None,
        vectors: Mapping[str, VectorsOf],
    ) -> None:
        self._section = section
        self._vectors: VectorsOf | None = None
        self._lists = Lists.of(
            catalogue, section.attributes if section else (), "arrange.diversity.attributes"
        )
        if section is not None and section.vectors:
            if section.vectors not in vectors:
                raise ConfigError(
                    f"the release has no item vectors of {section.vectors!r}.",
                    remedy=did_you_mean(section.vectors, vectors) or "Name `attributes` instead.",
                    where="arrange.diversity.vectors",
                )
            self._vectors = vectors[section.vectors]

    def write(self, row: int, attributes: Mapping[str, Value]) -> None:
        """Take an item over that was written since the release."""
        self._lists.write(row, attributes)

    def of(self, slate: Slate) -> tuple[int, float, NDArray[np.int64], Likeness]:
        """What `fill` needs: the method, its strength, whom it looks at, how alike they are."""
        values = self._lists.starts, self._lists.ends, self._lists.codes
        if self._section is None:
            rows = np.empty(0, np.int32)
            return NEITHER, 0.0, _NOBODY, Likeness(_NO_VECTORS, rows, *values)
        among = min(self._section.among, len(slate.rows))
        heads = np.arange(among)
        below = np.flatnonzero(slate.state[among:] == TAKEN)
        if len(below):  # pinned from further down
            heads = np.concatenate([heads, below + among])
        rows = slate.rows[heads]
        vectors = _NO_VECTORS
        if self._vectors is not None:
            vectors = with_angles(self._vectors(rows))
        method = MMR if self._section.method == "mmr" else DPP
        return method, self._section.strength, heads, Likeness(vectors, rows, *values)
