"""Ancestral sampling: every next piece is drawn, not chosen.

Shapes: B sentences still sampled, K samples of each, N = B * K rows (row n belongs to sentence n // K), V vocabulary,
T pieces so far, the beginning of sentence included.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq.search.config import SearchConfig
from seq2seq.search.hypothesis import NOTHING, Hypothesis, hypothesis
from seq2seq.search.prefix import length_limits
from seq2seq.search.stepper import State, Stepper
from seq2seq.search.truncation import truncated
from seq2seq.system.device import to_device, to_host


class OnHost(NamedTuple):
    """Samples under way. One that is done only fills its row until its sentence has no use for so many rows."""

    tokens_NT: Tensor
    total_N: Tensor
    """Log-probability so far."""
    limit_N: Tensor
    """Most pieces, end of sentence included."""

    def select(self, rows_N: Tensor) -> "OnHost":
        """These rows, in this order."""
        return OnHost(*(part.index_select(0, rows_N) for part in self))


class OnDevice(NamedTuple):
    """What the next draw needs of them."""

    piece_N: Tensor
    """The last."""
    total_N: Tensor
    chance_NL: Tensor | None
    """The random numbers of every draw to come, within [0, 1); None: torch's own generator makes them."""

    def select(self, rows_N: Tensor) -> "OnDevice":
        """These rows, in this order."""
        return OnDevice(*(None if part is None else part.index_select(0, rows_N) for part in self))  # type: ignore[arg-type]

    def chance(self, length: int) -> Tensor | None:
        """The random numbers (N, 1) of the draw of piece ``length``, the first being 1."""
        return None if self.chance_NL is None else self.chance_NL[:, length - 1 : length]


@torch.no_grad()
def sample(
    stepper: Stepper[State],
    config: SearchConfig,
    count: int,
    temperature: float = 1.0,
    *,
    top_k: int | None = None,
    top_p: float = 1.0,
    seeds: Sequence[int] | None = None,
) -> list[list[Hypothesis]]:
    """``count`` translations of every sentence, drawn one by one from p ** (1 / temperature), renormalised each step.

    A sample ends at its end of sentence or its sentence's maximum length; its log-probability is the stepper's own,
    whatever the temperature. One that the stepper leaves no piece has no tokens and log-probability ``-inf``.

    Args:
        stepper: the model, bound to the sentences.
        config: the length limits and the length penalty.
        count: samples of each sentence.
        temperature: above 0.
        top_k: draw from the likeliest so many pieces only.
        top_p: draw from the nucleus of this probability only (`truncated`).
        seeds: one of each sentence, on which alone its draws depend, the first samples of more being those of fewer;
            None: they come from torch's own generator.
    """
    found = [[NOTHING] * count for _ in range(stepper.sentences)]
    # For each sentence of the batch: where it belongs in `found`, and for each of its rows the sample it holds.
    places = [(sentence, list[int | None](range(count))) for sentence in range(stepper.sentences)]
    (limit_B,), device = to_host(length_limits(stepper, config)), stepper.source_lengths.device
    limit_N = limit_B.repeat_interleave(count)
    chance_NL = None if seeds is None else to_device(chances(seeds, limit_B.tolist(), count), device)
    rows = OnHost(torch.full_like(limit_N, stepper.bos)[:, None], torch.zeros(len(limit_N)), limit_N)
    last = OnDevice(to_device(rows.tokens_NT[:, 0], device), to_device(rows.total_N, device), chance_NL)
    state = stepper.start(count)
    while places:
        log_probability_NV, state = stepper.step(last.piece_N, state)
        length = rows.tokens_NT.size(1)
        piece_N = drawn(log_probability_NV, temperature, top_k, top_p, last.chance(length))
        total_N = last.total_N + log_probability_NV.gather(1, piece_N[:, None]).squeeze(1)
        del log_probability_NV  # the largest tensor of a step: make room for the next
        last = last._replace(piece_N=piece_N, total_N=total_N)
        # The one wait for the device in a step. What follows, but for the stepper's own, is on the host.
        piece_N, total_N = to_host(piece_N, total_N)
        rows = rows._replace(tokens_NT=torch.cat([rows.tokens_NT, piece_N[:, None]], dim=1), total_N=total_N)
        ended_N, possible_N = piece_N == stepper.eos, total_N.isfinite()
        done_N = ended_N | ~possible_N | (length >= rows.limit_N)
        done, ended, possible = torch.stack([done_N, ended_N, possible_N]).tolist()
        if not _collect(found, places, rows, done, ended, possible, config.length_penalty):
            continue
        chosen, stay = _needed(places)
        if len(chosen) < len(done):
            rows_N = torch.tensor(chosen, dtype=torch.int64)
            rows = rows.select(rows_N)
            if stay:
                rows_N = to_device(rows_N, device)
                last = last.select(rows_N)
                left = None if len(stay) == len(places) else to_device(torch.tensor(stay), device)
                state = stepper.select(state, rows_N, left)
            places = _renumbered(places, chosen, stay)
    return found


