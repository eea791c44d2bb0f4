"""XML files of sentence pairs, read and changed as a stream: everything that is not filled in stays byte for byte.

Libraries for such files write them anew; one of them checks in the tests what is read here. The parser is Expat, as
Python has it. It opens no other file and no address. Declarations of entities, deep nesting and very long units are
refused, so memory stays bounded.
"""

import codecs
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import unescape
from typing import IO
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

import regex

from seq2seq.corpora.corpus import Pair
from seq2seq.corpora.lines import damaged
from seq2seq.corpora.streams import DamagedError
from seq2seq.corpora.words import NO_SPACES
from seq2seq.errors import DataError

CHUNK = 1 << 16
"""Characters that are parsed at a time."""

LONGEST = 4_000_000
"""Bytes of the longest unit, tag or comment."""

DEEPEST = 200
"""Elements that may contain each other."""

CODES = {"bpt", "ept", "ph", "it", "ut"}
"""Inline elements whose content is code of the original document, not text."""

STANDALONE = {"ph", "ut", "x", "cp"}
"""Inline elements that stand for something, such as a line break; others begin or end a format, also inside a word."""

PLACE = "\uffff"
"""Stands for a standalone element while text is collected; XML does not allow it in text."""

IN_TEXT = regex.compile(rf"(?<={NO_SPACES}){PLACE}+(?={NO_SPACES})")
BETWEEN_WORDS = regex.compile(rf"(?<=\w){PLACE}+(?=\w)")  # with combining marks, unlike \w of re
TAG = re.compile(rb"<[^\s/>]+")
ATTRIBUTE = re.compile(rb"""\s+([^\s=]+)\s*=\s*("[^"]*"|'[^']*')""")
NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass
class TranslationUnit:
    """A sentence with its translations.

    Attributes:
        pairs: for training, with a translation each.
        source: the text to translate; None if there is a translation, or none is wanted or possible.
        start, end: the bytes (of the file as UTF-8) that the translation replaces.
        before, after: markup on both sides of the translation.
        inline: whether the source has inline elements, which a translation leaves out.
        misplaced: whether a translation is missing, but the file does not say where it belongs.
    """

    pairs: list[Pair]
    source: str | None = None
    start: int = 0
    end: int = 0
    before: bytes = b""
    after: bytes = b""
    inline: bool = False
    misplaced: bool = False


@dataclass
class Segment:
    """A part of a source or a target that a program has marked as a sentence: ``<mrk mtype="seg" mid="1">``.

    Attributes:
        mid: the name that a sentence has on both sides.
        start, end: its bytes, with both tags; ``end`` is 0 until it is closed.
        first: where its text begins, in the parts that are collected.
        depth: of its element.
        text: without inline elements.
        inline: whether it has any.
    """

    mid: str
    start: int
    first: int
    depth: int
    end: int = 0
    text: str = ""
    inline: bool = False


