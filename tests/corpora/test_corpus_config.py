"""Settings of parallel text."""

from pathlib import Path

from seq2seq.corpora.config import DataConfig


def test_what_is_prepared_lies_beside_the_run_folders_unless_it_is_said_where():
    assert DataConfig().cache_folder(Path("runs/a")) == DataConfig().cache_folder(Path("runs/b"))
    assert DataConfig().cache_folder(Path("runs/a")) == Path("runs/prepared")
    assert DataConfig(cache="~/shared").cache_folder(Path("runs/a")) == Path.home() / "shared"
