"""Translation by several processes: whole batches are shared, so each translation is what one process alone finds."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from seq2seq.search import SearchConfig
from seq2seq.system.processes import broadcast_object, gather_objects, is_first, is_single_process, rank, world_size
from seq2seq.translation.batching import CHUNK
from seq2seq.translation.translator import Translator
from seq2seq.translation.types import Copy, Request, Translation


def translate_together(
    translator: Translator,
    lines: Iterable[str | Request],
    *,
    beam_size: int | None = None,
    n_best: int | None = None,
    search: SearchConfig | None = None,
    copy: Copy = Copy.none,
) -> Iterator[Translation]:
    """Translate a stream as `Translator.translate` does, by all processes; the first of them gets the translations.

    Every process calls this and exhausts it, with a translator of the same models and settings.

    Args:
        translator: this process's own.
        lines: the text. Only the first process's is read, `CHUNK` lines for each process at a time.
        beam_size: as for `Translator.translate`.
        n_best: likewise.
        search: likewise.
        copy: likewise.

    Raises:
        ConfigError: as `Translator.translate`.
    """

    def translate(texts: Iterator[str | Request]) -> Iterator[Translation]:
        return translator.translate(texts, beam_size=beam_size, n_best=n_best, search=search, copy=copy)

    if is_single_process():
        return translate(iter(lines))
    return _rounds(translator, iter(lines), translate, search)


def _rounds(
    translator: Translator,
    lines: Iterator[str | Request],
    translate: Callable[[Iterator[str | Request]], Iterator[Translation]],
    search: SearchConfig | None,
) -> Iterator[Translation]:
    while texts := broadcast_object(list(islice(lines, world_size() * CHUNK)) if is_first() else []):
        own = portions(translator, texts, search)[rank() :: world_size()]
        translated = [(rows, list(translate(iter([texts[row] for row in rows])))) for rows in own]
        shares = (share for process in gather_objects(translated) for share in process)
        told = {row: translation for share in shares for row, translation in zip(*share, strict=True)}
        yield from (told[row] for row in sorted(told))


def portions(translator: Translator, texts: list[str | Request], search: SearchConfig | None = None) -> list[list[int]]:
    """The numbers of all texts, shared out in what processes take in turn: chunks, or batches where chunks are few.

    Batches balance better, but to know them all the text has to be encoded: by every process, before its own share.
    """
    if len(texts) == world_size() * CHUNK:
        return [list(range(start, start + CHUNK)) for start in range(0, len(texts), CHUNK)]
    batches = translator.batches(texts, search)
    return [*batches, sorted(set(range(len(texts))).difference(*batches))]  # the blank ones last, in no batch
