"""The target pieces that a search may use: their embeddings, and the product that scores them.

N rows, V vocabulary, U pieces of a short-list, E embedding width, F width of the features.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq.inference.product import Product

CHUNK = 128
"""Rows whose logits are worked on together: few enough that they stay in the processor's cache."""


class Vocabulary(NamedTuple):
    """The target pieces a search may use."""

    embedding_VE: Tensor
    output: Product

    def log_probabilities(self, features_NF: Tensor) -> Tensor:
        """Of the next piece, (N, V). The logits exist for a few rows at a time only."""
        if features_NF.device.type != "cpu":
            return self.output(features_NF).log_softmax(1)
        rows, pieces = features_NF.size(0), self.embedding_VE.size(0)
        log_probability_NV = features_NF.new_empty(rows, pieces)
        for first in range(0, rows, CHUNK):
            logits_CV = self.output(features_NF[first : first + CHUNK])
            torch.log_softmax(logits_CV, 1, out=log_probability_NV[first : first + CHUNK])
        return log_probability_NV

    def only(self, pieces_U: Tensor) -> "Vocabulary":
        """These pieces alone, numbered 0 … U-1."""
        return Vocabulary(self.embedding_VE.index_select(0, pieces_U), self.output.only(pieces_U))
