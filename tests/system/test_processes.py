"""Collective operations of several real processes over gloo, and errors of such processes."""

import os
import signal
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from together import results, together

from seq2seq.errors import ConfigError, RunError
from seq2seq.system import launcher, processes
from seq2seq.system.device import choose_device
from seq2seq.system.launcher import is_launched
from seq2seq.system.processes import (
    LostProcessError,
    all_reduce,
    assigned_gpu,
    barrier,
    broadcast_object,
    first_before_others,
    gather_objects,
    in_group,
    is_first,
    is_single_process,
    max_over_processes,
    rank,
    should_report,
    sum_over_processes,
    world_size,
)


def test_a_single_process_is_the_first_of_one(capsys):
    tensor = torch.ones(2)
    assert (is_single_process(), rank(), world_size(), is_first()) == (True, 0, 1, True)
    assert (sum_over_processes(3), max_over_processes(4)) == (3, 4)
    assert (broadcast_object("a"), gather_objects("b")) == ("a", ["b"])
    assert all_reduce(tensor) is tensor
    assert assigned_gpu(0) is None
    barrier()
    with first_before_others(), in_group():
        print("text")
    assert capsys.readouterr().out == "text\n"
    with pytest.raises(RuntimeError, match="gloo"), in_group():
        raise RuntimeError("an error of gloo in a single process")


def collective_operations(folder: Path) -> dict[str, object]:
    result = {
        "single": is_single_process(),
        "rank": rank(),
        "size": world_size(),
        "first": is_first(),
        "total": sum_over_processes(10 + rank()),
        "largest": max_over_processes(-rank()),
        "sum": all_reduce(torch.tensor([1.0, 10.0 * rank()])),
        "broadcast": broadcast_object(f"from {rank()}"),
        "gathered": gather_objects([rank()] * 2),
    }
    mark = folder / "mark"
    with first_before_others():
        result["exists"] = mark.exists()
        if is_first():
            time.sleep(0.2)
            mark.touch()
    with in_group():
        print(f"out {rank()}")
        print(f"err {rank()}", file=sys.stderr)
    return result


@pytest.mark.ci
def test_collective_operations_of_two_processes(tmp_path):
    ended = together(tmp_path, collective_operations, tmp_path)
    first, second = results(ended)
    assert not first["single"]
    assert (first["rank"], second["rank"]) == (0, 1)
    assert (first["first"], second["first"]) == (True, False)
    assert (first["exists"], second["exists"]) == (False, True)
    for result in (first, second):
        assert result["size"] == 2
        assert result["total"] == 21
        assert result["largest"] == 0
        assert result["sum"].tolist() == [2.0, 10.0]
        assert result["broadcast"] == "from 0"
    assert (first["gathered"], second["gathered"]) == ([[0, 0], [1, 1]], [])
    assert [process.out for process in ended] == ["out 0\n", ""], "only the first process prints"
    assert [process.err for process in ended] == ["err 0\n", ""]


