"""Encoding a corpus once: in parallel, shard by shard, so that what was stopped goes on, and found again by content."""

import hashlib
import shutil
from contextlib import closing, suppress
from dataclasses import asdict
from itertools import islice
from pathlib import Path

from seq2seq.corpora.corpus import Corpus
from seq2seq.corpora.filters import FilterConfig, Filters
from seq2seq.corpora.monolingual import TargetSide
from seq2seq.corpora.reading import expected_pairs, pairs_after, with_progress
from seq2seq.data.encoding import encoded_chunks
from seq2seq.data.shards import Shard, read_shard, shard_path, write_shard
from seq2seq.data.table import Table, read_shards
from seq2seq.errors import DataError, RunError
from seq2seq.system.atomic import remove_leftovers
from seq2seq.system.lock import locked
from seq2seq.system.processes import is_first, rank
from seq2seq.system.workers import available_cores
from seq2seq.tokenizer.tokenizer import Tokenizers

SHARD = 20
"""Chunks of text in a shard: 200,000 pairs, what is encoded again at most where a preparation was stopped."""

LAYOUT = 3
"""To be raised when files that were written before must not be used again."""


def prepared_corpus(
    corpus: Corpus,
    tokenizers: Tokenizers,
    cache: Path,
    filters: FilterConfig | None,
    processes: int | None = None,
) -> Table:
    """The corpus in a folder of many, where it lies under its key; encoded as `encode_corpus` does if it is not there.

    Raises:
        DataError, RunError: as `encode_corpus`.
    """
    key = corpus_key(corpus, tokenizers, filters)
    return _opened(corpus, tokenizers, cache / key[:32], filters, key, processes)


def encode_corpus(
    corpus: Corpus,
    tokenizers: Tokenizers,
    folder: Path,
    filters: FilterConfig | None,
    processes: int | None = None,
) -> Table:
    """Filter and encode a corpus into a folder in one pass, or open what was encoded before.

    What a stopped program has left there is gone on with: shards that are finished are not encoded again. Where another
    program is encoding the same, this one waits and takes that; so do the other processes of one run.

    Args:
        corpus: the pairs; some thousand are in memory at a time.
        tokenizers: of both sides.
        folder: the table; one of another corpus, or of other settings, is replaced.
        filters: which pairs to drop; None drops only pairs that are blank on a side.
        processes: how many encode; None: as many as there are cores.

    Raises:
        DataError: the corpus cannot be read, or no pair is left.
        RunError: the disk is full, a process was killed, or the first process of the run wrote where this one, on
            another machine, does not see it.
    """
    return _opened(corpus, tokenizers, folder, filters, corpus_key(corpus, tokenizers, filters), processes)


def _opened(
    corpus: Corpus,
    tokenizers: Tokenizers,
    folder: Path,
    filters: FilterConfig | None,
    key: str,
    processes: int | None,
) -> Table:
    """The table of this key in a folder, encoded if it is not there."""
    table = _found(folder, key, tokenizers)
    if table is not None:
        return table
    if not is_first():
        raise RunError(
            f"process {rank() + 1} finds no encoded corpus in {folder}: name folders that all machines share with "
            "run=PATH and data.cache=PATH"
        )
    with locked(folder, wait=True):
        table = _found(folder, key, tokenizers)  # another program may just have made it
        if table is not None:
            return table
        try:
            _prepare(corpus, tokenizers, folder, filters, key, processes or available_cores())
        except DataError:  # text that has been mended has another key
            _clear(folder, 0)
            raise
    return Table(folder, (tokenizers.source.size, tokenizers.target.size))


def corpus_key(corpus: Corpus, tokenizers: Tokenizers, filters: FilterConfig | None) -> str:
    """A hash of everything that encoded ids depend on."""
    key = hashlib.sha256(f"{LAYOUT} {corpus.fingerprint} {asdict(filters) if filters else None}".encode())
    for tokenizer in tokenizers:
        key.update(hashlib.sha256(tokenizer.to_bytes()).digest())
    return key.hexdigest()


def _found(folder: Path, key: str, tokenizers: Tokenizers) -> Table | None:
    """The table of a folder, if it is whole and of this key."""
    if not shard_path(folder, 0).exists():
        return None
    try:
        if read_shard(shard_path(folder, 0)).key != key:
            return None
        return Table(folder, (tokenizers.source.size, tokenizers.target.size))
    except DataError:  # damaged, foreign or not finished
        return None


def _prepare(
    corpus: Corpus, tokenizers: Tokenizers, folder: Path, filters: FilterConfig | None, key: str, processes: int
) -> None:
    """Encode what is missing."""
    notes = folder / "notes"
    done = _usable(folder, key)
    _clear(folder, len(done), notes=not done)
    total = Filters(filters, isinstance(corpus, TargetSide))
    for shard in done:
        total.count(shard.pairs, shard.dropped)
    read = sum(shard.read for shard in done)
    pairs = with_progress(
        pairs_after(corpus, read, notes), f"encoding {corpus.name}", expected_pairs(corpus), done=read
    )
    with closing(encoded_chunks(pairs, tokenizers, filters, total.monolingual, processes)) as chunks:
        number, chunk = len(done), next(chunks, None)
        while True:
            some = [] if chunk is None else [chunk, *islice(chunks, SHARD - 1)]
            for one in some:
                total.count(len(one.source.offsets) - 1, one.dropped)
            chunk = next(chunks, None)
            if chunk is None:
                total.require_some(corpus.name)
            write_shard(shard_path(folder, number), key, some, total.report() if chunk is None else None)
            number += 1
            if chunk is None:
                break
    shutil.rmtree(notes, ignore_errors=True)


def _usable(folder: Path, key: str) -> list[Shard]:
    """The shards of an unfinished table of this key, from the first on."""
    done: list[Shard] = []
    with suppress(DataError):  # of a file; all before it are good
        done.extend(read_shards(folder, key))
    return done if not done or done[-1].report is None else []


def _clear(folder: Path, keep: int, notes: bool = True) -> None:
    """Take out all shards but the first ``keep``, and the notes of what reads the text."""
    for path in folder.glob("[0-9][0-9][0-9][0-9][0-9].safetensors"):
        if int(path.stem) >= keep:
            path.unlink()
    remove_leftovers(folder)
    if notes:
        shutil.rmtree(folder / "notes", ignore_errors=True)
