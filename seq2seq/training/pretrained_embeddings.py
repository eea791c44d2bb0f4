"""Embeddings that begin as word vectors learnt elsewhere: word2vec, GloVe or fastText, for word-level vocabularies."""

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
    """Which files embeddings are read from before training; a word that is not there begins at random."""

    source: str | None = setting(None, "text file of vectors of source words: word2vec, GloVe, fastText; .gz accepted")
    target: str | None = setting(None, "the same for target words")
    freeze: bool = setting(
        False, "train no row of an embedding table that was read from a file; a run that begins with it does not either"
    )
    unfreeze: bool = setting(False, "with training.start: train the embedding tables that its run had frozen")

    def files(self) -> dict[str, Path]:
        """The files that are named, by side."""
        named = {"source": self.source, "target": self.target}
        return {side: Path(name).expanduser() for side, name in named.items() if name is not None}

    def check(self, model: ModelConfig, tokenizer: TokenizerConfig) -> None:
        """Hold what these settings demand of others, and look at the first line of each file.

        Raises:
            ConfigError: names the settings that contradict each other, or the width that the vectors need.
            DataError: a file cannot be read or holds no vectors.
        """
        files = self.files()
        if self.freeze:
            self._check_freeze(model)
        if "source" in files and not model.encoder.layers:
            raise ConfigError("embeddings.source needs an encoder: name embeddings.target or set model.encoder.layers")
        sides = {"source": tokenizer.source_side(), "target": tokenizer.target_side()}
        source, target = tokenizer.source_model, tokenizer.target_model
        joint = source or target if tokenizer.joint else None
        models = {"source": source or joint, "target": target or joint}
        for side, path in files.items():
            if models[side] is None and sides[side].algorithm is not Algorithm.word:
                raise _not_words(side, f"{sides[side].algorithm} pieces")
            width = vector_width(path)
            if width != model.embedding_size:
                raise ConfigError(
                    f"{path} has vectors of {width} values, model.embedding_size is {model.embedding_size}: set "
                    f"model.embedding_size={width}"
                )

    def _check_freeze(self, model: ModelConfig) -> None:
        if not self.files():
            raise ConfigError("embeddings.freeze=true has no file to read: name embeddings.source or embeddings.target")
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
    """Write the vectors of the files into the network's embeddings, and freeze these where that is asked for.

    Where both sides share one table, the source's file is read first and the target's wins.

    Returns:
        What was found, a line for each file: ``embeddings: 7,812 of 8,000 source words (97.7 %) from glove.txt``.

    Raises:
        ConfigError: a vocabulary is not of words.
        DataError: a file is damaged, or has none of the words.
    """
    tables = {"source": network.source_embedding, "target": network.target_embedding}
    lines = []
    for side, path in config.files().items():
        table, tokenizer = tables[side], getattr(tokenizers, side)
        assert isinstance(table, nn.Embedding), "no source to embed: see EmbeddingsConfig.check"
        found, words = _fill(table, tokenizer, path, side)
        lines.append(f"embeddings: {found:,} of {words:,} {side} words ({100 * found / words:.1f} %) from {path}")
        table.weight.requires_grad_(not config.freeze)
    return lines


def freeze_embeddings(network: Network, sides: Sequence[str]) -> None:
    """Train no row of the embedding tables of these sides, source or target."""
    tables = {"source": network.source_embedding, "target": network.target_embedding}
    for side in sides:
        table = tables[side]
        assert isinstance(table, nn.Embedding), "no source to embed: a start has the same architecture"
        table.weight.requires_grad_(False)


@torch.no_grad()
def _fill(table: nn.Embedding, tokenizer: Tokenizer, path: Path, side: str) -> tuple[int, int]:
    """Write a file's vectors into their rows; how many of how many words were found."""
    words = tokenizer.words()
    if not words:
        raise _not_words(side, "the pieces of the tokenizer model that is named")
    vectors = read_vectors(path, words)
    if not vectors:
        raise DataError(
            f"{path} has none of the {len(words):,} {side} words: name a file of that language, spelt as the corpus is"
        )
    rows = torch.tensor([words[word] for word in vectors])
    values = torch.stack([torch.from_numpy(vector) for vector in vectors.values()])
    table.weight[rows] = values.to(table.weight)
    return len(vectors), len(words)


def _not_words(side: str, pieces: str) -> ConfigError:
    return ConfigError(
        f"embeddings.{side} needs a vocabulary of words, not {pieces}: set tokenizer=word, or leave it out"
    )
