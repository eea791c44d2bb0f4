"""Initial weights."""

import torch
from torch import nn

from seq2seq.model.cell import Cell
from seq2seq.model.choices import Initialization
from seq2seq.model.config import ModelConfig


@torch.no_grad()
def initialize(network: nn.Module, config: ModelConfig) -> None:
    """Draw every matrix from ``config.initialization`` and zero the biases, except those of the forget gates.

    Embeddings are always uniform, within ``config.embedding_range``: rows of a table have no fan-in. Orthogonal
    matrices: Saxe et al. 2014. Layer normalizations start as the identity.
    """
    embeddings = {id(module.weight) for module in network.modules() if isinstance(module, nn.Embedding)}
    cells = [module for module in network.modules() if isinstance(module, Cell)]
    # The gates of a cell are stacked in one matrix, but each block is drawn as a separate matrix.
    blocks = {
        id(matrix): cell.blocks
        for cell in cells
        for matrix in cell.weights()
        if len(matrix) == cell.blocks * cell.hidden_size
    }
    embedding_range = config.initial_range if config.embedding_range is None else config.embedding_range
    for parameter in network.parameters():
        if parameter.dim() == 1:
            parameter.zero_()
        elif id(parameter) in embeddings:
            parameter.uniform_(-embedding_range, embedding_range)
        elif config.initialization is Initialization.uniform:
            parameter.uniform_(-config.initial_range, config.initial_range)
        else:
            draw = nn.init.xavier_uniform_ if config.initialization is Initialization.xavier else nn.init.orthogonal_
            for matrix in parameter.chunk(blocks.get(id(parameter), 1)):
                draw(matrix)
    for module in network.modules():
        if isinstance(module, nn.GroupNorm | nn.LayerNorm):
            module.weight.fill_(1)
    for cell in cells:
        cell.fill_forget_bias(config.forget_bias)
