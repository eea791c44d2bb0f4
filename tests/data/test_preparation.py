"""Preprocessing: cached by content, resumed after interruptions, the same with several processes."""

import gzip
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from seq2seq.corpora.corpus import Corpus, Pair, PairList
from seq2seq.corpora.files import TextFiles
from seq2seq.corpora.filters import FilterConfig
from seq2seq.data import encoding, preparation
from seq2seq.data.preparation import encode_cached, encode_corpus
from seq2seq.data.shards import read_shard
from seq2seq.data.table import Table
from seq2seq.errors import DataError, RunError
from seq2seq.system.atomic import temporary_path
from seq2seq.system.lock import locked
from seq2seq.tokenizer.config import Algorithm, TokenizerConfig
from seq2seq.tokenizer.tokenizer import Tokenizers, save_tokenizers
from seq2seq.tokenizer.vocabulary import build_tokenizers

SIZES = (1 << 16, 1 << 16)
PAIRS = [Pair("the dog sees the cat" + " x" * (n % 7), "der Hund sieht die Katze" * (1 + n % 3)) for n in range(50)]


class Counted(Corpus):
    """A corpus that counts how often it is read."""

    fingerprint = ""

    def __init__(self, pairs: list[Pair], fingerprint: str = "1") -> None:
        self.name, self.fingerprint, self.pairs, self.reads = "pairs", fingerprint, pairs, 0

    def __iter__(self) -> Iterator[Pair]:
        self.reads += 1
        return iter(self.pairs)


@pytest.fixture(scope="module")
def tokenizers() -> Tokenizers:
    return build_tokenizers(TokenizerConfig(algorithm=Algorithm.bpe, size=290), PairList("pairs", PAIRS))


def test_filters_drop_and_report(tokenizers: Tokenizers, tmp_path: Path) -> None:
    pairs = [*PAIRS, Pair("", "x"), Pair(" \u2028 ", "x"), Pair("a", "b " * 500), Pair("a", "x " * 90)]
    table = encode_corpus(PairList("pairs", pairs), tokenizers, tmp_path / "t", FilterConfig(max_ratio=9))
    assert len(table) == 50
    assert table.report == (
        "kept 50 of 54 pairs; dropped 2 blank, 1 too long (over 200 tokens), 1 length ratio (over 9)"
    )
    assert Table(tmp_path / "t", SIZES).report == table.report


def test_nothing_is_encoded_twice(tokenizers: Tokenizers, tmp_path: Path) -> None:
    path, corpus = tmp_path / "train", Counted(PAIRS)
    first = encode_corpus(corpus, tokenizers, path, FilterConfig())
    again = encode_corpus(corpus, tokenizers, path, FilterConfig())
    assert corpus.reads == 1
    assert again.report == first.report
    assert len(again) == len(first)


def test_a_change_of_corpus_filters_or_tokenizers_encodes_again(tokenizers: Tokenizers, tmp_path: Path) -> None:
    path, corpus = tmp_path / "train", Counted(PAIRS)
    old = encode_corpus(corpus, tokenizers, path, FilterConfig())
    encode_corpus(corpus, tokenizers, path, FilterConfig(max_length=90))
    encode_corpus(corpus, tokenizers, path, None)
    other = build_tokenizers(TokenizerConfig(size=290), PairList("pairs", PAIRS))
    encode_corpus(corpus, Tokenizers(tokenizers.source, other.target), path, None)
    assert corpus.reads == 4
    changed = Counted(PAIRS[:9], fingerprint="2")
    assert len(encode_corpus(changed, tokenizers, path, None)) == 9
    assert len(old) == 50  # an open table is unchanged
    assert old.rows(np.array([49]))[0][0].tolist() == tokenizers.source.encode(PAIRS[49].source)


