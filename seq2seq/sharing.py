"""Translation by several processes: whole batches are shared, so each translation is what one process alone finds."""

from collections.abc import Iterable, Iterator
from itertools import islice

from seq2seq.processes import alone, count, from_first, is_first, rank, to_first
from seq2seq.translate import CHUNK, Translator
from seq2seq.translation import Translation


def translate_together(
    translator: Translator, lines: Iterable[str], *, beam_size: int | None = None, n_best: int | None = None
) -> Iterator[Translation]:
    """Translate a stream as `Translator.translate` does, by all processes; the first of them gets the translations.

    Every process calls this and exhausts it, with a translator of the same models and settings.

    Args:
        translator: this process's own.
        lines: the text. Only the first process's is read, `CHUNK` lines for each process at a time.
        beam_size: as for `Translator.translate`.
        n_best: likewise.

    Raises:
        ConfigError: ``n_best`` above ``beam_size``, or one of them below 1.
    """
    if alone():
        return translator.translate(iter(lines), beam_size=beam_size, n_best=n_best)
    return _rounds(translator, iter(lines), beam_size, n_best)


def _rounds(
    translator: Translator, lines: Iterator[str], beam_size: int | None, n_best: int | None
) -> Iterator[Translation]:
    while texts := from_first(list(islice(lines, count() * CHUNK)) if is_first() else []):
        own = portions(translator, texts)[rank() :: count()]
        translated = [
            (rows, translator.translate([texts[row] for row in rows], beam_size=beam_size, n_best=n_best))
            for rows in own
        ]
        shares = (share for process in to_first(translated) for share in process)
        told = {row: translation for share in shares for row, translation in zip(*share, strict=True)}
        yield from (told[row] for row in sorted(told))


def portions(translator: Translator, texts: list[str]) -> list[list[int]]:
    """The numbers of all texts, shared out in what processes take in turn: chunks, or batches where chunks are few.

    Batches balance better, but to know them all the text has to be encoded: by every process, before its own share.
    """
    if len(texts) == count() * CHUNK:
        return [list(range(start, start + CHUNK)) for start in range(0, len(texts), CHUNK)]
    batches = translator.batches(texts)
    return [*batches, sorted(set(range(len(texts))).difference(*batches))]  # the blank ones last, in no batch
