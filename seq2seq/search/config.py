"""The settings of a search."""

from dataclasses import dataclass

from torch import Tensor

from seq2seq.errors import ConfigError
from seq2seq.settings import setting


@dataclass(kw_only=True)
class SearchConfig:
    """How widely to search, how far, and what to return."""

    beam_size: int = setting(5, "hypotheses kept per sentence; 1 is greedy search", at_least=1)
    n_best: int = setting(1, "translations returned per sentence, best first; at most beam_size", at_least=1)
    length_penalty: float = setting(
        1.0, "score = log-probability / length ** this; 0 favours short", at_least=0, at_most=10
    )
    max_length_ratio: float = setting(
        2.0, "a translation has at most this * source pieces + offset", at_least=0, at_most=100
    )
    max_length_offset: int = setting(
        10, "pieces allowed on top of max_length_ratio * source pieces", at_least=0, at_most=10_000
    )

    def check(self) -> None:
        """Hold what ties two settings together.

        Raises:
            ConfigError: more translations are asked for than the beam holds.
        """
        if self.n_best > self.beam_size:
            raise ConfigError(
                f"search.n_best must be at most search.beam_size = {self.beam_size}, got {self.n_best}; "
                f"set search.beam_size={self.n_best} or more"
            )

    def max_lengths(self, source_lengths_B: Tensor) -> Tensor:
        """Most pieces (B,) a hypothesis may have, end of sentence included: by its own source only, at least 1."""
        limits_B = source_lengths_B.double() * self.max_length_ratio + self.max_length_offset
        return limits_B.floor().long().clamp(min=1)
