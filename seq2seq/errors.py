"""Errors a user can cause. Each message is one line that says what is wrong and what to do next."""


class Seq2SeqError(Exception):
    """Base of everything this library raises on purpose; recipes print it as one line and leave with code 1."""


class ConfigError(Seq2SeqError):
    """A setting is missing, unknown or impossible."""


class DataError(Seq2SeqError):
    """A corpus, a text or a tokenizer model cannot be used as it is."""


class RunError(Seq2SeqError):
    """A run folder is missing, damaged, foreign or does not fit what is asked of it."""
