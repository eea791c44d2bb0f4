"""Greedy and beam search for one sentence; results are equal to those of seq2seq.search.

N rows (hypotheses, at most K = the beam size), V target vocabulary size.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from seq2seq.portable.engine import Engine, Floats
from seq2seq.portable.errors import PortableError
from seq2seq.portable.hypothesis import Hypothesis, make_hypothesis, ranked

BLOCK = 64
"""Values whose maximum is taken at once."""

BOUNDS = {
    "beam_size": (1, 10_000),
    "n_best": (1, math.inf),
    "length_penalty": (0, 10),
    "max_length_ratio": (0, 100),
    "max_length_offset": (0, 10_000),
    "no_repeat_ngram": (0, math.inf),
    "repetition_penalty": (1, 100),
}
"""Smallest and largest value of each search setting, as in seq2seq.SearchConfig."""


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """Settings of beam search: those of seq2seq.SearchConfig."""

    beam_size: int = 5
    """Hypotheses kept; 1 is greedy search."""
    n_best: int = 1
    """Translations returned, best first; at most ``beam_size``."""
    length_penalty: float = 1.0
    """score = log-probability / length ** length_penalty."""
    max_length_ratio: float = 2.0
    max_length_offset: int = 10
    """A translation has at most ratio · source tokens + offset tokens."""
    no_repeat_ngram: int = 0
    """Exclude tokens that would repeat an n-gram of this many tokens; 0: off."""
    repetition_penalty: float = 1.0
    """Factor on the log-probability of tokens already in the translation; 1: off."""

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            PortableError: a setting is out of range.
        """
        for item in fields(self):
            value, kind, (least, most) = getattr(self, item.name), item.type, BOUNDS[item.name]
            allowed = (int,) if kind is int else (int, float)
            if not isinstance(value, allowed) or isinstance(value, bool) or not least <= value <= most:
                limit = f" and at most {most:,}" if most < math.inf else ""
                raise PortableError(f"{item.name} must be a number of at least {least}{limit}, got {value!r:.100}")
        if self.n_best > self.beam_size:
            raise PortableError(f"n_best must be at most beam_size = {self.beam_size}, got {self.n_best}")

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "SearchSettings":
        """The settings in a section of config.json.

        Raises:
            PortableError: a setting is unknown or out of range.
        """
        unknown = sorted(config.keys() - {item.name for item in fields(cls)})
        if unknown:
            raise PortableError(f"unknown search setting {unknown[0]}: export the model again")
        return cls(**config)

    def limit(self, source_tokens: int) -> int:
        """The maximum number of tokens of a hypothesis, EOS included, for a source of this many, EOS included."""
        return max(1, math.floor(source_tokens * self.max_length_ratio + self.max_length_offset))


@dataclass
class Search:
    """The search of one sentence.

    Args:
        engine: the network.
        source: source token ids, EOS included.
        settings: how to search.
        bos: id of BOS.
        eos: id of EOS.
        adjust: changes the log-probabilities (N, V) of each step before the repetition settings do; None: nothing.
    """

    engine: Engine[Any, Any]
    source: Sequence[int]
    settings: SearchSettings
    bos: int
    eos: int
    adjust: Callable[[Floats], Floats] | None = None

    def run(self) -> list[Hypothesis]:
        """The best K hypotheses, best first: finished before unfinished, then by score."""
        ended: list[Hypothesis] = []
        for _ in self.steps(ended):
            pass
        return ranked(ended)[: self.settings.beam_size]

    def steps(self, ended: list[Hypothesis]) -> Iterator[list[list[int]]]:
        """Search, and yield the tokens of the unfinished hypotheses after every step.

        A sentence is complete when K hypotheses have finished, at the maximum length, or when no continuation is
        possible. Hypotheses that end are added to ``ended``, and those cut at the maximum length fill it up.
        """
        settings, limit = self.settings, self.settings.limit(len(self.source))
        memory, state = self.engine.encode(self.source)
        totals_N, histories = np.zeros(1, np.float32), [list[int]()]
        for length in range(1, limit + 1):
            last_N = np.array([history[-1] if history else self.bos for history in histories])
            log_probability_NV, state, _ = self.engine.step(last_N, memory, state)
            log_probability_NV = self._adjusted(log_probability_NV, histories)
            candidates = best_continuations(totals_N, log_probability_NV, 2 * settings.beam_size)
            for rank, (total, row, token) in enumerate(candidates):
                if token == self.eos and rank < settings.beam_size:
                    tokens = [*histories[row], token]
                    ended.append(make_hypothesis(tokens, float(total), settings.length_penalty, finished=True))
            kept = [each for each in candidates if each[2] != self.eos][: settings.beam_size]
            totals_N = np.array([total for total, _, _ in kept], np.float32)
            histories = [[*histories[row], token] for _, row, token in kept]
            yield histories
            if len(ended) >= settings.beam_size or not kept:
                return
            if length < limit:
                state = self.engine.select(state, np.array([row for _, row, _ in kept]))
        for total, history in list(zip(totals_N, histories, strict=True))[: settings.beam_size - len(ended)]:
            ended.append(make_hypothesis(history, float(total), settings.length_penalty, finished=False))

    def _adjusted(self, log_probability_NV: Floats, histories: Sequence[Sequence[int]]) -> Floats:
        if self.adjust is not None:
            log_probability_NV = self.adjust(log_probability_NV)
        if self.settings.no_repeat_ngram or self.settings.repetition_penalty != 1:
            rows = [
                discourage_repetition(row_V, history, self.settings)
                for row_V, history in zip(log_probability_NV, histories, strict=True)
            ]
            log_probability_NV = np.stack(rows)
        return log_probability_NV


