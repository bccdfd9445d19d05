"""The analyzer: one form of a text, the same words and terms wherever and whenever."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.core.errors import ConfigError, ReleaseError
from shortlist.text import segment
from shortlist.text.analyzer import Analyzer
from shortlist.text.normalise import normalise
from shortlist.text.settings import AnalyzerSettings

ENGLISH = Analyzer()
BIGRAMS = Analyzer(AnalyzerSettings(("en", "ko", "ja", "zh"), cjk="bigrams"))
SEGMENTED = Analyzer(AnalyzerSettings(("en", "ko", "ja", "zh"), cjk="segmenter"))
EUROPEAN = Analyzer(AnalyzerSettings(("en", "de", "fr", "es")))
ALL = (ENGLISH, BIGRAMS, SEGMENTED, EUROPEAN)

MIXED = st.text(
    st.one_of(
        st.characters(codec=None),
        st.sampled_from(
            " \t\n'’.,:_-#+0123456789aAéÉßİıſﬁΣςжЙё가각한ㄱ漢字かカｶﾞーกำख़क्षन्दँण्ड़"
            "👍🏽🇰🇷\u200d\ufe0f\ud800\0"
        ),
    ),
    max_size=40,
)


def test_case_width_accents_and_ligatures_are_one() -> None:
    for text in ("Café", "CAFÉ", "cafe\u0301", "ｃａｆｅ"):
        assert ENGLISH.normalise(text) == "cafe"
    assert ENGLISH.normalise("ﬁne Straße Ⅷ ½ ①") == "fine strasse viii 1⁄2 1"
    assert ENGLISH.normalise("٣٤ १२") == "34 12"


def test_accents_are_kept_where_the_settings_say_so() -> None:
    keeping = Analyzer(AnalyzerSettings(diacritics=True))

    assert keeping.normalise("Café") == "café"
    assert keeping.version != ENGLISH.version


def test_signs_that_are_letters_to_their_readers_stay() -> None:
    assert ENGLISH.normalise("जन्म が Й") == "जन्म が й"


@pytest.mark.parametrize(
    ("one", "other"),
    [("हिन्दी", "हिंदी"), ("सम्बन्ध", "संबंध"), ("पाँच", "पांच"), ("फ़िल्म", "फिल्म"), ("अण्डा", "अंडा")],
)
def test_the_spellings_of_a_hindi_word_are_one(one: str, other: str) -> None:
    assert ENGLISH.normalise(one) == ENGLISH.normalise(other)
    assert Analyzer(AnalyzerSettings(diacritics=True)).normalise(one) != other


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Can't wait: wi-fi, the_who!", ["can't", "wait", "wi", "fi", "the", "who"]),
        ("U.S.A. 3.5mm 1,000 2,5 12:30", ["usa", "3.5mm", "1000", "2.5", "12", "30"]),
        ("C++ c# end.Next", ["c++", "c#", "end", "next"]),
        ("갤럭시S24 👍🏽🇰🇷 ©", ["갤럭시", "s24", "👍", "🇰🇷"]),
        ("สวัสดี नमस्ते שלום", ["สวัสดี", "नमस्ते", "שלום"]),
        ("", []),
        (" \t\n\0\ud800", []),
    ],
)
def test_words_end_where_readers_of_any_script_expect(text: str, words: list[str]) -> None:
    assert ENGLISH.words(text) == words


def test_terms_are_stems_and_possessives_fall_away() -> None:
    assert ENGLISH.terms("McDonald’s running shoes") == ["mcdonald", "run", "shoe"]
    assert ENGLISH.terms("mcdonalds") == ["mcdonald"]
    assert ENGLISH.terms("80's 1990’s 1984's") == ["80s", "1990s", "1984"]
    assert EUROPEAN.terms("l'homme et les chats", "fr") == ["homm", "et", "le", "chat"]


def test_one_letter_is_no_stem() -> None:
    assert Analyzer(AnalyzerSettings(("hi",))).terms("टॉम को का") == ["टॉम", "को", "का"]


def test_a_text_is_stemmed_in_its_own_language() -> None:
    assert EUROPEAN.detect("Die Häuser sind schön und groß") == "de"
    assert EUROPEAN.detect("the houses are big") == "en"
    assert EUROPEAN.detect("les maisons sont dans la rue") == "fr"
    assert EUROPEAN.detect("12 !") == "en"
    assert EUROPEAN.detect("Привет мир") == "ru"
    assert EUROPEAN.terms("Die Häuser sind schön")[1] == "haus"
    assert EUROPEAN.variants("hauser")[:2] == ["hauser", "haus"]


def test_stop_words_are_left_out_where_wanted_unless_nothing_else_is_there() -> None:
    stopping = Analyzer(AnalyzerSettings(stop_words=True))

    assert stopping.terms("the best of the shoes") == ["best", "shoe"]
    assert stopping.terms("The Who") == ["the", "who"]
    assert stopping.words("the best") == ["the", "best"]


def test_without_a_segmenter_dense_scripts_are_cut_in_pairs() -> None:
    assert BIGRAMS.words("清华大学") == ["清华", "华大", "大学"]
    assert BIGRAMS.terms("자전거를 탄다") == ["자전", "전거", "거를", "탄다"]
    assert BIGRAMS.words("自転車を") == ["自転", "転車", "車を"]
    assert BIGRAMS.terms("車") == ["車"]


def test_segmenters_find_the_words_of_chinese_japanese_and_korean() -> None:
    assert "清华大学" in SEGMENTED.words("我来到北京清华大学")
    assert SEGMENTED.words("ワイヤレスマウスを買いました")[:2] == ["ワイヤレス", "マウス"]
    assert "買う" in SEGMENTED.terms("ワイヤレスマウスを買いました")
    assert SEGMENTED.terms("자전거를")[0] == SEGMENTED.terms("자전거가")[0] == "자전거"
    assert SEGMENTED.words("자전거를 샀다") == ["자전거를", "샀다"]


@pytest.mark.parametrize(
    ("language", "text", "terms"),
    [
        ("zh", "大学生的生活", ["大学", "大学生", "学生", "生的", "的", "的生", "生活"]),
        (
            "ja",
            "自転車を買った",
            ["自転車", "自転", "転車", "車を", "を", "を買", "買う", "買っ", "った", "た"],
        ),
        ("ko", "자전거도로에서", ["자전거", "자전", "전거", "거도", "도로", "로에", "에서"]),
    ],
)
def test_pairs_stand_beside_segments_each_after_the_word_it_begins_in(
    language: str, text: str, terms: list[str]
) -> None:
    assert SEGMENTED.terms(text, language) == terms


@given(
    st.one_of(
        st.text("大学生的活京都東自転車を買ったいて", min_size=2, max_size=12),
        st.text("자전거도로에서", min_size=2, max_size=12),
    ),
    st.data(),
)
def test_any_two_characters_of_a_text_find_it(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 2))
    language = SEGMENTED.detect(text)
    query = text[start : start + 2]
    assert set(SEGMENTED.terms(query, language)) & set(SEGMENTED.terms(text, language))


@pytest.mark.parametrize(
    ("text", "language"),
    [("我们", "zh"), ("你好", "zh"), ("駅前", "ja"), ("佐々木", "ja"), ("国立公園", "ja")],
)
def test_characters_tell_chinese_from_japanese(text: str, language: str) -> None:
    for languages in (("ja", "zh"), ("zh", "ja")):
        assert Analyzer(AnalyzerSettings(languages)).detect(text) == language


def test_characters_of_both_are_of_the_language_named_first() -> None:
    assert Analyzer(AnalyzerSettings(("ja", "zh"))).detect("京都") == "ja"
    assert Analyzer(AnalyzerSettings(("zh", "ja"))).detect("京都") == "zh"


def test_a_segmenter_takes_any_length() -> None:
    assert "".join(SEGMENTED.words("車を買う" * 9_000)) == "車を買う" * 9_000


def test_a_segmenter_that_is_demanded_and_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(segment.PACKAGES, "ja", ("no-such-package",))

    with pytest.raises(ConfigError, match=r"no-such-package.*shortlist\[cjk\]"):
        Analyzer(AnalyzerSettings(("ja",), cjk="segmenter"))
    assert Analyzer(AnalyzerSettings(("ja",))).words("自転車") == ["自転", "転車"]


def test_tokens_say_where_they_are_in_the_original() -> None:
    text = "Ｔhe  ﬁne McDonald’s Café, 漢字 naïve"

    found = [text[token.start : token.end] for token in BIGRAMS.tokens(text)]

    assert found == ["Ｔhe", "ﬁne", "McDonald’s", "Café", "漢字", "naïve"]


@given(MIXED)
def test_normalising_twice_is_normalising_once(text: str) -> None:
    for diacritics in (False, True):
        once = normalise(text, diacritics=diacritics)
        assert normalise(once, diacritics=diacritics) == once


@given(MIXED)
def test_a_normalised_text_has_the_same_words_and_terms(text: str) -> None:
    for analyzer in (ENGLISH, BIGRAMS, SEGMENTED, EUROPEAN):
        normalised = analyzer.normalise(text)
        assert analyzer.words(normalised) == analyzer.words(text)
        assert analyzer.terms(normalised) == analyzer.terms(text)


@given(MIXED)
def test_tokens_words_and_terms_agree_and_lie_within_the_text(text: str) -> None:
    for analyzer in (BIGRAMS, SEGMENTED):
        tokens = analyzer.tokens(text)
        assert [token.text for token in tokens] == analyzer.words(text)
        terms = [term for token in tokens for term in token.terms]
        assert analyzer.terms(text) == (terms or analyzer.words(text))
        assert all(0 <= token.start < token.end <= len(text) for token in tokens)


@given(MIXED, st.sampled_from(["", "en", "ko", "ja", "xx"]))
def test_no_text_is_too_strange(text: str, language: str) -> None:
    for analyzer in (SEGMENTED, EUROPEAN):
        analyzer.detect(text)
        for word in analyzer.words(text, language):
            assert word and " " not in word
            analyzer.variants(word)


def test_every_single_character_settles() -> None:
    for code in range(0x20000):
        once = normalise(chr(code))
        assert normalise(once) == once, hex(code)


def test_two_processes_agree_to_the_byte() -> None:
    texts = [
        "McDonald’s Häuser",
        "自転車を買う",
        "자전거를 샀다",
        "清华大学 C++ 👍🏽",
        "Ё \u202e नमस्ते",
    ]
    code = (
        "import json, sys\n"
        "from shortlist.text.analyzer import Analyzer\n"
        "analyzer = Analyzer.from_dict(json.loads(sys.argv[1]))\n"
        "out = [[analyzer.words(t), analyzer.terms(t)] for t in json.loads(sys.argv[2])]\n"
        "print(json.dumps([analyzer.version, out]))"
    )
    arguments = [json.dumps(SEGMENTED.to_dict()), json.dumps(texts)]

    run = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", code, *arguments],
        capture_output=True,
        check=True,
        env={"PYTHONHASHSEED": "77"},
    )

    here = [[SEGMENTED.words(text), SEGMENTED.terms(text)] for text in texts]
    assert run.stdout.decode() == json.dumps([SEGMENTED.version, here]) + "\n"


def test_the_version_follows_the_settings() -> None:
    versions = {
        Analyzer(settings).version
        for settings in (
            AnalyzerSettings(),
            AnalyzerSettings(("de",)),
            AnalyzerSettings(stemming=False),
            AnalyzerSettings(stop_words=True),
            AnalyzerSettings(cjk="bigrams"),
        )
    }

    assert len(versions) == 5
    assert Analyzer().version == ENGLISH.version


def test_another_version_is_refused_and_the_difference_named() -> None:
    ENGLISH.check_version(ENGLISH.version)
    ENGLISH.check_version(ENGLISH.to_dict())
    with pytest.raises(ReleaseError, match=r"analyzer 0123.*train again"):
        ENGLISH.check_version("0123")
    other = ENGLISH.to_dict()
    other["version"] = "0123"
    other["parts"]["regex"] = "2020.1.1"
    with pytest.raises(ReleaseError, match=r"regex 2020.1.1 there and .* here"):
        Analyzer.from_dict(other)


@given(MIXED, st.sampled_from(["", "de", "fr", "ko", "ja", "xx"]))
def test_what_is_remembered_of_a_run_is_what_the_whole_text_says(text: str, language: str) -> None:
    for analyzer in (ENGLISH, BIGRAMS, SEGMENTED, EUROPEAN):
        tokens = analyzer.tokens(text, language)  # which looks at the whole text
        words = [token.text for token in tokens]
        assert analyzer.words(text, language) == words
        terms = [term for token in tokens for term in token.terms]
        assert analyzer.terms(text, language) == (terms or words)


@given(st.lists(st.sampled_from(["Shoes,", "running", "die", "Häuser", "L'eau", "le", "c++"])))
def test_matches_are_the_tokens_that_hold_a_term(words: list[str]) -> None:
    for text, analyzer in product((" ".join(words), "\t\n".join(words)), ALL):
        wanted = frozenset(analyzer.terms("shoe die haus eau c++"))
        held = [t for t in analyzer.tokens(text) if not wanted.isdisjoint(t.terms)]
        assert analyzer.matches(text, wanted) == [(t.start, t.end) for t in held]
