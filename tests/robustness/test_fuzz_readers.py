"""Damaged and arbitrary files: each reader returns valid text, or raises an error of one line."""

import gzip
import io
import json
import math
import os
from pathlib import Path
from xml.sax.saxutils import escape

import openpyxl
import pyarrow as pa
import pyarrow.parquet
import pytest
from fuzzing import CASES, ROUNDS, folder, fuzz, limited_memory, one_line, tampered
from hypothesis import strategies as st
from sentencepiece import SentencePieceTrainer

from seq2seq.corpora.columns import JsonLinesFile, ParquetFile
from seq2seq.corpora.corpus import Corpus
from seq2seq.corpora.documents.document import Document
from seq2seq.corpora.documents.po import PoFile
from seq2seq.corpora.documents.tmx import TmxFile
from seq2seq.corpora.documents.xliff import XliffFile
from seq2seq.corpora.documents.xlsx import XlsxFile
from seq2seq.corpora.files import TextFiles, TsvFile
from seq2seq.corpora.hub import HubData, HubSplit
from seq2seq.corpora.lines import MAX_LINE_BYTES, read_lines
from seq2seq.corpora.word_vectors import read_vectors, vector_width
from seq2seq.doctor.reading import read_blocks
from seq2seq.errors import DataError
from seq2seq.tokenizer.subword_sampling import SubwordSampler
from seq2seq.tokenizer.tokenizer import PAD, Tokenizer

__all__ = ["folder"]

PAIRS = [("the dog", "der Hund"), ("it\u2028is\r", "es\tist"), ("", "ist"), ("\U0001f600 ä", '"x'), ("a b c", "{[")]
ROWS = [{"en": source, "de": target, "n": 1} for source, target in PAIRS]
NESTED = [{"id": "1", "translation": row} for row in ROWS]
WORDS = ["the", "dog", "ä", "der"]


def compressed(data: bytes) -> bytes:
    return gzip.compress(data, 1, mtime=0)


def parquet(rows: list[dict[str, object]], **options: object) -> bytes:
    file = io.BytesIO()
    pyarrow.parquet.write_table(pa.Table.from_pylist(rows), file, row_group_size=3, **options)
    return file.getvalue()


def vocabulary(kind: str, **options: object) -> bytes:
    model, text = io.BytesIO(), [f"{source} {target} word{number}" for number in range(9) for source, target in PAIRS]
    size = 20 if kind == "word" else 310
    specials = {"unk_id": 0, "bos_id": 1, "eos_id": 2, "pad_id": 3}
    SentencePieceTrainer.train(
        sentence_iterator=iter(text), model_writer=model, model_type=kind, vocab_size=size, hard_vocab_limit=False,
        byte_fallback=kind != "word", minloglevel=2, num_threads=1, **specials, **options,
    )  # fmt: skip
    return model.getvalue()


def workbook() -> bytes:
    book, file = openpyxl.Workbook(), io.BytesIO()
    for row in PAIRS:
        book.active.append([text.replace("\r", "") for text in row])
    book.save(file)
    return file.getvalue()


TMX = "".join(
    f'<tu><tuv xml:lang="en-US"><seg>{source} <ph>x</ph></seg></tuv><tuv xml:lang="de"><seg>{target}</seg></tuv></tu>'
    for source, target in (map(escape, pair) for pair in PAIRS)
)
XLIFF = "".join(
    f'<trans-unit id="1"><source>{source}<x id="1"/></source><target state="final">{target}</target></trans-unit>'
    for source, target in (map(escape, pair) for pair in PAIRS)
)
PO = 'msgid ""\nmsgstr "Language: de\\n"\n\n' + "".join(
    f"# {source}\nmsgid {json.dumps(source)}\nmsgstr {json.dumps(target)}\n\n"
    for source, target in PAIRS[:1] + PAIRS[3:]
)
DOCUMENTS = {"tmx": TmxFile, "xliff": XliffFile, "po": PoFile, "xlsx": XlsxFile}
TEXT = ["".join(f"{pair[side]}\n" for pair in PAIRS).encode() for side in (0, 1)]
VECTORS = b"".join(f"{word} 0.5 -1e3 {number}\n".encode() for number, word in enumerate(WORDS))
ORIGINALS = {
    "text": TEXT,
    "tsv": ["".join(f"{source}\t{target}\n" for source, target in PAIRS).encode()],
    "jsonl": ["".join(json.dumps(row) + "\n" for row in rows).encode() for rows in (ROWS, NESTED)],
    "parquet": [
        parquet(ROWS),
        parquet(ROWS, compression="gzip", version="1.0", use_dictionary=False),
        parquet(NESTED, compression="zstd", data_page_version="2.0"),
    ],
    "tmx": [f'<tmx version="1.4"><body>{TMX}</body></tmx>'.encode()],
    "xliff": [f'<xliff version="1.2"><file source-language="en"><body>{XLIFF}</body></file></xliff>'.encode()],
    "po": [PO.encode()],
    "xlsx": [workbook()],
    "vec": [VECTORS, b"4 3\n" + VECTORS],
    "model": [
        vocabulary("unigram", user_defined_symbols=["<2de>"], normalization_rule_name="identity"),
        *(vocabulary(kind) for kind in ("bpe", "char", "word")),
    ],
}


