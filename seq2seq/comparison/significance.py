"""Is a difference more than chance? Paired tests over the sentences of a test set, on sacreBLEU's counts.

Both tests count the trials whose difference is at least as large as the one observed, equal ones included, and give
p = (count + 1) / (trials + 1). sacreBLEU's own tests (2.6) leave equal ones out, which makes p far too small where few
sentences differ; and its bootstrap compares |difference| less its mean, which under the null hypothesis is not uniform.
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
    """Paired bootstrap resampling (Koehn 2004), paired approximate randomisation (Riezler & Maxwell 2005)."""

    bootstrap = "bootstrap"
    randomization = "randomization"


OF_SACREBLEU = {Significance.bootstrap: "bs", Significance.randomization: "ar"}

BLOCK = 1000
"""Trials whose counts are summed at a time."""


@dataclass(frozen=True)
class PValue:
    """How likely so large a difference is by chance alone.

    Attributes:
        values: of each pair of outputs that was tested; one, where no system has several seeds.
        signature: sacrebleu's, with the number of samples and the seed they were drawn by.
    """

    values: list[float]
    signature: str

    def __str__(self) -> str:
        """The value; of several the median and the range."""
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
    """The p-value of each metric's difference between two outputs of one test set, two-sided.

    Randomisation exchanges the two translations of a sentence with probability 1/2. The bootstrap draws sentences with
    replacement; the difference of a resample, less the one observed, is a difference under the null hypothesis (Noreen
    1989, "shift method"; Riezler & Maxwell 2005, §3.2).

    The trials are those that sacreBLEU draws, by the seed of its environment variable ``SACREBLEU_SEED`` (12345).
    Several differences are not corrected for being several.

    Args:
        kind: which test.
        baseline: translations that others are held against.
        other: as many.
        references: as many.
        metrics: fresh ones, by name; their signatures become those of the test.
        samples: resamples, or trials; the test holds samples × sentences numbers of 1 byte (randomisation) or 8.
    """
    seed = os.environ.get("SACREBLEU_SEED", "12345").lower()
    random = np.random.default_rng(int(seed) if seed.isdigit() and int(seed) else None)
    trials = _trials(kind, random, len(references), samples)
    found = {}
    for name, metric in metrics.items():
        tables = [
            np.array(corpus_counts(metric, lines, list(references)), dtype=np.float64)
            for lines in (list(baseline), list(other))
        ]
        signature = metric.get_signature()
        signature.update("seed", seed)
        signature.update(OF_SACREBLEU[kind], samples)
        differences = np.fromiter(_differences(kind, metric, tables, trials), np.float64, samples)
        observed = _difference(metric, *(table.sum(0) for table in tables))
        found[name] = PValue([p_value(kind, differences, observed)], str(signature))
    return found


def p_value(kind: Significance, differences: Floats, observed: float) -> float:
    """Share of trials, the observed one among them, whose difference is as large, but for rounding, or larger.

    Args:
        kind: of the bootstrap, differences are those of resamples, which lie about the observed one.
        differences: of every trial, signed.
        observed: of the outputs as they are, signed.
    """
    chance = differences - observed if kind is Significance.bootstrap else differences
    count = int(np.count_nonzero(np.abs(chance) >= abs(observed) - TIE))
    return (count + 1) / (len(differences) + 1)


def _trials(kind: Significance, random: np.random.Generator, sentences: int, samples: int) -> NDArray[np.generic]:
    """What each trial draws: which sentences keep their system (bool), or the sentences (their numbers)."""
    if kind is Significance.randomization:
        return random.integers(2, size=(samples, sentences), dtype=bool)
    return random.choice(sentences, size=(samples, sentences), replace=True)


def _differences(
    kind: Significance, metric: SacrebleuMetric, tables: Sequence[Floats], trials: NDArray[np.generic]
) -> Iterator[float]:
    """The difference, other less baseline, of every trial."""
    baseline, other = tables
    for start in range(0, len(trials), BLOCK):
        block = trials[start : start + BLOCK]
        if kind is Significance.randomization:
            kept = block.astype(np.float64)
            first, second = kept @ baseline + (1 - kept) @ other, (1 - kept) @ baseline + kept @ other
        else:
            times = np.stack([np.bincount(drawn, minlength=len(baseline)) for drawn in block]).astype(np.float64)
            first, second = times @ baseline, times @ other
        for one, two in zip(first, second, strict=True):
            yield _difference(metric, one, two)


def _difference(metric: SacrebleuMetric, baseline: Floats, other: Floats) -> float:
    """Score of the summed counts of one output less that of another."""
    one, two = (score_from_sums(metric, sums.tolist()) for sums in (baseline, other))
    return two - one


def pairs_of_seeds(baseline: int, other: int) -> list[tuple[int, int]]:
    """Which outputs of two systems are tested against each other: first with first, second with second, ….

    The shorter list begins anew where the other has more.
    """
    return [(number % baseline, number % other) for number in range(max(baseline, other))]


def joined(tests: Sequence[Mapping[str, PValue]]) -> dict[str, PValue]:
    """The values of several tests with the same metrics, together."""
    return {
        name: PValue([value for test in tests for value in test[name].values], first.signature)
        for name, first in tests[0].items()
    }
