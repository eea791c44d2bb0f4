"""What a model makes of translations that are given."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, islice

import torch

from seq2seq.corpora.segments import LONGEST, aligned, sentences, stretches
from seq2seq.data.batch import batches_by_length
from seq2seq.inference.members import EncodedSources, Members
from seq2seq.search import forced, hypothesis
from seq2seq.tokenizer.tokenizer import EOS
from seq2seq.translation.answer import Choice, translation
from seq2seq.translation.batching import CHUNK, batch_pieces
from seq2seq.translation.types import Translation, joined

END = "</s>"
"""How the end of a sentence reads among pieces."""


def scored(members: Members, pairs: Iterable[tuple[str, str]], length_penalty: float) -> Iterator[Translation]:
    """`Translator.score_all`: every target as a translation of its source, in order.

    Where a source is so long that a translator cuts it, its target is cut too, and the parts are scored.
    """
    iterator = iter(pairs)
    while chunk := list(islice(iterator, CHUNK)):
        cut = [_cut(members, source, target) for source, target in chunk]
        parts = _sentences_scored(members, [part for own in cut for part in own], length_penalty)
        for (source, target), own in zip(chunk, cut, strict=True):
            found = list(islice(parts, len(own)))
            yield found[0] if len(source) <= LONGEST else _together(source, target, found, length_penalty)


def _cut(members: Members, source: str, target: str) -> list[tuple[str, str]]:
    if len(source) <= LONGEST:
        return [(source, target)]
    tags = members.source_tokenizers[0].tags
    return aligned(stretches(source, tags), sentences(target)) or [(source.strip(), target)]


def _sentences_scored(members: Members, pairs: list[tuple[str, str]], length_penalty: float) -> Iterator[Translation]:
    """Pairs as they are, `CHUNK` of them sorted by length together."""
    for start in range(0, len(pairs), CHUNK):
        chunk = pairs[start : start + CHUNK]
        encoded, longest = members.encoded([source for source, _ in chunk])
        targets = members.target.encode_all([target for _, target in chunk])
        found: dict[int, Translation] = {}
        both = [[*source, *target, EOS] for source, target in zip(longest, targets, strict=True)]
        for rows in batches_by_length(both, batch_pieces(members)):
            texts, own = [chunk[row][0] for row in rows], [[ids[row] for row in rows] for ids in encoded]
            found |= zip(rows, _batch(members, texts, own, [targets[row] for row in rows], length_penalty), strict=True)
        yield from (found[row] for row in range(len(chunk)))


def _together(source: str, target: str, parts: list[Translation], length_penalty: float) -> Translation:
    """One pair of its parts; the end of each but the last stands among the pieces."""
    shown = [replace(part, pieces=(*part.pieces, END)) for part in parts[:-1]]
    return replace(
        joined(source, parts, length_penalty),
        text=target,
        pieces=tuple(chain.from_iterable(part.pieces for part in [*shown, parts[-1]])),
        piece_log_probabilities=tuple(chain.from_iterable(part.piece_log_probabilities for part in parts)),
    )


@torch.inference_mode()
def _batch(
    members: Members, texts: list[str], encoded: EncodedSources, targets: list[list[int]], length_penalty: float
) -> list[Translation]:
    parts = forced(members.bind(encoded, shortlist=False).stepper, targets)
    found = []
    for text, source, target, pieces in zip(texts, encoded[0], targets, parts, strict=True):
        one = hypothesis([*target, EOS], math.fsum(pieces), length_penalty, finished=True)
        whole = translation(members, text, source, Choice(one))
        found.append(replace(whole, piece_log_probabilities=tuple(pieces)))
    return found
