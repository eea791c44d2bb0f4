"""Beam search: all hypotheses of all sentences at a time.

Tensors on the device choose among candidates. What they choose is copied to the host once a step, the only time that it
waits: there the pieces of every hypothesis are kept, and counted which sentence is done.

Shapes: B sentences still searched, K beam, N = B * K rows (row n belongs to sentence n // K; in the first step there is
one row a sentence), C = 2 * K candidates, V vocabulary, T pieces so far, the beginning of sentence included.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from seq2seq.search.candidates import candidates
from seq2seq.search.config import SearchConfig
from seq2seq.search.hypothesis import NOTHING, Hypothesis, hypothesis
from seq2seq.search.prefix import length_limits
from seq2seq.search.stepper import State, Stepper
from seq2seq.system.device import to_device, to_host


class Live(NamedTuple):
    """K hypotheses per sentence, best first, on the host. One of log-probability ``-inf`` only fills its row."""

    total_BK: Tensor
    """Log-probability so far."""
    tokens_NT: Tensor


class Ended(NamedTuple):
    """Candidates among the first K that end their sentence; ``-inf`` where one does not."""

    total_BK: Tensor
    row_BK: Tensor
    """The row n each continues."""


@dataclass
class Searched:
    """A sentence while it is searched."""

    limit: int
    """Most pieces of a hypothesis, end of sentence included."""
    found: list[Hypothesis] = field(default_factory=list)

    def best(self, count: int) -> list[Hypothesis]:
        """Finished before cut, then by score."""
        ranked = sorted(self.found, key=lambda one: (one.finished, one.score), reverse=True)
        return ranked[:count] or [NOTHING]


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
    everyone = begun(stepper, config)
    for _ in steps(stepper, config, everyone):
        pass
    return [sentence.best(config.n_best) for sentence in everyone]


def begun(stepper: Stepper[State], config: SearchConfig) -> list[Searched]:
    """Every sentence before its first piece."""
    return [Searched(limit) for limit in length_limits(stepper, config).tolist()]


def steps(stepper: Stepper[State], config: SearchConfig, searched: list[Searched]) -> Iterator[Live]:
    """The search piece by piece, for `beam` or whoever wants to watch: what is live after each step.

    What is found stands in ``searched``, a sentence each; the sentences whose hypotheses are live are those that were
    not done a step before.
    """
    beam_size, device = config.beam_size, stepper.source_lengths.device
    state, live = stepper.start(1), first(stepper)
    total_BK, piece_BK = (to_device(part, device) for part in live)
    while searched:
        log_probability_NV, state = stepper.step(piece_BK.flatten(), state)
        own_ended, total_BK, row_BK, piece_BK = advance(total_BK, log_probability_NV, beam_size, stepper.eos)
        del log_probability_NV  # the largest tensor of a search: make room for the next
        # The one wait for the device in a step. What follows, but for the stepper's own, is on the host.
        *ended, total_on_host_BK, row_on_host_BK, piece_on_host_BK = to_host(*own_ended, total_BK, row_BK, piece_BK)
        *ended_KB, live_B = torch.cat([ended[0], total_on_host_BK[:, :1]], dim=1).T.tolist()
        if any(total != -math.inf for total_B in ended_KB for total in total_B):
            collect_ended(searched, Ended(*ended), live.tokens_NT, config, stepper.eos)
        length = live.tokens_NT.size(1)
        live = Live(total_on_host_BK, continued(live.tokens_NT, row_on_host_BK, piece_on_host_BK))
        yield live
        stay = [
            place
            for place, (sentence, total) in enumerate(zip(searched, live_B, strict=True))
            if len(sentence.found) < beam_size and length < sentence.limit and math.isfinite(total)
        ]
        if len(stay) == len(searched):
            state = stepper.select(state, row_BK.flatten(), None)
            continue
        collect_cut(searched, sorted({*range(len(searched))} - {*stay}), live, config)
        searched = [searched[place] for place in stay]
        if searched:
            live, row_BK, stay_B = staying(live, row_on_host_BK, stay)
            total_BK, piece_BK = to_device(live.total_BK, device), to_device(live.tokens_NT[:, -1], device)
            state = stepper.select(state, to_device(row_BK.flatten(), device), to_device(stay_B, device))


def staying(live: Live, row_BK: Tensor, stay: list[int]) -> tuple[Live, Tensor, Tensor]:
    """Of the sentences that stay what is live, the rows continued, and their places (B,); all on the host."""
    stay_B = torch.tensor(stay, dtype=torch.int64)
    tokens_NT = live.tokens_NT.view(*row_BK.shape, -1)[stay_B].flatten(0, 1)
    return Live(live.total_BK[stay_B], tokens_NT), row_BK[stay_B], stay_B


def first(stepper: Stepper[State]) -> Live:
    """The beginning of sentence: one row a sentence, from which the first step makes K."""
    return Live(torch.zeros(stepper.sentences, 1), torch.full((stepper.sentences, 1), stepper.bos))


def advance(
    total_BK: Tensor, log_probability_NV: Tensor, beam_size: int, eos: int
) -> tuple[Ended, Tensor, Tensor, Tensor]:
    """One step: the hypotheses that end; of those that go on the log-probability, the row continued and the piece.

    Of the 2K best candidates of a sentence, those that end and rank among the first K have ended, and the first K
    of the others go on. A row has one way to end, so at least K of the 2K do not. There are fewer than 2K candidates
    only where the first row of all meets a vocabulary of fewer pieces; hypotheses that are none then make up K.
    """
    sentences, rows = total_BK.shape
    log_probability_BKV = log_probability_NV.view(sentences, rows, -1)
    count = min(2 * beam_size, rows * log_probability_BKV.size(2))
    total_BC, parent_BC, piece_BC = candidates(total_BK, log_probability_BKV, count)
    if count < 2 * beam_size:
        missing = (0, 2 * beam_size - count)
        total_BC = nn.functional.pad(total_BC, missing, value=-math.inf)
        parent_BC, piece_BC = nn.functional.pad(parent_BC, missing), nn.functional.pad(piece_BC, missing, value=eos)
    row_BC = parent_BC + torch.arange(0, sentences * rows, rows, device=parent_BC.device).unsqueeze(1)
    is_end_BC = piece_BC == eos
    ended = Ended(total_BC.where(is_end_BC, -math.inf)[:, :beam_size], row_BC[:, :beam_size])
    kept_total_BK, kept_BK = total_BC.masked_fill(is_end_BC, -math.inf).topk(beam_size)
    return ended, kept_total_BK, row_BC.gather(1, kept_BK), piece_BC.gather(1, kept_BK)


def continued(tokens_NT: Tensor, row_BK: Tensor, piece_BK: Tensor) -> Tensor:
    """The chosen rows, each with its new piece."""
    return torch.cat([tokens_NT.index_select(0, row_BK.flatten()), piece_BK.view(-1, 1)], dim=1)


def collect_ended(searched: list[Searched], ended: Ended, tokens_NT: Tensor, config: SearchConfig, eos: int) -> None:
    """Put what ends in this step among the hypotheses found."""
    is_real_BK = ended.total_BK.isfinite()
    sentences = is_real_BK.nonzero()[:, 0].tolist()
    totals, histories = ended.total_BK[is_real_BK].tolist(), tokens_NT[ended.row_BK[is_real_BK], 1:].tolist()
    for sentence, total, history in zip(sentences, totals, histories, strict=True):
        searched[sentence].found.append(hypothesis([*history, eos], total, config.length_penalty, finished=True))


def collect_cut(searched: list[Searched], done: list[int], live: Live, config: SearchConfig) -> None:
    """Make up ``n_best`` with what a finished search leaves unfinished."""
    tokens_BKT = live.tokens_NT.view(*live.total_BK.shape, -1)
    for place in done:
        missing = max(0, config.n_best - len(searched[place].found))
        for rank, total in enumerate(live.total_BK[place, :missing].tolist()):
            if total != -math.inf:
                pieces = tokens_BKT[place, rank, 1:].tolist()
                searched[place].found.append(hypothesis(pieces, total, config.length_penalty, finished=False))
