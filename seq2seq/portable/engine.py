"""The interface between a search and an engine, which computes a network: numpy, onnxruntime, or the browser's kernels.

One sentence at a time. S source tokens with EOS, N rows (hypotheses of the sentence), V target vocabulary size.
"""

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]
Weights = dict[str, NDArray[Any]]
"""Tensors by their names in model.safetensors."""

Memory = TypeVar("Memory")
State = TypeVar("State")


class Engine(Protocol[Memory, State]):
    """A network that translates. Memory and state are opaque to the search; no call changes its arguments."""

    def encode(self, source: Sequence[int]) -> tuple[Memory, State]:
        """Encode source token ids, EOS included.

        Returns:
            What all steps read of the sentence, and the state before BOS, of one row.
        """

    def step(self, tokens_N: Integers, memory: Memory, state: State) -> tuple[Floats, State, Floats | None]:
        """Read one token per row.

        Args:
            tokens_N: target token ids; BOS in the first step.
            memory: of the sentence.
            state: of the same N rows.

        Returns:
            Log-probabilities (N, V) of the next token, float32, copies of a pointer network included; the next state;
            attention weights (N, S), averaged over heads, None without attention.
        """

    def select(self, state: State, rows: Integers) -> State:
        """The state whose row n is the old row ``rows[n]``; rows may repeat, and there may be more than before."""
