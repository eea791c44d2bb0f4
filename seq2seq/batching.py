"""A stream of requests cut into chunks, and these into batches of similar length: what bounds memory."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from seq2seq.data.batch import batches_by_length
from seq2seq.members import Encoded, Members
from seq2seq.search import DRAWING, SearchConfig
from seq2seq.translation import Request, Translation

CHUNK = 2048
"""Sentences of a stream that are sorted by length together."""

BATCH_PIECES = 3072
"""Most source pieces of a batch, padding included."""

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
        encoded, longest = members.encoded([request.text for request in chunk])
        found = {row: nothing(chunk[row].text) for row, pieces in enumerate(longest) if not pieces}
        for rows in batches(chunk, longest, search):
            own = [[ids[row] for row in rows] for ids in encoded]
            found |= zip(rows, translate([chunk[row] for row in rows], own), strict=True)
        yield from (found[row] for row in range(len(chunk)))


def batches(requests: Sequence[Request], longest: Sequence[Sequence[int]], search: SearchConfig) -> Iterator[list[int]]:
    """Row numbers of the sentences that are not blank, of similar length together, those with phrases apart.

    For these are searched in another way, and a translation must not depend on its batch.
    """
    rows = search.rows if search.method in DRAWING else 1
    size = BATCH_PIECES * BATCH_ROWS // max(BATCH_ROWS, rows)
    for apart in (False, True):
        own = [pieces if bool(one.phrases) is apart else [] for one, pieces in zip(requests, longest, strict=True)]
        yield from batches_by_length(own, size)


def numbered(members: Members, requests: Sequence[Request], search: SearchConfig) -> list[list[int]]:
    """The numbers of the requests in each batch that `translated` makes of them.

    Those of a batch, translated by themselves, are a batch again: so processes may share them (`sharing`).
    """
    chunks = ((start, requests[start : start + CHUNK]) for start in range(0, len(requests), CHUNK))
    return [
        [start + row for row in rows]
        for start, chunk in chunks
        for rows in batches(chunk, members.encoded([one.text for one in chunk])[1], search)
    ]


def nothing(text: str) -> Translation:
    """What blank text is translated by."""
    return Translation(text, "", 0.0, 0.0)
