"""A stream of requests cut into chunks, and these into batches of similar length: what bounds memory."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from seq2seq.corpora.segments import LONGEST, sentences, stretches
from seq2seq.data.batch import batches_by_length
from seq2seq.inference.members import Encoded, Members
from seq2seq.search import DRAWING, SearchConfig
from seq2seq.system.out_of_memory import halve_if_out_of_memory
from seq2seq.translation.types import Request, Translation, joined

CHUNK = 2048
"""Sentences of a stream that are sorted by length together."""

BATCH_PIECES = 3072
"""Most source pieces of a batch, padding included, on a CPU."""

GPU_BATCH_PIECES = 16_384
"""And on a GPU, which takes as long for few rows as for many."""

BATCH_ROWS = 8
"""Samples of a sentence above which a batch has fewer sentences."""

Translate = Callable[[list[Request], Encoded], list[Translation]]
"""Translates the requests of a batch, given with their pieces for every member."""


def translated(
    members: Members, requests: Iterable[Request], search: SearchConfig, translate: Translate
) -> Iterator[Translation]:
    """Every request's translation, in order; `CHUNK` of them are read at a time."""
    iterator = iter(requests)
    while chunk := list(islice(iterator, CHUNK)):
        encoded, longest = _encoded(members, chunk)
        found: dict[int, Translation] = {}
        for row in (row for row, pieces in enumerate(longest) if not pieces):
            parts = list(translated(members, in_stretches(members, chunk[row]), search, translate))
            one = joined(chunk[row].text, parts, search.length_penalty)
            found[row] = replace(one, n_best=(one,)) if search.n_best > 1 and not parts else one
        for rows in batches(chunk, longest, search, batch_pieces(members)):
            own = [[ids[row] for row in rows] for ids in encoded]
            found |= zip(rows, _whole_or_halves([chunk[row] for row in rows], own, search, translate), strict=True)
        yield from (found[row] for row in range(len(chunk)))


def in_stretches(members: Members, request: Request) -> list[Request]:
    """The stretches of a text that is too long to be one sentence, none of blank text.

    The first has to keep what is asked of the whole: its prefix, for which it has as many sentences, and its phrases.
    Each has the terms of its own text.
    """
    if len(request.text) <= LONGEST:
        return []
    together = len(sentences(request.prefix))
    parts = stretches(request.text, members.source_tokenizers[0].tags, together)
    asked = [request, *[Request("", glossary=request.glossary)] * (len(parts) - 1)]
    return [replace(one, text=part).with_terms() for one, part in zip(asked, parts, strict=False)]


def _encoded(members: Members, requests: Sequence[Request]) -> tuple[Encoded, list[list[int]]]:
    """As `Members.encoded`; of a text that is translated in stretches there are no pieces."""
    return members.encoded([one.text if len(one.text) <= LONGEST else "" for one in requests])


def _whole_or_halves(
    requests: list[Request], encoded: Encoded, search: SearchConfig, translate: Translate
) -> list[Translation]:
    """The translations of a batch, in two halves where memory is short."""
    middle = -(-len(requests) // 2)

    def halves() -> list[Translation]:
        parts = [part for part in (slice(0, middle), slice(middle, None)) if requests[part]]
        return [one for part in parts for one in translate(requests[part], [ids[part] for ids in encoded])]

    setting = "search.samples or n_best" if search.method in DRAWING else "beam_size"
    return halve_if_out_of_memory(
        lambda: translate(requests, encoded), halves, f"a batch of {len(requests):,} sentences", setting
    )


def batch_pieces(members: Members) -> int:
    """Most source pieces of a batch on the device of the members."""
    return BATCH_PIECES if members.translators[0].device.type == "cpu" else GPU_BATCH_PIECES


def batches(
    requests: Sequence[Request], longest: Sequence[Sequence[int]], search: SearchConfig, most: int
) -> Iterator[list[int]]:
    """Row numbers of the sentences that are not blank, of similar length together, those with phrases apart.

    For these are searched in another way, and a translation must not depend on its batch. A batch has at most ``most``
    source pieces, padding included.
    """
    rows = search.rows if search.method in DRAWING else 1
    size = most * BATCH_ROWS // max(BATCH_ROWS, rows)
    for apart in (False, True):
        own = [pieces if bool(one.phrases) is apart else [] for one, pieces in zip(requests, longest, strict=True)]
        yield from batches_by_length(own, size)


def numbered(members: Members, requests: Sequence[Request], search: SearchConfig) -> list[list[int]]:
    """The numbers of the requests in each batch that `translated` makes of them.

    Those of a batch, translated by themselves, are a batch again: so processes may share them (`sharing`). A text that
    is translated in stretches counts as one.
    """
    chunks = ((start, requests[start : start + CHUNK]) for start in range(0, len(requests), CHUNK))
    return [[row] for row, one in enumerate(requests) if len(one.text) > LONGEST] + [
        [start + row for row in rows]
        for start, chunk in chunks
        for rows in batches(chunk, _encoded(members, chunk)[1], search, batch_pieces(members))
    ]
