"""The settings of the recipes that translate, score and suggest."""

from dataclasses import dataclass

from seq2seq.errors import ConfigError
from seq2seq.inference import InferencePrecision
from seq2seq.search import LANGUAGE_MODEL_WEIGHT, SearchOverrides, SearchConfig
from seq2seq.settings import Settings, setting
from seq2seq.translation.types import Copy


@dataclass(kw_only=True)
class TranslatorConfig(Settings):
    """What translates."""

    run: str = setting("runs/demo", "run folder with the model")
    ensemble: list[str] = setting(
        help="further run folders of the same target vocabulary: all choose each piece together", factory=list
    )
    language_model: str | None = setting(
        None, "run folder of a language model of the same target vocabulary that has a say (shallow fusion)"
    )
    language_model_weight: float = setting(LANGUAGE_MODEL_WEIGHT, "what its log-probabilities count", at_least=0)
    device: str = setting("auto", "auto, cpu or cuda")
    precision: InferencePrecision = setting(
        InferencePrecision.auto, "float32, tf32 (of GPUs), bfloat16, int8, or auto: as the run's"
    )
    shortlist: bool = setting(False, "score only pieces that can translate the source, going by the training data")


@dataclass(kw_only=True)
class TranslateConfig(TranslatorConfig):
    """Settings of recipes/translate.py."""

    input: str = setting("-", "text file, one sentence a line; .gz accepted; - is standard input")
    output: str = setting("-", "where translations go, one line for each line in; - is standard output")
    tag: str | None = setting(None, "first word of each line, for a model that was trained with tags, such as <2de>")
    beam_size: int | None = setting(
        None, "hypotheses kept; 1 is greedy; null: as the run's search.beam_size", at_least=1
    )
    n_best: int | None = setting(None, "translations per sentence; null: as the run's search.n_best", at_least=1)
    search: SearchOverrides = setting(factory=SearchOverrides)
    prefix: str | None = setting(None, "how each translation begins; it may end within a word")
    prefixes: str | None = setting(None, "text file with such a beginning for each line of the input, blank for none")
    phrases: list[str] = setting(help="words or phrases that each translation contains", factory=list)
    glossary: str | None = setting(
        None, "file of terms, tabs and their translations: where a term is in a line, its translation is forced"
    )
    copy: Copy = setting(Copy.none, "by attention: unknown (<unk> becomes a source word), numbers, all, or none")
    stream: bool = setting(False, "show each translation piece by piece as it grows, a sentence at a time")
    json: bool = setting(False, "write JSON lines with scores and all n-best translations")

    def search_config(self, search: SearchConfig) -> SearchConfig:
        """The run's search settings with what the command changes.

        Raises:
            ConfigError: the short names of two settings contradict them.
        """
        return self.search.with_short_names(self.beam_size, self.n_best).apply_to(search)

    def check(self) -> None:
        """Hold what one setting demands of another.

        Raises:
            ConfigError: names two that cannot be together.
        """
        if self.prefix is not None and self.prefixes is not None:
            raise ConfigError("prefix is for all lines and prefixes for each: leave one out")
        others = {
            "json": self.json,
            "phrases": bool(self.phrases),
            "glossary": self.glossary is not None,
            "copy": self.copy is not Copy.none,
            "n_best": (self.n_best or self.search.n_best or 1) > 1,
        }
        for name, asked in others.items():
            if self.stream and asked:
                raise ConfigError(f"stream=true shows one translation while it grows: leave {name} out")
        if others["n_best"] and not self.json:
            raise ConfigError("n_best translations are written as JSON alone: set json=true, or leave n_best out")


@dataclass(kw_only=True)
class DocumentConfig(TranslatorConfig):
    """Settings of recipes/document.py."""

    input: str = setting("-", "a text file as it is, .gz accepted; - is standard input")
    output: str = setting("-", "where the translation goes; - is standard output")
    wrapped: bool = setting(False, "lines were broken to a width: a sentence may go on in the next")
    tag: str | None = setting(None, "first word of each sentence, for a model that was trained with tags")
    search: SearchOverrides = setting(factory=SearchOverrides)
    glossary: str | None = setting(
        None, "file of terms, tabs and their translations: where a term is in a sentence, its translation is forced"
    )
    copy: Copy = setting(Copy.none, "by attention: unknown (<unk> becomes a source word), numbers, all, or none")

    def check(self) -> None:
        """Hold that a document has one translation.

        Raises:
            ConfigError: more are asked for.
        """
        if (self.search.n_best or 1) > 1:
            raise ConfigError("a document has one translation: leave search.n_best out, or use recipes/translate.py")


@dataclass(kw_only=True)
class ScoreConfig(TranslatorConfig):
    """Settings of recipes/score.py."""

    source: str | None = setting(None, "text file, one sentence a line; .gz accepted")
    target: str | None = setting(None, "text file with a translation of each; .gz accepted")
    output: str = setting("-", "where log-probabilities go, one line for each pair; - is standard output")
    tag: str | None = setting(None, "first word of each source, for a model that was trained with tags")
    json: bool = setting(False, "write JSON lines with scores and the log-probability of every piece")


@dataclass(kw_only=True)
class SuggestConfig:
    """Settings of recipes/suggest.py."""

    run: str = setting("runs/lm", "run folder of a language model, or with source of a translator")
    source: str | None = setting(None, "a sentence, the words of whose translation are suggested")
    prefix: str | None = setting(None, "beginning of a sentence; white space at its end asks for a new word")
    input: str = setting("-", "without prefix: text file, a beginning a line; .gz accepted; - is standard input")
    count: int = setting(5, "words for each", at_least=1)
    json: bool = setting(False, "write JSON lines")
    device: str = setting("auto", "auto, cpu or cuda")
