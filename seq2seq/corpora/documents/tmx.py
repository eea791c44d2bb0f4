"""Translation memories: TMX 1.1 to 1.4, levels 1 and 2, with any number of languages in each unit."""

from dataclasses import dataclass

from seq2seq.corpora.documents.document import Languages, pair
from seq2seq.corpora.documents.markup import MarkupReader, TranslationUnit
from seq2seq.corpora.documents.markup_file import MarkupFile


@dataclass
class Variant:
    """The text of a unit in one language; its segment stands from ``start`` to ``end``."""

    language: str
    text: str
    start: int
    end: int
    inline: bool


class TmxReader(MarkupReader):
    """Reads units with a variant in the source language."""

    def __init__(self, name: str, languages: Languages) -> None:
        super().__init__(name)
        self.languages = languages
        self._variants: list[Variant] = []
        self._start_of = {"tuv": 0, "seg": 0}
        self._language = ("xml:lang", "")
        self._before = b""
        self._after_last = 0

    def opened(self, name: str, attributes: dict[str, str], start: int) -> None:
        """Note where units, variants and segments begin."""
        parent = self.path[-2] if len(self.path) > 1 else ""
        if name == "tu":
            self.hold, self._variants = start, []
        elif name == "tuv" and parent == "tu" and self.hold is not None:
            self._start_of["tuv"] = start
            attribute = "lang" if "xml:lang" not in attributes and "lang" in attributes else "xml:lang"
            self._language = attribute, attributes.get(attribute, "")
        elif name == "seg" and parent == "tuv" and self.hold is not None:
            self._start_of["seg"] = start
            self.collect()

    def closed(self, name: str, start: int, end: int) -> None:
        """Complete segments, variants and units."""
        if name == "seg" and self.text is not None:
            text, inline = self.collected()
            self._variants.append(Variant(self._language[1], text, self._start_of["seg"], end, inline))
        elif name == "tuv" and self.hold is not None:
            self._before, self._after_last = self.space_before(self._start_of["tuv"]), end
        elif name == "tu" and self.hold is not None:
            self._complete()
            self.hold = None

    def _complete(self) -> None:
        sources = self._of(self.languages.source)
        if not sources or not sources[0].text.strip():
            return
        source, targets = sources[0], self._of(self.languages.target)
        unit = TranslationUnit([pair(source.text, target.text) for target in targets if target.text.strip()])
        if not unit.pairs:
            unit.source, unit.inline = source.text, source.inline
            unit.before, unit.after = b"<seg>", b"</seg>"
            if targets:
                unit.start, unit.end = targets[0].start, targets[0].end
            else:
                unit.start = unit.end = self._after_last
                tag = f'<tuv {self._language[0]}="{self.languages.target}">'.encode()
                unit.before, unit.after = self._before + tag + b"<seg>", b"</seg></tuv>"
        self.units.append(unit)

    def _of(self, language: str) -> list[Variant]:
        """The variants of a wanted language."""
        tags = self.languages.closest(language, (each.language for each in self._variants))
        return [each for each in self._variants if each.language in tags]


class TmxFile(MarkupFile):
    """A translation memory, compressed or not; see `Document` for arguments and errors.

    The text of inline elements that mark a part of a sentence is kept, codes are dropped. Several translations of a
    source are several pairs. A translation becomes a variant at the end of its unit.
    """

    format, endings, reader = "a TMX file", (".tmx",), TmxReader
