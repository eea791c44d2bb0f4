"""Initial weights."""

import torch
from torch import nn

from seq2seq.model.config import Initialization, ModelConfig


@torch.no_grad()
def initialize(network: nn.Module, config: ModelConfig) -> None:
    """Draw every matrix as ``config.initialization`` says, zero the biases, open the forget gates.

    Embeddings are drawn uniformly in every case: rows of a table have no fan-in. Orthogonal matrices: Saxe et al. 2014.
    """
    embeddings = {id(module.weight) for module in network.modules() if isinstance(module, nn.Embedding)}
    for name, parameter in network.named_parameters():
        if parameter.dim() == 1:
            parameter.zero_()
        elif config.initialization is Initialization.uniform or id(parameter) in embeddings:
            parameter.uniform_(-config.initial_range, config.initial_range)
        else:
            draw = nn.init.xavier_uniform_ if config.initialization is Initialization.xavier else nn.init.orthogonal_
            # The four gates of an LSTM are stacked in one matrix; each is a map of its own.
            for matrix in parameter.chunk(4) if "lstm" in name or "layers" in name else [parameter]:
                draw(matrix)
    for module in network.modules():
        if isinstance(module, nn.LSTM):
            # Gates are stacked as input, forget, candidate, output; both biases are added, so one of them is enough.
            _, _, bias, _ = module.all_weights[0]
            bias[module.hidden_size : 2 * module.hidden_size].fill_(config.forget_bias)
