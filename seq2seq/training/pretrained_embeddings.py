"""Pretrained word vectors (word2vec, GloVe, fastText) as initial embeddings of word-level vocabularies."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from seq2seq.corpora.word_vectors import read_vectors, vector_width
from seq2seq.errors import ConfigError, DataError
from seq2seq.model import ModelConfig, Network, Tying
from seq2seq.settings import setting
from seq2seq.tokenizer.config import Algorithm, TokenizerConfig
from seq2seq.tokenizer.tokenizer import Tokenizer, Tokenizers


@dataclass(kw_only=True)
class EmbeddingsConfig:
    """Files with initial embeddings; words that they lack are initialized randomly."""

    source: str | None = setting(
        None, "text file with vectors of source words (word2vec, GloVe, fastText; .gz accepted)"
    )
    target: str | None = setting(None, "the same for target words")
    freeze: bool = setting(
        False, "do not train embedding tables that are read from a file, here and in runs that start from this one"
    )
    unfreeze: bool = setting(False, "with training.start: train the embedding tables that its run has frozen")

    def files(self) -> dict[str, Path]:
        """The files, by side (source, target)."""
        names = {"source": self.source, "target": self.target}
        return {side: Path(name).expanduser() for side, name in names.items() if name is not None}

    def check(self, model: ModelConfig, tokenizer: TokenizerConfig) -> None:
        """Check that settings agree with each other and with the first line of each file.

        Raises:
            ConfigError: settings contradict each other, or the vectors have another width than the embeddings.
            DataError: a file cannot be read or has no vectors.
        """
        files = self.files()
        if self.freeze:
            self._check_freeze(model)
        if "source" in files and not model.encoder.layers:
            raise ConfigError("embeddings.source needs an encoder: use embeddings.target, or set model.encoder.layers")
        sides = {"source": tokenizer.source_side(), "target": tokenizer.target_side()}
        source, target = tokenizer.source_model, tokenizer.target_model
        joint = source or target if tokenizer.joint else None
        models = {"source": source or joint, "target": target or joint}
        for side, path in files.items():
            if models[side] is None and sides[side].algorithm is not Algorithm.word:
                raise _not_words(side, f"{sides[side].algorithm} tokens")
            width = vector_width(path)
            if width != model.embedding_size:
                raise ConfigError(
                    f"{path} has vectors of {width} values, model.embedding_size is {model.embedding_size}: set "
                    f"model.embedding_size={width}"
                )

    def _check_freeze(self, model: ModelConfig) -> None:
        if not self.files():
            raise ConfigError("embeddings.freeze=true needs a file: set embeddings.source or embeddings.target")
        if self.target is not None and model.tying is not Tying.none:
            raise ConfigError(
                f"embeddings.freeze=true with embeddings.target would freeze the output layer, which model.tying="
                f"{model.tying} shares with it: set model.tying=none or embeddings.freeze=false"
            )
        if self.source is not None and model.tying is Tying.all:
            raise ConfigError(
                "embeddings.freeze=true with embeddings.source would freeze the target's embeddings and the output "
                "layer, which model.tying=all shares with it: set model.tying=output or embeddings.freeze=false"
            )


def set_embeddings(network: Network, tokenizers: Tokenizers, config: EmbeddingsConfig) -> list[str]:
    """Copy the vectors of the files into the network's embeddings, and freeze these if ``freeze`` is set.

    If both sides share a table, the target's vectors replace those of the source.

    Returns:
        One line per file: ``embeddings: 7,812 of 8,000 source words (97.7 %) from glove.txt``.

    Raises:
        ConfigError: a vocabulary does not consist of words.
        DataError: a file is damaged, or has none of the words.
    """
    tables = {"source": network.source_embedding, "target": network.target_embedding}
    lines = []
    for side, path in config.files().items():
        table, tokenizer = tables[side], getattr(tokenizers, side)
        assert isinstance(table, nn.Embedding), "no source embeddings: see EmbeddingsConfig.check"
        filled, words = _fill(table, tokenizer, path, side)
        lines.append(f"embeddings: {filled:,} of {words:,} {side} words ({100 * filled / words:.1f} %) from {path}")
        table.weight.requires_grad_(not config.freeze)
    return lines


def freeze_embeddings(network: Network, sides: Sequence[str]) -> None:
    """Exclude the embedding tables of these sides (source, target) from training."""
    tables = {"source": network.source_embedding, "target": network.target_embedding}
    for side in sides:
        table = tables[side]
        assert isinstance(table, nn.Embedding), "no source embeddings: the start has the same architecture"
        table.weight.requires_grad_(False)


@torch.no_grad()
def _fill(table: nn.Embedding, tokenizer: Tokenizer, path: Path, side: str) -> tuple[int, int]:
    """Copy a file's vectors into their rows; returns the number of rows, and of words."""
    words = tokenizer.words()
    if not words:
        raise _not_words(side, "the tokens of the given tokenizer model")
    vectors = read_vectors(path, words)
    if not vectors:
        raise DataError(
            f"{path} has none of the {len(words):,} {side} words: use a file of that language, spelled as in the corpus"
        )
    rows = torch.tensor([words[word] for word in vectors])
    values = torch.stack([torch.from_numpy(vector) for vector in vectors.values()])
    table.weight[rows] = values.to(table.weight)
    return len(vectors), len(words)


def _not_words(side: str, tokens: str) -> ConfigError:
    return ConfigError(
        f"embeddings.{side} needs a vocabulary of words, not {tokens}: set tokenizer=word, or leave it out"
    )
