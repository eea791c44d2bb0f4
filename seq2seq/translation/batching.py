"""Split a stream into chunks and chunks into batches of similar length, which bounds memory."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TypeVar

from seq2seq.data.batch import batches_by_length
from seq2seq.errors import DataError, counted
from seq2seq.inference.members import EncodedSources, Members
from seq2seq.portable.segmentation import MAX_SEGMENT, split_long_text, split_sentences
from seq2seq.portable.translation import join_translations
from seq2seq.search import SAMPLING_METHODS, SearchConfig
from seq2seq.system.out_of_memory import halve_if_out_of_memory
from seq2seq.translation.decoding import SearchOptions, translate_batch
from seq2seq.translation.types import Request, Translation

CHUNK = 2048
"""Sentences of a stream that are read and sorted by length together."""

BATCH_TOKENS = 3072
"""Maximum number of source tokens of a batch, padding included, on a CPU."""

GPU_BATCH_TOKENS = 16_384
"""The same on a GPU, which takes as long for few rows as for many."""

STATE_NUMBERS, GPU_STATE_NUMBERS = 2**25, 2**28
"""Maximum numbers of the recurrent states of a batch; only mLSTMs have so many (512 units: 512 hypotheses)."""

BATCH_HYPOTHESES = 8
"""Hypotheses per sentence above which batches get fewer sentences."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def chunked(items: Iterable[Item], size: int | None = None) -> Iterator[list[Item]]:
    """Yield lists of ``size`` items (None: `CHUNK`), the last one shorter; reads no more than one chunk ahead.

    If an item cannot be read, those before it are yielded before the error is raised.
    """
    iterator, error = iter(items), None
    while error is None:
        chunk: list[Item] = []
        try:
            for item in islice(iterator, size or CHUNK):
                chunk.append(item)  # noqa: PERF402 - the items before an error are needed
        except DataError as raised:
            error = raised
        if chunk:
            yield chunk
        elif error is None:
            return
    raise error


def map_batches(batches: Iterable[list[int]], process: Callable[[list[int]], Sequence[Result]]) -> dict[int, Result]:
    """Process batches of row numbers; return the result of every row."""
    return {row: result for rows in batches for row, result in zip(rows, process(rows), strict=True)}


def translate_stream(members: Members, requests: Iterable[Request], options: SearchOptions) -> Iterator[Translation]:
    """Yield the translation of every request, in order; reads `CHUNK` requests at a time."""
    for chunk in chunked(requests):
        yield from _translate_chunk(members, chunk, options)


def _translate_chunk(members: Members, requests: list[Request], options: SearchOptions) -> list[Translation]:
    encoded, longest = _encode(members, requests)

    def process(rows: list[int]) -> list[Translation]:
        own = [[ids[row] for row in rows] for ids in encoded]
        return _whole_or_halves(members, [requests[row] for row in rows], own, options)

    without_tokens = [row for row, tokens in enumerate(longest) if not tokens]
    results = {row: _translate_long(members, requests[row], options) for row in without_tokens}
    results |= map_batches(batches(requests, longest, options.search, members), process)
    return [results[row] for row in range(len(requests))]


def _translate_long(members: Members, request: Request, options: SearchOptions) -> Translation:
    """Translate a text that is blank or too long to be one sentence, segment by segment."""
    parts = list(translate_stream(members, split_request(members, request), options))
    whole = join_translations(Translation, request.text, parts, options.search.length_penalty)
    return replace(whole, n_best=(whole,)) if options.search.n_best > 1 and not parts else whole


def split_request(members: Members, request: Request) -> list[Request]:
    """Split a text that is too long to be one sentence into segments; return no requests for blank or short text.

    The first segment gets the prefix, with as many sentences as the prefix has, and the phrases. Every segment gets the
    glossary terms of its own text.
    """
    if len(request.text) <= MAX_SEGMENT:
        return []
    together = len(split_sentences(request.prefix, members.placeholders))
    parts = split_long_text(request.text, members.source_tokenizers[0].tags, together, members.placeholders)
    requests = [request, *[Request("", glossary=request.glossary)] * (len(parts) - 1)]
    return [replace(each, text=part).with_terms() for each, part in zip(requests, parts, strict=False)]


def segments(members: Members, request: Request) -> list[Request]:
    """Return the requests for the segments of a text; most texts are their only segment."""
    return split_request(members, request) or [request]


def _encode(members: Members, requests: Sequence[Request]) -> tuple[EncodedSources, list[list[int]]]:
    """As `Members.encoded`, with no tokens for texts that are translated in segments."""
    return members.encoded([each.text if len(each.text) <= MAX_SEGMENT else "" for each in requests])


def _whole_or_halves(
    members: Members, requests: list[Request], encoded: EncodedSources, options: SearchOptions
) -> list[Translation]:
    """Translate a batch; if memory runs out, in two halves."""
    middle = -(-len(requests) // 2)

    def translate(part: slice) -> list[Translation]:
        return translate_batch(members, requests[part], [ids[part] for ids in encoded], options)

    def halves() -> list[Translation]:
        parts = [part for part in (slice(0, middle), slice(middle, None)) if requests[part]]
        return [each for part in parts for each in translate(part)]

    setting = "search.samples or n_best" if options.search.method in SAMPLING_METHODS else "beam_size"
    batch = f"a batch of {counted(len(requests), 'sentence')}"
    return halve_if_out_of_memory(lambda: translate(slice(None)), halves, batch, setting)


def batch_tokens(members: Members) -> int:
    """Return the maximum number of source tokens of a batch on the device of the models."""
    return BATCH_TOKENS if members.translators[0].device.type == "cpu" else GPU_BATCH_TOKENS


def batch_sentences(members: Members, search: SearchConfig) -> int:
    """Return the maximum number of sentences of a batch by the size of the recurrent state of their hypotheses."""
    numbers = STATE_NUMBERS if members.translators[0].device.type == "cpu" else GPU_STATE_NUMBERS
    return max(1, numbers // (members.state_size * search.rows))


def batches(
    requests: Sequence[Request], longest: Sequence[Sequence[int]], search: SearchConfig, members: Members
) -> Iterator[list[int]]:
    """Yield row numbers of non-blank sentences in batches of similar length, as large as memory allows.

    Sentences with phrases get batches of their own: they are searched by another algorithm, and a translation must not
    depend on its batch.
    """
    size = batch_tokens(members) * BATCH_HYPOTHESES // max(BATCH_HYPOTHESES, search.rows)
    for constrained in (False, True):
        own = [
            tokens if bool(each.phrases) is constrained else [] for each, tokens in zip(requests, longest, strict=True)
        ]
        yield from batches_by_length(own, size, batch_sentences(members, search))


def batch_rows(members: Members, requests: Sequence[Request], search: SearchConfig) -> list[list[int]]:
    """Return the row numbers of each batch that `translate_stream` makes of the requests.

    The rows of a batch, translated by themselves, form one batch again, so processes may share the batches
    (`distributed`). A text that is translated in segments counts as a batch.
    """
    chunks = ((start, requests[start : start + CHUNK]) for start in range(0, len(requests), CHUNK))
    return [[row] for row, each in enumerate(requests) if len(each.text) > MAX_SEGMENT] + [
        [start + row for row in rows]
        for start, chunk in chunks
        for rows in batches(chunk, _encode(members, chunk)[1], search, members)
    ]
