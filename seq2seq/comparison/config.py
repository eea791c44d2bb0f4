"""Settings of recipes/compare.py."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from seq2seq.corpora.config import DataConfig, Split
from seq2seq.errors import ConfigError, counted
from seq2seq.settings import Settings, setting

ENDINGS = (".json", ".md", ".html")
"""File name endings of report formats."""


class Searched(StrEnum):
    """The saved translations of a run to compare: greedy search or the search method of the run."""

    beam = "beam"
    greedy = "greedy"
    diverse_beam = "diverse_beam"
    sampling = "sampling"
    minimum_bayes_risk = "minimum_bayes_risk"


class SentenceMetric(StrEnum):
    """The metric of single sentences."""

    chrf = "chrf"
    bleu = "bleu"


@dataclass(kw_only=True)
class CompareConfig(Settings):
    """Settings of recipes/compare.py."""

    systems: list[str] = setting(
        help="two or more: run folders scored by evaluate.py, text files of translations, or folders and "
        "patterns that match several seeds of one system; the first is the baseline",
        factory=list,
    )
    split: Split = setting(
        Split.test, "train, validation or test split of data, or of the first run's corpus if data is not set"
    )
    data: DataConfig = setting(factory=DataConfig)
    entry: str | None = setting(
        None, "entry of each run's scores.json, such as test.ensemble; null: the entry of split"
    )
    translations: Searched = setting(
        Searched.beam, "saved translations of a run: greedy, or its search.method, such as beam"
    )
    lowercase: bool = setting(False, "ignore case in BLEU and chrF")
    bootstrap: int = setting(1000, "resamples for intervals and the paired bootstrap test", at_least=1)
    randomization: int = setting(10000, "trials of the approximate randomization test; 0: no test", at_least=0)
    sentence_metric: SentenceMetric = setting(
        SentenceMetric.chrf, "metric that decides which system wins a sentence: chrf or bleu"
    )
    lengths: list[int] = setting(
        help="start of each group of lengths, in words of the reference (characters in languages without spaces)",
        factory=lambda: [10, 20, 30, 50],
    )
    rare: list[int] = setting(help="start of each group of word frequencies", factory=lambda: [1, 10, 100, 1000])
    training_lines: int = setting(
        1_000_000,
        "lines of training text (target side) in which words are counted; 0: count in the references",
        at_least=0,
    )
    examples: int = setting(5, "example sentences for each direction of difference", at_least=0)
    comet: str | None = setting(
        None, "also score with this COMET model, such as Unbabel/wmt22-comet-da; needs the extra comet"
    )
    device: str = setting("auto", "device for COMET: auto, cpu or cuda")
    output: list[str] = setting(help="also write the report to these files: .json, .md or .html", factory=list)

    def check(self) -> None:
        """Check the settings before any work.

        Raises:
            ConfigError: fewer than two systems, groups out of order, or an unknown output format.
        """
        if len(self.systems) < 2:
            raise ConfigError(
                f"systems has {counted(len(self.systems), 'entry', 'entries')}, a comparison needs two: "
                "systems=[runs/a,runs/b] (a pattern or a folder of runs is one system with several seeds)"
            )
        if repeated := [name for number, name in enumerate(self.systems) if name in self.systems[:number]]:
            raise ConfigError(f"systems has {repeated[0]} twice: name another system to compare it with")
        for name, starts in (("lengths", self.lengths), ("rare", self.rare)):
            if any(start < 1 for start in starts) or sorted(set(starts)) != starts:
                raise ConfigError(f"{name} must rise from at least 1, got {starts}")
        for path in self.output:
            if Path(path).suffix not in ENDINGS:
                raise ConfigError(f"output must end in {', '.join(ENDINGS)}, got {path}")
