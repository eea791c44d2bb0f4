"""Locks of run folders and outputs."""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from seq2seq.errors import RunError
from seq2seq.system import lock as lock_module
from seq2seq.system.lock import LOCK, locked, locked_output

ROOT = Path(__file__).parents[2]
OTHER = """
import os, sys, types
from contextlib import ExitStack
stub = types.SimpleNamespace(is_first=lambda: True)  # the real one takes seconds to import
sys.modules["seq2seq.system.processes"] = stub
from pathlib import Path
from seq2seq.errors import RunError
from seq2seq.system.lock import locked, locked_output

stack = ExitStack()
for line in sys.stdin:
    order, _, path = line.strip().partition(" ")
    try:
        if order == "lock":
            stack.enter_context(locked(Path(path)))
        elif order == "output":
            stack.enter_context(locked_output(Path(path)))
        elif order == "fork":  # a child that stays when its parent is killed
            child = os.fork()
            if child == 0:
                os.close(0), os.close(1), os.close(2)
                os.execvp("sleep", ["sleep", "60"]) if path == "exec" else __import__("time").sleep(60)
            print(child, flush=True)
            continue
        else:
            stack.close()
        print("done", flush=True)
    except RunError as error:
        print(error, flush=True)
"""


FORKED = """
import os, sys, types
sys.modules["seq2seq.system.processes"] = types.SimpleNamespace(is_first=lambda: True)
from pathlib import Path
from seq2seq.system.lock import LOCK, locked

folder = Path(sys.argv[1])
with locked(folder):
    child = os.fork()
    if child == 0:
        sys.exit()
    os.waitpid(child, 0)
    assert (folder / LOCK).exists()
"""


