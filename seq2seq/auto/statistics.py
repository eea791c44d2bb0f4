"""What the choices of ``experiment=auto`` depend on: counts of the training text."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate

from seq2seq.corpora import languages
from seq2seq.corpora.copied_words import copied_words
from seq2seq.corpora.corpus import Pair

SAMPLE = 200_000
"""Pairs that are examined; of further pairs, only the number counts."""

COVERED = 0.9995
"""Share of the characters of a text in `SideStatistics.alphabet` (SentencePiece's advice for large scripts)."""


@dataclass(frozen=True, kw_only=True)
class SideStatistics:
    """Counts of one side of the training text.

    Attributes:
        words: words between spaces.
        types: different words.
        characters: characters without spaces.
        all_characters: different characters.
        alphabet: the most frequent characters that make up `COVERED` of the text.
        script: the script of most letters, as their Unicode names begin: LATIN, CYRILLIC, MYANMAR, CJK.
        spaced: whether the text separates its words by spaces.
    """

    words: int
    types: int
    characters: int
    all_characters: int
    alphabet: int
    script: str
    spaced: bool

    @property
    def characters_per_token(self) -> float:
        """A rough mean for subwords: fewer if few words repeat."""
        return 3 if self.alphabet < 1000 else 1.5


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """Counts of the training text.

    Attributes:
        pairs: sentence pairs.
        source, target: the sides; their counts are of at most `SAMPLE` pairs.
        sampled: pairs that were examined.
        alphabet: characters as `SideStatistics.alphabet` counts them, of both sides together.
        all_characters: different characters of both sides together.
        copied: share of the target's words that stand in their source, in [0, 1].
        longest, longest_words: characters without spaces, and words, of the longer side that 19 in 20 pairs do not
            exceed.
    """

    pairs: int
    source: SideStatistics
    target: SideStatistics
    sampled: int
    alphabet: int
    all_characters: int
    copied: float
    longest: int = 0
    longest_words: int = 0

    @property
    def same_script(self) -> bool:
        """Whether both sides are written in the same script."""
        return self.source.script == self.target.script

    @property
    def tokens_per_pair(self) -> float:
        """A rough number of subword tokens of the longer side: three characters each, and no two words in one."""
        counts = ((side.words, side.characters / side.characters_per_token) for side in (self.source, self.target))
        return max(map(max, counts)) / max(1, self.sampled)

    @property
    def longest_tokens(self) -> float:
        """A rough number of subword tokens that 19 in 20 pairs do not exceed on either side."""
        per_token = min(self.source.characters_per_token, self.target.characters_per_token)
        return max(self.longest_words, self.longest / per_token)

    def in_words(self) -> str:
        """One line for the user."""
        source, target = self.source, self.target
        scripts = " and ".join(dict.fromkeys(side.script.title() for side in (source, target)))
        return (
            f"{self.pairs:,} training pairs, {source.words:,} source and {target.words:,} target words "
            f"({source.types:,} and {target.types:,} different), {scripts} script, "
            f"{self.copied:.0%} of the target's words stand in the source"
        )


@dataclass
class _Side:
    """Sums over the sentences of one side."""

    words: Counter[str] = field(default_factory=Counter)
    characters: Counter[str] = field(default_factory=Counter)
    first: list[str] = field(default_factory=list)
    """The first sentences that are not blank."""

    def add(self, text: str) -> None:
        """Count a sentence."""
        words = text.split()
        self.words.update(words)
        self.characters.update("".join(words))
        if words and len(self.first) < languages.SAMPLE:
            self.first.append(text)

    def statistics(self) -> SideStatistics:
        """The counts so far."""
        return SideStatistics(
            words=self.words.total(),
            types=len(self.words),
            characters=self.characters.total(),
            all_characters=len(self.characters),
            alphabet=_alphabet(self.characters),
            script=_script(self.characters),
            spaced=not languages.lacks_spaces(self.first, languages.detect_segmentation(self.first)),
        )


def read_statistics(pairs: Iterable[Pair], sample: int = SAMPLE) -> Statistics:
    """Count the training text.

    Args:
        pairs: all of it, read once.
        sample: pairs that are examined, the first ones.

    Returns:
        The counts. They depend on the text alone.
    """
    lengths: Counter[int] = Counter()
    most_words: Counter[int] = Counter()
    source, target, count, copied, words = _Side(), _Side(), 0, 0, 0
    for pair in pairs:
        count += 1
        if count > sample:
            continue
        source.add(pair.source)
        target.add(pair.target)
        found, among = copied_words(pair)
        copied, words = copied + found, words + among
        sides = [side.split() for side in pair]
        lengths[max(sum(map(len, side)) for side in sides)] += 1
        most_words[max(map(len, sides))] += 1
    both = source.characters + target.characters
    return Statistics(
        pairs=count,
        source=source.statistics(),
        target=target.statistics(),
        sampled=min(count, sample),
        alphabet=_alphabet(both),
        all_characters=len(both),
        copied=copied / max(1, words),
        longest=_covering(lengths, 0.95),
        longest_words=_covering(most_words, 0.95),
    )


def _alphabet(characters: Mapping[str, int]) -> int:
    """The number of the most frequent characters that make up `COVERED` of a text."""
    needed = COVERED * sum(characters.values())
    covered = accumulate(sorted(characters.values(), reverse=True))
    return len(characters) - sum(total >= needed for total in covered) + bool(characters)


def _covering(counts: Mapping[int, int], share: float) -> int:
    """The least number that is at least as large as this share of the counted ones; 0 of none."""
    numbers = sorted(counts)
    below = accumulate(counts[number] for number in numbers)
    needed = share * sum(counts.values())
    return next((number for number, total in zip(numbers, below, strict=True) if total >= needed), 0)


def _script(characters: Mapping[str, int]) -> str:
    """The script of most letters."""
    scripts: Counter[str] = Counter()
    for character, count in characters.items():
        if character.isalpha():
            scripts[unicodedata.name(character, "OTHER").split()[0]] += count
    return min(scripts, key=lambda name: (-scripts[name], name)) if scripts else "NO"
