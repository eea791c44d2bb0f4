"""XLIFF 1.2 (also 1.0 and 1.1) and 2.0 (also 2.1 and 2.2), as translation programs exchange it."""

from seq2seq.corpora.documents.document import Languages, pair
from seq2seq.corpora.documents.markup import MarkupReader, Segment, Unit
from seq2seq.corpora.documents.markup_file import MarkupFile

REVIEW = "state", "needs-review-translation"
"""Attribute of a target of XLIFF 1 that is filled in."""

STATE = {"trans-unit": b' state="needs-review-translation"', "segment": b""}
"""Attribute of a target that is filled in; XLIFF 2.0 has the state at the segment."""


class XliffReader(MarkupReader):
    """Reads the units of files in the wanted languages, in either direction; those to translate in one only."""

    def __init__(self, name: str, languages: Languages) -> None:
        super().__init__(name)
        self.languages = languages
        self._unit = "trans-unit"
        self._matches = self._reversed = False
        self._inherited: list[tuple[int, dict[str, str]]] = [(0, {})]
        self._texts: dict[str, tuple[str, bool]] = {}
        self._segments: dict[str, list[Segment]] = {}
        self._start_of: dict[str, int] = {}
        self._end_of: dict[str, int] = {}
        self._state = ""

    def opened(self, name: str, attributes: dict[str, str], start: int) -> None:
        """Note languages, and where units, sources and targets begin."""
        if "translate" in attributes or "xml:space" in attributes:
            self._inherited.append((len(self.path), {**self._inherited[-1][1], **attributes}))
        parent = self.path[-2] if len(self.path) > 1 else ""
        if name == "xliff" and attributes.get("version", "").startswith("2"):
            self._unit = "segment"
            self._choose("srcLang", "trgLang", attributes, start)
        elif name == "file" and self._unit == "trans-unit":
            self._choose("source-language", "target-language", attributes, start)
        elif name == self._unit and (self._matches or self._reversed):
            self.hold, self._state = start, attributes.get("state", "")
            self._texts.clear()
            self._segments.clear()
        elif self.hold is not None and parent == self._unit and name in ("source", "seg-source", "target"):
            self._start_of[name] = start
            if name == "target":
                self._state = attributes.get("state", self._state)
            self.collect()

    def closed(self, name: str, start: int, end: int) -> None:
        """Complete sources, targets and units."""
        parent = self.path[-2] if len(self.path) > 1 else ""
        if self.hold is not None and parent == self._unit and name in ("source", "seg-source", "target"):
            self._end_of["source" if name == "seg-source" else name] = end
            if self.text is not None:
                self._texts[name] = self.collected()
                self._segments[name] = self.segments
        elif self.hold is not None and name == self._unit:
            self._complete()
            self.hold = None
        if self._inherited[-1][0] == len(self.path):
            self._inherited.pop()

    def _choose(self, source: str, target: str, attributes: dict[str, str], start: int) -> None:
        """Compare the languages with the wanted ones; a file without target language gets it."""
        wanted, tags = self.languages, [attributes.get(side, "") for side in (source, target)]
        sources, targets = (wanted.closest(side, tags) for side in (wanted.source, wanted.target))
        self._matches = tags[0] in sources and (tags[1] in targets or not tags[1])
        self._reversed = not self._matches and tags[0] in targets and tags[1] in sources
        if self._matches and not tags[1]:
            self.edits.append(self.with_attribute(start, target, wanted.target))

    def _complete(self) -> None:
        source, inline = self._texts.get("source", ("", False))
        target, has_codes = self._texts.get("target", ("", False))
        if not source.strip():
            return
        draft = self._unit == "trans-unit" and (self._state == "new" or self._state.startswith("needs-"))
        copied = target.strip() == source.strip() and (self._state in ("new", "needs-translation", "initial"))
        empty = copied or not (target.strip() or has_codes)
        unit = Unit([])
        self.units.append(unit)
        if target.strip() and not draft and not copied:
            unit.pairs.append(pair(target, source) if self._reversed else pair(source, target))
        inherited = self._inherited[-1][1]
        if empty and self._matches and inherited.get("translate") != "no":
            unit.source, unit.inline = self._spaced(source), inline
            if segments := self._segments_to_fill(source):
                self._fill_segments(unit, segments)
            else:
                unit.inline = inline or bool(self._segments.get("target"))
                self._fill(unit)

    def _spaced(self, text: str) -> str:
        """The text with single spaces, unless its spaces are to be preserved."""
        return text if self._inherited[-1][1].get("xml:space") == "preserve" else " ".join(text.split())

    def _segments_to_fill(self, source: str) -> list[tuple[Segment, str]]:
        """Each segment of the target with its source; empty if there are none, or if a source is not known."""
        marked = self._segments.get("target", [])
        texts = {segment.mid: segment.text for segment in self._segments.get("seg-source", [])}
        if len(marked) == 1:
            texts = {marked[0].mid: source}
        known = all(segment.mid in texts for segment in marked)
        return [(segment, texts[segment.mid]) for segment in marked if texts[segment.mid].strip()] if known else []

    def _fill_segments(self, unit: Unit, segments: list[tuple[Segment, str]]) -> None:
        """Say where the translations of segments belong, the first of which is the unit, and set the state."""
        self.edits.append(self.with_attribute(self._start_of["target"], *REVIEW))
        for number, (segment, text) in enumerate(segments):
            part = unit if number == 0 else Unit([], inline=unit.inline)
            part.source, part.start, part.end = self._spaced(text), segment.start, segment.end
            part.before = self.raw(segment.start, self.attributes_end(segment.start)) + b">"
            part.after = b"</" + self.raw(segment.start + 1, self.name_end(segment.start)) + b">"
            self.units += [part] if number else []

    def _fill(self, unit: Unit) -> None:
        """Say where the translation of a unit belongs, and set the state."""
        assert self.hold is not None
        if self._unit == "segment":
            self.edits.append(self.with_attribute(self.hold, "state", "translated"))
        start = self._start_of["source"]
        source = self.raw(start, self.name_end(start))
        if "target" in self._texts:
            unit.start, unit.end = self._start_of["target"], self._end_of["target"]
            unit.before = self._target_tag(unit.start) + b">"
        else:
            unit.start = unit.end = self._end_of["source"]
            unit.before = self.space_before(start) + source.replace(b"source", b"target") + STATE[self._unit] + b">"
        unit.after = b"</" + source[1:].replace(b"source", b"target") + b">"

    def _target_tag(self, start: int) -> bytes:
        """The start tag of an empty target with the state of a translation, without its end."""
        whole = self.raw(start, self.attributes_end(start))
        if self._unit == "segment":
            return whole
        begin, end, new = self.with_attribute(start, *REVIEW)
        return whole[: begin - start] + new + whole[end - start :]


class XliffFile(MarkupFile):
    """A file of a translation program, compressed or not; see `Document` for arguments and errors.

    Drafts (state ``new`` and ``needs-…``) are no pairs. A translation is marked as such: ``needs-review-translation``
    in XLIFF 1, a segment that is ``translated`` in XLIFF 2.
    """

    format, endings, reader = "an XLIFF file", (".xlf", ".xliff", ".sdlxliff", ".mxliff", ".mqxliff"), XliffReader
