"""The encoder: from the embedded source sentence to one state per position and one summary per layer.

B sentences, S source positions, E embedding width, H units of a direction, D width of a layer's states (H or 2H),
L layers.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from seq2seq.model.cell import Cell
from seq2seq.model.cells import make_cell
from seq2seq.model.choices import Summary
from seq2seq.model.config import ModelConfig
from seq2seq.model.dropout import SequenceDropout


class EncoderOutput(NamedTuple):
    """Result of the encoder. Summaries are one tensor per layer, (B, D) or (B, 2D): layers may differ in width."""

    states_BSD: Tensor
    """The top layer's outputs, zero on padding."""
    padding_BS: Tensor
    """True on padding."""
    hidden: tuple[Tensor, ...]
    """Summary of each layer's hidden states, without residual connections: last, mean, maximum or both."""
    cell: tuple[Tensor, ...]
    """Each layer's last cell state; for layers without one, the summary again."""


class EncoderLayer(nn.Module):
    """One cell, or one per direction with their states concatenated."""

    def __init__(self, config: ModelConfig, depth: int) -> None:
        super().__init__()
        encoder = config.encoder
        input_size = encoder.layer_width(depth - 1) if depth else config.embedding_size
        sizes = encoder.cell, input_size, encoder.size, config.recurrent_dropout
        forward, backward = encoder.direction.reads(depth)
        self.forward_cell: Cell | None = make_cell(*sizes) if forward else None
        self.reversed_cell: Cell | None = make_cell(*sizes) if backward else None

    def forward(
        self, inputs_BSE: Tensor, lengths_B: Tensor, padding_BS: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """States (B, S, D) in source order, last hidden and last cell state (B, D)."""
        runs = []
        if self.forward_cell is not None:
            states_BSH, last = self.forward_cell.run(inputs_BSE, None, padding_BS)
            runs.append((states_BSH, last.hidden_NH, self.forward_cell.unit_state(last)))
        if self.reversed_cell is not None:
            states_BSH, last = self.reversed_cell.run(reverse_sentences(inputs_BSE, lengths_B), None, padding_BS)
            states_BSH = reverse_sentences(states_BSH, lengths_B)
            runs.append((states_BSH, last.hidden_NH, self.reversed_cell.unit_state(last)))
        states, hidden, cells = zip(*runs, strict=True)
        return (
            torch.cat(states, dim=-1),
            torch.cat(hidden, dim=-1),
            None if cells[0] is None else torch.cat(cells, dim=-1),
        )


class Encoder(nn.Module):
    """Stacked recurrent layers over the embedded source; `Direction` sets the direction of each layer."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        encoder = config.encoder
        self.summary = config.summary
        self.residual_from = (encoder.residual_from or encoder.layers + 1) - 1
        self.layers = nn.ModuleList(EncoderLayer(config, depth) for depth in range(encoder.layers))
        self.dropout = SequenceDropout(config.dropout, config.dropout_shared_over_time)

    def forward(self, embedded_BSE: Tensor, lengths_B: Tensor) -> EncoderOutput:
        """Encode right-padded sentences of ``lengths_B`` >= 1 tokens; padding does not influence the results."""
        padding_BS = padding_mask(lengths_B, embedded_BSE.size(1))
        outputs, hidden, cells = embedded_BSE, [], []
        for depth, layer in enumerate(self.layers):
            states, last, cell = layer(self.dropout(outputs), lengths_B, padding_BS)
            hidden.append(self._summarize(states, last, lengths_B, padding_BS))
            cells.append(hidden[-1] if cell is None else cell)
            outputs = outputs + states if depth >= self.residual_from else states
        return EncoderOutput(self.dropout(outputs), padding_BS, tuple(hidden), tuple(cells))

    def _summarize(self, states_BSD: Tensor, last_BD: Tensor, lengths_B: Tensor, padding_BS: Tensor) -> Tensor:
        if self.summary is Summary.last:
            return last_BD
        kinds = [Summary.max, Summary.mean] if self.summary is Summary.max_mean else [self.summary]
        return torch.cat([_pooled(kind, states_BSD, lengths_B, padding_BS) for kind in kinds], dim=1)


def _pooled(kind: Summary, states_BSD: Tensor, lengths_B: Tensor, padding_BS: Tensor) -> Tensor:
    """Maximum or mean (B, D) over the positions of each sentence; states are zero on padding."""
    if kind is Summary.max:
        return states_BSD.masked_fill(padding_BS.unsqueeze(2), -torch.inf).amax(1)
    return states_BSD.sum(1) / lengths_B.unsqueeze(1)


def padding_mask(lengths_B: Tensor, positions: int) -> Tensor:
    """A mask (B, S) that is True after each sentence's end."""
    return torch.arange(positions, device=lengths_B.device) >= lengths_B.unsqueeze(1)


def reverse_sentences(inputs_BSE: Tensor, lengths_B: Tensor) -> Tensor:
    """Reverse the first ``length`` positions of every sentence; padding stays at the end. Its own inverse."""
    positions = torch.arange(inputs_BSE.size(1), device=inputs_BSE.device)
    mirrored = lengths_B.unsqueeze(1) - 1 - positions
    index = torch.where(mirrored < 0, positions, mirrored)
    return inputs_BSE.gather(1, index.unsqueeze(2).expand_as(inputs_BSE))
