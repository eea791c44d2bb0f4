"""Training after kills, full disks and damaged files: the same command ends with the same bits."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from killing import Trainings, Whole, errors_of, kill_at_random

from seq2seq.system.lock import locked


@pytest.fixture(scope="module")
def trainings() -> Iterator[Trainings]:
    trainings = Trainings()
    yield trainings
    trainings.close()


@pytest.fixture(scope="module")
def whole(trainings: Trainings, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return Whole(trainings, tmp_path_factory.mktemp("whole") / "run")


@pytest.mark.ci
def test_a_training_killed_at_random_ends_with_the_same_bits(trainings, whole, tmp_path):
    killed = kill_at_random(trainings, tmp_path / "run", "training.save_minutes=0", kills=4, seed=1, whole=whole)
    assert whole.differences(tmp_path / "run") == [], killed


@pytest.mark.slow
@pytest.mark.parametrize("minutes", ["0", "null"])
@pytest.mark.parametrize("seed", [2, 3, 4])
def test_a_training_killed_at_random_many_times_ends_with_the_same_bits(trainings, whole, tmp_path, seed, minutes):
    """Forty-two kills in all."""
    saves = f"training.save_minutes={minutes}"
    killed = kill_at_random(trainings, tmp_path / "run", saves, kills=7, seed=seed, whole=whole)
    assert whole.differences(tmp_path / "run") == [], killed


@pytest.mark.slow
@pytest.mark.parametrize("first", [1, 2, 3])
def test_a_training_killed_before_any_file_change_ends_with_the_same_bits(trainings, whole, tmp_path, first):
    """One kill per run, before each opening, renaming or removal of a file; a third of them per test."""
    assert len(whole.events) > 60
    for number in range(first, len(whole.events) + 1, 3):
        folder = tmp_path / str(number)
        assert trainings.run(folder, events=number) < 0
        assert trainings.run(folder) == 0, errors_of(folder)
        assert whole.differences(folder) == [], (number, whole.events[number - 1])


def one_line(folder: Path) -> str:
    """The last line on stderr of the last process of a folder."""
    errors = errors_of(folder)
    assert "Traceback" not in errors
    [line] = [line for line in errors.splitlines() if line.startswith("error: ")]
    assert errors.endswith(line + "\n")
    return line


FILE_SIZES = [1, 300, 9_000, 30_000, 70_000]
"""Largest file size in bytes: too small for any file, then for the tokenizer, and so on."""


@pytest.mark.ci
def test_a_full_disk_is_one_line_and_training_resumes_with_more_space(trainings, whole, tmp_path):
    folder, stopped = tmp_path / "run", set()
    for room in FILE_SIZES:
        if trainings.run(folder, room=room) == 0:
            continue
        line = one_line(folder)
        assert line.endswith("cannot be written (File too large): free some space and rerun the same command")
        stopped.add(line.split()[1].rpartition("/")[2])
        assert [path for path in folder.rglob("*") if path.name.endswith(".tmp")] == []
    assert len(stopped) >= 4, stopped
    assert trainings.run(folder) == 0, errors_of(folder)
    assert whole.differences(folder) == []


@pytest.mark.slow
def test_training_resumes_on_a_disk_that_grows(trainings, whole, tmp_path):
    """A file system of 100 kB that grows in steps."""
    disk, stopped = tmp_path / "disk", 0
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=100k", "none", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("this user cannot mount file systems")
    try:
        for size in range(100, 1000, 60):
            subprocess.run(["mount", "-o", f"remount,size={size}k", str(disk)], check=True)
            if trainings.run(disk / "run") != 0:
                stopped += 1
                assert "No space left on device" in one_line(disk / "run")
                assert not list(disk.rglob("*.tmp"))
        assert stopped > 2
        assert trainings.run(disk / "run") == 0, errors_of(disk / "run")
        assert whole.differences(disk / "run") == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.ci
def test_a_second_process_in_the_folder_is_one_line(trainings, tmp_path):
    folder = tmp_path / "run"
    with locked(folder):
        before = [path.name for path in folder.iterdir()]
        assert trainings.run(folder) == 1
        assert one_line(folder).startswith(f"error: {folder} is in use by process {os.getpid()} on ")
        assert [path.name for path in folder.iterdir()] == before
