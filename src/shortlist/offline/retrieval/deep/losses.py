"""Softmax cross-entropy over many items that never holds all its logits.

Logits are made for a chunk of rows at a time, and their gradient in the same pass, so the peak is
chunk x columns and backward is a multiplication by a number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

LOGITS = 6_000_000
"""At most about so many logits exist at a time: 12 or 24 MB, near the processor's caches."""


def full_softmax(
    hidden: Tensor, items: Tensor, targets: Tensor, total: float, *, reduced: bool = False
) -> Tensor:
    """Cross-entropy of each row's target against every item, summed and divided by `total`.

    Args:
        hidden: `float32[n, d]`.
        items: `float32[m, d]`, the vectors of all items.
        targets: `int64[n]`, rows of `items`.
        total: what the sum is divided by: the number of rows of the whole batch.
        reduced: multiply in bfloat16; sums stay in float32.

    Returns:
        A scalar; gradients reach `hidden` and `items`.
    """
    return _softmax(hidden, items, targets, None, total, reduced)


def sampled_softmax(
    hidden: Tensor,
    candidates: Tensor,
    targets: Tensor,
    inclusion: Tensor,
    total: float,
    *,
    reduced: bool = False,
) -> Tensor:
    """Cross-entropy against a sample of the items, corrected for how the sample was drawn.

    A candidate j that is in the sample with probability p_j adds exp(s_j - log p_j) to the
    denominator, so that its expectation is that of the full softmax (the logQ correction: Bengio
    and Senécal 2008; Yi et al., RecSys 2019, for in-batch negatives). The target is there for
    certain in its own row, and is not corrected in it.

    Args:
        hidden: `float32[n, d]`.
        candidates: `float32[c, d]`, vectors of different items, all targets among them.
        targets: `int64[n]`, rows of `candidates`.
        inclusion: `float32[c]`, the probability in (0, 1] of being in the sample.
        total: what the sum is divided by: the number of rows of the whole batch.
        reduced: multiply in bfloat16; sums stay in float32.

    Returns:
        A scalar; gradients reach `hidden` and `candidates`.
    """
    return _softmax(hidden, candidates, targets, -torch.log(inclusion), total, reduced)


def inclusion_probability(share: Tensor, drawn: int, uniform: int = 0) -> Tensor:
    """How likely each item is among `drawn` targets and `uniform` uniform draws.

    Args:
        share: `float32[m]`, each item's share of the targets.
        drawn: how many targets the batch has.
        uniform: how many items are drawn uniformly, with replacement, besides.

    Returns:
        `float32[m]` in (0, 1].
    """
    missed = drawn * torch.log1p(-share.double().clamp(max=1 - 1e-9))
    if uniform:
        missed = missed + uniform * torch.log1p(torch.tensor(-1 / max(2, len(share))).double())
    return (-torch.expm1(missed)).clamp(min=1e-9, max=1).float()


def softmax_with_samples(
    hidden: Tensor,
    items: nn.Embedding,
    targets: Tensor,
    share: Tensor,
    negatives: int,
    total: float,
    reduced: bool,
) -> Tensor:
    """`sampled_softmax` against the targets of the batch and items drawn uniformly.

    In-batch negatives alone never show the model an item that nobody takes; uniform ones do (mixed
    negative sampling, Yang et al., WWW 2020).

    Args:
        hidden: `float32[n, d]`.
        items: vectors of all m items.
        targets: `int64[n]`, item numbers.
        share: `float32[m]`, each item's share of the targets.
        negatives: how many items are drawn, with replacement, by PyTorch's generator.
        total: what the sum is divided by.
        reduced: multiply in bfloat16.
    """
    drawn = torch.randint(len(share), (negatives,), device=targets.device)
    candidates, place = torch.unique(torch.cat([targets, drawn]), return_inverse=True)
    likely = inclusion_probability(share, len(targets), negatives)
    return sampled_softmax(
        hidden, items(candidates), place[: len(targets)], likely[candidates], total, reduced=reduced
    )


def _softmax(
    hidden: Tensor,
    items: Tensor,
    targets: Tensor,
    bias: Tensor | None,
    total: float,
    reduced: bool,
) -> Tensor:
    apply: Callable[..., Tensor] = _Softmax.apply
    return apply(hidden, items, targets, bias, total, reduced)


class _Softmax(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        items: Tensor,
        targets: Tensor,
        bias: Tensor | None,
        total: float,
        reduced: bool,
    ) -> Tensor:
        kind = torch.bfloat16 if reduced else torch.float32
        rows, columns = hidden.to(kind), items.to(kind)
        to_rows = torch.empty_like(hidden, dtype=torch.float32)
        to_columns = torch.zeros_like(items, dtype=torch.float32)
        loss = torch.zeros((), device=hidden.device)
        size = max(16, LOGITS // max(1, len(items)))
        every = torch.arange(size, device=hidden.device)
        for start in range(0, len(hidden), size):
            part = slice(start, start + size)
            logits = rows[part] @ columns.T
            # Indexed and not gathered and scattered, which reads the whole chunk again.
            at = every[: len(logits)], targets[part]
            if bias is not None:
                own = logits[at]
                logits += bias.to(kind)
                logits[at] = own
            share = torch.softmax(logits, 1)
            own = share[at]
            loss -= own.float().clamp(min=1e-30).log().sum()
            share[at] = own - 1  # now the gradient of the logits
            to_rows[part] = (share @ columns).float()
            to_columns += (share.T @ rows[part]).float()
        ctx.save_for_backward(to_rows / total, to_columns / total)
        return loss / total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        to_rows, to_columns = ctx.saved_tensors
        return to_rows * grads[0], to_columns * grads[0], None, None, None, None