def lose_a_process(killed: int) -> str:
    barrier()
    if rank() == killed:
        os.kill(os.getpid(), signal.SIGKILL)
    with pytest.raises(LostProcessError) as raised, in_group():
        barrier()
    assert should_report(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("killed", [0, 1])
def test_the_loss_of_another_process_gives_one_line_without_delay(tmp_path, killed):
    ended = together(tmp_path, lose_a_process, killed)
    left = ended[1 - killed]
    assert ended[killed].code == -signal.SIGKILL
    assert left.code == 0, left.err
    assert left.value == (
        f"process {2 - killed} of 2: another process has ended too early, see its message; rerun the same "
        f"command to resume from the last checkpoint, with any number of processes"
    )


def fail() -> None:
    with in_group():
        raise RuntimeError("an error of this process's own")


def test_a_processes_own_error_is_not_the_loss_of_another(tmp_path):
    for process in together(tmp_path, fail):
        assert process.code == 70
        assert "RuntimeError: an error of this process's own" in process.err


def test_the_first_process_reports_an_error_of_all_and_the_first_two_report_a_loss(monkeypatch):
    own, lost, stopped, delays = ConfigError("x"), LostProcessError("y"), KeyboardInterrupt(), []
    monkeypatch.setattr("time.sleep", delays.append)
    for number, reported in enumerate([(True, True, True), (True, True, False), (True, False, False)]):
        monkeypatch.setattr(processes, "rank", lambda number=number: number)
        assert tuple(map(should_report, (own, lost, stopped))) == reported
    assert delays == [processes.REPORT_DELAY] * 4, "without delay: the first process, and a loss"


def test_a_launcher_sets_all_variables(monkeypatch):
    assert not is_launched()
    for name in launcher.VARIABLES:
        assert not is_launched()
        monkeypatch.setenv(name, "1")
    assert is_launched()


def test_each_process_has_its_own_gpu(monkeypatch):
    monkeypatch.setattr(processes, "is_single_process", lambda: False)
    monkeypatch.setattr(processes, "rank", lambda: 1)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert assigned_gpu(2) == 1
    with pytest.raises(ConfigError, match=r"^process 2 of this machine has no GPU, torch sees 1: .*nproc_per_node=1"):
        assigned_gpu(1)
    chosen = []
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.cuda.set_device", chosen.append)
    assert choose_device("auto") == choose_device("cuda") == torch.device("cuda", 1)
    assert chosen == [1, 1]
    assert choose_device("cpu") == torch.device("cpu")
    with pytest.raises(ConfigError, match="device=cuda:0 is one GPU for several processes: set device=cuda"):
        choose_device("cuda:0")


def test_processes_that_cannot_connect_give_one_line(monkeypatch):
    for name, value in zip(launcher.VARIABLES, ["0", "two", "127.0.0.1", "1"], strict=True):
        monkeypatch.setenv(name, value)
    with pytest.raises(RunError, match=r"^the processes cannot connect \(.+\): start them with torchrun$"):
        processes.join_group()


def test_a_recipe_for_one_process_refuses_a_launcher(recipe, monkeypatch, tmp_path):
    for name in launcher.VARIABLES:
        monkeypatch.setenv(name, "0")
    outcome = recipe("quantize", f"run={tmp_path}")
    assert outcome.code == 1
    assert outcome.err == "error: recipes/quantize.py runs in one process: start it with python, not with torchrun\n"


@pytest.mark.parametrize(
    ("backends", "fails", "expected"),
    [("cpu:gloo,cuda:nccl", True, ["abort"]), ("cpu:gloo,cuda:nccl", False, ["destroy"]), ("cpu:gloo", True, [])],
)
def test_a_failing_process_aborts_sums_on_gpus(monkeypatch, backends, fails, expected):
    done = []
    monkeypatch.setattr("torch.distributed.get_backend_config", lambda: backends)
    monkeypatch.setattr(processes, "is_single_process", lambda: False)
    monkeypatch.setattr(processes, "_nccl", lambda: SimpleNamespace(abort=lambda: done.append("abort")))
    monkeypatch.setattr("torch.distributed.destroy_process_group", lambda: done.append("destroy"))
    with pytest.raises(SystemExit) if fails else nullcontext(), processes.closing_group():
        if fails:
            sys.exit(1)
    assert done == expected


def test_a_gpu_waits_for_minutes_and_a_cpu_for_a_day(monkeypatch):
    variables = {}
    backend = SimpleNamespace(_set_default_timeout=lambda limit: variables.update(nccl=limit))
    group = SimpleNamespace(_get_backend=lambda device: {"cuda": backend}[device.type])
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.distributed.is_nccl_available", lambda: True)
    monkeypatch.setattr("torch.distributed.init_process_group", lambda kind, timeout: variables.update({kind: timeout}))
    monkeypatch.setattr("torch.distributed.distributed_c10d._get_default_group", lambda: group)
    processes.join_group()
    assert variables == {"cpu:gloo,cuda:nccl": processes.CPU_TIMEOUT, "nccl": processes.GPU_TIMEOUT}
    assert processes.GPU_TIMEOUT.total_seconds() <= 1800 < processes.CPU_TIMEOUT.total_seconds()
