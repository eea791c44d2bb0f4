"""Errors a user can cause. Each message is one line that says what is wrong and what to do next."""

LONGEST = 2_000
"""Characters of a message: a hostile file may have a thousand columns to be named."""


HARMLESS = "\n\t\u00a0\u00ad\u200b\u200c\u200d\u202f\u3000\ufeff"
"""What is not printable and stays in text of several lines on a terminal: line ends, spaces, joiners of letters."""


def escaped(text: str, keep: str = "") -> str:
    """Text of any origin so that it can be printed: what a terminal would obey, and other odd characters, escaped.

    Whatever comes from a file is shown through this function. Without ``keep`` it becomes one line.

    Args:
        text: the text; bytes that are not UTF-8 may be in it as ``surrogateescape`` has them.
        keep: characters that stay though they are not printable.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in keep else _code(one) for one in text)


def _code(character: str) -> str:
    number = ord(character)
    return f"\\x{number - 0xDC00:02x}" if 0xDC80 <= number <= 0xDCFF else character.encode("unicode_escape").decode()


def shown(text: str) -> str:
    """Text of any origin as one line that can be printed, its middle left out where it is long."""
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 2]} … {text[-LONGEST // 2 :]}"
    return escaped(text)


class Seq2SeqError(Exception):
    """Base of everything this library raises on purpose; recipes print it as one line and leave with code 1."""

    def __init__(self, message: str) -> None:
        super().__init__(shown(message))


class ConfigError(Seq2SeqError):
    """A setting is missing, unknown or impossible."""


class DataError(Seq2SeqError):
    """A corpus, a text or a tokenizer model cannot be used as it is."""


class RunError(Seq2SeqError):
    """A run folder is missing, damaged, foreign or does not fit what is asked of it."""
