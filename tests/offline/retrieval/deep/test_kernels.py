"""What training does by hand on a processor is what PyTorch does."""

import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional  # noqa: E402

from shortlist.offline.retrieval.deep.dropout import dropout  # noqa: E402
from shortlist.offline.retrieval.deep.transformer import causal_attention  # noqa: E402


def test_attention_and_its_gradient_are_pytorchs() -> None:
    torch.manual_seed(0)
    parts = [torch.randn(3, 2, 17, 8, requires_grad=True) for _ in range(3)]
    gradient = torch.randn(3, 2, 17, 8)
    ours = causal_attention(*parts)
    theirs = functional.scaled_dot_product_attention(*parts, is_causal=True)
    torch.testing.assert_close(ours, theirs)
    for a, b in zip(
        torch.autograd.grad(ours, parts, gradient),
        torch.autograd.grad(theirs, parts, gradient),
        strict=True,
    ):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_dropout_keeps_the_mean_and_drops_its_share(share: float) -> None:
    torch.manual_seed(1)
    x = torch.ones(401, 503)
    dropped = dropout(x, share, training=True)
    assert float((dropped == 0).float().mean()) == pytest.approx(share, abs=0.01)
    assert float(dropped.mean()) == pytest.approx(1, abs=0.02)
    assert dropped.unique().numel() == (2 if share else 1)


def test_dropout_is_of_its_seed_and_of_training_only() -> None:
    x = torch.randn(64, 3)
    masks = []
    for _ in range(2):
        torch.manual_seed(5)
        masks.append(dropout(x, 0.4, training=True))
    torch.testing.assert_close(*masks, rtol=0, atol=0)
    assert dropout(x, 0.4, training=False) is x
