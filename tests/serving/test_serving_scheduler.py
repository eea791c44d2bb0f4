"""Turns at computing: whose is next, and how a work ends."""

import threading
from concurrent.futures import Future

import pytest

from seq2seq.serving import turns
from seq2seq.serving.turns import SMALL, BusyError, ClosedError, StoppedError, Turns
from seq2seq.serving.worker import Call

LARGE = SMALL + 1


@pytest.fixture
def own(monkeypatch):
    """Turns of one step each."""
    monkeypatch.setattr(turns, "TURN", 0.0)
    one = Turns("tested")
    one.open()
    yield one
    one.close()
    one.join()


def submitted(own, function, client="a", size=1):
    call = Call(client, size, function)
    own.submit(call, lambda queue, under_way: None)
    return call


def steps(own, count, name, told, begun=None, go=None):
    """A search of so many steps, each written down; it waits before the first."""

    def run():
        if begun is not None:
            begun.set()
            assert go.wait(30)
        for _ in range(count):
            own.step()
            told.append(name)
        return name

    return run


def test_a_short_work_does_not_wait_for_the_long_ones_before_it(own):
    told, begun, go = [], threading.Event(), threading.Event()
    long = submitted(own, steps(own, 100, "long", told, begun, go))
    assert begun.wait(30)
    short = submitted(own, steps(own, 3, "short", told))
    go.set()
    assert (short.answer.result(30), long.answer.result(30)) == ("short", "long")
    assert told[-50:] == ["long"] * 50
    assert told.count("short") == 3


def test_clients_take_turns_however_many_works_one_of_them_has(own):
    told, begun, go = [], threading.Event(), threading.Event()
    works = [submitted(own, steps(own, 60, "many", told, begun, go), "many")]
    assert begun.wait(30)
    works += [submitted(own, steps(own, 60, "many", told), "many") for _ in range(3)]
    works.append(submitted(own, steps(own, 60, "one", told), "one"))
    go.set()
    for work in works:
        work.answer.result(30)
    last = max(place for place, name in enumerate(told) if name == "one")
    assert told[:last].count("many") < 180, "the one client had as much time as the four works of the other"


def test_small_works_have_lanes_of_their_own(own):
    go, begun = threading.Event(), [threading.Event() for _ in range(turns.LANES)]

    def large(number):
        def run():
            begun[number].set()
            while not go.is_set():
                own.step()

        return run

    works = [submitted(own, large(number), size=LARGE) for number in range(turns.LANES)]
    free = turns.LANES - turns.KEPT_FREE
    assert all(one.wait(30) for one in begun[:free])
    assert submitted(own, lambda: 7).answer.result(30) == 7
    assert not any(one.is_set() for one in begun[free:])
    go.set()
    for work in works:
        work.answer.result(30)


def test_a_work_ends_at_its_next_step_once_nobody_waits_for_it(own):
    begun = threading.Event()

    def run():
        while True:
            own.step()
            begun.set()

    work = submitted(own, run)
    assert begun.wait(30)
    own.stop(work)
    with pytest.raises(StoppedError):
        work.answer.result(30)


def test_closing_ends_all_works_and_takes_no_others(own):
    begun = threading.Event()

    def run():
        while True:
            own.step()
            begun.set()

    works = [submitted(own, run, size=LARGE) for _ in range(turns.LANES)]
    assert begun.wait(30)
    own.close()
    for work in works:
        with pytest.raises(ClosedError):
            work.answer.result(30)
    with pytest.raises(ClosedError):
        submitted(own, run)


def test_where_there_is_no_room_nothing_is_queued(own):
    def full(queue, under_way):
        raise BusyError("full")

    call = Call("a", 1, lambda: 1)
    with pytest.raises(BusyError, match="full"):
        own.submit(call, full)
    assert not call.answer.done()
    assert isinstance(call.answer, Future)
