"""Random sentences that need no corpus: their words are the ids of their pieces."""

from collections.abc import Iterable, Iterator, Sequence
from typing import cast

import torch

from seq2seq.data.batch import Batch, make_batch
from seq2seq.tokenizer.tokenizer import PAD, Tokenizer, Tokenizers


class Numerals:
    """A tokenizer whose text is ids in decimal: ``"17 5"`` is [17, 5]."""

    def __init__(self, size: int) -> None:
        self.size = size

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text."""
        return [[int(word) for word in text.split()] for text in texts]

    def encode(self, text: str) -> list[int]:
        """Ids of one text."""
        return self.encode_all([text])[0]

    def decode(self, ids: Iterable[int]) -> str:
        """The ids in decimal."""
        return " ".join(map(str, ids))

    def tokens(self, ids: Iterable[int]) -> list[str]:
        """Each id in decimal."""
        return [str(number) for number in ids]


def numerals(size: int) -> Tokenizers:
    """Both sides' tokenizers, one and the same; they do what a translator asks of a `Tokenizer`."""
    one = cast(Tokenizer, Numerals(size))
    return Tokenizers(one, one)


def random_ids(sentences: int, pieces: int, vocabulary: int, seed: int) -> list[list[int]]:
    """Sentences of so many pieces each, no marks among them, drawn by the seed."""
    generator = torch.Generator().manual_seed(seed)
    ids: list[list[int]] = torch.randint(PAD + 1, vocabulary, (sentences, pieces), generator=generator).tolist()
    return ids


def random_batches(tokens: int, pieces: int, vocabulary: int, seed: int, device: torch.device) -> Iterator[Batch]:
    """The same batch without end: about ``tokens`` target pieces in sentences of ``pieces``, the end mark among them.

    No sentence is padded, so that all arithmetic is counted arithmetic.
    """
    sentences = max(1, tokens // pieces)
    length = max(1, pieces - 1)
    source, target = (random_ids(sentences, length, vocabulary, seed + side) for side in range(2))
    batch = make_batch(source, target).to(device)
    while True:
        yield batch
