"""XML files of sentence pairs as documents."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import IO

from seq2seq.corpora.corpus import Pair
from seq2seq.corpora.documents.document import Document, Languages
from seq2seq.corpora.documents.markup import MarkupReader, TranslationUnit
from seq2seq.corpora.lines import unreadable
from seq2seq.errors import counted


class MarkupFile(Document):
    """An XML file, compressed or not; a subclass names its reader. See `Document` for arguments and errors."""

    reader: Callable[[str, Languages], MarkupReader]

    @cached_property
    def note(self) -> str:
        """The number of units without a translation."""
        missing = total = 0
        for total, unit in enumerate(self._units(), 1):  # noqa: B007
            missing += not unit.pairs
        return f"{self.name}: units without a translation, left out: {missing:,} of {total:,}" if missing else ""

    def __iter__(self) -> Iterator[Pair]:
        languages = Languages(self.source_language, self.target_language)
        some = False
        for unit in self._units(languages):
            yield from unit.pairs
            some = some or bool(unit.pairs)
        if not some:
            raise languages.missing(self.name)

    def sources(self) -> Iterator[str]:
        """The sources without a translation; see `Document.sources`."""
        languages = Languages(self.source_language, self.target_language)
        some = False
        for unit in self._units(languages):
            some = True
            if unit.source is not None:
                yield unit.source
        if not some:
            raise languages.missing(self.name)

    def write(self, translations: Iterator[str], output: IO[bytes]) -> None:
        """Write a copy with translations; see `Document.write`."""
        counts = Counter[str]()
        reader = self.reader(self.name, Languages(self.source_language, self.target_language))
        with self._opened() as file:
            for unit in reader.write(file, output, translations):
                counts["units"] += 1
                counts["filled"] += unit.source is not None
                counts["misplaced"] += unit.misplaced
                counts["inline"] += unit.source is not None and unit.inline
        self.report = f"{self.name}: {counts['filled']:,} of {counted(counts['units'], 'unit')} filled"
        if counts["misplaced"]:
            self.report += f"; {counts['misplaced']:,} not filled: segments (<mrk>) of source and target differ"
        elif not counts["filled"]:
            self.report += "; each has a translation already, or no text in the source language"
        if counts["inline"]:
            self.report += f"; {counted(counts['inline'], 'translation')} without the inline elements of the source"

    def _units(self, languages: Languages | None = None) -> Iterator[TranslationUnit]:
        reader = self.reader(self.name, languages or Languages(self.source_language, self.target_language))
        with self._opened() as file:
            yield from reader.read(file)

    @contextmanager
    def _opened(self) -> Iterator[IO[bytes]]:
        with ExitStack() as stack:
            try:
                file = stack.enter_context(self.file.unpacked())
            except OSError as error:
                raise unreadable(self.path, error) from None
            yield file
