"""Pairs as batches whose translation is given, of bounded size: what every look at a corpus reads."""

from collections.abc import Sequence
from typing import NamedTuple

from seq2seq.analysis.recording import Side
from seq2seq.corpora.corpus import Pair
from seq2seq.data.batch import Batch, batches_by_length, make_batch
from seq2seq.errors import DataError
from seq2seq.inference.member import Member
from seq2seq.tokenizer.tokenizer import BOS, EOS

PIECES = 1536
"""Most pieces of a batch on either side, padding included, and so a bound on memory."""

LONGEST = 200
"""Sentences of more pieces, on either side, are left out."""


class Taught(NamedTuple):
    """Pairs on the network's device, and the pieces that each side reads, row by row."""

    batch: Batch
    source_pieces: list[list[str]]
    """The end mark last; empty rows for a language model."""
    read_pieces: list[list[str]]
    """What the decoder reads: the beginning mark first."""

    def pieces(self, side: Side) -> list[list[str]]:
        """What that side reads."""
        return self.source_pieces if side is Side.encoder else self.read_pieces


def taught(member: Member, pairs: Sequence[Pair]) -> list[Taught]:
    """Batches of pairs, those of similar length together; a language model's have targets alone.

    Raises:
        DataError: no pair is left: all are blank or too long.
    """
    source_tokenizer, target_tokenizer = member.tokenizers
    reads = not member.is_language_model
    targets = target_tokenizer.encode_all([pair.target for pair in pairs]) if pairs else []
    sources = source_tokenizer.encode_all([pair.source for pair in pairs]) if pairs and reads else [[]] * len(targets)
    kept = [
        row
        for row, (source, target) in enumerate(zip(sources, targets, strict=True))
        if 0 < len(target) <= LONGEST and (not reads or 0 < len(source) <= LONGEST)
    ]
    if not kept:
        raise DataError(f"none of {len(pairs):,} pairs can be looked at: all are blank or over {LONGEST} pieces long")
    longer = [max(sources[row], targets[row], key=len) for row in kept]
    batches = []
    for places in batches_by_length(longer, PIECES):
        rows = [kept[place] for place in places]
        batch = make_batch([sources[row] for row in rows], [targets[row] for row in rows]).to(member.device)
        read = [source_tokenizer.pieces([*sources[row], EOS]) if reads else [] for row in rows]
        batches.append(Taught(batch, read, [target_tokenizer.pieces([BOS, *targets[row]]) for row in rows]))
    return batches
