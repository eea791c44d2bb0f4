"""Compare systems with a baseline: scores, significance and wins as data."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import NamedTuple

from sacrebleu.metrics.base import Metric as SacrebleuMetric

from seq2seq.comparison.config import CompareConfig
from seq2seq.comparison.rare_words import Frequencies, RareWords, Words, wins_by_rare_words
from seq2seq.comparison.sentences import Difference, Wins, most_different, sentence_scores, wins_by_length
from seq2seq.comparison.significance import PValue, Significance, join_tests, paired_test, pairs_of_seeds
from seq2seq.comparison.systems import System
from seq2seq.corpora.corpus import Pair
from seq2seq.metrics.score import Metric, measure

Metrics = Callable[[], Mapping[str, SacrebleuMetric]]
"""Creates metrics; each measurement needs new ones, because sacreBLEU keeps state in them."""


class Deviation(NamedTuple):
    """Mean and standard deviation over seeds."""

    mean: float
    deviation: float | None
    """Sample standard deviation; None for one seed."""
    seeds: int


@dataclass(frozen=True)
class Measured:
    """A system with the scores of its outputs."""

    system: System
    scores: list[dict[str, Metric]]
    """For each output the scores by metric."""

    def over_seeds(self, metric: str) -> Deviation:
        """Mean and standard deviation of one metric over the outputs."""
        values = [scores[metric].score for scores in self.scores]
        return Deviation(mean(values), stdev(values) if len(values) > 1 else None, len(values))


@dataclass(frozen=True)
class Contrast:
    """The comparison of one system with the baseline."""

    name: str
    tests: dict[Significance, dict[str, PValue]]
    """P-values by test and metric."""
    wins: list[Wins]
    rare_words: list[RareWords]
    differences: list[Difference]


@dataclass(frozen=True)
class Comparison:
    """All results for systems on one test set."""

    corpus: str
    references: str
    """Hash of the references."""
    sentences: int
    frequencies: str
    """Description of the text where words were counted."""
    sentence_metric: str
    systems: list[Measured]
    """The first is the baseline."""
    contrasts: list[Contrast]
    """One for each of the other systems."""


def compare(
    systems: Sequence[System],
    corpus: tuple[str, str],
    pairs: Sequence[Pair],
    metrics: Metrics,
    frequencies: Frequencies,
    config: CompareConfig,
    language: str = "",
) -> Comparison:
    """Score every output and compare each system with the first, the baseline.

    Args:
        systems: at least two, with translations of all pairs.
        corpus: name of the test set and hash of its references.
        pairs: the test set.
        metrics: returns new metrics with the same signatures at each call.
        frequencies: word counts that define rare words.
        config: settings of tests and groups.
        language: language code of the references.
    """
    references = [pair.target for pair in pairs]
    measured = [_measured(system, references, metrics, config.bootstrap) for system in systems]
    contrasts = [_contrast(systems[0], other, pairs, metrics, frequencies, config, language) for other in systems[1:]]
    return Comparison(*corpus, len(pairs), frequencies.text, str(config.sentence_metric), measured, contrasts)


def _measured(system: System, references: Sequence[str], metrics: Metrics, bootstrap: int) -> Measured:
    scores = [
        {name: measure(metric, output.lines, references, bootstrap) for name, metric in metrics().items()}
        for output in system.outputs
    ]
    return Measured(system, scores)


def _contrast(
    baseline: System,
    other: System,
    pairs: Sequence[Pair],
    metrics: Metrics,
    frequencies: Frequencies,
    config: CompareConfig,
    language: str,
) -> Contrast:
    references = [pair.target for pair in pairs]
    lines = (baseline.first.lines, other.first.lines)
    first, second = (
        sentence_scores(texts, references, config.sentence_metric, config.lowercase, language) for texts in lines
    )
    return Contrast(
        other.name,
        _tests(baseline, other, references, metrics, config),
        wins_by_length(references, first, second, config.lengths, language),
        wins_by_rare_words(references, *lines, frequencies.counts, config.rare, Words(config.lowercase, language)),
        most_different(pairs, lines, (first, second), config.examples),
    )


def _tests(
    baseline: System, other: System, references: Sequence[str], metrics: Metrics, config: CompareConfig
) -> dict[Significance, dict[str, PValue]]:
    samples = {Significance.bootstrap: config.bootstrap, Significance.randomization: config.randomization}
    pairs = pairs_of_seeds(len(baseline.outputs), len(other.outputs))
    return {
        kind: join_tests(
            [
                paired_test(
                    kind, baseline.outputs[i].lines, other.outputs[j].lines, references, metrics(), samples[kind]
                )
                for i, j in pairs
            ]
        )
        for kind in Significance
        if samples[kind]
    }
