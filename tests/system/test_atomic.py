"""Atomic writing of files and folders."""

import ast
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from disk import full_disk

from seq2seq.errors import RunError
from seq2seq.system.atomic import (
    SUFFIX,
    atomic_folder,
    atomic_write,
    is_temporary,
    make_folder,
    remove_leftovers,
    temporary_path,
    writing,
)

ROOT = Path(__file__).parents[2]


def found(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_file_gets_its_name_when_it_is_complete(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with atomic_write(tmp_path / "a.txt") as temporary:
        assert is_temporary(temporary, tmp_path / "a.txt")
        temporary.write_text("new")
        assert found(tmp_path) == {"a.txt": "old", temporary.name: "new"}
    assert found(tmp_path) == {"a.txt": "new"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failed_write_leaves_only_the_old_file(tmp_path, error):
    (tmp_path / "a.txt").write_text("old")

    def fail() -> None:
        with atomic_write(tmp_path / "a.txt") as temporary, temporary.open("w") as file:
            file.write("half")
            raise error

    with pytest.raises(error):
        fail()
    assert found(tmp_path) == {"a.txt": "old"}


def test_a_failed_first_write_leaves_nothing(tmp_path):
    def fail() -> None:
        with atomic_write(tmp_path / "a.txt"):
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        fail()
    assert found(tmp_path) == {}


def test_a_file_that_cannot_be_synced_replaces_nothing(tmp_path, monkeypatch):
    def broken(descriptor: int) -> None:
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    (tmp_path / "a.txt").write_text("old")

    def write() -> None:
        with atomic_write(tmp_path / "a.txt") as temporary:
            temporary.write_text("new")

    with pytest.raises(RunError, match=r"a\.txt cannot be written \(Input/output error\)"):
        write()
    assert found(tmp_path) == {"a.txt": "old"}


def test_leftovers_of_a_killed_process_are_removed_and_a_missing_folder_is_created(tmp_path):
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


def one_line(error: pytest.ExceptionInfo[RunError]) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_previous_file_is_renamed(tmp_path):
    for text in ("one", "two", "three"):
        with atomic_write(tmp_path / "last", before=tmp_path / "previous") as temporary:
            temporary.write_text(text)
    assert found(tmp_path) == {"last": "three", "previous": "two"}


def test_a_full_disk_gives_one_line_and_leaves_only_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with full_disk(1000), pytest.raises(RunError) as error, atomic_write(path) as temporary:
        temporary.write_text("x" * 2000)
    assert one_line(error) == (f"{path} cannot be written (File too large): free some space and rerun the same command")
    assert found(tmp_path) == {"a.txt": "old"}


@pytest.mark.parametrize("place", ["file/a.txt", "folder"])
def test_a_path_that_cannot_be_written_gives_one_line(tmp_path, place):
    (tmp_path / "file").write_text("precious")
    (tmp_path / "folder").mkdir()
    with pytest.raises(RunError) as error, atomic_write(tmp_path / place) as temporary:
        temporary.write_text("new")
    assert f"{tmp_path / place} cannot be written" in one_line(error)
    assert found(tmp_path / "folder") == {}
    assert (tmp_path / "file").read_text() == "precious"


def test_an_error_of_another_file_is_not_attributed_to_this_one(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"), atomic_write(tmp_path / "a.txt"):
        (tmp_path / "nowhere").read_text()
    assert found(tmp_path) == {}


def test_the_file_is_synced_before_and_the_folder_after_the_rename(tmp_path, monkeypatch):
    happened = []
    sync, replace = os.fsync, Path.replace

    def name_of(descriptor: int) -> str:
        return Path(os.readlink(f"/proc/self/fd/{descriptor}")).name

    monkeypatch.setattr(os, "fsync", lambda descriptor: happened.append(name_of(descriptor)) or sync(descriptor))
    monkeypatch.setattr(Path, "replace", lambda path, other: happened.append(other) or replace(path, other))
    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc")
    with atomic_write(tmp_path / "new/deep/a.txt") as temporary:
        assert happened == ["new", tmp_path.name]  # the created folders, each in its parent
        temporary.write_text("new")
    assert happened[2:] == [temporary.name, tmp_path / "new/deep/a.txt", "deep"]


def test_an_existing_folder_is_accepted_and_another_file_is_not(tmp_path):
    make_folder(tmp_path)
    make_folder(tmp_path / "a/b")
    assert (tmp_path / "a/b").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "file")


def test_an_error_while_appending_gives_one_line(tmp_path):
    with full_disk(10), pytest.raises(RunError) as error, writing(tmp_path / "log"):
        (tmp_path / "log").write_text("x" * 20)
    assert "free some space" in one_line(error)


# Temporary names


def test_temporary_names_are_unique_and_recognized(tmp_path):
    path = tmp_path / ("\U0001f600" * 63)  # of 252 bytes
    names = {temporary_path(path) for _ in range(100)}
    assert len(names) == 100
    assert all(is_temporary(name, path) and is_temporary(name) for name in names)
    assert not is_temporary(names.pop(), tmp_path / "other")
    with atomic_write(path) as temporary:
        temporary.write_text("new")
    assert found(tmp_path) == {path.name: "new"}


def test_only_files_with_our_suffix_are_removed(tmp_path):
    users = ["a.txt.tmp", f"a.txt{SUFFIX}", f"a.txt.backup{SUFFIX}", f"b.txt.{'0' * 16}{SUFFIX}"]
    for name in users:
        (tmp_path / name).write_text("mine")
    temporary_path(tmp_path / "a.txt").write_text("half")
    with atomic_write(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
    assert found(tmp_path) == {"a.txt": "new"} | dict.fromkeys(users, "mine")
    remove_leftovers(tmp_path)
    assert set(found(tmp_path)) == {"a.txt", *users[:3]}, "in a locked folder, all temporary files are removed"


def test_two_processes_can_write_one_file_at_once(tmp_path):
    with atomic_write(tmp_path / "a.txt") as first, atomic_write(tmp_path / "a.txt") as second:
        assert first != second
        remove_leftovers(tmp_path)
        first.write_text("first")
        second.write_text("second")
    assert found(tmp_path) == {"a.txt": "first"}, "the writer that ends last wins"


def test_a_temporary_file_is_new_and_private(tmp_path):
    with atomic_write(tmp_path / "a.txt") as temporary:
        assert temporary.lstat().st_mode & 0o077 == 0
        temporary.write_text("new")
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o666 & ~umask()


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_link_is_replaced_and_a_link_with_our_suffix_stays(tmp_path):
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "a.txt").symlink_to("precious")
    marked = temporary_path(tmp_path / "a.txt")
    marked.symlink_to("precious")
    with atomic_write(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
    assert not (tmp_path / "a.txt").is_symlink()
    assert found(tmp_path) == {"precious": "precious", "a.txt": "new", marked.name: "precious"}


def test_a_folder_is_written_atomically(tmp_path):
    left = temporary_path(tmp_path / "new/a")
    left.mkdir(parents=True)
    (left / "half").touch()

    def fail() -> None:
        with atomic_folder(tmp_path / "new/a") as made, atomic_folder(tmp_path / "new/a") as other:
            assert made != other
            assert not left.exists()
            (made / "file").touch()
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail()
    assert list((tmp_path / "new").iterdir()) == []
    with atomic_folder(tmp_path / "new/a") as made:
        (made / "file").write_text("whole")
    assert found(tmp_path / "new/a") == {"file": "whole"}
    with pytest.raises(RunError, match="cannot be written"), atomic_folder(tmp_path / "new/a") as made:
        (made / "file").write_text("another")
    assert found(tmp_path / "new/a") == {"file": "whole"}
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a"]


# Every writer of the code base

DIRECT = {"write_text", "write_bytes", "savefig", "save_file", "torch.save", "open"}

EXCUSED = {
    ("seq2seq/translation/synthetic_text.py", "_write_lines"): "its caller's atomic_write gives the paths",
    ("seq2seq/corpora/lines.py", "open_output"): "its caller's atomic_write gives the path",
    ("seq2seq/model/weights.py", "_sort_metadata"): "its caller's atomic_write gives the path",
    ("seq2seq/training/checkpoints.py", "_write"): "its caller's atomic_write gives the path",
    ("seq2seq/training/log.py", "write"): "appends to metrics.jsonl, which is rebuilt from the training state",
    ("seq2seq/training/trackers.py", "record"): "appends to metrics.csv, which is rebuilt from the training state",
    ("seq2seq/training/tensorboard.py", "__init__"): "appends, and readers stop at a record that was cut short",
    ("seq2seq/benchmark/measurement.py", "reset_peak"): "a switch of the kernel",
    ("seq2seq/system/processes.py", "in_group"): "the null device",
    ("seq2seq/analysis/pictures.py", "png"): "into memory",
    ("seq2seq/corpora/documents/xlsx.py", "write"): "its caller gives the open output",
    ("seq2seq/export/folder.py", "save_text"): "into a folder that appears as a whole",
    ("seq2seq/export/html.py", "write_page"): "into a folder that appears as a whole",
}


def writes(call: ast.Call) -> bool:
    """Whether this puts a file on the disk: by name, and for `open` by its mode."""
    name = ast.unparse(call.func)
    if name.rpartition(".")[2] not in DIRECT and name not in DIRECT:
        return False
    modes = [word.value for word in call.args if isinstance(word, ast.Constant) and isinstance(word.value, str)]
    return not name.endswith("open") or any(set(mode) & set("wax+") and len(mode) < 4 for mode in modes)


def unguarded(node: ast.AST, function: str = "", guarded: bool = False) -> Iterator[tuple[str, int, str]]:
    """Writing calls that lie within no ``with atomic_write(…)`` or ``output_file``: function, line and call."""
    if isinstance(node, ast.FunctionDef):
        function = node.name
    if isinstance(node, ast.With):
        within = " ".join(ast.unparse(item.context_expr) for item in node.items)
        guarded = guarded or "atomic_write(" in within or "output_file(" in within
    if isinstance(node, ast.Call) and writes(node) and not guarded:
        yield function, node.lineno, ast.unparse(node.func)
    for child in ast.iter_child_nodes(node):
        yield from unguarded(child, function, guarded)


def test_every_file_of_the_package_is_written_atomically():
    result = [
        (path.relative_to(ROOT).as_posix(), *call)
        for folder in ("seq2seq", "recipes")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path.name != "atomic.py"
        for call in unguarded(ast.parse(path.read_text("utf-8")))
    ]
    assert [call for call in result if call[:2] not in EXCUSED] == []
