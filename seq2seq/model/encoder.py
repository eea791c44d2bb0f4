"""The encoder: embedded source sentence in, one state per position and a summary per layer out.

B sentences, S source positions, E embedding width, H units of a direction, D width of a state (H or 2H), L layers.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from seq2seq.model.config import Direction, ModelConfig, Summary
from seq2seq.model.dropout import SequenceDropout
from seq2seq.model.padding import padding_mask, reverse_sentences, run_lstm


class Encoded(NamedTuple):
    """What the encoder hands on."""

    states_BSD: Tensor
    """The top layer's hidden states, zero on padding."""
    padding_BS: Tensor
    """True where there is no source piece."""
    hidden_LBD: Tensor
    """Summary of each layer's hidden states: the last one, their mean or their maximum."""
    cell_LBD: Tensor
    """Each layer's last cell state."""


class EncoderLayer(nn.Module):
    """One LSTM, or one for each direction with their states side by side."""

    def __init__(self, input_size: int, size: int, direction: Direction) -> None:
        super().__init__()
        self.forward_lstm = None if direction is Direction.reversed else nn.LSTM(input_size, size, batch_first=True)
        self.reversed_lstm = None if direction is Direction.forward else nn.LSTM(input_size, size, batch_first=True)

    def forward(self, inputs_BSE: Tensor, lengths_B: Tensor, padding_BS: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """States (B, S, D) in source order, last hidden and last cell state (B, D)."""
        outcomes = []
        if self.forward_lstm is not None:
            states, cell = run_lstm(self.forward_lstm, inputs_BSE, padding_BS)
            last = states.gather(1, (lengths_B - 1).view(-1, 1, 1).expand(-1, 1, states.size(2))).squeeze(1)
            outcomes.append((states, last, cell))
        if self.reversed_lstm is not None:
            states, cell = run_lstm(self.reversed_lstm, reverse_sentences(inputs_BSE, lengths_B), padding_BS)
            states = reverse_sentences(states, lengths_B)
            outcomes.append((states, states[:, 0], cell))
        states, last, cell = (torch.cat(parts, dim=-1) for parts in zip(*outcomes, strict=True))
        return states, last, cell


class Encoder(nn.Module):
    """Stacked LSTM layers over the embedded source (Sutskever et al. 2014; both directions: Bahdanau et al. 2015)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        encoder = config.encoder
        sizes = [config.embedding_size] + [encoder.width] * (encoder.layers - 1)
        self.summary = config.summary
        self.layers = nn.ModuleList(EncoderLayer(size, encoder.size, encoder.direction) for size in sizes)
        self.dropout = SequenceDropout(config.dropout, config.dropout_shared_over_time)

    def forward(self, embedded_BSE: Tensor, lengths_B: Tensor) -> Encoded:
        """Encode right-padded sentences of ``lengths_B`` >= 1 pieces; padding never reaches a result."""
        padding_BS = padding_mask(lengths_B, embedded_BSE.size(1))
        states, hiddens, cells = embedded_BSE, [], []
        for layer in self.layers:
            states, last, cell = layer(self.dropout(states), lengths_B, padding_BS)
            hiddens.append(self._summarize(states, last, lengths_B, padding_BS))
            cells.append(cell)
        return Encoded(self.dropout(states), padding_BS, torch.stack(hiddens), torch.stack(cells))

    def _summarize(self, states_BSD: Tensor, last_BD: Tensor, lengths_B: Tensor, padding_BS: Tensor) -> Tensor:
        if self.summary is Summary.mean:
            return states_BSD.sum(1) / lengths_B.unsqueeze(1)
        if self.summary is Summary.max:
            return states_BSD.masked_fill(padding_BS.unsqueeze(2), -torch.inf).amax(1)
        return last_BD