class MarkupReader(ABC):
    """One pass over an XML file; a subclass finds the units. Positions are in the bytes of the file as UTF-8.

    Attributes:
        path: local names of the open elements.
        units: complete ones that have not been yielded yet.
        prefix: of the name of the latest element, with its colon.
        hold: where the open unit begins.
        edits: changes that need no translation: start, end, new bytes.
        segments: of the element that is collected, or was the last.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.path: list[str] = []
        self.units: list[TranslationUnit] = []
        self.edits: list[tuple[int, int, bytes]] = []
        self.hold: int | None = None
        self.encoding = "utf-8"
        self.prefix = ""
        self.text: list[str] | None = None
        self.segments: list[Segment] = []
        self.inline = False
        self._code = 0
        self._just_opened = False
        self._raw, self._offset, self._last = bytearray(), 0, 0
        self._parser = expat.ParserCreate("utf-8")
        self._parser.StartElementHandler = self._on_start
        self._parser.EndElementHandler = self._on_end
        self._parser.CharacterDataHandler = self._on_text
        self._parser.SkippedEntityHandler = lambda entity, _: self._on_text(unescape(f"&{entity};"))
        self._parser.EntityDeclHandler = self._on_entity

    @abstractmethod
    def opened(self, name: str, attributes: dict[str, str], start: int) -> None:
        """An element begins; it is the last one of `path`."""

    @abstractmethod
    def closed(self, name: str, start: int, end: int) -> None:
        """An element ends with the tag from ``start`` to ``end``; it is still the last one of `path`."""

    def read(self, file: IO[bytes]) -> Iterator[TranslationUnit]:
        """The units.

        Raises:
            DataError: the file is not XML, is not in its encoding, or declares entities.
        """
        for safe in self._parse(file):
            yield from self.units
            self.units.clear()
            self.edits.clear()
            self._take(safe)

    def write(self, file: IO[bytes], output: IO[bytes], translations: Iterator[str]) -> Iterator[TranslationUnit]:
        """Write the file with a translation for each unit that has a source; yields the units.

        Raises:
            DataError: as `read`.
        """
        for safe in self._parse(file):
            for unit in self.units:
                if unit.source is not None:
                    text = escape(NOT_XML.sub("", next(translations)))
                    self.edits.append((unit.start, unit.end, unit.before + text.encode() + unit.after))
                yield unit
            self.units.clear()
            for start, end, new in sorted(self.edits):
                if end <= safe:
                    output.write(self._encoded(self._take(start)) + self._encoded(new))
                    self._take(end)
            self.edits = [edit for edit in self.edits if edit[1] > safe]
            output.write(self._encoded(self._take(safe)))

    @property
    def _fed(self) -> int:
        return self._offset + len(self._raw)

    def raw(self, start: int, end: int) -> bytes:
        """The bytes of a part of the open unit."""
        return bytes(self._raw[start - self._offset : end - self._offset])

    def space_before(self, position: int) -> bytes:
        """The white space before a position of the open unit, such as the indentation of its element."""
        start = end = position - self._offset
        while start and self._raw[start - 1] in b" \t\r\n":
            start -= 1
        return bytes(self._raw[start:end])

    def name_end(self, start: int) -> int:
        """Where the element's name ends in the start tag at a position."""
        tag = TAG.match(self._raw, start - self._offset)
        assert tag is not None
        return tag.end() + self._offset

    def attributes_end(self, start: int) -> int:
        """Where the last attribute ends in the start tag at a position."""
        end = self.name_end(start)
        while attribute := ATTRIBUTE.match(self._raw, end - self._offset):
            end = attribute.end() + self._offset
        return end

    def with_attribute(self, start: int, name: str, value: str) -> tuple[int, int, bytes]:
        """The edit that gives an attribute of the start tag at a position a value."""
        end, new = self.name_end(start), f" {name}={quoteattr(value)}".encode()
        while attribute := ATTRIBUTE.match(self._raw, end - self._offset):
            end, begin = attribute.end() + self._offset, attribute.start() + self._offset
            if attribute[1] == name.encode():
                return begin, end, new
        return end, end, new

    def collect(self) -> None:
        """Collect the text of the element that begins."""
        self.text, self.segments, self.inline, self._code = [], [], False, 0

    def collected(self) -> tuple[str, bool]:
        """End collecting. Returns the text without inline elements, and whether there are any beside segments.

        A space separates words that only a standalone element separated.
        """
        text = _without_places(self.text or ())
        self.text = None
        return text, self.inline

    def _parse(self, file: IO[bytes]) -> Iterator[int]:
        """Parse a file; after each chunk yield the position before which nothing can change any more."""
        try:
            for chunk in self._chunks(file):
                data = chunk.encode()
                self._raw += data
                self._parser.Parse(data, False)
                safe = self._last if self.hold is None else self.hold
                if self._fed - safe > LONGEST:
                    raise DataError(
                        f"{self.name}: a unit, a tag or a comment of more than {LONGEST:,} bytes: export the file again"
                    )
                yield safe
            self._parser.Parse(b"", True)
            yield self._fed
        except expat.ExpatError as error:
            reason = expat.ErrorString(error.code)
            raise DataError(
                f"{self.name}, line {error.lineno:,}: damaged XML ({reason}): export or fetch the file again"
            ) from None
        except DamagedError as error:
            raise damaged(self.name, 0, error) from None

    def _chunks(self, file: IO[bytes]) -> Iterator[str]:
        head = file.read(1_000)
        self.encoding = xml_encoding(head)
        try:
            decoder = codecs.getincrementaldecoder(self.encoding)("strict")
            for block in (head, *iter(lambda: file.read(CHUNK), b"")):
                yield decoder.decode(block)
            yield decoder.decode(b"", True)
        except (LookupError, UnicodeDecodeError) as error:
            raise DataError(f"{self.name} is not {self.encoding}, as it says ({error}): export it as UTF-8") from None

    def _take(self, end: int) -> bytes:
        """Remove the bytes before a position from the buffer."""
        taken = bytes(self._raw[: end - self._offset])
        del self._raw[: end - self._offset]
        self._offset = end
        return taken

    def _encoded(self, data: bytes) -> bytes:
        if self.encoding == "utf-8":
            return data
        return data.decode().encode(self.encoding, "xmlcharrefreplace")

    def _on_start(self, tag: str, attributes: dict[str, str]) -> None:
        self._last = self._parser.CurrentByteIndex
        if len(self.path) >= DEEPEST:
            raise DataError(f"{self.name}: more than {DEEPEST} elements inside each other: export the file again")
        prefix, colon, name = tag.rpartition(":")
        self.prefix = prefix + colon
        self.path.append(name)
        self._just_opened = True
        if self.text is None:
            self.opened(name, attributes, self._last)
            return
        if name == "mrk" and attributes.get("mtype") == "seg":
            self.segments.append(Segment(attributes.get("mid", ""), self._last, len(self.text), len(self.path)))
            return
        self.inline = True
        if self.segments and not self.segments[-1].end:
            self.segments[-1].inline = True
        if name in STANDALONE and not self._code:
            self.text.append(PLACE)
        self._code += name in CODES

    def _on_end(self, tag: str) -> None:
        self._last = start = self._parser.CurrentByteIndex
        name = self.path[-1]
        end = start
        if not (
            self._just_opened and self.raw(start - 2, start) == b"/>"
        ):  # else an empty-element tag, which has ended
            end = self._raw.index(b">", start - self._offset) + 1 + self._offset
        self._just_opened = False
        for segment in self.segments if self.text is not None else ():
            if not segment.end and segment.depth == len(self.path):
                segment.end, segment.text = end, _without_places((self.text or [])[segment.first :])
        self.closed(name, start, end)
        self._code -= name in CODES and self.text is not None
        self.path.pop()

    def _on_text(self, text: str) -> None:
        self._just_opened = False
        self._last = self._parser.CurrentByteIndex
        if self.text is not None and not self._code:
            self.text.append(text)

    def _on_entity(self, name: str, *_: object) -> None:
        raise DataError(
            f"{self.name} declares the entity {name!r}, which can read files or fill the memory: remove the entities "
            "from its DOCTYPE"
        )


def _without_places(parts: Iterable[str]) -> str:
    """The text of an element without its inline elements; a space is left where one separated words."""
    text = "".join(parts)
    return BETWEEN_WORDS.sub(" ", IN_TEXT.sub("", text)).replace(PLACE, "") if PLACE in text else text


def xml_encoding(head: bytes) -> str:
    """The codec of an XML file by its first bytes; it keeps a byte-order mark as a character."""
    for mark, name in ((codecs.BOM_UTF8, "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if head.startswith(mark):
            return name
    if head[:2] in (b"<\0", b"\0<"):
        return "utf-16-le" if head[:1] == b"<" else "utf-16-be"
    declared = re.match(rb"""\s*<\?xml[^>]*?\sencoding\s*=\s*["']([\w.:-]+)""", head)
    return declared[1].decode().lower() if declared else "utf-8"
