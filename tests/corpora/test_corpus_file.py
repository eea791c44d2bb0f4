"""Text that is read several times is the same each time, or an error."""

import gzip
import json
import os
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from seq2seq.corpora import corpus_file
from seq2seq.corpora.columns import JsonLinesFile, ParquetFile
from seq2seq.corpora.corpus import Corpus, PairList
from seq2seq.corpora.files import TextFiles, TsvFile
from seq2seq.corpora.word_vectors import vector_width
from seq2seq.data.preparation import encode_corpus
from seq2seq.doctor.cleaning import clean
from seq2seq.doctor.diagnosis import diagnose
from seq2seq.errors import DataError
from seq2seq.tokenizer.config import Algorithm, TokenizerConfig
from seq2seq.tokenizer.tokenizer import Tokenizers
from seq2seq.tokenizer.vocabulary import build_tokenizers

PAIRS = [(f"the dog {number}", f"der Hund {number}") for number in range(40)]
OTHER = [(source, target.replace("Hund", "Mund")) for source, target in PAIRS]
KINDS = ["text", "text.gz", "tsv", "tsv.gz", "jsonl", "jsonl.gz", "parquet"]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many blocks in a small file."""
    monkeypatch.setattr(corpus_file, "BLOCK", 64)


@pytest.fixture(scope="module")
def tokenizers() -> Tokenizers:
    return build_tokenizers(TokenizerConfig(algorithm=Algorithm.bpe, size=290), PairList("pairs", PAIRS))


def written(folder: Path, kind: str, pairs: list[tuple[str, str]]) -> Path:
    """The file with the target side, of the same size and age whatever the pairs."""
    path = folder / f"file.{kind}"
    if kind == "parquet":
        pyarrow.parquet.write_table(pa.Table.from_pylist([{"en": en, "de": de} for en, de in pairs]), path)
    else:
        lines = {
            "text": (target for _, target in pairs),
            "tsv": ("\t".join(pair) for pair in pairs),
            "jsonl": (json.dumps({"en": en, "de": de}) for en, de in pairs),
        }[kind.removesuffix(".gz")]
        data = "".join(f"{line}\n" for line in lines).encode()
        path.write_bytes(gzip.compress(data, 0, mtime=0) if kind.endswith("gz") else data)
    os.utime(path, ns=(1, 1))
    return path


def corpus_of(folder: Path, kind: str) -> Corpus:
    path = written(folder, kind, PAIRS)
    if kind.startswith("text"):
        (folder / "source").write_text("".join(f"{source}\n" for source, _ in PAIRS))
        return TextFiles(folder / "source", path)
    if kind.startswith("tsv"):
        return TsvFile(path, "1", "2")
    return (JsonLinesFile if kind.startswith("jsonl") else ParquetFile)(path, "en", "de")


@pytest.mark.parametrize("kind", KINDS)
def test_text_that_is_read_again_is_the_text_that_was_hashed(tmp_path: Path, kind: str) -> None:
    corpus = corpus_of(tmp_path, kind)
    assert corpus.fingerprint == corpus_of(tmp_path, kind).fingerprint
    assert list(corpus) == list(corpus) == PAIRS
    for pairs in (OTHER, PAIRS[:-1], [*PAIRS, PAIRS[0]], PAIRS[::-1], []):
        written(tmp_path, kind, pairs)
        with pytest.raises(DataError, match=rf"file\.{kind}( has changed| is not a readable Parquet)") as error:
            list(corpus)
        assert "\n" not in str(error.value)
        assert corpus_of(tmp_path, kind).fingerprint == corpus.fingerprint


class Changing(Corpus):
    """A corpus whose file another program writes between hashing and encoding."""

    def __init__(self, corpus: Corpus, folder: Path, kind: str) -> None:
        self.corpus, self.change, self.name = corpus, lambda: written(folder, kind, OTHER), "pairs"

    @property
    def fingerprint(self) -> str:
        result = self.corpus.fingerprint
        self.change()
        return result

    def __iter__(self):
        return iter(self.corpus)


@pytest.mark.parametrize("kind", KINDS)
def test_changed_text_is_not_cached_under_the_old_hash(tokenizers: Tokenizers, tmp_path: Path, kind: str) -> None:
    """Otherwise a later run with the old text would silently train on the new one."""
    changing = Changing(corpus_of(tmp_path, kind), tmp_path, kind)
    with pytest.raises(DataError, match="has changed while it was in use: start the same command again"):
        encode_corpus(changing, tokenizers, tmp_path / "train", None)
    assert not (tmp_path / "train").exists()
    table = encode_corpus(corpus_of(tmp_path, kind), tokenizers, tmp_path / "train", None)
    targets = [tokenizers.target.decode(ids) for ids in table.rows(np.arange(len(table)))[1]]
    assert targets == [target for _, target in PAIRS]


@pytest.mark.parametrize("kind", KINDS)
def test_the_doctor_writes_the_text_it_examined_or_nothing(tmp_path: Path, kind: str) -> None:
    diagnosis = diagnose({"train": corpus_of(tmp_path, kind)}, max_length=100, max_ratio=9.0)[0]
    written(tmp_path, kind, PAIRS[::-1])
    before = sorted(tmp_path.iterdir())
    with pytest.raises(DataError, match="has changed while it was in use"):
        clean(diagnosis, [])
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("kind", KINDS)
def test_a_pipe_is_read_once_and_then_refused(tmp_path: Path, kind: str) -> None:
    """Without blocking, and without calling it the wrong file because it is empty."""
    data = written(tmp_path, kind, PAIRS).read_bytes()
    (tmp_path / f"file.{kind}").unlink()
    os.mkfifo(tmp_path / f"file.{kind}")
    message = rf"file\.{kind} can be read only once: write the text to a file"
    if kind == "parquet":
        with pytest.raises(DataError, match=message):
            ParquetFile(tmp_path / "file.parquet", "en", "de")
        return
    if kind.startswith("text"):
        (tmp_path / "source").write_text("".join(f"{source}\n" for source, _ in PAIRS))
        corpus: Corpus = TextFiles(tmp_path / "source", tmp_path / f"file.{kind}")
    else:
        reader = JsonLinesFile if kind.startswith("jsonl") else TsvFile
        corpus = reader(tmp_path / f"file.{kind}", *(("en", "de") if reader is JsonLinesFile else ("1", "2")))
    with pytest.raises(DataError, match=message):
        _ = corpus.fingerprint
    assert corpus.expected_pairs() is None
    writer = threading.Thread(target=(tmp_path / f"file.{kind}").write_bytes, args=[data])
    writer.start()
    assert list(corpus) == PAIRS
    writer.join()
    with pytest.raises(DataError, match=message):
        list(corpus)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_of_word_vectors_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "words.vec")
    with pytest.raises(DataError, match="can be read only once"):
        vector_width(tmp_path / "words.vec")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("split", ["train", "validation"])
def test_training_refuses_a_pipe_before_any_work(recipe, tmp_path: Path, split: str) -> None:
    written(tmp_path, "text", PAIRS)
    os.mkfifo(tmp_path / "pipe")
    names = {one: tmp_path / ("pipe" if one == split else "file.text") for one in ("train", "validation")}
    files = [f"data.{one}.source={tmp_path / 'file.text'}" for one in names]
    files += [f"data.{one}.target={path}" for one, path in names.items()]
    outcome = recipe("train", f"run={tmp_path / 'run'}", *files)
    assert outcome.code == 1
    assert outcome.err == f"error: {tmp_path}/pipe can be read only once: write the text to a file and name the file\n"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("kind", ["text", "tsv", "jsonl"])
def test_files_are_closed_after_an_error_in_a_line(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Immediately, not when the exception with its frames is garbage-collected."""
    bad = {"text": b"a\n\xff\nb\n", "tsv": b"a\tb\nc\nd\te\n", "jsonl": b'{"en": "a", "de": "b"}\n[]\n{}\n'}[kind]
    (tmp_path / "bad").write_bytes(bad)
    (tmp_path / "good").write_text("a\nb\nc\n")
    corpora = {
        "text": lambda: TextFiles(tmp_path / "good", tmp_path / "bad"),
        "tsv": lambda: TsvFile(tmp_path / "bad", "1", "2"),
        "jsonl": lambda: JsonLinesFile(tmp_path / "bad", "en", "de"),
    }
    opened, real = [], Path.open
    monkeypatch.setattr(Path, "open", lambda *asked, **named: opened.append(real(*asked, **named)) or opened[-1])
    with pytest.raises(DataError) as error:
        list(corpora[kind]())
    assert error.value.__traceback__ is not None
    assert opened
    assert all(file.closed for file in opened)
