"""Placeholders: strings such as ``%s``, ``{name}``, ``<b>`` and URLs, which translation must not change.

A placeholder of the source is replaced by a symbol, a token of its own, before the model reads it, and so are equal
strings in the target. In the translation, symbols are replaced by the strings of the source. A symbol that stands for
no string of the source is removed.

In training, only strings of both sides are replaced, so that the model learns to copy every symbol. Half of the
sentences begin with another symbol than the first, by a hash of the sentence, so that all symbols are trained: few
sentences have many placeholders. Where a text contains a symbol literally, it is a placeholder too.
"""

import re
import zlib
from collections import Counter
from collections.abc import Collection
from enum import StrEnum
from typing import NamedTuple

from seq2seq.portable.normalization import Normalization, ends_word, is_blank, normalize

SYMBOLS = tuple(f"⟨ph{number}⟩" for number in range(1, 9))
"""Their number is the most different placeholders of a sentence that are protected; further ones stay text."""

LITERAL = re.compile("⟨(ph[1-8]⟩)")


class PlaceholderKind(StrEnum):
    """Kinds of placeholders; see `PATTERNS`."""

    printf = "printf"
    braces = "braces"
    variables = "variables"
    tags = "tags"
    urls = "urls"
    emails = "emails"
    numbers = "numbers"


NO_SPACES = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff"
"""Thai, Lao, Burmese, Khmer, Chinese, Japanese: the text after a URL follows without a space."""

URL = rf"[^\W{NO_SPACES}]|[/#$%&*+=@~|-]"
"""A character of a URL, besides punctuation within it and pairs of parentheses."""

PATTERNS = {
    PlaceholderKind.urls: rf"(?:https?|ftp)://(?:{URL}|[.,:;!?]+(?={URL}|\()|\((?:{URL}|[.,:;!?])*\))+",
    PlaceholderKind.emails: r"(?<![\w.+-])[\w.+-]+@\w[\w-]*(?:\.\w[\w-]*)+",
    PlaceholderKind.tags: r"</?[A-Za-z][\w:.-]*(?:\s[^<>]*)?/?>|&(?:#\d+|#x[0-9A-Fa-f]+|[A-Za-z]\w+);",
    PlaceholderKind.braces: r"\{\{[^{}]*\}\}|\$?\{[^{}\s]*\}",
    PlaceholderKind.printf: (
        r"(?<![\d%])%(?:\(\w+\)|\d+\$)?[-+0#]*+(?:\d++|\*)?(?:\.(?:\d++|\*))?(?:hh?|ll?|[zjtLq])?[@diouxXeEfFgGcsp]"
    ),
    PlaceholderKind.variables: r"\$[A-Za-z_]\w*",
    PlaceholderKind.numbers: r"(?<![\w.,])\d++(?:[.,:]\d++)*+(?!\w)",
}
"""Regular expression of each kind; where several match at a position, the first in this order counts."""


class PlaceholderDifference(NamedTuple):
    """How the placeholders of a translation differ from those of its source."""

    lost: tuple[str, ...] = ()
    """Placeholders of the source that the translation lacks, once for each missing occurrence."""
    added: tuple[str, ...] = ()
    """Placeholders of the translation that the source has less often."""


class Placeholders:
    """Finds, replaces and restores placeholders.

    Args:
        kinds: what to protect; at least one.
        tags: words that are tokens already and no placeholders, such as ``<2de>``.
        whole_words: only protect what stands between white space, for vocabularies of words.
        normalization: the form of the run's text.
    """

    def __init__(
        self,
        kinds: Collection[PlaceholderKind],
        tags: Collection[str] = (),
        *,
        whole_words: bool = False,
        normalization: Normalization = Normalization.nfc,
    ) -> None:
        self.normalization = normalization
        self.kinds, self.tags, self.whole_words = frozenset(kinds), frozenset(tags), whole_words
        parts = [LITERAL.pattern.replace("(", "(?:"), *(PATTERNS[kind] for kind in PATTERNS if kind in self.kinds)]
        pattern = "|".join(f"(?:{part})" for part in parts)
        self.pattern = re.compile(rf"(?<!\S)(?:{pattern})(?!\S)" if whole_words else pattern)

    def __repr__(self) -> str:
        kinds, tags = sorted(self.kinds), sorted(self.tags)
        return f"placeholders {kinds} tags {tags} whole words {self.whole_words} {self.normalization}"

    def find(self, text: str) -> list[str]:
        """The placeholders of a text in their order."""
        return [match for match in self.pattern.findall(self._normal(text)) if match not in self.tags]

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where the placeholders of a text start and end, in the text as it is written."""
        return [match.span() for match in self.pattern.finditer(text) if match[0] not in self.tags]

    def symbols(self, source: str, among: Collection[str] | None = None, first: int = 0) -> dict[str, str]:
        """The symbol of each placeholder of a source, in their order from symbol number ``first`` on.

        With ``among``, only these placeholders have a symbol.
        """
        found = [each for each in dict.fromkeys(self.find(source)) if among is None or each in among]
        found.sort(key=lambda each: each not in SYMBOLS)  # literal symbols could not stay text
        return {each: SYMBOLS[(first + number) % len(SYMBOLS)] for number, each in enumerate(found[: len(SYMBOLS)])}

    def replace(self, text: str, symbols: dict[str, str]) -> str:
        """The text with symbols for the placeholders that have one; white space at its end is kept."""
        if is_blank(text):
            return text
        ending = " " if ends_word(text) else ""
        replaced, end, text = "", 0, self._normal(text)
        for match in self.pattern.finditer(text):
            if match[0] in symbols:
                replaced += _without_symbols(text[end : match.start()]) + symbols[match[0]]
                end = match.end()
        return replaced + _without_symbols(text[end:]) + ending

    def restore(self, text: str, symbols: dict[str, str]) -> str:
        """The text with the placeholders in place of their symbols, and without other symbols."""
        strings = {symbol: string for string, symbol in symbols.items()}
        return self._normal(LITERAL.sub(lambda match: strings.get(match[0], ""), text))

    def replace_pair(self, source: str, target: str) -> tuple[str, str]:
        """A training pair with symbols for the placeholders of both sides; without a source, for all of the target."""
        number = zlib.crc32(self._normal(source or target).encode()) % (2 * len(SYMBOLS))
        first = number if number < len(SYMBOLS) else 0
        symbols = self.symbols(source or target, self.find(target), first)
        return self.replace(source, symbols), self.replace(target, symbols)

    def _normal(self, text: str) -> str:
        return normalize(text, self.normalization)

    def compare(self, source: str, translation: str) -> PlaceholderDifference:
        """The placeholders that a translation has lost, and those that it has added."""
        wanted, found = Counter(self.find(source)), Counter(self.find(translation))
        return PlaceholderDifference(tuple((wanted - found).elements()), tuple((found - wanted).elements()))


def _without_symbols(text: str) -> str:
    """The text without literal symbols, which have no symbol of their own only where training drops them."""
    return LITERAL.sub(r"⟨ \1", text)
