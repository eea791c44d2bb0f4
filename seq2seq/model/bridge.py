"""The bridge: from the encoder's summary to the decoder's initial state.

L encoder layers of width D, M decoder layers of H units, B sentences.
"""

import torch
from torch import Tensor, nn

from seq2seq.model.config import BridgeKind, ModelConfig


class Bridge(nn.Module):
    """Hidden and cell state of every decoder layer, each from the encoder layer at its height.

    Stacks of different depth are aligned at the top: the decoder's top layer hears the encoder's top layer. A deeper
    decoder repeats the encoder's lowest layer below that.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        encoder, decoder = config.encoder, config.decoder
        self.kind = config.bridge
        self.encoder_layers = [max(0, encoder.layers - decoder.layers + layer) for layer in range(decoder.layers)]
        maps = 0 if config.bridge is BridgeKind.copy else decoder.layers
        self.hidden_maps = nn.ModuleList(nn.Linear(encoder.width, decoder.size) for _ in range(maps))
        self.cell_maps = nn.ModuleList(nn.Linear(encoder.width, decoder.size) for _ in range(maps))

    def forward(self, hidden_LBD: Tensor, cell_LBD: Tensor) -> tuple[Tensor, Tensor]:
        """Initial hidden and cell states (M, B, H) of the decoder."""
        hidden = [hidden_LBD[layer] for layer in self.encoder_layers]
        cell = [cell_LBD[layer] for layer in self.encoder_layers]
        if self.kind is not BridgeKind.copy:
            hidden = [mapped(state) for mapped, state in zip(self.hidden_maps, hidden, strict=True)]
            cell = [mapped(state) for mapped, state in zip(self.cell_maps, cell, strict=True)]
        if self.kind is BridgeKind.tanh:
            hidden, cell = [state.tanh() for state in hidden], [state.tanh() for state in cell]
        return torch.stack(hidden), torch.stack(cell)
