"""Several processes at one piece of work: real ones, over gloo."""

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
from seq2seq.system import processes
from seq2seq.system.device import choose_device
from seq2seq.system.processes import (
    LostProcessError,
    add_up,
    alone,
    count,
    first_before_others,
    from_first,
    is_first,
    largest,
    launched,
    own_gpu,
    rank,
    taking_part,
    tells,
    to_first,
    total,
    wait,
)


def test_a_process_by_itself_is_the_first_of_one(capsys):
    tensor = torch.ones(2)
    assert (alone(), rank(), count(), is_first()) == (True, 0, 1, True)
    assert (total(3), largest(4), from_first("a"), to_first("b")) == (3, 4, "a", ["b"])
    assert add_up(tensor) is tensor
    assert own_gpu(0) is None
    wait()
    with first_before_others(), taking_part():
        print("heard")
    assert capsys.readouterr().out == "heard\n"
    with pytest.raises(RuntimeError, match="gloo"), taking_part():
        raise RuntimeError("something of gloo, but nobody was lost")


def meet(folder: Path) -> dict[str, object]:
    found = {
        "alone": alone(), "rank": rank(), "count": count(), "first": is_first(),
        "total": total(10 + rank()), "largest": largest(-rank()), "sum": add_up(torch.tensor([1.0, 10.0 * rank()])),
        "from": from_first(f"said by {rank()}"), "to": to_first([rank()] * 2),
    }  # fmt: skip
    mark = folder / "made"
    with first_before_others():
        found["there"] = mark.exists()
        if is_first():
            time.sleep(0.2)
            mark.touch()
    with taking_part():
        print(f"out {rank()}")
        print(f"err {rank()}", file=sys.stderr)
    return found


def test_two_processes_know_and_tell_each_other(tmp_path):
    ended = together(tmp_path, meet, tmp_path)
    first, second = results(ended)
    assert not first["alone"]
    assert (first["rank"], second["rank"]) == (0, 1)
    assert (first["first"], second["first"]) == (True, False)
    assert (first["there"], second["there"]) == (False, True)
    for found in (first, second):
        assert found["count"] == 2
        assert found["total"] == 21
        assert found["largest"] == 0
        assert found["sum"].tolist() == [2.0, 10.0]
        assert found["from"] == "said by 0"
    assert (first["to"], second["to"]) == ([[0, 0], [1, 1]], [])
    assert [one.out for one in ended] == ["out 0\n", ""], "only the first prints"
    assert [one.err for one in ended] == ["err 0\n", ""]


def die(killed: int) -> str:
    wait()
    if rank() == killed:
        os.kill(os.getpid(), signal.SIGKILL)
    with pytest.raises(LostProcessError) as raised, taking_part():
        wait()
    assert tells(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("killed", [0, 1])
def test_who_loses_another_says_so_in_one_line_and_does_not_wait(tmp_path, killed):
    ended = together(tmp_path, die, killed)
    left = ended[1 - killed]
    assert ended[killed].code == -signal.SIGKILL
    assert left.code == 0, left.err
    assert left.value == (
        f"process {2 - killed} of 2: another process has ended before its work was done, see what it said; the same "
        f"command goes on from what was saved last, with any number of processes"
    )


def fail() -> None:
    with taking_part():
        raise RuntimeError("an error of this process's own")


def test_an_error_of_its_own_is_no_loss_of_another(tmp_path):
    for one in together(tmp_path, fail):
        assert one.code == 70
        assert "RuntimeError: an error of this process's own" in one.err


def test_the_first_tells_what_all_meet_and_the_first_two_what_they_lost(monkeypatch):
    own, lost, stopped, waited = ConfigError("x"), LostProcessError("y"), KeyboardInterrupt(), []
    monkeypatch.setattr("time.sleep", waited.append)
    for number, told in enumerate([(True, True, True), (True, True, False), (True, False, False)]):
        monkeypatch.setattr(processes, "rank", lambda number=number: number)
        assert tuple(map(tells, (own, lost, stopped))) == told
    assert waited == [processes.GRACE] * 4, "but for the first, and but for what was lost"


def test_what_a_launcher_says_is_complete_or_there_is_none(monkeypatch):
    assert not launched()
    for name in processes.LAUNCHED:
        assert not launched()
        monkeypatch.setenv(name, "1")
    assert launched()


def test_each_process_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(processes, "alone", lambda: False)
    monkeypatch.setattr(processes, "rank", lambda: 1)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert own_gpu(2) == 1
    with pytest.raises(ConfigError, match=r"^process 2 of this machine has no GPU, torch sees 1: .*nproc_per_node=1"):
        own_gpu(1)
    chosen = []
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.cuda.set_device", chosen.append)
    assert choose_device("auto") == choose_device("cuda") == torch.device("cuda", 1)
    assert chosen == [1, 1]
    assert choose_device("cpu") == torch.device("cpu")
    with pytest.raises(ConfigError, match="device=cuda:0 is one GPU for several processes: use device=cuda"):
        choose_device("cuda:0")


def test_processes_that_do_not_find_each_other_are_one_line(monkeypatch):
    for name, value in zip(processes.LAUNCHED, ["0", "two", "127.0.0.1", "1"], strict=True):
        monkeypatch.setenv(name, value)
    with pytest.raises(RunError, match=r"^the processes do not find each other \(.+\): start them with torchrun$"):
        processes.join()


def test_a_recipe_for_one_process_refuses_a_launcher(recipe, monkeypatch, tmp_path):
    for name in processes.LAUNCHED:
        monkeypatch.setenv(name, "0")
    outcome = recipe("quantize", f"run={tmp_path}")
    assert outcome.code == 1
    assert outcome.err == "error: recipes/quantize.py runs in one process: start it with python, not with torchrun\n"


@pytest.mark.parametrize(
    ("backends", "fails", "wanted"),
    [("cpu:gloo,cuda:nccl", True, ["abort"]), ("cpu:gloo,cuda:nccl", False, ["destroy"]), ("cpu:gloo", True, [])],
)
def test_who_fails_gives_up_what_the_others_wait_for(monkeypatch, backends, fails, wanted):
    done = []
    monkeypatch.setattr("torch.distributed.get_backend_config", lambda: backends)
    monkeypatch.setattr(processes, "alone", lambda: False)
    monkeypatch.setattr(processes, "_nccl", lambda: SimpleNamespace(abort=lambda: done.append("abort")))
    monkeypatch.setattr("torch.distributed.destroy_process_group", lambda: done.append("destroy"))
    with pytest.raises(SystemExit) if fails else nullcontext(), processes.parting():
        if fails:
            sys.exit(1)
    assert done == wanted


def test_a_gpu_waits_minutes_for_another_and_a_preparation_may_take_a_day(monkeypatch):
    asked = {}
    backend = SimpleNamespace(_set_default_timeout=lambda limit: asked.update(nccl=limit))
    group = SimpleNamespace(_get_backend=lambda device: {"cuda": backend}[device.type])
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.distributed.is_nccl_available", lambda: True)
    monkeypatch.setattr("torch.distributed.init_process_group", lambda kind, timeout: asked.update({kind: timeout}))
    monkeypatch.setattr("torch.distributed.distributed_c10d._get_default_group", lambda: group)
    processes.join()
    assert asked == {"cpu:gloo,cuda:nccl": processes.PATIENCE, "nccl": processes.GPU_PATIENCE}
    assert processes.GPU_PATIENCE.total_seconds() <= 1800 < processes.PATIENCE.total_seconds()
