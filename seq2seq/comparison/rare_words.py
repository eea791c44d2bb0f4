"""Who finds the rare words? The references' words by how often they occur in the training text."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from seq2seq.comparison.groups import label, place
from seq2seq.metrics.score import sentence_bleu


class RareWords(NamedTuple):
    """Words of the references of one group of frequencies, and how many of them each system has in its translations."""

    group: str
    """Occurrences in the text that words were counted in."""
    words: int
    """Occurrences in the references."""
    found_baseline: int
    found_other: int
    baseline: int
    """Sentences with such words in which the baseline finds more of them."""
    ties: int
    other: int


class Frequencies(NamedTuple):
    """How often words occur, and where they were counted."""

    counts: Mapping[str, int]
    text: str
    """For people: which text it was."""


class Words:
    """Cuts sentences into words as BLEU does for their language (13a for most).

    Args:
        lowercase: ignore case.
        language: code of the language.
    """

    def __init__(self, lowercase: bool, language: str = "") -> None:
        self.lowercase, self.tokenizer = lowercase, sentence_bleu(language).tokenizer

    def __call__(self, sentence: str) -> list[str]:
        """The words of a sentence."""
        cut: str = self.tokenizer(sentence.lower() if self.lowercase else sentence)
        return cut.split()


def count_words(lines: Iterable[str], words: Words) -> Counter[str]:
    """How often each word occurs."""
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
    """For each group of frequencies with words in the references, who finds more of them.

    A word that is twice in a reference can be found twice, if it is twice in the translation; where it stands does not
    matter.

    Args:
        references: the words to be found.
        baseline: translations of one system.
        other: of another.
        counts: how often words occur; 0 for those not there.
        rare: occurrences at which the next group begins.
        words: cuts sentences, those behind ``counts`` too.
    """
    starts = [0, *rare]
    groups: dict[int, list[tuple[int, int, int]]] = {}  # of each sentence: words, found by one, by the other
    for lines in zip(references, baseline, other, strict=True):
        reference, one, two = (Counter(words(line)) for line in lines)
        rows: dict[int, list[int]] = {}
        for word, number in reference.items():
            row = rows.setdefault(place(starts, counts.get(word, 0)), [0, 0, 0])
            row[0] += number
            row[1] += min(number, one[word])
            row[2] += min(number, two[word])
        for group, (number, first, second) in rows.items():
            groups.setdefault(group, []).append((number, first, second))
    return [_summed(label(starts, group), sentences) for group, sentences in sorted(groups.items())]


def _summed(group: str, sentences: Sequence[tuple[int, int, int]]) -> RareWords:
    number, first, second = (sum(column) for column in zip(*sentences, strict=True))
    wins = sum(one > two for _, one, two in sentences)
    losses = sum(one < two for _, one, two in sentences)
    return RareWords(group, number, first, second, wins, len(sentences) - wins - losses, losses)
