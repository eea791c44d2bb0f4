"""Diverse beam search (Vijayakumar et al. 2018, algorithm 1): translations that are likely and differ.

The beam is cut into groups that take their next pieces one after the other; a piece loses ``diversity_strength`` for
each hypothesis of an earlier group that has just gone on with it (Hamming diversity, their §4). That decides which
hypotheses are kept, and no more: log-probabilities and scores are the model's own, and ending is never punished.

Shapes: B sentences still searched, G groups, W hypotheses of a group, N = B * G * W rows (sentence by sentence, group
by group; in the first step one row a sentence), R rows of a sentence, V vocabulary, T pieces so far.
"""

import math
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq.search.beam import Ended, Live, Searched, advance, collect_cut, collect_ended, continued, first, staying
from seq2seq.search.config import SearchConfig
from seq2seq.search.hypothesis import NOTHING, Hypothesis, Identity, by_tokens, distinct
from seq2seq.search.prefix import length_limits
from seq2seq.search.stepper import State, Stepper
from seq2seq.system.device import to_device, to_host


class Step(NamedTuple):
    """What one group makes of a step."""

    ended: Ended
    total_BW: Tensor
    row_BW: Tensor
    """Rows of the whole batch."""
    piece_BW: Tensor


@torch.no_grad()
def diverse_beam(
    stepper: Stepper[State], config: SearchConfig, identity: Identity = by_tokens
) -> list[list[Hypothesis]]:
    """Up to ``n_best`` different hypotheses per sentence, in the order of the batch; what is ``identity`` tells.

    Each group searches as `beam` does with W hypotheses. What comes back is the best of every group before the second
    best of any, then sorted by score; finished before cut.

    Raises:
        ConfigError: the groups do not divide the beam, or ``n_best`` exceeds it.
    """
    config.check()
    groups = config.groups or config.beam_size
    width = config.beam_size // groups
    alone = replace(config, beam_size=width, n_best=width, groups=None)
    limits = length_limits(stepper, config).tolist()
    everyone = [[Searched(limit) for _ in range(groups)] for limit in limits]
    searched = everyone
    state, live, device = stepper.start(1), first(stepper), stepper.source_lengths.device
    total_BK, piece_BK = (to_device(part, device) for part in live)
    while searched:
        log_probability_NV, state = stepper.step(piece_BK.flatten(), state)
        log_probability_BRV = log_probability_NV.view(len(searched), -1, log_probability_NV.size(1))
        own = _steps(total_BK, log_probability_BRV, config, stepper.eos)
        del log_probability_NV, log_probability_BRV  # the largest tensor of a search: make room for the next
        taken = _on_host(own)
        for group, step in enumerate(taken):
            collect_ended([sentence[group] for sentence in searched], step.ended, live.tokens_NT, alone, stepper.eos)
        length = live.tokens_NT.size(1)
        total_BK, row_BK, piece_BK = (torch.cat(parts, dim=1) for parts in list(zip(*taken, strict=True))[1:])
        live = Live(total_BK, continued(live.tokens_NT, row_BK, piece_BK))
        done = _done(searched, live, width, length)
        for group in range(groups):
            ending = [place for place, dones in enumerate(done) if dones[group]]
            collect_cut([sentence[group] for sentence in searched], ending, _of_group(live, group, groups), alone)
        done_BG = torch.tensor(done)
        live = live._replace(total_BK=total_BK.masked_fill(done_BG.repeat_interleave(width, 1), -math.inf))
        stay, stay_B = [place for place, dones in enumerate(done) if not all(dones)], None
        if len(stay) < len(searched):
            searched = [searched[place] for place in stay]
            live, row_BK, stay_B = staying(live, row_BK, stay)
        if searched:
            total_BK, piece_BK = to_device(live.total_BK, device), to_device(live.tokens_NT[:, -1], device)
            left = None if stay_B is None else to_device(stay_B, device)
            state = stepper.select(state, to_device(row_BK.flatten(), device), left)
    return [_spread(sentence, config.n_best, identity) for sentence in everyone]


def _on_host(steps: list[Step]) -> list[Step]:
    """The same on the host: the one time that it waits for the device in a step of the search."""
    parts = iter(to_host(*(part for ended, *others in steps for part in (*ended, *others))))
    return [Step(Ended(next(parts), next(parts)), next(parts), next(parts), next(parts)) for _ in steps]


def _steps(total_BK: Tensor, log_probability_BRV: Tensor, config: SearchConfig, eos: int) -> list[Step]:
    """What every group takes, in turn: the likeliest less what it pays for doing as the groups before it."""
    sentences, rows, pieces = log_probability_BRV.shape
    groups = config.groups or config.beam_size
    width = config.beam_size // groups
    repeated_BV = log_probability_BRV.new_zeros(sentences, pieces)
    found = []
    for group in range(groups):
        start, end = (0, 1) if rows == 1 else (group * width, (group + 1) * width)
        own_BRV, total_BR = log_probability_BRV[:, start:end], total_BK[:, start:end]
        paid_BRV = own_BRV - config.diversity_strength * repeated_BV.unsqueeze(1)
        ended, paid_BW, row_BW, piece_BW = advance(total_BR, paid_BRV.flatten(0, 1), width, eos)
        # Anew from the parts, for a large strength would leave little of a sum's digits.
        total_BW = total_BR.flatten()[row_BW] + own_BRV.flatten(0, 1)[row_BW, piece_BW]
        total_BW = total_BW.masked_fill(paid_BW.isinf(), -math.inf)
        repeated_BV.scatter_add_(1, piece_BW, total_BW.isfinite().to(repeated_BV.dtype))
        ended = ended._replace(row_BK=_row_of_all(ended.row_BK, start, end - start, rows))
        found.append(Step(ended, total_BW, _row_of_all(row_BW, start, end - start, rows), piece_BW))
    return found


def _row_of_all(row_BW: Tensor, start: int, width: int, rows: int) -> Tensor:
    """Rows of the batch from those of a group, which has ``width`` of the ``rows`` of every sentence."""
    return row_BW.div(width, rounding_mode="floor") * rows + row_BW % width + start


def _of_group(live: Live, group: int, groups: int) -> Live:
    """One group's hypotheses."""
    sentences, width = live.total_BK.size(0), live.total_BK.size(1) // groups
    tokens_BGWT = live.tokens_NT.view(sentences, groups, width, -1)
    return Live(live.total_BK.view(sentences, groups, width)[:, group], tokens_BGWT[:, group].flatten(0, 1))


def _done(searched: list[list[Searched]], live: Live, width: int, length: int) -> list[list[bool]]:
    """For every sentence which of its groups need no further step, by the rule of `beam`."""
    best_BG = live.total_BK.view(len(searched), -1, width)[:, :, 0].tolist()
    return [
        [
            len(group.found) >= width or length >= group.limit or not math.isfinite(total)
            for group, total in zip(sentence, totals, strict=True)
        ]
        for sentence, totals in zip(searched, best_BG, strict=True)
    ]


def _spread(groups: list[Searched], count: int, identity: Identity) -> list[Hypothesis]:
    """The best of every group, then their second best and so on, each once; those chosen by score."""
    ranked = [
        (not one.finished, rank, -one.score, number, one)
        for number, group in enumerate(groups)
        for rank, one in enumerate(group.best(len(group.found)))
        if one is not NOTHING
    ]
    chosen = distinct([one for *_, one in sorted(ranked, key=lambda entry: entry[:4])], identity)[:count]
    return sorted(chosen, key=lambda one: (one.finished, one.score), reverse=True) or [NOTHING]
