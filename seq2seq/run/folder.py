"""The run folder: config.yaml, tokenizer*.model, model.safetensors, and what training leaves beside them.

The first three are a model: copy them and they translate elsewhere. Opening one runs no code from it.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from seq2seq.config.renamed import rename_settings
from seq2seq.errors import ConfigError, RunError
from seq2seq.inference.shortlist import MAX_TRANSLATIONS, Shortlist, ShortlistConfig
from seq2seq.model import ModelConfig, Network
from seq2seq.model.network import meta_network
from seq2seq.model.weights import dequantized, is_quantized, load_weights_of, set_weights
from seq2seq.search import SearchConfig
from seq2seq.settings import validate
from seq2seq.system.atomic import atomic_folder, atomic_write
from seq2seq.tokenizer.config import TokenizerConfig
from seq2seq.tokenizer.tokenizer import EOS, UNK, Tokenizers, load_tokenizers, save_tokenizers
from seq2seq.tokenizer.vocabulary_cache import cached_tokenizers

if TYPE_CHECKING:  # keeps pyarrow out of programs that only translate
    from seq2seq.corpora.corpus import Corpus
    from seq2seq.data.table import Encoded

CONFIG = "config.yaml"
MODEL = "model.safetensors"
SHORTLIST = "shortlist.safetensors"

TRAINING_ONLY = {
    "dropout",
    "dropout_shared_over_time",
    "recurrent_dropout",
    "word_dropout",
    "initialization",
    "initial_range",
    "embedding_range",
    "forget_bias",
}
"""Settings of the model that say how it learns: runs that differ in them alone compute the same function of weights."""

LONGEST_CONFIG = 1_000_000
"""Bytes; a run with every setting changed has some five thousand."""

DEEPEST_CONFIG = 20
"""Levels of lists and mappings in one another; a run has five."""

INTERPOLATION = "${"
"""How OmegaConf recognises a value to be looked up elsewhere, such as in the environment."""

Section = TypeVar("Section")


class PlainLoader(yaml.SafeLoader):
    """Reads YAML that stands for no more than is written there: a run's config.yaml has no aliases, no interpolations.

    Aliases make a few lines an object of any size ("a billion laughs") or one that holds itself. Interpolations do the
    same, and besides name what is not the run's, such as a password in the environment. What is nested deeply
    exhausts the stack of whoever walks over it.
    """

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """As any loader does, but for aliases, interpolations and what is nested too deeply."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it has aliases")
        if self.depth > DEEPEST_CONFIG:
            raise yaml.YAMLError(f"it is nested more than {DEEPEST_CONFIG} levels deep")
        self.depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        if isinstance(node, yaml.ScalarNode) and INTERPOLATION in node.value:
            raise yaml.YAMLError(f"it has interpolations ({INTERPOLATION}…)")
        return node


@dataclass(frozen=True)
class LoadedRun:
    """A trained model and what is needed to use it."""

    network: Network
    tokenizers: Tokenizers
    search: SearchConfig
    quantized: bool
    """The folder keeps its matrices in 8 bits."""
    target_language: str = ""
    """Code of the language that it writes; empty where the folder does not say."""


def read_config(folder: Path) -> dict[str, Any]:
    """The settings a run was made with, as plain values.

    Raises:
        RunError: there is no run in the folder, or its config.yaml is no YAML mapping.
    """
    return _read_config(folder)[0]


def _read_config(folder: Path) -> tuple[dict[str, Any], str]:
    """The settings of `read_config`, and the text that holds them."""
    path = folder / CONFIG
    if not os.path.isfile(path):  # where `Path.is_file` would raise for a name that no system takes
        raise RunError(f"{folder} is no run folder ({CONFIG} is missing): name one with run=PATH, or train one first")
    try:
        if path.stat().st_size > LONGEST_CONFIG:
            raise ValueError(f"it has more than {LONGEST_CONFIG:,} bytes")
        text = path.read_text(encoding="utf-8")
        values = yaml.load(text, PlainLoader)
    except (yaml.YAMLError, ValueError, RecursionError, OSError) as error:
        raise RunError(f"{path} is damaged ({' '.join(str(error).split())}): restore it or train anew") from None
    if not isinstance(values, dict):
        raise RunError(f"{path} is damaged (no settings in it): restore it or train anew")
    return rename_settings(values), text


def read_section(folder: Path, name: str, schema: type[Section]) -> Section:
    """One section of a run's settings, checked against its schema.

    Raises:
        RunError: the section is missing, has unknown fields or impossible values.
    """
    values = read_config(folder).get(name)
    try:
        if not isinstance(values, dict):
            raise ConfigError("it is missing" if values is None else "it is no mapping")
        section = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(schema), values))
        assert isinstance(section, schema)
        validate(section)
    except (ConfigError, OmegaConfBaseException, ValueError, TypeError, OverflowError) as error:
        raise _unusable(folder, name, error) from None
    return section


