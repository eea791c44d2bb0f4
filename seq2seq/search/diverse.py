"""Diverse beam search (Vijayakumar et al. 2018, algorithm 1): probable translations that differ.

The beam is divided into groups that choose their next tokens one after the other. A token is penalized by
``diversity_strength`` for each hypothesis of an earlier group that chose it in the same step (Hamming diversity, §4).
The penalty affects only which hypotheses are kept: log-probabilities and scores are the model's own, and EOS is never
penalized.

Shapes: B sentences still in the batch, G groups, W hypotheses per group, K = G * W beam size, N = B * K rows (by
sentence, then by group; one row per sentence in the first step), R rows per sentence, V vocabulary, T tokens so far.
"""

import math
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq.portable.hypothesis import ranked, unique
from seq2seq.search.beam import (
    Beam,
    Finished,
    SentenceSearch,
    advance,
    append_tokens,
    collect_finished,
    collect_unfinished,
    initial_beam,
    keep_sentences,
)
from seq2seq.search.config import SearchConfig
from seq2seq.search.hypothesis import NO_HYPOTHESIS, Hypothesis, Identity, by_tokens
from seq2seq.search.prefix import length_limits
from seq2seq.search.repetition import with_repetition_settings
from seq2seq.search.stepper import State, Stepper
from seq2seq.system.device import to_device, to_host


class GroupStep(NamedTuple):
    """Choice of one group in a step."""

    finished: Finished
    total_BW: Tensor
    row_BW: Tensor
    """Rows of the whole batch."""
    token_BW: Tensor


@torch.no_grad()
def diverse_beam_search(
    stepper: Stepper[State], config: SearchConfig, identity: Identity = by_tokens
) -> list[list[Hypothesis]]:
    """Return up to ``n_best`` hypotheses of different ``identity`` per sentence, in batch order.

    Each group searches as `beam_search` does with a beam of W. The best hypothesis of every group is chosen before the
    second best of any; the chosen ones are sorted by score, finished before unfinished.

    Raises:
        ConfigError: ``groups`` does not divide ``beam_size``, or ``n_best`` exceeds it.
    """
    config.check()
    groups = config.groups or config.beam_size
    width = config.beam_size // groups
    group_config = replace(config, beam_size=width, n_best=width, groups=None)
    limits = length_limits(stepper, config).tolist()
    sentences = [[SentenceSearch(limit) for _ in range(groups)] for limit in limits]
    active = sentences
    stepper = with_repetition_settings(stepper, config)
    state, beam, device = stepper.start(1), initial_beam(stepper), stepper.source_lengths.device
    total_BK, token_BK = (to_device(part, device) for part in beam)
    while active:
        log_probability_NV, state = stepper.step(token_BK.flatten(), state)
        log_probability_BRV = log_probability_NV.view(len(active), -1, log_probability_NV.size(1))
        on_device = _group_steps(total_BK, log_probability_BRV, config, stepper.eos)
        del log_probability_NV, log_probability_BRV  # the largest tensor of the search: free it before the next step
        chosen = _steps_to_host(on_device)
        for group, step in enumerate(chosen):
            own = [sentence[group] for sentence in active]
            collect_finished(own, step.finished, beam.tokens_NT, group_config, stepper.eos)
        length = beam.tokens_NT.size(1)
        total_BK, row_BK, token_BK = (torch.cat(parts, dim=1) for parts in list(zip(*chosen, strict=True))[1:])
        beam = Beam(total_BK, append_tokens(beam.tokens_NT, row_BK, token_BK))
        done = _done_groups(active, beam, width, length)
        for group in range(groups):
            ending = [index for index, flags in enumerate(done) if flags[group]]
            own = [sentence[group] for sentence in active]
            collect_unfinished(own, ending, _group_beam(beam, group, groups), group_config)
        done_BG = torch.tensor(done)
        beam = beam._replace(total_BK=total_BK.masked_fill(done_BG.repeat_interleave(width, 1), -math.inf))
        keep, keep_B = [index for index, flags in enumerate(done) if not all(flags)], None
        if len(keep) < len(active):
            active = [active[index] for index in keep]
            beam, row_BK, keep_B = keep_sentences(beam, row_BK, keep)
        if active:
            total_BK, token_BK = to_device(beam.total_BK, device), to_device(beam.tokens_NT[:, -1], device)
            keep_B = None if keep_B is None else to_device(keep_B, device)
            state = stepper.select(state, to_device(row_BK.flatten(), device), keep_B)
    return [_best_of_groups(sentence, config.n_best, identity) for sentence in sentences]


