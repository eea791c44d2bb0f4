"""Settings of recipes/laboratory.py: which figures, of which runs, and what each may vary."""

from dataclasses import dataclass
from enum import StrEnum

from seq2seq.corpora.config import DataConfig, Split
from seq2seq.errors import ConfigError
from seq2seq.settings import Settings, setting
from seq2seq.training.scheduled_sampling import Prediction


class Figure(StrEnum):
    """What can be drawn. The last three compare runs that differ in one choice, and train those that are missing."""

    contexts = "contexts"
    interpolation = "interpolation"
    lengths = "lengths"
    exposure = "exposure"
    attention = "attention"
    reversal = "reversal"
    width = "width"

    @property
    def trains(self) -> bool:
        """Whether it compares runs that may have to be trained."""
        return self in (Figure.attention, Figure.reversal, Figure.width)

    @property
    def translates(self) -> bool:
        """Whether it needs a test set."""
        return self not in (Figure.contexts, Figure.interpolation)


@dataclass(kw_only=True)
class ContextsConfig:
    """Figure contexts: which sentences are shown in two dimensions."""

    sentences: list[str] = setting(help="sentences of one panel; none: those of input, or a usual set", factory=list)
    input: str | None = setting(
        None, "text file, one sentence a line; blank lines part the panels; - is standard input"
    )


@dataclass(kw_only=True)
class InterpolationConfig:
    """Figure interpolation: between which sentences, in how many steps."""

    sentences: list[str] = setting(help="two sentences or more, a panel between each and the next", factory=list)
    steps: int = setting(11, "mixtures in each panel, both ends counted", at_least=2)


@dataclass(kw_only=True)
class LengthsConfig:
    """Figures lengths, attention and reversal: how source lengths are put together."""

    bins: int = setting(6, "ranges of source length, in words, with about as many sentences each", at_least=1)
    edges: list[int] = setting(help="instead the longest length of each range, such as [10,20,30]", factory=list)


@dataclass(kw_only=True)
class ExposureConfig(Settings):
    """Figure exposure: the loss by position."""

    prediction: Prediction = setting(
        Prediction.argmax, "what the free-running decoder reads of its own: argmax, the likeliest piece, or sample"
    )
    positions: int = setting(50, "target positions shown, from the first", at_least=1)
    sentences: int = setting(30, "positions that fewer sentences reach are left out", at_least=1)


@dataclass(kw_only=True)
class SweepConfig:
    """Figures attention, reversal and width: the runs that are trained."""

    updates: int | None = setting(
        None, "training.updates of every run that is compared; null: as the run that is named has them", at_least=1
    )
    widths: list[int] = setting(help="widths of the context vector", factory=lambda: [16, 32, 64, 128, 256, 512])
    decoder: bool = setting(False, "the decoder's size changes with the width, and not the encoder's alone")


DRAWN = {
    "contexts": (Figure.contexts,),
    "interpolation": (Figure.interpolation,),
    "lengths": (Figure.lengths, Figure.attention, Figure.reversal),
    "exposure": (Figure.exposure,),
    "sweep": (Figure.width, Figure.attention, Figure.reversal),
}
"""The figures that a section of the settings is for."""
SCORED = (Figure.lengths, Figure.attention, Figure.reversal, Figure.width)
TRANSLATED = (*SCORED, Figure.interpolation)


@dataclass(kw_only=True)
class LaboratoryConfig(Settings):
    """Settings of recipes/laboratory.py."""

    run: str = setting("runs/demo", "run folder with the model")
    runs: list[str] = setting(help="further run folders, to compare with it", factory=list)
    figures: list[Figure] = setting(
        help="contexts, interpolation, lengths, exposure; attention, reversal and width train further runs; "
        "none: all that train nothing and fit the run",
        factory=list,
    )
    output: str | None = setting(
        None, "folder of the figures and of the runs that are trained; null: the run's name with -laboratory behind it"
    )
    split: Split = setting(Split.test, "scored: train, validation or test, of the run's corpus or of data where named")
    data: DataConfig = setting(factory=DataConfig)
    beam_size: int | None = setting(
        None, "hypotheses kept; 1 is greedy; null: as the run's search.beam_size", at_least=1
    )
    bootstrap: int = setting(1000, "resamples behind the confidence intervals of scores", at_least=1)
    device: str = setting("auto", "auto, cpu or cuda")
    contexts: ContextsConfig = setting(factory=ContextsConfig)
    interpolation: InterpolationConfig = setting(factory=InterpolationConfig)
    lengths: LengthsConfig = setting(factory=LengthsConfig)
    exposure: ExposureConfig = setting(factory=ExposureConfig)
    sweep: SweepConfig = setting(factory=SweepConfig)

    def check(self) -> None:
        """Hold what one setting demands of another.

        Raises:
            ConfigError: sentences or ranges are named twice, sentences too few, or a list of numbers does not rise.
        """
        if self.contexts.sentences and self.contexts.input is not None:
            raise ConfigError("contexts.sentences and contexts.input both name sentences: keep one of the two")
        if self.lengths.edges and self.lengths.bins != LengthsConfig().bins:
            raise ConfigError("lengths.bins does nothing beside lengths.edges: keep one of the two")
        if len(self.interpolation.sentences) == 1:
            raise ConfigError("interpolation.sentences names one sentence: name the one to go to as well")
        for name, numbers in (("lengths.edges", self.lengths.edges), ("sweep.widths", self.sweep.widths)):
            if any(low >= high for low, high in zip([0, *numbers], numbers, strict=False)):
                raise ConfigError(f"{name}={numbers} must rise from 1 on, such as [10,20,30]")
        if Figure.width in self.figures and not self.sweep.widths:
            raise ConfigError("sweep.widths=[] leaves figure width without a point: name some, such as [32,128,512]")

    def chosen(self, attends: bool) -> list[Figure]:
        """What is drawn, each once: what is asked for, else all that train nothing and fit a run that ``attends``.

        Raises:
            ConfigError: a setting is named of figures that are not drawn.
        """
        usual = [Figure.contexts, Figure.interpolation, Figure.lengths, Figure.exposure]
        fitting = [figure for figure in usual if figure is not Figure.interpolation or not attends]
        figures = list(dict.fromkeys(self.figures or fitting))
        named = [(f"{name}.*", DRAWN[name]) for name in DRAWN if getattr(self, name) != type(getattr(self, name))()]
        if self.beam_size is not None:
            named.append((f"beam_size={self.beam_size}", TRANSLATED))
        if self.bootstrap != type(self)().bootstrap:
            named.append((f"bootstrap={self.bootstrap}", SCORED))
        for name, drawn in named:
            if not {*figures} & {*drawn}:
                raise ConfigError(
                    f"{name} does nothing in figures=[{','.join(figures)}]: leave it out, or add figure {drawn[0]}"
                )
        return figures
