"""Beam search: keep the K most probable hypotheses of every sentence, for all sentences at once.

Scores are computed and ranked on the device. The chosen totals, rows and tokens are copied to the host once per
step; token histories and finished hypotheses are kept there.

Shapes: B sentences still in the batch, K beam size, N = B * K rows (row n belongs to sentence n // K; the first step
has one row per sentence), C = 2 * K candidates, V vocabulary, T tokens so far, BOS included.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from seq2seq.portable.hypothesis import ranked
from seq2seq.search.config import SearchConfig
from seq2seq.search.hypothesis import Hypothesis, make_hypothesis
from seq2seq.search.prefix import length_limits
from seq2seq.search.repetition import with_repetition_settings
from seq2seq.search.stepper import State, Stepper
from seq2seq.search.topk import top_continuations
from seq2seq.system.device import to_device, to_host


class Beam(NamedTuple):
    """The K unfinished hypotheses of every sentence, best first, on the host. Rows of total ``-inf`` are padding."""

    total_BK: Tensor
    """Log-probability so far."""
    tokens_NT: Tensor


class Finished(NamedTuple):
    """Candidates among the best K that end with EOS; the total is ``-inf`` where a candidate does not."""

    total_BK: Tensor
    row_BK: Tensor
    """The row n that each candidate continues."""


@dataclass
class SentenceSearch:
    """The search of one sentence: its length limit and the hypotheses collected so far."""

    limit: int
    """Maximum number of tokens of a hypothesis, EOS included."""
    hypotheses: list[Hypothesis] = field(default_factory=list)

    def best(self, count: int) -> list[Hypothesis]:
        """Return the best hypotheses: finished before unfinished, then by score."""
        return ranked(self.hypotheses)[:count]


@torch.no_grad()
def beam_search(stepper: Stepper[State], config: SearchConfig) -> list[list[Hypothesis]]:
    """Return up to ``n_best`` hypotheses per sentence, best first, in batch order.

    A sentence is complete when K hypotheses have finished (the stopping rule of fairseq), at its own maximum length,
    or when no continuation is possible. It then leaves the batch. Hypotheses cut at the maximum length rank after
    finished ones and only fill up ``n_best``, so the best hypothesis does not depend on ``n_best``. If the stepper
    excludes every token, the sentence gets `NO_HYPOTHESIS`.

    Raises:
        ConfigError: ``n_best`` exceeds ``beam_size``.
    """
    config.check()
    sentences = start_sentences(stepper, config)
    for _ in beam_steps(stepper, config, sentences):
        pass
    return [sentence.best(config.n_best) for sentence in sentences]


def start_sentences(stepper: Stepper[State], config: SearchConfig) -> list[SentenceSearch]:
    """Return an empty search for every sentence of the stepper."""
    return [SentenceSearch(limit) for limit in length_limits(stepper, config).tolist()]


def beam_steps(stepper: Stepper[State], config: SearchConfig, sentences: list[SentenceSearch]) -> Iterator[Beam]:
    """Run the search and yield the beam after every step, of the sentences that were incomplete before that step.

    Hypotheses are added to ``sentences``.
    """
    beam_size, device = config.beam_size, stepper.source_lengths.device
    stepper = with_repetition_settings(stepper, config)
    state, beam = stepper.start(1), initial_beam(stepper)
    total_BK, token_BK = (to_device(part, device) for part in beam)
    while sentences:
        log_probability_NV, state = stepper.step(token_BK.flatten(), state)
        finished, total_BK, row_BK, token_BK = advance(total_BK, log_probability_NV, beam_size, stepper.eos)
        del log_probability_NV  # the largest tensor of the search: free it before the next step
        # The only synchronization with the device in a step. The bookkeeping below runs on the host.
        *finished_on_host, total_on_host_BK, row_on_host_BK, token_on_host_BK = to_host(
            *finished, total_BK, row_BK, token_BK
        )
        *finished_KB, best_B = torch.cat([finished_on_host[0], total_on_host_BK[:, :1]], dim=1).T.tolist()
        if any(total != -math.inf for total_B in finished_KB for total in total_B):
            collect_finished(sentences, Finished(*finished_on_host), beam.tokens_NT, config, stepper.eos)
        length = beam.tokens_NT.size(1)
        beam = Beam(total_on_host_BK, append_tokens(beam.tokens_NT, row_on_host_BK, token_on_host_BK))
        yield beam
        keep = [
            index
            for index, (sentence, total) in enumerate(zip(sentences, best_B, strict=True))
            if len(sentence.hypotheses) < beam_size and length < sentence.limit and math.isfinite(total)
        ]
        if len(keep) == len(sentences):
            state = stepper.select(state, row_BK.flatten(), None)
            continue
        collect_unfinished(sentences, sorted({*range(len(sentences))} - {*keep}), beam, config)
        sentences = [sentences[index] for index in keep]
        if sentences:
            beam, row_BK, keep_B = keep_sentences(beam, row_on_host_BK, keep)
            total_BK, token_BK = to_device(beam.total_BK, device), to_device(beam.tokens_NT[:, -1], device)
            state = stepper.select(state, to_device(row_BK.flatten(), device), to_device(keep_B, device))


def initial_beam(stepper: Stepper[State]) -> Beam:
    """Return one row per sentence that holds BOS; the first step expands it to K rows."""
    return Beam(torch.zeros(stepper.sentences, 1), torch.full((stepper.sentences, 1), stepper.bos))


def advance(
    total_BK: Tensor, log_probability_NV: Tensor, beam_size: int, eos: int
) -> tuple[Finished, Tensor, Tensor, Tensor]:
    """Take one step over the 2K best candidates: EOS among the best K finishes, and the best K without EOS continue.

    A row has one way to end, so at least K of the 2K candidates do not end. Fewer than 2K candidates exist only if
    the single row of the first step meets a small vocabulary; padding of total ``-inf`` fills the rest.

    Returns:
        the finished candidates, and of the continued ones the total, the row n they continue and the token, all (B, K).
    """
    sentences, rows = total_BK.shape
    log_probability_BKV = log_probability_NV.view(sentences, rows, -1)
    count = min(2 * beam_size, rows * log_probability_BKV.size(2))
    total_BC, parent_BC, token_BC = top_continuations(total_BK, log_probability_BKV, count)
    if count < 2 * beam_size:
        missing = (0, 2 * beam_size - count)
        total_BC = nn.functional.pad(total_BC, missing, value=-math.inf)
        parent_BC, token_BC = nn.functional.pad(parent_BC, missing), nn.functional.pad(token_BC, missing, value=eos)
    row_BC = parent_BC + torch.arange(0, sentences * rows, rows, device=parent_BC.device).unsqueeze(1)
    is_eos_BC = token_BC == eos
    finished = Finished(total_BC.where(is_eos_BC, -math.inf)[:, :beam_size], row_BC[:, :beam_size])
    kept_total_BK, kept_BK = total_BC.masked_fill(is_eos_BC, -math.inf).topk(beam_size)
    return finished, kept_total_BK, row_BC.gather(1, kept_BK), token_BC.gather(1, kept_BK)


def append_tokens(tokens_NT: Tensor, row_BK: Tensor, token_BK: Tensor) -> Tensor:
    """Return the selected rows, each with its new token (N, T + 1)."""
    return torch.cat([tokens_NT.index_select(0, row_BK.flatten()), token_BK.view(-1, 1)], dim=1)


def keep_sentences(beam: Beam, row_BK: Tensor, keep: list[int]) -> tuple[Beam, Tensor, Tensor]:
    """Return the beam and the rows of the kept sentences, and their indices (B,); all on the host."""
    keep_B = torch.tensor(keep, dtype=torch.int64)
    tokens_NT = beam.tokens_NT.view(*row_BK.shape, -1)[keep_B].flatten(0, 1)
    return Beam(beam.total_BK[keep_B], tokens_NT), row_BK[keep_B], keep_B


def collect_finished(
    sentences: list[SentenceSearch], finished: Finished, tokens_NT: Tensor, config: SearchConfig, eos: int
) -> None:
    """Add the hypotheses that end in this step to their sentences."""
    is_real_BK = finished.total_BK.isfinite()
    indices = is_real_BK.nonzero()[:, 0].tolist()
    totals, histories = finished.total_BK[is_real_BK].tolist(), tokens_NT[finished.row_BK[is_real_BK], 1:].tolist()
    for index, total, history in zip(indices, totals, histories, strict=True):
        sentences[index].hypotheses.append(
            make_hypothesis([*history, eos], total, config.length_penalty, finished=True)
        )


def collect_unfinished(sentences: list[SentenceSearch], done: list[int], beam: Beam, config: SearchConfig) -> None:
    """Fill up ``n_best`` of complete sentences with their unfinished hypotheses."""
    tokens_BKT = beam.tokens_NT.view(*beam.total_BK.shape, -1)
    for index in done:
        missing = max(0, config.n_best - len(sentences[index].hypotheses))
        for rank, total in enumerate(beam.total_BK[index, :missing].tolist()):
            if total != -math.inf:
                tokens = tokens_BKT[index, rank, 1:].tolist()
                sentences[index].hypotheses.append(
                    make_hypothesis(tokens, total, config.length_penalty, finished=False)
                )
