"""The lexical shortlist of an exported model."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from seq2seq.portable.folder import read_tensors


class Shortlist:
    """The target tokens that can translate each source token: see seq2seq.inference.shortlist.

    Args:
        path: its file.
        copies: the target token that is equal to each source token, -1 for none.
    """

    def __init__(self, path: Path, copies: Sequence[int]) -> None:
        tensors = read_tensors(path)
        self._translations_VK, self._frequent = tensors["translations"], tensors["frequent"].tolist()
        self._copies = copies

    def listed(self, source: Sequence[int]) -> list[int]:
        """The list of a source (token ids, EOS included): target tokens in increasing order."""
        translations = chain.from_iterable(self._translations_VK[token].tolist() for token in source)
        return sorted({*self._frequent, *translations, *(self._copies[token] for token in source)} - {-1})
