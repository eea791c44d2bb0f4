"""Vocabularies that were learnt once, found again by the text they were learnt from."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import sentencepiece

from seq2seq.corpora.corpus import Corpus
from seq2seq.system.lock import locked
from seq2seq.tokenizer.config import TokenizerConfig
from seq2seq.tokenizer.tokenizer import Tokenizers, load_tokenizers, save_tokenizers
from seq2seq.tokenizer.vocabulary import build_tokenizers


def cached_tokenizers(
    config: TokenizerConfig, corpus: Corpus, source_tags: Sequence[str], cache: Path | None
) -> Tokenizers:
    """What `build_tokenizers` gives for the same arguments, learnt no more than once for each text and settings.

    Where another program is learning it just now, this one waits.

    Args:
        config, corpus, source_tags: as `build_tokenizers` has them. Where a model file is named nothing is cached.
        cache: a folder of many vocabularies; None: learnt anew.

    Raises:
        ConfigError, DataError: as `build_tokenizers` raises them.
        RunError: the cache cannot be written.
    """
    if cache is None or config.source_model is not None or config.target_model is not None:
        return build_tokenizers(config, corpus, source_tags)
    learnt = asdict(replace(config, sampling=0.0, sample_target=True))  # how text is cut later changes nothing here
    facts = f"{sentencepiece.__version__} {corpus.fingerprint} {learnt} {list(source_tags)}"
    folder = cache / f"vocabulary-{hashlib.sha256(facts.encode()).hexdigest()[:32]}"
    if not _there(folder):
        with locked(folder, wait=True):
            if not _there(folder):  # another program may just have learnt it
                save_tokenizers(build_tokenizers(config, corpus, source_tags), folder)
    return load_tokenizers(folder)


def _there(folder: Path) -> bool:
    return any((folder / f"tokenizer{side}.model").exists() for side in ("", ".source"))
