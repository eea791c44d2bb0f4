"""Files that are there whole or not at all."""

import os
from pathlib import Path

import pytest

from seq2seq.atomic import atomic_write, temporary_path


def found(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_file_takes_its_name_when_it_is_complete(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with atomic_write(tmp_path / "a.txt") as temporary:
        assert temporary == temporary_path(tmp_path / "a.txt")
        temporary.write_text("new")
        assert found(tmp_path) == {"a.txt": "old", "a.txt.tmp": "new"}
    assert found(tmp_path) == {"a.txt": "new"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_in_the_middle_leaves_the_old_file_and_no_other(tmp_path, error):
    (tmp_path / "a.txt").write_text("old")

    def fail() -> None:
        with atomic_write(tmp_path / "a.txt") as temporary, temporary.open("w") as file:
            file.write("half")
            raise error

    with pytest.raises(error):
        fail()
    assert found(tmp_path) == {"a.txt": "old"}


def test_a_failure_where_nothing_was_leaves_nothing(tmp_path):
    def fail() -> None:
        with atomic_write(tmp_path / "a.txt"):
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        fail()
    assert found(tmp_path) == {}


def test_a_file_that_cannot_be_forced_to_the_disk_replaces_nothing(tmp_path, monkeypatch):
    def broken(descriptor: int) -> None:
        raise OSError("input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    (tmp_path / "a.txt").write_text("old")

    def write() -> None:
        with atomic_write(tmp_path / "a.txt") as temporary:
            temporary.write_text("new")

    with pytest.raises(OSError, match="input/output"):
        write()
    assert found(tmp_path) == {"a.txt": "old"}


def test_what_a_killed_process_left_is_overwritten_and_a_missing_folder_made(tmp_path):
    path = tmp_path / "new/folder/a.txt"
    path.parent.mkdir(parents=True)
    temporary_path(path).write_text("half a file of a process that was killed")
    for text in ("one", "two"):
        with atomic_write(path) as temporary:
            temporary.write_text(text)
        assert found(path.parent) == {"a.txt": text}
    with atomic_write(tmp_path / "another/b.txt") as temporary:
        temporary.write_text("b")
    assert found(tmp_path / "another") == {"b.txt": "b"}
