"""The served runs: names, loading, descriptions."""

from pathlib import Path

import pytest
from server_tools import translators

from seq2seq.errors import ConfigError
from seq2seq.serving.config import ServeConfig
from seq2seq.serving.runs import load_translators, run_info, run_names


def test_names_are_the_shortest_distinct_parts_of_paths(tmp_path):
    assert run_names([Path("runs/a")]) == ["a"]
    assert run_names([Path("x/a"), Path("x/b/")]) == ["a", "b"]
    assert run_names([Path("x/a"), Path("y/a"), Path("y/b")]) == ["x/a", "y/a", "y/b"]
    assert run_names([tmp_path / "a", tmp_path / "b" / ".." / "c"]) == ["a", "c"]
    with pytest.raises(ConfigError, match="named twice"):
        run_names([Path("runs/a"), Path("runs/./a")])


def test_a_run_is_loaded_and_described(tiny_run):
    loaded = load_translators(ServeConfig(run=str(tiny_run), device="cpu"))
    assert list(loaded) == ["tiny"]
    info = run_info("tiny", loaded["tiny"])
    assert (info.attends, info.beam_size, info.vocabulary_size) == (True, 2, 400)
    assert (info.source_language, info.target_language) == ("en", "de")
    unnamed = run_info("context", translators()["context"])
    assert (unnamed.source_language, unnamed.target_language) == ("", "")
    assert str(tiny_run.parent) not in info.model_dump_json(), "local paths are not sent to browsers"
    assert not run_info("context", translators()["context"]).attends