def _steps_to_host(steps: list[GroupStep]) -> list[GroupStep]:
    """Copy the steps to the host: the only synchronization with the device in a step of the search."""
    parts = iter(to_host(*(part for finished, *others in steps for part in (*finished, *others))))
    return [GroupStep(Finished(next(parts), next(parts)), next(parts), next(parts), next(parts)) for _ in steps]


def _group_steps(total_BK: Tensor, log_probability_BRV: Tensor, config: SearchConfig, eos: int) -> list[GroupStep]:
    """Let every group choose in turn, by log-probability minus the penalty for tokens of earlier groups."""
    sentences, rows, vocabulary = log_probability_BRV.shape
    groups = config.groups or config.beam_size
    width = config.beam_size // groups
    chosen_count_BV = log_probability_BRV.new_zeros(sentences, vocabulary)
    steps = []
    for group in range(groups):
        start, end = (0, 1) if rows == 1 else (group * width, (group + 1) * width)
        own_BRV, total_BR = log_probability_BRV[:, start:end], total_BK[:, start:end]
        penalized_BRV = own_BRV - config.diversity_strength * chosen_count_BV.unsqueeze(1)
        finished, penalized_BW, row_BW, token_BW = advance(total_BR, penalized_BRV.flatten(0, 1), width, eos)
        # Recomputed rather than adding the penalty back: a large penalty would leave few digits.
        total_BW = total_BR.flatten()[row_BW] + own_BRV.flatten(0, 1)[row_BW, token_BW]
        total_BW = total_BW.masked_fill(penalized_BW.isinf(), -math.inf)
        chosen_count_BV.scatter_add_(1, token_BW, total_BW.isfinite().to(chosen_count_BV.dtype))
        finished = finished._replace(row_BK=_batch_rows(finished.row_BK, start, end - start, rows))
        steps.append(GroupStep(finished, total_BW, _batch_rows(row_BW, start, end - start, rows), token_BW))
    return steps


def _batch_rows(row_BW: Tensor, start: int, width: int, rows: int) -> Tensor:
    """Convert rows of a group, which has ``width`` of the ``rows`` of every sentence, to rows of the batch."""
    return row_BW.div(width, rounding_mode="floor") * rows + row_BW % width + start


def _group_beam(beam: Beam, group: int, groups: int) -> Beam:
    """Return the hypotheses of one group."""
    sentences, width = beam.total_BK.size(0), beam.total_BK.size(1) // groups
    tokens_BGWT = beam.tokens_NT.view(sentences, groups, width, -1)
    return Beam(beam.total_BK.view(sentences, groups, width)[:, group], tokens_BGWT[:, group].flatten(0, 1))


def _done_groups(active: list[list[SentenceSearch]], beam: Beam, width: int, length: int) -> list[list[bool]]:
    """Return for every sentence which of its groups are complete, by the rule of `beam_search`."""
    best_BG = beam.total_BK.view(len(active), -1, width)[:, :, 0].tolist()
    return [
        [
            len(group.hypotheses) >= width or length >= group.limit or not math.isfinite(total)
            for group, total in zip(sentence, totals, strict=True)
        ]
        for sentence, totals in zip(active, best_BG, strict=True)
    ]


def _best_of_groups(groups: list[SentenceSearch], count: int, identity: Identity) -> list[Hypothesis]:
    """Choose the best of every group, then the second best and so on, without duplicates; sort them by score."""
    by_rank = [
        (not each.finished, rank, -each.score, number, each)
        for number, group in enumerate(groups)
        for rank, each in enumerate(group.best(len(group.hypotheses)))
        if each is not NO_HYPOTHESIS
    ]
    chosen = unique([each for *_, each in sorted(by_rank, key=lambda entry: entry[:4])], identity)[:count]
    return ranked(chosen)
