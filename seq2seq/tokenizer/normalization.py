"""The form of text that models are trained on."""

import re
import unicodedata

from seq2seq.errors import require_text

SPACE = "\u2581"  # SentencePiece's space


def normalize(text: str) -> str:
    """The text in the form that models are trained on.

    Unicode NFC; a lone surrogate becomes U+FFFD; any run of white space (as defined by `str.split`, and U+2581, which
    is SentencePiece's space) becomes one space; white space at the ends is removed.

    Raises:
        DataError: the argument is not a string.
    """
    require_text(text, "text")
    text = re.sub("[\ud800-\udfff]", "\ufffd", text).replace(SPACE, " ")
    return " ".join(unicodedata.normalize("NFC", text).split())
