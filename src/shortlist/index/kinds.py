"""Which kind of index a catalogue gets, and what memory each needs."""

from __future__ import annotations

from typing import Literal

import msgspec

from shortlist.config.schema import IndexSection
from shortlist.core.errors import ConfigError
from shortlist.index.approximate import SMALLEST
from shortlist.index.centroids import lists_for, quantisers_for
from shortlist.index.hnsw import WIDTH
from shortlist.index.ivf import Codes

Kind = Literal["exact", "ivf", "hnsw", "scann"]
KINDS: tuple[Kind, ...] = ("exact", "ivf", "hnsw", "scann")

EXACT_UP_TO = 50_000
"""`auto` means `exact` up to this many vectors: a scan takes some milliseconds at most, which a
batch shares, and there is nothing to tune."""


class Choice(msgspec.Struct, frozen=True):
    """What is built.

    Attributes:
        kind: of the index.
        why: in a few words.
        half: whether an exact index keeps halves.
    """

    kind: Kind
    why: str
    half: bool = False


def bytes_for(kind: Kind, n: int, dim: int, *, codes: Codes = "pq", half: bool = False) -> int:
    """About how many bytes an index takes; of all kinds but `scann`, processes share them."""
    if kind == "exact":
        return n * dim * (2 if half else 4)
    vectors = 2 * n * dim
    if kind == "hnsw":
        return vectors + n * (4 * 2 * WIDTH + 8 + 4)
    lists = lists_for(n)
    if kind == "scann":  # codes of both leaves of a vector: half a byte for two numbers
        return vectors + n * (dim // 2 + 8) + 4 * lists * dim
    bits = {"pq": 4 * quantisers_for(dim), "rabitq": dim + 64, "sq8": 8 * dim, "sq4": 4 * dim}
    return vectors + n * (bits[codes] // 8 + 8) + lists * (4 * dim + 132)


def choose(config: IndexSection, n: int, dim: int) -> Choice:
    """The kind for n vectors: what the config names, or by rule.

    `auto` takes `exact` for few vectors, else `ivf`: it builds fast, holds its recall where vectors
    lie in islands and queries between them (means of a user's items), which a graph does not, and
    its processes share most of their memory. Where memory is limited, what does not fit gives way
    to the next that does.

    Raises:
        ConfigError: nothing fits into the memory that `index.memory` allows.
    """
    if config.kind == "auto":
        choice = _by_rule(n)
    elif config.kind != "exact" and n < SMALLEST:
        choice = Choice("exact", f"{n} vectors are too few for an {config.kind} index")
    else:
        choice = Choice(config.kind, "as configured")
    limit = config.memory * 1_000_000
    if not limit:
        return choice
    choices = [choice]
    if config.kind == "auto":
        tight = f"to fit into {config.memory} MB"
        if n >= SMALLEST:
            choices.append(Choice("ivf", tight))
        choices.append(Choice("exact", tight, half=True))
    needs = [bytes_for(c.kind, n, dim, codes=config.codes, half=c.half) for c in choices]
    for option, need in zip(choices, needs, strict=True):
        if need <= limit:
            return option
    least = min(needs)
    raise ConfigError(
        f"is {config.memory} MB, and {n:,} vectors of {dim} need {-(-least // 1_000_000)} MB "
        f"as {choices[needs.index(least)].kind}.",
        remedy="Allow more, or train vectors of fewer dimensions.",
        where="index.memory",
    )


def _by_rule(n: int) -> Choice:
    if n <= EXACT_UP_TO:
        return Choice("exact", f"up to {EXACT_UP_TO:,} vectors are scanned")
    return Choice("ivf", f"more than {EXACT_UP_TO:,} vectors are clustered")