@st.composite
def cases(draw: st.DrawFn) -> tuple[str, bytes]:
    """The name and the content of a file."""
    kind = draw(st.sampled_from([*ORIGINALS, "parquet", "model"]))
    if kind in ("parquet", "model") or draw(st.booleans()):
        return f"file.{kind}", draw(tampered(ORIGINALS[kind]))
    if draw(st.booleans()):
        return f"file.{kind}.gz", compressed(draw(tampered(ORIGINALS[kind])))
    return f"file.{kind}.gz", draw(tampered([compressed(data) for data in ORIGINALS[kind]]))


def corpus_of(path: Path) -> Corpus:
    kind = path.name.split(".")[1]
    if kind == "text":
        return TextFiles(path, path.with_name("other"))
    if kind == "tsv":
        return TsvFile(path, "1", "2")
    if kind in DOCUMENTS:
        return DOCUMENTS[kind](path, "en", "de")
    return (JsonLinesFile if kind == "jsonl" else ParquetFile)(path, "en", "de")


def read_corpus(path: Path) -> None:
    """Read a corpus like training and like the doctor."""
    corpus = corpus_of(path)
    assert corpus.fingerprint
    assert corpus.expected_pairs() is None or corpus.expected_pairs() >= 0
    pairs_of_doctor = [
        (source, target) for block in read_blocks(corpus) for source, target in zip(*block[:2], strict=True)
    ]
    pairs = list(corpus)
    assert pairs
    assert all(type(side) is str for pair in pairs for side in pair)
    if pairs_of_doctor:
        assert pairs_of_doctor == pairs
    if isinstance(corpus, Document):
        corpus.write((text.upper() for text in corpus.sources()), io.BytesIO())


def read_words(path: Path) -> None:
    width = vector_width(path)
    for vector in read_vectors(path, set(WORDS)).values():
        assert len(vector) == width
        assert all(map(math.isfinite, vector))


def read_tokenizer(path: Path) -> None:
    tokenizer = Tokenizer.load(path)
    text = "the dog ä \U0001f600 <2de> x"
    ids = tokenizer.encode(text)
    assert all(0 <= token < tokenizer.size for token in ids)
    assert isinstance(tokenizer.decode(range(tokenizer.size)), str)
    assert len(tokenizer.tokens(range(tokenizer.size))) == tokenizer.size
    assert len(tokenizer.words()) <= tokenizer.size
    assert all(isinstance(tag, str) for tag in tokenizer.tags)
    [row] = SubwordSampler(tokenizer, 0.5)([ids], 1)
    assert all(0 <= token < tokenizer.size for token in row)
    assert PAD not in row


READERS = {"vec": read_words, "model": read_tokenizer}


@pytest.mark.parametrize("number", ROUNDS)
def test_any_file_is_read_or_is_an_error_of_one_line(folder, number):
    (folder / "other").write_bytes(TEXT[1])

    def check(case: tuple[str, bytes]) -> None:
        name, data = case
        path = folder / name
        path.write_bytes(data)
        try:
            READERS.get(name.split(".")[1], read_corpus)(path)
        except DataError as error:
            one_line(error, name, "segmentation of a text")

    fuzz(cases(), check, number)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # datasets leaves files open
