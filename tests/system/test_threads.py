"""Number of threads: one per core, or as set; idle threads spin briefly and then sleep."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from seq2seq.system import threads
from seq2seq.system.threads import (
    COUNT_VARIABLES,
    SHORT_WAIT,
    WAIT_VARIABLES,
    physical_cores,
    set_wait_policy,
    use_threads,
)

SIBLINGS = {0: "0,4", 1: "1,5", 4: "0,4", 5: "1,5"}
"""Two cores of two processors each."""


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A made-up machine; calling it says which processors the process may use and what share of them."""
    for cpu, siblings in SIBLINGS.items():
        folder = tmp_path / f"cpu{cpu}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{siblings}\n")
    monkeypatch.setattr(threads, "CPUS", tmp_path)
    monkeypatch.setattr(threads, "QUOTA", tmp_path / "cpu.max")

    def allow(cpus: list[int], quota: str | None = None) -> None:
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(cpus), raising=False)
        if quota is not None:
            (tmp_path / "cpu.max").write_text(quota)

    return allow


@pytest.fixture
def threads_restored(monkeypatch):
    before = torch.get_num_threads()
    for name in COUNT_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    yield before
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("cpus", "quota", "expected"),
    [
        ([0, 1, 4, 5], None, 2),
        ([0, 4], None, 1),
        ([1, 4], None, 2),
        ([0, 1, 4, 5], "max 100000\n", 2),
        ([0, 1, 4, 5], "150000 100000\n", 1),
        ([0, 1, 4, 5], "50000 100000\n", 1),
        ([0, 1, 4, 5], "400000 100000\n", 2),
        ([0, 7], None, None),  # the core of processor 7 is unknown
    ],
)
def test_physical_cores_are_counted(machine, cpus, quota, expected):
    machine(cpus, quota)
    assert physical_cores() == expected


def test_on_other_systems_torch_chooses_the_number(monkeypatch, threads_restored):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert physical_cores() is None
    assert use_threads(None) == threads_restored


def test_the_setting_precedes_the_environment_and_the_environment_the_cores(machine, monkeypatch, threads_restored):
    machine([0, 1, 4, 5])
    assert use_threads(3) == torch.get_num_threads() == 3
    assert use_threads(None) == torch.get_num_threads() == 2
    torch.set_num_threads(3)  # torch reads it from the environment
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert use_threads(None) == 3
    assert use_threads(1) == 1


@pytest.mark.parametrize("name", [None, *WAIT_VARIABLES])
def test_threads_spin_briefly_and_then_sleep_unless_the_environment_sets_a_policy(monkeypatch, name):
    for variable in WAIT_VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    if name is not None:
        monkeypatch.setenv(name, "7")
    set_wait_policy()
    result = {variable: os.environ.pop(variable) for variable in WAIT_VARIABLES if variable in os.environ}
    assert result == (SHORT_WAIT if name is None else {name: "7"})


def test_training_sets_the_wait_policy_before_it_imports_torch(tmp_path):
    """OpenMP reads it when torch is imported."""
    program = (
        "import sys, os, runpy; from importlib.abc import MetaPathFinder\n"
        "class Watch(MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'torch': print(os.environ.get('GOMP_SPINCOUNT')); os._exit(0)\n"
        "sys.meta_path.insert(0, Watch())\n"
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    recipe = Path(__file__).parents[2] / "recipes" / "train.py"
    environment = {name: value for name, value in os.environ.items() if name not in WAIT_VARIABLES}
    completed = subprocess.run(
        [sys.executable, "-c", program, str(recipe), f"run={tmp_path}/run"],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert completed.stdout.split() == [SHORT_WAIT["GOMP_SPINCOUNT"]]
