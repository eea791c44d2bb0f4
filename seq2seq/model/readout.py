"""What stands between the decoder's layers and its output layer.

N rows, T positions, H units, D width of the context, E embedding width, F width of the features.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from seq2seq.model.choices import AttentionKind, Readout, Tying
from seq2seq.model.config import ModelConfig


def feature_size(config: ModelConfig) -> int:
    """Width F of the output layer's input: a shared embedding matrix settles it; else it is free."""
    if config.tying is not Tying.none:
        return config.embedding_size
    return config.decoder.readout_size or config.decoder.size


def readout_sizes(config: ModelConfig) -> tuple[int, int] | None:
    """Inputs and outputs of the readout's matrix, which sees state, context and the piece just read, in this order.

    None: there is no readout, for there is nothing to mix and the output layer wants no other width. Maxout takes the
    larger of two, so its matrix has twice the outputs.
    """
    decoder = config.decoder
    context = config.context_width if decoder.feed_context else 0
    if config.attention is not AttentionKind.none:
        context = config.encoder.width
    piece = config.embedding_size if decoder.readout_sees_input else 0
    maxout = decoder.readout is Readout.maxout
    if not (context or piece or maxout or decoder.size != feature_size(config)):
        return None
    return decoder.size + context + piece, feature_size(config) * (2 if maxout else 1)


class ReadoutMap(nn.Linear):
    """The readout's matrix: W [state; context; piece] + b."""

    def forward(self, inputs_NTX: Tensor, context_ND: Tensor | None = None, units: int = 0) -> Tensor:
        """Mix the vectors of every position, side by side as `readout_sizes` orders them.

        Args:
            inputs_NTX: the vectors.
            context_ND: a context that is the same at every position, multiplied once, and not part of the inputs.
            units: width H of the state before it.
        """
        if context_ND is None:
            return linear(inputs_NTX, self.weight, self.bias)
        sizes = [units, context_ND.size(1), inputs_NTX.size(2) - units]
        W_state, W_context, W_piece = torch.split_with_sizes(self.weight, sizes, dim=1)
        weight = torch.cat([W_state, W_piece], dim=1)
        return linear(inputs_NTX, weight) + linear(context_ND, W_context, self.bias).unsqueeze(1)


def maxout(mixed: Tensor) -> Tensor:
    """The larger of every two neighbours (..., 2F) -> (..., F) (Goodfellow et al. 2013; Cho et al. 2014, app. A)."""
    return mixed.view(*mixed.shape[:-1], -1, 2).amax(-1)
