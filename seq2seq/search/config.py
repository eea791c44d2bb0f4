"""The settings of a search, and overrides of them."""

from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from seq2seq.errors import ConfigError
from seq2seq.settings import Settings, setting

if TYPE_CHECKING:
    from torch import Tensor

LANGUAGE_MODEL_WEIGHT = 0.2
"""Default weight of a language model's log-probabilities in shallow fusion."""


class Method(StrEnum):
    """Search methods."""

    beam = "beam"
    """Greedy or beam search for the most probable translation."""
    diverse_beam = "diverse_beam"
    """Groups of hypotheses that avoid one another's tokens (Vijayakumar et al. 2018)."""
    sampling = "sampling"
    """Ancestral sampling, token by token."""
    minimum_bayes_risk = "minimum_bayes_risk"
    """The sample most similar to all other samples (Eikema & Aziz 2022)."""


class Utility(StrEnum):
    """The similarity of two translations for minimum Bayes risk: a sentence score of sacreBLEU."""

    chrf = "chrf"
    bleu = "bleu"


TEMPERATURES: dict[str, float] = {"at_least": 1e-30, "at_most": 1e30}
"""Outside this range, a temperature or its inverse is 0 or infinite in float32."""

SAMPLING_METHODS = (Method.sampling, Method.minimum_bayes_risk)
"""The methods that draw samples."""

METHODS_OF_SETTING = {
    "groups": (Method.diverse_beam,),
    "diversity_strength": (Method.diverse_beam,),
    "temperature": SAMPLING_METHODS,
    "top_k": SAMPLING_METHODS,
    "top_p": SAMPLING_METHODS,
    "seed": SAMPLING_METHODS,
    "samples": (Method.minimum_bayes_risk,),
    "utility": (Method.minimum_bayes_risk,),
}
"""The methods that use a setting, for settings that not all methods use.

``beam_size`` is missing because validation during training uses beam search whatever the method (`SearchConfig.beam`).
"""


@dataclass(kw_only=True)
class SearchConfig(Settings):
    """Settings of a search: method, beam, length limits and number of results."""

    method: Method = setting(Method.beam, "beam (greedy if beam_size is 1), diverse_beam, sampling, minimum_bayes_risk")
    beam_size: int = setting(5, "hypotheses kept per sentence; 1 is greedy search", at_least=1, at_most=10_000)
    n_best: int = setting(
        1, "translations per sentence, best first: at most beam_size, or samples; by sampling any number", at_least=1
    )
    length_penalty: float = setting(
        1.0, "score = log-probability / length ** length_penalty; 0 favors short translations", at_least=0, at_most=10
    )
    max_length_ratio: float = setting(
        2.0, "maximum translation length in tokens = ratio * source tokens + offset", at_least=0, at_most=100
    )
    max_length_offset: int = setting(10, "tokens added to max_length_ratio * source tokens", at_least=0, at_most=10_000)
    no_repeat_ngram: int = setting(
        0, "exclude tokens that would repeat an n-gram of this many tokens; 0: off", at_least=0
    )
    repetition_penalty: float = setting(
        1.0, "factor on the log-probability of tokens already in the translation; 1: off", at_least=1, at_most=100
    )
    groups: int | None = setting(None, "diverse beam: number of groups; null: one per hypothesis", at_least=1)
    diversity_strength: float = setting(
        0.5,
        "diverse beam: penalty (nats) per hypothesis of earlier groups that chose this token",
        at_least=0,
        at_most=1_000,
    )
    temperature: float = setting(
        1.0, "sampling: p ** (1 / temperature); below 1 favors probable tokens", **TEMPERATURES
    )
    top_k: int | None = setting(None, "sampling: draw from the k most probable tokens; null: from all", at_least=1)
    top_p: float = setting(1.0, "sampling: nucleus (top-p) threshold", above=0, at_most=1)
    seed: int = setting(1, "sampling: random seed; each sentence's samples depend on it and the sentence", at_least=0)
    samples: int = setting(32, "minimum Bayes risk: samples drawn per sentence", at_least=1)
    utility: Utility = setting(Utility.chrf, "minimum Bayes risk: sentence-level chrf or bleu (sacreBLEU)")

    def check(self) -> None:
        """Check settings against each other.

        Raises:
            ConfigError: an enum value is unknown, ``n_best`` exceeds the number of hypotheses, ``groups`` does not
                divide ``beam_size``, or a setting that the method does not use differs from its default.
        """
        for name, values in (("method", list(Method)), ("utility", list(Utility))):
            if getattr(self, name) not in values:
                raise ConfigError(f"search.{name} must be one of {', '.join(values)}, got {getattr(self, name)}")
        for item in fields(self):
            value, methods = getattr(self, item.name), METHODS_OF_SETTING.get(item.name, tuple(Method))
            if self.method not in methods and value != item.default:
                raise _unused(item.name, value, self.method, methods)
        limit = self._limit_of_n_best
        if limit is not None and self.n_best > getattr(self, limit):
            raise ConfigError(
                f"search.n_best must be at most search.{limit} = {getattr(self, limit)}, got {self.n_best}; "
                f"set search.{limit}={self.n_best} or more"
            )
        if self.method == Method.diverse_beam and self.beam_size % (self.groups or self.beam_size):
            raise ConfigError(
                f"search.groups={self.groups} does not divide search.beam_size={self.beam_size}: "
                f"set search.beam_size to a multiple of search.groups"
            )

    @property
    def _limit_of_n_best(self) -> str | None:
        """The setting that ``n_best`` may not exceed; None for no limit."""
        return {Method.sampling: None, Method.minimum_bayes_risk: "samples"}.get(self.method, "beam_size")

    def with_fitting_n_best(self) -> "SearchConfig":
        """Return the same settings with ``n_best`` lowered to what the method can return."""
        limit = self._limit_of_n_best
        return self if limit is None else replace(self, n_best=min(self.n_best, getattr(self, limit)))

    @property
    def rows(self) -> int:
        """Hypotheses per sentence that are searched at the same time."""
        rows = {Method.sampling: self.n_best, Method.minimum_bayes_risk: self.samples}
        return rows.get(self.method, self.beam_size)

    @property
    def discourages_repetition(self) -> bool:
        """Whether a setting excludes or penalizes repeated tokens (`search.repetition`)."""
        return self.no_repeat_ngram > 0 or self.repetition_penalty != 1

    def beam(self, beam_size: int, n_best: int = 1) -> "SearchConfig":
        """Return greedy or beam search with the length limits, length penalty and repetition settings of this one."""
        return SearchConfig(
            beam_size=beam_size,
            n_best=n_best,
            length_penalty=self.length_penalty,
            max_length_ratio=self.max_length_ratio,
            max_length_offset=self.max_length_offset,
            no_repeat_ngram=self.no_repeat_ngram,
            repetition_penalty=self.repetition_penalty,
        )

    def max_lengths(self, source_lengths_B: "Tensor") -> "Tensor":
        """Return the maximum number of tokens (B,) of each hypothesis, EOS included; at least 1."""
        limits_B = source_lengths_B.double() * self.max_length_ratio + self.max_length_offset
        return limits_B.floor().long().clamp(min=1)


