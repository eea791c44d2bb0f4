"""Errors a user can cause. Each message is one line that says what is wrong and what to do next."""

LONGEST = 2_000
"""Characters of a message: a hostile file may have a thousand columns to be named."""


def shown(text: str) -> str:
    """Text of any origin as one line that can be printed: line breaks, control and other odd characters escaped."""
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 2]} … {text[-LONGEST // 2 :]}"
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


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