def _unusable(folder: Path, name: str, error: Exception) -> RunError:
    key = getattr(error, "full_key", None)
    reason = (f"{key}: " if key else "") + (str(error).splitlines() or [type(error).__name__])[0]
    return RunError(f"{folder / CONFIG}: section {name} is not usable ({reason}): restore it or train anew")


def prepare_tokenizers(
    folder: Path,
    config: TokenizerConfig,
    corpus: "Corpus",
    source_tags: Sequence[str] = (),
    start: Path | None = None,
    cache: Path | None = None,
) -> Tokenizers:
    """The run's tokenizers: those already in its folder, else those of the run ``start``, else trained or loaded.

    What is trained is trained on ``corpus``, whose sources have ``source_tags``, or found in the ``cache`` that runs
    share; what is not in the folder yet is kept there.
    """
    if not any((folder / f"tokenizer{side}.model").exists() for side in ("", ".source")):
        save_tokenizers(
            cached_tokenizers(config, corpus, source_tags, cache) if start is None else load_tokenizers(start), folder
        )
    return load_tokenizers(folder)


def is_language_model(folder: Path) -> bool:
    """Whether a run's model has no encoder.

    Raises:
        RunError: there is no run in the folder, or its settings are not usable.
    """
    return read_section(folder, "model", ModelConfig).encoder.layers == 0


def load_run(folder: Path) -> LoadedRun:
    """The best model of a run.

    Raises:
        RunError: a file is missing, damaged or does not belong to the others.
        DataError: a tokenizer model is damaged.
    """
    model = read_section(folder, "model", ModelConfig)
    tokenizers = load_tokenizers(folder)
    search = read_section(folder, "search", SearchConfig)
    sizes = tokenizers.source.size, tokenizers.target.size, tokenizers.joint
    try:
        shapes = meta_network(model, *sizes)  # which take no memory, whatever config.yaml says
    except (ConfigError, RuntimeError) as error:  # settings at odds with each other, or sizes beyond all numbers
        raise _unusable(folder, "model", error) from None
    weights = load_weights_of(shapes, folder / MODEL)
    network = Network(model, *sizes)
    set_weights(network, dequantized(weights, folder / MODEL), folder / MODEL)
    return LoadedRun(network.eval(), tokenizers, search, is_quantized(weights), target_language(folder))


def target_language(folder: Path) -> str:
    """Code of the language that a run's model writes; empty where its settings do not say.

    Raises:
        RunError: there is no run in the folder.
    """
    data = read_config(folder).get("data")
    language = data.get("target_language") if isinstance(data, dict) else None
    return language if isinstance(language, str) else ""


@contextmanager
def new_model(run: Path, loaded: LoadedRun, output: Path) -> Iterator[Path]:
    """A folder with all that makes a run's model but the weights, to write them into.

    It takes the name ``output`` at the end of the context; an error leaves nothing. It is meant to be handed on: only
    what was read as a model goes into it, and no file that a link in the run's folder names.

    Args:
        run: the run folder.
        loaded: what `load_run` read of it.
        output: where the folder is to be.

    Raises:
        RunError: there is such a folder already, none can be made, or the run's short-list is damaged.
    """
    if os.path.lexists(output):
        raise RunError(f"{output} cannot be made (File exists): choose another folder with output=PATH")
    with atomic_folder(output) as made:
        with atomic_write(made / CONFIG) as temporary:
            temporary.write_text(_read_config(run)[1], encoding="utf-8", newline="\n")
        save_tokenizers(loaded.tokenizers, made)
        if os.path.lexists(run / SHORTLIST):
            load_shortlist(run, loaded.tokenizers).save(made / SHORTLIST)
        yield made


def learn_shortlist(folder: Path, config: ShortlistConfig, table: "Encoded", tokenizers: Tokenizers, seed: int) -> None:
    """Learn the run's short-list from its training pairs and keep it in the folder."""
    source, target = tokenizers
    shortlist = Shortlist.learn(table, source.size, target.size, config, seed, eos=EOS, unk=UNK)
    shortlist.save(folder / SHORTLIST)


def load_shortlist(folder: Path, tokenizers: Tokenizers) -> Shortlist:
    """The run's short-list.

    Raises:
        RunError: it is missing, damaged or of another run.
    """
    asked = read_section(folder, "shortlist", ShortlistConfig) if "shortlist" in read_config(folder) else None
    longest = MAX_TRANSLATIONS if asked is None else max(MAX_TRANSLATIONS, asked.translations)
    return Shortlist.load(folder / SHORTLIST, tokenizers.source.size, tokenizers.target.size, longest)
