"""Ancestral sampling: draw every next token from the model's distribution.

Shapes: B sentences still in the batch, K samples per sentence, N = B * K rows (row n belongs to sentence n // K),
V vocabulary, T tokens so far, BOS included, L maximum length.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq.search.config import SearchConfig
from seq2seq.search.hypothesis import NO_HYPOTHESIS, Hypothesis, make_hypothesis
from seq2seq.search.prefix import length_limits
from seq2seq.search.repetition import with_repetition_settings
from seq2seq.search.stepper import State, Stepper
from seq2seq.system.device import to_device, to_host


class HostRows(NamedTuple):
    """Samples on the host. A finished one pads its row until its sentence needs fewer rows."""

    tokens_NT: Tensor
    total_N: Tensor
    """Log-probability so far."""
    limit_N: Tensor
    """Maximum number of tokens, EOS included."""

    def select(self, rows_N: Tensor) -> "HostRows":
        """Return these rows, in this order."""
        return HostRows(*(part.index_select(0, rows_N) for part in self))


class DeviceRows(NamedTuple):
    """Inputs of the next draw, on the device."""

    token_N: Tensor
    """The last token."""
    total_N: Tensor
    uniform_NL: Tensor | None
    """Random numbers in [0, 1) for every draw; None: use torch's global generator."""

    def select(self, rows_N: Tensor) -> "DeviceRows":
        """Return these rows, in this order."""
        return DeviceRows(*(None if part is None else part.index_select(0, rows_N) for part in self))  # type: ignore[arg-type]

    def uniform(self, length: int) -> Tensor | None:
        """Return the random numbers (N, 1) for drawing token number ``length``, counted from 1."""
        return None if self.uniform_NL is None else self.uniform_NL[:, length - 1 : length]


@torch.no_grad()
def sample(stepper: Stepper[State], config: SearchConfig, seeds: Sequence[int] | None = None) -> list[list[Hypothesis]]:
    """Draw ``config.rows`` translations of every sentence from p ** (1 / temperature), renormalized at each step.

    A sample ends at EOS or at its sentence's maximum length. Its log-probability is the model's, whatever the
    temperature. If the stepper excludes every token, the sample is `NO_HYPOTHESIS`.

    Args:
        stepper: the model, bound to the sentences.
        config: settings of ``search.method=sampling`` or ``minimum_bayes_risk``.
        seeds: one per sentence. A sentence's samples depend on its seed alone, and fewer samples are the first of
            more. None: use torch's global generator.
    """
    count = config.rows
    hypotheses = [[NO_HYPOTHESIS] * count for _ in range(stepper.sentences)]
    # For each sentence of the batch, its index in `hypotheses` and the sample number that each of its rows holds.
    assignment = [(sentence, list[int | None](range(count))) for sentence in range(stepper.sentences)]
    (limit_B,), device = to_host(length_limits(stepper, config)), stepper.source_lengths.device
    limit_N = limit_B.repeat_interleave(count)
    uniform_NL = None if seeds is None else to_device(random_numbers(seeds, limit_B.tolist(), count), device)
    rows = HostRows(torch.full_like(limit_N, stepper.bos)[:, None], torch.zeros(len(limit_N)), limit_N)
    last = DeviceRows(to_device(rows.tokens_NT[:, 0], device), to_device(rows.total_N, device), uniform_NL)
    stepper = with_repetition_settings(stepper, config)
    state = stepper.start(count)
    while assignment:
        log_probability_NV, state = stepper.step(last.token_N, state)
        length = rows.tokens_NT.size(1)
        token_N = draw_tokens(log_probability_NV, config.temperature, config.top_k, config.top_p, last.uniform(length))
        total_N = last.total_N + log_probability_NV.gather(1, token_N[:, None]).squeeze(1)
        del log_probability_NV  # the largest tensor of a step: free it before the next step
        last = last._replace(token_N=token_N, total_N=total_N)
        # The only synchronization with the device in a step. The bookkeeping below runs on the host.
        token_N, total_N = to_host(token_N, total_N)
        rows = rows._replace(tokens_NT=torch.cat([rows.tokens_NT, token_N[:, None]], dim=1), total_N=total_N)
        finished_N, possible_N = token_N == stepper.eos, total_N.isfinite()
        done_N = finished_N | ~possible_N | (length >= rows.limit_N)
        done, finished, possible = torch.stack([done_N, finished_N, possible_N]).tolist()
        if not _collect_done(hypotheses, assignment, rows, done, finished, possible, config.length_penalty):
            continue
        kept_rows, kept_sentences = _rows_to_keep(assignment)
        if len(kept_rows) < len(done):
            rows_N = torch.tensor(kept_rows, dtype=torch.int64)
            rows = rows.select(rows_N)
            if kept_sentences:
                rows_N = to_device(rows_N, device)
                last = last.select(rows_N)
                all_stay = len(kept_sentences) == len(assignment)
                sentences_B = None if all_stay else to_device(torch.tensor(kept_sentences), device)
                state = stepper.select(state, rows_N, sentences_B)
            assignment = _reassign(assignment, kept_rows, kept_sentences)
    return hypotheses


