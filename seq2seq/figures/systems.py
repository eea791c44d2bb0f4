"""A run as the laboratory looks at it: its model, what to call it, and the text it is tested on."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from seq2seq.corpora.config import DataConfig, Split
from seq2seq.corpora.corpus import Corpus, Pair
from seq2seq.corpora.mixture import add_tag
from seq2seq.corpora.reading import read_split, text_for_run
from seq2seq.errors import ConfigError, DataError
from seq2seq.evaluation.evaluate import provenance, translate_all
from seq2seq.model import Network
from seq2seq.run.folder import RunFolder
from seq2seq.translation.translator import Translator


@dataclass(frozen=True)
class System:
    """A trained translator."""

    name: str
    """What to call it in a legend."""
    folder: Path
    translator: Translator
    tag: str | None
    """First word of every source it reads."""
    source_language: str = ""
    """Code of the language that it reads."""

    @classmethod
    def load(cls, folder: Path, name: str, device: str, asked: DataConfig) -> "System":
        """The best model of a run folder, in float32; it reads the run's source tag, unless another is ``asked`` for.

        Raises:
            RunError: a file is missing, damaged or foreign.
            ConfigError: the run is a language model, which has no context.
        """
        if RunFolder.open(folder).is_language_model:
            raise ConfigError(
                f"{folder} is a language model, which has no encoder and so no context: name a translator with run=PATH"
            )
        own = RunFolder.open(folder).section("data", DataConfig)
        tag = own.source_tag if asked.source_tag is None else asked.source_tag
        return cls(name, folder, Translator.load(folder, device, "float32"), tag or None, own.source_language)

    @property
    def target_language(self) -> str:
        """Code of the language that it writes."""
        return self.translator.members[0].target_language

    @property
    def network(self) -> Network:
        """Its network."""
        return self.translator.members[0].network

    def tagged(self, sentences: Sequence[str]) -> list[str]:
        """The sentences as the model has learnt to read them."""
        return [add_tag(sentence, self.tag) for sentence in sentences]

    def encoded(self, sentences: Sequence[str]) -> list[list[int]]:
        """Piece ids of sentences, the tag before each, without marks.

        Raises:
            DataError: a sentence is blank.
        """
        if blank := [number for number, sentence in enumerate(sentences, 1) if not sentence.strip()]:
            raise DataError(f"sentence {blank[0]} of {len(sentences)} is blank: leave it out")
        return self.translator.members[0].tokenizers.source.encode_all(self.tagged(sentences))


class Translated(NamedTuple):
    """A test set as a system translates it."""

    texts: list[str]
    beam_size: int
    origin: dict[str, Any]
    """What translated, and how: hashes, version, settings."""


def translated(system: System, pairs: Sequence[Pair], beam_size: int | None) -> Translated:
    """Translate the sources of pairs that have no tags; ``beam_size`` None: as the run's ``search.beam_size``."""
    search = system.translator.search
    search = search.beam(search.beam_size if beam_size is None else beam_size)
    sources = system.tagged([pair.source for pair in pairs])
    texts = [str(translation) for translation in translate_all(system.translator, sources, search)]
    origin = provenance(system.translator, [pair.target for pair in pairs])
    return Translated(texts, search.beam_size, {**origin, "search": asdict(search)})


def names(folders: Sequence[Path]) -> list[str]:
    """What to call runs: the last part of their paths, or all parts, with dashes, where two of those are alike."""
    paths = [folder.resolve() for folder in folders]
    short = [path.name for path in paths]
    return [
        "-".join(path.parts[1:]) if short.count(name) > 1 else name for path, name in zip(paths, short, strict=True)
    ]


def corpus_for(asked: DataConfig, run: Path, split: Split) -> Corpus | None:
    """The text to test on, without tags: what is asked for, else the run's own; None where there is no test split.

    Raises:
        ConfigError, DataError: it cannot be read.
    """
    data = text_for_run(asked, RunFolder.open(run).section("data", DataConfig), split)
    return read_split(replace(data, source_tag=None), split)


def pairs_of(corpus: Corpus | None, split: Split) -> list[Pair]:
    """The pairs of a test set whose sides are not blank.

    Raises:
        ConfigError: there is none.
        DataError: it is empty.
    """
    if corpus is None:
        raise ConfigError(f"there is no {split} set: name one with data.{split}.source=… and .target=…")
    pairs = [pair for pair in corpus if pair.source.strip() and pair.target.strip()]
    if not pairs:
        raise DataError(f"{corpus.name} has no pairs: name another with data.{split}.source=… and .target=…")
    return pairs
