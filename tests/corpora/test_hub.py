"""Data sets of the hub, as local folders with the same layout: downloaded and streamed."""

import logging
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import datasets
import pytest
from rows import HOSTILE, PAIRS, ROWS, nested, write_json, write_parquet

from seq2seq.corpora.config import DataConfig, HubConfig
from seq2seq.corpora.corpus import Pair, PairList
from seq2seq.corpora.hub import HubData, HubSplit, HubStream
from seq2seq.corpora.reading import read_corpora
from seq2seq.data import encoding, preparation
from seq2seq.data.preparation import encode_corpus
from seq2seq.errors import DataError, RunError
from seq2seq.tokenizer.config import TokenizerConfig
from seq2seq.tokenizer.vocabulary import build_tokenizers


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def place(folder: Path, split: str = "train", subset: str | None = None) -> HubSplit:
    return HubSplit(str(folder), subset, None, split, f"data.{split}.hub_split")


def hub(folder: Path, split: str = "train", subset: str | None = None, target: str = "de") -> HubData:
    return HubData(place(folder, split, subset), "en", target)


def stream(folder: Path, split: str = "train", target: str = "de") -> HubStream:
    return HubStream(place(folder, split), "en", target)


@pytest.mark.parametrize("rows", [ROWS[:1] + ROWS[2:], nested(ROWS[:1] + ROWS[2:])], ids=["flat", "nested"])
@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_hub_data(tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, rows: list[Any]) -> None:
    write = write_json if kind == "jsonl" else write_parquet
    write(tmp_path / "set" / f"train.{kind}", rows * 800)  # more than one batch
    write(tmp_path / "set" / f"test.{kind}", rows[:1])
    corpus = hub(tmp_path / "set")
    assert list(corpus) == [PAIRS[0], PAIRS[2]] * 800
    assert corpus.fingerprint == hub(tmp_path / "set").fingerprint
    assert corpus.fingerprint != hub(tmp_path / "set", "test").fingerprint
    assert len(list(hub(tmp_path / "set", "train[-10:]"))) == 10
    assert capsys.readouterr() == ("", "")


def test_hub_fingerprint_follows_the_content(tmp_path: Path) -> None:
    first = hub(write_json(tmp_path / "set" / "train.jsonl", ROWS[:1]).parent).fingerprint
    assert hub(write_json(tmp_path / "set" / "train.jsonl", ROWS[:1] * 2).parent).fingerprint != first


def test_hub_errors_list_the_existing_names(tmp_path: Path) -> None:
    write_json(tmp_path / "set" / "x" / "train.jsonl", ROWS[:1])
    write_json(tmp_path / "set" / "y" / "train.jsonl", ROWS[:1])
    (tmp_path / "set" / "README.md").write_text(
        "---\nconfigs:\n- config_name: x\n  data_files: x/*.jsonl\n- config_name: y\n  data_files: y/*.jsonl\n---\n"
    )
    with pytest.raises(DataError, match=r"'x', 'y'.*set data\.hub\.subset=NAME") as error:
        hub(tmp_path / "set")
    assert "\n" not in str(error.value)
    with pytest.raises(DataError, match=r"'x', 'y'.*set data\.hub\.subset=NAME"):
        hub(tmp_path / "set", subset="z")
    with pytest.raises(
        DataError, match=r"; data\.test\.hub_split=null goes without; or set data\.test\.hub_split=NAME"
    ):
        hub(tmp_path / "set", "test", "x")
    with pytest.raises(DataError, match=r"\['train'\].*; set data\.validation\.hub_split=NAME"):
        hub(tmp_path / "set", "validation", "x")
    with pytest.raises(DataError, match=r"set \(train\): no column 'fr' \(there are: de, en\)"):
        hub(tmp_path / "set", "train", "x", "fr")
    assert list(hub(tmp_path / "set", subset="x")) == PAIRS[:1]


def test_an_unreachable_hub_gives_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise ConnectionError("Couldn't reach 'no/such' on the Hub (LocalEntryNotFoundError)")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    with pytest.raises(DataError, match=r"data set 'no/such' cannot be used: Couldn't reach.*data\.file=FILE"):
        HubData(HubSplit("no/such", None, None, "train", "data.train.hub_split"), "en", "de")


@pytest.mark.grid
@pytest.mark.parametrize("form", [lambda rows: rows, nested], ids=["flat", "nested"])
@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_stream_has_the_pairs_of_the_downloaded_data(tmp_path: Path, kind: str, form: Any) -> None:
    rows = form([{"en": f"{HOSTILE} {number}", "de": f"{number}"} for number in range(1500)])
    write = write_json if kind == "jsonl" else write_parquet
    write(tmp_path / "set" / f"train.{kind}", rows)
    corpus = stream(tmp_path / "set")
    assert list(corpus) == list(corpus), "it can be read again"
    left = (tmp_path / "cache").rglob("*.*")
    assert all(path.suffix == ".lock" for path in left), "no copy remains"
    assert list(corpus) == list(hub(tmp_path / "set"))
    assert list(corpus.pairs_after(1400, tmp_path)) == list(corpus)[1400:]


