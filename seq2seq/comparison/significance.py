"""Is a difference more than chance? Paired tests over the sentences of a test set, by sacrebleu."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import Any

from sacrebleu.metrics.base import Metric as SacrebleuMetric
from sacrebleu.significance import PairedTest


class Significance(StrEnum):
    """Paired bootstrap resampling (Koehn 2004), paired approximate randomisation (Riezler & Maxwell 2005)."""

    bootstrap = "bootstrap"
    randomization = "randomization"


OF_SACREBLEU = {Significance.bootstrap: "bs", Significance.randomization: "ar"}


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

    sacrebleu draws by the seed of its environment variable ``SACREBLEU_SEED`` (12345). Several differences are not
    corrected for being several.

    Args:
        kind: which test.
        baseline: translations that others are held against.
        other: as many.
        references: as many.
        metrics: fresh ones, by name; their signatures become those of the test.
        samples: resamples, or trials; the test holds all at once: 4 bytes × samples × sentences × counts of a metric.
    """
    systems: list[tuple[str, Sequence[str]]] = [("baseline", list(baseline)), ("other", list(other))]
    test = PairedTest(systems, metrics, [list(references)], test_type=OF_SACREBLEU[kind], n_samples=samples)
    signatures, results = test()
    return {
        name: PValue([_p_value(*results[theirs])], str(signatures[theirs]))
        for name, theirs in zip(metrics, signatures, strict=True)
    }


def _p_value(baseline: Any, other: Any) -> float:
    """Of two results of sacrebleu, the second of which has it.

    sacrebleu counts the samples whose difference is larger than the one that is tested, not those where it is as large.
    Of two systems that are the same to a metric it finds none, and so its smallest p, as if they differed for certain.
    But every sample has a difference of 0 or more: there p is 1.
    """
    return 1.0 if baseline.score == other.score else float(other.p_value)


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
