"""The text that all systems read, and its vocabulary."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from seq2seq.corpora.corpus import Pair
from seq2seq.corpora.lines import read_lines
from seq2seq.run.provenance import text_hash
from seq2seq.system.atomic import atomic_write
from seq2seq.tokenizer.config import Algorithm, TokenizerConfig
from seq2seq.tokenizer.tokenizer import PAD, Tokenizer
from seq2seq.tokenizer.vocabulary import train_tokenizer

LONGEST = 250
"""Tokens of the longest training sentence; longer pairs are left out for every system."""


@dataclass(frozen=True)
class Text:
    """Folder with ``train``, ``validation`` and ``test``, as text and (``train.pieces.en``) in tokens."""

    folder: Path
    source: str
    """Language code, which is also the ending of the files."""
    target: str
    tokenizer: Tokenizer

    def file(self, split: str, side: str) -> Path:
        """The file of a split, such as ``train`` or ``train.pieces``."""
        return self.folder / f"{split}.{side}"

    def tokens(self, texts: Sequence[str]) -> list[str]:
        """Each text in tokens with spaces between them."""
        return [" ".join(self.tokenizer.tokens(ids)) for ids in self.tokenizer.encode_all(texts)]

    def text(self, line: str) -> str:
        """The inverse of `tokens` for one line, without special tokens."""
        return self.tokenizer.decode(self.ids[token] for token in line.split() if token in self.ids)

    @cached_property
    def pairs(self) -> int:
        """The number of training pairs."""
        return sum(1 for _ in read_lines(self.file("train", self.source)))

    @cached_property
    def ids(self) -> dict[str, int]:
        """The id of each token that is not special, in the order of the vocabulary."""
        numbers = range(PAD + 1, self.tokenizer.size)
        return dict(zip(self.tokenizer.tokens(numbers), numbers, strict=True))


def once(path: Path, make: Callable[[], Any]) -> Any:
    """The JSON value in a file, which ``make`` computes if the file does not exist."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        value = make()
        with atomic_write(path) as temporary:
            temporary.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", "utf-8")
    return json.loads(path.read_text("utf-8"))


def pairs_of(folder: Path, name: str, sides: tuple[str, str]) -> list[Pair]:
    """The pairs of two aligned files without those that have a blank side."""
    source, target = (list(read_lines(folder / f"{name}.{side}")) for side in sides)
    if len(source) != len(target):
        sys.exit(f"error: {folder}/{name} has {len(source):,} and {len(target):,} lines: align the two files")
    return [Pair(*pair) for pair in zip(source, target, strict=True) if all(side.strip() for side in pair)]


def prepare(arguments: argparse.Namespace, folder: Path, tokenizer: Tokenizer | None = None) -> Text:
    """Write text, tokens and vocabulary into a folder. Training pairs with more than `LONGEST` tokens are left out.

    Args:
        arguments: of the command line.
        folder: is created.
        tokenizer: the vocabulary of both sides; None: a new one of ``arguments.vocabulary`` tokens.

    Raises:
        SystemExit: the folder has other text, or another vocabulary.
    """
    size = arguments.vocabulary if tokenizer is None else tokenizer.size
    sides = (arguments.source, arguments.target)
    names = {"train": "train", "validation": arguments.validation, "test": arguments.test}
    used: dict[str, Any] = {"text": str(arguments.text.resolve()), "names": names, "sides": list(sides)}
    splits = {split: pairs_of(arguments.text, name, sides) for split, name in names.items()}
    splits["train"] = splits["train"][: arguments.pairs]
    content = text_hash(line for pairs in splits.values() for pair in pairs for line in pair)
    used |= {"pairs": arguments.pairs, "vocabulary": size, "content": content}
    vocabulary = folder / "joint.model"
    other = tokenizer is not None and vocabulary.exists() and vocabulary.read_bytes() != tokenizer.to_bytes()
    if other or once(folder / "settings.json", lambda: used) != used:
        sys.exit(f"error: {folder} has other text or another vocabulary: name another FOLDER")
    if tokenizer is None and vocabulary.exists():
        tokenizer = Tokenizer.load(vocabulary)
    elif tokenizer is None:
        config = TokenizerConfig(algorithm=Algorithm.bpe, size=size)
        tokenizer = train_tokenizer((line for pair in splits["train"] for line in pair), config, "train")
    with atomic_write(vocabulary) as temporary:
        temporary.write_bytes(tokenizer.to_bytes())
    text = Text(folder, *sides, tokenizer)
    for split, pairs in splits.items():
        write_split(text, split, pairs)
    text.file("vocabulary", "joeynmt").write_text("".join(f"{token}\n" for token in text.ids), "utf-8")
    text.file("vocabulary", "eole").write_text("".join(f"{token}\t1\n" for token in text.ids), "utf-8")
    return text


def write_split(text: Text, split: str, pairs: Sequence[Pair]) -> None:
    """Write the files of a split, in the Unicode form of the vocabulary, in which compare.py scores too."""
    columns = [[text.tokenizer.normalize(line) for line in side] for side in zip(*pairs, strict=True)]
    rows = list(zip(*columns, *map(text.tokens, columns), strict=True))
    if split == "train":
        rows = [row for row in rows if max(tokens.count(" ") for tokens in row[2:]) < LONGEST]
    ends = (text.source, text.target, f"pieces.{text.source}", f"pieces.{text.target}")
    for end, column in zip(ends, zip(*rows, strict=True), strict=True):
        text.file(split, end).write_text("".join(f"{line}\n" for line in column), "utf-8")
