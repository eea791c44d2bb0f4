"""Probabilities of given text: forced decoding of translations, and sentences under a language model.

Shapes: B sentences of a batch, P target tokens of a batch, V vocabulary.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice

import numpy as np
import torch

from seq2seq.corpora.mixture import without_tags
from seq2seq.data.batch import batches_by_length, make_batch
from seq2seq.data.batch_sampler import BatchSampler
from seq2seq.data.config import BatchConfig
from seq2seq.errors import DataError, require_text
from seq2seq.inference.member import Member
from seq2seq.inference.members import EncodedSources, Members
from seq2seq.portable.segmentation import MAX_SEGMENT, align_segments, split_long_text, split_sentences
from seq2seq.portable.translation import join_translations
from seq2seq.search import forced_decoding, make_hypothesis
from seq2seq.tokenizer.tokenizer import EOS
from seq2seq.translation.batching import batch_tokens, chunked, map_batches
from seq2seq.translation.decoding import RankedHypothesis, translation
from seq2seq.translation.types import Translation

END = "</s>"
"""How EOS is shown among tokens."""


def score_pairs(members: Members, pairs: Iterable[tuple[str, str]], length_penalty: float) -> Iterator[Translation]:
    """Yield every target as a scored translation of its source, in order; see `Translator.score_all`.

    If a source is so long that a translator splits it, its target is split too, and the segments are scored.
    """
    for chunk in chunked(pairs):
        for pair in chunk:
            require_pair(pair)
        split = [_split(members, source, target) for source, target in chunk]
        parts = _score_segments(members, [part for own in split for part in own], length_penalty)
        for (source, target), own in zip(chunk, split, strict=True):
            scored = list(islice(parts, len(own)))
            yield scored[0] if len(source) <= MAX_SEGMENT else _join(source, target, scored, length_penalty)


def require_pair(pair: object) -> None:
    """Check that an object is a source and a target.

    Raises:
        DataError: it is something else, such as a string of two letters.
    """
    if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2:
        raise DataError(f"{pair!r:.60} is not a pair: pass (source, target)")
    for text in pair:
        require_text(text, "text")


def _split(members: Members, source: str, target: str) -> list[tuple[str, str]]:
    if len(source) <= MAX_SEGMENT:
        return [(source, target)]
    tags, placeholders = members.source_tokenizers[0].tags, members.placeholders
    bare = without_tags(source, tags)
    start = source[: source.rindex(bare)] if bare else ""
    # Without tags, which every segment gets: those of joined segments would stand within the sentence.
    sources, targets = split_long_text(bare, (), 1, placeholders), split_sentences(target, placeholders)
    aligned = align_segments(sources, targets) or [(bare.strip(), target)]
    return [(f"{start}{segment}", own) for segment, own in aligned]


def _join(source: str, target: str, parts: list[Translation], length_penalty: float) -> Translation:
    """Join the scored segments of a pair; EOS of all but the last stands among the tokens."""
    tokens = [[*part.tokens, END] for part in parts[:-1]] + [list(parts[-1].tokens)]
    return replace(
        join_translations(Translation, source, parts, length_penalty),
        text=target,
        tokens=tuple(chain.from_iterable(tokens)),
        token_log_probabilities=tuple(chain.from_iterable(part.token_log_probabilities for part in parts)),
    )


def _score_segments(members: Members, pairs: list[tuple[str, str]], length_penalty: float) -> Iterator[Translation]:
    for chunk in chunked(pairs):
        yield from _score_chunk(members, chunk, length_penalty)


def _score_chunk(members: Members, pairs: list[tuple[str, str]], length_penalty: float) -> list[Translation]:
    encoded, longest = members.encoded([source for source, _ in pairs])
    targets = members.target.encode_all([members.protected(target, source) for source, target in pairs])

    def process(rows: list[int]) -> list[Translation]:
        sources, own = [pairs[row][0] for row in rows], [[ids[row] for row in rows] for ids in encoded]
        return _score_batch(members, sources, own, [targets[row] for row in rows], length_penalty)

    both = [[*source, *target, EOS] for source, target in zip(longest, targets, strict=True)]
    results = map_batches(batches_by_length(both, batch_tokens(members)), process)
    return [results[row] for row in range(len(pairs))]


@torch.inference_mode()
def _score_batch(
    members: Members, sources: list[str], encoded: EncodedSources, targets: list[list[int]], length_penalty: float
) -> list[Translation]:
    scores = forced_decoding(members.bind(encoded, shortlist=False).stepper, targets)
    scored = []
    for text, source, target, values in zip(sources, encoded[0], targets, scores, strict=True):
        hypothesis = make_hypothesis([*target, EOS], math.fsum(values), length_penalty, finished=True)
        whole = translation(members, text, source, RankedHypothesis(hypothesis))
        scored.append(replace(whole, token_log_probabilities=tuple(values)))
    return scored


@torch.inference_mode()
def score_sentences(model: Member, targets: Sequence[Sequence[int]]) -> list[float]:
    """Return the log-probability of every sentence of tokens under a language model, in nats, EOS included.

    Takes one teacher-forced pass per batch.
    """

    def process(rows: list[int]) -> list[float]:
        batch = make_batch([[]] * len(rows), [targets[row] for row in rows]).to(model.device)
        logits_PV = model.network(batch.source_BS, batch.source_lengths_B, batch.target_BT, batch.positions_P)
        loss_P = torch.nn.functional.cross_entropy(logits_PV.float(), batch.labels_P, reduction="none")
        sentence_P = batch.positions_P.div(batch.target_BT.size(1), rounding_mode="floor")
        sums_B = torch.zeros(len(rows), dtype=torch.float64, device=loss_P.device)
        return [-loss for loss in sums_B.index_add_(0, sentence_P, loss_P.double()).tolist()]

    lengths = np.array([len(target) for target in targets], dtype=np.int32)
    batches = BatchSampler(np.zeros_like(lengths), lengths, BatchConfig(), seed=0).epoch(0)
    results = map_batches((rows.tolist() for rows in batches), process)
    return [results[row] for row in range(len(targets))]
