"""Files of other programs: their texts are translated, and the translations written into a copy."""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

from seq2seq.corpora.config import FileFormat
from seq2seq.corpora.corpus_file import CorpusFile
from seq2seq.corpora.documents.document import Document
from seq2seq.corpora.documents.opening import check_output, open_document
from seq2seq.errors import ConfigError
from seq2seq.translation.config import TranslateConfig
from seq2seq.translation.io import ENCODING
from seq2seq.translation.types import Translation

COLUMNS = "source_column", "target_column"


def open_input(config: TranslateConfig, source_language: str, target_language: str) -> Document | None:
    """The input of recipes/translate.py as a document, or None for lines of text.

    Args:
        config: the settings of the recipe.
        source_language, target_language: of the model, unless the settings say otherwise.

    Raises:
        ConfigError: a setting does not fit the input, or the name of the output is that of another format.
        DataError: the file cannot be read, or is in other languages.
    """
    path, columns = Path(config.input).expanduser(), (config.source_column, config.target_column)
    languages = config.source_language or source_language, config.target_language or target_language
    document = None
    if config.input != "-" and path.is_file():
        document = open_document(CorpusFile(path, config.encoding, ENCODING), languages, columns, config.format)
    if config.output != "-":
        check_output(document, config.input, config.output)
    given = {name: getattr(config, name) for name in ("source_language", "target_language", *COLUMNS)}
    if document is None and config.format != FileFormat.lines:
        given["format"] = config.format
    unused = given if document is None else {name: getattr(config, name) for name in ("prefixes", "stream", "json")}
    for name, value in unused.items():
        if value:
            kind = "lines of text" if document is None else document.format
            raise ConfigError(f"{name} has no effect on {config.input}, which is {kind}: leave it out")
    return document


def split_lines(text: str) -> list[str]:
    """The lines of a text, without white space around them, at the odd places of a list; white space at the others."""
    parts, space = [], ""
    for piece in re.split(r"([\r\n]+)", text):
        line = piece.strip()
        if line:
            start = piece.index(line)
            parts += [space + piece[:start], line]
            space = piece[start + len(line) :]
        else:
            space += piece
    return [*parts, space] if parts else ["", text, ""]


def translated_texts(
    texts: Iterable[str], translate: Callable[[Iterator[str]], Iterable[Translation]]
) -> Iterator[str]:
    """Translate texts line by line and yield them with their line ends; reads as far ahead as ``translate`` does."""
    pending: deque[list[str]] = deque()

    def lines() -> Iterator[str]:
        for text in texts:
            pending.append(split_lines(text))
            yield from pending[-1][1::2]

    translations = iter(translate(lines()))
    for first in translations:
        parts = pending.popleft()
        parts[1::2] = [first.text, *(next(translations).text for _ in parts[3::2])]
        yield "".join(parts)


def translate_file(
    document: Document, translate: Callable[[Iterator[str]], Iterable[Translation]], output: IO[bytes]
) -> None:
    """Write a copy of a file with translations.

    Args:
        document: the file.
        translate: translates lines in their order; a blank line stays blank.
        output: receives the copy.

    Raises:
        DataError: as `Document.write`.
    """
    texts = translated_texts(document.sources(), translate)
    document.write(texts, output)
    deque(texts, 0)  # to its end, for which other processes wait
