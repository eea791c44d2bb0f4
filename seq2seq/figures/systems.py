"""Runs to draw figures of: the model, its name in a legend, and its test set."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from seq2seq.corpora.config import DataConfig, Split
from seq2seq.corpora.corpus import Corpus, Pair
from seq2seq.corpora.mixture import add_tag
from seq2seq.corpora.reading import read_split
from seq2seq.errors import ConfigError, DataError
from seq2seq.evaluation.evaluate import provenance, translate_all
from seq2seq.model import Network
from seq2seq.portable.normalization import is_blank
from seq2seq.run.files import run_text
from seq2seq.run.folder import RunFolder
from seq2seq.translation.translator import Translator


@dataclass(frozen=True)
class System:
    """A trained translator."""

    name: str
    """Name in legends and tables."""
    folder: Path
    translator: Translator
    tag: str | None
    """Source tag, the first word of every source sentence."""
    source_language: str = ""
    """Language code of the source."""

    @classmethod
    def load(cls, folder: Path, name: str, device: str, data: DataConfig) -> "System":
        """Load the best model of a run in float32. ``data.source_tag`` overrides the run's source tag.

        Raises:
            RunError: a file is missing, damaged or foreign.
            ConfigError: the run is a language model.
        """
        if RunFolder.open(folder).is_language_model:
            raise ConfigError(f"{folder} is a language model and has no encoder: give a translation model as run=PATH")
        own = RunFolder.open(folder).section("data", DataConfig)
        tag = own.source_tag if data.source_tag is None else data.source_tag
        return cls(name, folder, Translator.load(folder, device, "float32"), tag or None, own.source_language)

    @property
    def target_language(self) -> str:
        """Language code of the target."""
        return self.translator.members[0].target_language

    @property
    def network(self) -> Network:
        """The network."""
        return self.translator.members[0].network

    def add_tag(self, sentences: Sequence[str]) -> list[str]:
        """Return the sentences with the source tag."""
        return [add_tag(sentence, self.tag) for sentence in sentences]

    def encoded(self, sentences: Sequence[str]) -> list[list[int]]:
        """Return the token ids of the tagged sentences, without BOS and EOS.

        Raises:
            DataError: a sentence is blank.
        """
        if blank := [number for number, sentence in enumerate(sentences, 1) if is_blank(sentence)]:
            raise DataError(f"sentence {blank[0]} of {len(sentences)} is blank: leave it out")
        return self.translator.ensemble.encoded(self.add_tag(sentences))[0][0]


class SystemOutput(NamedTuple):
    """Translations of a test set."""

    texts: list[str]
    beam_size: int
    origin: dict[str, Any]
    """Hashes, version and settings behind the translations."""


def translate_pairs(system: System, pairs: Sequence[Pair], beam_size: int | None) -> SystemOutput:
    """Translate the sources of untagged pairs; ``beam_size`` None uses the run's ``search.beam_size``."""
    search = system.translator.search
    search = search.beam(search.beam_size if beam_size is None else beam_size)
    sources = system.add_tag([pair.source for pair in pairs])
    texts = [str(translation) for translation in translate_all(system.translator, sources, search)]
    origin = provenance(system.translator, [pair.target for pair in pairs])
    return SystemOutput(texts, search.beam_size, {**origin, "search": asdict(search)})


def legend_names(folders: Sequence[Path]) -> list[str]:
    """Return the folders' names; folders with equal names get their whole paths, joined by dashes."""
    paths = [folder.resolve() for folder in folders]
    names = [path.name for path in paths]
    return [
        "-".join(path.parts[1:]) if names.count(name) > 1 else name for path, name in zip(paths, names, strict=True)
    ]


def corpus_to_score(data: DataConfig, run: Path, split: Split) -> Corpus | None:
    """Read the untagged test text that ``data`` gives, else that of the run; None if there is no such split.

    Raises:
        ConfigError, DataError: the corpus cannot be read.
    """
    return read_split(replace(run_text(RunFolder.open(run), data, split), source_tag=None), split)


def pairs_to_score(corpus: Corpus | None, split: Split) -> list[Pair]:
    """Return the pairs of a test corpus without blank sides.

    Raises:
        ConfigError: there is no corpus.
        DataError: the corpus is empty.
    """
    if corpus is None:
        raise ConfigError(f"there is no {split} set: name one with data.{split}.source=… and .target=…")
    pairs = [pair for pair in corpus if not (is_blank(pair.source) or is_blank(pair.target))]
    if not pairs:
        raise DataError(f"{corpus.name} has no pairs: name another corpus with data.{split}.source=… and .target=…")
    return pairs
