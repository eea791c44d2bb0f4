"""The form of text that models are trained on, and whether a text is empty."""

import re
import unicodedata
from enum import StrEnum

SPACE = "\u2581"  # SentencePiece's space

LEADING = re.compile(r"\A[\s\ufeff]+")
"""White space and byte order marks at the start of a line: files that were joined have marks there."""

VISIBLE_FORMATS = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
"""Characters of the category Cf that are drawn: signs that enclose a number (``Prepended_Concatenation_Mark``)."""


class Normalization(StrEnum):
    """The Unicode normalization form of a model's text.

    ``nfc``: an accented letter is one character wherever Unicode has one. ``nfkc``: also one character for ligatures,
    full-width letters, superscripts and the like, which loses their look. ``none``: text stays as it is.
    """

    nfc = "nfc"
    nfkc = "nfkc"
    none = "none"


def normalize(text: str, form: Normalization = Normalization.nfc) -> str:
    """The text in the form that models are trained on.

    The Unicode form; a lone surrogate becomes U+FFFD; any run of white space (as defined by `str.split`, and U+2581,
    which is SentencePiece's space) becomes one space; white space at the ends and byte order marks at the start are
    removed; text without a visible character (`is_blank`) becomes empty.

    Args:
        text: one line.
        form: the ``tokenizer.normalization`` of the run.
    """
    text = re.sub("[\ud800-\udfff]", "\ufffd", text).replace(SPACE, " ")
    if form is Normalization.nfc:
        text = unicodedata.normalize("NFC", text)
    elif form is Normalization.nfkc:
        text = unicodedata.normalize("NFKC", text)
    text = LEADING.sub("", text)
    return "" if is_blank(text) else " ".join(text.split())


def ends_word(text: str) -> bool:
    """Whether a text ends in white space, or is empty."""
    return text[-1:].isspace() or text[-1:] in ("", SPACE)


def is_blank(text: str) -> bool:
    """Whether a text has no visible character.

    Invisible are white space (`str.isspace`, and U+2581, which SentencePiece reads as a space), control characters (Cc,
    such as NUL) and format characters (Cf, such as U+200B zero-width space, U+200D joiner, U+FEFF byte order mark,
    U+00AD soft hyphen), except `VISIBLE_FORMATS`. Inside text the same characters have a meaning and stay: joiners
    shape Persian, Indic and Burmese words.
    """
    return all(_is_invisible(character) for character in text)


def _is_invisible(character: str) -> bool:
    if character.isspace() or character == SPACE:
        return True
    return unicodedata.category(character) in ("Cc", "Cf") and character not in VISIBLE_FORMATS