def test_any_folder_in_a_hub_format_is_read_or_is_an_error_of_one_line(folder, monkeypatch):
    """A case takes a tenth of a second, hence a five-hundredth of the cases."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", folder / "cache")
    lines = "en,de\n" + "".join(f'"{source}",{json.dumps(target)}\n' for source, target in PAIRS)
    table, arrow = pa.Table.from_pylist(ROWS), io.BytesIO()
    with pa.ipc.new_stream(arrow, table.schema) as writer:
        writer.write_table(table)
    formats = {"csv": [lines.encode()], "arrow": [arrow.getvalue()], **{k: ORIGINALS[k] for k in ("jsonl", "parquet")}}
    tampered_files = st.sampled_from([*formats]).flatmap(lambda name: st.tuples(st.just(name), tampered(formats[name])))
    count = 0

    def check(case: tuple[str, bytes]) -> None:
        nonlocal count
        count += 1
        place = folder / f"set{count}"
        place.mkdir()
        (place / f"train.{case[0]}").write_bytes(case[1])
        try:
            list(HubData(HubSplit(str(place), None, None, "train", "data.train.hub_split"), "en", "de"))
        except DataError as error:
            one_line(error)

    fuzz(tampered_files, check, 1, CASES // 500)


# Single cases


@pytest.fixture(scope="module")
def bomb():
    """256 MiB of zeros, compressed."""
    return b"".join([gzip.compress(bytes(1 << 24), 1)] * 16)


@pytest.mark.parametrize("name", ["bomb.text.gz", "bomb.tsv.gz", "bomb.jsonl.gz", "bomb.vec.gz"])
def test_a_compression_bomb_does_not_fill_the_memory(folder, bomb, name):
    (folder / "other").write_bytes(TEXT[1])
    (folder / name).write_bytes(bomb)
    with limited_memory(200 << 20), pytest.raises(DataError, match=r"line 1 has more than 1,000,000 bytes") as error:
        READERS.get(name.split(".")[1], read_corpus)(folder / name)
    one_line(error.value)


def test_the_length_of_a_line_is_limited(folder):
    path = folder / "long"
    path.write_bytes(b"a" * (MAX_LINE_BYTES - 1) + b"\nb\n")
    assert [len(line) for line in read_lines(path)] == [MAX_LINE_BYTES - 1, 1]
    path.write_bytes(b"a" * (MAX_LINE_BYTES + 1) + b"\nb\n")
    with pytest.raises(DataError, match="line 1 has more than"):
        list(read_lines(path))


def test_a_tokenizer_with_invalid_utf8_is_damaged(folder):
    path = folder / "bytes.model"
    path.write_bytes(ORIGINALS["model"][0].replace(b"<unk>", b"\xbcunk>", 1))
    with pytest.raises(DataError, match=r"bytes\.model is damaged") as error:
        Tokenizer.load(path)
    one_line(error.value)


@pytest.mark.parametrize("first", ["9" * 5_000 + " 3", "3 " + "9" * 5_000, f"3 {2**63}", "0 0", "٣ ٣"])
def test_a_first_line_of_absurd_numbers_is_not_a_header(folder, first):
    path = folder / "absurd.vec"
    path.write_bytes(f"{first}\nthe 1 2 3\n".encode())
    with pytest.raises(DataError) as error:
        read_vectors(path, {"the"})
    one_line(error.value)


def test_a_tokenizer_that_is_not_a_file_is_an_error_at_once(folder):
    os.mkfifo(folder / "pipe.model")
    with pytest.raises(DataError, match="is not a regular file") as error:
        Tokenizer.load(folder / "pipe.model")
    one_line(error.value)
    with pytest.raises(DataError):
        Tokenizer.load(folder)


def test_names_of_columns_are_escaped_in_errors(folder):
    path = folder / "columns.jsonl"
    path.write_text(json.dumps({"\x1b[2J\n\u202e": "a", **{f"column {number}": "" for number in range(9_999)}}))
    with pytest.raises(DataError) as error:
        list(JsonLinesFile(path, "en", "de"))
    one_line(error.value)
