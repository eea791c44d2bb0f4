"""BLEU, chrF and TER of translated text: by sacrebleu, always with its signature, with a confidence interval."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sacrebleu.metrics.base import Metric as SacrebleuMetric
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from seq2seq.errors import DataError


@dataclass(frozen=True)
class Metric:
    """One measured figure.

    Attributes:
        score: 0 to 100, TER also above; higher is better, for TER lower.
        ci95: low and high end of the 95 % bootstrap interval; None where no resampling was asked for.
        signature: sacrebleu's, which names every choice that affects the score.
    """

    score: float
    ci95: tuple[float, float] | None
    signature: str

    def as_dict(self) -> dict[str, Any]:
        """The same as plain JSON types."""
        return {"score": self.score, "signature": self.signature, "ci95": self.ci95 and list(self.ci95)}


@dataclass(frozen=True)
class Score:
    """How close translations are to their references."""

    bleu: Metric
    chrf: Metric
    ter: Metric
    sentences: int

    def as_dict(self) -> dict[str, Any]:
        """The same as plain JSON types: ``{"bleu": {"score": …, "signature": …, "ci95": [low, high]}, …}``."""
        return {
            "bleu": self.bleu.as_dict(),
            "chrf": self.chrf.as_dict(),
            "ter": self.ter.as_dict(),
            "sentences": self.sentences,
        }

    def table(self) -> str:
        """One line per metric: ``BLEU   36.2 [35.1, 37.4]  nrefs:1|case:mixed|…``."""
        lines = []
        for name, metric in (("BLEU", self.bleu), ("chrF", self.chrf), ("TER", self.ter)):
            interval = f" [{metric.ci95[0]:.1f}, {metric.ci95[1]:.1f}]" if metric.ci95 else ""
            lines.append(f"{name:4} {metric.score:6.1f}{interval}  {metric.signature}")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.table()


def score(
    hypotheses: Sequence[str],
    references: Sequence[str],
    *,
    lowercase: bool = False,
    bootstrap: int = 1000,
    seed: int = 12345,
) -> Score:
    """BLEU, chrF and TER of detokenised text against one reference each, line by line.

    TER ignores case in any event, as tercom and sacrebleu do unless told otherwise; its signature says so.

    Args:
        hypotheses: what is scored, detokenised.
        references: as many, in the same order.
        lowercase: ignore case in BLEU and chrF too.
        bootstrap: resamples of the test set behind each confidence interval (Koehn 2004); 0 for none.
        seed: of the resamples; with the default they are those of ``sacrebleu --confidence``.

    Raises:
        DataError: no lines, or not as many hypotheses as references.
    """
    _check(hypotheses, references)
    measured = {
        name: measure(metric, hypotheses, references, bootstrap, seed)
        for name, metric in fresh_metrics(lowercase).items()
    }
    return Score(**measured, sentences=len(hypotheses))


def fresh_metrics(lowercase: bool = False) -> dict[str, SacrebleuMetric]:
    """The metrics of a `Score`, by its names for them; sacrebleu keeps the state of a measurement in them."""
    return {"bleu": BLEU(lowercase=lowercase), "chrf": CHRF(lowercase=lowercase), "ter": TER()}


def bleu(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """Corpus BLEU alone, 0 to 100, cased: quick enough to follow a training run.

    Raises:
        DataError: no lines, or not as many hypotheses as references.
    """
    _check(hypotheses, references)
    return float(BLEU(force=True).corpus_score(hypotheses, [references]).score)


def _check(hypotheses: Sequence[str], references: Sequence[str]) -> None:
    if len(hypotheses) != len(references):
        raise DataError(
            f"{len(hypotheses):,} hypotheses but {len(references):,} references: one line each, in the same order; "
            "check that both come from the same test set and that no line was dropped"
        )
    if not hypotheses:
        raise DataError("nothing to score: no hypotheses and no references; check that the test set is not empty")


def measure(
    metric: SacrebleuMetric, hypotheses: Sequence[str], references: Sequence[str], bootstrap: int, seed: int = 12345
) -> Metric:
    """One metric on the whole text and on resamples of its sentences; at least one, as many as references.

    sacrebleu's own resampling is not used: it holds all resamples in memory at once, takes its seed from the
    environment, keeps only the interval's width, and in 2.6 fails on text so poor that a resample scores 0
    (``don't know how to coerce float and float32``). So this adds up the sentences' counts itself, with the same
    draws and the same rank in the sorted scores.
    """
    counts = metric._extract_corpus_statistics(hypotheses, [references])
    whole = float(metric._aggregate_and_compute(counts).score)
    if bootstrap == 0:
        return Metric(whole, None, str(metric.get_signature()))
    metric.n_bootstrap, metric.seed = bootstrap, seed  # the signature names both
    table, random = np.array(counts, dtype=np.float64), np.random.default_rng(seed)
    resampled = []
    for _ in range(bootstrap):
        times_drawn = np.bincount(random.choice(len(table), size=len(table)), minlength=len(table))
        resampled.append(float(metric._compute_score_from_stats((times_drawn @ table).tolist()).score))
    resampled.sort()
    tail = bootstrap // 40
    return Metric(whole, (resampled[tail], resampled[-1 - tail]), str(metric.get_signature()))