def test_the_fingerprint_of_a_local_stream_depends_on_the_content(tmp_path: Path) -> None:
    folder = write_parquet(tmp_path / "set" / "train.parquet", ROWS[:1]).parent
    write_parquet(tmp_path / "set" / "test.parquet", ROWS[:1])
    first = stream(folder).fingerprint
    os.utime(folder / "train.parquet", ns=(1, 1))
    assert stream(folder).fingerprint == first, "the modification time is ignored"
    assert len({first, stream(folder, "test").fingerprint, stream(folder, target="en").fingerprint}) == 3
    write_parquet(tmp_path / "set" / "train.parquet", ROWS)
    assert stream(folder).fingerprint != first


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_changed_stream_is_detected_with_the_same_size_and_age(tmp_path: Path, kind: str) -> None:
    write, path = write_json if kind == "jsonl" else write_parquet, tmp_path / "set" / f"train.{kind}"
    write(path, [{"en": "a", "de": "b"}])
    before = path.stat()
    first = stream(path.parent).fingerprint
    write(path, [{"en": "a", "de": "c"}])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert stream(path.parent).fingerprint != first


def test_the_limitations_of_a_stream_are_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [{"en": f"a {number}", "de": f"b {number}"} for number in range(30)]
    for split in ("train", "validation", "test"):
        write_parquet(tmp_path / "set" / f"{split}.parquet", rows)
    config = DataConfig(hub=HubConfig(name=str(tmp_path / "set"), streaming=True))
    with caplog.at_level(logging.WARNING, "seq2seq"):
        corpus = read_corpora(config).train
        assert [line.partition(":")[0] for line in caplog.messages] == [
            f"{tmp_path / 'set'} is read as a stream and no copy is kept"
        ]
        start = corpus.vocabulary_sample(9)
        assert [pair.source for pair in start.pairs] == [f"a {number}" for number in range(9)]
        assert list(corpus) == [Pair(row["en"], row["de"]) for row in rows]
        config.hub.streaming = False
        read_corpora(config)
    assert len(caplog.messages) == 1


class Lost:
    """A stream whose connection is lost after some batches, until the second reading."""

    def __init__(self, data: Any, batches: int) -> None:
        self.data, self.batches = data, batches

    def with_format(self, name: str) -> "Lost":
        return Lost(self.data.with_format(name), self.batches)

    def iter(self, batch_size: int) -> Iterator[Any]:
        yield from islice(self.data.iter(batch_size), self.batches)
        raise ConnectionError("Connection reset by peer")


def test_a_lost_connection_keeps_the_encoded_part_of_a_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "CHUNK", 100)
    monkeypatch.setattr(preparation, "SHARD", 2)
    rows = [{"en": f"a {number}", "de": f"b {number}"} for number in range(2500)]
    corpus = stream(write_parquet(tmp_path / "set" / "train.parquet", rows).parent)
    tokenizers = build_tokenizers(TokenizerConfig(size=280), PairList("pairs", list(corpus)[:50]))
    whole = corpus._data
    corpus._data = Lost(whole, 2)
    with pytest.raises(RunError, match=r"beyond row 2,000: Connection reset by peer; .*what was encoded is kept$"):
        encode_corpus(corpus, tokenizers, tmp_path / "train", None, processes=1)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "train").glob("*.safetensors")}
    assert len(kept) == 9
    corpus._data = whole
    assert len(encode_corpus(corpus, tokenizers, tmp_path / "train", None, processes=1)) == 2500
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_mistakes_in_a_stream_are_one_line(tmp_path: Path) -> None:
    folder = write_parquet(tmp_path / "set" / "train.parquet", ROWS).parent
    with pytest.raises(DataError, match=r"a stream has no slices: set .*=NAME, or data\.hub\.streaming=false"):
        stream(folder, "train[:9]")
    with pytest.raises(DataError, match=r"set data\.dev\.hub_split=NAME"):
        stream(folder, "dev")
    with pytest.raises(DataError, match=r"no column 'fr' \(there are: de, en\): set data\.target_column=NAME"):
        list(stream(folder, target="fr"))
    write_parquet(folder / "train.parquet", [{"en": "a", "de": 1}])
    with pytest.raises(DataError, match=r"row 1: 'de' is of type int, not text"):
        list(stream(folder))
