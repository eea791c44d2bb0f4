"""Items that a thread prefetches."""

import itertools
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.data.prefetch import prefetch


def alone() -> bool:
    return not any(thread.name == "prefetch" for thread in threading.enumerate())


@given(st.lists(st.integers()), st.integers(1, 4))
def test_the_same_items_in_the_same_order(items, depth):
    assert list(prefetch(iter(items), depth)) == items
    assert alone()


def test_it_prefetches_exactly_its_depth():
    made, third = [], threading.Event()

    def source() -> Iterator[int]:
        for number in itertools.count(1):
            made.append(number)
            if number == 3:
                third.set()
            yield number

    with closing(prefetch(source(), depth=2)) as items:
        assert made == [], "no item is made before the first request"
        assert next(items) == 1
        assert third.wait(10), "one item is consumed, two are prefetched"
        assert made == [1, 2, 3]
    assert made == [1, 2, 3]
    assert alone()


def test_items_are_made_in_one_other_thread():
    threads = set(prefetch(threading.get_ident() for _ in range(20)))
    assert len(threads) == 1
    assert threading.get_ident() not in threads


class Trouble(BaseException):
    """Not an Exception; it must be raised too."""


@pytest.mark.parametrize("error", [ValueError, Trouble])
def test_an_error_is_raised_in_order(error):
    def source() -> Iterator[int]:
        yield from (1, 2)
        raise error("of the source")

    items = prefetch(source())
    assert (next(items), next(items)) == (1, 2)
    with pytest.raises(error, match="of the source") as raised:
        next(items)
    assert "source" in [entry.name for entry in raised.traceback], "the traceback shows where it was raised"
    assert alone()


@pytest.mark.parametrize("taken", [0, 1, 5])
def test_closing_leaves_no_thread(taken):
    with closing(prefetch(itertools.count(), depth=2)) as items:
        assert list(itertools.islice(items, taken)) == list(range(taken))
    assert alone()
    assert list(items) == []


def test_an_error_of_the_caller_leaves_no_thread():
    def fail() -> None:
        with closing(prefetch(itertools.count())) as items:
            next(items)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert alone()


def test_closing_joins_the_thread_after_its_current_item():
    started, let_go, finished = threading.Event(), threading.Event(), []

    def source() -> Iterator[int]:
        yield 0
        started.set()
        let_go.wait(10)
        finished.append(True)
        yield 1

    items = prefetch(source())
    assert next(items) == 0
    assert started.wait(10)
    threading.Timer(0.01, let_go.set).start()
    items.close()
    assert finished == [True]
    assert alone()
