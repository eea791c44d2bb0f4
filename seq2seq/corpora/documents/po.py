"""Gettext catalogues (PO): entries without a translation are filled and marked fuzzy; no other line changes.

polib parses the file. It would wrap and order the whole file again if it also wrote it.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cached_property
from gettext import c2py
from pathlib import Path
from typing import IO, Any, NamedTuple

from seq2seq.corpora.corpus import Pair
from seq2seq.corpora.corpus_file import CorpusFile
from seq2seq.corpora.documents.document import Document, Languages, pair
from seq2seq.corpora.lines import unreadable
from seq2seq.errors import DataError, counted, install_hint

LARGEST = 100_000_000
"""Bytes of the largest file; the whole file is in memory."""

NUMBERS = range(2, 101)
"""Numbers that stand for all others than 1: most of them decide which form is the plural."""

PLURAL_FORMS = re.compile(r"\s*nplurals\s*=\s*(\d{1,3})\s*;\s*plural\s*=\s*([^;]+?)\s*;?\s*")
LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
MESSAGE = re.compile(r"[ \t]*msgstr(?:\[(\d+)\])?\s")


class Blank(NamedTuple):
    """A missing translation of an entry."""

    form: int
    """Number of the plural form, 0 for an entry without plural."""
    source: str


class Forms(NamedTuple):
    """Numbers of plural forms; they are the same in a language without plural."""

    singular: int
    """For the number 1."""
    plural: int
    """For most other numbers."""


class PoFile(Document):
    """A gettext catalogue. Fuzzy, obsolete and empty entries are no pairs. See `Document` for arguments and errors.

    Of an entry with plural, the form for the number 1 by the header's Plural-Forms translates the singular; that for
    most other numbers translates the plural, and all others are filled with the same. If the form for 1 is that for
    most numbers, it translates the plural. Without Plural-Forms, the first form is the singular, the last the plural.
    """

    format, endings = "a gettext PO file", (".po", ".pot")

    def __init__(self, file: Path | CorpusFile, source_language: str, target_language: str) -> None:
        super().__init__(file, source_language, target_language)
        if self.file.is_packed:
            raise DataError(f"{self.path} is a compressed PO file: unpack it and name the .po file")
        self._languages = Languages(source_language, target_language)

    @property
    def note(self) -> str:
        """The direction if the file does not name its language, and the numbers of entries that are left out."""
        counts = Counter(reason for entry in self._catalogue if (reason := self._reason(entry)))
        named = ", ".join(f"{count:,} {reason}" for reason, count in sorted(counts.items()))
        left_out = f"entries left out: {named}" if named else ""
        language = self._catalogue.metadata.get("Language", "").strip()
        direction = "" if language else f"it names no language: msgid is read as {self.source_language}"
        notes = "; ".join(filter(None, (direction, left_out, self._unread_forms)))
        return f"{self.name}: {notes}" if notes else ""

    def expected_pairs(self) -> int | None:
        """Approximate number of pairs."""
        return len(self._catalogue)

    def __iter__(self) -> Iterator[Pair]:
        forward, backward = self._is_of(self.target_language), self._is_of(self.source_language)
        if not forward and not backward:
            raise self._languages.missing(self.name)
        pairs = [
            pair(*texts) for entry in self._catalogue if not self._reason(entry) for texts in self._translations(entry)
        ]
        if not pairs:
            raise DataError(f"{self.name}: no entry has a translation: name a file with some")
        return iter(pairs if forward else [Pair(target, source) for source, target in pairs])

    def sources(self) -> Iterator[str]:
        """The messages without a translation; see `Document.sources`."""
        if not self._is_of(self.target_language):
            raise self._languages.missing(self.name)
        return (blank.source for entry in self._catalogue for blank in self._blanks(entry))

    def write(self, translations: Iterator[str], output: IO[bytes]) -> None:
        """Write a copy with translations; see `Document.write`."""
        polib, encoding = import_polib(self.name), self._catalogue.encoding
        with self.file.raw() as file:
            lines = LINE.findall(file.read().decode(encoding))
        starts = [max(entry.linenum - 1, 0) for entry in self._catalogue]
        written = filled = 0
        for entry, start, end in zip(self._catalogue, starts, [*starts, len(lines)][1:], strict=True):
            if blanks := self._blanks(entry):
                filled += 1
                texts = {blank.form: next(translations) for blank in blanks}
                entry_lines = filled_entry(lines[start:end], texts, polib.escape)
                output.write(self._encoded("".join([*lines[written:start], *entry_lines])))
                written = end
        output.write(self._encoded("".join(lines[written:])))
        self.report = f"{self.name}: {filled:,} of {counted(len(starts), 'entry', 'entries')} filled and marked fuzzy"
        self.report += f"; {self._unread_forms}" if self._unread_forms else ""

    def _is_of(self, wanted: str) -> bool:
        """Whether the file translates into a wanted language; one that does not name its language does."""
        language = self._catalogue.metadata.get("Language", "")
        return not language.strip() or bool(self._languages.closest(wanted, [language]))

    def _encoded(self, text: str) -> bytes:
        try:
            return text.encode(self._catalogue.encoding)
        except UnicodeEncodeError as error:
            raise DataError(
                f"{self.name} is in {self._catalogue.encoding}, which lacks {error.object[error.start]!r}: convert it "
                "first: msgconv -t UTF-8 OLD -o NEW"
            ) from None

    @cached_property
    def _catalogue(self) -> Any:
        """The parsed file: a list of entries without the header."""
        polib = import_polib(self.name)
        try:
            if self.path.stat().st_size > LARGEST:
                raise DataError(f"{self.path} has more than {LARGEST:,} bytes: split it into smaller files")
            return polib.pofile(str(self.path), wrapwidth=0)
        except UnicodeDecodeError as error:
            raise DataError(f"{self.path}: {error}: correct the charset in its header, or save it as UTF-8") from None
        except (OSError, LookupError, ValueError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise unreadable(self.path, error) from None
            raise DataError(f"{self.path} is not a readable PO file ({error}): check it with msgfmt -c") from None

    @cached_property
    def _forms(self) -> Forms | None:
        """The plural forms by the header; None if it has none, or if they cannot be read."""
        return plural_forms(self._catalogue.metadata.get("Plural-Forms", ""))

    @property
    def _unread_forms(self) -> str:
        """A note if plural forms are taken by their position, unless there are two and no header says otherwise."""
        header = self._catalogue.metadata.get("Plural-Forms", "").strip()
        most = max((len(entry.msgstr_plural) for entry in self._catalogue), default=0)
        if self._forms or not most or (not header and most <= 2):
            return ""
        what = "its Plural-Forms cannot be read" if header else "it has no Plural-Forms"
        return f"{what}: the first form is taken as the singular, the last as the plural"

    def _forms_of(self, entry: Any) -> Forms:
        return self._forms or Forms(0, max(entry.msgstr_plural, default=0))

    def _translations(self, entry: Any) -> list[tuple[str, str]]:
        """The pairs of an entry: of the singular and of the plural."""
        if not entry.msgid_plural:
            pairs = [(entry.msgid, entry.msgstr)]
        else:
            forms, texts = self._forms_of(entry), entry.msgstr_plural
            pairs = [(entry.msgid, texts.get(forms.singular, ""))] if forms.singular != forms.plural else []
            pairs.append((entry.msgid_plural, texts.get(forms.plural, "")))
        return [(source, target) for source, target in pairs if source.strip() and target.strip()]

    def _blanks(self, entry: Any) -> list[Blank]:
        """The missing translations of an entry."""
        if entry.obsolete or not entry.msgid.strip():
            return []
        if not entry.msgid_plural:
            return [] if entry.msgstr.strip() else [Blank(0, entry.msgid)]
        singular, plural = self._forms_of(entry)
        return [
            Blank(form, entry.msgid if form == singular != plural else entry.msgid_plural)
            for form, text in sorted(entry.msgstr_plural.items())
            if not text.strip()
        ]

    def _reason(self, entry: Any) -> str:
        """Why an entry is no pair; empty: it is one."""
        if entry.obsolete:
            return "obsolete"
        if "fuzzy" in entry.flags:
            return "fuzzy"
        return "" if self._translations(entry) else "untranslated"


def import_polib(name: str) -> Any:
    """The module `polib`, which is optional.

    Raises:
        DataError: it is missing.
    """
    try:
        import polib
    except ImportError:
        raise DataError(f"{name} is a gettext PO file, which needs polib: {install_hint('documents')}") from None
    return polib


def plural_forms(header: str) -> Forms | None:
    """The forms of a header such as ``nplurals=2; plural=(n != 1);``, which is a C expression.

    Returns:
        None if the header is empty or malformed.
    """
    match = PLURAL_FORMS.fullmatch(header)
    if match is None:
        return None
    try:
        form = c2py(" ".join(match[2].split()))  # accepts numbers, n and operators only, and bounds their nesting
        singular, others = form(1), Counter(form(number) for number in NUMBERS)
    except (ValueError, ArithmeticError, SyntaxError):  # the last: of 1 + !n, which is not Python
        return None
    known = all(0 <= number < int(match[1]) for number in (singular, *others))
    return Forms(singular, others.most_common(1)[0][0]) if known else None


def filled_entry(lines: list[str], texts: dict[int, str], escape: Callable[[str], str]) -> list[str]:
    """The lines of an entry with translations, and with the flag ``fuzzy``.

    Args:
        lines: of the entry, with their ends.
        texts: the translation of each plural form that is blank, by its number.
        escape: writes special characters with backslashes.
    """
    end = next((line[len(line.rstrip("\r\n")) :] for line in lines if line.endswith(("\r", "\n"))), "\n")
    result: list[str] = []
    skipping = False
    for line in lines:
        message = MESSAGE.match(line)
        skipping = skipping and line.lstrip().startswith('"')
        if message and int(message[1] or 0) in texts:
            text, skipping = texts[int(message[1] or 0)], True
            quoted = [f'"{escape(part)}"' for part in LINE.findall(text)]
            values = quoted if len(quoted) == 1 else ['""', *quoted]
            result += [f"{message[0]}{values[0]}{end}", *(f"{value}{end}" for value in values[1:])]
        elif not skipping:
            result.append(line)
    flags = next((number for number, line in enumerate(result) if line.lstrip().startswith("#,")), None)
    if flags is None:
        first = next(n for n, line in enumerate(result) if line.lstrip().startswith(("#|", "msgctxt", "msgid")))
        result.insert(first, f"#, fuzzy{end}")
    elif "fuzzy" not in result[flags]:
        result[flags] = result[flags].replace("#,", "#, fuzzy,", 1)
    return result
