"""BLEU by source length (Bahdanau et al. 2015, figure 2), of one system or of several on the same sentences."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, NamedTuple

from seq2seq.corpora.corpus import Pair
from seq2seq.corpora.languages import word_count
from seq2seq.figures.config import LengthsConfig
from seq2seq.figures.systems import System, translated
from seq2seq.metrics.score import Score, score


class Range(NamedTuple):
    """Source lengths in words, both ends included."""

    shortest: int
    longest: int

    def __str__(self) -> str:
        return f"{self.shortest}" if self.shortest == self.longest else f"{self.shortest}–{self.longest}"


class Bin(NamedTuple):
    """The sentences of a range, scored by themselves."""

    range: Range
    words: float
    """Mean source length."""
    score: Score


class Curve(NamedTuple):
    """A system's scores by source length."""

    name: str
    folder: str
    beam_size: int
    whole: Score
    """Over all sentences."""
    bins: list[Bin]
    origin: dict[str, Any]
    """What translated, and how."""


def ranges(lengths: Sequence[int], config: LengthsConfig) -> list[Range]:
    """Ranges of length, none of them without a sentence: about equally filled, or with the longest lengths as asked.

    Args:
        lengths: of every sentence, in words; at least one.
        config: how many ranges, or their ends. Sentences longer than the last end have a range of their own.
    """
    ordered = sorted(lengths)
    if config.edges:
        ends = [*config.edges, *([ordered[-1]] if ordered[-1] > config.edges[-1] else [])]
    else:
        count = min(config.bins, len(ordered))
        ends = sorted({ordered[-(-len(ordered) * number // count) - 1] for number in range(1, count + 1)})
    starts = [1 if config.edges else ordered[0], *(end + 1 for end in ends[:-1])]
    found = [Range(start, end) for start, end in zip(starts, ends, strict=True)]
    return [one for one in found if any(one.shortest <= length <= one.longest for length in ordered)]


def measure(
    system: System, pairs: Sequence[Pair], config: LengthsConfig, beam_size: int | None, bootstrap: int
) -> Curve:
    """Translate a test set and score it, as a whole and range by range.

    A length is the number of words of the source (`word_count`), the tag of a tagged run left out: so systems with
    different vocabularies share the ranges. A range's interval is of its own sentences, resampled.

    Args:
        system: what translates.
        pairs: without tags; the same for every system that is compared.
        config: how lengths are put together.
        beam_size: hypotheses kept; None: as the run's ``search.beam_size``.
        bootstrap: resamples behind each confidence interval.
    """
    texts, beam_size, origin = translated(system, pairs, beam_size)
    language = system.source_language
    references, lengths = [pair.target for pair in pairs], [word_count(pair.source, language) for pair in pairs]
    found = ranges(lengths, config)
    rows: list[list[int]] = [[] for _ in found]
    for row, length in enumerate(lengths):
        rows[bisect_left([one.longest for one in found], length)].append(row)
    bins = [
        Bin(
            one,
            sum(lengths[row] for row in members) / len(members),
            score(
                [texts[row] for row in members],
                [references[row] for row in members],
                language=system.target_language,
                bootstrap=bootstrap,
            ),
        )
        for one, members in zip(found, rows, strict=True)
    ]
    whole = score(texts, references, language=system.target_language, bootstrap=bootstrap)
    return Curve(system.name, str(system.folder), beam_size, whole, bins, origin)
