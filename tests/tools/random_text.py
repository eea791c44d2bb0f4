"""Random sentences that need no corpus. Their words are token ids."""

from collections.abc import Iterable, Iterator, Sequence
from typing import cast

import torch

from seq2seq.data.batch import Batch, make_batch
from seq2seq.tokenizer.normalization import Normalization
from seq2seq.tokenizer.tokenizer import PAD, Tokenizer, Tokenizers


class IdTokenizer:
    """A tokenizer of text that consists of ids in decimal: ``"17 5"`` is [17, 5]."""

    normalization = Normalization.none

    def __init__(self, size: int) -> None:
        self.size = size

    def normalize(self, text: str) -> str:
        """The text itself."""
        return text

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


def id_tokenizers(size: int) -> Tokenizers:
    """One `IdTokenizer` for both sides. It has the methods of `Tokenizer` that a translator uses."""
    tokenizer = cast(Tokenizer, IdTokenizer(size))
    return Tokenizers(tokenizer, tokenizer)


def random_ids(sentences: int, tokens: int, vocabulary: int, seed: int) -> list[list[int]]:
    """Sentences of ``tokens`` random ids each, without special symbols; a function of the seed."""
    generator = torch.Generator().manual_seed(seed)
    ids: list[list[int]] = torch.randint(PAD + 1, vocabulary, (sentences, tokens), generator=generator).tolist()
    return ids


def random_batches(tokens: int, length: int, vocabulary: int, seed: int, device: torch.device) -> Iterator[Batch]:
    """The same batch repeated without end: about ``tokens`` target tokens in sentences of ``length`` tokens with EOS.

    All sentences are equally long, so there is no padding and all arithmetic is counted.
    """
    sentences = max(1, tokens // length)
    source, target = (random_ids(sentences, max(1, length - 1), vocabulary, seed + side) for side in range(2))
    batch = make_batch(source, target).to(device)
    while True:
        yield batch
