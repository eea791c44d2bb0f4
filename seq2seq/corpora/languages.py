"""Whether a language writes spaces between words, from its code or from a sample of text."""

import re
from collections.abc import Iterable
from contextlib import suppress
from enum import StrEnum
from functools import lru_cache
from itertools import islice


class Segmentation(StrEnum):
    """How words are separated in writing."""

    spaces = "spaces"
    chinese = "chinese"
    """No separation; Chinese characters."""
    japanese = "japanese"
    """No separation; Chinese characters and kana."""
    korean = "korean"
    """Spaces, with particles and endings attached to the words."""
    unsegmented = "unsegmented"
    """No separation, other scripts: Thai, Lao, Khmer, Burmese, Tibetan and others."""


OF_SCRIPT = {
    **dict.fromkeys(("Hani", "Hans", "Hant", "Hanb", "Bopo"), Segmentation.chinese),
    **dict.fromkeys(("Jpan", "Hrkt", "Hira", "Kana"), Segmentation.japanese),
    **dict.fromkeys(("Kore", "Hang"), Segmentation.korean),
    **dict.fromkeys(("Thai", "Laoo", "Khmr", "Mymr", "Tibt", "Lana", "Talu", "Java", "Bali"), Segmentation.unsegmented),
}
"""Scripts without spaces by ISO 15924 code; all others have spaces."""

SCRIPT_OF = dict.fromkeys(("rki", "rmz", "int", "tvn", "ksw", "pwo", "kjp", "blk", "aio", "phk"), "Mymr")
"""Scripts of languages for which langcodes assumes Latin: Rakhine, Marma, Karen, Pa'O and others of Burma."""

EXAMPLES = {
    Segmentation.spaces: "a language with spaces between words, such as en",
    Segmentation.chinese: "Chinese, zh",
    Segmentation.japanese: "Japanese, ja",
    Segmentation.korean: "Korean, ko",
    Segmentation.unsegmented: "a language without spaces between words, such as th, lo, km, my or bo",
}
"""Names with a language code, for messages."""

