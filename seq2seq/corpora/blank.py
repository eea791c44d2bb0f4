"""Whether a text is empty: it shows nothing."""

import unicodedata

SENTENCEPIECE_SPACE = "\u2581"

VISIBLE_FORMATS = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
"""Characters of the category Cf that are drawn: signs that enclose a number (``Prepended_Concatenation_Mark``)."""


def is_blank(text: str) -> bool:
    """Whether a text has no visible character.

    Invisible are white space (`str.isspace`, and U+2581, which SentencePiece reads as a space), control characters (Cc,
    such as NUL) and format characters (Cf, such as U+200B zero-width space, U+200D joiner, U+FEFF byte order mark,
    U+00AD soft hyphen), except `VISIBLE_FORMATS`. Inside text the same characters have a meaning and stay: joiners
    shape Persian, Indic and Burmese words.
    """
    return all(_is_invisible(character) for character in text)


def _is_invisible(character: str) -> bool:
    if character.isspace() or character == SENTENCEPIECE_SPACE:
        return True
    return unicodedata.category(character) in ("Cc", "Cf") and character not in VISIBLE_FORMATS
