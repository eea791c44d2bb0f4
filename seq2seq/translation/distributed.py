"""Translation by several processes. They share whole batches, so results equal those of a single process."""

from collections.abc import Callable, Iterable, Iterator

from seq2seq.search import SearchConfig
from seq2seq.system.processes import broadcast_object, gather_objects, is_first, is_single_process, rank, world_size
from seq2seq.translation.batching import CHUNK, chunked
from seq2seq.translation.config import Copy
from seq2seq.translation.translator import Translator
from seq2seq.translation.types import Request, Translation


def translate_distributed(
    translator: Translator,
    lines: Iterable[str | Request],
    *,
    beam_size: int | None = None,
    n_best: int | None = None,
    search: SearchConfig | str | None = None,
    copy: Copy | str = Copy.none,
) -> Iterator[Translation]:
    """Translate a stream as `Translator.translate_all` does, by all processes; the first one gets the translations.

    Every process calls this with a translator of the same models and settings, and exhausts the iterator.

    Args:
        translator: this process's translator.
        lines: the text; read in the first process only, `CHUNK` lines per process at a time.
        beam_size: as for `Translator.translate_all`.
        n_best: likewise.
        search: likewise.
        copy: likewise.

    Raises:
        ConfigError: as `Translator.translate_all`.
    """

    def translate(texts: Iterable[str | Request]) -> Iterator[Translation]:
        return translator.translate_all(texts, beam_size=beam_size, n_best=n_best, search=search, copy=copy)

    if is_single_process():
        return translate(lines)
    return _rounds(translator, iter(lines), translate, search)


def _rounds(
    translator: Translator,
    lines: Iterator[str | Request],
    translate: Callable[[list[str | Request]], Iterator[Translation]],
    search: SearchConfig | str | None,
) -> Iterator[Translation]:
    chunks = chunked(lines, world_size() * CHUNK)
    while texts := broadcast_object(next(chunks, []) if is_first() else []):
        own = split_work(translator, texts, search)[rank() :: world_size()]
        translated = [(rows, list(translate([texts[row] for row in rows]))) for rows in own]
        shares = (share for process in gather_objects(translated) for share in process)
        results = {row: translation for share in shares for row, translation in zip(*share, strict=True)}
        yield from (results[row] for row in sorted(results))


def split_work(
    translator: Translator, texts: list[str | Request], search: SearchConfig | str | None = None
) -> list[list[int]]:
    """Return the row numbers of the units of work that processes take in turn: chunks, or batches of the last ones.

    Batches balance better, but every process has to encode all texts to know them.
    """
    if len(texts) == world_size() * CHUNK:
        return [list(range(start, start + CHUNK)) for start in range(0, len(texts), CHUNK)]
    batches = translator.batches(texts, search)
    return [*batches, sorted(set(range(len(texts))).difference(*batches))]  # blank texts, which are in no batch, last
