"""A subword tokenizer learned from the catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from shortlist.core.progress import Progress
from shortlist.text.analyzer import Analyzer
from shortlist.text.encoding.contract import readable
from shortlist.text.encoding.static import TOGETHER, Subwords

READ = 200_000
"""At most so many texts are learned from; more of a catalogue hardly changes its subwords."""
LONGEST = 16
"""Characters of a subword at most: scripts without spaces would make phrases of them."""
FEWEST = 2
"""How often two parts must stand together to become one."""

Bags = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]
"""Offsets, subwords and counts of texts, as `Subwords` gives them."""


def learn_tokenizer(
    texts: Sequence[str], analyzer: Analyzer, size: int, length: int, seed: int
) -> bytes:
    """A byte-pair tokenizer (Sennrich et al., ACL 2016) of normalised text, as `tokenizer.json`.

    Texts are cut at spaces, punctuation and changes of script first. Characters that the texts do
    not have are passed over.

    Args:
        texts: what to learn from; a sample of them, where they are many.
        analyzer: what normalises them here and when serving.
        size: at most how many subwords.
        length: how many subwords of a text are read.
        seed: of the sample.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.UnicodeScripts()]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=size, min_frequency=FEWEST, max_token_length=LONGEST, show_progress=False
    )
    some: Sequence[int] = range(len(texts))
    if len(texts) > READ:
        rng = np.random.default_rng([seed, 0x70C3])
        some = np.sort(rng.permutation(len(texts))[:READ]).tolist()
    clean = (analyzer.normalise(readable(texts[i], length)) for i in some)
    tokenizer.train_from_iterator((readable(text, length) for text in clean), trainer)
    told: str = tokenizer.to_str()
    return told.encode()


def bags_of(subwords: Subwords, texts: Sequence[str], progress: Progress, name: str) -> Bags:
    """The bags of all texts; advances by texts."""
    progress.step(f"{name}: subwords", len(texts))
    ends, tokens, counts = [np.zeros(1, np.int64)], [], []
    for part in _parts(texts):
        offsets, some, how_often = subwords(part)
        ends.append(offsets[1:] + ends[-1][-1])
        tokens.append(some)
        counts.append(how_often)
        progress.advance(len(part))
    nothing = np.empty(0)
    return (
        np.concatenate(ends),
        np.concatenate([*tokens, nothing.astype(np.int32)]),
        np.concatenate([*counts, nothing.astype(np.float32)]),
    )


def _parts(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(texts), TOGETHER):
        yield texts[start : start + TOGETHER]


def rarity(bags: Bags, size: int) -> NDArray[np.float32]:
    """A weight of each subword, `float32[size]`: its inverse document frequency, smoothed.

    ln((1 + n) / (1 + df)) + 1 (Manning et al. 2008, section 6.2.1, smoothed); 0 for a subword that
    no text has.
    """
    offsets, tokens, _ = bags
    found = np.bincount(tokens, minlength=size)
    weights = np.log(len(offsets) / (1 + found)) + 1
    return np.where(found > 0, weights, 0).astype(np.float32)