@np.errstate(over="ignore")
def best_continuations(totals_N: Floats, log_probability_NV: Floats, count: int) -> list[tuple[np.float32, int, int]]:
    """The ``count`` largest sums of a row's total and a token's log-probability: sum, row and token, best first.

    Excluded tokens are left out. Among equal sums the lowest row and token come first. One row is ranked before the
    total is added, because rounded sums may tie.
    """
    sums_NV = totals_N[:, None] + log_probability_NV
    ranks_X = (log_probability_NV if len(totals_N) == 1 else sums_NV).ravel()
    places = np.flatnonzero(ranks_X >= lower_bound(ranks_X, count))
    places = places[np.argsort(-ranks_X[places], kind="stable")][:count]
    sums, width = sums_NV.ravel(), log_probability_NV.shape[1]
    return [(sums[place], *divmod(int(place), width)) for place in places if sums[place] > -np.inf]


def lower_bound(values_X: Floats, count: int) -> np.float32:
    """A number that at least ``count`` values reach, and few others; -inf if there are few values.

    It is the smallest of the ``count`` largest maxima of blocks. Maxima are found several times faster than the
    ``count`` largest of all values.
    """
    blocks = len(values_X) // BLOCK
    if blocks < count:
        return np.float32(-np.inf)
    maxima = values_X[: blocks * BLOCK].reshape(blocks, BLOCK).max(1)
    return np.float32(np.partition(maxima, blocks - count)[blocks - count])


def discourage_repetition(log_probability_V: Floats, history: Sequence[int], settings: SearchSettings) -> Floats:
    """Log-probabilities with the repetition settings; see seq2seq.search.repetition.

    ``repetition_penalty`` multiplies the log-probability of each token of the history. ``no_repeat_ngram`` excludes
    tokens that would complete an n-gram of the history, unless nothing else is possible.
    """
    penalized_V = log_probability_V.copy()
    penalized_V[[*set(history)]] *= np.float32(settings.repetition_penalty)
    n = settings.no_repeat_ngram
    if not 0 < n <= len(history):
        return penalized_V
    context = history[len(history) - n + 1 :]
    starts = range(len(history) - n + 1)
    repeated = [history[start + n - 1] for start in starts if history[start : start + n - 1] == context]
    allowed_V = penalized_V.copy()
    allowed_V[repeated] = -np.inf
    return allowed_V if np.isfinite(allowed_V).any() else penalized_V


def common_prefix(sequences: Sequence[Sequence[int]]) -> list[int]:
    """The longest prefix of all sequences; an empty list if there are none."""
    shared = []
    for tokens in zip(*sequences, strict=False):
        if len(set(tokens)) > 1:
            break
        shared.append(tokens[0])
    return shared


def greedy(settings: SearchSettings) -> SearchSettings:
    """The same settings with greedy search."""
    return replace(settings, beam_size=1, n_best=1)
