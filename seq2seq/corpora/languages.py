"""How a language writes its words: with spaces between them or without. By its code, and by the look of a text."""

import re
from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache
from itertools import islice


class Segmentation(StrEnum):
    """How words are set apart."""

    spaces = "spaces"
    chinese = "chinese"
    """Not at all; Chinese characters."""
    japanese = "japanese"
    """Not at all; Chinese characters and kana."""
    korean = "korean"
    """By spaces, with particles and endings joined to the words."""
    unsegmented = "unsegmented"
    """Not at all, in another script: Thai, Lao, Khmer, Burmese, Tibetan and others."""


OF_SCRIPT = {
    **dict.fromkeys(("Hani", "Hans", "Hant", "Hanb", "Bopo"), Segmentation.chinese),
    **dict.fromkeys(("Jpan", "Hrkt", "Hira", "Kana"), Segmentation.japanese),
    **dict.fromkeys(("Kore", "Hang"), Segmentation.korean),
    **dict.fromkeys(("Thai", "Laoo", "Khmr", "Mymr", "Tibt", "Lana", "Talu", "Java", "Bali"), Segmentation.unsegmented),
}
"""By ISO 15924 code; the scripts that are not here have spaces."""

EXAMPLES = {
    Segmentation.spaces: "a language with spaces between words, such as en",
    Segmentation.chinese: "Chinese, zh",
    Segmentation.japanese: "Japanese, ja",
    Segmentation.korean: "Korean, ko",
    Segmentation.unsegmented: "a language without spaces between words, such as th, lo, km, my or bo",
}
"""For people, with a code."""

KANA = re.compile("[\u3041-\u30ff\u31f0-\u31ff\uff66-\uff9f]")
HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
HANGUL = re.compile("[\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff]")
UNSEGMENTED = re.compile(
    "[\u0e01-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u1980-\u19ff\u1a20-\u1aaf\u1b00-\u1b7f\ua980-\ua9ff\uaa60-\uaa7f]"
)
LETTER = re.compile(r"[^\W\d_]")

SAMPLE = 1000
"""Lines of a text that are looked at."""

ENOUGH = 20
"""Letters below which nothing is said of a text."""


@lru_cache
def script(language: str) -> str | None:
    """The ISO 15924 code of the script that a language is written in; None where the code names no language.

    Args:
        language: an ISO 639-1 or 639-3 code, or a BCP 47 tag: zh, zho, cmn, zh-Hant, yo, yor.
    """
    import langcodes  # its tables take 30 ms, which a program that only translates need not pay

    try:
        tag = langcodes.Language.get(language)
        return tag.maximize().script if tag.is_valid() else None
    except ValueError:
        return None


def segmentation(language: str) -> Segmentation:
    """How a language sets its words apart; `Segmentation.spaces` where the code names no language."""
    return OF_SCRIPT.get(script(language) or "", Segmentation.spaces)


def has_spaces(language: str) -> bool:
    """Whether white space sets the words of a language apart."""
    return segmentation(language) in (Segmentation.spaces, Segmentation.korean)


def word_count(text: str, language: str) -> int:
    """Words, as white space sets them apart; characters, without white space, where a language does not."""
    words = text.split()
    return len(words) if has_spaces(language) else sum(map(len, words))


def look(lines: Iterable[str]) -> Segmentation | None:
    """How a text sets its words apart, going by two thirds of its letters; None for few letters, or of many kinds."""
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
    # One kana in twenty: Chinese text quotes some, Japanese text cannot do without.
    return Segmentation.japanese if most is Segmentation.chinese and 20 * counts[KANA] > kinds[most] else most


def misfit(language: str, lines: Iterable[str]) -> Segmentation | None:
    """How a text plainly looks, where its language would have it look otherwise; else None."""
    found = look(lines)
    return None if found is segmentation(language) else found