def _unused(name: str, value: Any, method: Method, methods: tuple[Method, ...]) -> ConfigError:
    return ConfigError(
        f"search.{name}={value} does nothing with search.method={method}: leave it out, or set "
        f"search.method={methods[0]}"
    )


def override(name: str) -> Any:
    """Return a nullable field with the help and the range of the `SearchConfig` field ``name``."""
    (item,) = (item for item in fields(SearchConfig) if item.name == name)
    meaning = item.metadata["help"].partition("; null:")[0]  # null has another meaning here
    return setting(None, f"{meaning}; null: use the run's value", **item.metadata["bounds"])


@dataclass(kw_only=True)
class SearchOverrides(Settings):
    """Overrides of the run's search settings; null keeps its value."""

    method: Method | None = override("method")
    beam_size: int | None = override("beam_size")
    n_best: int | None = override("n_best")
    length_penalty: float | None = override("length_penalty")
    max_length_ratio: float | None = override("max_length_ratio")
    max_length_offset: int | None = override("max_length_offset")
    no_repeat_ngram: int | None = override("no_repeat_ngram")
    repetition_penalty: float | None = override("repetition_penalty")
    groups: int | None = override("groups")
    diversity_strength: float | None = override("diversity_strength")
    temperature: float | None = override("temperature")
    top_k: int | None = override("top_k")
    top_p: float | None = override("top_p")
    seed: int | None = override("seed")
    samples: int | None = override("samples")
    utility: Utility | None = override("utility")

    def with_short_names(self, beam_size: int | None, n_best: int | None = None) -> "SearchOverrides":
        """Return these overrides with the values of a command's short settings ``beam_size`` and ``n_best``.

        Raises:
            ConfigError: a short setting contradicts its long form.
        """
        merged: dict[str, Any] = {}
        for name, short in (("beam_size", beam_size), ("n_best", n_best)):
            long = getattr(self, name)
            if None not in (short, long) and short != long:
                raise ConfigError(f"{name}={short} and search.{name}={long} are the same setting: leave one out")
            merged[name] = long if short is None else short
        return replace(self, **merged)

    def apply_to(self, search: SearchConfig) -> SearchConfig:
        """Return the settings of a run with these overrides.

        If the method differs from the run's, the run's method-specific settings are ignored. The run's ``n_best`` is
        lowered to what the search can return.

        Raises:
            ConfigError: an override has no effect with the method.
        """
        changes = {item.name: getattr(self, item.name) for item in fields(self)}
        changes = {name: value for name, value in changes.items() if value is not None}
        method = search.method if self.method is None else self.method
        supported = {**METHODS_OF_SETTING, "beam_size": (Method.beam, Method.diverse_beam)}
        for name, value in changes.items():
            methods = supported.get(name, tuple(Method))
            if method not in methods:
                raise _unused(name, value, method, methods)
        if method != search.method:
            defaults = SearchConfig()
            changes = {name: getattr(defaults, name) for name in METHODS_OF_SETTING} | changes
        changed = replace(search, **changes)
        return changed if "n_best" in changes else changed.with_fitting_n_best()


def resolve_search(search: SearchConfig | str | None, default: SearchConfig) -> SearchConfig:
    """The search that an argument means.

    Args:
        search: settings; ``greedy`` or the name of a method, with the other settings of ``default``; None: the default.
        default: the default.

    Raises:
        ConfigError: there is no such method, or the argument is neither.
    """
    if search is None:
        return default
    if isinstance(search, SearchConfig):
        return search
    if search == "greedy":  # as conf/search/greedy.yaml
        return SearchOverrides(method=Method.beam, beam_size=1).apply_to(default)
    if search in list(Method):
        return SearchOverrides(method=Method(search)).apply_to(default)
    raise ConfigError(f"search must be a SearchConfig or one of greedy, {', '.join(Method)}, got {search!r}")