def test_damaged_and_foreign_files(tokenizers: Tokenizers, tmp_path: Path) -> None:
    folder, corpus = tmp_path / "train", Counted(PAIRS)
    encode_corpus(corpus, tokenizers, folder, None)
    path = folder / "00000.safetensors"
    whole = path.read_bytes()
    for data in (b"", b"something else", whole[: len(whole) // 2], whole[:-200]):
        path.write_bytes(data)
        with pytest.raises(DataError, match=r"00000\.safetensors is not an encoded corpus") as error:
            Table(folder, SIZES)
        assert "\n" not in str(error.value)
        assert len(encode_corpus(corpus, tokenizers, folder, None)) == 50
    with pytest.raises(DataError, match="none is not a complete encoded corpus"):
        Table(tmp_path / "none", SIZES)


def test_a_corpus_that_fails_leaves_no_file(tokenizers: Tokenizers, tmp_path: Path) -> None:
    (tmp_path / "text.en").write_bytes(b"a\n\xff\n")
    (tmp_path / "text.de").write_bytes(b"b\nc\n")
    files = TextFiles(tmp_path / "text.en", tmp_path / "text.de")
    with pytest.raises(DataError, match="line 2"):
        encode_corpus(files, tokenizers, tmp_path / "data" / "train", None)
    with pytest.raises(DataError, match=r"every pair was dropped \(kept 0 of 1 pair; dropped 1 blank\)"):
        encode_corpus(PairList("pairs", [Pair("", "b")]), tokenizers, tmp_path / "data" / "train", None)
    assert list((tmp_path / "data").iterdir()) == []


class Stopped(Counted):
    """A corpus whose reading is interrupted."""

    def __init__(self, pairs: list[Pair], stop: int) -> None:
        super().__init__(pairs)
        self.stop = stop

    def __iter__(self) -> Iterator[Pair]:
        self.reads += 1
        for number, pair in enumerate(self.pairs):
            if number == self.stop:
                raise KeyboardInterrupt
            yield pair


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards of six pairs, in chunks of three."""
    monkeypatch.setattr(encoding, "CHUNK", 3)
    monkeypatch.setattr(preparation, "SHARD", 2)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.grid
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("stop", [0, 5, 13, 49])
def test_interrupted_preprocessing_resumes_after_the_complete_shards(
    tokenizers: Tokenizers, tmp_path: Path, stop: int, processes: int
) -> None:
    pairs = [*PAIRS[:20], Pair("", "x"), *PAIRS[20:], Pair("a", "b " * 300)]
    encode_corpus(Counted(pairs), tokenizers, tmp_path / "whole", FilterConfig(), processes=1)
    with pytest.raises(KeyboardInterrupt):
        encode_corpus(Stopped(pairs, stop), tokenizers, tmp_path / "train", FilterConfig(), processes=processes)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "train").glob("*.safetensors")}
    assert max(0, stop // 6 - 2) <= len(kept) <= stop // 6
    with pytest.raises(DataError, match="is not a complete encoded corpus"):
        Table(tmp_path / "train", SIZES)
    table = encode_corpus(Counted(pairs), tokenizers, tmp_path / "train", FilterConfig(), processes=processes)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept, "a finished shard is not written again"
    assert contents(tmp_path / "train") == contents(tmp_path / "whole")
    assert table.report == "kept 50 of 52 pairs; dropped 1 blank, 1 too long (over 200 tokens)"


@pytest.mark.usefixtures("small")
def test_shards_of_other_text_and_damaged_ones_are_encoded_again(tokenizers: Tokenizers, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        encode_corpus(Stopped(PAIRS, 30), tokenizers, tmp_path / "train", None, processes=1)
    changed = Counted(PAIRS[::-1], fingerprint="2")
    encode_corpus(changed, tokenizers, tmp_path / "whole", None, processes=1)
    encode_corpus(changed, tokenizers, tmp_path / "train", None, processes=1)
    assert contents(tmp_path / "train") == contents(tmp_path / "whole")
    for number in range(3, 9):
        (tmp_path / "train" / f"{number:05}.safetensors").unlink()
    (tmp_path / "train" / "00001.safetensors").write_bytes(b"half")
    temporary_path(tmp_path / "train" / "00007.safetensors").write_bytes(b"half")
    encode_corpus(changed, tokenizers, tmp_path / "train", None, processes=1)
    assert contents(tmp_path / "train") == contents(tmp_path / "whole")


KILLED = """
import os, signal, sys
from pathlib import Path
from seq2seq.data import encoding, preparation
from seq2seq.data.shards import write_shard
from seq2seq.corpora.files import TextFiles
from seq2seq.tokenizer.tokenizer import load_tokenizers
encoding.CHUNK, preparation.SHARD = 3, 2
def write(path, *rest):
    if path.name == "00003.safetensors":
        os.kill(os.getpid(), signal.SIGKILL)
    write_shard(path, *rest)
preparation.write_shard = write
folder = Path(sys.argv[1])
corpus = TextFiles(folder / "text.en", folder / "text.de")
preparation.encode_corpus(corpus, load_tokenizers(folder), folder / "train", None, processes=2)
"""


@pytest.mark.ci
@pytest.mark.usefixtures("small")
def test_preprocessing_resumes_after_a_killed_program(tokenizers: Tokenizers, tmp_path: Path) -> None:
    save_tokenizers(tokenizers, tmp_path)
    for side, name in enumerate(("text.en", "text.de")):
        (tmp_path / name).write_text("".join(f"{pair[side]}\n" for pair in PAIRS))
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    shards = sorted(path.name for path in (tmp_path / "train").glob("*.safetensors"))
    assert shards == [f"0000{number}.safetensors" for number in range(3)]
    corpus = TextFiles(tmp_path / "text.en", tmp_path / "text.de")
    encode_corpus(corpus, tokenizers, tmp_path / "train", None, processes=1)
    encode_corpus(corpus, tokenizers, tmp_path / "whole", None, processes=1)
    left = contents(tmp_path / "train")
    assert left == contents(tmp_path / "whole")


def test_runs_share_cached_tables(tokenizers: Tokenizers, tmp_path: Path) -> None:
    corpus, cache = Counted(PAIRS), tmp_path / "cache"
    one = encode_cached(corpus, tokenizers, cache, FilterConfig())
    two = encode_cached(corpus, tokenizers, cache, FilterConfig())
    assert corpus.reads == 1
    assert two.rows(np.arange(50))[1][7].tolist() == one.rows(np.arange(50))[1][7].tolist()
    encode_cached(Counted(PAIRS[:9], "2"), tokenizers, cache, FilterConfig())
    encode_cached(corpus, tokenizers, cache, FilterConfig())
    assert corpus.reads == 1, "other text has another folder"


def test_a_table_that_another_program_is_encoding_is_awaited_and_used(
    tokenizers: Tokenizers, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Runs that are started together encode their corpus once."""
    corpus, result = Counted(PAIRS), list[Table]()
    folder = tmp_path / "cache" / preparation.corpus_key(corpus, tokenizers, None)[:32]
    encode_corpus(corpus, tokenizers, tmp_path / "one", None)
    program = "import sys; from pathlib import Path; from seq2seq.system.lock import locked\n"
    program += f"with locked(Path({str(folder)!r})):\n    print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        arguments = corpus, tokenizers, tmp_path / "cache", None
        waiting = threading.Thread(target=lambda: result.append(encode_cached(*arguments)))
        waiting.start()
        while waiting.is_alive() and not caplog.messages:
            time.sleep(0.01)
        shutil.copy(tmp_path / "one" / "00000.safetensors", folder)
        other.communicate()
    waiting.join()
    assert corpus.reads == 1, "the table existed when the other process ended"
    assert len(result[0]) == 50
    assert caplog.messages == [
        f"{folder} is in use by process {other.pid} on {socket.gethostname()}: waiting until it ends"
    ]


def test_a_process_that_does_not_see_the_first_ones_table_raises(
    tokenizers: Tokenizers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise several processes would write the same files."""
    corpus = Counted(PAIRS)
    monkeypatch.setattr(preparation, "is_first", lambda: False)
    monkeypatch.setattr(preparation, "rank", lambda: 3)
    with pytest.raises(RunError, match=r"^process 4 finds no encoded corpus in .*run=PATH and data\.cache=PATH$"):
        encode_corpus(corpus, tokenizers, tmp_path / "train", None)
    assert (corpus.reads, list(tmp_path.iterdir())) == (0, [])
    monkeypatch.undo()
    encode_corpus(corpus, tokenizers, tmp_path / "train", None)
    monkeypatch.setattr(preparation, "is_first", lambda: False)
    assert len(encode_corpus(corpus, tokenizers, tmp_path / "train", None)) == 50


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_changed_file_is_noticed_though_its_size_and_age_are_the_same(
    tokenizers: Tokenizers, tmp_path: Path, suffix: str
) -> None:
    source, target = tmp_path / f"text.en{suffix}", tmp_path / f"text.de{suffix}"

    def write(word: str) -> None:
        for path in (source, target):
            text = f"a dog\n{word}\n".encode()
            path.write_bytes(gzip.compress(text, 0, mtime=0) if suffix else text)
            os.utime(path, ns=(1, 1))

    def prepared() -> str:
        table = encode_corpus(TextFiles(source, target), tokenizers, tmp_path / "train", None)
        return tokenizers.target.decode(table.rows(np.array([1]))[1][0])

    write("cat")
    size = source.stat().st_size
    assert prepared() == "cat"
    write("cow")
    assert (source.stat().st_size, source.stat().st_mtime_ns) == (size, 1)
    assert prepared() == "cow"


def test_ids_of_small_vocabularies_take_two_bytes(tokenizers: Tokenizers, tmp_path: Path) -> None:
    encode_corpus(Counted(PAIRS), tokenizers, tmp_path / "train", None)
    shard = read_shard(tmp_path / "train" / "00000.safetensors")
    assert shard.source.dtype == shard.target.dtype == np.uint16
    assert encoding.id_type(1 << 16) == np.uint16
    assert encoding.id_type((1 << 16) + 1) == np.int32


def test_the_lock_is_released(tokenizers: Tokenizers, tmp_path: Path) -> None:
    encode_corpus(Counted(PAIRS), tokenizers, tmp_path / "train", None)
    with locked(tmp_path / "train"):
        pass
    assert [path.name for path in (tmp_path / "train").iterdir()] == ["00000.safetensors"]


def test_shards_of_an_old_version_without_checksums_are_encoded_again(tokenizers: Tokenizers, tmp_path: Path) -> None:
    corpus, folder = Counted(PAIRS), tmp_path / "train"
    encode_corpus(corpus, tokenizers, folder, None)
    path = folder / "00000.safetensors"
    whole, shard = path.read_bytes(), read_shard(path)
    note = {"key": shard.key, "read": shard.read, "dropped": shard.dropped, "report": shard.report}
    save_file(load_file(path), path, {"corpus": json.dumps(note)})
    with pytest.raises(DataError, match=r"not an encoded corpus \(checksum mismatch\)"):
        Table(folder, SIZES)
    assert len(encode_corpus(corpus, tokenizers, folder, None)) == 50
    assert path.read_bytes() == whole
