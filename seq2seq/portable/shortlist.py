"""The lexical shortlist of an exported model."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from seq2seq.portable.errors import PortableError
from seq2seq.portable.folder import read_tensors


class Shortlist:
    """The target tokens that can translate each source token: see seq2seq.inference.shortlist.

    Args:
        path: its file.
        copies: the target token that is equal to each source token, -1 for none.
        target_size: size of the target vocabulary.

    Raises:
        PortableError: the file is missing, damaged, or made for other vocabularies.
    """

    def __init__(self, path: Path, copies: Sequence[int], target_size: int) -> None:
        tensors = read_tensors(path)
        if [each.ndim for each in (tensors.get("translations"), tensors.get("frequent")) if each is not None] != [2, 1]:
            raise PortableError(f"{path} is not a shortlist: copy or export it again, or translate without it")
        all_tokens = np.concatenate([tensors["translations"].ravel(), tensors["frequent"], [-1]])
        if len(tensors["translations"]) != len(copies) or not -1 <= all_tokens.min() <= all_tokens.max() < target_size:
            raise PortableError(f"{path} is of other vocabularies: copy or export it again, or translate without it")
        self._translations_VK, self._frequent = tensors["translations"], tensors["frequent"].tolist()
        self._copies = copies

    def listed(self, source: Sequence[int]) -> list[int]:
        """The list of a source (token ids, EOS included): target tokens in increasing order."""
        translations = chain.from_iterable(self._translations_VK[token].tolist() for token in source)
        return sorted({*self._frequent, *translations, *(self._copies[token] for token in source)} - {-1})
