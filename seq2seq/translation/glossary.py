"""A glossary: terms of the source language and what each must become."""

import re
from collections.abc import Iterable
from pathlib import Path

from seq2seq.corpora.lines import read_lines
from seq2seq.errors import DataError
from seq2seq.tokenizer.tokenizer import normalize


class Glossary:
    """Which phrases a translation must contain, going by the terms its source has.

    Args:
        terms: a term and its translation, each.
    """

    def __init__(self, terms: Iterable[tuple[str, str]]) -> None:
        self.translations = {normalize(term).lower(): normalize(target) for term, target in terms}
        longest_first = sorted(self.translations, key=lambda term: (-len(term), term))
        either = "|".join(map(re.escape, longest_first))
        self.pattern = re.compile(rf"(?<!\w)(?:{either})(?!\w)") if either else None

    @classmethod
    def load(cls, path: Path) -> "Glossary":
        """Read a file with a term, a tab and its translation in each line; blank lines are passed over.

        Raises:
            DataError: the file cannot be read, or a line is something else (names it).
        """
        terms = []
        for number, line in enumerate(read_lines(path), 1):
            if not line.strip():
                continue
            parts = [normalize(part) for part in line.split("\t")]
            if len(parts) != 2 or not all(parts):
                raise DataError(f"{path}, line {number:,}: a term, a tab and its translation are needed, got {line!r}")
            terms.append((parts[0], parts[1]))
        return cls(terms)

    def phrases(self, source: str) -> tuple[str, ...]:
        """What the translation must contain: for every term that the source has as whole words, whatever the case.

        Of terms that overlap the one that begins first counts, and of those the longest. A phrase comes once, however
        often its term does.
        """
        if self.pattern is None:
            return ()
        return tuple(dict.fromkeys(self.translations[term] for term in self.pattern.findall(normalize(source).lower())))
