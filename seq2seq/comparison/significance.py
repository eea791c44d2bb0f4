"""Statistical significance: paired tests over the sentences of a test set, on the statistics of sacreBLEU metrics.

Both tests count the trials whose difference is at least as large as the observed one (equal differences included):
p = (count + 1) / (trials + 1). The tests of sacreBLEU 2.6 exclude equal differences, so p is far too small if few
sentences differ; and its bootstrap compares |difference| minus its mean, so p is not uniform under the null hypothesis.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics.base import Metric as SacrebleuMetric

from seq2seq.comparison.sentences import TIE
from seq2seq.metrics.sacrebleu_private import corpus_counts, score_from_sums

Floats = NDArray[np.float64]


class Significance(StrEnum):
    """Paired bootstrap resampling (Koehn 2004), paired approximate randomization (Riezler & Maxwell 2005)."""

    bootstrap = "bootstrap"
    randomization = "randomization"


SACREBLEU_NAMES = {Significance.bootstrap: "bs", Significance.randomization: "ar"}

FEWEST_FOR_BOOTSTRAP = 20
"""Sentences from which p of the bootstrap is about right: with 5, p < 0.05 for 20 % of equally good systems.

Resamples of few sentences differ too little. Randomization is right for any number.
"""

BLOCK = 1000
"""Trials that are computed together."""


@dataclass(frozen=True)
class PValue:
    """Probability of a difference at least this large under the null hypothesis.

    Attributes:
        values: for each pair of tested outputs; one if no system has several seeds.
        signature: sacreBLEU signature with the number of samples and the seed.
    """

    values: list[float]
    signature: str

    def __str__(self) -> str:
        """The value; for several the median and the range."""
        if len(self.values) == 1:
            return f"{self.values[0]:.4f}"
        return f"{median(self.values):.4f} ({min(self.values):.4f}–{max(self.values):.4f})"


def paired_test(
    kind: Significance,
    baseline: Sequence[str],
    other: Sequence[str],
    references: Sequence[str],
    metrics: Mapping[str, SacrebleuMetric],
    samples: int,
) -> dict[str, PValue]:
    """Two-sided p-values of the difference between two outputs on one test set, for each metric.

    Randomization exchanges the two translations of a sentence with probability 1/2. The bootstrap draws sentences with
    replacement; the difference of a resample minus the observed one is a difference under the null hypothesis (Noreen
    1989, "shift method"; Riezler & Maxwell 2005, §3.2).

    The trials equal those of sacreBLEU with the seed of its environment variable ``SACREBLEU_SEED`` (12345). Multiple
    comparisons are not corrected for. Chance is that of the sentences, not that of seeds: of two runs of one system,
    more than 5 % have p < 0.05. The bootstrap needs `FEWEST_FOR_BOOTSTRAP` sentences.

    Args:
        kind: which test.
        baseline: translations of the baseline.
        other: translations of the other system.
        references: reference translations.
        metrics: new metrics by name; their signatures become those of the test.
        samples: resamples or trials; memory is samples × sentences × 1 byte (randomization) or 8 bytes (bootstrap).
    """
    seed = os.environ.get("SACREBLEU_SEED", "12345").lower()
    random = np.random.default_rng(int(seed) if seed.isdigit() and int(seed) else None)
    trials = _trials(kind, random, len(references), samples)
    p_values = {}
    for name, metric in metrics.items():
        tables = [
            np.array(corpus_counts(metric, lines, list(references)), dtype=np.float64)
            for lines in (list(baseline), list(other))
        ]
        signature = metric.get_signature()
        signature.update("seed", seed)
        signature.update(SACREBLEU_NAMES[kind], samples)
        differences = np.fromiter(_differences(kind, metric, tables, trials), np.float64, samples)
        observed = _difference(metric, *(table.sum(0) for table in tables))
        p = p_value(kind, differences, observed)
        if kind is Significance.bootstrap and len(references) == 1:
            p = 1.0  # every resample is the same sentence, so nothing is known of chance
        p_values[name] = PValue([p], str(signature))
    return p_values


def p_value(kind: Significance, differences: Floats, observed: float) -> float:
    """Share of trials, including the observed one, whose difference is at least as large except for rounding.

    Args:
        kind: differences of bootstrap resamples are centred by the observed difference.
        differences: signed difference of every trial.
        observed: signed difference of the outputs.
    """
    chance = differences - observed if kind is Significance.bootstrap else differences
    count = int(np.count_nonzero(np.abs(chance) >= abs(observed) - TIE))
    return (count + 1) / (len(differences) + 1)


def _trials(kind: Significance, random: np.random.Generator, sentences: int, samples: int) -> NDArray[np.generic]:
    """The random choices of each trial: which sentences keep their system (bool), or sampled sentences (indices)."""
    if kind is Significance.randomization:
        return random.integers(2, size=(samples, sentences), dtype=bool)
    return random.choice(sentences, size=(samples, sentences), replace=True)


def _differences(
    kind: Significance, metric: SacrebleuMetric, tables: Sequence[Floats], trials: NDArray[np.generic]
) -> Iterator[float]:
    """The difference, other minus baseline, of every trial."""
    baseline, other = tables
    for start in range(0, len(trials), BLOCK):
        block = trials[start : start + BLOCK]
        if kind is Significance.randomization:
            kept = block.astype(np.float64)
            first, second = kept @ baseline + (1 - kept) @ other, (1 - kept) @ baseline + kept @ other
        else:
            times = np.stack([np.bincount(sentences, minlength=len(baseline)) for sentences in block]).astype(
                np.float64
            )
            first, second = times @ baseline, times @ other
        for one, two in zip(first, second, strict=True):
            yield _difference(metric, one, two)


def _difference(metric: SacrebleuMetric, baseline: Floats, other: Floats) -> float:
    """The score of the other output minus that of the baseline, from their summed statistics."""
    one, two = (score_from_sums(metric, sums.tolist()) for sums in (baseline, other))
    return two - one


def pairs_of_seeds(baseline: int, other: int) -> list[tuple[int, int]]:
    """Indices of the outputs of two systems to test: first with first, second with second, ….

    The shorter list repeats.
    """
    return [(number % baseline, number % other) for number in range(max(baseline, other))]


def join_tests(tests: Sequence[Mapping[str, PValue]]) -> dict[str, PValue]:
    """Combine the p-values of several tests with the same metrics."""
    return {
        name: PValue([value for test in tests for value in test[name].values], first.signature)
        for name, first in tests[0].items()
    }