KANA = re.compile("[\u3041-\u30ff\u31f0-\u31ff\uff66-\uff9f]")
HAN = re.compile("[\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
HANGUL = re.compile("[\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff]")
UNSEGMENTED = re.compile(
    "[\u0e01-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u1980-\u19ff\u1a20-\u1aaf\u1b00-\u1b7f\ua980-\ua9ff\uaa60-\uaa7f]"
)
LETTER = re.compile(r"[^\W\d_]")

KIND = re.compile(r"([^()]+?) *\(([^()]+)\)")
"""A name and a kind of the language."""

LONGEST_NAME = 60
"""Characters of the name of a language, at most."""

SAMPLE = 1000
"""Lines of text that are examined."""

ENOUGH = 20
"""Minimum number of letters for a decision."""

LONGEST_WORD = 10
"""Mean characters of a word above which text has no spaces between words; words of Burmese have 3 to 7."""


def language_tag(language: str) -> str:
    """The BCP 47 tag of a language code: ``zh`` for zh and zho, ``zh-Hant`` for zh-Hant; empty for an invalid code."""
    import langcodes  # takes 30 ms to import

    try:
        tag = langcodes.Language.get(language)
        return tag.to_tag() if tag.is_valid() else ""
    except ValueError:
        return ""


@lru_cache
def script(language: str) -> str | None:
    """The ISO 15924 code of a language's script; None for an invalid code.

    Args:
        language: an ISO 639-1 or 639-3 code, or a BCP 47 tag: zh, zho, cmn, zh-Hant, yo, yor.
    """
    import langcodes  # takes 30 ms to import

    try:
        tag = langcodes.Language.get(language)
        known = tag.script or SCRIPT_OF.get(tag.language or "")
        return (known or tag.maximize().script) if tag.is_valid() else None
    except ValueError:
        return None


@lru_cache
def tag_named(text: str) -> str | None:
    """The BCP 47 tag of a code or a whole name: ``pt-BR`` for pt_br, ``zh-Hant`` for Traditional Chinese.

    A name may end in a kind of the language: ``quz`` for Quechua (Cusco). None: the text is neither, or has more words.
    """
    import langcodes  # takes 30 ms to import

    if not 0 < len(text) <= LONGEST_NAME or not text.isprintable():
        return None
    with suppress(ValueError):
        tag = langcodes.Language.get(text)
        if tag.is_valid():
            return tag.to_tag()
    kind = KIND.fullmatch(text)
    for name in (text, f"{kind[2]} {kind[1]}" if kind else ""):
        with suppress(LookupError, ValueError, SystemError):  # the latter two: far from a name, such as NUL
            if _is_name(name):
                return langcodes.find(name).to_tag()
    return None


def _is_name(text: str) -> bool:
    """Whether a text is a name of a language as it stands; `langcodes.find` also takes texts that begin with one."""
    from language_data import names

    names.name_to_code("language", text)  # loads the names
    return len(text) > 1 and names.normalize_name(text) in names.TRIES["und/name_to_language"]


@lru_cache
def language_named(text: str) -> str | None:
    """The language of a code or whole name, such as vi, vie, vi-VN, Vietnamese or Tiếng Việt; None if it is neither.

    Returns:
        The shortest ISO 639 code, of the macrolanguage if there is one: zh for cmn.
    """
    import langcodes

    tag = tag_named(text)
    return langcodes.Language.get(tag).prefer_macrolanguage().language if tag else None


@lru_cache
def is_kind_of(language: str, other: str) -> bool:
    """Whether the English name of a language has that of another one in it: Central Kurdish (ckb) is a Kurdish (ku)."""
    import langcodes

    tags = [tag_named(text) for text in (language, other)]
    names = [set(langcodes.Language.get(tag).language_name().split()) for tag in tags if tag]
    return len(names) == 2 and names[0] >= names[1]


def segmentation(language: str) -> Segmentation:
    """How a language separates its words; `Segmentation.spaces` for an invalid code."""
    return OF_SCRIPT.get(script(language) or "", Segmentation.spaces)


def has_spaces(language: str) -> bool:
    """Whether a language separates words by white space."""
    return segmentation(language) in (Segmentation.spaces, Segmentation.korean)


def word_count(text: str, language: str) -> int:
    """Number of words separated by white space; number of other characters in a language without spaces."""
    words = text.split()
    return len(words) if has_spaces(language) else sum(map(len, words))


def detect_segmentation(lines: Iterable[str]) -> Segmentation | None:
    """How a text separates its words, judged by two thirds of its letters; None if it has few letters or is mixed."""
    text = "".join(islice(lines, SAMPLE))
    counts = {pattern: len(pattern.findall(text)) for pattern in (KANA, HAN, HANGUL, UNSEGMENTED)}
    for pattern in counts:
        text = pattern.sub("", text)
    kinds = {
        Segmentation.chinese: counts[HAN] + counts[KANA],
        Segmentation.korean: counts[HANGUL],
        Segmentation.unsegmented: counts[UNSEGMENTED],
        Segmentation.spaces: len(LETTER.findall(text)),
    }
    most = max(kinds, key=kinds.__getitem__)
    if sum(kinds.values()) < ENOUGH or 3 * kinds[most] < 2 * sum(kinds.values()):
        return None
    # Chinese text quotes a few kana; Japanese text has more than one in twenty.
    return Segmentation.japanese if most is Segmentation.chinese and 20 * counts[KANA] > kinds[most] else most


def mean_word_length(lines: Iterable[str]) -> float:
    """Mean characters of the words between white space; 0 without words."""
    lengths = [len(word) for line in lines for word in line.split()]
    return sum(lengths) / max(1, len(lengths))


def lacks_spaces(lines: Iterable[str], kind: Segmentation | None) -> bool:
    """Whether a text has no spaces between its words, which in some languages is up to its author.

    Args:
        lines: the text.
        kind: how its language separates words, or as `detect_segmentation` returns it. Text of a language with spaces
            has them, however long its words are.
    """
    without = kind in (Segmentation.chinese, Segmentation.japanese, Segmentation.unsegmented)
    return without and mean_word_length(lines) > LONGEST_WORD


def mismatched_segmentation(language: str, lines: Iterable[str]) -> Segmentation | None:
    """How a text separates its words, if that contradicts its language; else None."""
    found = detect_segmentation(lines)
    return None if found is segmentation(language) else found
