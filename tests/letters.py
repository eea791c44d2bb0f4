"""Fixtures for analysis tests: tiny random networks and a tokenizer whose tokens are letters.

``(``, ``)`` and ``,`` are tokens too, for tests of bracket counting.
"""

from collections.abc import Iterable, Sequence

import torch

from seq2seq.inference.member import Member
from seq2seq.model import ModelConfig, Network
from seq2seq.tokenizer.normalization import Normalization
from seq2seq.tokenizer.tokenizer import Tokenizers

ALPHABET = "abcde(),"
MARKS = ("<unk>", "<s>", "</s>", "<pad>")


class Letters:
    """Replaces a `Tokenizer`; spaces are not tokens."""

    size = len(MARKS) + len(ALPHABET)
    word_level = False
    normalization = Normalization.none

    def normalize(self, text: str) -> str:
        return text

    def encode(self, text: str) -> list[int]:
        return [len(MARKS) + ALPHABET.index(letter) for letter in text.replace(" ", "")]

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        return [self.encode(text) for text in texts]

    def decode(self, ids: Iterable[int]) -> str:
        return "".join(piece for piece in self.tokens(ids) if piece not in MARKS)

    def tokens(self, ids: Iterable[int]) -> list[str]:
        return [(*MARKS, *ALPHABET)[int(number)] for number in ids]

    def to_bytes(self) -> bytes:
        return b"letters"


def lettered(config: ModelConfig, seed: int = 0, spread: float = 1.0) -> Member:
    """Return a network over letters with weights uniform in [-spread, spread]."""
    letters = Letters()
    network = Network(config, letters.size, letters.size, joint=True).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.uniform_(-spread, spread, generator=generator)
    return Member.prepare(network, Tokenizers(letters, letters), torch.device("cpu"), name=f"net{seed}")  # type: ignore[arg-type]
