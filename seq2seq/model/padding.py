"""What padding must never change: masks, reversal, last states, and an LSTM cell that walks through it untouched.

B sentences, S positions, E input width, H units.
"""

import torch
from torch import Tensor
from torch.nn.functional import pad

SHUT = -1e4
OPEN = 1e4


def padding_mask(lengths_B: Tensor, positions: int) -> Tensor:
    """True (B, S) where a position lies behind its sentence's end."""
    return torch.arange(positions, device=lengths_B.device) >= lengths_B.unsqueeze(1)


def reverse_sentences(inputs_BSE: Tensor, lengths_B: Tensor) -> Tensor:
    """Reverse the first ``length`` positions of every sentence; padding stays at the end. Its own inverse."""
    positions = torch.arange(inputs_BSE.size(1), device=inputs_BSE.device)
    mirrored = lengths_B.unsqueeze(1) - 1 - positions
    index = torch.where(mirrored < 0, positions, mirrored)
    return inputs_BSE.gather(1, index.unsqueeze(2).expand_as(inputs_BSE))


def last_states(states_BSH: Tensor, padding_BS: Tensor) -> Tensor:
    """The state (B, H) at every sentence's last position; what is padding alone has that at the first."""
    last_B = (padding_BS.logical_not().sum(1) - 1).clamp(min=0)
    return states_BSH.gather(1, last_B.view(-1, 1, 1).expand(-1, 1, states_BSH.size(2))).squeeze(1)


def padding_column(weight_GE: Tensor) -> Tensor:
    """Input weights (4H, 1) of a padding flag for an LSTM of H units, beside its others, on their device.

    The input gate is shut, the forget gate open, the rest left alone: c' = 1·c + 0·g on padding, exactly, and no
    gradient flows into the gates there.
    """
    size = weight_GE.size(0) // 4
    # Filled where it is needed: a GPU would have to wait for a copy.
    gates = [weight_GE.new_full((size, 1), value) for value in (SHUT, OPEN)]
    return torch.cat([*gates, weight_GE.new_zeros(2 * size, 1)])


def flag_padding(inputs_BSE: Tensor, padding_BS: Tensor, input_weight_GE: Tensor) -> tuple[Tensor, Tensor]:
    """Inputs (B, S, E + 1 or more) with the flag of padding behind them, and the weights (4H, …) that obey it.

    The fused kernels know nothing of lengths. With the flag an LSTM's last cell state is each sentence's own, as a
    packed sequence would give it, without packing. Zeros make the width a multiple of `width_multiple`.
    """
    zeros = -(inputs_BSE.size(2) + 1) % width_multiple(inputs_BSE.device)
    flagged = torch.cat([inputs_BSE, padding_BS.unsqueeze(2).to(inputs_BSE.dtype)], dim=2)
    column_G1 = padding_column(input_weight_GE)
    return pad(flagged, (0, zeros)), pad(torch.cat([input_weight_GE, column_G1], dim=1), (0, zeros))


def width_multiple(device: torch.device) -> int:
    """What the width of inputs should be a multiple of.

    oneDNN's AMX kernel takes two at a time: with 257 inputs of 256 units another one took 2.3 times as long. The tensor
    cores of a GPU want rows of 16 bytes: 8 numbers of 16 bits.
    """
    return 2 if device.type == "cpu" else 8
