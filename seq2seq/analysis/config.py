"""Settings of recipes/microscope.py."""

from dataclasses import dataclass

from seq2seq.corpora.config import DataConfig, Split
from seq2seq.errors import ConfigError
from seq2seq.portable.normalization import is_blank
from seq2seq.settings import Settings, setting

ALTERNATIVES = 5
"""Other tokens reported at each step of a trace."""

POSITIONS = 8
"""Target positions of a batch whose loss is differentiated, evenly spaced: each costs a backward pass."""


@dataclass(kw_only=True)
class CorpusConfig:
    """How much of a corpus to analyse."""

    sentences: int = setting(200, "pairs to analyse, evenly spaced over the whole split", at_least=1)
    positions: int = setting(
        POSITIONS, "target positions per batch whose gradient is computed; 0 disables this", at_least=0
    )
    ablated: int = setting(24, "units to ablate, one at a time, most important first; 0 disables this", at_least=0)
    translated: int = setting(3, "ablated units for which BLEU is also measured", at_least=0)
    listed: int = setting(5, "units in each list", at_least=1)


@dataclass(kw_only=True)
class MicroscopeConfig(Settings):
    """Settings of recipes/microscope.py."""

    run: str = setting("runs/demo", "run folder with the model")
    ensemble: list[str] = setting(
        help="with text: more run folders with the same target vocabulary, to translate as an ensemble", factory=list
    )
    member: int = setting(0, "with text: the ensemble member to analyse; 0 is run", at_least=0)
    text: str | None = setting(None, "sentence to analyse; null analyses a corpus")
    target: str | None = setting(None, "with text: translation to analyse in place of a search")
    tag: str | None = setting(None, "with text: tag for a model trained with source tags, such as <2de>")
    beam_size: int | None = setting(
        None, "with text: beam size; 1 is greedy; null: use the run's search.beam_size", at_least=1
    )
    alternatives: int = setting(ALTERNATIVES, "with text: other tokens reported at each step", at_least=0)
    split: Split = setting(
        Split.test, "without text: train, validation or test split, of data if given, else of the run's corpus"
    )
    data: DataConfig = setting(factory=DataConfig)
    corpus: CorpusConfig = setting(factory=CorpusConfig)
    output: str | None = setting(
        None, "folder of the report, pictures and data; null: the run's folder name plus -microscope"
    )
    device: str = setting("auto", "auto, cpu or cuda")

    def check(self, is_language_model: bool) -> None:
        """Reject settings that would have no effect.

        Args:
            is_language_model: whether the run is a language model, which cannot translate.

        Raises:
            ConfigError: a setting needs a sentence, a corpus, a search or a translator that is not given; the sentence
                is blank.
        """
        if self.text is None:
            for name in ("target", "tag", "ensemble", "member", "beam_size"):
                if getattr(self, name):
                    raise ConfigError(f"{name}={getattr(self, name)} has no effect without a sentence: add text=…")
        elif is_blank(self.text):
            raise ConfigError("text is blank: give a sentence, or leave text out to analyse a corpus")
        elif self.target is not None and self.beam_size is not None:
            raise ConfigError(f"beam_size={self.beam_size} has no effect with target: leave one of the two out")
        elif (self.corpus, self.data, self.split) != (CorpusConfig(), DataConfig(), Split.test):
            raise ConfigError("corpus.*, data.* and split have no effect with text: leave them out, or leave text out")
        named = [name for name in ("target", "tag", "ensemble", "beam_size") if getattr(self, name)]
        if named and is_language_model:
            raise ConfigError(f"{named[0]} has no effect: {self.run} is a language model; leave {named[0]} out")
