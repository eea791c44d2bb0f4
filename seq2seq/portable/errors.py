"""The error of this package. It has its own, because it is copied into exported folders without the rest of seq2seq."""


class PortableError(Exception):
    """A folder is missing, damaged or unsupported, or an argument is invalid. The message is one line with advice."""
