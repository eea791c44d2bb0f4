"""A second thread, one call at a time."""

import threading

import pytest

from seq2seq.serving.aside import Aside
from seq2seq.serving.worker import BusyError


def test_one_call_at_a_time_and_no_more_than_may_wait():
    free, running = threading.Event(), []

    def call(number):
        running.append(number)
        assert free.wait(30)
        return number * 2

    with Aside(waiting=2) as aside:
        first, second = aside.submit(call, 1), aside.submit(call, 2)
        with pytest.raises(BusyError):
            aside.submit(call, 3)
        assert second.cancel()
        third = aside.submit(call, 4)
        free.set()
        assert (first.result(30), third.result(30)) == (2, 8)
        with pytest.raises(ZeroDivisionError):
            aside.submit(lambda: 1 // 0).result(30)
    assert running == [1, 4]
