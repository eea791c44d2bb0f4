"""What padding must never change: masks, reversal, and an LSTM whose cell walks through padding untouched.

B sentences, S positions, E input width, H units.
"""

import torch
from torch import Tensor, nn

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


def padding_column(lstm: nn.LSTM) -> Tensor:
    """Input weights (4H, 1) of a padding flag: input gate shut, forget gate open, the rest left alone.

    With it c' = 1·c + 0·g on padding, exactly, and no gradient flows into the gates there.
    """
    input_gate, forget_gate, rest = SHUT, OPEN, 0.0
    gates = torch.tensor([input_gate, forget_gate, rest, rest])
    return gates.repeat_interleave(lstm.hidden_size).unsqueeze(1)


def run_lstm(lstm: nn.LSTM, inputs_BSE: Tensor, padding_BS: Tensor) -> tuple[Tensor, Tensor]:
    """Run one fused layer from a zero state over right-padded sentences.

    The fused kernels know nothing of lengths, so the flag of padding travels as one more input (`padding_column`):
    the last cell state is then each sentence's own, as a packed sequence would give it, without packing.

    Returns:
        states (B, S, H), zero on padding, and the last cell state (B, H).
    """
    flagged = torch.cat([inputs_BSE, padding_BS.unsqueeze(2).to(inputs_BSE.dtype)], dim=2)
    input_weight, *other_weights = lstm.all_weights[0]
    flagged_weight = torch.cat([input_weight, padding_column(lstm).to(input_weight)], dim=1)
    zeros = flagged.new_zeros(1, flagged.size(0), lstm.hidden_size)
    weights: list[Tensor] = [flagged_weight, *other_weights]
    states, _, cell = torch.lstm(flagged, (zeros, zeros), weights, True, 1, 0.0, lstm.training, False, True)
    return states.masked_fill(padding_BS.unsqueeze(2), 0), cell[0]
