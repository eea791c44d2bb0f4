"""Training on corpora that are too large for memory or disk."""

import logging
import subprocess
import sys
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet
import pytest
from conftest import TINY

from seq2seq.corpora.builtin import BuiltinCorpus
from seq2seq.corpora.config import BuiltinConfig
from seq2seq.data import encoding, preparation
from seq2seq.system.workers import ordered_map

ROOT = Path(__file__).parents[2]
SHORT = [word for word in TINY if not word.startswith("data.")] + ["training.updates=4", "training.validate_every=4"]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Overrides for a data set of 60 pairs in a local folder in hub format."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "huggingface")
    config = BuiltinConfig(train_size=60, validation_size=5, test_size=5)
    for split in ("train", "validation", "test"):
        rows = [{"translation": {"en": source, "de": target}} for source, target in BuiltinCorpus(config, split)]
        (tmp_path / "set").mkdir(exist_ok=True)
        pyarrow.parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "set" / f"{split}.parquet")
    return [f"data.hub.name={tmp_path / 'set'}"]


def warnings(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno > logging.INFO]


@pytest.mark.slow
def test_the_run_does_not_depend_on_how_the_corpus_is_read(recipe, tmp_path, monkeypatch, caplog, hub):
    """Downloaded and encoded in one file; or as a stream, in many files, by two processes, with a shared cache.

    Both runs have a second corpus and subword sampling.
    """
    (tmp_path / "more.tsv").write_text("We work.\tWir arbeiten.\nShe sleeps.\tSie schläft.\n" * 10)
    mixed = [f"data.more=[{{file: {tmp_path / 'more.tsv'}, weight: 0.5}}]", "tokenizer=bpe", "tokenizer.sampling=0.2"]
    outcome = recipe("train", f"run={tmp_path / 'one'}", *SHORT, *mixed, *hub)
    assert outcome.code == 0, outcome.err
    assert [line for line in warnings(caplog) if " is read as a stream" in line] == []
    caplog.clear()
    monkeypatch.setattr(encoding, "CHUNK", 3)
    monkeypatch.setattr(preparation, "SHARD", 2)
    monkeypatch.setattr(encoding, "ordered_map", lambda *work: ordered_map(*work, before_start=1))
    large = [*hub, "data.hub.streaming=true", "data.workers=2", f"data.cache={tmp_path / 'cache'}"]
    outcome = recipe("train", f"run={tmp_path / 'two'}", *SHORT, *mixed, *large)
    assert outcome.code == 0, outcome.err
    streams = [line.partition(" is read as a stream") for line in warnings(caplog)]
    assert [name for name, found, _ in streams if found] == [str(tmp_path / "set")]
    assert len(list((tmp_path / "cache").glob("*/0000[0-9].safetensors"))) == 10 + 4 + 1
    one, two = ((tmp_path / run / "model.safetensors").read_bytes() for run in ("one", "two"))
    assert one == two

    # A third run uses the cached corpus and vocabulary.
    monkeypatch.setattr(preparation, "encoded_chunks", None)
    monkeypatch.setattr("seq2seq.tokenizer.vocabulary.build_tokenizers", None)
    assert recipe("train", f"run={tmp_path / 'three'}", *SHORT, *mixed, *large).code == 0
    assert (tmp_path / "three" / "model.safetensors").read_bytes() == one
    assert recipe("train", f"run={tmp_path / 'four'}", *SHORT, *mixed, *hub).code == 0, "next to the run folder"


LIMITED = """
import resource, sys
import datasets, matplotlib.figure, torch.utils.tensorboard
from seq2seq.benchmark.measurement import resident
from seq2seq.data import encoding, preparation
from seq2seq.recipes import train
from seq2seq.grammar import sentences as builtin
from seq2seq.corpora import builtin as generated
builtin.DRAWS, generated.IN_MEMORY, encoding.CHUNK, preparation.SHARD = 1000, 1000, 100, 5
limit = resident("VmSize") + 2**30
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
train.main()
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere address space has no limit that holds")
def test_a_whole_run_needs_little_address_space(tmp_path):
    """From generation to scores in half the limit for ten million pairs; recipes/benchmark.py measures larger ones."""
    overrides = [*TINY, f"run={tmp_path / 'run'}", "data.builtin.train_size=3000", "training.device=cpu"]
    completed = subprocess.run(
        [sys.executable, "-c", LIMITED, *overrides], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert completed.returncode == 0, completed.stderr
    assert "kept 3,000 of 3,000 pairs" in completed.stdout
    assert len(list((tmp_path / "prepared").glob("*/0000[1-9].safetensors"))) == 5
