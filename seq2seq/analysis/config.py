"""Settings of recipes/microscope.py: which sentence, or which corpus, and how closely."""

from dataclasses import dataclass

from seq2seq.analysis.gradients import POSITIONS
from seq2seq.analysis.tracing import RUNNERS_UP
from seq2seq.corpora.config import DataConfig, Split
from seq2seq.errors import ConfigError
from seq2seq.settings import Settings, setting


@dataclass(kw_only=True)
class CorpusConfig:
    """How much of a corpus is looked at."""

    sentences: int = setting(200, "pairs looked at, evenly from the whole split", at_least=1)
    positions: int = setting(
        POSITIONS, "target positions of each batch whose gradient is followed back; 0: none", at_least=0
    )
    silenced: int = setting(24, "units silenced one by one, those that seem to matter most; 0: none", at_least=0)
    translated: int = setting(3, "of these, how many are silenced while the pairs are translated (BLEU)", at_least=0)
    listed: int = setting(5, "units named in each list", at_least=1)


@dataclass(kw_only=True)
class MicroscopeConfig(Settings):
    """Settings of recipes/microscope.py."""

    run: str = setting("runs/demo", "run folder with the model")
    ensemble: list[str] = setting(
        help="with text: further run folders of the same target vocabulary, which translate together", factory=list
    )
    member: int = setting(0, "with text: which of them is looked into; 0: that of run", at_least=0)
    text: str | None = setting(None, "a sentence to look into; null: a corpus")
    target: str | None = setting(None, "with text: a translation to look at instead of searching for one")
    tag: str | None = setting(None, "with text: first word for a model that was trained with tags, such as <2de>")
    beam_size: int | None = setting(
        None, "with text: hypotheses kept; 1 is greedy; null: as the run's search.beam_size", at_least=1
    )
    runners_up: int = setting(RUNNERS_UP, "with text: other pieces told of at each step", at_least=0)
    split: Split = setting(
        Split.test, "without text: train, validation or test, of the run's corpus or of data where that is named"
    )
    data: DataConfig = setting(factory=DataConfig)
    corpus: CorpusConfig = setting(factory=CorpusConfig)
    output: str | None = setting(
        None, "folder of the report, its pictures and its data; null: the run's name with -microscope behind it"
    )
    device: str = setting("auto", "auto, cpu or cuda")

    def check(self, predicts: bool) -> None:
        """Hold that no setting does nothing.

        Args:
            predicts: the run is a language model, which translates nothing.

        Raises:
            ConfigError: a setting belongs to a sentence, a corpus, a search or a translator, and there is none; the
                sentence is blank.
        """
        if self.text is None:
            for name in ("target", "tag", "ensemble", "member", "beam_size"):
                if getattr(self, name):
                    raise ConfigError(f"{name}={getattr(self, name)} belongs to a sentence: give one with text=…")
        elif not self.text.strip():
            raise ConfigError("text is blank: give a sentence, or leave text out to look at a corpus")
        elif self.target is not None and self.beam_size is not None:
            raise ConfigError(f"beam_size={self.beam_size} searches nothing where target is given: leave one out")
        elif (self.corpus, self.data, self.split) != (CorpusConfig(), DataConfig(), Split.test):
            raise ConfigError(
                "corpus.*, data.* and split say which corpus is looked at, and how: leave them out, or text"
            )
        named = [name for name in ("target", "tag", "ensemble", "beam_size") if getattr(self, name)]
        if named and predicts:
            raise ConfigError(f"run={self.run} is a language model and translates nothing: leave {named[0]} out")
