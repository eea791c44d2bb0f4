"""What every file of another program offers: pairs to train on, and sources whose translations are written back."""

import re
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from pathlib import Path
from typing import IO

from seq2seq.corpora.corpus import Pair
from seq2seq.corpora.corpus_file import CorpusFile
from seq2seq.corpora.files import FileCorpus
from seq2seq.corpora.languages import language_named, language_tag, script
from seq2seq.errors import DataError, program

LINE_ENDS = re.compile(r"(?<!\s)\s*[\r\n\u2028\u2029]+\s*")


class Document(FileCorpus):
    """A file that holds pairs for training, and sources whose translations can be written into a copy of it.

    Attributes:
        path: of the file.
        source_language, target_language: codes of the languages translated from and to.

    Args:
        file: its path, or the file.
        source_language, target_language: codes of the languages.

    Raises:
        DataError: the file is missing, a folder, or can be read only once. While reading: it is damaged, or holds no
            text in these languages.
    """

    format: str
    """Name for messages."""
    endings: tuple[str, ...]
    """Usual endings of the names of such files, without ``.gz``."""
    languages: tuple[str, str]
    report: str = ""
    """After `write`: one line about what was filled and left."""

    def __init__(self, file: Path | CorpusFile, source_language: str, target_language: str) -> None:
        super().__init__(file)
        self.file.require_regular()
        self.languages = self.source_language, self.target_language = source_language, target_language

    @cached_property
    def fingerprint(self) -> str:
        """The content of the file, and the languages that are read."""
        member = self.path.name if self.file.is_packed else ""  # an archive may have several
        return f"{self.format} {self.file.content} {member} {self.source_language} {self.target_language}"

    @abstractmethod
    def sources(self) -> Iterator[str]:
        """The texts without a translation, in the order of the file; they may have several lines.

        Raises:
            DataError: the file is damaged, or in other languages.
        """

    @abstractmethod
    def write(self, translations: Iterator[str], output: IO[bytes]) -> None:
        """Write a copy of the file with translations; all else stays as it is.

        Args:
            translations: of `sources`, in the same order; read one at a time.
            output: receives the copy.

        Raises:
            DataError: as `sources`; or the file's encoding lacks a character.
        """


class Languages:
    """A wanted pair of languages, and the tags of the languages that a file has.

    Args:
        source, target: codes of the wanted languages, such as en, or pt-BR.
    """

    def __init__(self, source: str, target: str) -> None:
        self.source, self.target = source, target
        self.found: dict[str, None] = {}

    def closest(self, wanted: str, tags: Iterable[str]) -> set[str]:
        """The tags of the file that are of a wanted language, which is the source or the target.

        Returns:
            Those that are exactly the wanted one, or else those of its language, such as en-US for en, without those
            that are exactly the other wanted one: pt-BR is no pt if pt-BR is wanted too.
        """
        tags = set(tags)
        for tag in tags:
            if len(self.found) < 50 and tag.strip():
                self.found[tag.strip()] = None
        other = self.target if wanted == self.source else self.source
        exact = {tag for tag in tags if same_tag(wanted, tag)}
        return exact or {tag for tag in tags if same_language(wanted, tag) and not same_tag(other, tag)}

    def missing(self, name: str) -> DataError:
        """The error for a file without text in the wanted languages, or without translations."""
        if all(any(same_language(wanted, tag) for tag in self.found) for wanted in (self.source, self.target)):
            return DataError(
                f"{name}: no text is translated from {self.source} to {self.target}: name a file with some"
            )
        found = ", ".join(sorted(self.found)) or "none named"
        return DataError(
            f"{name}: no translation from {self.source} to {self.target} (languages in the file: {found}): set "
            f"data.source_language and data.target_language; for {program('translate')}: source_language and "
            "target_language"
        )


@lru_cache
def same_tag(wanted: str, tag: str) -> bool:
    """Whether two tags name the same variant of a language: pt_PT is pt-PT, and twi is tw, but not ak."""
    wanted, tag = wanted.strip().replace("_", "-").casefold(), tag.strip().replace("_", "-").casefold()
    return wanted == tag or (bool(tag) and language_tag(wanted) == language_tag(tag) != "")


@lru_cache
def same_language(wanted: str, tag: str) -> bool:
    """Whether a tag is of a wanted language: en-US is en, and zh-Hant is not zh-CN."""
    wanted, tag = wanted.strip().replace("_", "-"), tag.strip().replace("_", "-")
    language = language_named(wanted)
    if language is None or wanted.casefold() == tag.casefold():
        return wanted.casefold() == tag.casefold()
    return language == language_named(tag) and ("-" not in wanted or script(wanted) == script(tag))


def as_sentence(text: str) -> str:
    """The text as a sentence of a corpus: line ends become spaces."""
    return LINE_ENDS.sub(" ", text).strip()


def pair(source: str, target: str) -> Pair:
    """A pair of two texts of a document."""
    return Pair(as_sentence(source), as_sentence(target))
