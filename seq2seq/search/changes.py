"""What a command changes in the search settings of a run."""

from dataclasses import dataclass, fields, replace
from typing import Any

from seq2seq.errors import ConfigError
from seq2seq.search.config import BELONGS, Method, SearchConfig, Utility
from seq2seq.settings import Settings, setting

HEEDED = {**BELONGS, "beam_size": (Method.beam, Method.diverse_beam)}
"""The methods that heed a setting of a command, where not all of them do."""


def kept(name: str) -> Any:
    """A setting of `SearchConfig` that may be left as the run has it: null, or within the same range."""
    (item,) = (item for item in fields(SearchConfig) if item.name == name)
    return setting(None, f"{item.metadata['help']}; null: as the run's", **item.metadata["bounds"])


@dataclass(kw_only=True)
class SearchChanges(Settings):
    """The fields of `SearchConfig`, each of which may be null: as the run's."""

    method: Method | None = kept("method")
    beam_size: int | None = kept("beam_size")
    n_best: int | None = kept("n_best")
    length_penalty: float | None = kept("length_penalty")
    max_length_ratio: float | None = kept("max_length_ratio")
    max_length_offset: int | None = kept("max_length_offset")
    groups: int | None = kept("groups")
    diversity_strength: float | None = kept("diversity_strength")
    temperature: float | None = kept("temperature")
    top_k: int | None = kept("top_k")
    top_p: float | None = kept("top_p")
    seed: int | None = kept("seed")
    samples: int | None = kept("samples")
    utility: Utility | None = kept("utility")

    def with_short_names(self, beam_size: int | None, n_best: int | None = None) -> "SearchChanges":
        """These changes with what a command's short names for two of them say.

        Raises:
            ConfigError: both names of a setting are used, and they contradict each other.
        """
        found: dict[str, Any] = {}
        for name, short in (("beam_size", beam_size), ("n_best", n_best)):
            long = getattr(self, name)
            if None not in (short, long) and short != long:
                raise ConfigError(f"{name}={short} and search.{name}={long} are the same setting: leave one out")
            found[name] = long if short is None else short
        return replace(self, **found)

    def applied(self, search: SearchConfig) -> SearchConfig:
        """The run's settings with the changes, which win.

        If the method is not the run's, the settings of the run's method do not count. The run's ``n_best`` is lowered
        to what the search has at most.

        Raises:
            ConfigError: a change is named that the method does not heed.
        """
        changes = {item.name: getattr(self, item.name) for item in fields(self)}
        changes = {name: value for name, value in changes.items() if value is not None}
        method = search.method if self.method is None else self.method
        for name, value in changes.items():
            methods = HEEDED.get(name, tuple(Method))
            if method not in methods:
                raise ConfigError(
                    f"search.{name}={value} does nothing with search.method={method}: leave it out, or set "
                    f"search.method={methods[0]}"
                )
        if method != search.method:
            usual = SearchConfig()
            changes = {name: getattr(usual, name) for name in BELONGS} | changes
        changed = replace(search, **changes)
        return changed if "n_best" in changes else changed.with_fitting_n_best()
