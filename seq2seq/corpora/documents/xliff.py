"""XLIFF 1.2 (also 1.0 and 1.1) and 2.0 (also 2.1 and 2.2), as translation programs exchange it."""

from seq2seq.corpora.corpus import Pair
from seq2seq.corpora.documents.document import Languages, pair
from seq2seq.corpora.documents.markup import MarkupReader, Segment, TranslationUnit
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
        """Add the unit, or one for each segment if the target has segments of the source."""
        source, inline = self._texts.get("source", ("", False))
        target, has_codes = self._texts.get("target", ("", False))
        if not source.strip():
            return
        segments, empty = self._paired_segments(), self._is_empty(source, target, has_codes)
        if segments and (not empty or all(place for _, place in segments)):
            self._add_segments(segments)
            return
        marked = self._segments.get("target", [])
        unknown = not empty and any(not (segment.text.strip() or segment.inline) for segment in marked)
        unit = TranslationUnit([] if unknown else self._pairs(source, target), misplaced=unknown and self._fills)
        self.units.append(unit)
        if empty and self._fills:
            unit.source, unit.inline = self._spaced(source), inline or bool(marked)
            self._fill(unit)

    @property
    def _fills(self) -> bool:
        """Whether missing translations are wanted."""
        return self._matches and self._inherited[-1][1].get("translate") != "no"

    def _is_empty(self, source: str, target: str, has_codes: bool) -> bool:
        """Whether a target is to be filled: it has nothing, or an untouched copy of the source."""
        copied = target.strip() == source.strip() and self._state in ("new", "needs-translation", "initial")
        return copied or not (target.strip() or has_codes)

    def _pairs(self, source: str, target: str) -> list[Pair]:
        """The pair of two texts, unless the target is empty or a draft."""
        draft = self._unit == "trans-unit" and (self._state == "new" or self._state.startswith("needs-"))
        if draft or not target.strip() or self._is_empty(source, target, False):
            return []
        return [pair(target, source) if self._reversed else pair(source, target)]

    def _spaced(self, text: str) -> str:
        """The text with single spaces, unless its spaces are to be preserved."""
        return text if self._inherited[-1][1].get("xml:space") == "preserve" else " ".join(text.split())

    def _paired_segments(self) -> list[tuple[Segment, Segment | None]]:
        """Each segment of the source with that of the target, None if there is none; empty if the segments are unknown.

        A target in one segment has all of a source that is not in several.
        """
        sources, targets = self._segments.get("seg-source", []), self._segments.get("target", [])
        if len(targets) == 1 and len(sources) <= 1:
            (source, inline), (target, _) = self._texts["source"], self._texts["target"]
            whole = target.strip() == targets[0].text.strip()
            return [(Segment("", 0, 0, 0, text=source, inline=inline), targets[0])] if whole else []
        names = [segment.mid for segment in sources], [segment.mid for segment in targets]
        if not targets or any(len(set(side)) < len(side) for side in names):
            return []
        places = dict(zip(names[1], targets, strict=True))
        return [(segment, places.get(segment.mid)) for segment in sources if segment.text.strip()]

    def _add_segments(self, segments: list[tuple[Segment, Segment | None]]) -> None:
        """Add a unit for each segment of the source, with its translation or the place for it."""
        filled = False
        for segment, place in segments:
            unit = TranslationUnit([] if place is None else self._pairs(segment.text, place.text))
            self.units.append(unit)
            if place is None:
                unit.misplaced = self._fills
            elif self._fills and self._is_empty(segment.text, place.text, place.inline):
                unit.source, unit.inline, filled = self._spaced(segment.text), segment.inline, True
                unit.start, unit.end = place.start, place.end
                unit.before = self.raw(place.start, self.attributes_end(place.start)) + b">"
                unit.after = b"</" + self.raw(place.start + 1, self.name_end(place.start)) + b">"
        if filled:
            self.edits.append(self.with_attribute(self._start_of["target"], *REVIEW))

    def _fill(self, unit: TranslationUnit) -> None:
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
