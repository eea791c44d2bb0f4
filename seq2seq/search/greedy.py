"""Greedy search: take the most probable next token at every step.

Shapes: B sentences still in the batch, V vocabulary, T tokens so far, BOS included.
"""

import torch

from seq2seq.search.config import SearchConfig
from seq2seq.search.hypothesis import NO_HYPOTHESIS, Hypothesis, make_hypothesis
from seq2seq.search.prefix import length_limits
from seq2seq.search.repetition import with_repetition_settings
from seq2seq.search.stepper import State, Stepper
from seq2seq.system.device import to_device, to_host


@torch.no_grad()
def greedy_search(stepper: Stepper[State], config: SearchConfig) -> list[Hypothesis]:
    """Return one hypothesis per sentence, in batch order; the same as `beam_search` with a beam of 1.

    A sentence leaves the batch at EOS or at its own maximum length. If the stepper excludes every token, the
    sentence gets `NO_HYPOTHESIS`: no tokens and log-probability ``-inf``.
    """
    hypotheses = [NO_HYPOTHESIS] * stepper.sentences
    sentences = list(range(stepper.sentences))  # the index in `hypotheses` of each row of the batch
    (limit_B,), device = to_host(length_limits(stepper, config)), stepper.source_lengths.device
    tokens_BT = torch.full_like(limit_B, stepper.bos)[:, None]
    total_B, token_B = torch.zeros(len(sentences), device=device), to_device(tokens_BT[:, 0], device)
    stepper = with_repetition_settings(stepper, config)
    state = stepper.start(1)
    while sentences:
        length = tokens_BT.size(1)
        log_probability_BV, state = stepper.step(token_B, state)
        best_B, token_B = log_probability_BV.max(dim=-1)
        total_B = total_B + best_B
        # The only synchronization with the device in a step. The bookkeeping below runs on the host.
        total_on_host_B, token_on_host_B = to_host(total_B, token_B)
        tokens_BT = torch.cat([tokens_BT, token_on_host_B[:, None]], dim=1)

        possible_B, finished_B = total_on_host_B.isfinite(), token_on_host_B == stepper.eos
        done_B = finished_B | ~possible_B | (length >= limit_B)
        done, finished, possible = torch.stack([done_B, finished_B, possible_B]).tolist()
        if not any(done):
            continue
        totals, tokens = total_on_host_B.tolist(), tokens_BT[:, 1:].tolist()
        for row, sentence in enumerate(sentences):
            if done[row] and possible[row]:
                hypotheses[sentence] = make_hypothesis(
                    tokens[row], totals[row], config.length_penalty, finished=finished[row]
                )
        sentences = [sentence for row, sentence in enumerate(sentences) if not done[row]]
        if sentences:
            keep_B = (~done_B).nonzero().flatten()
            limit_B, tokens_BT = limit_B[keep_B], tokens_BT[keep_B]
            keep_B = to_device(keep_B, device)
            total_B, token_B = total_B[keep_B], token_B[keep_B]
            state = stepper.select(state, keep_B, keep_B)
    return hypotheses
