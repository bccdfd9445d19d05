"""The contest of `sequence`: an epoch of ours against a plain PyTorch loop over the same model."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np
from _contest import Absent, Contest, Side
from _protocols import Stage

from shortlist.config.schema import SequenceRetriever
from shortlist.core.progress import Silent


def sasrec(stage: Stage, threads: int, seed: int, examples: int, reduced: bool) -> Contest | Absent:
    """One epoch over the histories of as many users as have so many examples together."""
    name = "SASRec, bfloat16" if reduced else "SASRec"
    if find_spec("torch") is None:
        return Absent(name, "torch is not installed (pip install 'shortlist[deep]')")
    import torch
    from torch.nn import functional

    from shortlist.offline.retrieval.deep.fit import sequence_sizes
    from shortlist.offline.retrieval.deep.packing import Histories
    from shortlist.offline.retrieval.deep.processes import Processes, fast_bfloat16
    from shortlist.offline.retrieval.deep.trainer import Plan, rate, train
    from shortlist.offline.retrieval.deep.transformer import Stretches, Transformer

    device = torch.device("cpu")
    if reduced and not fast_bfloat16(device):
        return Absent(name, "this processor does not multiply bfloat16")
    torch.set_num_threads(threads)
    whole = Histories.of(stage.known)
    sizes = sequence_sizes(whole, SequenceRetriever(loss="full"))
    # Whole histories, so that the reference, which shows the newest items only, misses nothing.
    fitting = np.flatnonzero(whole.lengths <= sizes.reach + 1)
    users = np.random.default_rng(seed).permutation(fitting)
    some = users[: int(np.searchsorted(np.cumsum(whole.lengths[users] - 1), examples)) + 1]
    part = replace(whole, starts=whole.starts[np.sort(some)], stops=whole.stops[np.sort(some)])
    items, count = len(whole.rows), part.examples
    share = torch.from_numpy(part.share())
    plan = Plan(
        epochs=1, patience=1, learning_rate=0.001, seed=seed, reduced=reduced, threads=threads
    )

    def fresh(reduced: bool) -> Transformer:
        torch.manual_seed(seed)
        return Transformer(items, sizes, share, reduced)

    position = torch.arange(sizes.reach)
    causal = torch.tril(torch.ones(sizes.reach, sizes.reach, dtype=torch.bool))
    itself = torch.eye(sizes.reach, dtype=torch.bool)

    def ours(model: Transformer, part: Histories = part) -> Transformer:
        batches, alone = Stretches(part, sizes, seed), Processes(0, 1, device)
        train(name, model, batches, None, plan, alone, None, Silent())
        return model

    def plain(model: Transformer, users: int = len(some)) -> Transformer:
        """What a tutorial does: users at random, padded on the left, all logits at once."""
        size = max(1, round(sizes.batch * len(some) / count))
        optimizer = torch.optim.AdamW(
            model.parameters(),
            plan.learning_rate,
            betas=(0.9, 0.98),
            weight_decay=plan.weight_decay,
        )
        order = torch.randperm(users)
        model.train()
        seen = 0
        for begin in range(0, len(order), size):
            for group in optimizer.param_groups:
                group["lr"] = rate(plan, seen / count)
            loss = cross_entropy(model, *left_padded(order[begin : begin + size]))
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), plan.clip)
            optimizer.step()
            seen += int((part.stops - part.starts)[order[begin : begin + size]].sum() - size)
        return model

    def left_padded(who: Any) -> tuple[Any, Any]:
        inputs = np.full((len(who), sizes.reach), -1, np.int64)
        targets = np.full((len(who), sizes.reach), -1, np.int64)
        for place, user in enumerate(who.tolist()):
            history = part.item[part.starts[user] : part.stops[user]][-sizes.reach - 1 :]
            n = len(history) - 1
            if n > 0:
                inputs[place, -n:], targets[place, -n:] = history[:-1], history[1:]
        return torch.from_numpy(inputs), torch.from_numpy(targets)

    def cross_entropy(model: Transformer, inputs: Any, targets: Any) -> Any:
        known = inputs >= 0
        x = 2 * model.items(inputs.clamp(min=0)) + model.positions(position)
        x = functional.dropout(x, sizes.dropout, model.training)
        mask = ((causal & known[:, None, :]) | itself)[:, None]
        for block in model.blocks:
            x = block(x, mask)
        hidden, wanted = model.last(x)[targets >= 0], targets[targets >= 0]
        return functional.cross_entropy(hidden @ model.items.weight.T, wanted)

    def quality(model: Transformer) -> dict[str, float]:
        """The loss without dropout, on the same histories."""
        model.eval()
        with torch.no_grad():
            shown = left_padded(torch.arange(min(len(some), 200)))
            return {"loss": float(cross_entropy(model, *shown))}

    # What PyTorch does once in a process is not training.
    few = replace(part, starts=part.starts[:2], stops=part.stops[:2])
    ours(fresh(reduced), few)
    plain(fresh(False), 2)
    return Contest(
        name,
        f"One epoch of {count:,} examples of {len(some):,} users, {items:,} items, {sizes.blocks} "
        f"blocks of {sizes.dim} dimensions, the last {sizes.reach} items, dropout "
        f"{sizes.dropout:g}, full softmax, about {sizes.batch:,} examples a batch; the reference "
        f"in float32, ours in {'bfloat16' if reduced else 'float32'}.",
        "examples",
        float(count),
        Side("shortlist", ours, quality, lambda: fresh(reduced)),
        Side("plain PyTorch", plain, quality, lambda: fresh(False)),
    )
