"""The settings of a search."""

from dataclasses import dataclass, fields, replace
from enum import StrEnum

from torch import Tensor

from seq2seq.errors import ConfigError
from seq2seq.settings import Settings, setting


class Method(StrEnum):
    """How translations are looked for."""

    beam = "beam"
    """The likeliest, by greedy or beam search."""
    diverse_beam = "diverse_beam"
    """Likely ones that differ: groups of hypotheses that avoid one another (Vijayakumar et al. 2018)."""
    sampling = "sampling"
    """Drawn piece by piece."""
    minimum_bayes_risk = "minimum_bayes_risk"
    """Of many drawn ones those most like all others (Eikema & Aziz 2022)."""


class Utility(StrEnum):
    """What minimum Bayes risk holds two translations against each other by: sacreBLEU's sentence scores."""

    chrf = "chrf"
    bleu = "bleu"


TEMPERATURES: dict[str, float] = {"at_least": 1e-30, "at_most": 1e30}
"""Beyond these a temperature or its inverse is 0 or infinite in float32, and nothing can be drawn."""

DRAWING = (Method.sampling, Method.minimum_bayes_risk)
"""The methods that draw."""

BELONGS = {
    "groups": (Method.diverse_beam,),
    "diversity_strength": (Method.diverse_beam,),
    "temperature": DRAWING,
    "top_k": DRAWING,
    "top_p": DRAWING,
    "seed": DRAWING,
    "samples": (Method.minimum_bayes_risk,),
    "utility": (Method.minimum_bayes_risk,),
}
"""The methods that heed a setting, where not all of them do.

``beam_size`` is not here: whatever a run's method, its scores are of beam search (`SearchConfig.beam`).
"""


@dataclass(kw_only=True)
class SearchConfig(Settings):
    """How to search, how widely, how far, and what to return."""

    method: Method = setting(Method.beam, "beam (greedy for a beam of 1), diverse_beam, sampling, minimum_bayes_risk")
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
    groups: int | None = setting(None, "diverse beam: groups the beam is cut into; null: of one each", at_least=1)
    diversity_strength: float = setting(
        0.5, "diverse beam: nats a piece loses for each time an earlier group has just taken it", at_least=0
    )
    temperature: float = setting(1.0, "drawing: from p ** (1 / this); below 1 likelier pieces gain", **TEMPERATURES)
    top_k: int | None = setting(None, "drawing: from the likeliest so many pieces; null: from all", at_least=1)
    top_p: float = setting(1.0, "drawing: from the fewest likeliest pieces of this probability", above=0, at_most=1)
    seed: int = setting(1, "drawing: the same seed draws the same translations of a sentence", at_least=0)
    samples: int = setting(32, "minimum Bayes risk: translations drawn of each sentence", at_least=1)
    utility: Utility = setting(Utility.chrf, "minimum Bayes risk: chrf or bleu, of sentences, by sacreBLEU")

    def check(self) -> None:
        """Hold what ties two settings together.

        Raises:
            ConfigError: a word is unknown, more translations are asked for than there will be, groups do not divide the
                beam, or a setting is not its default although the method does not heed it.
        """
        for name, words in (("method", list(Method)), ("utility", list(Utility))):
            if getattr(self, name) not in words:
                raise ConfigError(f"search.{name} must be one of {', '.join(words)}, got {getattr(self, name)}")
        for item in fields(self):
            value, methods = getattr(self, item.name), BELONGS.get(item.name, tuple(Method))
            if self.method not in methods and value != item.default:
                raise ConfigError(
                    f"search.{item.name}={value} does nothing with search.method={self.method}: leave it out, or set "
                    f"search.method={methods[0]}"
                )
        width = self._limit_of_n_best
        if width is not None and self.n_best > getattr(self, width):
            raise ConfigError(
                f"search.n_best must be at most search.{width} = {getattr(self, width)}, got {self.n_best}; "
                f"set search.{width}={self.n_best} or more"
            )
        if self.method == Method.diverse_beam and self.beam_size % (self.groups or self.beam_size):
            raise ConfigError(
                f"search.groups={self.groups} does not divide search.beam_size={self.beam_size}: "
                f"set search.beam_size to a multiple of search.groups"
            )

    @property
    def _limit_of_n_best(self) -> str | None:
        """The setting that ``n_best`` may not exceed; None: there is none."""
        return {Method.sampling: None, Method.minimum_bayes_risk: "samples"}.get(self.method, "beam_size")

    def with_fitting_n_best(self) -> "SearchConfig":
        """The same, with as many translations a sentence as this search has at most."""
        width = self._limit_of_n_best
        return self if width is None else replace(self, n_best=min(self.n_best, getattr(self, width)))

    @property
    def rows(self) -> int:
        """Hypotheses of a sentence that are followed at a time."""
        drawn = {Method.sampling: self.n_best, Method.minimum_bayes_risk: self.samples}
        return drawn.get(self.method, self.beam_size)

    def beam(self, beam_size: int, n_best: int = 1) -> "SearchConfig":
        """Greedy or beam search with the limits and the length penalty of this one, whatever its method."""
        return SearchConfig(
            beam_size=beam_size,
            n_best=n_best,
            length_penalty=self.length_penalty,
            max_length_ratio=self.max_length_ratio,
            max_length_offset=self.max_length_offset,
        )

    def max_lengths(self, source_lengths_B: Tensor) -> Tensor:
        """Most pieces (B,) a hypothesis may have, end of sentence included: by its own source only, at least 1."""
        limits_B = source_lengths_B.double() * self.max_length_ratio + self.max_length_offset
        return limits_B.floor().long().clamp(min=1)
