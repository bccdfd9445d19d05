"""The tables of `shortlist.toml` about text: `[text]`, `[search]` and `[data.knowledge]`."""

from __future__ import annotations

from typing import Literal

import msgspec

from shortlist.config.section import Section


class TextSection(Section, frozen=True):
    """`[text]`: how texts become terms, when training, indexing and serving.

    Attributes:
        languages: ISO 639-1 codes of the languages that texts are in, the commonest first. Words
            of a script that none of them is written in are of that script's commonest language.
        stemming: whether words are reduced to their stems.
        stop_words: whether stop words are left out.
        diacritics: whether accents are kept; `é` and `e` are one letter otherwise.
        cjk: how Chinese, Japanese and Korean are cut into words: `segmenter` (needs
            `shortlist[cjk]`; pairs of characters are found too), `bigrams` (pairs alone), or `auto`
            (a segmenter where one is installed).
    """

    languages: list[str] = msgspec.field(default_factory=lambda: ["en"])
    stemming: bool = True
    stop_words: bool = False
    diacritics: bool = False
    cjk: Literal["auto", "bigrams", "segmenter"] = "auto"


class SearchSection(Section, frozen=True):
    """`[search]`: how queries are understood, answered and ranked.

    Attributes:
        fields: what is searched: text columns, keywords and lists of keywords of the catalogue,
            and how often their words count. Empty: the texts, the first of which counts 3.
        backend: where the words of a release are searched: `tantivy` (in the release), or the
            address of a Milvus server (`http://host:19530`).
        candidates: how many items each way of retrieval finds.
        fusion: how the ways become one order without a ranker trained on clicks: by `weights`
            times scores, or by `rrf` (reciprocal rank fusion).
        weights: what each way counts: `lexical`, `vector`, `knowledge`; and what is known of an
            item besides: `exact`, `popularity`, `affinity`, `place`. Those not named keep their
            default.
        ranker: whether a ranker is trained where `[data.queries]` has enough clicks.
        spelling: whether misspelled words are corrected.
        confidence: how sure a correction must be to be searched for unasked; a less sure one is
            only offered ("did you mean").
        words: files of further words that are spelled right, one on a line, with a count after it
            or none.
        synonyms: files of synonyms: lines `a, b, c` (each stands for all) and `a => b, c` (who
            says a also means b and c).
        intent: whether categories are told from the query.
    """

    fields: dict[str, int] = msgspec.field(default_factory=dict)
    backend: str = "tantivy"
    candidates: int = 200
    fusion: Literal["weights", "rrf"] = "weights"
    weights: dict[str, float] = msgspec.field(default_factory=dict)
    ranker: bool = True
    spelling: bool = True
    confidence: float = 0.7
    words: list[str] = msgspec.field(default_factory=list)
    synonyms: list[str] = msgspec.field(default_factory=list)
    intent: bool = True


class QueriesSection(Section, frozen=True):
    """`[data.queries]`: the log of queries and what was clicked of their answers.

    Attributes:
        path: a CSV, JSON lines or Parquet file, a glob, or a database URL.
        table: the table to read when `path` is a database URL.
        query: the column of what was typed.
        item: the column of the item that was clicked; empty or missing where none was.
        user: the column of user ids; empty for none.
        place: the column of where it was asked from, as `data.items.place` calls places; empty for
            none.
        time: the column of times, as in `[data.events]`; empty for none. With times, what is
            learned from a query was known before it.
    """

    path: str
    table: str = ""
    query: str = "query"
    item: str = "item_id"
    user: str = ""
    place: str = ""
    time: str = ""


class KnowledgeSection(Section, frozen=True):
    """`[data.knowledge]`: a knowledge graph as triples, to link queries to and to expand them by.

    Attributes:
        path: a CSV, JSON lines or Parquet file, a glob, or a database URL.
        table: the table to read when `path` is a database URL.
        head: the column of the entity that a triple is about.
        relation: the column of the relation.
        tail: the column of the entity, or the name, that it leads to.
        weight: the column with how much the triple counts, above 0; empty: each counts 1.
        items: what the name of an entity that is an item begins with, its id after it; empty: an
            item is named by its id.
        names: relations whose tail is a name of the head. An entity without any is called what
            stands after the first colon of its own name.
        relations: the relations that are walked from what a query names, `~` before one that is
            walked from tail to head; empty: all of them, both ways.
        decay: what each step of a walk multiplies a weight by.
        hops: how many steps a walk has at most.
    """

    path: str
    table: str = ""
    head: str = "head"
    relation: str = "relation"
    tail: str = "tail"
    weight: str = ""
    items: str = "item:"
    names: list[str] = msgspec.field(default_factory=lambda: ["name", "alias"])
    relations: list[str] = msgspec.field(default_factory=list)
    decay: float = 0.5
    hops: int = 2
