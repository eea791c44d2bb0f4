"""The form of text that models are trained on: `seq2seq.portable.normalization`, with a check of the argument."""

from seq2seq.errors import require_text
from seq2seq.portable import normalization
from seq2seq.portable.normalization import SPACE, Normalization, ends_word

__all__ = ["SPACE", "Normalization", "ends_word", "normalize"]


def normalize(text: str, form: Normalization = Normalization.nfc) -> str:
    """The text in the form that models are trained on: see `seq2seq.portable.normalization.normalize`.

    Raises:
        DataError: the argument is not a string.
    """
    require_text(text, "text")
    return normalization.normalize(text, form)
