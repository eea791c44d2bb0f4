"""Files of other programs: their texts are translated, and the translations written into a copy."""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import IO

from seq2seq.corpora.documents.document import Document
from seq2seq.translation.types import Translation


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
    document.write(translated_texts(document.sources(), translate), output)
