"""What a recipe's settings ask of a translator: the translator, its requests, where the answers go."""

import contextlib
import io
import sys
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TextIO

from seq2seq.corpora.lines import decoded_lines, open_binary, open_output, read_lines, unreadable
from seq2seq.corpora.mixture import tagged
from seq2seq.errors import ConfigError, DataError
from seq2seq.system.lock import output_file
from seq2seq.translation.config import ScoreConfig, TranslateConfig, TranslatorConfig
from seq2seq.translation.glossary import Glossary
from seq2seq.translation.translator import Translator
from seq2seq.translation.types import Request


def load_translator(config: TranslatorConfig) -> Translator:
    """The runs that a recipe names.

    Raises:
        RunError: as `Translator.load`.
        ConfigError: likewise.
    """
    return Translator.load(
        [config.run, *config.ensemble],
        config.device,
        config.precision,
        config.shortlist,
        language_model=config.language_model,
        language_model_weight=config.language_model_weight,
    )


def load_glossary(name: str | None) -> Glossary | None:
    """The glossary that a recipe names, if it does.

    Raises:
        DataError: it cannot be read.
    """
    return None if name is None else Glossary.load(Path(name).expanduser())


def requests(config: TranslateConfig, lines: Iterable[str]) -> Iterator[Request]:
    """The lines with their tag, prefix, phrases and glossary, as they are read.

    Raises:
        DataError: a file cannot be read, or there are not as many prefixes as lines.
    """
    glossary = load_glossary(config.glossary)
    for line, prefix in with_prefixes(lines, config):
        yield Request(tagged(line, config.tag), prefix, tuple(dict.fromkeys(config.phrases)), glossary)


def with_prefixes(lines: Iterable[str], config: TranslateConfig) -> Iterator[tuple[str, str]]:
    """Each line with the beginning of its translation, empty for none."""
    if config.prefixes is None:
        yield from ((line, config.prefix or "") for line in lines)
        return
    path = Path(config.prefixes).expanduser()
    yield from pairs_of(lines, read_lines(path), "the input", str(path))


def pairs_of(first: Iterable[str], second: Iterable[str], one: str, other: str) -> Iterator[tuple[str, str]]:
    """Lines of equal number, as they are read.

    Raises:
        DataError: one of the two has more.
    """
    ends = object()
    left, right = chain(first, [ends]), chain(second, [ends])
    for number, (mine, yours) in enumerate(zip(left, right, strict=False), 1):
        if isinstance(mine, str) and isinstance(yours, str):
            yield mine, yours
        elif mine is not yours:
            longer, shorter = (one, other) if isinstance(mine, str) else (other, one)
            raise DataError(
                f"{longer} has a line {number:,} and {shorter} has not: they must match line by line; run "
                f"recipes/doctor.py to find the first line that drifts"
            )


def scored_pairs(config: ScoreConfig) -> Iterator[tuple[str, str]]:
    """The pairs that recipes/score.py is to score.

    Raises:
        ConfigError: a file is not named.
        DataError: a file cannot be read, or one has more lines.
    """
    if config.source is None or config.target is None:
        raise ConfigError("nothing to score: name source=FILE and target=FILE, a sentence and its translation a line")
    source, target = Path(config.source).expanduser(), Path(config.target).expanduser()
    for text, translation in pairs_of(read_lines(source), read_lines(target), str(source), str(target)):
        yield tagged(text, config.tag), translation


def read_text(name: str) -> str:
    """A whole text as it is, line ends and all; ``-`` is standard input.

    Raises:
        DataError: it cannot be read or is not UTF-8 (names the line).
    """
    path = Path(name).expanduser()
    try:
        if name == "-":
            data = sys.stdin.buffer.read()
        else:
            with open_binary(path) as file:
                data = file.read()
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(path, error if isinstance(error, OSError) else OSError(str(error))) from None
    for _ in decoded_lines(io.BytesIO(data), "standard input" if name == "-" else name):
        pass  # which names the line that is not UTF-8
    return data.decode("utf-8-sig")


@contextlib.contextmanager
def opened(output: str) -> Iterator[TextIO]:
    """Standard output, or a file that takes its name only when it is complete; packed where that ends in ``.gz``.

    Raises:
        RunError: as `output_file`.
    """
    if output == "-":
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]
        yield sys.stdout
        return
    path = Path(output).expanduser()
    with (
        output_file(path) as temporary,
        open_output(temporary, like=path) as binary,
        io.TextIOWrapper(binary, encoding="utf-8", newline="\n") as file,
    ):
        yield file
