"""The output file that a user names: links stay, and devices and pipes are written to."""

import os
import threading
from pathlib import Path

import pytest

from seq2seq.corpora.corpus import Pair
from seq2seq.errors import RunError
from seq2seq.system.lock import output_file
from seq2seq.translation.io import opened
from seq2seq.translation.synthetic_text import SOURCE, SyntheticPairs, write_pairs


def write(path: Path, text: str) -> None:
    with output_file(path) as temporary:
        temporary.write_text(text)


def test_an_output_file_is_replaced_atomically(tmp_path):
    path = tmp_path / "new/out.txt"
    write(path, "first")

    def stop() -> None:
        with output_file(path) as temporary:
            temporary.write_text("half")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        stop()
    assert path.read_text() == "first"
    write(path, "second")
    assert [(one.name, one.read_text()) for one in path.parent.iterdir()] == [("out.txt", "second")]


def test_a_link_stays_and_its_target_is_replaced(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "far/file").write_text("old")
    (tmp_path / "link").symlink_to("far/file")
    (tmp_path / "new").symlink_to("far/new")
    (tmp_path / "made").symlink_to("far", target_is_directory=True)
    for name in ("link", "new"):
        write(tmp_path / name, "new")
        assert (tmp_path / name).is_symlink()
    assert {path.name: path.read_text() for path in (tmp_path / "far").iterdir()} == {"file": "new", "new": "new"}
    (tmp_path / "empty").mkdir()
    (tmp_path / "folder").symlink_to("empty", target_is_directory=True)
    write_pairs([SyntheticPairs([Pair("a", "b")])], tmp_path / "folder")
    assert (tmp_path / "folder").is_symlink()
    assert (tmp_path / "empty" / SOURCE).read_text() == "a\n"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_written_to(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    result = []
    reader = threading.Thread(target=lambda: result.append((tmp_path / "pipe").read_text()))
    reader.start()
    with opened(str(tmp_path / "pipe")) as file:
        file.write("text")
    reader.join()
    assert result == ["text"]
    assert (tmp_path / "pipe").is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such devices here")
def test_a_device_stays_a_device(tmp_path):
    """One that a link names here, for as root it would be replaced by a file."""
    (tmp_path / "null").symlink_to("/dev/null")
    with opened(str(tmp_path / "null")) as file:
        file.write("text")
    assert (tmp_path / "null").is_char_device()
    assert [path.name for path in tmp_path.iterdir()] == ["null"]

    def fill() -> None:
        with opened("/dev/full") as file:
            file.write("text")

    with pytest.raises(RunError, match=r"^/dev/full cannot be written \(No space left on device\): free some space"):
        fill()


def test_a_folder_is_refused_before_any_work(tmp_path):
    def translate() -> None:
        with opened(str(tmp_path)):
            raise AssertionError("the work has begun")

    with pytest.raises(RunError, match="is a folder: name a file with output=PATH"):
        translate()
