"""Settings of parallel text."""

from pathlib import Path

from seq2seq.corpora.config import DataConfig


def test_the_cache_is_next_to_the_run_folders_by_default():
    assert DataConfig().cache_folder(Path("runs/a")) == DataConfig().cache_folder(Path("runs/b"))
    assert DataConfig().cache_folder(Path("runs/a")) == Path("runs/prepared")
    assert DataConfig(cache="~/shared").cache_folder(Path("runs/a")) == Path.home() / "shared"
