"""Time slices: which task is next, and how a task ends."""

import threading
from concurrent.futures import Future

import pytest

from seq2seq.serving import scheduler as scheduler_module
from seq2seq.serving.scheduler import SMALL_SIZE, BusyError, CallTask, CancelledError, ClosedError, Scheduler

LARGE = SMALL_SIZE + 1


@pytest.fixture
def scheduler(monkeypatch):
    """A scheduler with slices of one step."""
    monkeypatch.setattr(scheduler_module, "TIME_SLICE", 0.0)
    scheduler = Scheduler("tested")
    scheduler.start()
    yield scheduler
    scheduler.close()
    scheduler.join()


def submitted(scheduler, function, client="a", size=1):
    task = CallTask(client, size, function)
    scheduler.submit(task, lambda queue, in_progress: None)
    return task


def steps(scheduler, count, name, log, begun=None, go=None):
    """A function of some steps, each logged, which waits before the first."""

    def run():
        if begun is not None:
            begun.set()
            assert go.wait(30)
        for _ in range(count):
            scheduler.before_step()
            log.append(name)
        return name

    return run


def test_a_short_task_overtakes_a_long_one(scheduler):
    log, started, go = [], threading.Event(), threading.Event()
    long = submitted(scheduler, steps(scheduler, 100, "long", log, started, go))
    assert started.wait(30)
    short = submitted(scheduler, steps(scheduler, 3, "short", log))
    go.set()
    assert (short.future.result(30), long.future.result(30)) == ("short", "long")
    assert log[-50:] == ["long"] * 50
    assert log.count("short") == 3


def test_clients_share_the_time_equally_for_any_numbers_of_tasks(scheduler):
    log, started, go = [], threading.Event(), threading.Event()
    tasks = [submitted(scheduler, steps(scheduler, 60, "many", log, started, go), "many")]
    assert started.wait(30)
    tasks += [submitted(scheduler, steps(scheduler, 60, "many", log), "many") for _ in range(3)]
    tasks.append(submitted(scheduler, steps(scheduler, 60, "one", log), "one"))
    go.set()
    for task in tasks:
        task.future.result(30)
    last = max(index for index, name in enumerate(log) if name == "one")
    assert log[:last].count("many") < 180, "one task of a client had as much time as four of the other"


def test_small_tasks_have_reserved_slots(scheduler):
    go, started = threading.Event(), [threading.Event() for _ in range(scheduler_module.SLOTS)]

    def large(number):
        def run():
            started[number].set()
            while not go.is_set():
                scheduler.before_step()

        return run

    tasks = [submitted(scheduler, large(number), size=LARGE) for number in range(scheduler_module.SLOTS)]
    free = scheduler_module.SLOTS - scheduler_module.RESERVED_SLOTS
    assert all(event.wait(30) for event in started[:free])
    assert submitted(scheduler, lambda: 7).future.result(30) == 7
    assert not any(event.is_set() for event in started[free:])
    go.set()
    for task in tasks:
        task.future.result(30)


def test_a_cancelled_task_ends_at_its_next_step(scheduler):
    started = threading.Event()

    def run():
        while True:
            scheduler.before_step()
            started.set()

    task = submitted(scheduler, run)
    assert started.wait(30)
    scheduler.cancel(task)
    with pytest.raises(CancelledError):
        task.future.result(30)


def test_closing_ends_all_tasks_and_accepts_no_others(scheduler):
    started = threading.Event()

    def run():
        while True:
            scheduler.before_step()
            started.set()

    tasks = [submitted(scheduler, run, size=LARGE) for _ in range(scheduler_module.SLOTS)]
    assert started.wait(30)
    scheduler.close()
    for task in tasks:
        with pytest.raises(ClosedError):
            task.future.result(30)
    with pytest.raises(ClosedError):
        submitted(scheduler, run)


def test_at_capacity_nothing_is_queued(scheduler):
    def check_capacity(queue, in_progress):
        raise BusyError("full")

    task = CallTask("a", 1, lambda: 1)
    with pytest.raises(BusyError, match="full"):
        scheduler.submit(task, check_capacity)
    assert not task.future.done()
    assert isinstance(task.future, Future)
