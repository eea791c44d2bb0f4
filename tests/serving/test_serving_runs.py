"""The runs that are served."""

from pathlib import Path

import pytest
from server_tools import translators

from seq2seq.errors import ConfigError
from seq2seq.serving.config import ServeConfig
from seq2seq.serving.systems import described, load_systems, names


def test_names_are_as_short_as_tells_them_apart(tmp_path):
    assert names([Path("runs/a")]) == ["a"]
    assert names([Path("x/a"), Path("x/b/")]) == ["a", "b"]
    assert names([Path("x/a"), Path("y/a"), Path("y/b")]) == ["x/a", "y/a", "y/b"]
    assert names([tmp_path / "a", tmp_path / "b" / ".." / "c"]) == ["a", "c"]
    with pytest.raises(ConfigError, match="named twice"):
        names([Path("runs/a"), Path("runs/./a")])


def test_a_run_is_loaded_and_told_of(tiny_run):
    loaded = load_systems(ServeConfig(run=str(tiny_run), device="cpu"))
    assert list(loaded) == ["tiny"]
    told = described("tiny", loaded["tiny"])
    assert (told.attends, told.beam_size, told.pieces) == (True, 2, 400)
    assert str(tiny_run.parent) not in told.model_dump_json(), "a browser need not know where folders lie"
    assert not described("context", translators()["context"]).attends
