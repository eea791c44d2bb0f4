"""What is compared."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Output:
    """Translations of the whole test set, by one model or by whatever wrote a file."""

    name: str
    """The run folder or the text file."""
    lines: list[str]
    """One translation for each sentence of the test set."""
    record: dict[str, Any]
    """What is known of where they come from: hashes, search settings, version. Of a file, its hash alone."""


@dataclass(frozen=True)
class System:
    """One of the things that are compared: one output, or one for each of several seeds."""

    name: str
    outputs: list[Output]

    @property
    def first(self) -> Output:
        """The output that stands for the system where sentences are looked at."""
        return self.outputs[0]
