"""Beam search: all hypotheses of all sentences at a time.

Shapes: B sentences still searched, K beam, N = B * K rows (row n belongs to sentence n // K), C = 2 * K candidates,
V vocabulary, T pieces so far, the beginning of sentence included.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq.search.config import SearchConfig
from seq2seq.search.greedy import greedy
from seq2seq.search.hypothesis import NOTHING, Hypothesis, hypothesis
from seq2seq.search.stepper import State, Stepper


class Rows(NamedTuple):
    """K hypotheses per sentence, best first. One of log-probability ``-inf`` is none: it only fills its row."""

    total: Tensor  # (B, K), log-probability so far
    tokens: Tensor  # (B, K, T)

    @property
    def real(self) -> Tensor:
        """Which rows (B, K) hold a hypothesis."""
        return self.total.isfinite()


def search(stepper: Stepper[State], config: SearchConfig) -> list[list[Hypothesis]]:
    """Translations of every sentence, best first: `greedy` for a beam of one, else `beam`.

    Raises:
        ConfigError: ``n_best`` exceeds ``beam_size``.
    """
    config.check()
    return [[best] for best in greedy(stepper, config)] if config.beam_size == 1 else beam(stepper, config)


@torch.no_grad()
def beam(stepper: Stepper[State], config: SearchConfig) -> list[list[Hypothesis]]:
    """Up to ``n_best`` hypotheses per sentence, best first, in the order of the batch.

    A sentence is done when K hypotheses have finished (the rule of fairseq), at its own maximum length, or when
    nothing can go on; it then leaves the batch. Hypotheses cut at the maximum length come after the finished ones
    and only to make up ``n_best``, so which is the best does not depend on ``n_best``. Fewer come back only where
    the stepper rules out the rest; where it rules out all, one without tokens, of log-probability ``-inf``.

    Raises:
        ConfigError: ``n_best`` exceeds ``beam_size``.
    """
    config.check()
    beam_size = config.beam_size
    found: list[list[Hypothesis]] = [[] for _ in range(stepper.sentences)]
    places = list(range(stepper.sentences))  # where in `found` each sentence of the batch belongs
    limit_B = config.max_lengths(stepper.source_lengths)
    finished_B = torch.zeros_like(limit_B)
    state, live = stepper.start(beam_size), _first(limit_B, beam_size, stepper.bos)
    while places:
        length = live.tokens.size(2)
        log_probability_NV, state = stepper.step(live.tokens[:, :, -1].flatten(), state)
        ended, live, parent_BK = _advance(live, log_probability_NV, stepper.eos)
        finished_B = finished_B + ended.real.sum(1)
        done_B = (finished_B >= beam_size) | (length >= limit_B) | ~live.real.any(1)
        # The one wait for the device in a step where nothing ends.
        any_ended, any_done = torch.stack([ended.real.any(), done_B.any()]).tolist()
        if any_ended:
            for row, total, pieces in _hypotheses(ended, ended.real):
                found[places[row]].append(hypothesis(pieces, total, config.length_penalty, finished=True))
        row_BK = parent_BK + beam_size * torch.arange(len(places), device=parent_BK.device)[:, None]
        if not any_done:
            state = stepper.select(state, row_BK.flatten(), None)
            continue
        for row, total, pieces in _hypotheses(live, live.real & done_B[:, None]):
            if len(found[places[row]]) < config.n_best:
                found[places[row]].append(hypothesis(pieces, total, config.length_penalty, finished=False))
        stay_B = (~done_B).nonzero().flatten()
        places = [places[row] for row in stay_B.tolist()]
        if places:
            live = Rows(live.total[stay_B], live.tokens[stay_B])
            limit_B, finished_B = limit_B[stay_B], finished_B[stay_B]
            state = stepper.select(state, row_BK[stay_B].flatten(), stay_B)
    return [_best_first(hypotheses)[: config.n_best] or [NOTHING] for hypotheses in found]


def _first(limit_B: Tensor, beam_size: int, bos: int) -> Rows:
    """The beginning of sentence, real in one row only lest the same hypothesis fill the beam."""
    total_BK = torch.full((len(limit_B), beam_size), -math.inf, device=limit_B.device)
    total_BK[:, 0] = 0.0
    return Rows(total_BK, torch.full_like(total_BK, bos, dtype=torch.int64)[:, :, None])


def _advance(live: Rows, log_probability_NV: Tensor, eos: int) -> tuple[Rows, Rows, Tensor]:
    """One step: the hypotheses that end, those that go on, and which old row (B, K), 0..K-1, each of these continues.

    Of the 2K best candidates of a sentence, those that end and rank among the first K have ended, and the first K
    of the others go on. A row has one way to end, so at least K of the 2K do not.
    """
    sentences, beam_size = live.total.shape
    total_BKV = live.total[:, :, None] + log_probability_NV.reshape(sentences, beam_size, -1)
    total_BC, flat_BC = total_BKV.flatten(1).topk(2 * beam_size)
    parent_BC, piece_BC = flat_BC // total_BKV.size(2), flat_BC % total_BKV.size(2)
    tokens_BCT = live.tokens.gather(1, _along(parent_BC, live.tokens))
    tokens_BCT = torch.cat([tokens_BCT, piece_BC[:, :, None]], dim=2)

    is_end_BC = piece_BC == eos
    ended_total_BK = total_BC[:, :beam_size].masked_fill(~is_end_BC[:, :beam_size], -math.inf)
    # A stable sort moves the ends behind the others and leaves these best first.
    kept_BK = is_end_BC.to(torch.uint8).argsort(dim=1, stable=True)[:, :beam_size]
    ended = Rows(ended_total_BK, tokens_BCT[:, :beam_size])
    kept = Rows(total_BC.gather(1, kept_BK), tokens_BCT.gather(1, _along(kept_BK, tokens_BCT)))
    return ended, kept, parent_BC.gather(1, kept_BK)


def _along(index_BK: Tensor, tokens_BKT: Tensor) -> Tensor:
    """The index repeated over all pieces, as `gather` wants it."""
    return index_BK[:, :, None].expand(-1, -1, tokens_BKT.size(2))


def _hypotheses(rows: Rows, chosen_BK: Tensor) -> Iterator[tuple[int, float, list[int]]]:
    """(sentence, log-probability, pieces after the beginning of sentence) of the chosen rows, best first."""
    sentences = chosen_BK.nonzero()[:, 0].tolist()
    return zip(sentences, rows.total[chosen_BK].tolist(), rows.tokens[chosen_BK][:, 1:].tolist(), strict=True)


def _best_first(hypotheses: list[Hypothesis]) -> list[Hypothesis]:
    """Finished before cut, then by score."""
    return sorted(hypotheses, key=lambda one: (one.finished, one.score), reverse=True)
