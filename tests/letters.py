"""A world for the tests of looking: tiny random networks behind a tokenizer whose pieces are the letters of a text.

``(``, ``)`` and ``,`` are pieces too, so that there are brackets to follow.
"""

from collections.abc import Iterable, Sequence

import torch

from seq2seq.inference.member import Member
from seq2seq.model import ModelConfig, Network
from seq2seq.tokenizer.tokenizer import Tokenizers

ALPHABET = "abcde(),"
MARKS = ("<unk>", "<s>", "</s>", "<pad>")


class Letters:
    """Stands in for a `Tokenizer`; blanks are no pieces."""

    size = len(MARKS) + len(ALPHABET)
    word_level = False

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
    """A random network, every number drawn from [-spread, spread], that reads and writes letters."""
    letters = Letters()
    network = Network(config, letters.size, letters.size, joint=True).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.uniform_(-spread, spread, generator=generator)
    return Member.prepare(network, Tokenizers(letters, letters), torch.device("cpu"), name=f"net{seed}")  # type: ignore[arg-type]
