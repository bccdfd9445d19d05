import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from shortlist.offline.retrieval.deep import losses


def some(n: int, m: int, d: int = 8, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Rows, item vectors and targets; the vectors want gradients."""
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(n, d, generator=generator, requires_grad=True)
    items = torch.randn(m, d, generator=generator, requires_grad=True)
    return hidden, items, torch.randint(m, (n,), generator=generator)


@given(st.integers(1, 40), st.integers(1, 30), st.integers(0, 5))
def test_the_full_softmax_is_cross_entropy_with_its_gradients(n: int, m: int, seed: int) -> None:
    hidden, items, targets = some(n, m, seed=seed)
    loss = losses.full_softmax(hidden, items, targets, n)
    dense = functional.cross_entropy(hidden @ items.T, targets)
    torch.testing.assert_close(loss, dense)
    found = torch.autograd.grad(loss, (hidden, items))
    expected = torch.autograd.grad(dense, (hidden, items))
    torch.testing.assert_close(found, expected)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden, items, targets = some(50, 30)
    whole = losses.full_softmax(hidden, items, targets, 50)
    whole.backward()
    grads = hidden.grad, items.grad
    hidden.grad = items.grad = None
    monkeypatch.setattr(losses, "LOGITS", 1)
    parts = losses.full_softmax(hidden, items, targets, 50)
    parts.backward()
    torch.testing.assert_close(parts, whole)
    torch.testing.assert_close((hidden.grad, items.grad), grads)


def test_bfloat16_is_near() -> None:
    hidden, items, targets = some(200, 100)
    exact = losses.full_softmax(hidden, items, targets, 200)
    near = losses.full_softmax(hidden, items, targets, 200, reduced=True)
    assert near.item() == pytest.approx(exact.item(), rel=0.01)


def test_the_total_divides_the_sum() -> None:
    hidden, items, targets = some(10, 5)
    one = losses.full_softmax(hidden, items, targets, 10)
    half = losses.full_softmax(hidden, items, targets, 20)
    assert half.item() == pytest.approx(one.item() / 2)


def test_a_sample_of_everything_is_the_full_softmax() -> None:
    hidden, items, targets = some(20, 12)
    full = losses.full_softmax(hidden, items, targets, 20)
    sampled = losses.sampled_softmax(hidden, items, targets, torch.ones(12), 20)
    torch.testing.assert_close(sampled, full)


def test_the_sampled_softmax_is_the_formula() -> None:
    hidden, items, targets = some(20, 12)
    inclusion = torch.linspace(0.1, 1, 12)
    others = 1 - functional.one_hot(targets, 12)  # a row's own target is not corrected
    correction = -inclusion.log() * others
    dense = functional.cross_entropy(hidden @ items.T + correction, targets)
    loss = losses.sampled_softmax(hidden, items, targets, inclusion, 20)
    torch.testing.assert_close(loss, dense)
    torch.testing.assert_close(
        torch.autograd.grad(loss, (hidden, items)), torch.autograd.grad(dense, (hidden, items))
    )


def test_inclusion_is_how_often_an_item_is_drawn() -> None:
    share = torch.tensor([0.5, 0.3, 0.15, 0.05])
    rng = np.random.default_rng(0)
    met = np.zeros(4)
    for _ in range(4_000):
        targets = rng.choice(4, 3, p=share.double().numpy() / share.double().sum().item())
        met[np.union1d(targets, rng.integers(0, 4, 2))] += 1
    found = losses.inclusion_probability(share, 3, 2)
    np.testing.assert_allclose(found.numpy(), met / 4_000, atol=0.03)


def test_the_correction_makes_the_denominator_right_on_average() -> None:
    scores = torch.tensor([2.0, 1.0, 0.0, -1.0, 0.5])
    share = torch.tensor([0.4, 0.3, 0.1, 0.1, 0.1])
    likely = losses.inclusion_probability(share, 4)
    rng = np.random.default_rng(1)
    sums = [
        (scores[drawn].exp() / likely[drawn]).sum().item()
        for drawn in (
            np.unique(rng.choice(5, 4, p=[0.4, 0.3, 0.1, 0.1, 0.1])) for _ in range(5_000)
        )
    ]
    assert np.mean(sums) == pytest.approx(scores.exp().sum().item(), rel=0.03)
