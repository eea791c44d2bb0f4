"""Settings of recipes/compare.py."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from seq2seq.comparison.pages import ENDINGS
from seq2seq.corpora.config import DataConfig, Split
from seq2seq.errors import ConfigError
from seq2seq.settings import Settings, setting


class Searched(StrEnum):
    """Which of a run's saved translations count: greedy ones, or those of the run's method."""

    beam = "beam"
    greedy = "greedy"
    diverse_beam = "diverse_beam"
    sampling = "sampling"
    minimum_bayes_risk = "minimum_bayes_risk"


class SentenceMetric(StrEnum):
    """What a single sentence is scored by."""

    chrf = "chrf"
    bleu = "bleu"


@dataclass(kw_only=True)
class CompareConfig(Settings):
    """Settings of recipes/compare.py."""

    systems: list[str] = setting(
        help="two or more: run folders that evaluate.py has scored, text files of translations, or folders and "
        "patterns that stand for several seeds of one system; the others are held against the first",
        factory=list,
    )
    split: Split = setting(
        Split.test, "train, validation or test: of the first run's corpus, or of data where that is named"
    )
    data: DataConfig = setting(factory=DataConfig)
    entry: str | None = setting(None, "entry of each run's scores.json, such as test.ensemble; null: the split's")
    translations: Searched = setting(
        Searched.beam, "which saved translations of a run: greedy, or those of its search.method, such as beam"
    )
    lowercase: bool = setting(False, "ignore case in BLEU and chrF")
    bootstrap: int = setting(1000, "resamples behind intervals and the paired bootstrap test", at_least=1)
    randomization: int = setting(10000, "trials of the approximate randomisation test; 0: leave it out", at_least=0)
    sentence_metric: SentenceMetric = setting(SentenceMetric.chrf, "what a sentence is won by: chrf or bleu")
    lengths: list[int] = setting(
        help="words of the reference (characters where there are no spaces) at which the next group begins",
        factory=lambda: [10, 20, 30, 50],
    )
    rare: list[int] = setting(
        help="occurrences at which the next group of words begins", factory=lambda: [1, 10, 100, 1000]
    )
    training_lines: int = setting(
        1_000_000,
        "lines of the training text, target side, in which words are counted; 0: count them in the references",
        at_least=0,
    )
    examples: int = setting(5, "most different sentences shown in either direction", at_least=0)
    comet: str | None = setting(
        None, 'score by this COMET model too, such as Unbabel/wmt22-comet-da; needs pip install "seq2seq[comet]"'
    )
    device: str = setting("auto", "where COMET runs: auto, cpu or cuda")
    output: list[str] = setting(help="also write the report to these files: .json, .md or .html", factory=list)

    def check(self) -> None:
        """Hold what can be seen before any work.

        Raises:
            ConfigError: fewer than two systems, groups out of order, or a file of another kind to write.
        """
        if len(self.systems) < 2:
            raise ConfigError(
                f"systems names {len(self.systems)} and a comparison needs two: systems=[runs/a,runs/b] (a pattern or "
                f"a folder of runs is one system of several seeds)"
            )
        if twice := [name for number, name in enumerate(self.systems) if name in self.systems[:number]]:
            raise ConfigError(f"systems names {twice[0]} twice: name something else to compare it with")
        for name, starts in (("lengths", self.lengths), ("rare", self.rare)):
            if any(start < 1 for start in starts) or sorted(set(starts)) != starts:
                raise ConfigError(f"{name} must rise from at least 1, got {starts}")
        for path in self.output:
            if Path(path).suffix not in ENDINGS:
                raise ConfigError(f"output must end in {', '.join(ENDINGS)}, got {path}")
