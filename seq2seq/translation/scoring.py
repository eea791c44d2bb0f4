"""What a model makes of translations that are given."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

import torch

from seq2seq.data.batch import batches_by_length
from seq2seq.search import forced, hypothesis
from seq2seq.text.tokenizer import EOS
from seq2seq.translation.answer import Choice, translation
from seq2seq.translation.batching import BATCH_PIECES, CHUNK
from seq2seq.translation.members import Encoded, Members
from seq2seq.translation.types import Translation


def scored(members: Members, pairs: Iterable[tuple[str, str]], length_penalty: float) -> Iterator[Translation]:
    """`Translator.score_all`: every target as a translation of its source, in order."""
    iterator = iter(pairs)
    while chunk := list(islice(iterator, CHUNK)):
        encoded, longest = members.encoded([source for source, _ in chunk])
        targets = members.target.encode_all([target for _, target in chunk])
        found: dict[int, Translation] = {}
        both = [[*source, *target, EOS] for source, target in zip(longest, targets, strict=True)]
        for rows in batches_by_length(both, BATCH_PIECES):
            texts, own = [chunk[row][0] for row in rows], [[ids[row] for row in rows] for ids in encoded]
            found |= zip(rows, _batch(members, texts, own, [targets[row] for row in rows], length_penalty), strict=True)
        yield from (found[row] for row in range(len(chunk)))


@torch.inference_mode()
def _batch(
    members: Members, texts: list[str], encoded: Encoded, targets: list[list[int]], length_penalty: float
) -> list[Translation]:
    parts = forced(members.bind(encoded, shortlist=False).stepper, targets)
    found = []
    for text, source, target, pieces in zip(texts, encoded[0], targets, parts, strict=True):
        one = hypothesis([*target, EOS], math.fsum(pieces), length_penalty, finished=True)
        whole = translation(members, text, source, Choice(one))
        found.append(replace(whole, piece_log_probabilities=tuple(pieces)))
    return found
