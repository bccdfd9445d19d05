"""A generated library in seven languages, and people who read in it: text encoders learn here.

Every language has words of its own, in a script of its own, for the same concepts. A document is
about a subject and written in one language; people read about one subject in a session, in the
languages that they know. So what belongs together is often in words that have nothing in common,
which only the sessions tell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist.core.catalogue import Catalogue, Column
from shortlist.core.times import DAY, MINUTE
from shortlist.core.vocabulary import Vocabulary
from shortlist.offline.data.items import NEVER
from shortlist.offline.data.query_log import QueryLog
from shortlist.offline.data.training import TrainingData

SYLLABLES: dict[str, tuple[str, str]] = {
    # language: (syllables, what stands between words)
    "en": ("ba co de fi gu lan mer nor pel qui ros sta tur ven wis thea crom bly", " "),
    "de": ("äh bau dorf eich furt grün hof kraut lös müh nacht öl pflug ruß schif tür wald", " "),
    "ru": ("ба во гро дым жел зор кан лоб мир ней пол руч сад тёп фор чай шум", " "),
    "hi": ("का खि गु चे जो टा डी ता दे नि पू बे मो या रु लि सो", " "),
    "ko": ("가 나물 도래 람 마당 바위 사랑 아침 자리 치마 카누 타래 파도 하늘 골 들", " "),
    "ja": ("あめ いし うみ えだ かぜ 木の きり くも さか しお 空 つき なみ 花 ほし 山", ""),
    "zh": ("天 地 人 山 水 火 木 金 土 日 月 星 风 云 雨 雪 花 草 石 河 林 田", ""),
}
LANGUAGES = tuple(SYLLABLES)
GAP = 30 * MINUTE


@dataclass(frozen=True)
class Library:
    """Documents and who read them.

    Attributes:
        data: the log, with a catalogue of `title`, `body` and `language`.
        subject: `int32[documents]`, what each document is about.
        language: `int32[documents]`, into `LANGUAGES`.
        words: language → for each concept the words that mean it.
        concepts: `int32[subjects, n]`, the concepts of each subject.
    """

    data: TrainingData
    subject: NDArray[np.int32]
    language: NDArray[np.int32]
    words: dict[str, list[list[str]]]
    concepts: NDArray[np.int32]

    def query(self, subject: int, language: str, rng: np.random.Generator) -> str:
        """A few words about a subject, as somebody would type them."""
        some = rng.choice(self.concepts[subject][:OWN], 2, replace=False).tolist()
        between = SYLLABLES[language][1] or " "
        return between.join(self.words[language][c][0] for c in some)

    def clicks(self, language: str, n: int, seed: int = 0) -> QueryLog:
        """Queries in one language, and documents about what was meant in any that were clicked."""
        rng = np.random.default_rng([seed, 0xC11C])
        subjects = rng.integers(0, len(self.concepts), n)
        asked = [self.query(subject, language, rng) for subject in subjects.tolist()]
        shelves = [np.flatnonzero(self.subject == s) for s in range(len(self.concepts))]
        clicked = [rng.choice(shelves[subject]) for subject in subjects.tolist()]
        texts = sorted(set(asked))
        places = {text: place for place, text in enumerate(texts)}
        return QueryLog(
            texts,
            np.array([places[text] for text in asked], np.int32),
            np.array(clicked, np.int32),
            np.arange(n, dtype=np.int32),
            np.zeros(n, np.int64),
        )


OWN = 12
"""Concepts that are of one subject only; as many again it shares with its topic."""
SUBJECTS_OF_TOPIC = 5
COMMON = 150
"""Concepts that are in documents of any subject."""


def library(
    documents: int = 4_000, users: int = 2_000, subjects: int = 100, days: int = 20, seed: int = 0
) -> Library:
    """Make a library; the same arguments give the same one."""
    rng = np.random.default_rng([seed, 0x11B])
    topics = -(-subjects // SUBJECTS_OF_TOPIC)
    n = COMMON + topics * OWN + subjects * OWN
    words = {language: _words(language, n, rng) for language in LANGUAGES}
    topic = np.arange(subjects) // SUBJECTS_OF_TOPIC
    own = COMMON + topics * OWN + np.arange(subjects)[:, None] * OWN + np.arange(OWN)
    shared = COMMON + topic[:, None] * OWN + np.arange(OWN)
    concepts = np.concatenate([own, shared], axis=1).astype(np.int32)
    subject = rng.integers(0, subjects, documents).astype(np.int32)
    language = rng.integers(0, len(LANGUAGES), documents).astype(np.int32)
    titles, bodies = [], []
    for about, spoken in zip(subject.tolist(), language.tolist(), strict=True):
        name = LANGUAGES[spoken]
        titles.append(_text(words[name], concepts[about], name, int(rng.integers(3, 6)), rng))
        bodies.append(_text(words[name], concepts[about], name, int(rng.integers(12, 30)), rng))
    columns = {
        "title": Column.text(titles),
        "body": Column.text(bodies),
        "language": Column.keyword([LANGUAGES[spoken] for spoken in language]),
    }
    data = _log(columns, subject, language, users, subjects, days, rng)
    return Library(data, subject, language, words, concepts)


def _words(language: str, concepts: int, rng: np.random.Generator) -> list[list[str]]:
    """One or two words for each concept, no word for two of them."""
    syllables = SYLLABLES[language][0].split()
    taken: set[str] = set()
    out = []
    for _ in range(concepts):
        some: list[str] = []
        while len(some) < 1 + int(rng.random() < 0.5):
            size = int(rng.integers(2, 4))
            word = "".join(syllables[i] for i in rng.integers(0, len(syllables), size))
            if word not in taken:
                taken.add(word)
                some.append(word)
        out.append(some)
    return out


def _text(
    words: list[list[str]],
    concepts: NDArray[np.int32],
    language: str,
    size: int,
    rng: np.random.Generator,
) -> str:
    """Half of the words are of the subject, the rest of any; common words are common."""
    mine = concepts[np.minimum(rng.geometric(0.12, size) - 1, len(concepts) - 1)]
    common = np.minimum(rng.geometric(0.03, size) - 1, COMMON - 1)
    chosen = np.where(rng.random(size) < 0.5, mine, common).tolist()
    some = [words[c][int(rng.integers(0, len(words[c])))] for c in chosen]
    return SYLLABLES[language][1].join(some)


def _log(
    columns: dict[str, Column],
    subject: NDArray[np.int32],
    language: NDArray[np.int32],
    users: int,
    subjects: int,
    days: int,
    rng: np.random.Generator,
) -> TrainingData:
    documents = len(subject)
    order = np.lexsort((language, subject))
    key = subject[order].astype(np.int64) * len(LANGUAGES) + language[order]
    user, item, time, session = [], [], [], []
    number = 0
    for person in range(users):
        spoken = rng.permutation(len(LANGUAGES))[: int(rng.integers(1, 4))]
        liked = rng.integers(0, subjects, 4)
        for day in np.sort(rng.choice(days, int(rng.integers(2, 6)), replace=False)).tolist():
            about = int(liked[rng.integers(0, len(liked))])
            wanted = [about * len(LANGUAGES) + int(s) for s in spoken]
            first, last = np.searchsorted(key, wanted), np.searchsorted(key, wanted, "right")
            shelf = np.concatenate(
                [order[a:b] for a, b in zip(first.tolist(), last.tolist(), strict=True)]
            )
            read = rng.permutation(shelf)[: int(rng.integers(2, 7))]
            if rng.random() < 0.3:  # something else caught the eye
                read = np.append(read, rng.integers(0, documents))
            start = (1 + day) * DAY + int(rng.integers(0, 20 * 60)) * MINUTE
            for place, document in enumerate(read.tolist()):
                user.append(person)
                item.append(document)
                time.append(start + place * 2 * MINUTE)
                session.append(number)
            number += 1
    return TrainingData(
        catalogue=Catalogue(
            Vocabulary.of([f"d{row}" for row in range(documents)]),
            columns,
            np.ones(documents, np.bool_),
            np.full(documents, NEVER),
        ),
        users=users,
        user=np.array(user, np.int32),
        item=np.array(item, np.int32),
        time=np.array(time, np.int64),
        weight=np.ones(len(user), np.float32),
        session=np.array(session, np.int64),
        until=(days + 2) * DAY,
    )
