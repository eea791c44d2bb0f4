"""Pretrained word vectors (word2vec, GloVe, fastText) as initial embeddings of word-level vocabularies."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from seq2seq.corpora.word_vectors import read_vectors
from seq2seq.errors import DataError
from seq2seq.model import Network
from seq2seq.tokenizer.tokenizer import Tokenizer, Tokenizers
from seq2seq.training.config import EmbeddingsConfig, not_words


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
        raise not_words(side, "the tokens of the given tokenizer model")
    vectors = read_vectors(path, words)
    if not vectors:
        raise DataError(
            f"{path} has none of the {len(words):,} {side} words: use a file of that language, spelled as in the corpus"
        )
    rows = torch.tensor([words[word] for word in vectors])
    values = torch.stack([torch.from_numpy(vector) for vector in vectors.values()])
    table.weight[rows] = values.to(table.weight)
    return len(vectors), len(words)
