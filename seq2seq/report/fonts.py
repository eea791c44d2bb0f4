"""Fonts of pictures: installed fonts that have the characters of a text, whatever its script.

matplotlib's own font has Latin, Greek, Cyrillic, Arabic, Hebrew and a few other scripts. For other characters,
matplotlib takes the first font of a list that has them, and this module makes the list. Since version 3.11, matplotlib
itself draws text from right to left and joins letters.
"""

import logging
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Any

logger = logging.getLogger(__name__)

DEFAULT = "DejaVu Sans"
"""matplotlib's own font."""

PREFERRED = (
    *("Noto Sans", "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Zen Hei"),
    *("Segoe UI", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic", "Nirmala UI", "Leelawadee UI", "Myanmar Text"),
    *("PingFang SC", "Hiragino Sans", "Apple SD Gothic Neo", "Arial Unicode MS"),
)
"""Families to try before others: on Linux, Windows and macOS."""

REGULAR = (400, "normal", "regular", "book")
"""Weights of a family that matplotlib uses without a warning."""

MISSING = "□"
"""Replaces a character that no installed font has."""

TWO_WORDS = {"OLD", "NEW", "TAI"}
"""First words of scripts' names that have two: Old Persian, New Tai (Lue), Tai Tham."""


def drawable(text: str) -> str:
    """Return a text for matplotlib: `MISSING` replaces characters without a font, and dollar signs are escaped.

    Each script that no font has is reported once.
    """
    return "".join(letter if _family_with(letter) else _missing(letter) for letter in text).replace("$", r"\$")


def use_fonts(figure: Any) -> None:
    """Set the fonts of all texts of a matplotlib figure, if its own font lacks one of their characters."""
    from matplotlib.text import Text

    texts = figure.findobj(Text)
    letters = sorted(set("".join(text.get_text() for text in texts)))
    families = list(dict.fromkeys(filter(None, [DEFAULT, *map(_family_with, letters)])))
    if len(families) > 1:
        for text in texts:
            text.set_fontfamily(families)


@cache
def _family_with(letter: str) -> str | None:
    """Return the first installed font family that has a character."""

    def search() -> str | None:
        return next((family for family in _families() if _has(family, letter)), None)

    return search() or (search() if _add_new_fonts() else None)


def _families() -> Iterator[str]:
    """Yield the installed font families, `DEFAULT` first."""
    from matplotlib import font_manager, get_data_path

    own = get_data_path()  # it has fonts for formulas, and one with a box for every character
    others = {
        entry.name
        for entry in font_manager.fontManager.ttflist
        if entry.weight in REGULAR and entry.style == "normal" and not entry.fname.startswith(own)
    }
    yield DEFAULT
    yield from (family for family in PREFERRED if family in others)
    yield from sorted(others, key=lambda family: (not family.startswith("Noto Sans"), family))


def _has(family: str, letter: str) -> bool:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    try:
        font = get_font(findfont(FontProperties(family=[family]), fallback_to_default=False))
    except (OSError, RuntimeError, ValueError):  # removed since, damaged, or of a kind that matplotlib cannot read
        return False
    return bool(font.scalable and font.get_char_index(ord(letter)))


@cache
def _add_new_fonts() -> bool:
    """Read font files that were installed since matplotlib listed the fonts; return whether there are any."""
    from matplotlib import font_manager

    new = set(font_manager.findSystemFonts()) - {entry.fname for entry in font_manager.fontManager.ttflist}
    for file in sorted(new):
        try:
            font_manager.fontManager.addfont(file)
        except (OSError, RuntimeError, ValueError) as error:
            logger.debug("%s is not a usable font: %s", file, error)
    return bool(new)


def _missing(letter: str) -> str:
    if unicodedata.category(letter)[0] != "C":  # control characters, and those that no font can have
        _report_missing(_script(letter))
    return MISSING


def _script(letter: str) -> str:
    """Return the name of a character's script: the start of its Unicode name, such as CHEROKEE LETTER A."""
    words = unicodedata.name(letter, "").split()
    if not words or unicodedata.category(letter)[0] not in "LMNP":
        return "some symbols"
    if unicodedata.east_asian_width(letter) in "WFH":
        return "Chinese, Japanese and Korean"
    return " ".join(words[: 2 if words[0] in TWO_WORDS else 1]).title()


@cache
def _report_missing(script: str) -> None:
    logger.warning(
        "pictures show %s for %s: no installed font has the characters; install a Noto font "
        "(Debian, Ubuntu: apt-get install fonts-noto-core fonts-noto-cjk; others: https://fonts.google.com/noto)",
        MISSING,
        script,
    )
