"""The settings of the recipes that translate, score and suggest."""

from dataclasses import dataclass
from enum import StrEnum

from seq2seq.corpora.config import FileFormat
from seq2seq.errors import ConfigError, program
from seq2seq.inference.config import InferencePrecision
from seq2seq.search import LANGUAGE_MODEL_WEIGHT, SearchConfig, SearchOverrides
from seq2seq.settings import Settings, setting

GLOSSARY = "glossary file, one term, tab and translation per line: these translations are forced"
ENCODING = "encoding of the text if it is not UTF-8, such as cp1252, cp1251, utf-16 or shift_jis"
COPY = "copy by attention: unknown (<unk> becomes a source word), numbers, all or none"


class Copy(StrEnum):
    """Kinds of source text that are copied by attention."""

    none = "none"
    unknown = "unknown"
    """Replace ``<unk>`` by the source word with most attention (Luong et al. 2015, "Addressing the rare word problem",
    §3)."""
    numbers = "numbers"
    """Replace a number that is not in the source by the missing source number with most attention."""
    all = "all"


class OnError(StrEnum):
    """What to do with a line of standard input that is too long to be text."""

    skip = "skip"
    """Translate it as a blank line, and report at the end how many there were."""
    stop = "stop"
    """Translate the lines before it, and end with an error."""


@dataclass(kw_only=True)
class RunConfig(Settings):
    """A model and how it runs."""

    run: str = setting("runs/demo", "run folder of the model, or hf://USER/NAME")
    device: str = setting("auto", "auto, cpu or cuda")
    precision: InferencePrecision = setting(
        InferencePrecision.auto, "float32, tf32 (GPUs), bfloat16, int8, or auto: the run's precision"
    )


@dataclass(kw_only=True)
class EnsembleConfig(RunConfig):
    """One or several models."""

    ensemble: list[str] = setting(
        help="further run folders with the same target vocabulary: ensemble decoding", factory=list
    )


@dataclass(kw_only=True)
class TranslatorConfig(EnsembleConfig):
    """One or several models, with shallow fusion and a lexical shortlist."""

    language_model: str | None = setting(
        None, "run folder of a language model with the same target vocabulary, for shallow fusion"
    )
    language_model_weight: float = setting(
        LANGUAGE_MODEL_WEIGHT, "weight of the language model's log-probabilities", at_least=0
    )
    shortlist: bool = setting(
        False, "lexical shortlist: score only tokens that the training data pairs with the source"
    )


@dataclass(kw_only=True)
class OverridesConfig(Settings):
    """Overrides of the run's search settings."""

    beam_size: int | None = setting(
        None, "hypotheses kept; 1 is greedy; null: use the run's search.beam_size", at_least=1, at_most=10_000
    )
    search: SearchOverrides = setting(factory=SearchOverrides)

    def search_config(self, search: SearchConfig) -> SearchConfig:
        """Return the run's search settings with the command's overrides.

        Raises:
            ConfigError: the short and the long form of a setting contradict each other.
        """
        return self.search.with_short_names(self.beam_size).apply_to(search)


