"""Preprocessing: a corpus is encoded once, in parallel and in shards, and cached by its content.

Interrupted preprocessing resumes after the last complete shard.
"""

import hashlib
import shutil
from contextlib import closing, suppress
from dataclasses import asdict
from itertools import islice
from pathlib import Path

from seq2seq.corpora.corpus import Corpus, pairs_with_progress
from seq2seq.corpora.filters import FilterConfig, Filters
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
"""Chunks per shard: 200,000 pairs, the most that is encoded again after an interruption."""

LAYOUT = 4
"""Version of the file format and of what counts as blank; increase it when existing files must not be used."""


def encode_cached(
    corpus: Corpus,
    tokenizers: Tokenizers,
    cache: Path,
    filters: FilterConfig | None,
    processes: int | None = None,
) -> Table:
    """The encoded corpus in a folder of the cache that is named by its key; see `encode_corpus`."""
    folder = cache / corpus_key(corpus, tokenizers, filters)[:32]
    return encode_corpus(corpus, tokenizers, folder, filters, processes)


def encode_corpus(
    corpus: Corpus,
    tokenizers: Tokenizers,
    folder: Path,
    filters: FilterConfig | None,
    processes: int | None = None,
) -> Table:
    """Filter and encode a corpus into a folder in one pass, or open the result of an earlier call.

    Shards that an interrupted program completed are not encoded again. If another program is encoding the same corpus,
    this one waits for it, as do the other processes of a distributed run.

    Args:
        corpus: the pairs, of which some thousand are in memory at a time.
        tokenizers: of both sides.
        folder: the table; a table of another corpus or with other settings is replaced.
        filters: pairs to drop; None drops only pairs with a blank side.
        processes: number of encoding processes; None: one per core.

    Raises:
        DataError: the corpus cannot be read, or the filters drop every pair.
        RunError: the disk is full, a process was killed, or the first process of a distributed run wrote the table on
            another machine.
    """
    key = corpus_key(corpus, tokenizers, filters)
    table = _complete_table(folder, key, tokenizers)
    if table is not None:
        return table
    if not is_first():
        raise RunError(
            f"process {rank() + 1} finds no encoded corpus in {folder}: choose folders that all machines share with "
            "run=PATH and data.cache=PATH"
        )
    with locked(folder, wait=True):
        table = _complete_table(folder, key, tokenizers)  # another program may have finished it meanwhile
        if table is not None:
            return table
        try:
            _encode(corpus, tokenizers, folder, filters, key, processes or available_cores())
        except DataError:  # the corrected text will have another key
            _clear(folder, 0)
            raise
    return Table(folder, (tokenizers.source.size, tokenizers.target.size))


def corpus_key(corpus: Corpus, tokenizers: Tokenizers, filters: FilterConfig | None) -> str:
    """A hash of everything that encoded ids depend on."""
    key = hashlib.sha256(f"{LAYOUT} {corpus.fingerprint} {asdict(filters) if filters else None}".encode())
    for tokenizer in tokenizers:
        key.update(hashlib.sha256(tokenizer.to_bytes()).digest())
        key.update(tokenizer.normalization.encode())
    return key.hexdigest()


def _complete_table(folder: Path, key: str, tokenizers: Tokenizers) -> Table | None:
    """The table of a folder if it is complete and has this key."""
    if not shard_path(folder, 0).exists():
        return None
    try:
        if read_shard(shard_path(folder, 0)).key != key:
            return None
        return Table(folder, (tokenizers.source.size, tokenizers.target.size))
    except DataError:  # damaged, foreign or incomplete
        return None


def _encode(
    corpus: Corpus, tokenizers: Tokenizers, folder: Path, filters: FilterConfig | None, key: str, processes: int
) -> None:
    """Encode the missing shards."""
    state = folder / "notes"
    done = _complete_shards(folder, key)
    _clear(folder, len(done), state=not done)
    total = Filters(filters, corpus.monolingual)
    for shard in done:
        total.count(shard.pairs, shard.dropped)
    read = sum(shard.read for shard in done)
    pairs = pairs_with_progress(
        corpus.pairs_after(read, state), f"encoding {corpus.name}", corpus.expected_pairs(), done=read
    )
    with closing(encoded_chunks(pairs, tokenizers, filters, total.monolingual, processes)) as chunks:
        number, chunk = len(done), next(chunks, None)
        while True:
            shard_chunks = [] if chunk is None else [chunk, *islice(chunks, SHARD - 1)]
            for encoded in shard_chunks:
                total.count(len(encoded.source.offsets) - 1, encoded.dropped)
            chunk = next(chunks, None)
            if chunk is None:
                total.require_some(corpus.name)
            write_shard(shard_path(folder, number), key, shard_chunks, total.report() if chunk is None else None)
            number += 1
            if chunk is None:
                break
    shutil.rmtree(state, ignore_errors=True)


def _complete_shards(folder: Path, key: str) -> list[Shard]:
    """The complete shards of an unfinished table with this key."""
    done: list[Shard] = []
    with suppress(DataError):  # the shards before a damaged one are usable
        done.extend(read_shards(folder, key))
    return done if not done or done[-1].report is None else []


def _clear(folder: Path, keep: int, state: bool = True) -> None:
    """Remove all shards except the first ``keep``, and the reading state of the corpus."""
    for path in folder.glob("[0-9][0-9][0-9][0-9][0-9].safetensors"):
        if int(path.stem) >= keep:
            path.unlink()
    remove_leftovers(folder)
    if state:
        shutil.rmtree(folder / "notes", ignore_errors=True)
