"""The form of text that models are trained on."""

import re
import unicodedata
from enum import StrEnum

from seq2seq.corpora.blank import is_blank
from seq2seq.errors import require_text

SPACE = "\u2581"  # SentencePiece's space

LEADING = re.compile(r"\A[\s\ufeff]+")
"""White space and byte order marks at the start of a line: files that were joined have marks there."""


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

    Raises:
        DataError: the argument is not a string.
    """
    require_text(text, "text")
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