class Other:
    """Another process that executes commands."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", OTHER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip

    def __call__(self, order: str) -> str:
        print(order, file=self.process.stdin, flush=True)
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def other() -> Iterator[Other]:
    one = Other()
    yield one
    one.kill()


def test_a_second_process_is_refused_in_one_line_until_the_first_ends(tmp_path, other):
    folder = tmp_path / "runs/one"
    with locked(folder):
        reported = other(f"lock {folder}")
        assert reported.startswith(f"{folder} is in use by process {os.getpid()} on ")
        assert reported.endswith(": wait until it ends, or choose another folder with run=PATH")
        assert other(f"lock {tmp_path / 'runs/two'}") == "done"
    assert other(f"lock {folder}") == "done"
    with pytest.raises(RunError, match=f"in use by process {other.process.pid} on ") as error, locked(folder):
        pass
    assert "\n" not in str(error.value)
    assert other("release") == "done"
    with locked(folder):
        pass


@pytest.mark.parametrize("child", ["none", "fork", "fork exec"])
def test_the_lock_of_a_killed_process_is_released_even_if_it_has_children(tmp_path, other, child):
    assert other(f"lock {tmp_path}") == "done"
    left = None if child == "none" else int(other(child))
    try:
        other.kill()
        assert (tmp_path / LOCK).exists()
        with locked(tmp_path):
            assert (tmp_path / LOCK).read_text().strip().startswith(f"process {os.getpid()} on ")
    finally:
        if left is not None:
            os.kill(left, signal.SIGKILL)


def test_files_of_a_run_stay_and_an_empty_folder_is_removed(tmp_path):
    for name in ("empty", "filled"):
        with locked(tmp_path / name):
            assert (tmp_path / name / LOCK).exists()
            if name == "filled":
                (tmp_path / name / "config.yaml").touch()
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == [
        "filled",
        "filled/config.yaml",
    ]
    (tmp_path / "there").mkdir()
    with locked(tmp_path / "there"):
        pass
    assert (tmp_path / "there").is_dir(), "another process created it"


def test_a_second_lock_in_the_same_process_is_refused_and_the_first_stays(tmp_path, other):
    with locked(tmp_path):
        with pytest.raises(RunError, match=f"in use by process {os.getpid()} on "), locked(tmp_path):
            pass
        assert "in use by" in other(f"lock {tmp_path}")
    assert other(f"lock {tmp_path}") == "done"


def test_a_forked_child_that_exits_does_not_remove_the_lock(tmp_path):
    command = [sys.executable, "-c", FORKED, str(tmp_path / "run")]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})


def test_where_open_files_cannot_be_removed_the_lock_file_is_removed_after_closing(tmp_path, monkeypatch):
    refused, unlink = [], Path.unlink

    def as_on_windows(path: Path, missing_ok: bool = False) -> None:
        if path.resolve() in {Path(link).resolve() for link in Path("/proc/self/fd").iterdir()}:
            refused.append(path)
            raise PermissionError(13, "used by another process")
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", as_on_windows)
    with locked(tmp_path / "run"):
        pass
    assert refused == [tmp_path / "run" / LOCK]
    assert not (tmp_path / "run").exists()


def test_errors_release_the_lock(tmp_path, other):
    def fail() -> None:
        with locked(tmp_path / "run"):
            raise ValueError("anything")

    with pytest.raises(ValueError, match="anything"):
        fail()
    assert not (tmp_path / "run").exists()
    assert other(f"lock {tmp_path / 'run'}") == "done"


@pytest.mark.parametrize("below", ["", "/run"])
def test_a_file_in_place_of_the_folder_gives_one_line(tmp_path, below):
    (tmp_path / "file").write_text("precious")
    with pytest.raises(RunError) as error, locked(Path(f"{tmp_path}/file{below}")):
        pass
    assert "\n" not in str(error.value)
    assert "choose another" in str(error.value)
    assert (tmp_path / "file").read_text() == "precious"


def test_a_lock_file_that_its_holder_removes_is_opened_again(tmp_path, monkeypatch):
    """If it is removed between opening and locking, other processes could not see the lock."""
    opened, open_file = [], os.open

    def taken_away(path: object, *flags: int) -> int:
        descriptor = open_file(path, *flags)
        if len(opened) < 2:
            Path(path).unlink()
        opened.append(path)
        return descriptor

    (tmp_path / "run").mkdir()
    monkeypatch.setattr(os, "open", taken_away)
    with locked(tmp_path / "run"):
        assert opened == [tmp_path / "run" / LOCK] * 3
        assert (tmp_path / "run" / LOCK).exists()


def test_a_file_system_without_locks_gives_a_warning(tmp_path, monkeypatch, caplog):
    def unsupported(descriptor: int, blocking: bool = True) -> bool:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(lock_module, "lock_descriptor", unsupported)
    with caplog.at_level(logging.WARNING), locked(tmp_path):
        pass
    assert caplog.messages == [
        f"{tmp_path} cannot be locked (Function not implemented): do not start a second run there"
    ]


def test_of_several_processes_of_a_run_only_the_first_locks(tmp_path, monkeypatch):
    monkeypatch.setattr(lock_module, "is_first", lambda: False)
    with locked(tmp_path / "run"):
        assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("end", ["release", "kill"])
def test_a_waiting_process_gets_the_lock_even_if_the_folder_was_removed(tmp_path, other, caplog, end):
    """Preprocessing interrupted before its first shard removes the lock file and the folder it created."""
    folder = tmp_path / "cache/key"
    assert other(f"lock {folder}") == "done"
    entered = []

    def take() -> None:
        with locked(folder, wait=True):
            entered.append((folder / LOCK).read_text().strip())

    waiting = threading.Thread(target=take)
    waiting.start()
    while not caplog.messages:
        time.sleep(0.01)
    other.kill() if end == "kill" else other("release")
    waiting.join()
    assert entered == [f"process {os.getpid()} on {socket.gethostname()}"]


def test_a_locked_output_leaves_its_neighbours_free(tmp_path, other):
    path = tmp_path / "new/out.txt"
    assert other(f"output {path}") == "done"
    message = rf"^{path} is in use by process {other.process.pid} on .*: wait until it ends, or choose another with o"
    with pytest.raises(RunError, match=message), locked_output(path):
        pass
    with locked_output(tmp_path / "new/other.txt"):
        assert other("release") == "done"
        with locked_output(path):
            path.touch()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["out.txt"]


def test_a_users_file_is_not_used_as_a_lock_file(tmp_path):
    (tmp_path / ".out.txt.lock").write_text("mine")
    message = "is not a lock file: remove it, or choose another with output=PATH"
    with pytest.raises(RunError, match=message), locked_output(tmp_path / "out.txt"):
        pass
    assert (tmp_path / ".out.txt.lock").read_text() == "mine"


def test_files_with_long_names_have_locks_of_their_own(tmp_path):
    """Such as two cleaned files of a corpus, which differ in their endings only."""
    name = "OpenSubtitles.v2018.en-de.filtered.deduplicated.tokenized.train.clean"
    with locked_output(tmp_path / f"{name}.en"), locked_output(tmp_path / f"{name}.de"):
        assert len(list(tmp_path.iterdir())) == 2
