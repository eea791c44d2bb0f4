"""The bridge: from the encoder's summaries to the decoder's initial state.

L encoder layers, whose summaries and cell states are D wide (with summary=max_mean a summary is 2 D), M decoder layers
of H units, B sentences.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from seq2seq.model.choices import BridgeKind
from seq2seq.model.config import ModelConfig


class Bridge(nn.Module):
    """Initial hidden and cell state of every decoder layer, from the encoder layers `ModelConfig.bridged_layers`.

    linear is W s + b (Britz et al. 2017), tanh is tanh(W s + b) (Cho et al. 2014); copy and zero have no weights. A
    shared bridge maps the encoder's top layer once, and all decoder layers start from the result. A decoder whose
    cells do not start from a cell state gets only hidden states.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        encoder, decoder = config.encoder, config.decoder
        self.kind = config.bridge
        self.source_layers = config.bridged_layers
        self.size = decoder.size
        self.has_cell = decoder.cell.traits.starts_from_cell_state
        mapped = [] if config.bridge in (BridgeKind.copy, BridgeKind.zero) else self.source_layers
        if config.bridge_shared:
            mapped = mapped[:1]
        # An encoder without cell states passes its summary instead.
        cell_width = encoder.layer_width if encoder.cell.has_cell_state else config.summary_width
        self.hidden_maps = nn.ModuleList(nn.Linear(config.summary_width(layer), decoder.size) for layer in mapped)
        self.cell_maps = nn.ModuleList(nn.Linear(cell_width(layer), decoder.size) for layer in mapped if self.has_cell)

    def forward(self, hidden: Sequence[Tensor], cell: Sequence[Tensor]) -> tuple[Tensor, Tensor | None]:
        """Initial hidden and cell states (M, B, H) of the decoder, from L summaries (B, D) of each kind.

        The cell states are None for a decoder whose cells do not start from one.
        """
        return self._states(self.hidden_maps, hidden), self._states(self.cell_maps, cell) if self.has_cell else None

    def _states(self, maps: nn.ModuleList, summaries: Sequence[Tensor]) -> Tensor:
        if self.kind is BridgeKind.zero:
            return summaries[-1].new_zeros(len(self.source_layers), summaries[-1].size(0), self.size)
        states = [summaries[layer] for layer in self.source_layers]
        if len(maps) == 1:  # a shared bridge, or a decoder of one layer
            states = [maps[0](states[0])] * len(states)
        elif len(maps) > 1:
            states = [linear(state) for linear, state in zip(maps, states, strict=True)]
        stacked_MBH = torch.stack(states)
        return stacked_MBH.tanh() if self.kind is BridgeKind.tanh else stacked_MBH
