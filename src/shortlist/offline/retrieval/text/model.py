"""From a Sentence-Transformers model and pairs of texts to an encoder and item vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
import xxhash
from numpy.typing import NDArray

from shortlist.config.schema import TextEncoderRetriever
from shortlist.core.progress import Progress
from shortlist.offline.retrieval.deep import checkpoint
from shortlist.offline.retrieval.deep.checkpoint import Weights
from shortlist.offline.retrieval.deep.processes import Processes, join
from shortlist.offline.retrieval.deep.trainer import Plan, train
from shortlist.offline.retrieval.text.batches import Grouped
from shortlist.offline.retrieval.text.corpus import Corpus
from shortlist.offline.retrieval.text.encode import encode_items
from shortlist.offline.retrieval.text.export import export
from shortlist.offline.retrieval.text.loading import load_model, serving_tokenizer
from shortlist.offline.retrieval.text.pairs import Pairs
from shortlist.offline.retrieval.text.tokens import Tokens
from shortlist.offline.retrieval.text.transformer import HeldOutPairs, Rounds, TextLearner
from shortlist.release.artefacts import Artefact, ItemVectors, OnnxText
from shortlist.text.encoding.saved import open_encoder

HELD = 500
"""At most so many pairs are measured on: each has to be encoded after every epoch."""
MEASURED = 2_000
"""Items that their targets are looked for among."""
TEMPERATURE = 0.05
"""Of vectors of length 1; of longer ones in proportion to their squared length."""


def fit_model(
    corpus: Corpus,
    config: TextEncoderRetriever,
    seed: int,
    progress: Progress,
    runs: Path | None,
) -> dict[str, Artefact]:
    """See `text_encoder.fit`; a transformer, fine-tuned.

    Args:
        corpus: texts and pairs; some item has a text.
        config: the model and how it learns.
        seed: order, dropout and what is held out.
        progress: a step for each epoch, then one for the catalogue.
        runs: where runs are kept.

    Raises:
        ConfigError: the model cannot be loaded.
        ReleaseError: the exported model does not give what the trained one gives.
    """
    model = load_model(config.model, progress)
    tokenizer, pad, length = serving_tokenizer(model, config.model, config.length)
    tokens = Tokens.of(tokenizer, corpus.texts, length, pad, progress)
    items = np.flatnonzero(tokens.known[: corpus.items]).astype(np.int32)
    processes = join()
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        learner = TextLearner(model, tokens, config.similarity == "cosine", 1.0)
    learner.to(processes.device)
    learner.temperature = _temperature(learner, config, items, seed)
    run = None
    if runs is not None:
        settings = ["text_encoder", msgspec.to_builtins(config), _digest(learner), seed]
        arrays: list[NDArray[Any]] = [
            tokens.ids,
            tokens.offsets,
            corpus.pairs.anchor,
            corpus.pairs.target,
        ]
        run = checkpoint.run_folder(runs, checkpoint.fingerprint(settings, arrays))
    pairs = corpus.pairs.readable(tokens.known)
    if len(pairs) and config.epochs != 0:
        _learn(learner, pairs, items, corpus, config, seed, processes, run, progress)
    artefact, alike = export(
        learner, tokenizer, pad, length, config.quantise, corpus.texts, items.tolist()
    )
    progress.note(
        f"text_encoder: exported, {artefact.model.nbytes / 1e6:,.0f} MB"
        + (f" with 8-bit weights, mean cosine {alike:.3f}" if config.quantise else "")
    )
    vectors = _vectors(artefact, learner, corpus, items, processes, config.quantise, run, progress)
    return {"text_onnx": artefact, "vector": ItemVectors(items, vectors)}


def _learn(
    learner: TextLearner,
    pairs: Pairs,
    items: NDArray[np.int32],
    corpus: Corpus,
    config: TextEncoderRetriever,
    seed: int,
    processes: Processes,
    run: Path | None,
    progress: Progress,
) -> None:
    """Fine-tune in place; the model stays what it was where that finds more."""
    kept, held = pairs.hold_out(seed)
    held = held.take(np.arange(min(HELD, len(held))))
    batch = config.batch if config.batch != "auto" else 64
    grouped = Grouped(kept, items, len(corpus.texts), batch, 0, corpus.items, seed)
    batches = Rounds(grouped, items, learner, config.hard, seed)
    passes = (
        config.epochs
        if config.epochs != "auto"
        else int(np.clip(300_000 / max(1, len(kept)), 1, 4))
    )
    plan = Plan(
        epochs=passes * batches.rounds,
        patience=config.patience * batches.rounds,
        learning_rate=config.learning_rate if config.learning_rate != "auto" else 5e-5,
        seed=seed,
        reduced=False,
    )
    validate = HeldOutPairs(held, items, MEASURED, seed) if len(held) else None
    progress.note(
        f"text_encoder ({config.model}): {len(kept):,} pairs, {passes} passes in "
        f"{plan.epochs} epochs, temperature {learner.temperature:.3g}"
    )
    start: Weights = {name: value.clone() for name, value in learner.state_dict().items()}
    before = validate(learner) if validate is not None else -1.0
    state = train("text_encoder", learner, batches, validate, plan, processes, run, progress)
    if validate is None:
        return
    if processes.agree(before) >= state.best:
        learner.load_state_dict(start)
        progress.note(
            f"text_encoder: nDCG@10 of {len(held):,} held-out pairs {before:.4f} before, "
            f"{state.best:.4f} after training, so the model stays as it was"
        )
        return
    progress.note(
        f"text_encoder: nDCG@10 of {len(held):,} held-out pairs {before:.4f} before, "
        f"{state.best:.4f} after epoch {state.best_epoch}"
    )


def _vectors(
    artefact: OnnxText,
    learner: TextLearner,
    corpus: Corpus,
    items: NDArray[np.int32],
    processes: Processes,
    quantised: bool,
    run: Path | None,
    progress: Progress,
) -> NDArray[np.float32]:
    """Every item by the encoder that serves; on a GPU, with float weights, by the trained one."""
    lengths = learner.lengths(items)
    if processes.device.type == "cuda" and not quantised:
        learner.to(processes.device)

        def encode(some: NDArray[np.int32]) -> NDArray[np.float32]:
            with torch.no_grad():
                return learner.of(some).float().cpu().numpy()

        return encode_items(encode, items, lengths, artefact.dim, artefact.version, run, progress)
    encoder = open_encoder(artefact, threads=0)

    def ask(some: NDArray[np.int32]) -> NDArray[np.float32]:
        return encoder.encode([corpus.texts[number] for number in some.tolist()])

    return encode_items(ask, items, lengths, artefact.dim, artefact.version, run, progress)


def _temperature(
    learner: TextLearner, config: TextEncoderRetriever, items: NDArray[np.int32], seed: int
) -> float:
    """The config's, or by rule: as if vectors had length 1 on average."""
    if config.temperature != "auto":
        return config.temperature
    rng = np.random.default_rng([seed, 0x7E39])
    learner.eval()
    with torch.no_grad():
        some = learner.of(rng.permutation(items)[:256]).float()
    return TEMPERATURE * float(some.square().sum(1).mean())


def _digest(learner: TextLearner) -> str:
    """Names the weights that training starts from."""
    digest = xxhash.xxh3_64()
    for name, value in sorted(learner.named_parameters()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().numpy().tobytes())
    return digest.hexdigest()
