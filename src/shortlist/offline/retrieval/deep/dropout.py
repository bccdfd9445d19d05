"""Dropout that costs a processor a quarter of what PyTorch's does."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def dropout(x: Tensor, share: float, training: bool) -> Tensor:
    """Zero a share of the components and scale the others up (Srivastava et al., JMLR 2014).

    On a processor a component is kept by one random byte instead of one random double, so the
    share is rounded to a multiple of 1/256.

    Args:
        x: any shape.
        share: in [0, 1).
        training: outside of training `x` is returned as it is.
    """
    if x.device.type != "cpu" or not training:
        return functional.dropout(x, share, training)
    dropped = round(256 * share)
    if not dropped:
        return x
    words = torch.empty((x.numel() + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
    kept = words.view(torch.uint8)[: x.numel()].view(x.shape) >= dropped
    return x * (kept * (256 / (256 - dropped))).to(x.dtype)
