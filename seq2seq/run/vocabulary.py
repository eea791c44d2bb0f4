"""What training adds to a run folder before and after the network: its vocabularies, and the lexical shortlist."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq.data.ibm_model1 import Bitext, Lexicon
from seq2seq.errors import ConfigError
from seq2seq.inference.config import ShortlistConfig
from seq2seq.inference.shortlist import Shortlist
from seq2seq.run.folder import SHORTLIST, RunFolder
from seq2seq.run.metadata import tokenizer_hashes
from seq2seq.system.hub import is_model_folder, local_folder
from seq2seq.tokenizer.config import TokenizerConfig
from seq2seq.tokenizer.tokenizer import EOS, UNK, Tokenizers, has_tokenizers, load_tokenizers, save_tokenizers
from seq2seq.tokenizer.vocabulary import cached_tokenizers

if TYPE_CHECKING:  # programs that only translate do not import pyarrow
    from seq2seq.corpora.corpus import Corpus


def prepare_tokenizers(
    folder: Path,
    config: TokenizerConfig,
    corpus: "Corpus",
    source_tags: Sequence[str] = (),
    start: Path | None = None,
    cache: Path | None = None,
) -> Tokenizers:
    """Load the tokenizers of a run folder; if it has none, get them and save them there.

    Args:
        folder: the run folder.
        config: settings of tokenizers.
        corpus: the text that tokenizers are trained on.
        source_tags: tags in the sources of ``corpus``.
        start: another run whose tokenizers are used instead of training.
        cache: folder of trained tokenizers that runs share.
    """
    if not has_tokenizers(folder):
        _check_normalization(config)
        if start is None:
            tokenizers = cached_tokenizers(config, corpus, source_tags, cache)
        else:
            tokenizers = load_tokenizers(local_folder(start))  # a resumed run has the name only
        save_tokenizers(tokenizers, folder)
    return load_tokenizers(folder, config.normalization)


def _check_normalization(config: TokenizerConfig) -> None:
    """Check that runs whose vocabularies are used had text in the same form.

    Raises:
        ConfigError: a run had another one.
    """
    for side in ("source_model", "target_model"):
        name = getattr(config, side)
        if name is None:
            continue
        path = local_folder(name)
        folder = path if path.is_dir() else path.parent
        if not is_model_folder(folder):
            continue
        trained = RunFolder.open(folder).normalization
        if trained is not config.normalization:
            raise ConfigError(
                f"tokenizer.{side}={name} was trained with tokenizer.normalization={trained}: set the same, or train "
                "another vocabulary"
            )


def learn_shortlist(
    folder: Path, config: ShortlistConfig, learned: tuple[Bitext, Lexicon], tokenizers: Tokenizers
) -> None:
    """Learn the shortlist of a run and save it in the run folder.

    Args:
        folder: the run folder.
        config: lengths of the lists.
        learned: of the training pairs, by `learn_lexicon`.
        tokenizers: of the run.
    """
    source, target = tokenizers
    shortlist = Shortlist.learn(*learned, source.size, target.size, config, eos=EOS, unk=UNK)
    shortlist.save(folder / SHORTLIST, tokenizer_hashes(tokenizers))