def random_numbers(seeds: Sequence[int], limits: Sequence[int], count: int) -> Tensor:
    """Return uniform numbers (N, L) in [0, 1) for ``count`` samples of every sentence, each sentence by its seed."""
    table = torch.zeros(len(seeds), count, max(limits, default=0))
    for row, (seed, limit) in enumerate(zip(seeds, limits, strict=True)):
        table[row, :, :limit] = torch.rand(count, limit, generator=torch.Generator().manual_seed(seed))
    return table.flatten(0, 1)


def draw_tokens(
    log_probability_NV: Tensor,
    temperature: float,
    top_k: int | None = None,
    top_p: float = 1.0,
    uniform_N1: Tensor | None = None,
) -> Tensor:
    """Draw one token per row (N,) from p ** (1 / temperature), by inverting the cumulative distribution.

    This needs one random number per row. On a CPU, one per token (the Gumbel trick) takes ten times as long.

    Args:
        log_probability_NV: log-probabilities.
        temperature: above 0.
        top_k: see `truncate`.
        top_p: see `truncate`.
        uniform_N1: random numbers in [0, 1); None: use torch's global generator.
    """
    weight_NV = log_probability_NV
    if temperature != 1:
        # Scale the largest weight to 1; otherwise a low temperature rounds all weights to zero.
        best_N1 = weight_NV.amax(1, keepdim=True).clamp(min=torch.finfo(weight_NV.dtype).min)
        weight_NV = (weight_NV - best_N1) / temperature
    sum_NV = truncate(weight_NV, top_k, top_p).exp().cumsum(1)
    threshold_N1 = (torch.rand_like(sum_NV[:, :1]) if uniform_N1 is None else uniform_N1) * sum_NV[:, -1:]
    # To the right of equal sums, so that no token of weight zero is drawn; clamped where all weights are zero.
    return torch.searchsorted(sum_NV, threshold_N1, right=True).squeeze(1).clamp_(max=sum_NV.size(1) - 1)


def truncate(log_weight_NV: Tensor, top_k: int | None, top_p: float) -> Tensor:
    """Set the log-weights of tokens outside top-k and the nucleus to ``-inf``. The weights need no particular sum.

    First keeps the ``top_k`` largest (Fan et al. 2018, §5), then the fewest of these whose sum is at least ``top_p``
    of theirs (nucleus sampling, Holtzman et al. 2020, §3.1). Among equal weights, lower tokens come first. At least
    one possible token stays.
    """
    if top_k is None and top_p == 1:
        return log_weight_NV
    sorted_NV, token_NV = log_weight_NV.sort(dim=1, descending=True, stable=True)
    if top_k is not None:
        sorted_NV[:, top_k:] = -math.inf
    if top_p < 1:
        share_NV = sorted_NV.double().softmax(1)
        before_NV = share_NV.cumsum(1) - share_NV
        sorted_NV = sorted_NV.masked_fill(before_NV >= top_p, -math.inf)
    return sorted_NV.new_full(sorted_NV.shape, -math.inf).scatter_(1, token_NV, sorted_NV)


Assignment = list[tuple[int, list[int | None]]]
"""For each sentence of the batch, its original index and the sample number of each of its rows; None: padding."""


def _collect_done(
    hypotheses: list[list[Hypothesis]],
    assignment: Assignment,
    rows: HostRows,
    done: list[bool],
    finished: list[bool],
    possible: list[bool],
    length_penalty: float,
) -> bool:
    """Add the samples that are done in this step to ``hypotheses``; return whether there are any."""
    row, collected = -1, []
    for sentence, samples in assignment:
        for slot, number in enumerate(samples):
            row += 1
            if number is not None and done[row]:
                samples[slot] = None
                collected.append((row, sentence, number))
    if collected:
        index = torch.tensor([row for row, _, _ in collected])
        totals, histories = rows.total_N[index].tolist(), rows.tokens_NT[index, 1:].tolist()
        for (row, sentence, number), total, tokens in zip(collected, totals, histories, strict=True):
            if possible[row]:
                hypothesis = make_hypothesis(tokens, total, length_penalty, finished=finished[row])
                hypotheses[sentence][number] = hypothesis
    return bool(collected)


def _rows_to_keep(assignment: Assignment) -> tuple[list[int], list[int]]:
    """Return the rows and the sentences to keep: per sentence as many rows as the one with most open samples needs."""
    width = len(assignment[0][1])
    open_slots = [[slot for slot, number in enumerate(samples) if number is not None] for _, samples in assignment]
    needed = max(map(len, open_slots))
    sentences = [index for index, slots in enumerate(open_slots) if slots]
    rows = []
    for index in sentences:
        padding = [slot for slot in range(width) if slot not in open_slots[index]]
        rows += [index * width + slot for slot in (open_slots[index] + padding)[:needed]]
    return rows, sentences


def _reassign(assignment: Assignment, rows: list[int], sentences: list[int]) -> Assignment:
    """Return the assignment of the kept rows, equally many for each kept sentence."""
    numbers = [number for _, samples in assignment for number in samples]
    width = len(rows) // max(1, len(sentences))
    kept = [numbers[row] for row in rows]
    return [(assignment[index][0], kept[n * width : (n + 1) * width]) for n, index in enumerate(sentences)]
