"""The findings that the checks return."""

from typing import NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from seq2seq.doctor.reasons import Reason

Integers = npt.NDArray[np.int64]

Data = TypeVar("Data", contravariant=True)


class Finding(NamedTuple):
    """Pairs with the same problem."""

    reason: Reason
    rows: Integers
    """Indices of the pairs, from 0, ascending. Pair n of two text files is line n + 1 of each."""
    side: str = ""
    """``source`` or ``target`` where only that side has the problem."""
    partners: Integers | None = None
    """For each pair, the index of the pair it is compared with; -1: none."""
    partner_corpus: str = ""
    """Name of the partners' corpus where it is another one."""
    note: str = ""
    """Details beyond the count."""


class Check(Protocol[Data]):
    """One check, either of some pairs (`PairArrays`) or of a whole corpus (`PairStatistics`). It keeps no state."""

    def find(self, data: Data) -> list[Finding]:
        """Return the problems of these pairs. Row 0 is the first pair of ``data``."""
        ...
