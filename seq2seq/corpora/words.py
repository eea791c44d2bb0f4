"""Where words begin and end, in text with spaces between words and without.

A word consists of letters, combining marks and numbers; `re` takes marks for ends of words. Scripts without spaces
between words do not show where a word ends, so there a word may begin and end beside any letter.
"""

import regex

from seq2seq.corpora.languages import HAN, KANA, UNSEGMENTED

NO_SPACES = "|".join(pattern.pattern for pattern in (HAN, KANA, UNSEGMENTED))
"""A character of a script without spaces between words."""

UNSPACED = rf"(?:{NO_SPACES})(?<=[\p{{L}}\p{{M}}])"
"""A letter or mark of such a script."""

LETTER = r"[\p{L}\p{M}\p{N}_\u200d]"
"""A character of a word; U+200D joins the letters of a conjunct."""

START = rf"(?:(?<!{LETTER}(?<!{UNSPACED}))|(?={UNSPACED}))(?<!\p{{InSC=Invisible_Stacker}})"
"""Matches where a word may begin; not below the letter before."""

END = rf"(?:(?!(?!{UNSPACED}){LETTER})|(?<={UNSPACED}))(?![\p{{M}}\p{{GCB=SpacingMark}}])"
"""Matches where a word may end; not before a mark."""

_END, _UNSPACED = regex.compile(END), regex.compile(UNSPACED)


def is_unspaced(character: str) -> bool:
    """Whether a character is a letter or mark of a script without spaces between words."""
    return _UNSPACED.fullmatch(character) is not None


def ends_between(last: str, following: str) -> bool:
    """Whether a word that ends in the character ``last`` ends before the text ``following``."""
    return _END.match(last + following, len(last)) is not None
