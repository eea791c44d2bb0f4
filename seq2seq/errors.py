"""User errors. Each message is one line: what is wrong, and what to do."""

import re
import sys
from pathlib import Path

LONGEST = 2_000
"""Maximum characters of a message: a hostile file can have a thousand columns to name."""


HARMLESS = "\n\t\u00a0\u00ad\u200b\u200c\u200d\u202f\u3000\ufeff"
"""Unprintable characters that stay in multi-line terminal output: line ends, spaces, joiners."""


def escaped(text: str, keep: str = "") -> str:
    """Escape unprintable characters, because they can control a terminal. Text from files is printed only like this.

    Args:
        text: the text; bytes that are not UTF-8 are encoded by ``surrogateescape``.
        keep: unprintable characters that are not escaped; without them the result is one line.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in keep else _code(char) for char in text)


def _code(character: str) -> str:
    number = ord(character)
    return f"\\x{number - 0xDC00:02x}" if 0xDC80 <= number <= 0xDCFF else character.encode("unicode_escape").decode()


def shown(text: str) -> str:
    """Escape text to one printable line; the middle of long text is left out."""
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 2]} … {text[-LONGEST // 2 :]}"
    return escaped(text)


DISTRIBUTION = "recurrent-translation"
"""The name of this project in package indexes, where ``seq2seq`` is another project."""


class Seq2SeqError(Exception):
    """Base class of user errors; recipes print the message as one line and exit with code 1."""

    def __init__(self, message: str) -> None:
        super().__init__(shown(message))


class ConfigError(Seq2SeqError):
    """A setting is missing, unknown or invalid."""


class DataError(Seq2SeqError):
    """A corpus, a text or a tokenizer model is not usable."""


class RunError(Seq2SeqError):
    """A run folder is missing, damaged, or does not fit the command or other runs."""


def program(name: str) -> str:
    """A recipe as messages name it: ``recipes/doctor.py``, or ``seq2seq-doctor`` from a wheel or a console script."""
    from_wheel = (Path(__file__).parent / "recipes").is_dir()  # a clone has the recipes outside the package
    as_script = from_wheel or Path(sys.argv[0]).name.startswith("seq2seq-")
    return f"seq2seq-{name}" if as_script else f"recipes/{name}.py"


def install_hint(extra: str) -> str:
    """The command that installs an extra of this project: into the clone that runs, or by name if it is installed."""
    root = Path(__file__).parents[1]
    if not (root / "pyproject.toml").is_file():
        return f'python -m pip install "{DISTRIBUTION}[{extra}]"'
    return f'python -m pip install -e "{"." if root == Path.cwd() else root}[{extra}]"'


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun: ``1 pair``, ``2,000 pairs``, ``0 entries``; ``plural`` if it does not end in s."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def without_passwords(text: str) -> str:
    """The text with ``***`` for the user and password of each URL."""
    return re.sub(r"://[^/\s@'\"]+:[^/\s@'\"]+@", "://***@", text)


def require_text(value: object, name: str) -> None:
    """Check that an argument is a string.

    Raises:
        DataError: it is not.
    """
    if not isinstance(value, str):
        advice = "decode it: text.decode('utf-8')" if isinstance(value, bytes | bytearray) else "pass a string"
        raise DataError(f"{name} must be a string, got {type(value).__name__}: {advice}")
