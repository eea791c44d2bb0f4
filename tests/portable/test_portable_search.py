"""The search for one sentence against seq2seq.search, over a table of made-up log-probabilities."""

import math
from collections.abc import Sequence
from dataclasses import fields

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.portable.errors import PortableError
from seq2seq.portable.hypothesis import NO_HYPOTHESIS, ranked
from seq2seq.portable.search import BOUNDS, Search, SearchSettings, best_continuations, common_prefix
from seq2seq.search import SearchConfig, search
from seq2seq.search.streaming import stream_beam_search

BOS, EOS = 0, 1


class TableStepper:
    """`Stepper` for a sentence over a table (T, V, V): position, last token, next token.

    The state is the position and the last token but one, whose table is added: sums of different paths do not tie.
    """

    bos, eos, sentences = BOS, EOS, 1

    def __init__(self, table_TVV: torch.Tensor, source_length: int) -> None:
        self.table_TVV, self.source_lengths = table_TVV, torch.tensor([source_length])

    def start(self, beam_size: int) -> torch.Tensor:
        return torch.tensor([[0, BOS]] * beam_size)

    def step(self, tokens_N: torch.Tensor, state: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        position, before_N = int(state[0, 0]), state[:, 1]
        scores_NV = self.table_TVV[position, tokens_N] + self.table_TVV[position, before_N] / 3
        return scores_NV, torch.stack([torch.full_like(tokens_N, position + 1), tokens_N], 1)

    def select(self, state: torch.Tensor, rows_N: torch.Tensor, sentences_B: torch.Tensor | None) -> torch.Tensor:
        return state[rows_N]


class TableEngine:
    """The same as an engine."""

    def __init__(self, stepper: TableStepper) -> None:
        self.stepper = stepper

    def encode(self, source: Sequence[int]) -> tuple[None, np.ndarray]:
        return None, self.stepper.start(1).numpy()

    def step(self, tokens_N: np.ndarray, memory: None, state: np.ndarray) -> tuple[np.ndarray, np.ndarray, None]:
        scores_NV, after = self.stepper.step(torch.from_numpy(tokens_N), torch.from_numpy(state))
        return scores_NV.numpy(), after.numpy(), None

    def select(self, state: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return state[rows]


def table_stepper(seed: int, source_length: int, impossible: float = 0.0) -> TableStepper:
    generator = torch.Generator().manual_seed(seed)
    table_TVV = (2 * torch.randn(10, 5, 5, generator=generator)).log_softmax(-1)
    ruled_out_TVV = torch.rand(table_TVV.shape, generator=generator) < impossible
    return TableStepper(table_TVV.masked_fill(ruled_out_TVV, -torch.inf), source_length)


def searched(stepper: TableStepper, **options: float) -> Search:
    source = [0] * int(stepper.source_lengths[0])
    return Search(TableEngine(stepper), source, SearchSettings(**options), BOS, EOS)


SETTINGS = st.fixed_dictionaries(
    {
        "beam_size": st.integers(1, 6),
        "length_penalty": st.sampled_from([0.0, 0.7, 1.0]),
        "max_length_ratio": st.sampled_from([0.0, 1.0, 2.0]),
        "max_length_offset": st.integers(0, 3),
        "no_repeat_ngram": st.integers(0, 3),
        "repetition_penalty": st.sampled_from([1.0, 1.3]),
    }
)


@given(st.integers(0, 999), st.integers(1, 3), SETTINGS, st.booleans(), st.sampled_from([0.0, 0.3, 0.8]))
def test_hypotheses_are_those_of_the_search_with_torch(seed, length, options, all_best, impossible):
    stepper = table_stepper(seed, length, impossible)
    n_best = options["beam_size"] if all_best else 1
    [wanted] = search(stepper, SearchConfig(**options, n_best=n_best), identity=lambda each: id(each))
    found = searched(stepper, **options, n_best=n_best).run()[:n_best]
    assert [(each.tokens, each.finished) for each in found] == [(each.tokens, each.finished) for each in wanted]
    for name in ("log_probability", "score"):
        np.testing.assert_allclose([getattr(each, name) for each in found], [getattr(each, name) for each in wanted])


@given(st.integers(0, 999), SETTINGS)
def test_streamed_prefixes_are_those_of_the_search_with_torch(seed, options):
    stepper, ended, fixed = table_stepper(seed, 3), [], [[]]
    for unfinished in searched(stepper, **options).steps(ended):
        shared = common_prefix([*unfinished, *(each.tokens for each in ended)])
        if len(shared) > len(fixed[-1]):
            fixed.append(shared)
    *partial, last = stream_beam_search(stepper, SearchConfig(**options))
    assert fixed[1:] == [each.tokens for each in partial]
    assert ranked(ended)[0].tokens == last.tokens


def test_a_sentence_without_a_possible_token_has_no_hypothesis():
    assert searched(table_stepper(1, 2, impossible=1.0), beam_size=3).run() == [NO_HYPOTHESIS]


def test_equal_sums_take_the_lowest_row_and_token():
    totals, log_probabilities = np.zeros(2, np.float32), np.array([[-1, -1, -2], [-1, -1, -1]], np.float32)
    found = best_continuations(totals, log_probabilities, 4)
    assert [(row, token) for _, row, token in found] == [(0, 0), (0, 1), (1, 0), (1, 1)]


@pytest.mark.parametrize("shape", [(1, 50), (1, 5000), (3, 1001)])
def test_best_continuations_are_the_first_of_all_sorted_sums(shape):
    """With many equal sums, and with tokens that are excluded."""
    random = np.random.default_rng(1)
    log_probability_NV = random.integers(-9, 0, shape).astype(np.float32)
    log_probability_NV[random.uniform(size=shape) < 0.3] = -np.inf
    totals_N = -np.arange(shape[0], dtype=np.float32)
    sums_X = (totals_N[:, None] + log_probability_NV).ravel()
    order = np.argsort(-sums_X, kind="stable")
    for count in (1, 4, 30):
        found = best_continuations(totals_N, log_probability_NV, count)
        assert [row * shape[1] + token for _, row, token in found] == order[:count].tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beam_size": 0}, "beam_size must be a number of at least 1 and at most 10,000, got 0"),
        ({"beam_size": 2.5}, r"beam_size must be a number of at least 1 .*, got 2\.5"),
        ({"n_best": 6}, "n_best must be at most beam_size = 5, got 6"),
        ({"length_penalty": float("nan")}, "length_penalty must be a number"),
        ({"repetition_penalty": 0.5}, "repetition_penalty must be a number of at least 1"),
    ],
)
def test_settings_out_of_range_are_refused(options, message):
    with pytest.raises(PortableError, match=message):
        SearchSettings(**options)


def test_bounds_are_those_of_the_search_with_torch():
    bounds = {item.name: item.metadata["bounds"] for item in fields(SearchConfig)}
    assert BOUNDS.keys() == {item.name for item in fields(SearchSettings)}
    for name, ends in BOUNDS.items():
        assert ends == (bounds[name]["at_least"], bounds[name].get("at_most", math.inf))


def test_an_unknown_setting_of_the_folder_is_refused():
    with pytest.raises(PortableError, match="unknown search setting top_k: export the model again"):
        SearchSettings.of({"beam_size": 3, "top_k": 5})


@pytest.mark.parametrize("length", [1, 7, 33])
def test_length_limits_are_those_of_the_search_with_torch(length):
    options = {"max_length_ratio": 1.7, "max_length_offset": 3}
    [wanted] = SearchConfig(**options).max_lengths(torch.tensor([length])).tolist()
    assert SearchSettings(**options).limit(length) == wanted
