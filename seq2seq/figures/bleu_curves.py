"""BLEU by source length (Bahdanau et al. 2015, figure 2), and by width of the context vector (Cho et al. 2014)."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, NamedTuple

from seq2seq.corpora.corpus import Pair
from seq2seq.corpora.languages import word_count
from seq2seq.figures.config import LengthsConfig
from seq2seq.figures.systems import System, translate_pairs
from seq2seq.metrics.score import Score, score


class Range(NamedTuple):
    """A range of source lengths in words, both ends included."""

    shortest: int
    longest: int

    def __str__(self) -> str:
        return f"{self.shortest}" if self.shortest == self.longest else f"{self.shortest}–{self.longest}"


class Bin(NamedTuple):
    """The score of the sentences in a range."""

    range: Range
    words: float
    """Mean source length."""
    score: Score


class Curve(NamedTuple):
    """The scores of a system by source length."""

    name: str
    folder: str
    beam_size: int
    whole: Score
    """Score of all sentences."""
    bins: list[Bin]
    origin: dict[str, Any]
    """Hashes, version and settings behind the translations."""


def length_ranges(lengths: Sequence[int], config: LengthsConfig) -> list[Range]:
    """Return ranges of length without empty ones.

    Args:
        lengths: source length of every sentence in words; at least one.
        config: the number of about equally filled ranges, or their upper ends. Longer sentences get one more range.
    """
    ordered = sorted(lengths)
    if config.edges:
        ends = [*config.edges, *([ordered[-1]] if ordered[-1] > config.edges[-1] else [])]
    else:
        count = min(config.bins, len(ordered))
        ends = sorted({ordered[-(-len(ordered) * number // count) - 1] for number in range(1, count + 1)})
    starts = [1 if config.edges else ordered[0], *(end + 1 for end in ends[:-1])]
    ranges = [Range(start, end) for start, end in zip(starts, ends, strict=True)]
    return [span for span in ranges if any(span.shortest <= length <= span.longest for length in ordered)]


def bleu_by_length(
    system: System, pairs: Sequence[Pair], config: LengthsConfig, beam_size: int | None, bootstrap: int
) -> Curve:
    """Translate a test set and score all of it and every range.

    A length is the number of source words (`word_count`) without the source tag, so systems with different vocabularies
    share the ranges. The confidence interval of a range resamples its own sentences.

    Args:
        system: the translator.
        pairs: untagged pairs, the same for all compared systems.
        config: the ranges.
        beam_size: None uses the run's ``search.beam_size``.
        bootstrap: resamples for each confidence interval.
    """
    texts, beam_size, origin = translate_pairs(system, pairs, beam_size)
    references = [system.translator.ensemble.target.normalize(pair.target) for pair in pairs]
    lengths = [word_count(pair.source, system.source_language) for pair in pairs]

    def score_rows(rows: Sequence[int]) -> Score:
        return score(
            [texts[row] for row in rows],
            [references[row] for row in rows],
            language=system.target_language,
            bootstrap=bootstrap,
        )

    ranges = length_ranges(lengths, config)
    rows_by_range: list[list[int]] = [[] for _ in ranges]
    for row, length in enumerate(lengths):
        rows_by_range[bisect_left([span.longest for span in ranges], length)].append(row)
    bins = [
        Bin(span, sum(lengths[row] for row in rows) / len(rows), score_rows(rows))
        for span, rows in zip(ranges, rows_by_range, strict=True)
    ]
    return Curve(system.name, str(system.folder), beam_size, score_rows(range(len(pairs))), bins, origin)


class WidthPoint(NamedTuple):
    """The score of a run with a certain width of the context vector."""

    width: int
    """Width of the context vector."""
    decoder: int
    """Units of a decoder layer."""
    parameters: int
    folder: str
    score: Score
    origin: dict[str, Any]
    """Hashes, version and settings behind the translations."""


class WidthCurve(NamedTuple):
    """The scores of variants of a run, narrow to wide."""

    name: str
    points: list[WidthPoint]


def bleu_of_width(system: System, pairs: Sequence[Pair], beam_size: int | None, bootstrap: int) -> WidthPoint:
    """Translate a test set and score it; ``beam_size`` None uses the run's ``search.beam_size``."""
    texts, _, origin = translate_pairs(system, pairs, beam_size)
    config = system.network.config
    parameters = sum(parameter.numel() for parameter in system.network.parameters())
    references = [system.translator.ensemble.target.normalize(pair.target) for pair in pairs]
    result = score(texts, references, language=system.target_language, bootstrap=bootstrap)
    return WidthPoint(config.context_width, config.decoder.size, parameters, str(system.folder), result, origin)