def chances(seeds: Sequence[int], limits: Sequence[int], count: int) -> Tensor:
    """Uniform numbers (N, L) for ``count`` samples of every sentence, in [0, 1), each sentence's by its own seed."""
    table = torch.zeros(len(seeds), count, max(limits, default=0))
    for row, (seed, limit) in enumerate(zip(seeds, limits, strict=True)):
        table[row, :, :limit] = torch.rand(count, limit, generator=torch.Generator().manual_seed(seed))
    return table.flatten(0, 1)


def drawn(
    log_probability_NV: Tensor,
    temperature: float,
    top_k: int | None = None,
    top_p: float = 1.0,
    chance_N1: Tensor | None = None,
) -> Tensor:
    """A piece of every row (N,): where in the running sum of p ** (1 / temperature) a uniform number falls.

    One random number a row: a CPU takes ten times as long to make one for every piece (Gumbel's way) as to add up.
    ``chance_N1`` holds these numbers; without it torch's own generator makes them. The other two are `truncated`'s.
    """
    share_NV = log_probability_NV
    if temperature != 1:
        # The likeliest piece's share becomes 1: a low temperature would else round all of them to zero.
        best_N1 = share_NV.amax(1, keepdim=True).clamp(min=torch.finfo(share_NV.dtype).min)
        share_NV = (share_NV - best_N1) / temperature
    sum_NV = truncated(share_NV, top_k, top_p).exp().cumsum(1)
    place_N1 = (torch.rand_like(sum_NV[:, :1]) if chance_N1 is None else chance_N1) * sum_NV[:, -1:]
    # To the right of all equal sums, so that no piece of share zero is found; past the end where all are zero.
    return torch.searchsorted(sum_NV, place_N1, right=True).squeeze(1).clamp_(max=sum_NV.size(1) - 1)


Places = list[tuple[int, list[int | None]]]


def _collect(
    found: list[list[Hypothesis]],
    places: Places,
    rows: OnHost,
    done: list[bool],
    ended: list[bool],
    possible: list[bool],
    length_penalty: float,
) -> bool:
    """Put what is done in this step among the samples found; whether anything was."""
    row, finished = -1, []
    for sentence, samples in places:
        for slot, number in enumerate(samples):
            row += 1
            if number is not None and done[row]:
                samples[slot] = None
                finished.append((row, sentence, number))
    if finished:
        index = torch.tensor([row for row, _, _ in finished])
        totals, pieces = rows.total_N[index].tolist(), rows.tokens_NT[index, 1:].tolist()
        for (row, sentence, number), total, tokens in zip(finished, totals, pieces, strict=True):
            if possible[row]:
                found[sentence][number] = hypothesis(tokens, total, length_penalty, finished=ended[row])
    return bool(finished)


def _needed(places: Places) -> tuple[list[int], list[int]]:
    """Rows to go on with, as many of every sentence as the one with most samples under way needs; and sentences."""
    width = len(places[0][1])
    under_way = [[slot for slot, number in enumerate(samples) if number is not None] for _, samples in places]
    most = max(map(len, under_way))
    stay = [place for place, slots in enumerate(under_way) if slots]
    chosen = []
    for place in stay:
        others = [slot for slot in range(width) if slot not in under_way[place]]
        chosen += [place * width + slot for slot in (under_way[place] + others)[:most]]
    return chosen, stay


def _renumbered(places: Places, chosen: list[int], stay: list[int]) -> Places:
    """The places of the rows that were chosen, equally many of each sentence that stays."""
    numbers = [number for _, samples in places for number in samples]
    most = len(chosen) // max(1, len(stay))
    kept = [numbers[row] for row in chosen]
    return [(places[place][0], kept[index * most : (index + 1) * most]) for index, place in enumerate(stay)]
