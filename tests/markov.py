"""A test model for search: log-probabilities that depend on the sentence and the last two tokens.

Token 0 is BOS, 1 is EOS; letters name the others.
"""

import math
from collections.abc import Sequence
from itertools import product

import torch
from torch import Tensor

BOS, EOS, A, B = 0, 1, 2, 3


class MarkovStepper:
    """`Stepper` over a table (S, V, V, V): sentence, second-to-last token, last token, next token.

    Only the state contains the second-to-last token, so a wrongly reordered row gives wrong numbers.
    """

    bos, eos = BOS, EOS

    def __init__(self, table_SVVV: Tensor, source_lengths: Sequence[int]) -> None:
        self.table_SVVV = table_SVVV
        self.source_lengths = torch.tensor(source_lengths, device=table_SVVV.device)
        self.sentences = len(source_lengths)
        self.rows_stepped: list[int] = []
        self.sentences_kept: list[list[int] | None] = []

    def start(self, beam_size: int) -> Tensor:
        sentence_N = torch.arange(self.sentences, device=self.source_lengths.device).repeat_interleave(beam_size)
        return torch.stack([sentence_N, torch.full_like(sentence_N, BOS)])

    def step(self, tokens_N: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        self.rows_stepped.append(len(tokens_N))
        sentence_N, before_N = state
        return self.table_SVVV[sentence_N, before_N, tokens_N], torch.stack([sentence_N, tokens_N])

    def select(self, state: Tensor, rows_N: Tensor, sentences_B: Tensor | None) -> Tensor:
        self.sentences_kept.append(None if sentences_B is None else sentences_B.tolist())
        selected = state[:, rows_N]
        before_B, after_B = state[0].unique_consecutive(), selected[0].unique_consecutive()
        assert torch.equal(after_B, before_B if sentences_B is None else before_B[sentences_B])
        return selected


def chain(*tables: dict[int, dict[int, float]], source_lengths: Sequence[int] | None = None) -> MarkovStepper:
    """Return a stepper from one ``{last token: {next token: probability}}`` per sentence; others have probability 0."""
    table_SVVV = torch.full((len(tables), 4, 4, 4), -math.inf)
    for sentence, table in enumerate(tables):
        for last, following in table.items():
            for piece, probability in following.items():
                table_SVVV[sentence, :, last, piece] = math.log(probability)
    return MarkovStepper(table_SVVV, source_lengths or [1] * len(tables))


def random_stepper(seed: int, source_lengths: Sequence[int], impossible: float = 0.0) -> MarkovStepper:
    """Return a stepper with a random table per sentence, in which a share of the entries is impossible."""
    generator = torch.Generator().manual_seed(seed)
    table_SVVV = (2 * torch.randn(len(source_lengths), 4, 4, 4, generator=generator)).log_softmax(-1)
    ruled_out = torch.rand(table_SVVV.shape, generator=generator) < impossible
    return MarkovStepper(table_SVVV.masked_fill(ruled_out, -math.inf), source_lengths)


def sentence_of(stepper: MarkovStepper, sentences: Sequence[int]) -> MarkovStepper:
    """Return a batch of the given sentences in their order."""
    lengths = stepper.source_lengths[list(sentences)].tolist()
    return MarkovStepper(stepper.table_SVVV[list(sentences)], lengths)


def log_probability(stepper: MarkovStepper, sentence: int, pieces: Sequence[int]) -> float:
    """Return the sum of the table's log-probabilities along the tokens."""
    path = [BOS, BOS, *pieces]
    return sum(
        stepper.table_SVVV[sentence, before, last, piece].item()
        for before, last, piece in zip(path, path[1:], path[2:], strict=False)
    )


def every_path(stepper: MarkovStepper, sentence: int, limit: int) -> dict[tuple[int, ...], float]:
    """Return all possible paths of at most ``limit`` tokens, finished or truncated, with their log-probabilities."""
    others = [piece for piece in range(stepper.table_SVVV.size(-1)) if piece != EOS]
    ended = [(*body, EOS) for length in range(limit) for body in product(others, repeat=length)]
    cut = list(product(others, repeat=limit))
    paths = {path: log_probability(stepper, sentence, path) for path in ended + cut}
    return {path: total for path, total in paths.items() if total > -math.inf}
