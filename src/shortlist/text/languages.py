"""Languages: what script each is written in, its stemmer, and its function words.

The function words serve twice: they tell languages of one script apart (the language of a text is
the one most of whose function words it uses; Ingle 1976, Grefenstette 1995), and they are the
stop words. They are the closed classes of each language's grammar (articles, pronouns,
prepositions, conjunctions, auxiliaries), written down for this project, without accents where
folding takes those away.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from shortlist.text.normalise import normalise

STEMMERS: dict[str, str] = {
    "ar": "arabic",
    "ca": "catalan",
    "cs": "czech",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "eo": "esperanto",
    "es": "spanish",
    "et": "estonian",
    "eu": "basque",
    "fa": "persian",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "ne": "nepali",
    "nl": "dutch",
    "no": "norwegian",
    "pl": "polish",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
    "yi": "yiddish",
}
"""ISO 639-1 code → the Snowball algorithm."""

UNSTEMMED = frozenset({"ja", "km", "ko", "lo", "my", "th", "vi", "zh"})
"""Languages whose words do not inflect, or that a segmenter brings to their dictionary forms."""

_SCRIPT_OF = {
    "ar": "Arabic",
    "be": "Cyrillic",
    "bg": "Cyrillic",
    "el": "Greek",
    "fa": "Arabic",
    "he": "Hebrew",
    "hi": "Devanagari",
    "hy": "Armenian",
    "ja": "Han",
    "ko": "Hangul",
    "mr": "Devanagari",
    "ne": "Devanagari",
    "ru": "Cyrillic",
    "ta": "Tamil",
    "uk": "Cyrillic",
    "ur": "Arabic",
    "yi": "Hebrew",
    "zh": "Han",
}
_DEFAULT = {
    "Arabic": "ar",
    "Armenian": "hy",
    "Cyrillic": "ru",
    "Devanagari": "hi",
    "Greek": "el",
    "Hangul": "ko",
    "Han": "zh",
    "Tamil": "ta",
}
_RANGES = (
    (0x0370, 0x03FF, "Greek"),
    (0x0400, 0x052F, "Cyrillic"),
    (0x0530, 0x058F, "Armenian"),
    (0x0590, 0x05FF, "Hebrew"),
    (0x0600, 0x077F, "Arabic"),
    (0x08A0, 0x08FF, "Arabic"),
    (0x0900, 0x097F, "Devanagari"),
    (0x0B80, 0x0BFF, "Tamil"),
    (0x1F00, 0x1FFF, "Greek"),
)

_FUNCTION_WORDS = {
    "ca": "el la els les un una uns unes de del dels a al als en amb per que i o no es son era ha "
    "han ser es com mes pero si jo tu ell ella nosaltres ho hi aquest aquesta",
    "cs": "a v ve na se si je jsou byl byla bylo být že to ten ta ty s z ze do k ke o u po za pro "
    "jak ale i nebo by ne jsem jsme není co který která který jeho jeji už",
    "da": "og i at det er en et den til på som med for af der de ikke har var jeg du han hun vi "
    "kan men fra om ved eller blev blive være sig så hvad denne dette min",
    "de": "der die das den dem des ein eine einer eines einem einen und oder aber ist sind war "
    "waren sein ich du er sie es wir ihr mich dich ihn uns nicht kein keine zu zum zur in im an am "
    "auf aus bei mit nach von vom für über unter um wie was wer wo wenn dass als auch noch nur so "
    "habe hat haben hatte wird werden wurde kann können muss will sich mein dein sehr",
    "en": "a an the and or but if of at by for with about into to from up in on off over under "
    "again is am are was were be been being have has had do does did i me my we our you your he "
    "him his she her it its they them their this that these those what which who whom as than "
    "then there here when where why how not no nor so too very can will would should could just",
    "eo": "la kaj en de al estas estis ne mi vi li ŝi ĝi ni ili kiu kiel por kun sed tio oni sur",
    "es": "el la los las un una unos unas de del a al en con por para que y o no es son era fue "
    "ser está están ha han como más pero si yo tú él ella nosotros su sus mi me te se lo le les "
    "este esta eso muy ya también cuando donde qué",
    "et": "ja on ei see ta ma ka et kui oli mis aga oma selle või siis nii mina sina nad meie olen",
    "eu": "eta da ez bat du zen hori hau baina nik zuk dut ere izan dira den egin",
    "fi": "ja on ei se että hän minä sinä oli en mutta kun niin myös tai ovat ole olen mitä joka "
    "jos nyt me te he tämä minun sen",
    "fr": "le la les l un une des de du d à au aux en dans avec pour par sur sous que qui et ou où "
    "mais ne pas plus est sont était être avoir a ont ce cet cette ces je tu il elle on nous vous "
    "ils elles me te se son sa ses mon ma mes leur leurs y si comme très",
    "ga": "an na agus ar i is ní go le do tá sé sí mé tú bhí ag a as",
    "hu": "a az és hogy nem is egy van volt de ez meg csak én te ő mi mint ha már el ki fel le",
    "id": "yang dan di ke dari itu ini untuk dengan tidak adalah pada saya kamu dia kami mereka "
    "akan ada juga atau oleh sudah bisa apa",
    "it": "il lo la i gli le un uno una di del della dei degli delle a al alla ai in nel nella con "
    "per da dal su che e o ma non è sono era essere ha hanno come più se io tu lui lei noi voi "
    "loro mi ti si ci questo questa molto",
    "lt": "ir yra ne kad tai su į iš jis ji aš tu mes bet kaip ar buvo o už nuo per",
    "nl": "de het een en of maar van in op te aan met voor bij uit naar door over is zijn was "
    "waren wordt worden ik je jij hij zij ze wij we jullie mij hem haar niet geen dat die dit deze "
    "er ook als dan nog om wat wie heb heeft hebben had kan zal zich mijn zo",
    "no": "og i å det er en et den til på som med for av ikke har var jeg du han hun vi de kan men "
    "fra om ved eller ble bli være seg så hva denne dette min",
    "pl": "i w we na z ze do się nie to jest są był była było że jak ale a o od po za dla przez "
    "przy czy lub ja ty on ona my ten ta te co który która jego jej już tylko tak",
    "pt": "o a os as um uma uns umas de do da dos das em no na nos nas com por para que e ou não é "
    "são era foi ser está ao à como mais mas se eu tu ele ela nós você seu sua meu me te lhe este "
    "esta isso muito já também quando onde",
    "ro": "și în la de cu pe nu este sunt un o al a ai ale că să ce din pentru mai dar eu tu el ea "
    "noi voi era fi care au am",
    "ru": "и в во не что он на я с со как а то все она так его но да ты к у же вы за бы по ее мне "
    "было вот от меня о из ему теперь когда даже ну ли если или быть был него до вас нибудь для "
    "это этот эта мы они их есть",
    "sv": "och i att det är en ett den till på som med för av inte har var jag du han hun hon vi "
    "de kan men från om vid eller blev bli vara sig så vad denna detta min",
    "tr": "ve bir bu da de için ile ne o ben sen biz siz mi mu çok gibi daha ama var yok değil "
    "olan olarak kadar her şey en ki",
    "uk": "і в у не що він на я з як а то все вона так його але ти до це ви за по мене ми вони є",
}
_JAPANESE = "の に は を た が で て と し れ さ ある いる も する から な こと として い や"
_CHINESE = "的 了 是 在 和 也 就 都 而 及 與 与 着 或 這 这 那 之 嗎 吗 呢 吧 啊"


def script_of(word: str) -> str:
    """The script of a normalised word's first letter; `Latin` where it is none of those known."""
    code = ord(word[0])
    if code < 0x0370:
        return "Latin"
    for low, high, script in _RANGES:
        if low <= code <= high:
            return script
    return "Latin" if code < 0x2000 or code > 0xFFFF else "Other"


def written_in(language: str) -> str:
    """The script that a language is written in."""
    return _SCRIPT_OF.get(language, "Latin")


def languages_of(script: str, languages: Sequence[str]) -> tuple[str, ...]:
    """Those of the languages that are written in a script; its commonest where none is."""
    found = tuple(language for language in languages if written_in(language) == script)
    return found or ((_DEFAULT[script],) if script in _DEFAULT else ())


@cache
def function_words(language: str, diacritics: bool = False) -> frozenset[str]:
    """A language's function words, normalised; none for a language that is not known."""
    listed = {"ja": _JAPANESE, "zh": _CHINESE}.get(language, _FUNCTION_WORDS.get(language, ""))
    return frozenset(normalise(listed, diacritics=diacritics).split())


def vote(words: Iterable[str], languages: Sequence[str], diacritics: bool = False) -> str:
    """The language most of whose function words a text uses; the first of those that tie.

    Args:
        words: the text's words, normalised.
        languages: what to choose from; at least one.
        diacritics: whether the words keep their accents.
    """
    if len(languages) == 1:
        return languages[0]
    said = list(words)
    counts = [
        sum(map(function_words(language, diacritics).__contains__, said)) for language in languages
    ]
    return languages[counts.index(max(counts))]
