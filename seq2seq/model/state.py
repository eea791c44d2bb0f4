"""What passes between encoder, decoder and search: memory, held once a sentence, and state, held once a row.

B sentences, K beam rows of a sentence, N = B·K rows, T target positions, S source positions, H units, D encoder width,
L layers, A width of the keys, M heads, F width of the features.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq.model.attention import Attention


class Attended(NamedTuple):
    """The encoder's states as attention sees them; both maps are computed once a sentence."""

    keys_BMSA: Tensor
    values_BMSD: Tensor
    padding_BS: Tensor | None
    """None: no sentence is padded."""

    def select(self, sentences_B: Tensor) -> "Attended":
        """The same for these sentences, in this order."""
        keys, values = (part.index_select(0, sentences_B) for part in (self.keys_BMSA, self.values_BMSD))
        padding = None if self.padding_BS is None else self.padding_BS.index_select(0, sentences_B)
        return Attended(keys, values, padding)


class Memory(NamedTuple):
    """What the decoder may look at all along, one entry a sentence. A language model's is empty."""

    context_BD: Tensor
    """The context vector: the summary of the encoder's top layer; (B, 0) without an encoder."""
    attended: Attended | None
    """What attention looks at; None where there is none."""


class State(NamedTuple):
    """All that the decoder carries from one position to the next, one entry a row."""

    hidden_LNH: Tensor
    cell_LNH: Tensor | None
    """None where cells have no such state."""
    fed_NX: Tensor | None
    """What input feeding hands to the next position; None where nothing is fed."""
    coverage_NS: Tensor | None
    """Attention that each source position has had; None where the score does not see it."""


class Decoded(NamedTuple):
    """What the decoder hands on."""

    features_NTF: Tensor
    """Input of the output layer."""
    state: State
    """After the last of the T positions."""
    weights_NTS: Tensor | None
    """Attention weights, the mean of all heads'; None where there is no attention."""


class Found(NamedTuple):
    """What the decoder was told of the source."""

    context_NTD: Tensor
    weights_NTS: Tensor | None
    """None where the context is the fixed one."""
    coverage_NS: Tensor | None
    """After the last position; None where the score does not see it."""


def attend(attention: Attention, queries_NTH: Tensor, attended: Attended, coverage_NS: Tensor | None) -> Found:
    """Let every row and position ask.

    A sentence's rows share its memory. Without coverage this is one product over all positions; with it a position
    waits for the one before.
    """
    rows, steps, size = queries_NTH.shape
    sentences = attended.keys_BMSA.size(0)
    if coverage_NS is None:
        context, weights = attention(queries_NTH.reshape(sentences, -1, size), *attended)
        return Found(context.reshape(rows, steps, -1), weights.reshape(rows, steps, -1), None)
    contexts, all_weights = [], []
    for queries_NH in queries_NTH.unbind(1):
        coverage_BKS = coverage_NS.view(sentences, -1, coverage_NS.size(1))
        context, weights = attention(queries_NH.reshape(sentences, -1, size), *attended, coverage_BKS)
        contexts.append(context.flatten(0, 1))
        all_weights.append(weights.flatten(0, 1))
        coverage_NS = coverage_NS + all_weights[-1]
    return Found(torch.stack(contexts, 1), torch.stack(all_weights, 1), coverage_NS)
