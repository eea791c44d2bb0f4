"""Settings of recipes/laboratory.py."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from seq2seq.corpora.config import DataConfig, Split
from seq2seq.errors import ConfigError
from seq2seq.settings import Settings, setting
from seq2seq.training.config import Prediction


class Figure(StrEnum):
    """The figures. The last three compare runs that differ in one choice, and train those that are missing."""

    contexts = "contexts"
    interpolation = "interpolation"
    lengths = "lengths"
    exposure = "exposure"
    attention = "attention"
    reversal = "reversal"
    width = "width"

    @property
    def trains(self) -> bool:
        """Whether the figure compares runs that may have to be trained."""
        return self in (Figure.attention, Figure.reversal, Figure.width)

    @property
    def needs_pairs(self) -> bool:
        """Whether the figure needs a test set."""
        return self not in (Figure.contexts, Figure.interpolation)


@dataclass(kw_only=True)
class ContextsConfig:
    """Figure contexts: the sentences to project."""

    sentences: list[str] = setting(
        help="sentences of one panel; none: the sentences of input, or a default set", factory=list
    )
    input: str | None = setting(
        None, "text file with one sentence per line; blank lines separate panels; - is standard input"
    )


@dataclass(kw_only=True)
class InterpolationConfig:
    """Figure interpolation: the sentences to interpolate between."""

    sentences: list[str] = setting(
        help="two or more sentences; each panel interpolates between one and the next", factory=list
    )
    steps: int = setting(11, "points in each panel, including both ends", at_least=2)


@dataclass(kw_only=True)
class LengthsConfig:
    """Figures lengths, attention and reversal: the ranges of source length."""

    bins: int = setting(6, "ranges of source length in words, with about equally many sentences", at_least=1)
    edges: list[int] = setting(
        help="in place of bins: the longest length of each range, such as [10,20,30]", factory=list
    )


@dataclass(kw_only=True)
class ExposureConfig(Settings):
    """Figure exposure: the loss by target position."""

    prediction: Prediction = setting(
        Prediction.argmax, "the token that the free-running decoder reads next: argmax or sample"
    )
    positions: int = setting(50, "target positions to show, from the first", at_least=1)
    sentences: int = setting(30, "hide positions that fewer sentences reach", at_least=1)


@dataclass(kw_only=True)
class SweepConfig:
    """Figures attention, reversal and width: the runs to train."""

    updates: int | None = setting(
        None, "training.updates of every compared run; null: use the value of run", at_least=1
    )
    widths: list[int] = setting(help="widths of the context vector", factory=lambda: [16, 32, 64, 128, 256, 512])
    decoder: bool = setting(False, "scale the decoder's size with the width too, not only the encoder's")


FIGURES_BY_SECTION = {
    "contexts": (Figure.contexts,),
    "interpolation": (Figure.interpolation,),
    "lengths": (Figure.lengths, Figure.attention, Figure.reversal),
    "exposure": (Figure.exposure,),
    "sweep": (Figure.width, Figure.attention, Figure.reversal),
}
"""The figures that each section of the settings affects."""
SCORED = (Figure.lengths, Figure.attention, Figure.reversal, Figure.width)
TRANSLATED = (*SCORED, Figure.interpolation)


@dataclass(kw_only=True)
class LaboratoryConfig(Settings):
    """Settings of recipes/laboratory.py."""

    run: str = setting("runs/demo", "run folder with the model")
    runs: list[str] = setting(help="more run folders, to compare with run", factory=list)
    figures: list[Figure] = setting(
        help="contexts, interpolation, lengths, exposure, attention, reversal, width (the last three train more runs); "
        "none: all that need no training and fit the run",
        factory=list,
    )
    output: str | None = setting(
        None, "folder of the figures and of the trained runs; null: the run's folder name plus -laboratory"
    )
    split: Split = setting(
        Split.test, "train, validation or test split to score, of data if given, else of the run's corpus"
    )
    data: DataConfig = setting(factory=DataConfig)
    beam_size: int | None = setting(None, "beam size; 1 is greedy; null: use the run's search.beam_size", at_least=1)
    bootstrap: int = setting(1000, "bootstrap resamples for the confidence intervals of scores", at_least=1)
    device: str = setting("auto", "auto, cpu or cuda")
    contexts: ContextsConfig = setting(factory=ContextsConfig)
    interpolation: InterpolationConfig = setting(factory=InterpolationConfig)
    lengths: LengthsConfig = setting(factory=LengthsConfig)
    exposure: ExposureConfig = setting(factory=ExposureConfig)
    sweep: SweepConfig = setting(factory=SweepConfig)

    def check(self) -> None:
        """Check settings that depend on one another.

        Raises:
            ConfigError: sentences or ranges are given twice, there are too few sentences, or a list of numbers does not
                increase.
        """
        if self.contexts.sentences and self.contexts.input is not None:
            raise ConfigError("contexts.sentences and contexts.input both give sentences: leave one of the two out")
        if self.lengths.edges and self.lengths.bins != LengthsConfig().bins:
            raise ConfigError("lengths.bins has no effect with lengths.edges: leave one of the two out")
        if len(self.interpolation.sentences) == 1:
            raise ConfigError("interpolation.sentences has only one sentence: give at least two")
        for name, numbers in (("lengths.edges", self.lengths.edges), ("sweep.widths", self.sweep.widths)):
            if any(low >= high for low, high in zip([0, *numbers], numbers, strict=False)):
                raise ConfigError(f"{name}={numbers} must be positive and increase, such as [10,20,30]")
        if Figure.width in self.figures and not self.sweep.widths:
            raise ConfigError("sweep.widths=[] is empty: figure width needs some, such as [32,128,512]")

    def selected(self, attends: bool) -> list[Figure]:
        """Return the figures to draw, each once: ``figures``, or all that need no training and fit the run.

        Args:
            attends: whether the run's model has attention; if so, figure interpolation does not fit.
        """
        default = [Figure.contexts, Figure.interpolation, Figure.lengths, Figure.exposure]
        fitting = [figure for figure in default if figure is not Figure.interpolation or not attends]
        return list(dict.fromkeys(self.figures or fitting))

    def check_used(self, figures: Sequence[Figure]) -> None:
        """Check that every changed setting affects one of the figures to draw.

        Raises:
            ConfigError: a setting has no effect.
        """
        changed = [
            (f"{section}.*", affected)
            for section, affected in FIGURES_BY_SECTION.items()
            if getattr(self, section) != type(getattr(self, section))()
        ]
        if self.beam_size is not None:
            changed.append((f"beam_size={self.beam_size}", TRANSLATED))
        if self.bootstrap != type(self)().bootstrap:
            changed.append((f"bootstrap={self.bootstrap}", SCORED))
        for name, affected in changed:
            if not {*figures} & {*affected}:
                raise ConfigError(
                    f"{name} has no effect with figures=[{','.join(figures)}]: leave it out, or "
                    f"add figure {affected[0]}"
                )