@dataclass(kw_only=True)
class TranslateConfig(OverridesConfig, TranslatorConfig):
    """Settings of recipes/translate.py."""

    input: str = setting(
        "-",
        "text file, one sentence per line, or CSV, TSV, XLSX, PO, XLIFF, TMX; - is standard input, lines of text",
    )
    encoding: str | None = setting(None, ENCODING)
    output: str = setting(
        "-", "output file: one translation per line, or the input with translations; - is standard output"
    )
    format: FileFormat | None = setting(
        None, "format of the input if neither content nor name show it: lines, table, xlsx, po, xliff or tmx"
    )
    source_language: str | None = setting(None, "language of the input in CSV, XLSX, PO, XLIFF, TMX; null: the run's")
    target_language: str | None = setting(None, "language of the translations there; null: the run's")
    source_column: str | None = setting(None, "column to translate of CSV, TSV or XLSX: a number or a title")
    target_column: str | None = setting(
        None, "column of the translations: a number or a title; its blank cells are filled; null: a new one"
    )
    tag: str | None = setting(None, "first word of each line, for a model that was trained with tags, such as <2de>")
    n_best: int | None = setting(None, "translations per sentence; null: use the run's search.n_best", at_least=1)
    prefix: str | None = setting(None, "prefix of every translation; it may end within a word")
    prefixes: str | None = setting(None, "text file with the prefix of each line's translation; blank for none")
    phrases: list[str] = setting(help="words or phrases that every translation contains", factory=list)
    glossary: str | None = setting(None, GLOSSARY)
    copy: Copy = setting(Copy.none, COPY)
    errors: OnError = setting(
        OnError.skip, "lines of over a million bytes on standard input: skip (blank translation) or stop"
    )
    stream: bool = setting(False, "show each translation token by token while it is searched")
    json: bool = setting(False, "write JSON lines with scores and all n-best translations")

    def search_config(self, search: SearchConfig) -> SearchConfig:
        """Return the run's search settings with the command's overrides.

        Raises:
            ConfigError: the short and the long form of a setting contradict each other.
        """
        return self.search.with_short_names(self.beam_size, self.n_best).apply_to(search)

    def check(self) -> None:
        """Check settings against each other.

        Raises:
            ConfigError: two settings exclude each other.
        """
        if self.prefix is not None and self.prefixes is not None:
            raise ConfigError("prefix applies to all lines and prefixes to each: leave one out")
        n_best = (self.n_best or self.search.n_best or 1) > 1
        others = {
            "json": self.json,
            "phrases": bool(self.phrases),
            "glossary": self.glossary is not None,
            "copy": self.copy is not Copy.none,
            "n_best": n_best,
        }
        for name, used in others.items():
            if self.stream and used:
                raise ConfigError(f"stream=true shows a single translation as plain text: leave {name} out")
        if n_best and not self.json:
            raise ConfigError("n_best translations are written as JSON only: set json=true, or leave n_best out")


@dataclass(kw_only=True)
class DocumentConfig(TranslatorConfig):
    """Settings of recipes/document.py."""

    input: str = setting("-", "text file, compressed or not; - is standard input")
    encoding: str | None = setting(None, ENCODING)
    output: str = setting("-", "output file; - is standard output")
    wrapped: bool = setting(False, "lines are wrapped to a width: a sentence may continue on the next line")
    tag: str | None = setting(None, "first word of each sentence, for a model that was trained with tags")
    search: SearchOverrides = setting(factory=SearchOverrides)
    glossary: str | None = setting(None, GLOSSARY)
    copy: Copy = setting(Copy.none, COPY)

    def check(self) -> None:
        """Check that a single translation is requested.

        Raises:
            ConfigError: ``search.n_best`` is above 1.
        """
        if (self.search.n_best or 1) > 1:
            raise ConfigError(f"a document has one translation: leave search.n_best out, or use {program('translate')}")


@dataclass(kw_only=True)
class ScoreConfig(TranslatorConfig):
    """Settings of recipes/score.py."""

    source: str | None = setting(None, "text file, one sentence per line, compressed or not")
    target: str | None = setting(None, "text file with the translation of each source line, compressed or not")
    encoding: str | None = setting(None, ENCODING)
    output: str = setting("-", "output file, one log-probability per pair; - is standard output")
    tag: str | None = setting(None, "first word of each source, for a model that was trained with tags")
    json: bool = setting(False, "write JSON lines with scores and the log-probability of every token")

    def check(self) -> None:
        """Refuse a shortlist, which scores ignore.

        Raises:
            ConfigError: there is one.
        """
        if self.shortlist:
            raise ConfigError("shortlist=true does nothing here, where translations may have any token: leave it out")


@dataclass(kw_only=True)
class SuggestConfig:
    """Settings of recipes/suggest.py."""

    run: str = setting("runs/lm", "run folder of a language model or, with source, of a translator")
    source: str | None = setting(None, "sentence whose translation is completed")
    prefix: str | None = setting(None, "start of a sentence; white space at its end starts a new word")
    input: str = setting("-", "without prefix: text file, one prefix per line, .gz accepted; - is standard input")
    count: int = setting(5, "words per prefix", at_least=1)
    json: bool = setting(False, "write JSON lines")
    device: str = setting("auto", "auto, cpu or cuda")
