"""The decoder: an LSTM language model of the target that starts from the context vector.

One path serves training and search: `Decoder.forward` takes T pieces at once, all of them under teacher forcing, one
in a search step. The recurrence never waits for attention: the first layer runs over the whole target in one fused
call, attention is one batched product after it, and what it found feeds the layers above and the readout (the order
of GNMT, Wu et al. 2016).

B sentences, K beam rows of a sentence, N = B·K rows, T target positions, S source positions, E embedding width,
H units, D encoder width, L layers, F width of the features.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from seq2seq.model.attention import Attention
from seq2seq.model.config import AttentionKind, ModelConfig, Tying
from seq2seq.model.dropout import SequenceDropout


class Memory(NamedTuple):
    """What the decoder may look at all along, one entry a sentence."""

    context_BD: Tensor
    """The context vector: the summary of the encoder's top layer."""
    attended: "Attended | None"
    """What attention looks at; None where there is none."""


class Attended(NamedTuple):
    """The encoder's states as attention sees them; the keys are computed once a sentence."""

    keys_BSA: Tensor
    states_BSD: Tensor
    padding_BS: Tensor | None
    """None: no sentence is padded."""

    def select(self, sentences_B: Tensor) -> "Attended":
        """The same for these sentences, in this order."""
        keys, states = (part.index_select(0, sentences_B) for part in (self.keys_BSA, self.states_BSD))
        padding = None if self.padding_BS is None else self.padding_BS.index_select(0, sentences_B)
        return Attended(keys, states, padding)


class State(NamedTuple):
    """The decoder's recurrent state, one entry a row."""

    hidden_LNH: Tensor
    cell_LNH: Tensor


class Decoded(NamedTuple):
    """What the decoder hands on."""

    features_NTF: Tensor
    """Input of the output layer."""
    state: State
    """After the last of the T positions."""
    weights_NTS: Tensor | None
    """Attention weights, where there is attention."""


class Decoder(nn.Module):
    """Embedding (given), LSTM layers, attention after the first, and a readout tanh(W [h; c]) before the output layer.

    The readout is there where there is something to mix (a context) or the output layer wants another width.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        size, width = config.decoder.size, config.encoder.width
        attends = config.attention is not AttentionKind.none
        self.feed_context = config.decoder.feed_context
        first = config.embedding_size + (width if self.feed_context else 0)
        upper = size + (width if attends else 0)
        sizes = [first] + [upper] * (config.decoder.layers - 1)
        self.layers = nn.ModuleList(nn.LSTM(input_size, size, batch_first=True) for input_size in sizes)
        self.attention = Attention(config.attention, size, width) if attends else None
        mixes = attends or self.feed_context
        self.feature_size = size if config.tying is Tying.none else config.embedding_size
        needed = mixes or size != self.feature_size
        self.readout = nn.Linear(size + (width if mixes else 0), self.feature_size) if needed else None
        self.dropout = SequenceDropout(config.dropout, config.dropout_shared_over_time)

    def forward(self, embedded_NTE: Tensor, memory: Memory, state: State) -> Decoded:
        """Read T embedded pieces a row from ``state`` on. Rows n·K … n·K + K-1 belong to sentence n."""
        rows, steps, _ = embedded_NTE.shape
        context_NTD = None
        inputs = self.dropout(embedded_NTE)
        if self.feed_context:
            beam = rows // memory.context_BD.size(0)
            context_NTD = memory.context_BD.repeat_interleave(beam, 0).unsqueeze(1).expand(-1, steps, -1)
            inputs = torch.cat([inputs, context_NTD], dim=2)
        weights_NTS = None
        outputs, states = inputs, []
        for depth, layer in enumerate(self.layers):
            initial = (state.hidden_LNH[depth : depth + 1].contiguous(), state.cell_LNH[depth : depth + 1].contiguous())
            outputs, (hidden, cell) = layer(inputs, initial)
            states.append((hidden, cell))
            outputs = self.dropout(outputs)
            inputs = outputs
            if self.attention is not None and memory.attended is not None:
                if context_NTD is None:
                    context_NTD, weights_NTS = attend(self.attention, outputs, memory.attended)
                inputs = torch.cat([outputs, context_NTD], dim=2)
        features = self._features(outputs, context_NTD)
        hidden_LNH, cell_LNH = (torch.cat(parts) for parts in zip(*states, strict=True))
        return Decoded(features, State(hidden_LNH, cell_LNH), weights_NTS)

    def _features(self, outputs_NTH: Tensor, context_NTD: Tensor | None) -> Tensor:
        mixed = outputs_NTH if context_NTD is None else torch.cat([outputs_NTH, context_NTD], dim=2)
        if self.readout is None:
            return mixed
        features: Tensor = self.dropout(self.readout(mixed).tanh())
        return features


def attend(attention: Attention, outputs_NTH: Tensor, attended: Attended) -> tuple[Tensor, Tensor]:
    """Context (N, T, D) and weights (N, T, S) of every row and position: a sentence's rows share its memory."""
    rows, steps, size = outputs_NTH.shape
    queries_BQH = outputs_NTH.reshape(attended.keys_BSA.size(0), -1, size)
    context, weights = attention(queries_BQH, *attended)
    return context.view(rows, steps, -1), weights.view(rows, steps, -1)
