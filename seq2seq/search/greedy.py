"""Greedy search: the likeliest next piece, again and again.

Shapes: B sentences still searched, V vocabulary, T pieces so far, the beginning of sentence included.
"""

import torch

from seq2seq.search.config import SearchConfig
from seq2seq.search.hypothesis import NOTHING, Hypothesis, hypothesis
from seq2seq.search.prefix import length_limits
from seq2seq.search.stepper import State, Stepper
from seq2seq.system.device import to_device, to_host


@torch.no_grad()
def greedy(stepper: Stepper[State], config: SearchConfig) -> list[Hypothesis]:
    """One hypothesis per sentence, in the order of the batch; what `beam` finds with one hypothesis kept.

    A sentence leaves the batch at its end of sentence or at its own maximum length. One whose stepper rules out
    every piece gets a hypothesis without tokens, of log-probability ``-inf``.
    """
    found = [NOTHING] * stepper.sentences
    places = list(range(stepper.sentences))  # where in `found` each sentence of the batch belongs
    (limit_B,), device = to_host(length_limits(stepper, config)), stepper.source_lengths.device
    tokens_BT = torch.full_like(limit_B, stepper.bos)[:, None]
    total_B, piece_B = torch.zeros(len(places), device=device), to_device(tokens_BT[:, 0], device)
    state = stepper.start(1)
    while places:
        length = tokens_BT.size(1)
        log_probability_BV, state = stepper.step(piece_B, state)
        best_B, piece_B = log_probability_BV.max(dim=-1)
        total_B = total_B + best_B
        # The one wait for the device in a step. What follows, but for the stepper's own, is on the host.
        total_on_host_B, piece_on_host_B = to_host(total_B, piece_B)
        tokens_BT = torch.cat([tokens_BT, piece_on_host_B[:, None]], dim=1)

        possible_B, ended_B = total_on_host_B.isfinite(), piece_on_host_B == stepper.eos
        done_B = ended_B | ~possible_B | (length >= limit_B)
        done, ended, possible = torch.stack([done_B, ended_B, possible_B]).tolist()
        if not any(done):
            continue
        totals, pieces = total_on_host_B.tolist(), tokens_BT[:, 1:].tolist()
        for row, place in enumerate(places):
            if done[row] and possible[row]:
                found[place] = hypothesis(pieces[row], totals[row], config.length_penalty, finished=ended[row])
        places = [place for row, place in enumerate(places) if not done[row]]
        if places:
            stay_B = (~done_B).nonzero().flatten()
            limit_B, tokens_BT = limit_B[stay_B], tokens_BT[stay_B]
            stay_B = to_device(stay_B, device)
            total_B, piece_B = total_B[stay_B], piece_B[stay_B]
            state = stepper.select(state, stay_B, stay_B)
    return found
