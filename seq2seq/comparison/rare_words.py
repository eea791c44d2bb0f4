"""How many rare words of the references each system produces, by frequency in the training text."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from seq2seq.comparison.sentences import group_label, group_of
from seq2seq.metrics.score import sentence_bleu


class RareWords(NamedTuple):
    """The reference words of one frequency group, and how many of them each system produces."""

    group: str
    """Range of occurrences in the text where words were counted."""
    words: int
    """Occurrences in the references."""
    found_baseline: int
    found_other: int
    baseline: int
    """Sentences with such words in which the baseline produces more of them."""
    ties: int
    other: int


class Frequencies(NamedTuple):
    """Word counts and their origin."""

    counts: Mapping[str, int]
    text: str
    """Description of the text where words were counted."""


class Words:
    """Splits sentences into words with the tokenizer of BLEU for the language (13a for most).

    Args:
        lowercase: ignore case.
        language: language code.
    """

    def __init__(self, lowercase: bool, language: str = "") -> None:
        self.lowercase, self.tokenizer = lowercase, sentence_bleu(language).tokenizer

    def __call__(self, sentence: str) -> list[str]:
        """The words of a sentence."""
        tokenized: str = self.tokenizer(sentence.lower() if self.lowercase else sentence)
        return tokenized.split()


def count_words(lines: Iterable[str], words: Words) -> Counter[str]:
    """Count each word."""
    counts: Counter[str] = Counter()
    for line in lines:
        counts.update(words(line))
    return counts


def wins_by_rare_words(
    references: Sequence[str],
    baseline: Sequence[str],
    other: Sequence[str],
    counts: Mapping[str, int],
    rare: Sequence[int],
    words: Words,
) -> list[RareWords]:
    """Count, for each frequency group, the reference words that two systems produce and the sentences they win.

    A word counts as often as it occurs in both the reference and the translation, at any position.

    Args:
        references: the reference translations.
        baseline: translations of the baseline.
        other: translations of the other system.
        counts: word frequencies; a missing word has 0.
        rare: occurrences at which the next group begins.
        words: splits sentences; ``counts`` were made with the same.
    """
    starts = [0, *rare]
    groups: dict[int, list[tuple[int, int, int]]] = {}  # for each sentence: words, found by the baseline, by the other
    for lines in zip(references, baseline, other, strict=True):
        reference, one, two = (Counter(words(line)) for line in lines)
        rows: dict[int, list[int]] = {}
        for word, number in reference.items():
            row = rows.setdefault(group_of(starts, counts.get(word, 0)), [0, 0, 0])
            row[0] += number
            row[1] += min(number, one[word])
            row[2] += min(number, two[word])
        for group, (number, first, second) in rows.items():
            groups.setdefault(group, []).append((number, first, second))
    return [_summed(group_label(starts, group), sentences) for group, sentences in sorted(groups.items())]


def _summed(group: str, sentences: Sequence[tuple[int, int, int]]) -> RareWords:
    number, first, second = (sum(column) for column in zip(*sentences, strict=True))
    wins = sum(one > two for _, one, two in sentences)
    losses = sum(one < two for _, one, two in sentences)
    return RareWords(group, number, first, second, wins, len(sentences) - wins - losses, losses)
