"""What `[arrange.diversity]` means over one release."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from shortlist.config.arrange import DiversitySection
from shortlist.core.catalogue import Catalogue
from shortlist.core.errors import ConfigError, did_you_mean
from shortlist.index.contract import Index
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
        indexes: retriever → index over its item vectors.

    Raises:
        ConfigError: the release has no such vectors or attribute.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        section: DiversitySection | None,
        indexes: Mapping[str, Index],
    ) -> None:
        self._section = section
        self._index: Index | None = None
        self._lists = Lists.of(
            catalogue, section.attributes if section else (), "arrange.diversity.attributes"
        )
        if section is not None and section.vectors:
            if section.vectors not in indexes:
                raise ConfigError(
                    f"the release has no item vectors of {section.vectors!r}.",
                    remedy=did_you_mean(section.vectors, indexes) or "Name `attributes` instead.",
                    where="arrange.diversity.vectors",
                )
            self._index = indexes[section.vectors]

    def of(self, slate: Slate) -> tuple[int, float, NDArray[np.int64], Likeness]:
        """What `fill` needs: the method, its strength, whom it looks at, how alike they are."""
        offsets, codes = self._lists.offsets, self._lists.codes
        if self._section is None:
            rows = np.empty(0, np.int32)
            return NEITHER, 0.0, _NOBODY, Likeness(_NO_VECTORS, rows, offsets, codes)
        among = min(self._section.among, len(slate.rows))
        heads = np.arange(among)
        below = np.flatnonzero(slate.state[among:] == TAKEN)
        if len(below):  # pinned from further down
            heads = np.concatenate([heads, below + among])
        rows = slate.rows[heads]
        vectors = _NO_VECTORS
        if self._index is not None:
            vectors = with_angles(self._index.vectors_of(rows))
        method = MMR if self._section.method == "mmr" else DPP
        return method, self._section.strength, heads, Likeness(vectors, rows, offsets, codes)
