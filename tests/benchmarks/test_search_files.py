"""`benchmarks/search.py --dataset`: folders in the BEIR layout as they are, and its metric."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from _beir_files import Documents, documents, qrels, queries
from _search_beir import beir, ndcg

from shortlist.core.errors import DataError

DOCUMENTS = [("1", "Tea", "green leaves"), ("2", "", "black beans"), ("3", "Milk", "")]


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        opened = gzip.open if name.endswith(".gz") else open
        with opened(file, "wt", encoding="utf-8") as lines:
            lines.write(text)
    return folder


def lines(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.mark.parametrize("name", ["corpus.jsonl", "corpus.jsonl.gz", "corpus/part-0.jsonl"])
def test_documents_of_json_lines_may_lack_titles_and_have_numbers_for_ids(
    tmp_path: Path, name: str
) -> None:
    rows = (
        {"_id": 1, "title": "Tea", "text": "green leaves", "metadata": {"url": ["a", 2]}},
        {"_id": "2", "text": "black beans"},
        {"_id": "3", "title": "Milk", "text": None},
        {"_id": 1, "title": "again", "text": "again"},
    )
    folder = written(tmp_path, {name: lines(*rows) + "\n"})
    assert documents(folder) == Documents(*map(list, zip(*DOCUMENTS, strict=True)))


def test_documents_of_parquet_may_be_in_several_files(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    for part, rows in enumerate((DOCUMENTS[:1], DOCUMENTS[1:])):
        ids, titles, texts = zip(*rows, strict=True)
        table = pa.table({"_id": list(map(int, ids)), "title": titles, "text": texts})
        pq.write_table(table, tmp_path / f"corpus/corpus-0000{part}-of-00002.parquet")
    assert documents(tmp_path) == Documents(*map(list, zip(*DOCUMENTS, strict=True)))


def test_queries_are_read_with_a_header_or_without(tmp_path: Path) -> None:
    assert queries(written(tmp_path / "a", {"queries.tsv": "_id\ttext\nq1\tred tea\n"})) == {
        "q1": "red tea"
    }
    assert queries(written(tmp_path / "b", {"queries.tsv": "7\tred tea\n8\t\n"})) == {
        "7": "red tea",
        "8": "",
    }


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\t1\t2\nq1\t2\t0\nq2\t3\t1\n"),
        ("qrels/test.tsv", "q1\t1\t2\nq2\t3\t1\nq2\t3\t0\n"),
        ("qrels/test.txt", "q1 0 1 2\nq1 0 2 0\n\nq2 Q0 3 1\n"),
        ("qrels.test.txt.gz", "q1 0 1 2\nq2 0 3 1\n"),
        ("qrels.tsv", "query-id\tcorpus-id\tscore\nq1\t1\t2\nq2\t3\t1.0\n"),
        ("qrels/test-00000.csv", "query-id,corpus-id,score\nq1,1,2\nq2,3,1\n"),
        ("qrels.jsonl", lines({"q": "q1", "d": 1, "s": 2}, {"q": "q2", "d": "3", "s": 1})),
    ],
)
def test_judgements_come_in_many_forms(tmp_path: Path, name: str, text: str) -> None:
    assert qrels(written(tmp_path, {name: text}), "test") == {"q1": {"1": 2}, "q2": {"3": 1}}


def test_judgements_of_another_split_are_not_taken(tmp_path: Path) -> None:
    folder = written(tmp_path, {"qrels/train.tsv": "q1\t1\t1\n"})
    with pytest.raises(DataError, match=r"no qrels of the split 'test', only qrels/train.tsv"):
        qrels(folder, "test")


def test_what_is_no_judgement_is_named(tmp_path: Path) -> None:
    folder = written(tmp_path, {"qrels/test.tsv": "q1\t1\t1\nq1\tbetter\n"})
    with pytest.raises(DataError, match=r"test.tsv:2: 'q1\\tbetter' is no judgement"):
        qrels(folder, "test")


def test_a_missing_corpus_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no corpus"):
        documents(tmp_path)


def test_a_short_list_is_compared_with_the_best_one_of_full_length() -> None:
    assert ndcg(["a"], {"a": 1, "b": 1}) == pytest.approx(1 / (1 + 1 / np.log2(3)))
    assert ndcg([], {"a": 1}) == 0
    assert ndcg(["x", "a"], {"a": 2}) == pytest.approx(1 / np.log2(3))


def test_a_folder_without_titles_is_measured_and_what_is_odd_in_it_counted(tmp_path: Path) -> None:
    written(
        tmp_path / "data",
        {
            "corpus.jsonl": lines(*({"_id": id, "text": text} for id, _, text in DOCUMENTS)),
            "queries.jsonl": lines(
                {"_id": "q1", "text": "green"},
                {"_id": "q2", "text": " "},
                {"_id": "unjudged", "text": "beans"},
            ),
            "qrels/test.tsv": "q1\t1\t1\nq2\t2\t1\nq2\tgone\t1\n",
        },
    )
    told = beir(tmp_path / "data", tmp_path / "release", encoder="", split="test")
    assert (told["documents"], told["queries"]) == (3, 2)
    assert told["judged_but_not_there"] == told["queries_without_text"] == 1
    assert told["lexical"]["ndcg@10"] == 0.5
    assert "published" not in told
